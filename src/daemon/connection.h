/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "base/macro.h"

/* Our place on the system bus. When the bus goes away it is looked for again and again, less and
 * less often, and our name is taken on the next one; nothing waits meanwhile. */

typedef struct Connection Connection;

typedef struct ConnectionHooks {
        /* There is another bus, and what we serve is to be put on it. Nobody is there yet. 0 or a
         * negative errno. */
        int (*attach)(sd_bus *bus, void *userdata);
        /* We have our name on it. */
        void (*named)(sd_bus *bus, void *userdata);
        /* It went away: nothing that hangs on it is there any more. */
        void (*lost)(void *userdata);
} ConnectionHooks;

/* Connect for the first time, and wait for that. Errors are logged. */
int connection_new(sd_event *event, Connection **ret);
Connection *connection_free(Connection *connection);
DEFINE_CLEANUP(Connection *, connection_free)

sd_bus *connection_bus(const Connection *connection);

/* Take our name, and wait for it, once everything is on the bus; from now on a bus that goes away
 * is followed by the next one, with these hooks. Errors are logged. */
int connection_serve(Connection *connection, const ConnectionHooks *hooks, void *userdata);
