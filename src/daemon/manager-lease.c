/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "bus/errors.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"

static int compare_ids(const void *a, const void *b) {
        LeaseId x = *(const LeaseId *) a, y = *(const LeaseId *) b;

        return x < y ? -1 : x > y;
}

LeaseEntry *lease_entry_get(Manager *manager, LeaseId id) {
        LeaseEntry *const *node = tfind(&id, &manager->leases_by_id, compare_ids);

        return node ? *node : NULL;
}

int lease_entry_register(LeaseEntry *entry) {
        Manager *manager = entry->manager;

        if (!tsearch(entry, &manager->leases_by_id, compare_ids))
                return -ENOMEM;
        list_append(&manager->lease_entries, &entry->link);
        manager->n_lease_entries++;
        return 0;
}

static void deregister(LeaseEntry *entry) {
        Manager *manager = entry->manager;

        list_remove(&entry->link);
        if (lease_entry_get(manager, entry->id) != entry)
                return;
        (void) tdelete(entry, &manager->leases_by_id, compare_ids);
        manager->n_lease_entries--;
}

LeaseEntry *lease_entry_free(LeaseEntry *entry) {
        if (!entry)
                return NULL;
        lease_entry_unwatch_name(entry);
        deregister(entry);
        sd_event_source_disable_unref(entry->process_end);
        lease_fd_free(entry->fd);
        safe_close(entry->owner_fd);
        safe_close(entry->node);
        sd_bus_message_unref(entry->request);
        sd_bus_message_unref(entry->release);
        process_free(entry->owner);
        free(entry->owner_name);
        free(entry->user);
        free(entry->command);
        free(entry->reason);
        delegates_done(&entry->delegates);
        free(entry->asked_by);
        free(entry->asked_reason);
        returning_free(entry->returning);
        free(entry);
        return NULL;
}

/* --- ending ------------------------------------------------------------------------------- */

static bool is_waited_for(const Manager *manager, uint32_t number) {
        const Lease *lease = NULL;

        while ((lease = lease_next(manager->leases, number, lease)))
                if (lease->state == LEASE_WAITING)
                        return true;
        return false;
}

/* Who has the probe open, as of now. */
static void look_at_users(ProbeEntry *probe) {
        if (probe->node)
                (void) gate_node_check(probe->node);
        probe_entry_update(probe);
}

/* Before a lease ends: nobody is to be granted the probe until its descriptor was taken back,
 * nor while a program that worked under the lease still has it claimed. */
static void prepare_end(LeaseEntry *entry, LeaseEnd reason) {
        ProbeEntry *probe = probe_entry_get(entry->manager, entry->probe);
        /* Whoever gives it back may let a program of his go on, which others then wait for. */
        bool taken = (reason == LEASE_END_EXPIRED || reason == LEASE_END_REVOKED) &&
                     lease_entry_has_claim(entry);

        entry->ending = true;
        /* First nobody can do anything, then what he has is taken, then others may. */
        if (probe && (taken || entry->node >= 0))
                probe_entry_shut(probe);
        lease_entry_disarm(entry);
        if (!probe)
                return;
        if (taken || entry->node >= 0) {
                (void) task_new(probe, JOB_CLOSE, entry->id, entry->node, NULL);
                entry->node = safe_close(entry->node);
        }
        if (is_waited_for(entry->manager, entry->probe))
                look_at_users(probe);
}

static void answer_release(LeaseEntry *entry, int error) {
        int r;

        if (!entry->release)
                return;
        r = error < 0 ? sd_bus_reply_method_errno(entry->release, error, NULL)
                      : sd_bus_reply_method_return(entry->release, NULL);
        if (r < 0)
                log_debug_errno(r, "Cannot answer %s", entry->owner_name);
        entry->release = sd_bus_message_unref(entry->release);
}

void lease_entry_end(LeaseEntry *entry, LeaseEnd reason) {
        Manager *manager = entry->manager;
        int r;

        if (entry->returning) { /* no table knows of it */
                manager_forget(manager, entry->id);
                lease_entry_free(entry);
                return;
        }
        prepare_end(entry, reason);
        r = lease_end(manager->leases, entry->id, reason, now_usec(CLOCK_MONOTONIC),
                      &manager->lease_changes);
        if (r < 0) {
                log_error_errno(r, "Cannot end lease %" PRIu64, entry->id);
                answer_release(entry, r);
        }
        manager_perform(manager);
}

int manager_elapse_leases(Manager *manager, Usec now) {
        LIST_FOREACH(&manager->lease_entries, LeaseEntry, entry, link) {
                const Lease *lease = lease_get(manager->leases, entry->id);

                if (!lease || lease->state == LEASE_WAITING)
                        continue;
                if (lease->expires <= now)
                        prepare_end(entry, LEASE_END_EXPIRED);
                else if (lease->state == LEASE_ASKED && lease->deadline <= now)
                        prepare_end(entry, LEASE_END_REVOKED);
        }
        return lease_elapse(manager->leases, now, &manager->lease_changes);
}

/* --- performing changes ------------------------------------------------------------------- */

void manager_tell_leased(Manager *manager, uint32_t number) {
        bool held = false, wanted = false, updating = false;
        const Lease *lease = NULL;
        int r;

        /* Those that are held come first. */
        while ((lease = lease_next(manager->leases, number, lease))) {
                wanted = true;
                if (lease->state == LEASE_WAITING)
                        break;
                held = true;
                updating |= lease->kind == LEASE_FIRMWARE_UPDATE;
        }
        r = probe_set_updating(manager->probes, number, updating);
        if (r >= 0)
                r = probe_set_leased(manager->probes, number, held, wanted,
                                     &manager->probe_changes);
        if (r < 0 && r != -ENOENT)
                log_error_errno(r, "Cannot note who holds a probe");
}

/* Whoever is about to get it hears of each step, who is far back of each quarter of the way: else
 * each time that a long queue moves all in it would be told, and the bus would look for each of
 * them among all. */
#define PLACES_TOLD 10

static bool is_worth_telling(uint32_t told, uint32_t position) {
        return position != told &&
               (position <= PLACES_TOLD || position > told || told - position >= told / 4);
}

void manager_update_positions(Manager *manager, uint32_t number) {
        const Lease *lease = NULL;
        uint32_t waiting = 0;

        while ((lease = lease_next(manager->leases, number, lease))) {
                LeaseEntry *entry = lease_entry_get(manager, lease->id);

                if (!entry)
                        continue;
                entry->position = lease->state == LEASE_WAITING ? ++waiting : 0;
                if (!is_worth_telling(entry->told, entry->position))
                        continue;
                entry->told = entry->position;
                if (entry->shown)
                        bus_lease_changed(manager->bus, entry->id, BUS_LEASE_PROPERTY_POSITION);
        }
}

static void answer(LeaseEntry *entry) {
        int r;

        if (!entry->request)
                return;
        r = bus_reply_acquire(entry->request, entry->id, entry->owner_fd);
        if (r < 0)
                log_debug_errno(r, "Cannot answer %s", entry->owner_name);
        /* With our copy gone, the owner's is the last one; if he never gets it, it hangs up. */
        entry->owner_fd = safe_close(entry->owner_fd);
        entry->request = sd_bus_message_unref(entry->request);
}

void manager_show_leases(Manager *manager, uint32_t number) {
        const Lease *lease = NULL;

        while ((lease = lease_next(manager->leases, number, lease))) {
                LeaseEntry *entry = lease_entry_get(manager, lease->id);

                if (!entry || entry->shown)
                        continue;
                entry->shown = true;
                bus_lease_added(manager->bus, entry->id);
        }
        manager_update_positions(manager, number);
}

static void lease_entry_show(LeaseEntry *entry) {
        entry->shown = true;
        bus_lease_added(entry->manager->bus, entry->id);
}

static void perform_queued(LeaseEntry *entry) {
        entry->lasting = entry->answer_early && !entry->impatient;
        lease_entry_show(entry);
        lease_entry_save(entry); /* before anybody learns of it */
        if (entry->lasting)
                answer(entry);
}

static void perform_granted(LeaseEntry *entry, const Probe *probe) {
        lease_entry_arm(entry);
        lease_entry_held(entry);
        entry->lasting = true;
        lease_entry_save(entry); /* before anybody learns of it */
        if (!lease_entry_clear(entry))
                lease_entry_hand_over(entry);
        journal_log(LOG_INFO, MESSAGE_LEASE_GRANTED, probe, entry->id, 0,
                    "Probe %s is leased to %s: %s (pid %d)%s%s", probe ? probe->id : "?",
                    entry->user, entry->command, entry->owner ? (int) entry->owner->pid : 0,
                    entry->reason[0] ? ", " : "", entry->reason);
}

void lease_entry_hand_over(LeaseEntry *entry) {
        Manager *manager = entry->manager;

        entry->clearing = false;
        if (lease_entry_grant(entry))
                return;
        if (entry->shown)
                bus_lease_changed(manager->bus, entry->id,
                                  BUS_LEASE_PROPERTY_STATE | BUS_LEASE_PROPERTY_GRANTED |
                                          BUS_LEASE_PROPERTY_EXPIRES);
        else
                lease_entry_show(entry);
        answer(entry);
}

static void refuse(LeaseEntry *entry, const Probe *probe, LeaseEnd end) {
        char text[TEXT_MAX];

        if (!entry->request)
                return;
        if (end == LEASE_END_TIMEOUT && probe) {
                lease_entry_note_conflict(entry, probe,
                                          entry->impatient ? CONFLICT_BUSY : CONFLICT_TIMEOUT);
                text_busy(entry->manager, probe, text, sizeof(text));
                (void) sd_bus_reply_method_errorf(
                        entry->request,
                        entry->impatient ? STLINKD_ERROR_BUSY : STLINKD_ERROR_TIMEOUT, "%s%s",
                        entry->impatient ? "" : "The wait is over. ", text);
        } else if (end == LEASE_END_UNPLUGGED) {
                (void) sd_bus_reply_method_errorf(entry->request, STLINKD_ERROR_UNPLUGGED,
                                                  "The probe was unplugged");
        } else {
                (void) sd_bus_reply_method_errorf(entry->request, STLINKD_ERROR_LEASE_LOST,
                                                  "The wait was ended (%s)",
                                                  lease_end_to_string(end));
        }
}

/* Endings that are not the owner's doing. */
static bool is_news(LeaseEnd end) {
        return end == LEASE_END_EXPIRED || end == LEASE_END_REVOKED || end == LEASE_END_UNPLUGGED ||
               end == LEASE_END_TIMEOUT;
}

static void perform_ended(LeaseEntry *entry, const Probe *probe, const Lease *lease, LeaseEnd end) {
        Manager *manager = entry->manager;

        lease_entry_disarm(entry);
        manager_forget(manager, entry->id); /* before anybody learns of it */
        answer_release(entry, 0);
        refuse(entry, probe, end);
        if (is_news(end) && !entry->request)
                bus_lease_ended(manager->bus, entry->id, entry->owner_name,
                                lease_end_to_string(end));
        if (entry->shown)
                bus_lease_removed(manager->bus, entry->id);
        lease_entry_note_ended(entry, probe, lease, end);
        journal_log(LOG_INFO, MESSAGE_LEASE_ENDED, probe, entry->id, 0,
                    "The lease of %s: %s ended (%s)", entry->user, entry->command,
                    lease_end_to_string(end));
        lease_entry_free(entry);
}

void manager_perform_lease(Manager *manager, const LeaseChange *change) {
        const Probe *probe = probe_get(manager->probes, change->lease.probe);
        LeaseEntry *entry = lease_entry_get(manager, change->lease.id);
        ProbeEntry *probe_entry;

        if (entry && change->type == LEASE_CHANGE_QUEUED) {
                perform_queued(entry);
        } else if (entry && change->type == LEASE_CHANGE_GRANTED) {
                perform_granted(entry, probe);
                lease_entry_note_granted(entry, probe, &change->lease);
        } else if (entry && change->type == LEASE_CHANGE_ASKED) {
                lease_entry_asked(entry, probe, &change->lease);
                lease_entry_save(entry);
        } else if (entry) {
                perform_ended(entry, probe, &change->lease, change->end);
        }
        if (!probe)
                return;
        bus_probe_changed(manager->bus, probe->id, PROBE_PROPERTY_LEASES | PROBE_PROPERTY_HOLDERS);
        /* Whoever has it open may work under a lease now, or no longer. With the lease of those who
         * have it open it must not pass for one that nobody uses. */
        probe_entry = probe_entry_get(manager, change->lease.probe);
        if (probe_entry && change->type == LEASE_CHANGE_ENDED)
                look_at_users(probe_entry);
        manager_tell_leased(manager, probe->number);
        if (!probe_entry)
                return;
        probe_entry->queue_moved = true;
        probe_entry_update(probe_entry);
        if (change->type == LEASE_CHANGE_ENDED)
                probe_entry_grant(probe_entry);
}
