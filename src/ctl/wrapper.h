/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/lease.h"
#include "ctl/options.h"

/* Run a command while the lease is held, as a shell would run it: same process group, same
 * terminal, standard streams as they are. Returns the command's exit status, 128 + N when
 * signal N ended it, or a code of our own (exit_code_of_wrapper()). *ret_interrupted becomes true
 * when that was SIGINT. Call it once: it changes this process's signals for good. */
int wrapper_run(ClientLease *lease, char **command, Until until, bool *ret_interrupted);
