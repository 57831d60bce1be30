/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "ctl/client.h"
#include "ctl/lease.h"
#include "ctl/options.h"
#include "usb/probe-session.h"
#include "usb/target-link.h"

/* A probe that a verb of ours talks to itself: a lease, a descriptor of its node that came with
 * the lease, and a session over that. Signals that would end the program are caught meanwhile,
 * so that the probe and its target are left as they should be. */

typedef struct Connection {
        sd_bus *bus;
        Snapshot *snapshot;
        ProbeView *probe; /* in the snapshot: as it was at the beginning */
        ClientLease *lease;
        int node_fd, cancel_fd;
        ProbeSessionOptions session_options;
        ProbeSession *session;
        TargetLink link;
        sd_bus_error error; /* when the daemon refused */
} Connection;

#define CONNECTION_NONE \
        { .node_fd = -EBADF, .cancel_fd = -EBADF }

/* Put the target back to what it was, leave SWD, give the lease back. */
void connection_done(Connection *connection);

/* Find the probe of that name and get a lease on it. What fails is reported. */
ExitCode connection_lease(Connection *connection, const char *name, const Options *options,
                          const char *reason);

/* All below: 0 or a negative errno, to be given to connection_report(). */

/* Open the probe's node and a session over it; nothing is sent. */
int connection_open(Connection *connection);

/* Enter SWD in the way that session_options say, from wherever the probe is, and again when it
 * re-enumerates meanwhile; then open the link to the target. */
int connection_enter(Connection *connection, uint8_t ap);

/* The node again, after the probe was away: it is waited for, until the deadline. */
int connection_reopen(Connection *connection, Usec deadline);

/* Let go of the node and the session, as before re-enumeration. */
void connection_close(Connection *connection);

/* Leave SWD, and leave the target as it is now. */
int connection_leave(Connection *connection);

/* Whether the probe may be told to leave its boot loader unasked. */
bool connection_may_leave_loader(const ProbeView *probe);

/* Say what went wrong; the exit code for it. */
ExitCode connection_report(Connection *connection, int r);

/* All of it at once: the lease, the node, SWD. */
ExitCode connection_begin(Connection *connection, const char *name, const Options *options,
                          const char *reason);
