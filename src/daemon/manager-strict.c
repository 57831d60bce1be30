/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "bus/names.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"

/* Where the kernel cannot make leases binding, an administrator may have chosen the policy
 * "strict": the nodes of probes belong to root then, and stlinkd-admin gives access to the users
 * who hold leases, as told from here. */

/* The first rule of that policy; see stlinkd-admin(8). */
#define STRICT_RULE "/etc/udev/rules.d/48-stlinkd-strict.rules"
#define UIDS_MAX    64

bool manager_is_strict(void) {
        return faccessat(AT_FDCWD, STRICT_RULE, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

typedef struct Grant {
        Manager *manager;
        LeaseId lease; /* that waits for it; 0: none */
} Grant;

/* Whoever opens the probe by its path could not do so before. */
static int on_granted(sd_bus_message *reply, void *userdata, sd_bus_error *unused) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        Grant *grant = userdata;
        LeaseEntry *entry = grant->lease ? lease_entry_get(grant->manager, grant->lease) : NULL;

        (void) unused;
        if (error)
                log_warning("Cannot have the node of a probe opened to whom it is leased: %s",
                            error->message);
        if (entry && entry->granting) {
                entry->granting = false;
                lease_entry_hand_over(entry);
        }
        return 0;
}

typedef struct Uids {
        uint32_t items[UIDS_MAX];
        size_t n;
} Uids;

/* Root may anyhow. */
static void add_uid(Uids *uids, uid_t uid) {
        for (size_t i = 0; i < uids->n; i++)
                if (uids->items[i] == uid)
                        return;
        if (uid != 0 && uids->n < UIDS_MAX)
                uids->items[uids->n++] = uid;
}

/* The users of leases, and those whom they are delegated to */
static void collect_uids(ProbeEntry *entry, Uids *uids) {
        const Lease *lease = NULL;

        while ((lease = lease_next(entry->manager->leases, entry->number, lease))) {
                const LeaseEntry *holder = lease_entry_get(entry->manager, lease->id);

                if (lease->state == LEASE_WAITING || !holder || holder->ending)
                        continue;
                add_uid(uids, lease->uid);
                for (size_t i = 0; i < holder->delegates.n; i++)
                        if (holder->delegates.items[i].kind == DELEGATE_UID)
                                add_uid(uids, holder->delegates.items[i].uid);
        }
}

static int append_grant(sd_bus_message *call, ProbeEntry *entry, const Probe *probe) {
        Uids uids = {};
        int r = sd_bus_message_append(call, "ss", probe->port_path, probe->node);

        collect_uids(entry, &uids);
        if (r >= 0)
                r = sd_bus_message_append_array(call, 'u', uids.items,
                                                uids.n * sizeof(uids.items[0]));
        return r < 0 ? r : sd_bus_message_append(call, "a{sv}", 0);
}

static int call_grant(ProbeEntry *entry, const Probe *probe, LeaseId lease) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        sd_bus *connection = entry->manager->connection;
        sd_bus_slot *slot = NULL;
        Grant *grant;
        int r = sd_bus_message_new_method_call(connection, &call, STLINKD_ADMIN_NAME,
                                               STLINKD_ADMIN_PATH, STLINKD_ADMIN_INTERFACE,
                                               "Grant");

        if (r >= 0)
                r = append_grant(call, entry, probe);
        if (r < 0)
                return r;
        grant = calloc(1, sizeof(*grant));
        if (!grant)
                return -ENOMEM;
        *grant = (Grant){ .manager = entry->manager, .lease = lease };
        r = sd_bus_call_async(connection, &slot, call, on_granted, grant, 0);
        if (r < 0) {
                free(grant);
                return r;
        }
        (void) sd_bus_slot_set_destroy_callback(slot, free);
        (void) sd_bus_slot_set_floating(slot, true);
        sd_bus_slot_unref(slot);
        return 0;
}

void probe_entry_grant(ProbeEntry *entry) {
        const Probe *probe = probe_get(entry->manager->probes, entry->number);
        int r;

        if (!probe || !entry->node || !manager_is_strict())
                return;
        r = call_grant(entry, probe, 0);
        if (r < 0)
                journal_log(LOG_WARNING, NULL, probe, 0, r, "Cannot say who may open %s",
                            probe->node);
}

bool lease_entry_grant(LeaseEntry *entry) {
        ProbeEntry *probe_entry = probe_entry_get(entry->manager, entry->probe);
        const Probe *probe = probe_get(entry->manager->probes, entry->probe);
        int r;

        if (entry->granted_node || !probe || !probe_entry || !probe_entry->node ||
            !manager_is_strict())
                return false;
        entry->granted_node = true;
        r = call_grant(probe_entry, probe, entry->id);
        if (r < 0)
                journal_log(LOG_WARNING, NULL, probe, entry->id, r, "Cannot say who may open %s",
                            probe->node);
        entry->granting = r >= 0;
        return entry->granting;
}

static int on_policy(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Manager *manager = userdata;

        (void) message, (void) error;
        log_info("The policy is %s now", manager_is_strict() ? "strict" : "open");
        bus_enforcement_changed(manager->bus);
        LIST_FOREACH(&manager->probe_entries, ProbeEntry, entry, link)
                probe_entry_grant(entry);
        return 0;
}

int manager_watch_policy(Manager *manager) {
        return sd_bus_match_signal_async(manager->connection, &manager->policy, STLINKD_ADMIN_NAME,
                                         STLINKD_ADMIN_PATH, "org.freedesktop.DBus.Properties",
                                         "PropertiesChanged", on_policy, NULL, manager);
}
