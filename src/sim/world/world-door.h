/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sim/control/bench.h"
#include "sim/world/world.h"

/* Shows the probes of a bench in a world; the userdata is the World. */
extern const BenchDoorOps world_door;
