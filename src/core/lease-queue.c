/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "core/lease-queue.h"

void load_add(Load *load, const Lease *lease, int count) {
        unsigned *parts = lease->kind == LEASE_SHARED ? load->shared : load->exclusive;

        for (unsigned i = 0; i < N_PARTS; i++)
                if (lease->parts & 1u << i)
                        parts[i] += (unsigned) count;
}

bool load_allows(const Load *load, LeaseKind kind, unsigned parts) {
        for (unsigned i = 0; i < N_PARTS; i++) {
                if (!(parts & 1u << i))
                        continue;
                if (load->exclusive[i] > 0 || (load->shared[i] > 0 && kind != LEASE_SHARED))
                        return false;
        }
        return true;
}

Queue *queue_find(const List *queues, LeaseProbe probe) {
        LIST_FOREACH(queues, Queue, queue, link)
                if (queue->probe == probe)
                        return queue;
        return NULL;
}

Queue *queue_get(List *queues, LeaseProbe probe) {
        Queue *queue = queue_find(queues, probe);

        if (queue)
                return queue;
        queue = calloc(1, sizeof(*queue));
        if (!queue)
                return NULL;
        queue->probe = probe;
        list_init(&queue->holders);
        list_init(&queue->waiters);
        list_append(queues, &queue->link);
        return queue;
}

void queue_drop_if_idle(Queue *queue) {
        if (queue->obstructed || !list_is_empty(&queue->holders) || !list_is_empty(&queue->waiters))
                return;
        list_remove(&queue->link);
        free(queue);
}

bool queue_may_grant(const Queue *queue, const Load *ahead, LeaseKind kind, unsigned parts) {
        return !queue->obstructed && load_allows(&queue->held, kind, parts) &&
               load_allows(ahead, kind, parts);
}

bool queue_has_hope(const Queue *queue, const Load *ahead) {
        for (unsigned i = 0; i < N_PARTS; i++) {
                bool wanted = queue->wanted.exclusive[i] > 0 || queue->wanted.shared[i] > 0;

                if (wanted && queue->held.exclusive[i] == 0 && ahead->exclusive[i] == 0)
                        return true;
        }
        return false;
}

Account *account_get(List *accounts, uid_t uid) {
        Account *account;

        LIST_FOREACH(accounts, Account, known, link)
                if (known->uid == uid)
                        return known;
        account = calloc(1, sizeof(*account));
        if (!account)
                return NULL;
        account->uid = uid;
        list_append(accounts, &account->link);
        return account;
}

void account_drop_if_idle(Account *account) {
        if (account->held > 0 || account->waiting > 0)
                return;
        list_remove(&account->link);
        free(account);
}

static void count(Entry *entry, int n) {
        Queue *queue = entry->queue;

        if (entry->lease.state == LEASE_WAITING) {
                load_add(&queue->wanted, &entry->lease, n);
                queue->n_waiters += (size_t) n;
                entry->account->waiting += (unsigned) n;
        } else {
                load_add(&queue->held, &entry->lease, n);
                entry->account->held += (unsigned) n;
        }
}

void entry_join(Entry *entry) {
        Queue *queue = entry->queue;

        list_append(entry->lease.state == LEASE_WAITING ? &queue->waiters : &queue->holders,
                    &entry->link);
        count(entry, 1);
}

static bool is_younger(const Entry *entry, const Entry *other) {
        if (entry->lease.state != LEASE_WAITING && entry->lease.granted != other->lease.granted)
                return entry->lease.granted > other->lease.granted;
        return entry->lease.id > other->lease.id;
}

void entry_join_by_age(Entry *entry) {
        List *list, *before = &entry->link;

        entry_join(entry);
        list = before->next;
        while (before->previous != list &&
               is_younger(container_of(before->previous, Entry, link), entry))
                before = before->previous;
        if (before == &entry->link)
                return;
        list_remove(&entry->link);
        list_append(before, &entry->link); /* that is, in front of it */
}

void entry_leave(Entry *entry) {
        list_remove(&entry->link);
        count(entry, -1);
}
