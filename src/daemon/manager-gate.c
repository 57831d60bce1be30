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

/* --- probes that are away ----------------------------------------------------------------- */

/* A probe that re-enumerates comes back under another number, as a node that nobody has bound yet.
 * What is new on its bus is kept from strangers until it is there. */
#define AWAY_HOLD (5 * USEC_PER_SEC)
#define TAGS_MAX  64

/* The leases that bind a probe's debug interface, with those whom they are delegated to; returns
 * how many. */
static size_t list_tags(const ProbeEntry *entry, GateTag tags[static TAGS_MAX]) {
        const LeaseTable *leases = entry->manager->leases;
        const Lease *lease = NULL;
        size_t n = 0;

        while ((lease = lease_next(leases, entry->number, lease))) {
                const LeaseEntry *holder = lease_entry_get(entry->manager, lease->id);

                if (holder && lease->state != LEASE_WAITING && lease->parts & PROBE_PART_DEBUG)
                        n += lease_entry_list_tags(holder, tags + n, TAGS_MAX - n);
        }
        return n;
}

/* The probe that was on that bus last, and is held but not there */
static ProbeEntry *find_away(Manager *manager, unsigned bus) {
        GateTag tags[TAGS_MAX];

        LIST_FOREACH(&manager->probe_entries, ProbeEntry, entry, link)
                if (entry->bus == bus && !entry->node && list_tags(entry, tags) > 0)
                        return entry;
        return NULL;
}

static void on_device(unsigned bus, unsigned address, UdevDeviceEvent event, void *userdata) {
        Manager *manager = userdata;
        GateTag tags[TAGS_MAX];
        size_t n;
        int r;

        gate_set_device_known(manager->gate, bus, address, event != UDEV_DEVICE_GONE);
        if (event != UDEV_DEVICE_GONE)
                return;
        LIST_FOREACH(&manager->probe_entries, ProbeEntry, entry, link) {
                if (entry->bus != bus || entry->device != address || !entry->node)
                        continue;
                n = list_tags(entry, tags);
                r = n > 0 ? gate_hold_bus(manager->gate, bus, AWAY_HOLD, tags, n) : 0;
                if (r < 0 && r != -EOPNOTSUPP)
                        journal_log(LOG_WARNING, NULL, probe_get(manager->probes, entry->number),
                                    tags[0], r, "Cannot keep others from the probe's next node");
        }
}

void manager_hold_buses(Manager *manager) {
        int r;

        if (gate_binding_error(manager->gate) < 0)
                return;
        r = udev_watch_set_devices(manager->watch, manager->event, on_device, manager);
        if (r < 0)
                log_warning_errno(r, "Cannot listen to the kernel's own events, so a leased probe "
                                     "that re-enumerates is open to others for a moment");
}

/* --- refusals ----------------------------------------------------------------------------- */

static bool is_meant_by_now(ProbeEntry *probe, const Process *process) {
        LIST_FOREACH(&probe->manager->lease_entries, LeaseEntry, entry, link)
                if (entry->probe == probe->number && lease_entry_follow_unit(entry, process))
                        return true;
        return false;
}

static void on_refused(GateNode *node, const GateRefusal *refusal, void *userdata) {
        Manager *manager = userdata;
        ProbeEntry *entry = node ? gate_node_userdata(node) : find_away(manager, refusal->bus);
        const Probe *probe = entry ? probe_get(manager->probes, entry->number) : NULL;
        Conflict conflict = { .kind = CONFLICT_KEPT_OUT,
                              .request = refusal->request,
                              .count = refusal->count };
        ConflictParty *wanted = &conflict.wanted;
        _cleanup_free_ char *user = NULL;

        if (!probe || (refusal->process && is_meant_by_now(entry, refusal->process)))
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
        manager_note_conflict(manager, probe, &conflict);
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
/* --- set-up and binding ------------------------------------------------------------------- */

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

        if (!probe)
                return;
        lease_entry_unbind_delegates(entry);
        probe_entry_unbind(probe, entry->id);
}

/* A lease that nobody holds */
#define TAG_NOBODY (UINT64_MAX / 2)

void probe_entry_shut(ProbeEntry *entry) {
        if (entry->node && gate_node_bind(entry->node, TAG_NOBODY) >= 0)
                entry->shut = true;
}

void probe_entry_open(ProbeEntry *entry) {
        if (!entry->shut || task_is_running(entry))
                return;
        entry->shut = false;
        if (entry->node)
                gate_node_unbind(entry->node, TAG_NOBODY);
}

static bool works_under(const ProbeEntry *entry, const GateHolder *holder, LeaseId lease) {
        for (size_t i = 0; i < entry->n_members; i++)
                if (entry->members[i].pid == holder->process->pid &&
                    entry->members[i].start == holder->process->start &&
                    entry->members[i].lease == lease)
                        return true;
        return false;
}

bool lease_entry_has_claim(const LeaseEntry *entry) {
        const Lease *lease = lease_get(entry->manager->leases, entry->id);
        ProbeEntry *probe = probe_entry_get(entry->manager, entry->probe);
        const GateHolder *holders;
        size_t n = 0;

        if (!lease || lease->state == LEASE_WAITING || !(lease->parts & PROBE_PART_DEBUG) ||
            !probe || !probe->node || !gate_node_has_claim(probe->node))
                return false;
        holders = gate_node_holders(probe->node, &n);
        for (size_t i = 0; i < n; i++)
                if (works_under(probe, &holders[i], entry->id))
                        return true;
        return false;
}

static void note_detached(const LeaseEntry *entry, const Probe *probe, const Process *process) {
        Conflict conflict = { .kind = CONFLICT_DETACHED };

        conflict_party_set_process(&conflict.wanted, process);
        conflict_party_set_lease(&conflict.holder, entry);
        manager_note_conflict(entry->manager, probe, &conflict);
}

/* A claim of somebody who has it open may have passed the gate just before that was shut, and come
 * to be only now. */
static bool may_be_claimed(const ProbeEntry *entry, const Probe *probe) {
        return gate_node_has_claim(entry->node) || probe->used;
}

bool lease_entry_clear(LeaseEntry *entry) {
        Manager *manager = entry->manager;
        const Lease *lease = lease_get(manager->leases, entry->id);
        const Probe *probe = probe_get(manager->probes, entry->probe);
        ProbeEntry *probe_entry = probe_entry_get(manager, entry->probe);
        const GateHolder *observed;

        if (!lease || !probe || !probe_entry || !probe_entry->node ||
            !(lease->parts & PROBE_PART_DEBUG) || !gate_node_is_bound(probe_entry->node) ||
            !may_be_claimed(probe_entry, probe))
                return false;
        /* Now nobody else can claim it any more: who has it is looked up once. */
        (void) gate_node_rescan(probe_entry->node);
        probe_entry_update(probe_entry);
        observed = text_find_observed(manager, probe);
        if (!may_be_claimed(probe_entry, probe) || lease_entry_has_claim(entry) ||
            probe_entry_has_open_lease(probe_entry) ||
            task_new(probe_entry, JOB_CLOSE, entry->id, -EBADF, NULL) < 0)
                return false;
        if (observed && gate_node_has_claim(probe_entry->node))
                note_detached(entry, probe, observed->process);
        entry->clearing = true;
        probe_entry_update(probe_entry);
        return true;
}

void probe_entry_arm(ProbeEntry *entry) {
        LIST_FOREACH(&entry->manager->lease_entries, LeaseEntry, lease, link) {
                const Lease *held = lease_get(entry->manager->leases, lease->id);

                if (lease->probe == entry->number && held && held->state != LEASE_WAITING)
                        lease_entry_arm(lease);
        }
}

void manager_leave_gate(Manager *manager) {
        bool bound = false;

        if (!manager->gate || gate_binding_error(manager->gate) < 0)
                return;
        LIST_FOREACH(&manager->probe_entries, ProbeEntry, entry, link)
                bound |= entry->node && gate_node_is_bound(entry->node);
        if (bound)
                journal_log(
                        LOG_NOTICE, NULL, NULL, 0, 0,
                        "Leases bind until stlinkd is there again, if it is being restarted. If "
                        "it is being stopped, every program may use every probe from now on");
        gate_leave(manager->gate);
}
