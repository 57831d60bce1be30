/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"
#include "daemon/member.h"

ProbeEntry *probe_entry_get(Manager *manager, uint32_t number) {
        LIST_FOREACH(&manager->probe_entries, ProbeEntry, entry, link)
                if (entry->number == number)
                        return entry;
        return NULL;
}

ProbeEntry *probe_entry_free(ProbeEntry *entry) {
        if (!entry)
                return NULL;
        tasks_abort(entry);
        probe_entry_watch_parts(entry, NULL);
        free(entry->parts);
        gate_remove_node(entry->node);
        list_remove(&entry->link);
        free(entry->members);
        free(entry);
        return NULL;
}

static ProbeEntry *probe_entry_ensure(Manager *manager, uint32_t number) {
        ProbeEntry *entry = probe_entry_get(manager, number);

        if (entry)
                return entry;
        entry = calloc(1, sizeof(*entry));
        if (!entry)
                return NULL;
        entry->manager = manager;
        entry->number = number;
        list_init(&entry->tasks);
        list_init(&entry->uses);
        list_append(&manager->probe_entries, &entry->link);
        return entry;
}

/* --- who uses it -------------------------------------------------------------------------- */

/* The held lease whose owner a process descends from, or that is delegated to it; 0 for none. */
static LeaseId find_lease_of(ProbeEntry *entry, const Process *process) {
        Manager *manager = entry->manager;
        const Lease *lease = NULL;

        while ((lease = lease_next(manager->leases, entry->number, lease))) {
                const LeaseEntry *holder = lease_entry_get(manager, lease->id);

                if (lease->state != LEASE_WAITING && holder && !holder->ending &&
                    ((holder->owner && process_descends_from(process, holder->owner)) ||
                     delegates_match(&holder->delegates, process)))
                        return lease->id;
        }
        return 0;
}

static bool lease_lasts(ProbeEntry *entry, LeaseId id) {
        const LeaseEntry *holder = id ? lease_entry_get(entry->manager, id) : NULL;

        return holder && !holder->ending;
}

static Member find_member(ProbeEntry *entry, const Process *process) {
        for (size_t i = 0; i < entry->n_members; i++) {
                const Member *member = &entry->members[i];

                if (member->pid == process->pid && member->start == process->start &&
                    lease_lasts(entry, member->lease))
                        return *member;
        }
        return (Member){ .pid = process->pid,
                         .start = process->start,
                         .lease = find_lease_of(entry, process) };
}

static void update_members(ProbeEntry *entry, const GateHolder *holders, size_t n) {
        Member *members = calloc(n + 1, sizeof(*members));

        if (!members)
                return; /* the old ones are as good as any */
        for (size_t i = 0; i < n; i++)
                members[i] = find_member(entry, holders[i].process);
        free(entry->members);
        entry->members = members;
        entry->n_members = n;
}

bool probe_entry_has_open_lease(const ProbeEntry *entry) {
        LIST_FOREACH(&entry->manager->lease_entries, LeaseEntry, lease, link)
                if (lease->probe == entry->number && lease->node >= 0 && !lease->ending)
                        return true;
        return false;
}

/* Whether somebody without a lease has it open, and whether he has claimed it. With several
 * programs on a node the kernel does not say whose a claim is; then it is the lease's. */
static void find_strangers(ProbeEntry *entry, bool *ret_used, bool *ret_claimed) {
        const GateHolder *holders;
        bool member = probe_entry_has_open_lease(entry), used = false, claimed;
        size_t n = 0;

        holders = gate_node_holders(entry->node, &n);
        update_members(entry, holders, n);
        for (size_t i = 0; i < entry->n_members; i++) {
                used |= entry->members[i].lease == 0;
                member |= entry->members[i].lease != 0;
        }
        claimed = gate_node_is_claimed(entry->node) && !member && !task_is_running(entry);
        *ret_used = used;
        *ret_claimed = claimed;
}

static void log_held(ProbeEntry *entry, bool used) {
        const Probe *probe = probe_get(entry->manager->probes, entry->number);
        const GateHolder *holders;
        size_t n = 0;

        if (used == entry->held)
                return;
        entry->held = used;
        holders = gate_node_holders(entry->node, &n);
        if (used && n > 0)
                journal_log(LOG_INFO, MESSAGE_PROBE_HELD, probe, 0, 0,
                            "Probe %s is in use by %s: %s (pid %d), without a lease", probe->id,
                            holders[0].process->user, holders[0].process->command,
                            (int) holders[0].process->pid);
}

bool probe_entry_is_being_read(const ProbeEntry *entry) {
        const Probe *probe = probe_get(entry->manager->probes, entry->number);

        return task_is_running(entry) || (probe && probe->reading_now);
}

void probe_entry_update(ProbeEntry *entry) {
        Manager *manager = entry->manager;
        bool used = false, claimed = false, obstructed;
        int r = 0;

        if (entry->node) {
                find_strangers(entry, &used, &claimed);
                log_held(entry, used);
                probe_entry_note_uses(entry);
                r = probe_set_used(manager->probes, entry->number, used, claimed,
                                   &manager->probe_changes);
        }
        obstructed = claimed || probe_entry_is_being_read(entry);
        if (r >= 0 && obstructed != entry->obstructed)
                r = lease_set_obstructed(manager->leases, entry->number, obstructed,
                                         now_usec(CLOCK_MONOTONIC), &manager->lease_changes);
        if (r < 0)
                log_error_errno(r, "Cannot note who uses a probe");
        else
                entry->obstructed = obstructed;
}

void probe_entry_doubt(Manager *manager, uint32_t number) {
        ProbeEntry *entry = probe_entry_ensure(manager, number);
        int r = entry ? 0 : -ENOMEM;

        if (r >= 0)
                r = lease_set_obstructed(manager->leases, number, true, now_usec(CLOCK_MONOTONIC),
                                         &manager->lease_changes);
        if (r < 0)
                log_error_errno(r, "Cannot hold a probe back until it was looked at");
        else
                entry->obstructed = true;
}

void probe_entry_refresh(Manager *manager, uint32_t number) {
        ProbeEntry *entry = probe_entry_get(manager, number);

        if (entry && entry->node)
                probe_entry_update(entry);
}

void manager_on_holders(GateNode *node, void *userdata) {
        Manager *manager = userdata;
        ProbeEntry *entry = gate_node_userdata(node);
        const Probe *probe = probe_get(manager->probes, entry->number);

        if (probe->announced)
                bus_probe_changed(manager->bus, probe->id, PROBE_PROPERTY_HOLDERS);
        if (node != entry->node)
                return; /* a part's: that keeps nobody from debugging */
        probe_entry_update(entry);
        manager_perform(manager);
}

/* --- performing changes ------------------------------------------------------------------- */

static void perform_attached(Manager *manager, const Probe *probe) {
        const UdevProbe *found = manager->arriving;
        ProbeEntry *entry;
        int r;

        if (!found || !probe->node[0])
                return;
        entry = probe_entry_ensure(manager, probe->number);
        if (entry) {
                entry->bus = found->bus;
                entry->device = found->address;
        }
        /* The gate will say who has it open, be it nobody. */
        r = entry ? gate_add_node(manager->gate, probe->node,
                                  found->debug ? found->debug->path : NULL, entry, &entry->node)
                  : -ENOMEM;
        if (r < 0 && r != -ENOENT)
                journal_log(LOG_ERR, NULL, probe, 0, r, "Cannot watch %s", probe->node);
        if (r >= 0) {
                probe_entry_arm(entry);
                probe_entry_grant(entry);
                gate_set_device_known(manager->gate, entry->bus, entry->device, true);
        }
}

static void perform_detached(Manager *manager, uint32_t number) {
        ProbeEntry *entry = probe_entry_get(manager, number);

        if (!entry)
                return;
        tasks_abort(entry);
        probe_entry_watch_parts(entry, NULL);
        entry->node = gate_remove_node(entry->node);
        entry->shut = false;
        probe_entry_end_uses(entry, "unplugged");
        entry->n_members = 0;
        entry->held = false;
        /* The open files of the old device are of no use any more. */
        LIST_FOREACH(&manager->lease_entries, LeaseEntry, lease, link)
                if (lease->probe == number && lease->node >= 0) {
                        lease->node = safe_close(lease->node);
                        manager_drop_node(lease->id);
                }
        probe_entry_update(entry);
}

static void perform_announced(Manager *manager, const Probe *probe) {
        const Lease *lease = NULL;

        bus_probe_added(manager->bus, probe->id);
        journal_log(LOG_INFO, MESSAGE_PROBE_ADDED, probe, 0, 0,
                    "Probe %s: ST-LINK %s%s%s on port %s", probe->id,
                    probe_model_to_string(probe->model),
                    probe->reading.firmware[0] ? ", firmware " : "", probe->reading.firmware,
                    probe->port_path);
        while ((lease = lease_next(manager->leases, probe->number, lease)))
                bus_lease_changed(manager->bus, lease->id, BUS_LEASE_PROPERTY_PROBE);
}

static void perform_identify(Manager *manager, const Probe *probe) {
        ProbeEntry *entry = probe_entry_get(manager, probe->number);
        int r;

        if (!probe->reading_now)
                return; /* it left, and perhaps came back, since that was decided */
        r = entry ? task_new(entry, JOB_IDENTIFY, 0, -EBADF, NULL) : -ENOENT;
        if (r < 0) {
                journal_log(LOG_ERR, NULL, probe, 0, r, "Cannot read probe %s", probe->id);
                r = probe_identified(manager->probes, probe->number, r, NULL,
                                     &manager->probe_changes);
                if (r < 0)
                        log_error_errno(r, "Cannot note that a probe was not read");
        }
        if (entry)
                probe_entry_update(entry);
}

static void perform_gone(Manager *manager, const ProbeChange *change) {
        int r;

        r = lease_probe_gone(manager->leases, change->number, &manager->lease_changes);
        if (r < 0)
                log_error_errno(r, "Cannot end the leases of a probe that is gone");
        probe_entry_free(probe_entry_get(manager, change->number));
}

void manager_perform_probe(Manager *manager, const ProbeChange *change) {
        const Probe *probe = probe_get(manager->probes, change->number);

        switch (change->type) {
        case PROBE_CHANGE_DETACHED:
                perform_detached(manager, change->number);
                return;
        case PROBE_CHANGE_WITHDRAWN:
                bus_probe_removed(manager->bus, change->id);
                journal_log(LOG_INFO, MESSAGE_PROBE_REMOVED, probe, 0, 0, "Probe %s is gone",
                            change->id);
                return;
        case PROBE_CHANGE_UPDATED:
                bus_probe_changed(manager->bus, change->id, change->properties);
                return;
        case PROBE_CHANGE_GONE:
                perform_gone(manager, change);
                return;
        default:
                break;
        }
        /* It may be gone again by now; these three are about one that is there. */
        if (!probe)
                return;
        if (change->type == PROBE_CHANGE_ATTACHED)
                perform_attached(manager, probe);
        else if (change->type == PROBE_CHANGE_ANNOUNCED)
                perform_announced(manager, probe);
        else
                perform_identify(manager, probe);
}

/* --- presence ----------------------------------------------------------------------------- */

/* Whether an interface only goes with one before it: the data interface of a serial port, and
 * the others of a bridge. A probe may have two serial ports. */
static bool is_beside(const UdevInterface *interface, const ProbePartDevice *parts, size_t n) {
        if (interface->part == PROBE_PART_VCP && interface->class == 0x02)
                return false;
        for (size_t i = 0; i < n; i++)
                if (parts[i].part == interface->part)
                        return true;
        return false;
}

/* The parts that interfaces make, with the device that the kernel made of each. */
static size_t list_parts(const UdevProbe *probe, ProbePartDevice *parts) {
        size_t n = 0;

        for (size_t i = 0; i < probe->n_interfaces; i++) {
                const UdevInterface *interface = &probe->interfaces[i];

                if (interface->part == 0 || is_beside(interface, parts, n))
                        continue;
                parts[n] = (ProbePartDevice){ .part = interface->part,
                                              .interface = interface->number };
                for (size_t j = 0; j < probe->n_children; j++)
                        if (probe->children[j].interface == interface->number) {
                                parts[n].device = probe->children[j].node;
                                parts[n].link = probe->children[j].link;
                        }
                n++;
        }
        return n;
}

static int manager_probe_present(Manager *manager, const UdevProbe *probe) {
        _cleanup_free_ ProbePartDevice *parts = NULL;
        ProbeDescription description = {
                .port_path = probe->port_path,
                .node = probe->node,
                .serial = probe->serial,
                .product_id = probe->product_id,
        };

        parts = calloc(probe->n_interfaces + 1, sizeof(*parts));
        if (!parts)
                return -ENOMEM;
        description.parts = parts;
        description.n_parts = list_parts(probe, parts);
        return probe_plugged(manager->probes, &description, now_usec(CLOCK_MONOTONIC),
                             &manager->probe_changes);
}

static void watch_parts_on(Manager *manager, const char *port_path) {
        LIST_FOREACH(&manager->probe_entries, ProbeEntry, entry, link) {
                const Probe *probe = probe_get(manager->probes, entry->number);

                if (probe && entry->node && strcmp(probe->port_path, port_path) == 0)
                        probe_entry_watch_parts(entry, probe);
        }
}

void manager_on_udev(const UdevProbe *probe, UdevEvent event, void *userdata) {
        Manager *manager = userdata;
        int r;

        manager->arriving = probe;
        if (event == UDEV_REMOVED)
                r = probe_unplugged(manager->probes, probe->port_path, now_usec(CLOCK_MONOTONIC),
                                    &manager->probe_changes);
        else
                r = manager_probe_present(manager, probe);
        if (r < 0)
                log_error_errno(r, "Cannot note that the probe on port %s came or went",
                                probe->port_path);
        for (const Probe *p = NULL; (p = probe_next(manager->probes, p));)
                manager_put_back(manager, p, /* by_port= */ true);
        manager_perform(manager);
        manager->arriving = NULL;
        if (event != UDEV_REMOVED)
                watch_parts_on(manager, probe->port_path);
}
