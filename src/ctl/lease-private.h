/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

#include "ctl/lease.h"

/* Shared by lease.c, which asks the daemon for things, and lease-follow.c, which listens to it and
 * finds it again after a restart of it or of the bus. */

struct ClientLease {
        sd_bus *bus;
        sd_bus_slot *lease_slot, *daemon_slot, *local_slot;
        sd_bus_slot *call; /* the question that is being asked */
        sd_event *event;   /* whose loop we are in; NULL between loops */
        char *path;
        char *daemon; /* unique name of whom the lease is from; NULL while he is away */
        int fd;       /* -EBADF: it is bound to a process */
        bool keep;
        char *state;
        uint32_t position;
        char *ended;
        sd_event_source *timer; /* while the daemon or the bus is away */
        Usec patience;          /* until when */
        ClientLeaseAsked asked; /* by is NULL: nobody, or it was taken */
        ClientLeaseChanged changed;
        void *userdata;
};

/* Listen to what becomes of the lease, once its path is known. */
int client_lease_follow(ClientLease *lease);

/* Members that the daemon has sent, for which somebody may be waiting. */
int client_lease_read(ClientLease *lease, sd_bus_message *message);
