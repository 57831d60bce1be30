/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"

/* A command that runs under the simulator. Signals sent to us are passed on to it; when it has
 * ended, whatever it left running is ended too (asked first, killed after a second), and then
 * the event loop exits with its status: 128 + N for signal N, as shells have it. */

typedef struct Command Command;

/* SIGCHLD and the signals to be passed on become blocked. 126 and 127 are the statuses of a
 * command that cannot be executed or is not there. */
int command_start(sd_event *event, char *const argv[], Command **ret);
Command *command_free(Command *command);
DEFINE_CLEANUP(Command *, command_free)
