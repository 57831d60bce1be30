/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"

/* What the next daemon will know of our leases, and what we know of the last one's. Nothing of the
 * latter is believed that can be looked at: whether a descriptor, a process or a name on the bus is
 * still there. */

Returning *returning_free(Returning *returning) {
        if (!returning)
                return NULL;
        free(returning->serial);
        free(returning->port);
        free(returning);
        return NULL;
}

/* --- saving ------------------------------------------------------------------------------- */

static int put(LeaseEntry *entry, const Lease *lease, const char *serial, const char *port) {
        _cleanup_free_ char *delegates = NULL;
        int r = delegates_save(&entry->delegates, &delegates);
        const StateLease record = {
                .lease = *lease,
                .form = entry->form,
                .fd_number = entry->fd_number,
                .pid = entry->owner ? entry->owner->pid : 0,
                .start = entry->owner ? entry->owner->start : 0,
                .serial = serial,
                .port = port,
                .bus = entry->manager->bus_id,
                .owner = entry->owner_name,
                .user = entry->user,
                .command = entry->command,
                .reason = entry->reason,
                .delegates = delegates,
        };

        return r < 0 ? r : state_put(entry->manager->state, &record);
}

/* A request whose caller still waits for an answer gets an error from the bus when we go; he asks
 * again, or not at all. */
static int put_entry(LeaseEntry *entry) {
        Manager *manager = entry->manager;
        const Lease *lease = lease_get(manager->leases, entry->id);
        const Probe *probe = probe_get(manager->probes, entry->probe);

        if (!lease || !probe)
                return 0;
        if (lease->state == LEASE_WAITING && !entry->lasting)
                return state_skip(manager->state, entry->id);
        return put(entry, lease, probe->serial, probe->port_path);
}

static int replace_state(Manager *manager) {
        int r;

        r = state_begin(manager->state, lease_last_id(manager->leases));
        LIST_FOREACH(&manager->lease_entries, LeaseEntry, entry, link)
                if (r >= 0)
                        r = put_entry(entry);
        LIST_FOREACH(&manager->returning, LeaseEntry, entry, link)
                if (r >= 0)
                        r = put(entry, &entry->returning->lease, entry->returning->serial,
                                entry->returning->port);
        if (r >= 0)
                return state_commit(manager->state);
        (void) state_commit(manager->state); /* gives up */
        return r;
}

/* Told once, when it begins: the next change tries again. */
static void saved(Manager *manager, int r) {
        if (r < 0)
                r = replace_state(manager);
        if (r < 0 && !manager->unsaved)
                log_warning_errno(r,
                                  "Cannot note in %s who holds which lease, so a restart of "
                                  "stlinkd may end some of them; is it full?",
                                  manager->config->runtime_directory);
        else if (r >= 0 && manager->unsaved)
                log_info("Who holds which lease is noted again");
        manager->unsaved = r < 0;
}

void lease_entry_save(LeaseEntry *entry) {
        saved(entry->manager, put_entry(entry));
}

void manager_forget(Manager *manager, LeaseId id) {
        saved(manager, state_drop(manager->state, id));
}

void manager_save_all(Manager *manager) {
        saved(manager, replace_state(manager));
}

void manager_tidy_state(Manager *manager) {
        if (state_is_due(manager->state, manager->n_lease_entries) && !manager->unsaved)
                manager_save_all(manager);
}

/* --- loading ------------------------------------------------------------------------------ */

static int copy(const char *string, char **ret) {
        *ret = strdup(string);
        return *ret ? 0 : -ENOMEM;
}

static int fill_entry(LeaseEntry *entry, const StateLease *record, bool same_bus) {
        int r;

        entry->returning = calloc(1, sizeof(*entry->returning));
        if (!entry->returning)
                return -ENOMEM;
        entry->returning->lease = record->lease;
        r = copy(record->serial, &entry->returning->serial);
        if (r >= 0)
                r = copy(record->port, &entry->returning->port);
        /* A name of another bus may be anybody's on this one. */
        if (r >= 0)
                r = copy(same_bus ? record->owner : "", &entry->owner_name);
        if (r >= 0)
                r = copy(record->user, &entry->user);
        if (r >= 0)
                r = copy(record->command, &entry->command);
        if (r >= 0)
                r = copy(record->reason, &entry->reason);
        if (r >= 0)
                r = delegates_load(&entry->delegates, record->delegates);
        return r;
}

static int take_over(Manager *manager, const StateLease *record, LeaseEntry **ret) {
        bool same_bus = record->owner[0] && strcmp(record->bus, manager->bus_id) == 0;
        LeaseEntry *entry = calloc(1, sizeof(*entry));
        int r;

        if (!entry)
                return -ENOMEM;
        list_init(&entry->link);
        entry->manager = manager;
        entry->id = record->lease.id;
        entry->owner_fd = entry->node = -EBADF;
        entry->form = record->form;
        entry->lasting = true;
        entry->fd_number = record->fd_number;
        manager->last_fd = MAX(manager->last_fd, record->fd_number);
        r = fill_entry(entry, record, same_bus);
        if (r >= 0)
                r = lease_entry_bind_again(entry, record->pid, record->start);
        if (r < 0) {
                lease_entry_free(entry);
                return r;
        }
        *ret = entry;
        return 0;
}

static void on_found(const StateLease *record, void *userdata) {
        Manager *manager = userdata;
        bool waited = record->lease.state == LEASE_WAITING;
        LeaseEntry *entry;
        int r;

        /* Of an earlier boot: times say nothing any more, and all that a lease hangs on is gone. */
        if (record->lease.requested > now_usec(CLOCK_MONOTONIC))
                r = -ESRCH;
        else
                r = take_over(manager, record, &entry);
        if (r >= 0) {
                list_append(&manager->returning, &entry->link);
                return;
        }
        journal_log(LOG_INFO, MESSAGE_LEASE_ENDED, NULL, record->lease.id, r == -ESRCH ? 0 : r,
                    "The %s of %s: %s ended while stlinkd was away", waited ? "request" : "lease",
                    record->user, record->command);
}

static void load_state(Manager *manager) {
        LeaseId last = 0;
        size_t bad = 0;
        int r;

        r = state_load(manager->state, on_found, manager, &last, &bad);
        if (r == -ENOTSUP)
                log_warning("A newer stlinkd noted who holds which lease, in a way that this one "
                            "cannot read; those leases have ended");
        else if (r < 0 && r != -ENOENT)
                log_warning_errno(r, "Cannot read who held which lease; those leases have ended");
        else if (bad > 0)
                log_warning("%zu lines of what was noted about leases make no sense and were "
                            "skipped",
                            bad);
        lease_skip_ids(manager->leases, last);
}

/* Probes that were away when we began have had time to come back, but for one that is being
 * updated, which may take longer. */
static int give_up(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *manager = userdata;
        bool last = manager->gave_up, more = false;
        int r;

        (void) usec;
        manager->gave_up = true;
        LIST_FOREACH(&manager->returning, LeaseEntry, entry, link) {
                if (!last && entry->returning->lease.kind == LEASE_FIRMWARE_UPDATE)
                        more = true;
                else
                        lease_entry_end(entry, LEASE_END_UNPLUGGED);
        }
        if (!more)
                return 0;
        r = sd_event_source_set_time_relative(source, PROBE_UPDATE_AWAY);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int remove_other_fds(Manager *manager) {
        _cleanup_free_ uint64_t *keep = NULL;
        size_t n = 0;

        LIST_FOREACH(&manager->returning, LeaseEntry, entry, link)
                n++;
        keep = calloc(n + 1, sizeof(*keep));
        if (!keep)
                return -ENOMEM;
        n = 0;
        LIST_FOREACH(&manager->returning, LeaseEntry, entry, link)
                if (entry->form == LEASE_FORM_FD)
                        keep[n++] = entry->fd_number;
        return lease_fd_prepare(manager->config->runtime_directory, keep, n);
}

int manager_load(Manager *manager) {
        int r;

        r = state_new(manager->config->runtime_directory, &manager->state);
        if (r < 0)
                return r;
        load_state(manager);
        r = remove_other_fds(manager);
        if (r < 0)
                return r;
        manager_save_all(manager);
        if (list_is_empty(&manager->returning))
                return 0;
        return sd_event_add_time_relative(manager->event, &manager->return_timer, CLOCK_MONOTONIC,
                                          manager->config->away_timeout, 0, give_up, manager);
}

/* --- putting back ------------------------------------------------------------------------- */

static bool is_probe_of(const Returning *returning, const Probe *probe, bool by_port) {
        bool same = strcmp(returning->serial, probe->serial) == 0;

        if (!probe->plugged)
                return false;
        /* In its boot loader a probe may hide its serial or garble it. */
        if (strcmp(returning->port, probe->port_path) == 0)
                return same || !serial_is_proven(probe->serial_kind);
        return same && !by_port && probe->serial[0] && !probe->ambiguous;
}

static void put_back(LeaseEntry *entry, const Probe *probe) {
        Manager *manager = entry->manager;
        bool waits = entry->returning->lease.state == LEASE_WAITING;
        int r;

        entry->returning->lease.probe = entry->probe = probe->number;
        list_remove(&entry->link);
        r = lease_entry_register(entry);
        if (r >= 0)
                r = lease_restore(manager->leases, &entry->returning->lease);
        if (r < 0) {
                journal_log(LOG_ERR, NULL, probe, entry->id, r, "Cannot put a lease back");
                lease_entry_free(entry);
                return;
        }
        entry->returning = returning_free(entry->returning);
        entry->admitted = !waits && gate_has_members(manager->gate);
        if (!waits)
                lease_entry_arm(entry); /* or else when the probe's node is known */
        journal_log(LOG_INFO, NULL, probe, entry->id, 0, "Probe %s is still %s %s: %s", probe->id,
                    waits ? "waited for by" : "leased to", entry->user, entry->command);
}

void manager_put_back(Manager *manager, const Probe *probe, bool by_port) {
        uint32_t number = probe->number;
        bool any = false;

        LIST_FOREACH(&manager->returning, LeaseEntry, entry, link) {
                if (!is_probe_of(entry->returning, probe, by_port))
                        continue;
                /* Before anybody is granted it, look who uses it. */
                if (!any)
                        probe_entry_doubt(manager, number);
                put_back(entry, probe);
                any = true;
        }
        if (!any)
                return;
        manager_show_leases(manager, number);
        manager_tell_leased(manager, number);
        probe_entry_refresh(manager, number);
}
