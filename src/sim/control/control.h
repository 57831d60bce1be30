/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "base/macro.h"
#include "sim/control/bench.h"

/* The control channel: a UNIX stream socket on which each line is a request, a JSON object, and
 * is answered by a line, a JSON object again.
 *
 *   {"verb":"list"}                       {"probes":[{"number":1,"product":"…", …}, …]}
 *   {"verb":"plug","probe":"1"}           likewise, that probe alone
 *   {"verb":"unplug","probe":"1-1"}
 *   {"verb":"set","probe":"1","key":"state","value":"wedged"}
 *   {"verb":"add","spec":"v2:target=f411"}
 *   {"verb":"counters"}                   {"counters":[{"number":1,"transfers":12, …}, …]}
 *   {"verb":"reset-counters","probe":"1"} without "probe": of all
 *
 * A failure is {"error":"text for people","code":"no-such-probe"}; codes are "no-such-probe",
 * "bad-request" and "failed". */

typedef struct Control Control;

#define CONTROL_LINE_MAX 65536

/* Listen at path with that mode; something stale there is replaced, another server is not
 * (-EADDRINUSE). The file goes away with the Control. */
int control_new(Bench *bench, const char *path, mode_t mode, Control **ret);
Control *control_free(Control *control);
DEFINE_CLEANUP(Control *, control_free)
