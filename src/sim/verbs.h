/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/macro.h"
#include "sim/control/bench.h"

/* The verbs of stlinksim. Each gets its own arguments, argv[0] being the verb, prints its own
 * messages, and returns the exit status. */

int verb_run(int argc, char *argv[]);
int verb_ctl(int argc, char *argv[]);
int verb_usbip(int argc, char *argv[]);

/* Exit statuses of "ctl" and "usbip" (and EXIT_SUCCESS and EXIT_FAILURE). */
enum {
        EXIT_USAGE = 2,
        EXIT_NO_PROBE = 3,
        EXIT_NO_SIMULATOR = 4,
        EXIT_NOT_HERE = 5, /* this machine has no vhci_hcd, or not for us */
};

/* Exit statuses of "run" by itself, so chosen that no usual command has them. */
enum {
        EXIT_RUN_USAGE = 120,
        EXIT_RUN_NO_WORLD = 121, /* this machine does not allow a private world */
        EXIT_RUN_FAILED = 122,
};

#define CONTROL_VARIABLE "STLINKSIM_CONTROL"
#define DEFAULT_SPEC     "v2:target=f103"

/* Add a probe to a bench; what is wrong with its specification is said, and status returned. */
int add_probe(Bench *bench, const char *text, int status);

/* Say "stlinksim: …" on stderr and return status. */
int complain(int status, const char *format, ...) _printf_(2, 3);

/* The same for bad usage, with a hint at --help. */
int complain_usage(int status, const char *format, ...) _printf_(2, 3);
