/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "bus/errors.h"
#include "daemon/access.h"
#include "daemon/manager-internal.h"

/* For the kernel to give up the claims of a program that has ended. */
#define LETTING_GO (1 * USEC_PER_SEC)

/* --- who may, where there is no polkit ---------------------------------------------------- */

/* As the rule for polkit that we ship: what the group may, and what is for administrators. */
static bool is_for_group(BusAction action) {
        return action == BUS_ACTION_LEASE || action == BUS_ACTION_USE ||
               action == BUS_ACTION_MODE_SWITCH;
}

int manager_allow(void *userdata, BusAction action, const BusCaller *caller, sd_bus_error *error) {
        const char *group = ((Manager *) userdata)->config->group;
        _cleanup_free_ char *user = NULL;
        int r;

        if (!is_for_group(action))
                return caller->uid == 0 ? 0
                                        : bus_error_setf(error, EACCES,
                                                         "Only root may, as polkit is not there "
                                                         "to ask");
        r = access_check(caller->uid, group);
        if (r != -EACCES)
                return r;
        r = access_user_name(caller->uid, &user);
        if (r < 0)
                return r;
        return bus_error_setf(error, EACCES,
                              "User %s may not use a probe: only root and members of group %s may. "
                              "Have an administrator run \"usermod -aG %s %s\", then log in again",
                              user, group, group, user);
}

/* --- Acquire ------------------------------------------------------------------------------ */

static int entry_new(Manager *manager, const Probe *probe, const AcquireOptions *options,
                     const BusCaller *caller, sd_bus_message *message, sd_bus_error *error,
                     LeaseEntry **ret) {
        LeaseEntry *entry = calloc(1, sizeof(*entry));
        int r;

        if (!entry)
                return -ENOMEM;
        list_init(&entry->link);
        entry->manager = manager;
        entry->probe = probe->number;
        entry->owner_fd = -EBADF;
        entry->node = -EBADF;
        entry->answer_early = options->answer_early;
        entry->request = sd_bus_message_ref(message);
        entry->reason = strdup(options->reason);
        r = entry->reason ? lease_entry_bind(entry, options, caller, error) : -ENOMEM;
        for (size_t i = 0; r >= 0 && i < options->n_delegates; i++)
                r = lease_entry_delegate(entry, options->delegates[i], caller, error);
        if (r < 0) {
                lease_entry_free(entry);
                return r;
        }
        *ret = entry;
        return 0;
}

/* One that is away, or whose interfaces were not there yet when it came, has those that it had or
 * will have. */
static int check_parts(const Probe *probe, const AcquireOptions *options, sd_bus_error *error) {
        unsigned there = 0;

        if (options->kind == LEASE_FIRMWARE_UPDATE || !probe->plugged || probe->n_parts == 0)
                return 0;
        for (size_t i = 0; i < probe->n_parts; i++)
                there |= probe->parts[i].part;
        for (unsigned part = 1; part & PROBE_PARTS_ALL; part <<= 1)
                if (options->parts & ~there & part)
                        return bus_error_setf(error, EINVAL, "Probe %s has no part \"%s\"",
                                              probe->id, probe_part_to_string(part));
        return 0;
}

/* A program that ends is nobody's holder any more before the kernel has given up its claim. */
static bool is_being_let_go(const ProbeEntry *probe) {
        size_t n = 0;

        if (!probe->node || !gate_node_is_claimed(probe->node))
                return false;
        (void) gate_node_holders(probe->node, &n);
        return n == 0;
}

/* A caller who does not want to wait still waits for our own worker, which needs milliseconds, and
 * for somebody who is leaving; everything else is his decision. */
static Usec find_deadline(ProbeEntry *probe, LeaseEntry *entry, Usec wait, Usec now) {
        entry->impatient = wait == 0;
        if (wait > 0)
                return usec_add(now, wait);
        if (probe_entry_is_being_read(probe))
                return usec_add(now, 2 * probe->manager->config->job_timeout);
        return is_being_let_go(probe) ? usec_add(now, LETTING_GO) : 0;
}

static int refuse_request(Manager *manager, const Probe *probe, const LeaseEntry *entry, int r,
                          sd_bus_error *error) {
        char text[TEXT_MAX];

        if (r == -EDQUOT)
                return bus_error_setf(error, EDQUOT,
                                      "User %s has too many leases or requests already",
                                      entry->user);
        if (r != -EBUSY)
                return r;
        text_busy(manager, probe, text, sizeof(text));
        lease_entry_note_conflict(entry, probe, CONFLICT_BUSY);
        return bus_error_setf(error, EBUSY, "%s", text);
}

int manager_acquire(void *userdata, const Probe *probe, const AcquireOptions *options,
                    const BusCaller *caller, sd_bus_message *message, sd_bus_error *error) {
        Manager *manager = userdata;
        ProbeEntry *probe_entry = probe_entry_get(manager, probe->number);
        LeaseRequest request = { .probe = probe->number,
                                 .uid = caller->uid,
                                 .kind = options->kind,
                                 .parts = options->parts,
                                 .limit = options->limit };
        Usec now = now_usec(CLOCK_MONOTONIC);
        LeaseEntry *entry = NULL;
        int r;

        r = check_parts(probe, options, error);
        if (r < 0)
                return r;
        if (probe->wedge != PROBE_WEDGE_NONE && !options->recover &&
            options->kind != LEASE_FIRMWARE_UPDATE)
                return refuse_wedged(probe, error);
        if (!probe_entry)
                return bus_error_setf(error, ENODEV, "Probe %s cannot be watched", probe->id);
        r = entry_new(manager, probe, options, caller, message, error, &entry);
        if (r < 0)
                return r;
        if (entry->form == LEASE_FORM_PROCESS)
                request.uid = entry->owner->uid;

        /* What is decided now is decided on what is true now. */
        if (probe_entry->node)
                (void) gate_node_check(probe_entry->node);
        probe_entry_update(probe_entry);
        request.deadline = find_deadline(probe_entry, entry, options->wait, now);
        entry->id = lease_last_id(manager->leases) + 1;
        r = lease_entry_register(entry);
        if (r >= 0)
                r = lease_request(manager->leases, &request, now, &manager->lease_changes,
                                  &entry->id);
        if (r < 0) {
                r = refuse_request(manager, probe_get(manager->probes, request.probe), entry, r,
                                   error);
                lease_entry_free(entry);
        } else {
                lease_entry_begun(entry);
        }
        manager_perform(manager);
        return r;
}

/* --- Release, Renew, Open --------------------------------------------------------------------- */

bool manager_owns(const LeaseEntry *entry, const Lease *lease, const BusCaller *caller) {
        if (entry->form == LEASE_FORM_PROCESS && caller->uid == lease->uid)
                return true;
        /* Since the bus was another one he has a new name. */
        if (!entry->owner_name[0] && entry->owner && caller->pid == entry->owner->pid)
                return process_is_alive(entry->owner);
        return strcmp(entry->owner_name, caller->name) == 0;
}

static int refuse_stranger(const LeaseEntry *entry, sd_bus_error *error) {
        return bus_error_setf(error, ENOLCK, "This lease belongs to %s: %s (pid %d)", entry->user,
                              entry->command, entry->owner ? (int) entry->owner->pid : 0);
}

int manager_find_own(Manager *manager, LeaseId id, const BusCaller *caller, sd_bus_error *error,
                     LeaseEntry **ret_entry, const Lease **ret_lease) {
        LeaseEntry *entry = lease_entry_get(manager, id);
        const Lease *lease = lease_get(manager->leases, id);

        if (!entry || !lease)
                return bus_error_setf(error, EOWNERDEAD, "The lease has ended");
        if (!manager_owns(entry, lease, caller))
                return refuse_stranger(entry, error);
        *ret_entry = entry;
        *ret_lease = lease;
        return 0;
}

int manager_release(void *userdata, LeaseId id, const BusCaller *caller, sd_bus_message *message,
                    sd_bus_error *error) {
        Manager *manager = userdata;
        const Lease *lease;
        LeaseEntry *entry;
        int r;

        r = manager_find_own(manager, id, caller, error, &entry, &lease);
        if (r < 0)
                return r;
        entry->release = sd_bus_message_ref(message);
        lease_entry_end(entry,
                        lease->state == LEASE_WAITING ? LEASE_END_CANCELLED : LEASE_END_RELEASED);
        return 0;
}

int manager_renew(void *userdata, LeaseId id, const BusCaller *caller, sd_bus_message *message,
                  sd_bus_error *error) {
        Manager *manager = userdata;
        const Lease *lease;
        LeaseEntry *entry;
        int r;

        r = manager_find_own(manager, id, caller, error, &entry, &lease);
        if (r < 0)
                return r;
        if (lease->state == LEASE_WAITING)
                return bus_error_setf(error, ENOLCK, "The lease still waits in the queue");
        r = lease_renew(manager->leases, id, now_usec(CLOCK_MONOTONIC));
        if (r < 0)
                return r;
        bus_lease_changed(manager->bus, id, BUS_LEASE_PROPERTY_EXPIRES);
        lease_entry_save(entry);
        manager_perform(manager);
        return sd_bus_reply_method_return(message, NULL);
}

int manager_check_debug_lease(Manager *manager, LeaseId id, const BusCaller *caller,
                              sd_bus_error *error) {
        const Lease *lease;
        LeaseEntry *entry;
        int r;

        r = manager_find_own(manager, id, caller, error, &entry, &lease);
        if (r < 0)
                return r;
        if (lease->state == LEASE_WAITING)
                return bus_error_setf(error, ENOLCK, "The lease still waits in the queue");
        if (!(lease->parts & PROBE_PART_DEBUG))
                return bus_error_setf(error, EINVAL, "The lease is not for the debug interface");
        return 0;
}

int manager_open(void *userdata, LeaseId id, const BusCaller *caller, sd_bus_message *message,
                 sd_bus_error *error) {
        Manager *manager = userdata;
        LeaseEntry *entry = lease_entry_get(manager, id);
        ProbeEntry *probe = entry ? probe_entry_get(manager, entry->probe) : NULL;
        int r;

        r = manager_check_debug_lease(manager, id, caller, error);
        if (r < 0)
                return r;
        if (!probe || !probe->node)
                return bus_error_setf(error, ENODEV, "The probe is not plugged in just now");
        if (entry->opening)
                return bus_error_setf(error, EBUSY, "The probe is being opened already");
        if (entry->node >= 0)
                return bus_reply_open(message, entry->node);

        r = task_new(probe, JOB_OPEN, id, -EBADF, message);
        if (r < 0)
                return r;
        entry->opening = true;
        probe_entry_update(probe);
        manager_perform(manager);
        return 0;
}
