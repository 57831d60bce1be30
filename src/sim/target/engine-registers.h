/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <unicorn/unicorn.h>

#include "sim/target/engine.h"

/* Registers into and out of Unicorn, all but the program counter on the way in. */
void engine_put_registers(uc_engine *uc, const Chip *chip, const CoreRegisters *registers);
void engine_get_registers(uc_engine *uc, const Chip *chip, CoreRegisters *ret);
