/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

/* Write the children of this process for people, "openocd (PID 33), gdb (PID 34)", not yet
 * printable; "" when there are none or /proc does not tell. Cut to size. */
void children_describe(char *buffer, size_t size);

/* Send a signal to all descendants of this process that can be found, parents first. */
void children_signal(int signal);
