/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sim/control/bench.h"

/* Plugs the probes of a bench into this machine's virtual host controllers. No userdata. */
extern const BenchDoorOps usbip_attach_door;
