/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "base/log.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"

/* Where the kernel can, a lease binds: while it is held, nobody but its members can use the
 * probe, and whoever tries is refused and named. */

/* What would make leases binding, to be told once. */
static void log_not_binding(int error) {
        switch (error) {
        case -EOPNOTSUPP:
                journal_log(LOG_NOTICE, MESSAGE_NOT_BINDING, NULL, 0, 0,
                            "Leases are cooperative: the configuration or the build leaves out "
                            "the gate that would make them binding");
                return;
        case -ENOSYS:
                journal_log(LOG_NOTICE, MESSAGE_NOT_BINDING, NULL, 0, 0,
                            "Leases are cooperative: this kernel runs without BPF LSM. If \"bpf\" "
                            "is not in /sys/kernel/security/lsm, add it at the end of that list "
                            "and boot with the list as the kernel's option: lsm=...,bpf");
                return;
        case -EPERM:
                journal_log(LOG_NOTICE, MESSAGE_NOT_BINDING, NULL, 0, 0,
                            "Leases are cooperative: binding needs CAP_BPF and CAP_PERFMON, which "
                            "stlinkd.service has; see systemctl cat stlinkd.service");
                return;
        default:
                journal_log(LOG_WARNING, MESSAGE_NOT_BINDING, NULL, 0, error,
                            "Leases are cooperative: cannot load the gate into the kernel");
        }
}

/* Who holds the lease that somebody was refused for */
static const LeaseEntry *find_holder(const ProbeEntry *probe) {
        LIST_FOREACH(&probe->manager->lease_entries, LeaseEntry, entry, link) {
                const Lease *lease = lease_get(probe->manager->leases, entry->id);

                if (entry->probe == probe->number && lease && lease->state != LEASE_WAITING)
                        return entry;
        }
        return NULL;
}

static void on_refused(GateNode *node, const GateRefusal *refusal, void *userdata) {
        ProbeEntry *entry = gate_node_userdata(node);
        const Probe *probe = probe_get(entry->manager->probes, entry->number);
        const LeaseEntry *holder = find_holder(entry);
        const Process *process = refusal->process;

        (void) userdata;
        if (!probe)
                return;
        journal_log(LOG_NOTICE, MESSAGE_CONFLICT, probe, holder ? holder->id : 0, 0,
                    "Kept %s (pid %d, uid %d) from probe %s, which is leased to %s: %s (pid %d); "
                    "it tried %u time%s",
                    process ? process->command : "a process that is gone", (int) refusal->pid,
                    (int) refusal->uid, probe->id, holder ? holder->user : "somebody",
                    holder ? holder->command : "?",
                    holder && holder->owner ? (int) holder->owner->pid : 0, refusal->count,
                    refusal->count == 1 ? "" : "s");
}

void manager_set_up_gate(Manager *manager) {
        int r = gate_binding_error(manager->gate);

        if (r < 0)
                log_not_binding(r);
        gate_set_refused(manager->gate, on_refused, manager);
}

void lease_entry_arm(LeaseEntry *entry) {
        ProbeEntry *probe = probe_entry_get(entry->manager, entry->probe);
        const Lease *lease = lease_get(entry->manager->leases, entry->id);

        if (probe && lease && !entry->ending)
                probe_entry_bind(probe, entry, lease->parts);
}

void lease_entry_disarm(LeaseEntry *entry) {
        ProbeEntry *probe = probe_entry_get(entry->manager, entry->probe);

        if (probe)
                probe_entry_unbind(probe, entry->id);
}

void probe_entry_arm(ProbeEntry *entry) {
        LIST_FOREACH(&entry->manager->lease_entries, LeaseEntry, lease, link) {
                const Lease *held = lease_get(entry->manager->leases, lease->id);

                if (lease->probe == entry->number && held && held->state != LEASE_WAITING)
                        lease_entry_arm(lease);
        }
}
