/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>

#include "base/macro.h"
#include "sim/control/bench.h"

/* Carry out one request of the control channel; see control.h for both sides. The answer is the
 * caller's; NULL only when out of memory. */
struct json_object *control_answer(Bench *bench, const char *line);
