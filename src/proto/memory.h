/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "proto/codec.h"

/* Ranges of the target's memory, cut into accesses that a firmware can do. */

/* The next access to size bytes (not 0) from address on: as wide as both allow, so that a
 * register is read as what it is, and as long as the firmware takes it and the SWD clock (0: not
 * known, fast) can do in a moment. 8- and 16-bit accesses
 * only fill up to the next word; they never cross a boundary at which the target's access port
 * ceases to count its address up. */
MemoryAccess memory_next_access(const Firmware *firmware, unsigned swd_khz, uint8_t ap,
                                uint32_t address, uint32_t size);
