/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <limits.h>

#include "bus/bus.h"
#include "bus/names.h"
#include "bus/polkit.h"

/* Shared by the vtable files, one per noun. The object that sd-bus hands to getters is a view:
 * plain members that the vtable reaches by offset, filled in when the object is looked up. One
 * view per noun is enough, since sd-bus looks up and reads in one go; a method copies what it
 * needs before it does anything that could look up another object. */

typedef struct ProbeView {
        Bus *bus;
        const Probe *probe;
        const char *id, *serial, *reported, *model, *port_path, *node, *firmware, *mode, *state,
                *wedge;
        int ambiguous;
        uint16_t product_id;
        int32_t millivolts;
        uint64_t loader_since, return_by;
} ProbeView;

typedef struct LeaseView {
        Bus *bus;
        LeaseId id;
        const Lease *lease;
        const char *probe, *state, *kind, *form, *reason, *user, *command, *asked_by, *asked_reason;
        char probe_path[sizeof(STLINKD_PROBE_PATH) + 1 + 3 * PROBE_ID_MAX]; /* each byte escaped */
        uint32_t position, uid, pid;
        uint64_t requested, granted, expires, deadline;
} LeaseView;

/* Who called lately. What the bus says of a connection never changes, and it gives no name twice.
 */
typedef struct KnownCaller {
        char name[32];
        uid_t uid;
        pid_t pid;
} KnownCaller;

struct Bus {
        KnownCaller known[16];
        size_t next_known;
        sd_bus *connection;
        const BusOps *ops;
        void *userdata;
        Polkit *polkit;
        sd_bus_slot *slots[8];
        size_t n_slots;
        sd_event_source *flush;
        Usec flushed;   /* when that was, CLOCK_MONOTONIC */
        unsigned turns; /* of the loop that it has waited for */
        List dirty;     /* objects of which something is to be told */
        void *dirty_by_path;
        ProbeView probe_view;
        LeaseView lease_view;
};

extern const sd_bus_vtable bus_manager_vtable[];
extern const sd_bus_vtable bus_probe_vtable[];
extern const sd_bus_vtable bus_lease_vtable[];

int bus_probe_lookup(sd_bus *connection, const char *path, const char *interface, void *userdata,
                     void **ret_found, sd_bus_error *error);
int bus_lease_lookup(sd_bus *connection, const char *path, const char *interface, void *userdata,
                     void **ret_found, sd_bus_error *error);
int bus_probe_enumerate(sd_bus *connection, const char *prefix, void *userdata, char ***ret_nodes,
                        sd_bus_error *error);
int bus_lease_enumerate(sd_bus *connection, const char *prefix, void *userdata, char ***ret_nodes,
                        sd_bus_error *error);

/* Object paths. A probe's is allocated. */
int bus_probe_path(const char *id, char **ret);
#define LEASE_PATH_MAX (sizeof(STLINKD_LEASE_PATH) + 24)
void bus_lease_path(LeaseId id, char buffer[static LEASE_PATH_MAX]);

/* Ask the bus who sent this; caller->name is filled in before. Or a negative errno. */
int bus_caller_ask(sd_bus_message *message, BusCaller *caller);

/* Who sent this; -EACCES, with error filled in, when the bus does not say. */
int bus_caller_read(Bus *bus, sd_bus_message *message, BusCaller *ret, sd_bus_error *error);

/* Whether the caller may do something to a probe: polkit says so, or the daemon where there is no
 * polkit. 1: he may. 0: polkit is being asked; the method returns 1, and is called again with the
 * same message once the answer is there, so it must not have changed anything yet. A refusal is
 * a negative errno, with error filled in. */
int bus_authorize(Bus *bus, sd_bus_message *message, const BusCaller *caller, BusAction action,
                  const Probe *probe, sd_bus_error *error);

/* The same where somebody else loses by it; holder names him to whoever is asked. */
int bus_authorize_against(Bus *bus, sd_bus_message *message, const BusCaller *caller,
                          BusAction action, const Probe *probe, const char *holder,
                          sd_bus_error *error);

/* "alice: openocd (pid 4711)" */
#define HOLDER_TEXT_MAX 256

/* bus-holder.c: the property Holders, and the methods of a probe about its holders. */
int bus_append_holders(sd_bus_message *reply, Bus *bus, const Probe *probe);
int bus_get_holders(sd_bus_message *message, void *userdata, sd_bus_error *error);
int bus_end_holder(sd_bus_message *message, void *userdata, sd_bus_error *error);

/* Read an a{sv}. Each known option has a signature and a function that reads its value. An
 * unknown name and a wrong type are -EINVAL, with error filled in. */
typedef struct BusOption {
        const char *name;
        const char *signature;
        int (*read)(sd_bus_message *message, void *options, sd_bus_error *error);
} BusOption;
int bus_options_read(sd_bus_message *message, const BusOption *known, size_t n_known, void *options,
                     sd_bus_error *error);

/* Append an aa{sv} of a probe's conflicts. */
int bus_append_conflicts(sd_bus_message *message, Bus *bus, const Probe *probe);

/* Read the value of an option "reason", which is shown to others. */
int bus_read_reason(sd_bus_message *message, const char **ret, sd_bus_error *error);

/* Append "key": variant to an a{sv} that is open. A NULL string is left out. */
int bus_append_string(sd_bus_message *message, const char *key, const char *value);
