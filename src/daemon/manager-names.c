/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "daemon/manager-internal.h"

/* Which names on the bus leases and requests hang on. One match serves all of them, for as long as
 * there are any: sd_bus_track would have one each, and ask the bus about each name and wait. */

#define GONE_SIGNALS                                                                \
        "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus'," \
        "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg2=''"

static LeaseEntry *find_named(const List *entries, const char *name) {
        LIST_FOREACH(entries, LeaseEntry, entry, link)
                if (entry->name_counts && strcmp(entry->owner_name, name) == 0)
                        return entry;
        return NULL;
}

static void end_named(Manager *manager, const char *name) {
        LeaseEntry *entry;

        while ((entry = find_named(&manager->lease_entries, name)) ||
               (entry = find_named(&manager->returning, name)))
                lease_entry_end(entry, LEASE_END_OWNER_GONE);
}

static int on_name_gone(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *name, *before, *after;

        (void) error;
        if (sd_bus_message_read(message, "sss", &name, &before, &after) > 0 && !after[0])
                end_named(userdata, name);
        return 0;
}

/* It may have gone before the match was in force. */
static int on_name_looked_up(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        LeaseEntry *entry = userdata;

        (void) error;
        entry->lookup = sd_bus_slot_unref(entry->lookup);
        if (sd_bus_message_is_method_error(message, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                lease_entry_end(entry, LEASE_END_OWNER_GONE);
        return 0;
}

int lease_entry_watch_name(LeaseEntry *entry) {
        Manager *manager = entry->manager;
        int r = 0;

        if (!manager->name_signals)
                r = sd_bus_add_match_async(manager->connection, &manager->name_signals,
                                           GONE_SIGNALS, on_name_gone, NULL, manager);
        if (r >= 0)
                r = sd_bus_call_method_async(manager->connection, &entry->lookup,
                                             "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                             "org.freedesktop.DBus", "GetNameOwner",
                                             on_name_looked_up, entry, "s", entry->owner_name);
        if (r < 0)
                return r;
        entry->name_counts = true;
        manager->n_names++;
        return 0;
}

void lease_entry_unwatch_name(LeaseEntry *entry) {
        Manager *manager = entry->manager;

        entry->lookup = sd_bus_slot_unref(entry->lookup);
        if (!entry->name_counts)
                return;
        entry->name_counts = false;
        if (--manager->n_names == 0)
                manager->name_signals = sd_bus_slot_unref(manager->name_signals);
}

/* --- the bus itself ----------------------------------------------------------------------- */

static LeaseEntry *find_any_named(Manager *manager) {
        LIST_FOREACH(&manager->lease_entries, LeaseEntry, entry, link)
                if (entry->name_counts)
                        return entry;
        LIST_FOREACH(&manager->returning, LeaseEntry, entry, link)
                if (entry->name_counts)
                        return entry;
        return NULL;
}

/* What hangs on a name ends. A request that hangs on a descriptor or a process, too, and whose
 * owner knows of it, goes on waiting: he is there, only his name is not. */
static void lose_name(LeaseEntry *entry) {
        if (entry->form == LEASE_FORM_CONNECTION || !entry->lasting) {
                lease_entry_end(entry, LEASE_END_OWNER_GONE);
                return;
        }
        lease_entry_unwatch_name(entry);
}

void manager_lose_names(Manager *manager) {
        LeaseEntry *entry;

        while ((entry = find_any_named(manager)))
                lose_name(entry);
        LIST_FOREACH(&manager->lease_entries, LeaseEntry, left, link)
                left->owner_name[0] = 0;
        LIST_FOREACH(&manager->returning, LeaseEntry, left, link)
                left->owner_name[0] = 0;
        manager->name_signals = sd_bus_slot_unref(manager->name_signals);
}
