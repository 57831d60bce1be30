/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/manager-internal.h"

static const char *view_gate(void *userdata) {
        return gate_kind_to_string(gate_get_kind(((Manager *) userdata)->gate));
}

static const char *view_enforcement(void *userdata) {
        if (gate_get_kind(((Manager *) userdata)->gate) == GATE_BPF)
                return "binding";
        return manager_is_strict() ? "strict" : "cooperative";
}

static const char *view_sight(void *userdata) {
        return procfs_sight_to_string(((Manager *) userdata)->sight);
}

static const Probe *view_probe_find(void *userdata, const char *id) {
        return probe_find(((Manager *) userdata)->probes, id);
}

static const Probe *view_probe_next(void *userdata, const Probe *previous) {
        return probe_next(((Manager *) userdata)->probes, previous);
}

static bool view_holder_at(void *userdata, const Probe *probe, size_t index, BusHolder *ret) {
        ProbeEntry *entry = probe_entry_get(userdata, probe->number);
        const GateHolder *holders;
        GateTraffic traffic;
        size_t n = 0;

        if (!entry || !entry->node)
                return false;
        holders = gate_node_holders(entry->node, &n);
        if (index >= n)
                return probe_entry_part_holder(entry, index - n, ret);
        *ret = (BusHolder){ .part = PROBE_PART_DEBUG,
                            .device = probe->node,
                            .process = holders[index].process,
                            .since = holders[index].since,
                            .seen = gate_seen_to_string(holders[index].seen),
                            .claimed = holders[index].claimed };
        if (gate_node_traffic(entry->node, ret->process, &traffic) >= 0) {
                ret->counted = true;
                ret->requests = traffic.requests;
                ret->transfers = traffic.transfers;
                ret->last = traffic.last;
        }
        for (size_t i = 0; i < entry->n_members; i++)
                if (entry->members[i].pid == ret->process->pid &&
                    entry->members[i].start == ret->process->start)
                        ret->lease = entry->members[i].lease;
        return true;
}

static int view_holder_detail(void *userdata, const BusHolder *holder, ProcessDetail *ret) {
        (void) userdata;
        return process_detail_read(holder->process, ret);
}

static LeaseId view_lease_next(void *userdata, const Probe *probe, LeaseId previous) {
        Manager *manager = userdata;
        const Lease *lease = previous ? lease_get(manager->leases, previous) : NULL;

        if (previous && !lease)
                return 0;
        do
                lease = lease_next(manager->leases, probe->number, lease);
        while (lease && !lease_entry_get(manager, lease->id));
        return lease ? lease->id : 0;
}

static bool view_lease_find(void *userdata, LeaseId id, BusLease *ret) {
        Manager *manager = userdata;
        const LeaseEntry *entry = lease_entry_get(manager, id);
        const Lease *lease = lease_get(manager->leases, id);
        const Probe *probe = lease ? probe_get(manager->probes, lease->probe) : NULL;

        if (!entry || !probe)
                return false;
        *ret = (BusLease){ .lease = lease,
                           .probe = probe,
                           .user = entry->user,
                           .command = entry->command,
                           .reason = entry->reason,
                           .asked_by = entry->asked_by ?: "",
                           .asked_reason = entry->asked_reason ?: "",
                           .form = entry->form,
                           .pid = entry->owner ? entry->owner->pid : 0,
                           .position = entry->position };
        return true;
}

static const char *view_delegate_at(void *userdata, LeaseId id, size_t index) {
        const LeaseEntry *entry = lease_entry_get(userdata, id);

        return entry && index < entry->delegates.n ? entry->delegates.items[index].who : NULL;
}

static const Conflict *view_conflict_next(void *userdata, const Probe *probe, uint64_t previous) {
        return conflict_next(((Manager *) userdata)->conflicts, probe->number, previous);
}

static const char *view_conflict_text(void *userdata, const Conflict *conflict, char *buffer,
                                      size_t size) {
        (void) userdata;
        return text_conflict(conflict, buffer, size);
}

const BusOps manager_ops = {
        .gate = view_gate,
        .enforcement = view_enforcement,
        .sight = view_sight,
        .history = manager_get_history,
        .probe_find = view_probe_find,
        .probe_next = view_probe_next,
        .holder_at = view_holder_at,
        .holder_detail = view_holder_detail,
        .lease_next = view_lease_next,
        .lease_find = view_lease_find,
        .delegate_at = view_delegate_at,
        .conflict_next = view_conflict_next,
        .conflict_text = view_conflict_text,
        .allow = manager_allow,
        .denied = manager_note_denied,
        .acquire = manager_acquire,
        .release = manager_release,
        .revoke = manager_revoke,
        .end_holder = manager_end_holder,
        .renew = manager_renew,
        .open = manager_open,
        .delegate = manager_delegate,
        .withdraw = manager_withdraw,
        .recover = manager_recover,
        .obstacle = manager_obstacle,
};
