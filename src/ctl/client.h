/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "base/macro.h"
#include "bus/errors.h"
#include "bus/names.h"
#include "ctl/snapshot.h"

/* The daemon, seen from the command line. Functions that fail return a negative errno and say
 * nothing; client_report() says it. */

/* What to match to learn that the daemon comes or goes. */
#define CLIENT_DAEMON_SIGNALS                                                           \
        "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus'," \
        "member='NameOwnerChanged',arg0='" STLINKD_BUS_NAME "'"

/* Connect to the system bus, and report when that fails. */
ExitCode client_open(sd_bus **ret);

/* Whether the daemon may have a password asked for on behalf of what this connection calls: only
 * if allowed, and if there is a terminal and so somebody to be asked. */
void client_ask_password(sd_bus *bus, bool allowed);

/* Ask for all objects, and with_manager for the manager's properties in the same go. */
int client_fetch(sd_bus *bus, bool with_manager, sd_bus_error *reterr, Snapshot **ret);

/* Fetch, and report when that fails. */
ExitCode client_load(sd_bus *bus, bool with_manager, Snapshot **ret);

/* Connect and fetch, and report what fails. With an exit code other than EXIT_CODE_OK nothing
 * is returned. */
ExitCode client_begin(bool with_manager, sd_bus **ret_bus, Snapshot **ret_snapshot);

/* Look up a probe's holders anew, with what GetHolders tells beyond the property; with see_all the
 * command lines of all, which takes a right. Errors as those of GetHolders. */
int client_look_closer(sd_bus *bus, ProbeView *probe, bool see_all, sd_bus_error *reterr);

/* Find the probe that a name means; reports when there is not exactly one. */
ExitCode client_select(const Snapshot *snapshot, const char *name, ProbeView **ret);

/* Say on stderr what went wrong and what to do about it: error may be NULL or not set, then r,
 * a negative errno, tells. Returns the exit code for it, never EXIT_CODE_OK. */
ExitCode client_report(const sd_bus_error *error, int r);

/* A line on stderr, made printable, with the program's name before it. */
void client_say(const char *format, ...) _printf_(1, 2);

/* A further line, without the name. */
void client_say_more(const char *format, ...) _printf_(1, 2);
