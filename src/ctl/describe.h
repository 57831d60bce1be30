/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "ctl/row.h"
#include "ctl/snapshot.h"
#include "ctl/text.h"

/* What the daemon says, put into words. */

/* For whom and when it is told. */
typedef struct Listener {
        Clocks now;
        uid_t uid; /* decides whether ending a program takes sudo */
        bool full; /* tell command lines, too */
} Listener;

void listener_init(Listener *listener);

/* Append a row for a probe with all there is to know about it. For programs:
 *   id serial serial_reported ambiguous model product_id port node firmware mode
 *   target_millivolts state tty disk
 *   parts    rows: part interface device
 *   holders  rows: pid started uid user command exe cmdline unit cgroup session remote terminal
 *            container parent_command program claimed since seen ports clients orphaned lease
 *   leases   rows: lease state kind position reason uid user pid command parts asked_by
 *            asked_reason since
 *   next     rows: what command
 * For people only: title, words (the state in plain words), user (who uses it, in short), and in
 * holders, leases and next: line, and details. */
void describe_probe(Rows *rows, const Snapshot *snapshot, const ProbeView *probe,
                    const Listener *listener);

/* Set a cell to a moment on one of the listener's clocks, whose now is given: to its time, with the
 * text "since 10:42 (38 min)", or to nothing when it is 0. */
void describe_moment(Row *row, const char *key, const Listener *listener, Usec now, Usec then);

/* describe-holder.c: append a row for somebody who has it open. */
void describe_holder(Rows *rows, const HolderView *holder, const Listener *listener);

/* Who uses the probe, in a few words: "openocd (PID 4711)", not yet printable; "" when nobody
 * does. The caller frees it; NULL without memory. */
char *describe_user(const Snapshot *snapshot, const ProbeView *probe);

/* How a command line names this probe: "" when it is the only one, else "--probe NAME " with
 * the shortest name that fits no other. The caller frees it; NULL without memory. */
char *describe_selector(const Snapshot *snapshot, const ProbeView *probe);

/* The shortest name itself. */
char *describe_name(const Snapshot *snapshot, const ProbeView *probe);

/* The state in plain words, not yet printable; NULL without memory. */
char *describe_state(const Snapshot *snapshot, const ProbeView *probe);
