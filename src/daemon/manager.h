/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "base/macro.h"
#include "daemon/config.h"

/* The one place where presence, gate, leases, workers and the bus meet. It feeds events to the
 * pure tables of core/ and performs the changes that they decide on. */

typedef struct Manager Manager;

/* Set everything up on a connection that is not served yet; worker is the path of the worker
 * program. config, event and connection stay the caller's and must outlive the Manager. */
int manager_new(sd_event *event, sd_bus *connection, const Config *config, const char *worker,
                Manager **ret);
Manager *manager_free(Manager *manager);
DEFINE_CLEANUP(Manager *, manager_free)

/* The connection went away: what hangs on it ends. Another one was made: put everything on it, and,
 * once our name is there, have it noted. */
void manager_lose_bus(Manager *manager);
int manager_attach(Manager *manager, sd_bus *connection);
void manager_attached(Manager *manager);

/* Find the probes that are there already; to be called once. */
int manager_start(Manager *manager);
