/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "base/macro.h"
#include "base/time.h"

/* What the daemon says about its probes, copied from its D-Bus objects. The members are the
 * properties that dbus/io.github.stlinkd1.xml describes; a string that the daemon did not send
 * or that is empty is NULL. Nothing here is trusted to be printable. */

/* What was left behind; only GetHolders tells. */
typedef enum Orphaned {
        ORPHANED_UNKNOWN,
        ORPHANED_NO,
        ORPHANED_YES,
} Orphaned;

/* How much a program has asked of the probe; only GetHolders tells. */
typedef struct Traffic {
        uint64_t requests, transfers;
        Usec last;  /* CLOCK_BOOTTIME; 0: never */
        bool known; /* where the kernel counts it */
} Traffic;

typedef struct HolderView {
        uint32_t pid, uid;
        char *user, *command, *exe, *cmdline, *unit, *cgroup, *session, *terminal, *container,
                *parent_command, *program, *lease, *seen;
        Usec started; /* CLOCK_BOOTTIME; 0: not said */
        char **ports; /* on which it listens, ends with NULL; may be NULL */
        uint32_t clients;
        Orphaned orphaned;
        char *remote;
        char *part, *device; /* what it has open; NULL: not said, then it is the node */
        Usec since;          /* CLOCK_BOOTTIME; 0: not said */
        bool claimed;
        Traffic traffic;
} HolderView;

typedef struct PartView {
        char *part, *device, *link;
        uint32_t interface;
} PartView;

typedef struct LeaseView {
        char *path, *probe, *state, *kind, *form, *reason, *user, *command, *asked_by,
                *asked_reason;
        char **parts, **delegates; /* end with NULL */
        uint32_t uid, pid, position;
        Usec requested, granted; /* CLOCK_MONOTONIC */
        Usec expires, deadline;  /* likewise; 0: not said; USEC_INFINITY: never */
} LeaseView;

typedef struct ProbeView {
        char *path, *id, *serial, *serial_reported, *model, *port_path, *node, *firmware, *mode,
                *state, *wedge;
        bool ambiguous;
        uint16_t product_id;
        int32_t target_voltage; /* mV; -1: not measured */
        uint64_t return_by;     /* CLOCK_MONOTONIC; 0: it is there */
        uint64_t loader_since;  /* CLOCK_MONOTONIC; 0: did not come back in its boot loader */
        PartView *parts;
        size_t n_parts;
        HolderView *holders;
        size_t n_holders;
        char **leases; /* paths in the daemon's order; ends with NULL, may be NULL */
} ProbeView;

typedef struct ManagerView {
        char *version, *gate, *enforcement, *sight;
} ManagerView;

typedef struct Snapshot {
        ManagerView manager;
        ProbeView **probes; /* sorted by port path */
        size_t n_probes;
        LeaseView **leases;
        size_t n_leases;
} Snapshot;

int snapshot_new(Snapshot **ret);
Snapshot *snapshot_free(Snapshot *snapshot);
DEFINE_CLEANUP(Snapshot *, snapshot_free)

/* Take over the answer to ObjectManager.GetManagedObjects. Objects and properties that we do
 * not know are skipped. 0, -EBADMSG or -ENOMEM; with an error the snapshot holds a part. */
int snapshot_read_objects(Snapshot *snapshot, sd_bus_message *message);

/* Take over an a{sv} of the manager's properties. */
int snapshot_read_manager(Snapshot *snapshot, sd_bus_message *message);

/* Take over one object's a{sa{sv}} (interfaces with their properties), from where the message
 * stands: what InterfacesAdded and GetManagedObjects hold for a path. */
int snapshot_read_interfaces(Snapshot *snapshot, const char *path, sd_bus_message *message);

/* Take over an a{sv} of changed properties of an object that is in the snapshot already; any
 * other object, or interface, is skipped. */
int snapshot_read_changed(Snapshot *snapshot, const char *path, const char *interface,
                          sd_bus_message *message);

/* Take over an aa{sv} as GetHolders answers it. */
int snapshot_read_holders(ProbeView *probe, sd_bus_message *message);

/* Forget an object. */
void snapshot_remove(Snapshot *snapshot, const char *path);

/* NULL when there is none of that path. */
ProbeView *snapshot_find_probe(const Snapshot *snapshot, const char *path);
LeaseView *snapshot_find_lease(const Snapshot *snapshot, const char *path);

/* The first lease of a probe that is held (state is not "waiting"), and how many wait. */
const LeaseView *snapshot_lease_held(const Snapshot *snapshot, const ProbeView *probe);
size_t snapshot_count_waiting(const Snapshot *snapshot, const ProbeView *probe);
