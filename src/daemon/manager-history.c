/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "bus/errors.h"
#include "daemon/history.h"
#include "daemon/manager-internal.h"

/* What goes into the journal of use, and when. */

/* What lasts longer is noted when it begins, too. */
#define LASTING (5 * USEC_PER_SEC)
/* Short uses that follow one another are one entry. */
#define MERGE_GAP (60 * USEC_PER_SEC)
/* For so many probes, those that were used last, it is known what they may follow. */
#define SHORT_USES_MAX 256
#define NAME_SIZE      96

/* A program without a lease that has a probe's node open. */
struct Use {
        List link;
        Manager *manager;
        char probe[PROBE_ID_MAX];
        char user[NAME_SIZE], command[NAME_SIZE], key[NAME_SIZE];
        uid_t uid;
        pid_t pid;
        Usec start;        /* of the process */
        Usec since, until; /* CLOCK_REALTIME */
        uint64_t count;
        bool there;             /* seen in this round */
        sd_event_source *timer; /* until it counts as lasting */
};
typedef struct Use Use;

/* A moment of another clock on that of the wall. */
static Usec to_realtime(Usec moment, clockid_t clock) {
        Usec now = now_usec(clock), real = now_usec(CLOCK_REALTIME);

        return moment >= now ? real : real - MIN(real, now - moment);
}

/* --- leases ------------------------------------------------------------------------------- */

static void note_lease(const LeaseEntry *entry, const Probe *probe, const Lease *lease,
                       const char *why) {
        Manager *manager = entry->manager;
        bool waited = lease->state == LEASE_WAITING;
        char key[NAME_SIZE];
        HistoryRecord record = {
                .event = waited ? HISTORY_WAIT : HISTORY_LEASE,
                .key = key,
                .probe = probe ? probe->id : NULL,
                .user = entry->user,
                .command = entry->command,
                .reason = entry->reason,
                .uid = lease->uid,
                .pid = entry->owner ? entry->owner->pid : 0,
                .since = to_realtime(waited ? lease->requested : lease->granted, CLOCK_MONOTONIC),
                .until = why ? now_usec(CLOCK_REALTIME) : 0,
                .waited = waited || lease->granted < lease->requested
                                  ? 0
                                  : lease->granted - lease->requested,
                .why = why,
        };

        (void) snprintf(key, sizeof(key), "l%" PRIu64 "-%" PRIu64, lease->requested, lease->id);
        history_add(manager->history, &record);
}

void lease_entry_note_granted(const LeaseEntry *entry, const Probe *probe, const Lease *lease) {
        note_lease(entry, probe, lease, NULL);
}

void lease_entry_note_ended(const LeaseEntry *entry, const Probe *probe, const Lease *lease,
                            LeaseEnd end) {
        note_lease(entry, probe, lease, lease_end_to_string(end));
}

/* --- refusals ----------------------------------------------------------------------------- */

void manager_note_refusal(Manager *manager, const Conflict *conflict) {
        const ConflictParty *wanted = &conflict->wanted, *holder = &conflict->holder;
        char key[NAME_SIZE], who[2 * NAME_SIZE] = "";
        HistoryRecord record = {
                .event = HISTORY_REFUSED,
                .key = key,
                .probe = conflict->probe_id,
                .user = wanted->user,
                .command = wanted->command,
                .reason = wanted->reason,
                .holder = who,
                .uid = wanted->uid,
                .pid = wanted->pid,
                .since = to_realtime(conflict->first, CLOCK_MONOTONIC),
                .until = to_realtime(conflict->last, CLOCK_MONOTONIC),
                .count = conflict->count > 1 ? conflict->count : 0,
                .why = conflict_kind_to_string(conflict->kind),
        };

        if (holder->user[0])
                (void) snprintf(who, sizeof(who), "%s: %s (pid %d)", holder->user, holder->command,
                                (int) holder->pid);
        (void) snprintf(key, sizeof(key), "c%" PRIu64 "-%" PRIu64, conflict->first,
                        conflict->number);
        history_add(manager->history, &record);
}

/* --- uses --------------------------------------------------------------------------------- */

static void write_use(const Use *use, const char *why) {
        HistoryRecord record = {
                .event = HISTORY_USE,
                .key = use->key,
                .probe = use->probe,
                .user = use->user,
                .command = use->command,
                .uid = use->uid,
                .pid = use->pid,
                .since = use->since,
                .until = why ? use->until : 0,
                .count = use->count > 1 ? use->count : 0,
                .why = why,
        };

        history_add(use->manager->history, &record);
}

static Use *use_free(Use *use) {
        if (!use)
                return NULL;
        list_remove(&use->link);
        sd_event_source_disable_unref(use->timer);
        free(use);
        return NULL;
}

static void flush_use(Use *use) {
        write_use(use, "closed");
        use->manager->n_short_uses--;
        use_free(use);
}

void manager_flush_uses(Manager *manager) {
        LIST_FOREACH(&manager->short_uses, Use, use, link)
                flush_use(use);
}

static Use *find_short(Manager *manager, const char *probe) {
        LIST_FOREACH(&manager->short_uses, Use, use, link)
                if (strcmp(use->probe, probe) == 0)
                        return use;
        return NULL;
}

/* Somebody who lets a tool run in a loop fills no journal with it, also when the tool looks at one
 * probe after the other. */
static void merge_short(Use *use) {
        Manager *manager = use->manager;
        Use *last = find_short(manager, use->probe);

        if (last && last->uid == use->uid && strcmp(last->command, use->command) == 0 &&
            use->since <= usec_add(last->until, MERGE_GAP)) {
                last->until = use->until;
                last->count += use->count;
                use_free(use);
                return;
        }
        if (!last && manager->n_short_uses == SHORT_USES_MAX)
                last = LIST_FIRST(&manager->short_uses, Use, link);
        if (last)
                flush_use(last);
        list_append(&manager->short_uses, &use->link);
        manager->n_short_uses++;
}

static int on_lasting(sd_event_source *source, uint64_t usec, void *userdata) {
        Use *use = userdata;

        (void) source, (void) usec;
        use->timer = sd_event_source_disable_unref(use->timer);
        write_use(use, NULL);
        return 0;
}

static void use_end(Use *use, const char *why) {
        use->until = now_usec(CLOCK_REALTIME);
        list_remove(&use->link);
        if (use->timer) { /* it did not last */
                use->timer = sd_event_source_disable_unref(use->timer);
                merge_short(use);
                return;
        }
        write_use(use, why);
        use_free(use);
}

static void use_begin(ProbeEntry *entry, const Probe *probe, const GateHolder *holder) {
        Manager *manager = entry->manager;
        const Process *process = holder->process;
        Use *use = calloc(1, sizeof(*use));

        if (!use)
                return; /* then it is not told; nothing depends on it */
        list_init(&use->link);
        use->manager = manager;
        use->uid = process->uid;
        use->pid = process->pid;
        use->start = process->start;
        use->since = to_realtime(holder->since, CLOCK_BOOTTIME);
        use->count = 1;
        use->there = true;
        (void) snprintf(use->probe, sizeof(use->probe), "%s", probe->id);
        (void) snprintf(use->user, sizeof(use->user), "%s", process->user);
        (void) snprintf(use->command, sizeof(use->command), "%s", process->command);
        (void) snprintf(use->key, sizeof(use->key), "u%" PRIu64 "-%d", holder->since,
                        (int) process->pid);
        list_append(&entry->uses, &use->link);
        if (sd_event_add_time_relative(manager->event, &use->timer, CLOCK_MONOTONIC, LASTING,
                                       USEC_PER_SEC, on_lasting, use) < 0)
                use->timer = NULL;
}

static Use *find_use(ProbeEntry *entry, const Process *process) {
        LIST_FOREACH(&entry->uses, Use, use, link)
                if (use->pid == process->pid && use->start == process->start)
                        return use;
        return NULL;
}

static bool works_under_lease(const ProbeEntry *entry, const Process *process) {
        for (size_t i = 0; i < entry->n_members; i++)
                if (entry->members[i].pid == process->pid &&
                    entry->members[i].start == process->start)
                        return entry->members[i].lease != 0;
        return false;
}

void probe_entry_note_uses(ProbeEntry *entry) {
        const Probe *probe = probe_get(entry->manager->probes, entry->number);
        const GateHolder *holders = NULL;
        size_t n = 0;

        LIST_FOREACH(&entry->uses, Use, use, link)
                use->there = false;
        if (entry->node)
                holders = gate_node_holders(entry->node, &n);
        for (size_t i = 0; probe && i < n; i++) {
                Use *use = find_use(entry, holders[i].process);

                if (works_under_lease(entry, holders[i].process))
                        continue;
                if (use) {
                        use->there = true;
                        (void) snprintf(use->command, sizeof(use->command), "%s",
                                        holders[i].process->command);
                } else
                        use_begin(entry, probe, &holders[i]);
        }
        LIST_FOREACH(&entry->uses, Use, use, link)
                if (!use->there)
                        use_end(use, entry->node ? "closed" : "unplugged");
}

void probe_entry_end_uses(ProbeEntry *entry, const char *why) {
        LIST_FOREACH(&entry->uses, Use, use, link)
                use_end(use, why);
}

/* --- the whole ---------------------------------------------------------------------------- */

int manager_start_history(Manager *manager) {
        HistoryRecord record = { .event = HISTORY_START, .since = now_usec(CLOCK_REALTIME) };
        int r = history_new(manager->config->state_directory, &manager->history);

        if (r < 0 && r != -ENOMEM) {
                log_warning_errno(r,
                                  "No journal of use is kept: cannot open the file history in %s",
                                  manager->config->state_directory);
                r = history_new(NULL, &manager->history);
        }
        if (r >= 0)
                history_add(manager->history, &record);
        return r;
}

int manager_get_history(void *userdata, int *ret_fd, sd_bus_error *error) {
        Manager *manager = userdata;
        int fd;

        manager_flush_uses(manager);
        fd = history_open(manager->history);
        if (fd < 0)
                return bus_error_setf(error, EOPNOTSUPP,
                                      "stlinkd keeps no journal of use here: it has "
                                      "no StateDirectory (stlinkd.conf(5))");
        *ret_fd = fd;
        return 0;
}
