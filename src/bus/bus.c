/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/bus-internal.h"
#include "bus/errors.h"

/* An object of which something is to be told. */
typedef struct Dirty {
        List link;
        const char *interface;
        const char *const *names; /* of the bits in the mask */
        unsigned mask;            /* properties that have changed */
        bool removed, added;      /* both: first the one, then the other */
        char path[];
} Dirty;

/* By bit: ProbeProperty. */
static const char *const probe_names[] = {
        "Serial", "Ambiguous",   "Model", "ProductId",     "PortPath",       "Node",
        "Parts",  "Firmware",    "Mode",  "TargetVoltage", "State",          "Holders",
        "Leases", "LoaderSince", "Wedge", "ReturnBy",      "SerialReported",
};

/* By bit: BusLeaseProperty. */
static const char *const lease_names[] = { "Probe",       "State",    "Position",
                                           "Granted",     "Expires",  "AskedBy",
                                           "AskedReason", "Deadline", "Delegates" };
#define LEASE_ASKED_NAMES (7u * BUS_LEASE_PROPERTY_ASKED) /* three in a row */

#define NAMES_MAX (ELEMENTSOF(probe_names) + 1)

/* --- paths -------------------------------------------------------------------------------- */

int bus_probe_path(const char *id, char **ret) {
        return sd_bus_path_encode(STLINKD_PROBE_PATH, id, ret);
}

void bus_lease_path(LeaseId id, char buffer[static LEASE_PATH_MAX]) {
        (void) snprintf(buffer, LEASE_PATH_MAX, STLINKD_LEASE_PATH "/%" PRIu64, id);
}

/* --- what changed ------------------------------------------------------------------------- */

static int compare_paths(const void *a, const void *b) {
        const Dirty *x = a, *y = b;

        return strcmp(x->path, y->path);
}

static Dirty *dirty_free(Bus *bus, Dirty *dirty) {
        (void) tdelete(dirty, &bus->dirty_by_path, compare_paths);
        list_remove(&dirty->link);
        free(dirty);
        return NULL;
}

static Dirty *dirty_new(const char *path) {
        Dirty *dirty = calloc(1, sizeof(*dirty) + strlen(path) + 1);

        if (dirty) {
                list_init(&dirty->link);
                strcpy(dirty->path, path);
        }
        return dirty;
}

static Usec bus_now(const Bus *bus) {
        uint64_t now = 0;

        (void) sd_event_now(sd_event_source_get_event(bus->flush), CLOCK_MONOTONIC, &now);
        return now;
}

/* When nobody has heard anything for a while it is told as soon as there is nothing else to do: an
 * answer may be due. What goes on without end is told every few milliseconds, be it news to a
 * thousand listeners. */
#define FLUSH_INTERVAL (10 * USEC_PER_MSEC)

static void flush_at(Bus *bus, Usec moment) {
        (void) sd_event_source_set_time(bus->flush, moment);
        (void) sd_event_source_set_enabled(bus->flush, SD_EVENT_ONESHOT);
}

/* With a path of which nothing is to be told yet, the one that was made to look for it stays. */
static Dirty *dirty_get(Bus *bus, const char *path) {
        Dirty *dirty = dirty_new(path);
        Dirty **found = dirty ? tsearch(dirty, &bus->dirty_by_path, compare_paths) : NULL;

        if (found && *found == dirty) {
                if (list_is_empty(&bus->dirty))
                        flush_at(bus, usec_add(bus->flushed, FLUSH_INTERVAL));
                list_append(&bus->dirty, &dirty->link);
                return dirty;
        }
        free(dirty);
        return found ? *found : NULL;
}

static void emit_changed(Bus *bus, const Dirty *dirty) {
        const char *names[NAMES_MAX];
        size_t n = 0;

        for (unsigned bit = 0; dirty->mask >> bit; bit++)
                if (dirty->mask & 1u << bit)
                        names[n++] = dirty->names[bit];
        names[n] = NULL;
        (void) sd_bus_emit_properties_changed_strv(bus->connection, dirty->path, dirty->interface,
                                                   (char **) names);
}

static void dirty_emit(Bus *bus, const Dirty *dirty) {
        sd_bus *c = bus->connection;

        /* Not emit_object_removed(), which would look the object up; it is gone already. */
        if (dirty->removed)
                (void) sd_bus_emit_interfaces_removed(c, dirty->path, "org.freedesktop.DBus.Peer",
                                                      "org.freedesktop.DBus.Introspectable",
                                                      "org.freedesktop.DBus.Properties",
                                                      dirty->interface, NULL);
        if (dirty->added)
                (void) sd_bus_emit_object_added(c, dirty->path);
        /* Of one that is new, too: who was answered with its path asks for it at once, and listens
         * to it alone. */
        if (dirty->mask)
                emit_changed(bus, dirty);
}

static void flush(Bus *bus) {
        LIST_FOREACH(&bus->dirty, Dirty, dirty, link) {
                dirty_emit(bus, dirty);
                dirty_free(bus, dirty);
        }
}

/* First comes all that is ready in this turn, but a flood does not put it off without end. */
#define TURNS_MAX 64

static int on_turn(sd_event_source *source, void *userdata) {
        Bus *bus = userdata;

        if (++bus->turns < TURNS_MAX)
                return 0;
        return sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IMPORTANT);
}

static int on_flush(sd_event_source *source, uint64_t usec, void *userdata) {
        Bus *bus = userdata;

        (void) usec;
        bus->flushed = bus_now(bus);
        bus->turns = 0;
        flush(bus);
        return sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IDLE);
}

static void object_changed(Bus *bus, const char *path, const char *interface,
                           const char *const *names, unsigned mask) {
        Dirty *dirty = mask ? dirty_get(bus, path) : NULL;

        if (!dirty)
                return;
        dirty->interface = interface;
        dirty->names = names;
        dirty->mask |= mask;
}

static void object_added(Bus *bus, const char *path, const char *interface) {
        Dirty *dirty = dirty_get(bus, path);

        if (!dirty)
                return;
        dirty->interface = interface;
        dirty->added = true;
}

/* Of one that nobody has heard of yet nobody hears. */
static void object_removed(Bus *bus, const char *path, const char *interface) {
        Dirty *dirty = dirty_get(bus, path);

        if (!dirty)
                return;
        dirty->interface = interface;
        dirty->removed |= !dirty->added;
        dirty->added = false;
        dirty->mask = 0;
        if (!dirty->removed)
                dirty_free(bus, dirty);
}

void bus_probe_changed(Bus *bus, const char *id, unsigned properties) {
        _cleanup_free_ char *path = NULL;

        if (bus_probe_path(id, &path) >= 0)
                object_changed(bus, path, STLINKD_PROBE_INTERFACE, probe_names, properties);
}

void bus_lease_changed(Bus *bus, LeaseId id, unsigned properties) {
        char path[LEASE_PATH_MAX];

        bus_lease_path(id, path);
        if (properties & BUS_LEASE_PROPERTY_ASKED)
                properties |= LEASE_ASKED_NAMES;
        object_changed(bus, path, STLINKD_LEASE_INTERFACE, lease_names, properties);
        /* Somebody may have waited for that. */
        if (properties & BUS_LEASE_PROPERTY_STATE)
                flush_at(bus, bus_now(bus));
}

void bus_probe_added(Bus *bus, const char *id) {
        _cleanup_free_ char *path = NULL;

        if (bus_probe_path(id, &path) >= 0)
                object_added(bus, path, STLINKD_PROBE_INTERFACE);
}

void bus_probe_removed(Bus *bus, const char *id) {
        _cleanup_free_ char *path = NULL;

        if (bus_probe_path(id, &path) >= 0)
                object_removed(bus, path, STLINKD_PROBE_INTERFACE);
}

void bus_lease_added(Bus *bus, LeaseId id) {
        char path[LEASE_PATH_MAX];

        bus_lease_path(id, path);
        object_added(bus, path, STLINKD_LEASE_INTERFACE);
}

void bus_lease_removed(Bus *bus, LeaseId id) {
        char path[LEASE_PATH_MAX];

        bus_lease_path(id, path);
        object_removed(bus, path, STLINKD_LEASE_INTERFACE);
}

/* --- other signals ------------------------------------------------------------------------ */

void bus_lease_asked(Bus *bus, LeaseId id, const char *by, const char *reason, Usec deadline) {
        char path[LEASE_PATH_MAX];

        flush(bus); /* nobody is to hear of what he does not know yet */
        bus_lease_path(id, path);
        (void) sd_bus_emit_signal(bus->connection, path, STLINKD_LEASE_INTERFACE, "Asked", "sst",
                                  by, reason, deadline);
}

void bus_lease_ended(Bus *bus, LeaseId id, const char *owner, const char *reason) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        char path[LEASE_PATH_MAX];

        bus_lease_path(id, path);
        if (sd_bus_message_new_signal(bus->connection, &message, path, STLINKD_LEASE_INTERFACE,
                                      "Ended") < 0 ||
            sd_bus_message_append(message, "s", reason) < 0)
                return;
        if (owner[0])
                (void) sd_bus_send_to(bus->connection, message, owner, NULL);
        else
                (void) sd_bus_send(bus->connection, message, NULL);
}

/* --- answers ------------------------------------------------------------------------------ */

int bus_reply_acquire(sd_bus_message *message, LeaseId id, int fd) {
        char path[LEASE_PATH_MAX];

        bus_lease_path(id, path);
        if (fd < 0)
                return sd_bus_reply_method_return(message, "o", path);
        return sd_bus_reply_method_return(message, "oh", path, fd);
}

void bus_enforcement_changed(Bus *bus) {
        (void) sd_bus_emit_properties_changed(bus->connection, STLINKD_PATH,
                                              STLINKD_MANAGER_INTERFACE, "Enforcement", NULL);
}

int bus_reply_recover(sd_bus_message *message, bool answers, const char *firmware,
                      const char *problem) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(reply, "{sv}{sv}", "Answers", "b", (int) answers,
                                          "Firmware", "s", firmware);
        if (r >= 0)
                r = bus_append_string(reply, "Problem", problem);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_message_send(reply);
}

int bus_reply_open(sd_bus_message *message, int fd) {
        return sd_bus_reply_method_return(message, "h", fd);
}

/* --- set-up ------------------------------------------------------------------------------- */

static int add_flush(Bus *bus, sd_event *event) {
        int r;

        r = sd_event_add_time(event, &bus->flush, CLOCK_MONOTONIC, 0, USEC_PER_MSEC, on_flush, bus);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(bus->flush, SD_EVENT_OFF);
        if (r < 0)
                return r;
        r = sd_event_source_set_prepare(bus->flush, on_turn);
        if (r < 0)
                return r;
        return sd_event_source_set_priority(bus->flush, SD_EVENT_PRIORITY_IDLE);
}

static int add_objects(Bus *bus) {
        sd_bus *c = bus->connection;
        int r;

        r = sd_bus_add_object_manager(c, &bus->slots[bus->n_slots++], STLINKD_PATH);
        if (r < 0)
                return r;
        r = sd_bus_add_object_vtable(c, &bus->slots[bus->n_slots++], STLINKD_PATH,
                                     STLINKD_MANAGER_INTERFACE, bus_manager_vtable, bus);
        if (r < 0)
                return r;
        r = sd_bus_add_fallback_vtable(c, &bus->slots[bus->n_slots++], STLINKD_PROBE_PATH,
                                       STLINKD_PROBE_INTERFACE, bus_probe_vtable, bus_probe_lookup,
                                       bus);
        if (r < 0)
                return r;
        r = sd_bus_add_fallback_vtable(c, &bus->slots[bus->n_slots++], STLINKD_LEASE_PATH,
                                       STLINKD_LEASE_INTERFACE, bus_lease_vtable, bus_lease_lookup,
                                       bus);
        if (r < 0)
                return r;
        r = sd_bus_add_node_enumerator(c, &bus->slots[bus->n_slots++], STLINKD_PROBE_PATH,
                                       bus_probe_enumerate, bus);
        if (r < 0)
                return r;
        return sd_bus_add_node_enumerator(c, &bus->slots[bus->n_slots++], STLINKD_LEASE_PATH,
                                          bus_lease_enumerate, bus);
}

int bus_new(sd_bus *connection, sd_event *event, const BusOps *ops, const PolkitLimits *limits,
            void *userdata, Bus **ret) {
        _cleanup_(bus_freep) Bus *bus = calloc(1, sizeof(*bus));
        int r;

        if (!bus)
                return -ENOMEM;
        list_init(&bus->dirty);
        bus->connection = sd_bus_ref(connection);
        bus->ops = ops;
        bus->userdata = userdata;
        r = polkit_new(connection, limits, &bus->polkit);
        if (r < 0)
                return r;
        r = add_flush(bus, event);
        if (r < 0)
                return r;
        r = add_objects(bus);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(bus);
        return 0;
}

Bus *bus_free(Bus *bus) {
        if (!bus)
                return NULL;
        for (size_t i = 0; i < bus->n_slots; i++)
                sd_bus_slot_unref(bus->slots[i]);
        polkit_free(bus->polkit);
        sd_event_source_disable_unref(bus->flush);
        LIST_FOREACH(&bus->dirty, Dirty, dirty, link)
                dirty_free(bus, dirty);
        sd_bus_unref(bus->connection);
        free(bus);
        return NULL;
}
