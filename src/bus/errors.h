/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <systemd/sd-bus.h>

#include "base/macro.h"
#include "bus/names.h"

/* One table says which D-Bus error stands for which errno, and with which code a program ends
 * that was stopped by it. */

/* Exit codes of stlinkctl. A verb that runs a command of the user's has codes of its own. */
typedef enum ExitCode {
        EXIT_CODE_OK = 0,
        EXIT_CODE_FAILURE = 1,       /* anything that has no code of its own */
        EXIT_CODE_USAGE = 2,         /* wrong command line */
        EXIT_CODE_NO_PROBE = 3,      /* no such probe, or it was unplugged */
        EXIT_CODE_BUSY = 4,          /* somebody else has it, also when waiting was in vain */
        EXIT_CODE_DENIED = 5,        /* the caller may not */
        EXIT_CODE_NO_DAEMON = 6,     /* stlinkd is not on the bus, or there is no bus */
        EXIT_CODE_NOT_ANSWERING = 7, /* the probe does not answer */
        EXIT_CODE_NO_TARGET = 8,     /* the probe answers, its target does not */
        EXIT_CODE_LEASE_LOST = 9,    /* the lease ended while it was in use */
} ExitCode;

typedef struct BusError {
        const char *name;
        int error; /* positive errno, each only once in the table */
        ExitCode exit_code;
} BusError;

/* Walk the table: index from 0 until NULL. */
const BusError *bus_error_at(size_t index);

/* Teach sd-bus the table, so that errors of our names arrive as their errno. Returns 0 or a
 * negative errno. */
int bus_errors_register(void);

/* The name that stands for an errno of either sign; NULL when the table has none. */
const char *bus_error_from_errno(int error);

/* The positive errno of an error name; 0 for NULL, EIO for a name that the table lacks. */
int bus_error_to_errno(const char *name);

/* The exit code for an errno of either sign, or for an error name; 0 and NULL mean success. */
ExitCode exit_code_from_errno(int error);
ExitCode exit_code_from_bus_error(const char *name);

/* Fill ret with the name of an errno of either sign and a message for people; returns the
 * negative errno: return bus_error_setf(error, EBUSY, "…"). */
int bus_error_setf(sd_bus_error *ret, int error, const char *format, ...) _printf_(3, 4);
