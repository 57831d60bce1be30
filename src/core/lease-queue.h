/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/heap.h"
#include "base/list.h"
#include "core/lease.h"

/* The bookkeeping of a LeaseTable, and nobody else's: who holds a probe and who waits for it, how
 * much of each part that takes, and how much each user has. Nothing here decides. */

#define N_PARTS 4

/* How many leases or waiters take each part, by themselves or shared. */
typedef struct Load {
        unsigned exclusive[N_PARTS];
        unsigned shared[N_PARTS];
} Load;

/* What is known about one probe; it exists while it has leases or is obstructed. */
typedef struct Queue {
        LeaseProbe probe;
        bool obstructed;
        List holders, waiters; /* of Entry, in the order of grants and of requests */
        size_t n_waiters;
        Load held, wanted;
        List link;
} Queue;

/* What one uid has. */
typedef struct Account {
        uid_t uid;
        unsigned held, waiting;
        List link;
} Account;

typedef struct Entry {
        Lease lease; /* first, so that a Lease found by id is its Entry */
        Queue *queue;
        Account *account;
        List link;    /* in its queue's holders or waiters */
        HeapLink due; /* end of the wait, of the limit, or of the grace */
} Entry;

void load_add(Load *load, const Lease *lease, int count);

/* Whether a lease of that kind on those parts excludes none that the load is made of. */
bool load_allows(const Load *load, LeaseKind kind, unsigned parts);

/* In a list of queues. get makes one that is missing, NULL without memory. */
Queue *queue_find(const List *queues, LeaseProbe probe);
Queue *queue_get(List *queues, LeaseProbe probe);
void queue_drop_if_idle(Queue *queue);

/* Whether a lease can be granted now without overtaking those ahead, whom it would keep waiting. */
bool queue_may_grant(const Queue *queue, const Load *ahead, LeaseKind kind, unsigned parts);

/* Whether some part that a waiter wants is not taken by itself: else looking on is in vain. */
bool queue_has_hope(const Queue *queue, const Load *ahead);

/* In a list of accounts, likewise. */
Account *account_get(List *accounts, uid_t uid);
void account_drop_if_idle(Account *account);

/* An entry that is in no list joins the end of its queue's waiters or holders, as its lease's state
 * says; or leaves what it is in. */
void entry_join(Entry *entry);
void entry_join_by_age(Entry *entry); /* where it would be had it joined in its time */
void entry_leave(Entry *entry);
