/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "daemon/fd-store.h"
#include "daemon/manager-internal.h"

/* Long enough to find a password and type it. stlinkctl waits a little longer. */
#define POLKIT_TIMEOUT (120 * USEC_PER_SEC)

/* --- performing --------------------------------------------------------------------------- */

/* What "systemctl status" shows. */
static void update_status(Manager *manager) {
        _cleanup_free_ char *status = NULL;
        unsigned probes = 0, held = 0, waiting = 0;

        for (const Probe *p = NULL; (p = probe_next(manager->probes, p)); probes++)
                for (const Lease *l = NULL; (l = lease_next(manager->leases, p->number, l));)
                        l->state == LEASE_WAITING ? waiting++ : held++;
        if (asprintf(&status, "STATUS=%u probe%s, %u leased, %u waiting", probes,
                     probes == 1 ? "" : "s", held, waiting) < 0) {
                status = NULL;
                return;
        }
        if (manager->status && strcmp(manager->status, status) == 0)
                return;
        (void) sd_notify(0, status);
        free(manager->status);
        manager->status = TAKE_PTR(status);
}

/* Soon enough for people: each time wakes the service manager, too. */
#define STATUS_DELAY (100 * USEC_PER_MSEC)

static int on_status(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) source, (void) usec;
        update_status(userdata);
        return 0;
}

static void update_status_soon(Manager *manager) {
        int enabled;

        if (sd_event_source_get_enabled(manager->status_timer, &enabled) > 0)
                return;
        (void) sd_event_source_set_time_relative(manager->status_timer, STATUS_DELAY);
        (void) sd_event_source_set_enabled(manager->status_timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *manager = userdata;
        Usec now = now_usec(CLOCK_MONOTONIC);
        int r;

        (void) source, (void) usec;
        r = manager_elapse_leases(manager, now);
        if (r >= 0)
                r = probe_elapse(manager->probes, now, &manager->probe_changes);
        if (r < 0)
                log_error_errno(r, "Cannot let time pass");
        manager_tell_conflicts(manager);
        manager_perform(manager);
        return 0;
}

/* Without anything to come, nothing wakes us. */
void manager_arm_timer(Manager *manager) {
        Usec next = MIN(lease_next_event(manager->leases), probe_next_event(manager->probes));
        int r;

        next = MIN(next, conflict_next_event(manager->conflicts));
        if (next == USEC_INFINITY) {
                (void) sd_event_source_set_enabled(manager->timer, SD_EVENT_OFF);
                return;
        }
        r = sd_event_source_set_time(manager->timer, next);
        if (r >= 0)
                r = sd_event_source_set_enabled(manager->timer, SD_EVENT_ONESHOT);
        if (r < 0)
                log_error_errno(r, "Cannot arm the timer");
}

/* Performing a change may cause more of them, in both tables. They are taken in the order of
 * their coming, presence first. */
void manager_perform(Manager *manager) {
        size_t probe = 0, lease = 0;

        if (manager->performing)
                return;
        manager->performing = true;
        for (;;) {
                if (probe < manager->probe_changes.n) {
                        ProbeChange change = manager->probe_changes.items[probe++];

                        manager_perform_probe(manager, &change);
                } else if (lease < manager->lease_changes.n) {
                        LeaseChange change = manager->lease_changes.items[lease++];

                        manager_perform_lease(manager, &change);
                } else {
                        break;
                }
        }
        probe_changes_clear(&manager->probe_changes);
        lease_changes_clear(&manager->lease_changes);
        manager->performing = false;
        manager_tidy_state(manager);
        LIST_FOREACH(&manager->probe_entries, ProbeEntry, entry, link) {
                probe_entry_open(entry);
                if (entry->queue_moved)
                        manager_update_positions(manager, entry->number);
                entry->queue_moved = false;
        }
        manager_arm_timer(manager);
        update_status_soon(manager);
}

/* --- the bus ------------------------------------------------------------------------------ */

static void set_bus_id(Manager *manager) {
        sd_id128_t id;

        manager->bus_id[0] = 0;
        if (sd_bus_get_bus_id(manager->connection, &id) >= 0)
                (void) sd_id128_to_string(id, manager->bus_id);
}

int manager_attach(Manager *manager, sd_bus *connection) {
        /* Who waits for polkit may soon wait for a probe. */
        const PolkitLimits limits = { .timeout = POLKIT_TIMEOUT,
                                      .pending = manager->config->quota.waiting };
        Bus *bus;
        int r;

        r = bus_new(connection, manager->event, &manager_ops, &limits, manager, &bus);
        if (r < 0)
                return r;
        bus_free(manager->bus);
        manager->bus = bus;
        manager->policy = sd_bus_slot_unref(manager->policy);
        sd_bus_unref(manager->connection);
        manager->connection = sd_bus_ref(connection);
        return manager_watch_policy(manager);
}

void manager_attached(Manager *manager) {
        set_bus_id(manager);
        manager_save_all(manager);
}

void manager_lose_bus(Manager *manager) {
        manager->bus_id[0] = 0;
        manager_forget_caller(manager); /* his name was one of that bus */
        manager_lose_names(manager);
}

/* --- set-up ------------------------------------------------------------------------------- */

static int manager_set_up(Manager *manager, sd_bus *connection, const char *worker) {
        static const GateStore store = { fd_store_push, fd_store_take, fd_store_find,
                                         fd_store_remove };
        const Config *config = manager->config;
        int r;

        r = probe_table_new(config->away_timeout, &manager->probes);
        if (r < 0)
                return r;
        r = lease_table_new(&config->quota, &manager->leases);
        if (r < 0)
                return r;
        r = conflict_table_new(&manager->conflicts);
        if (r < 0)
                return r;
        r = sd_event_add_time(manager->event, &manager->timer, CLOCK_MONOTONIC, 0,
                              10 * USEC_PER_MSEC, on_timer, manager);
        if (r < 0)
                return r;
        (void) sd_event_source_set_enabled(manager->timer, SD_EVENT_OFF);
        r = sd_event_add_time(manager->event, &manager->status_timer, CLOCK_MONOTONIC, 0, 0,
                              on_status, manager);
        if (r < 0)
                return r;
        (void) sd_event_source_set_enabled(manager->status_timer, SD_EVENT_OFF);
        r = gate_new(manager->event, config->gate, &store, manager_on_holders, manager,
                     &manager->gate);
        if (r < 0)
                return log_error_errno(r, "Cannot watch who uses probes");
        manager_set_up_gate(manager);
        r = manager_start_history(manager);
        if (r < 0)
                return r;
        r = job_runner_new(manager->event, manager->gate, worker, config->jobs_max, &manager->jobs);
        if (r < 0)
                return r;
        r = manager_attach(manager, connection);
        if (r < 0)
                return log_error_errno(r, "Cannot put objects on the bus");
        set_bus_id(manager);
        r = manager_load(manager);
        if (r < 0)
                return log_error_errno(r, "Cannot use the directory %s", config->runtime_directory);
        r = udev_watch_new(manager->event, manager_on_udev, manager, &manager->watch);
        if (r < 0)
                return log_error_errno(r, "Cannot listen to udev");
        manager_hold_buses(manager);
        return 0;
}

int manager_new(sd_event *event, sd_bus *connection, const Config *config, const char *worker,
                Manager **ret) {
        _cleanup_(manager_freep) Manager *manager = calloc(1, sizeof(*manager));
        int r;

        if (!manager)
                return -ENOMEM;
        list_init(&manager->probe_entries);
        list_init(&manager->lease_entries);
        list_init(&manager->endings);
        list_init(&manager->returning);
        list_init(&manager->short_uses);
        manager->spare_owner_fd = -EBADF;
        manager->event = sd_event_ref(event);
        manager->config = config;
        r = manager_set_up(manager, connection, worker);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(manager);
        return 0;
}

int manager_start(Manager *manager) {
        int r;

        r = udev_watch_coldplug(manager->watch);
        if (r < 0)
                return log_error_errno(r, "Cannot list the probes that are plugged in");
        for (const Probe *p = NULL; (p = probe_next(manager->probes, p));)
                manager_put_back(manager, p, /* by_port= */ false);
        manager_take_nodes(manager);
        manager_perform(manager);
        gate_settle(manager->gate);
        update_status(manager);
        return 0;
}

Manager *manager_free(Manager *manager) {
        if (!manager)
                return NULL;
        manager_leave_gate(manager);
        udev_watch_free(manager->watch);
        manager_drop_endings(manager);
        LIST_FOREACH(&manager->lease_entries, LeaseEntry, entry, link) {
                if (entry->lasting)
                        entry->fd = lease_fd_leave(entry->fd);
                lease_entry_free(entry);
        }
        LIST_FOREACH(&manager->returning, LeaseEntry, entry, link) {
                entry->fd = lease_fd_leave(entry->fd);
                lease_entry_free(entry);
        }
        sd_event_source_disable_unref(manager->return_timer);
        state_free(manager->state);
        LIST_FOREACH(&manager->probe_entries, ProbeEntry, entry, link) {
                probe_entry_end_uses(entry, "daemon-stopped");
                probe_entry_free(entry);
        }
        if (manager->history)
                manager_flush_uses(manager);
        history_free(manager->history);
        manager_forget_caller(manager);
        manager_drop_spare_fd(manager);
        sd_bus_slot_unref(manager->name_signals);
        sd_bus_slot_unref(manager->policy);
        bus_free(manager->bus);
        job_runner_free(manager->jobs);
        gate_free(manager->gate);
        sd_event_source_disable_unref(manager->timer);
        sd_event_source_disable_unref(manager->status_timer);
        conflict_table_free(manager->conflicts);
        lease_table_free(manager->leases);
        probe_table_free(manager->probes);
        probe_changes_clear(&manager->probe_changes);
        lease_changes_clear(&manager->lease_changes);
        sd_bus_unref(manager->connection);
        sd_event_unref(manager->event);
        free(manager->status);
        free(manager);
        return NULL;
}
