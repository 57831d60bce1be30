/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "bus/bus-internal.h"

#define SENTENCE_MAX 1280

/* One side: prefix is "" or "Holder". Nothing is said of nobody. */
static int append_party(sd_bus_message *message, const char *prefix, const ConflictParty *party) {
        char key[32];
        int r;

        if (!party->user[0])
                return 0;
        (void) snprintf(key, sizeof(key), "%sUser", prefix);
        r = bus_append_string(message, key, party->user);
        if (r < 0)
                return r;
        (void) snprintf(key, sizeof(key), "%sUid", prefix);
        r = sd_bus_message_append(message, "{sv}", key, "u", (uint32_t) party->uid);
        if (r < 0)
                return r;
        (void) snprintf(key, sizeof(key), "%sPid", prefix);
        r = sd_bus_message_append(message, "{sv}", key, "u", (uint32_t) party->pid);
        if (r < 0)
                return r;
        (void) snprintf(key, sizeof(key), "%sCommand", prefix);
        r = bus_append_string(message, key, party->command);
        if (r < 0)
                return r;
        (void) snprintf(key, sizeof(key), "%sReason", prefix);
        return bus_append_string(message, key, party->reason[0] ? party->reason : NULL);
}

static int append_conflict(sd_bus_message *message, const Conflict *conflict, const char *text) {
        char lease[LEASE_PATH_MAX];
        int r;

        r = sd_bus_message_open_container(message, 'a', "{sv}");
        if (r < 0)
                return r;
        r = sd_bus_message_append(
                message, "{sv}{sv}{sv}{sv}{sv}{sv}{sv}", "Number", "t", conflict->number, "Kind",
                "s", conflict_kind_to_string(conflict->kind), "Message", "s", text, "Count", "t",
                conflict->count, "Several", "b", (int) conflict->several, "First", "t",
                conflict->first, "Last", "t", conflict->last);
        if (r >= 0 && conflict->kind == CONFLICT_KEPT_OUT)
                r = sd_bus_message_append(message, "{sv}", "Request", "u", conflict->request);
        if (r >= 0)
                r = append_party(message, "", &conflict->wanted);
        if (r >= 0)
                r = append_party(message, "Holder", &conflict->holder);
        if (r >= 0 && conflict->holder.lease) {
                bus_lease_path(conflict->holder.lease, lease);
                r = sd_bus_message_append(message, "{sv}", "HolderLease", "o", lease);
        }
        return r < 0 ? r : sd_bus_message_close_container(message);
}

int bus_append_conflicts(sd_bus_message *message, Bus *bus, const Probe *probe) {
        const Conflict *conflict = NULL;
        char text[SENTENCE_MAX];
        int r;

        r = sd_bus_message_open_container(message, 'a', "a{sv}");
        if (r < 0)
                return r;
        while ((conflict = bus->ops->conflict_next(bus->userdata, probe,
                                                   conflict ? conflict->number : 0))) {
                r = append_conflict(
                        message, conflict,
                        bus->ops->conflict_text(bus->userdata, conflict, text, sizeof(text)));
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(message);
}

void bus_conflict(Bus *bus, const Conflict *conflict, const char *text) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        _cleanup_free_ char *path = NULL;

        if (bus_probe_path(conflict->probe_id, &path) < 0 ||
            sd_bus_message_new_signal(bus->connection, &message, path, STLINKD_PROBE_INTERFACE,
                                      "Conflict") < 0 ||
            append_conflict(message, conflict, text) < 0)
                return;
        (void) sd_bus_send(bus->connection, message, NULL);
}
