/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "daemon/access.h"
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

static void on_refused(GateNode *node, const GateRefusal *refusal, void *userdata) {
        ProbeEntry *entry = gate_node_userdata(node);
        const Probe *probe = probe_get(entry->manager->probes, entry->number);
        Conflict conflict = { .kind = CONFLICT_KEPT_OUT,
                              .request = refusal->request,
                              .count = refusal->count };
        ConflictParty *wanted = &conflict.wanted;
        _cleanup_free_ char *user = NULL;

        (void) userdata;
        if (!probe)
                return;
        if (refusal->process)
                conflict_party_set_process(wanted, refusal->process);
        /* What the kernel said as it happened counts more than what is true by now. */
        wanted->pid = refusal->pid;
        wanted->uid = refusal->uid;
        (void) text_escape(refusal->command, strlen(refusal->command), wanted->command,
                           sizeof(wanted->command));
        if (access_user_name(refusal->uid, &user) >= 0)
                (void) snprintf(wanted->user, sizeof(wanted->user), "%s", user);
        manager_note_conflict(entry->manager, probe, &conflict);
}

/* Whether programs of others are seen at all, to be told once. */
static void find_sight(Manager *manager) {
        manager->sight = procfs_find_sight();
        if (manager->sight == PROCFS_SIGHT_HIDDEN)
                journal_log(LOG_NOTICE, MESSAGE_SHORT_SIGHT, NULL, 0, 0,
                            "Programs of other users are not seen: /proc is mounted with hidepid "
                            "(proc(5)), and CAP_SYS_PTRACE to look behind that is missing");
        else if (manager->sight == PROCFS_SIGHT_OWN)
                journal_log(LOG_NOTICE, MESSAGE_SHORT_SIGHT, NULL, 0, 0,
                            "What programs of other users have open is not seen: that needs "
                            "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, which stlinkd.service has");
}

void manager_set_up_gate(Manager *manager) {
        int r = gate_binding_error(manager->gate);

        find_sight(manager);
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
