/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "bus/errors.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"

/* Who else works under a lease, because its owner said so. To the gate each delegation is a lease
 * of its own: when it is withdrawn nobody is a member by it any more, wherever those have gone
 * whom it made members. */

#define NUMBER_SHIFT 48 /* so many leases there will not be */

static GateTag tag_of(const LeaseEntry *entry, const LeaseDelegate *delegate) {
        return (GateTag) delegate->number << NUMBER_SHIFT | entry->id;
}

size_t lease_entry_list_tags(const LeaseEntry *entry, GateTag *tags, size_t max) {
        size_t n = 0;

        if (n < max)
                tags[n++] = entry->id;
        for (size_t i = 0; i < entry->delegates.n && n < max; i++)
                tags[n++] = tag_of(entry, &entry->delegates.items[i]);
        return n;
}

/* --- the gate ----------------------------------------------------------------------------- */

static int tell_gate(LeaseEntry *entry, LeaseDelegate *delegate) {
        Gate *gate = entry->manager->gate;
        GateTag tag = tag_of(entry, delegate);
        int r;

        switch (delegate->kind) {
        case DELEGATE_UID:
                return gate_delegate(gate, tag, GATE_DELEGATE_UID, delegate->uid);
        case DELEGATE_PID:
                r = delegate->process ? gate_admit(gate, tag, delegate->process) : 0;
                return r == -ESRCH ? 0 : r;
        default:
                (void) delegate_look(delegate);
                return delegate->cgroup
                               ? gate_delegate(gate, tag, GATE_DELEGATE_CGROUP, delegate->cgroup)
                               : 0;
        }
}

/* One who cannot be let through does not keep the lease from binding. */
void lease_entry_bind_delegates(LeaseEntry *entry, GateNode *node) {
        for (size_t i = 0; i < entry->delegates.n; i++) {
                LeaseDelegate *delegate = &entry->delegates.items[i];
                int r = tell_gate(entry, delegate);

                if (r >= 0)
                        r = gate_node_bind(node, tag_of(entry, delegate));
                if (r < 0 && r != -EOPNOTSUPP)
                        journal_log(LOG_WARNING, NULL,
                                    probe_get(entry->manager->probes, entry->probe), entry->id, r,
                                    "%s cannot work under the lease of %s: %s", delegate->who,
                                    entry->user, entry->command);
        }
}

static void unbind(LeaseEntry *entry, const LeaseDelegate *delegate) {
        ProbeEntry *probe = probe_entry_get(entry->manager, entry->probe);

        if (probe)
                probe_entry_unbind(probe, tag_of(entry, delegate));
}

void lease_entry_unbind_delegates(LeaseEntry *entry) {
        for (size_t i = 0; i < entry->delegates.n; i++)
                unbind(entry, &entry->delegates.items[i]);
}

static bool is_held(const LeaseEntry *entry) {
        const Lease *lease = lease_get(entry->manager->leases, entry->id);

        return lease && lease->state != LEASE_WAITING && !entry->ending;
}

bool lease_entry_follow_unit(LeaseEntry *entry, const Process *process) {
        for (size_t i = 0; is_held(entry) && i < entry->delegates.n; i++) {
                LeaseDelegate *delegate = &entry->delegates.items[i];

                if (!delegate_matches(delegate, process) || !delegate_look(delegate))
                        continue;
                unbind(entry, delegate);
                lease_entry_arm(entry);
                return true;
        }
        return false;
}

/* --- adding ------------------------------------------------------------------------------- */

static int refuse(const char *who, int r, sd_bus_error *error) {
        switch (r) {
        case -EINVAL:
                return bus_error_setf(error, EINVAL,
                                      "\"%s\" says nobody. A lease is delegated to "
                                      "\"uid:NUMBER\", \"unit:NAME.service\" (or .scope, .slice), "
                                      "\"cgroup:/PATH\" or \"pid:NUMBER\"",
                                      who);
        case -ENOENT:
                return bus_error_setf(error, EINVAL,
                                      strncmp(who, "unit:", strlen("unit:")) == 0
                                              ? "No such unit of the system is running: %s"
                                              : "There is no such control group: %s",
                                      who);
        case -EOPNOTSUPP:
                return bus_error_setf(error, EINVAL,
                                      "%s cannot be told here: this machine has no control groups "
                                      "of version 2",
                                      who);
        case -ESRCH:
                return bus_error_setf(error, EINVAL, "There is no process %s", who);
        case -ENAMETOOLONG:
                return bus_error_setf(error, EINVAL, "What names somebody has %d bytes at most",
                                      LEASE_DELEGATE_MAX);
        case -E2BIG:
                return bus_error_setf(error, EDQUOT,
                                      "A lease can be delegated to %d others at most",
                                      LEASE_DELEGATES_MAX);
        default:
                return r;
        }
}

/* Of a process that has ended the number may be another's by now. */
static bool is_outdated(const LeaseDelegate *delegate) {
        return delegate->kind == DELEGATE_PID &&
               !(delegate->process && process_is_alive(delegate->process));
}

/* A process can belong to so many leases only: nobody fills that of others. */
static int check_own(LeaseEntry *entry, const BusCaller *caller, sd_bus_error *error) {
        LeaseDelegate *last = &entry->delegates.items[entry->delegates.n - 1];
        int r;

        if (last->kind != DELEGATE_PID || caller->uid == 0 || last->process->uid == caller->uid)
                return 0;
        r = bus_error_setf(error, EACCES,
                           "Process %d is %s's; a lease can be delegated to processes of your own, "
                           "or to a user as \"uid:%u\"",
                           (int) last->process->pid, last->process->user,
                           (unsigned) last->process->uid);
        delegates_remove(&entry->delegates, last);
        return r;
}

int lease_entry_delegate(LeaseEntry *entry, const char *who, const BusCaller *caller,
                         sd_bus_error *error) {
        bool is_known = delegates_find(&entry->delegates, who);
        LeaseDelegate *first;
        int r;

        if (is_known && !is_outdated(delegates_find(&entry->delegates, who)))
                return 0;
        r = delegates_add(&entry->delegates, who);
        if (r < 0)
                return refuse(who, r, error);
        r = check_own(entry, caller, error);
        if (r < 0)
                return r;
        if (is_known) {
                first = delegates_find(&entry->delegates, who);
                unbind(entry, first);
                delegates_remove(&entry->delegates, first);
        }
        return 0;
}

/* --- what clients ask for ----------------------------------------------------------------- */

static void tell(LeaseEntry *entry) {
        const Probe *probe = probe_get(entry->manager->probes, entry->probe);
        ProbeEntry *probe_entry = probe_entry_get(entry->manager, entry->probe);

        lease_entry_save(entry);
        if (entry->shown)
                bus_lease_changed(entry->manager->bus, entry->id, BUS_LEASE_PROPERTY_DELEGATES);
        /* Whoever has it open may work under the lease now, or no longer. */
        if (probe_entry) {
                probe_entry_update(probe_entry);
                probe_entry_grant(probe_entry);
        }
        if (probe && probe->announced)
                bus_probe_changed(entry->manager->bus, probe->id, PROBE_PROPERTY_HOLDERS);
}

int manager_delegate(void *userdata, LeaseId id, const char *who, const BusCaller *caller,
                     sd_bus_message *message, sd_bus_error *error) {
        Manager *manager = userdata;
        const Lease *lease;
        LeaseEntry *entry;
        int r;

        r = manager_find_own(manager, id, caller, error, &entry, &lease);
        if (r >= 0)
                r = lease_entry_delegate(entry, who, caller, error);
        if (r < 0)
                return r;
        if (is_held(entry))
                lease_entry_arm(entry);
        journal_log(LOG_INFO, NULL, probe_get(manager->probes, entry->probe), id, 0,
                    "%s may work under the lease of %s: %s", who, entry->user, entry->command);
        tell(entry);
        manager_perform(manager);
        return sd_bus_reply_method_return(message, NULL);
}

/* Those who have the probe open because of it are strangers now. */
static void forget_members(const LeaseEntry *entry, const LeaseDelegate *delegate) {
        ProbeEntry *probe = probe_entry_get(entry->manager, entry->probe);
        const GateHolder *holders;
        size_t n = 0;

        if (!probe || !probe->node)
                return;
        holders = gate_node_holders(probe->node, &n);
        for (size_t i = 0; i < n; i++) {
                if (!delegate_matches(delegate, holders[i].process))
                        continue;
                for (size_t j = 0; j < probe->n_members; j++)
                        if (probe->members[j].pid == holders[i].process->pid &&
                            probe->members[j].lease == entry->id)
                                probe->members[j].lease = 0;
        }
}

int manager_withdraw(void *userdata, LeaseId id, const char *who, const BusCaller *caller,
                     sd_bus_message *message, sd_bus_error *error) {
        Manager *manager = userdata;
        LeaseDelegate *delegate;
        const Lease *lease;
        LeaseEntry *entry;
        int r;

        r = manager_find_own(manager, id, caller, error, &entry, &lease);
        if (r < 0)
                return r;
        delegate = delegates_find(&entry->delegates, who);
        if (!delegate)
                return bus_error_setf(error, EINVAL, "The lease is not delegated to \"%s\"", who);
        unbind(entry, delegate);
        forget_members(entry, delegate);
        delegates_remove(&entry->delegates, delegate);
        journal_log(LOG_INFO, NULL, probe_get(manager->probes, entry->probe), id, 0,
                    "%s may no longer work under the lease of %s: %s", who, entry->user,
                    entry->command);
        tell(entry);
        /* What he had claimed is in the owner's way. */
        if (is_held(entry) && !entry->clearing)
                (void) lease_entry_clear(entry);
        manager_perform(manager);
        return sd_bus_reply_method_return(message, NULL);
}
