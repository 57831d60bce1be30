/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"

/* A probe's serial port and disk have nodes of their own, and users who may be others than those
 * of the debug interface. They keep nobody from the probe, but they are told of, and a lease that
 * covers these parts binds them too. */

static void part_done(PartNode *part) {
        gate_remove_node(part->node);
        free(part->device);
}

static bool is_watched(const ProbePartDevice *part) {
        return part->device && part->part != PROBE_PART_DEBUG;
}

static bool parts_are_watched(const ProbeEntry *entry, const Probe *probe) {
        size_t n = 0;

        for (size_t i = 0; probe && i < probe->n_parts; i++) {
                const ProbePartDevice *part = &probe->parts[i];

                if (!is_watched(part))
                        continue;
                if (n >= entry->n_parts || entry->parts[n].part != part->part ||
                    strcmp(entry->parts[n].device, part->device) != 0)
                        return false;
                n++;
        }
        return n == entry->n_parts;
}

static void add_part(ProbeEntry *entry, const Probe *probe, const ProbePartDevice *device) {
        PartNode *part = &entry->parts[entry->n_parts];
        int r;

        *part = (PartNode){ .part = device->part, .device = strdup(device->device) };
        if (!part->device)
                return;
        entry->n_parts++;
        r = gate_add_node(entry->manager->gate, part->device, NULL, entry, &part->node);
        if (r < 0 && r != -ENOENT)
                journal_log(LOG_WARNING, NULL, probe, 0, r, "Cannot watch who uses %s",
                            part->device);
}

void probe_entry_watch_parts(ProbeEntry *entry, const Probe *probe) {
        if (parts_are_watched(entry, probe))
                return;
        while (entry->n_parts > 0)
                part_done(&entry->parts[--entry->n_parts]);
        free(entry->parts);
        entry->parts = probe ? calloc(probe->n_parts + 1, sizeof(*entry->parts)) : NULL;
        for (size_t i = 0; entry->parts && i < probe->n_parts; i++)
                if (is_watched(&probe->parts[i]))
                        add_part(entry, probe, &probe->parts[i]);
        probe_entry_arm(entry);
}

bool probe_entry_part_holder(const ProbeEntry *entry, size_t index, BusHolder *ret) {
        for (size_t i = 0; i < entry->n_parts; i++) {
                const PartNode *part = &entry->parts[i];
                const GateHolder *holders;
                size_t n = 0;

                if (!part->node)
                        continue;
                holders = gate_node_holders(part->node, &n);
                if (index < n) {
                        *ret = (BusHolder){ .part = part->part,
                                            .device = part->device,
                                            .process = holders[index].process,
                                            .since = holders[index].since,
                                            .seen = gate_seen_to_string(holders[index].seen) };
                        return true;
                }
                index -= n;
        }
        return false;
}

/* --- binding ------------------------------------------------------------------------------ */

static int bind_node(LeaseEntry *lease, GateNode *node) {
        int r;

        if (!node)
                return 0;
        /* An owner whom we cannot see would be refused himself. But once he was admitted, those
         * whom he left the descriptor to are members, too, though he may have ended. */
        r = lease->owner ? gate_admit(lease->manager->gate, lease->id, lease->owner) : -ESRCH;
        lease->admitted |= r >= 0;
        if (r < 0 && !(r == -ESRCH && lease->admitted))
                return r;
        /* First, so that none of them is refused in between. */
        lease_entry_bind_delegates(lease, node);
        r = gate_node_bind(node, lease->id);
        if (r < 0)
                lease_entry_unbind_delegates(lease); /* or else its owner is refused himself */
        return r;
}

void probe_entry_bind(ProbeEntry *entry, LeaseEntry *lease, unsigned parts) {
        int r = parts & PROBE_PART_DEBUG ? bind_node(lease, entry->node) : 0;

        for (size_t i = 0; i < entry->n_parts && r >= 0; i++)
                if (parts & entry->parts[i].part)
                        r = bind_node(lease, entry->parts[i].node);
        if (r < 0 && r != -EOPNOTSUPP)
                journal_log(LOG_WARNING, NULL, probe_get(entry->manager->probes, entry->number),
                            lease->id, r, "The lease of %s: %s does not keep others from the probe",
                            lease->user, lease->command);
}

void probe_entry_unbind(ProbeEntry *entry, GateTag tag) {
        if (entry->node)
                gate_node_unbind(entry->node, tag);
        for (size_t i = 0; i < entry->n_parts; i++)
                if (entry->parts[i].node)
                        gate_node_unbind(entry->parts[i].node, tag);
}
