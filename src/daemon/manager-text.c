/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "daemon/manager-internal.h"

const LeaseEntry *text_find_held(Manager *manager, const Probe *probe, const Lease **ret) {
        const Lease *lease = lease_next(manager->leases, probe->number, NULL);

        if (!lease || lease->state == LEASE_WAITING)
                return NULL;
        if (ret)
                *ret = lease;
        return lease_entry_get(manager, lease->id);
}

const GateHolder *text_find_observed(Manager *manager, const Probe *probe) {
        ProbeEntry *entry = probe_entry_get(manager, probe->number);
        const GateHolder *holders;
        size_t n = 0;

        if (!entry || !entry->node)
                return NULL;
        holders = gate_node_holders(entry->node, &n);
        for (size_t i = 0; i < n; i++)
                if (holders[i].claimed)
                        return &holders[i];
        return n > 0 ? &holders[0] : NULL;
}

char *text_busy(Manager *manager, const Probe *probe, char *buffer, size_t size) {
        ProbeEntry *entry = probe_entry_get(manager, probe->number);
        const Lease *lease = NULL;
        const LeaseEntry *held = text_find_held(manager, probe, &lease);
        const GateHolder *observed = text_find_observed(manager, probe);
        char since[FORMAT_USEC_MAX];

        if (held) {
                format_usec(since, sizeof(since), now_usec(CLOCK_MONOTONIC) - lease->granted);
                (void) snprintf(buffer, size,
                                "Probe %s is leased to %s: %s (pid %d), for %s%s%s%s. "
                                "Wait for it, or ask %s to finish",
                                probe->id, held->user, held->command,
                                held->owner ? (int) held->owner->pid : 0, since,
                                held->reason[0] ? ", \"" : "", held->reason,
                                held->reason[0] ? "\"" : "", held->user);
        } else if (observed) {
                format_usec(since, sizeof(since), now_usec(CLOCK_BOOTTIME) - observed->since);
                (void) snprintf(buffer, size,
                                "Probe %s is in use by %s: %s (pid %d), for %s, without a lease. "
                                "Wait for it, or end that program",
                                probe->id, observed->process->user, observed->process->command,
                                (int) observed->process->pid, since);
        } else if (entry && probe_entry_is_being_read(entry)) {
                (void) snprintf(buffer, size,
                                "Probe %s is being looked after by stlinkd itself. "
                                "Try again in a moment",
                                probe->id);
        } else if (entry && entry->obstructed) {
                (void) snprintf(buffer, size,
                                "Probe %s is claimed by a program that stlinkd cannot see. "
                                "Look for it as root: fuser -v %s",
                                probe->id, probe->node);
        } else {
                (void) snprintf(buffer, size,
                                "Others are waiting for probe %s already. Wait for it, too",
                                probe->id);
        }
        return buffer;
}
