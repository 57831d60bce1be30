/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <search.h>
#include <stdlib.h>

#include "core/ids.h"
#include "core/lease-queue.h"

struct LeaseTable {
        LeaseQuota quota;
        LeaseId last_id;
        size_t n_entries;
        void *by_id; /* tsearch(3) tree of Entry */
        List queues, accounts;
        Heap due;
};

/* Changes */

void lease_changes_clear(LeaseChanges *changes) {
        free(changes->items);
        *changes = (LeaseChanges){};
}

/* Make room for n more changes, so that reporting them cannot fail half way. */
static int changes_reserve(LeaseChanges *changes, size_t n) {
        LeaseChange *items;

        if (changes->n + n <= changes->allocated)
                return 0;
        items = reallocarray(changes->items, changes->n + n, sizeof(*items));
        if (!items)
                return -ENOMEM;
        changes->items = items;
        changes->allocated = changes->n + n;
        return 0;
}

static void report(LeaseChanges *changes, LeaseChangeType type, LeaseEnd end, const Entry *entry) {
        changes->items[changes->n++] = (LeaseChange){
                .type = type,
                .end = end,
                .lease = entry->lease,
        };
}

/* The table's parts */

int lease_table_new(const LeaseQuota *quota, LeaseTable **ret) {
        LeaseTable *table = calloc(1, sizeof(*table));

        if (!table)
                return -ENOMEM;
        table->quota = *quota;
        list_init(&table->queues);
        list_init(&table->accounts);
        *ret = table;
        return 0;
}

static void nothing(_unused_ void *node) {
}

LeaseTable *lease_table_free(LeaseTable *table) {
        if (!table)
                return NULL;

        LIST_FOREACH(&table->queues, Queue, queue, link) {
                LIST_FOREACH(&queue->holders, Entry, entry, link)
                        free(entry);
                LIST_FOREACH(&queue->waiters, Entry, entry, link)
                        free(entry);
                free(queue);
        }
        LIST_FOREACH(&table->accounts, Account, account, link)
                free(account);
        tdestroy(table->by_id, nothing);
        heap_done(&table->due);
        free(table);
        return NULL;
}

static int compare_ids(const void *a, const void *b) {
        const Lease *x = a, *y = b;

        return x->id < y->id ? -1 : x->id > y->id;
}

static Entry *find_entry(const LeaseTable *table, LeaseId id) {
        const Lease key = { .id = id };
        Entry *const *node = tfind(&key, &table->by_id, compare_ids);

        return node ? *node : NULL;
}

/* Transitions. What could fail was done before: room in the heap and in the changes. */

static void start_waiting(LeaseTable *table, Entry *entry) {
        entry->lease.state = LEASE_WAITING;
        entry_join(entry);
        heap_set(&table->due, &entry->due, entry->lease.deadline);
}

/* When the next thing happens to a lease that is held. */
static void schedule_held(LeaseTable *table, Entry *entry) {
        heap_set(&table->due, &entry->due, MIN(entry->lease.expires, entry->lease.deadline));
}

static void start_holding(LeaseTable *table, Entry *entry, Usec now) {
        Lease *lease = &entry->lease;

        lease->state = LEASE_HELD;
        lease->granted = now;
        lease->deadline = USEC_INFINITY;
        lease->expires = usec_add(now, lease->limit);
        entry_join(entry);
        schedule_held(table, entry);
}

/* Grant what has become free to those who have waited longest. */
static void grant_waiters(LeaseTable *table, Queue *queue, Usec now, LeaseChanges *changes) {
        Load ahead = {};

        if (queue->obstructed)
                return;
        LIST_FOREACH(&queue->waiters, Entry, entry, link) {
                if (!queue_has_hope(queue, &ahead))
                        return;
                if (entry->lease.deadline <= now)
                        continue; /* too late: lease_elapse() is about to end it */
                if (!queue_may_grant(queue, &ahead, entry->lease.kind, entry->lease.parts)) {
                        load_add(&ahead, &entry->lease, 1);
                        continue;
                }
                entry_leave(entry);
                start_holding(table, entry, now);
                report(changes, LEASE_CHANGE_GRANTED, 0, entry);
        }
}

/* Take an entry out of everything and forget it. */
static void end_entry(LeaseTable *table, Entry *entry, LeaseEnd reason, LeaseChanges *changes) {
        report(changes, LEASE_CHANGE_ENDED, reason, entry);
        entry_leave(entry);
        heap_set(&table->due, &entry->due, USEC_INFINITY);
        tdelete(entry, &table->by_id, compare_ids);
        table->n_entries--;
        account_drop_if_idle(entry->account);
        free(entry);
}

static void end_and_grant(LeaseTable *table, Entry *entry, LeaseEnd reason, Usec now,
                          LeaseChanges *changes) {
        Queue *queue = entry->queue;

        end_entry(table, entry, reason, changes);
        grant_waiters(table, queue, now, changes);
        queue_drop_if_idle(queue);
}

/* Requests */

static int check_quota(const LeaseTable *table, const Account *account, bool grantable) {
        unsigned used = grantable ? account->held : account->waiting;
        unsigned quota = grantable ? table->quota.held : table->quota.waiting;

        unsigned objects = account->held + account->waiting;

        if (table->quota.objects > 0 && objects >= table->quota.objects)
                return -EDQUOT;
        return quota > 0 && used >= quota ? -EDQUOT : 0;
}

/* Make the entry of a request and room for it everywhere. */
static int add_entry(LeaseTable *table, const Lease *lease, Queue *queue, Account *account,
                     Entry **ret) {
        _cleanup_free_ Entry *entry = calloc(1, sizeof(*entry));

        if (!entry || heap_reserve(&table->due, table->n_entries + 1) < 0)
                return -ENOMEM;
        entry->lease = *lease;
        entry->queue = queue;
        entry->account = account;
        entry->due.rank = lease->id;
        list_init(&entry->link);
        if (!tsearch(entry, &table->by_id, compare_ids))
                return -ENOMEM;

        table->n_entries++;
        *ret = TAKE_PTR(entry);
        return 0;
}

static int decide(LeaseTable *table, const Lease *lease, Queue *queue, Account *account, Usec now,
                  LeaseChanges *changes) {
        bool grantable = queue_may_grant(queue, &queue->wanted, lease->kind, lease->parts);
        Entry *entry;
        int r;

        if (!grantable && lease->deadline <= now)
                return -EBUSY;
        r = check_quota(table, account, grantable);
        if (r < 0)
                return r;
        r = changes_reserve(changes, 1);
        if (r < 0)
                return r;
        r = add_entry(table, lease, queue, account, &entry);
        if (r < 0)
                return r;

        if (grantable)
                start_holding(table, entry, now);
        else
                start_waiting(table, entry);
        report(changes, grantable ? LEASE_CHANGE_GRANTED : LEASE_CHANGE_QUEUED, 0, entry);
        return 0;
}

int lease_request(LeaseTable *table, const LeaseRequest *request, Usec now, LeaseChanges *changes,
                  LeaseId *ret_id) {
        Lease lease = {
                .id = table->last_id + 1,
                .probe = request->probe,
                .uid = request->uid,
                .kind = request->kind,
                .parts = request->kind == LEASE_FIRMWARE_UPDATE ? PROBE_PARTS_ALL : request->parts,
                .requested = now,
                .deadline = request->deadline,
                .limit = request->limit,
                .expires = USEC_INFINITY,
        };
        Account *account;
        Queue *queue;
        int r;

        if (!lease_kind_to_string(lease.kind) || lease.limit == 0)
                return -EINVAL;
        if (lease.parts == 0 || lease.parts & ~PROBE_PARTS_ALL)
                return -EINVAL;
        queue = queue_get(&table->queues, request->probe);
        if (!queue)
                return -ENOMEM;
        account = account_get(&table->accounts, request->uid);
        r = account ? decide(table, &lease, queue, account, now, changes) : -ENOMEM;
        if (r < 0) {
                if (account)
                        account_drop_if_idle(account);
                queue_drop_if_idle(queue);
                return r;
        }

        *ret_id = table->last_id = lease.id;
        return 0;
}

/* Whether a lease contradicts itself: one that was restored comes from outside. */
static bool is_sound(const Lease *lease) {
        unsigned parts = lease->parts;
        bool waits = lease->state == LEASE_WAITING;

        if (lease->id == 0 || lease->limit == 0 || !lease_kind_to_string(lease->kind) ||
            !lease_state_to_string(lease->state))
                return false;
        if (parts == 0 || parts & ~PROBE_PARTS_ALL)
                return false;
        if (lease->kind == LEASE_FIRMWARE_UPDATE &&
            (parts != PROBE_PARTS_ALL || (!waits && lease->deadline != USEC_INFINITY)))
                return false;
        if (waits)
                return lease->granted == 0 && lease->expires == USEC_INFINITY;
        return lease->state == LEASE_ASKED || lease->deadline == USEC_INFINITY;
}

static int restore(LeaseTable *table, const Lease *lease, Queue *queue, Account *account) {
        bool waits = lease->state == LEASE_WAITING;
        Entry *entry;
        int r;

        if (!waits && !load_allows(&queue->held, lease->kind, lease->parts))
                return -EBUSY;
        r = add_entry(table, lease, queue, account, &entry);
        if (r < 0)
                return r;
        entry_join_by_age(entry);
        if (waits)
                heap_set(&table->due, &entry->due, lease->deadline);
        else
                schedule_held(table, entry);
        lease_skip_ids(table, lease->id);
        return 0;
}

int lease_restore(LeaseTable *table, const Lease *lease) {
        Account *account;
        Queue *queue;
        int r;

        if (!is_sound(lease))
                return -EINVAL;
        if (find_entry(table, lease->id))
                return -EEXIST;
        queue = queue_get(&table->queues, lease->probe);
        if (!queue)
                return -ENOMEM;
        account = account_get(&table->accounts, lease->uid);
        r = account ? restore(table, lease, queue, account) : -ENOMEM;
        if (r < 0) {
                if (account)
                        account_drop_if_idle(account);
                queue_drop_if_idle(queue);
        }
        return r;
}

LeaseId lease_last_id(const LeaseTable *table) {
        return table->last_id;
}

void lease_skip_ids(LeaseTable *table, LeaseId last) {
        table->last_id = MAX(table->last_id, last);
}

int lease_end(LeaseTable *table, LeaseId id, LeaseEnd reason, Usec now, LeaseChanges *changes) {
        Entry *entry = find_entry(table, id);
        int r;

        if (!entry)
                return -ENOENT;
        r = changes_reserve(changes, 1 + entry->queue->n_waiters);
        if (r < 0)
                return r;
        end_and_grant(table, entry, reason, now, changes);
        return 0;
}

int lease_renew(LeaseTable *table, LeaseId id, Usec now) {
        Entry *entry = find_entry(table, id);

        if (!entry)
                return -ENOENT;
        if (entry->lease.state == LEASE_WAITING)
                return -EINVAL;
        entry->lease.expires = usec_add(now, entry->lease.limit);
        schedule_held(table, entry);
        return 0;
}

int lease_revoke(LeaseTable *table, LeaseId id, Usec grace, Usec now, LeaseChanges *changes) {
        Entry *entry = find_entry(table, id);
        int r;

        if (!entry || entry->lease.state == LEASE_WAITING)
                return -ENOENT;
        if (entry->lease.kind == LEASE_FIRMWARE_UPDATE && grace != USEC_INFINITY)
                return -EPERM;
        if (grace == 0)
                return lease_end(table, id, LEASE_END_REVOKED, now, changes);

        r = changes_reserve(changes, 1);
        if (r < 0)
                return r;
        entry->lease.state = LEASE_ASKED;
        entry->lease.deadline = MIN(entry->lease.deadline, usec_add(now, grace));
        schedule_held(table, entry);
        report(changes, LEASE_CHANGE_ASKED, 0, entry);
        return 0;
}

/* Events */

int lease_set_obstructed(LeaseTable *table, LeaseProbe probe, bool obstructed, Usec now,
                         LeaseChanges *changes) {
        Queue *queue =
                obstructed ? queue_get(&table->queues, probe) : queue_find(&table->queues, probe);
        int r;

        if (!queue)
                return obstructed ? -ENOMEM : 0;
        r = changes_reserve(changes, queue->n_waiters);
        if (r < 0)
                return r;
        queue->obstructed = obstructed;
        grant_waiters(table, queue, now, changes);
        queue_drop_if_idle(queue);
        return 0;
}

int lease_probe_gone(LeaseTable *table, LeaseProbe probe, LeaseChanges *changes) {
        Queue *queue = queue_find(&table->queues, probe);
        int r;

        if (!queue)
                return 0;
        r = changes_reserve(changes, table->n_entries);
        if (r < 0)
                return r;
        LIST_FOREACH(&queue->waiters, Entry, entry, link)
                end_entry(table, entry, LEASE_END_UNPLUGGED, changes);
        LIST_FOREACH(&queue->holders, Entry, entry, link)
                end_entry(table, entry, LEASE_END_UNPLUGGED, changes);
        queue->obstructed = false;
        queue_drop_if_idle(queue);
        return 0;
}

Usec lease_next_event(const LeaseTable *table) {
        const HeapLink *first = heap_first(&table->due);

        return first ? first->when : USEC_INFINITY;
}

static LeaseEnd end_of_time(const Lease *lease, Usec now) {
        if (lease->state == LEASE_WAITING)
                return LEASE_END_TIMEOUT;
        return lease->expires <= now ? LEASE_END_EXPIRED : LEASE_END_REVOKED;
}

int lease_elapse(LeaseTable *table, Usec now, LeaseChanges *changes) {
        int r;

        if (lease_next_event(table) > now)
                return 0;
        /* Each lease can be granted and can end. */
        r = changes_reserve(changes, 2 * table->n_entries);
        if (r < 0)
                return r;
        while (lease_next_event(table) <= now) {
                Entry *entry = container_of(heap_first(&table->due), Entry, due);

                end_and_grant(table, entry, end_of_time(&entry->lease, now), now, changes);
        }
        return 0;
}

/* Looking */

const Lease *lease_get(const LeaseTable *table, LeaseId id) {
        const Entry *entry = find_entry(table, id);

        return entry ? &entry->lease : NULL;
}

static const Lease *first_of(const List *list) {
        return list_is_empty(list) ? NULL : &container_of(list->next, Entry, link)->lease;
}

const Lease *lease_next(const LeaseTable *table, LeaseProbe probe, const Lease *previous) {
        const Entry *entry = (const Entry *) previous;
        const Queue *queue;

        if (!previous) {
                queue = queue_find(&table->queues, probe);
                if (!queue)
                        return NULL;
                return first_of(list_is_empty(&queue->holders) ? &queue->waiters : &queue->holders);
        }

        queue = entry->queue;
        if (entry->link.next == &queue->holders)
                return first_of(&queue->waiters);
        if (entry->link.next == &queue->waiters)
                return NULL;
        return &container_of(entry->link.next, Entry, link)->lease;
}

size_t lease_position(const LeaseTable *table, LeaseId id) {
        const Entry *entry = find_entry(table, id);
        size_t position = 0;

        if (!entry || entry->lease.state != LEASE_WAITING)
                return 0;
        for (const List *l = &entry->link; l != &entry->queue->waiters; l = l->previous)
                position++;
        return position;
}
