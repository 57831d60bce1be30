/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "daemon/access.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"

/* Conflicts: noted in the table, which says when they are told of; then on the bus and in the
 * journal. */

#define PARTY_MAX 512
#define TOLD_MAX  1280

void conflict_party_set_process(ConflictParty *party, const Process *process) {
        party->pid = process->pid;
        party->uid = process->uid;
        (void) snprintf(party->user, sizeof(party->user), "%s", process->user);
        (void) snprintf(party->command, sizeof(party->command), "%s", process->command);
}

void conflict_party_set_lease(ConflictParty *party, const LeaseEntry *entry) {
        const Lease *lease = lease_get(entry->manager->leases, entry->id);

        party->pid = entry->owner ? entry->owner->pid : 0;
        party->uid = lease ? lease->uid : entry->owner ? entry->owner->uid : 0;
        party->lease = entry->id;
        (void) snprintf(party->user, sizeof(party->user), "%s", entry->user);
        (void) snprintf(party->command, sizeof(party->command), "%s", entry->command);
        (void) snprintf(party->reason, sizeof(party->reason), "%s", entry->reason);
}

static void find_holder(Manager *manager, const Probe *probe, ConflictParty *ret) {
        const LeaseEntry *held = text_find_held(manager, probe, NULL);
        const GateHolder *observed = held ? NULL : text_find_observed(manager, probe);

        *ret = (ConflictParty){};
        if (held)
                conflict_party_set_lease(ret, held);
        else if (observed)
                conflict_party_set_process(ret, observed->process);
}

/* --- telling ------------------------------------------------------------------------------ */

static const char *describe(const ConflictParty *party, char *buffer, size_t size) {
        char pid[32] = "";

        if (party->pid > 0)
                (void) snprintf(pid, sizeof(pid), " (pid %d)", (int) party->pid);
        (void) snprintf(buffer, size, "%s: %s%s%s%s%s", party->user[0] ? party->user : "?",
                        party->command[0] ? party->command : "?", pid,
                        party->reason[0] ? ", \"" : "", party->reason,
                        party->reason[0] ? "\"" : "");
        return buffer;
}

static const char *describe_decision(const Conflict *conflict) {
        switch (conflict->kind) {
        case CONFLICT_KEPT_OUT:
                return conflict->request ? "was kept from using" : "was kept from opening";
        case CONFLICT_BUSY:
                return "did not get a lease of";
        case CONFLICT_TIMEOUT:
                return "waited in vain for a lease of";
        case CONFLICT_DENIED:
                return "was not allowed to take";
        case CONFLICT_DETACHED:
                return "had his claim taken away on";
        default:
                return "did not get";
        }
}

char *text_conflict(const Conflict *conflict, char *buffer, size_t size) {
        char wanted[PARTY_MAX], holder[PARTY_MAX], times[64] = "";
        bool held = conflict->holder.user[0];

        if (conflict->count > 1)
                (void) snprintf(times, sizeof(times), "; %" PRIu64 " times%s", conflict->count,
                                conflict->several ? ", not only by that command" : "");
        describe(&conflict->wanted, wanted, sizeof(wanted));
        describe(&conflict->holder, holder, sizeof(holder));
        (void) snprintf(buffer, size, "%s %s probe %s%s%s%s", wanted, describe_decision(conflict),
                        conflict->probe_id,
                        !held                    ? ""
                        : conflict->holder.lease ? ", which is leased to "
                                                 : ", which is in use by ",
                        held ? holder : "", times);
        return buffer;
}

static void tell(Manager *manager, const Conflict *conflict) {
        char text[TOLD_MAX];

        text_conflict(conflict, text, sizeof(text));
        journal_conflict(probe_get(manager->probes, conflict->probe), conflict, text);
        bus_conflict(manager->bus, conflict, text);
        manager_note_refusal(manager, conflict);
}

void manager_tell_conflicts(Manager *manager) {
        Usec now = now_usec(CLOCK_MONOTONIC);
        const Conflict *conflict;

        while ((conflict = conflict_take(manager->conflicts, now)))
                tell(manager, conflict);
}

/* --- noting ------------------------------------------------------------------------------- */

void manager_note_conflict(Manager *manager, const Probe *probe, Conflict *conflict) {
        int r;

        conflict->probe = probe->number;
        (void) snprintf(conflict->probe_id, sizeof(conflict->probe_id), "%s", probe->id);
        if (!conflict->holder.user[0])
                find_holder(manager, probe, &conflict->holder);
        r = conflict_note(manager->conflicts, conflict, now_usec(CLOCK_MONOTONIC));
        if (r < 0)
                log_warning_errno(r, "Cannot note a conflict over probe %s", probe->id);
        manager_tell_conflicts(manager);
        manager_arm_timer(manager);
}

void lease_entry_note_conflict(const LeaseEntry *entry, const Probe *probe, ConflictKind kind) {
        Conflict conflict = { .kind = kind };

        conflict_party_set_lease(&conflict.wanted, entry);
        conflict.wanted.lease = 0;
        manager_note_conflict(entry->manager, probe, &conflict);
}

void manager_note_denied(void *userdata, const Probe *probe, const BusCaller *caller) {
        Conflict conflict = { .kind = CONFLICT_DENIED };
        _cleanup_free_ char *user = NULL;
        Process *process = NULL;

        /* A pid may be another process's by now; what the bus says of the user holds. */
        if (caller->pid > 0 && process_identify(caller->pid, &process) >= 0 &&
            process->uid == caller->uid)
                conflict_party_set_process(&conflict.wanted, process);
        process_free(process);
        conflict.wanted.uid = caller->uid;
        if (access_user_name(caller->uid, &user) >= 0)
                (void) snprintf(conflict.wanted.user, sizeof(conflict.wanted.user), "%s", user);
        manager_note_conflict(userdata, probe, &conflict);
}
