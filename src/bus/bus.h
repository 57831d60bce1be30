/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "bus/ops.h"
#include "bus/polkit.h"

/* stlinkd's objects on a bus connection, and the signals that they send. */

typedef struct Bus Bus;

/* Register all objects on a connection, which stays the caller's; ops and userdata must outlive
 * the Bus. Signals of changes are collected and sent from the event loop. limits are those of
 * asking polkit. 0 or a negative errno. */
int bus_new(sd_bus *connection, sd_event *event, const BusOps *ops, const PolkitLimits *limits,
            void *userdata, Bus **ret);
Bus *bus_free(Bus *bus);
DEFINE_CLEANUP(Bus *, bus_free)

/* Objects come and go, and properties of them change: a mask of ProbeProperty, or of
 * BusLeaseProperty. One signal per object says so in a later turn of the event loop, and none of an
 * object that is gone again by then. */
void bus_probe_added(Bus *bus, const char *id);
void bus_probe_removed(Bus *bus, const char *id);
void bus_lease_added(Bus *bus, LeaseId id);
void bus_lease_removed(Bus *bus, LeaseId id);

typedef enum BusLeaseProperty {
        BUS_LEASE_PROPERTY_PROBE = 1 << 0,
        BUS_LEASE_PROPERTY_STATE = 1 << 1,
        BUS_LEASE_PROPERTY_POSITION = 1 << 2,
        BUS_LEASE_PROPERTY_GRANTED = 1 << 3,
        BUS_LEASE_PROPERTY_EXPIRES = 1 << 4,
        BUS_LEASE_PROPERTY_ASKED = 1 << 5, /* AskedBy, AskedReason, Deadline */
        BUS_LEASE_PROPERTY_DELEGATES = 1 << 8,
} BusLeaseProperty;
void bus_probe_changed(Bus *bus, const char *id, unsigned properties);
void bus_lease_changed(Bus *bus, LeaseId id, unsigned properties);

/* Tell everybody, its holder and the desktop among them, that somebody asks for a lease. */
void bus_lease_asked(Bus *bus, LeaseId id, const char *by, const char *reason, Usec deadline);

/* Tell the owner of a lease, by his bus name, why it ended; or all who listen, when he has none. */
void bus_lease_ended(Bus *bus, LeaseId id, const char *owner, const char *reason);

/* Tell of a conflict, which the sentence says to people. */
void bus_conflict(Bus *bus, const Conflict *conflict, const char *text);

/* How far leases bind. */
void bus_enforcement_changed(Bus *bus);

/* The answer to Acquire and to Open; the message is not consumed, nor is fd. An fd of -EBADF
 * answers AcquireBound, with which none comes. */
int bus_reply_acquire(sd_bus_message *message, LeaseId id, int fd);
int bus_reply_recover(sd_bus_message *message, bool answers, const char *firmware,
                      const char *problem); /* a NULL problem is left out */
int bus_reply_open(sd_bus_message *message, int fd);
