/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/conflict.h"

/* What comes later than that after the last time is another conflict. */
#define MERGE_SPAN (60 * USEC_PER_SEC)
/* Between two tellings of the same conflict, doubled from the first to the last */
#define TELL_GAP_MIN USEC_PER_SEC
#define TELL_GAP_MAX (64 * USEC_PER_SEC)
/* How many a user can have open at a time before they are counted together */
#define OPEN_MAX 8

typedef struct Entry {
        Conflict conflict;
        uint64_t told; /* how much of count */
        Usec due;      /* when more of it may be told */
        Usec gap;      /* from then on to the next time */
} Entry;

struct ConflictTable {
        Entry *entries; /* by number */
        size_t n, allocated;
        uint64_t last_number;
};

static const char *const conflict_kind_table[_CONFLICT_KIND_MAX] = {
        [CONFLICT_KEPT_OUT] = "kept-out", [CONFLICT_BUSY] = "busy",
        [CONFLICT_TIMEOUT] = "timeout",   [CONFLICT_DENIED] = "denied",
        [CONFLICT_DETACHED] = "detached",
};

DEFINE_STRING_TABLE(conflict_kind, ConflictKind)

int conflict_table_new(ConflictTable **ret) {
        *ret = calloc(1, sizeof(**ret));
        return *ret ? 0 : -ENOMEM;
}

ConflictTable *conflict_table_free(ConflictTable *table) {
        if (!table)
                return NULL;
        free(table->entries);
        free(table);
        return NULL;
}

static bool is_open(const Entry *entry, Usec now) {
        return now < usec_add(entry->conflict.last, MERGE_SPAN);
}

/* Whether it is the same but for the holder's lease and the command. */
static bool is_alike(const Conflict *a, const Conflict *b) {
        return a->kind == b->kind && a->probe == b->probe && a->wanted.uid == b->wanted.uid;
}

static bool is_same(const Conflict *a, const Conflict *b) {
        return is_alike(a, b) && a->holder.lease == b->holder.lease &&
               strcmp(a->wanted.command, b->wanted.command) == 0;
}

/* The one that counts it: the same one, or when its user has enough of them, the last one alike. */
static Entry *find_open(ConflictTable *table, const Conflict *what, Usec now) {
        Entry *alike = NULL;
        size_t n = 0;

        for (size_t i = table->n; i-- > 0;) {
                Entry *entry = &table->entries[i];

                if (!is_open(entry, now) || entry->conflict.wanted.uid != what->wanted.uid)
                        continue;
                if (is_same(&entry->conflict, what))
                        return entry;
                if (!alike && is_alike(&entry->conflict, what))
                        alike = entry;
                n++;
        }
        return n >= OPEN_MAX ? alike : NULL;
}

static size_t count_of(const ConflictTable *table, uid_t uid) {
        size_t n = 0;

        for (size_t i = 0; i < table->n; i++)
                n += table->entries[i].conflict.wanted.uid == uid;
        return n;
}

/* Forget the oldest one of him who has most, so that nobody makes another's forgotten. */
static void make_room(ConflictTable *table) {
        size_t victim = 0, most = 0;

        for (size_t i = 0; i < table->n; i++) {
                size_t n = count_of(table, table->entries[i].conflict.wanted.uid);

                if (n > most) {
                        most = n;
                        victim = i;
                }
        }
        table->n--;
        memmove(table->entries + victim, table->entries + victim + 1,
                (table->n - victim) * sizeof(*table->entries));
}

static int reserve(ConflictTable *table) {
        size_t wanted = MAX(table->allocated * 2, (size_t) 8); /* reaches CONFLICTS_MAX */
        Entry *entries;

        if (table->n == CONFLICTS_MAX)
                make_room(table);
        if (table->n < table->allocated)
                return 0;
        entries = reallocarray(table->entries, wanted, sizeof(*entries));
        if (!entries)
                return -ENOMEM;
        table->entries = entries;
        table->allocated = wanted;
        return 0;
}

int conflict_note(ConflictTable *table, const Conflict *what, Usec now) {
        Entry *entry = find_open(table, what, now);
        uint64_t count = MAX(what->count, UINT64_C(1));
        Conflict *known;
        int r;

        if (!entry) {
                r = reserve(table);
                if (r < 0)
                        return r;
                entry = &table->entries[table->n++];
                *entry = (Entry){ .conflict = *what, .due = now, .gap = TELL_GAP_MIN };
                entry->conflict.number = ++table->last_number;
                entry->conflict.count = 0;
                entry->conflict.several = false;
                entry->conflict.first = now;
        }
        known = &entry->conflict;
        known->several |= strcmp(known->wanted.command, what->wanted.command) != 0;
        known->wanted = what->wanted;
        known->holder = what->holder;
        known->request = what->request;
        known->count += count;
        known->last = now;
        return 0;
}

const Conflict *conflict_take(ConflictTable *table, Usec now) {
        for (size_t i = 0; i < table->n; i++) {
                Entry *entry = &table->entries[i];

                if (entry->told == entry->conflict.count || now < entry->due)
                        continue;
                entry->told = entry->conflict.count;
                entry->due = usec_add(now, entry->gap);
                entry->gap = MIN(entry->gap * 2, TELL_GAP_MAX);
                return &entry->conflict;
        }
        return NULL;
}

Usec conflict_next_event(const ConflictTable *table) {
        Usec next = USEC_INFINITY;

        for (size_t i = 0; i < table->n; i++)
                if (table->entries[i].told != table->entries[i].conflict.count)
                        next = MIN(next, table->entries[i].due);
        return next;
}

const Conflict *conflict_next(const ConflictTable *table, LeaseProbe probe, uint64_t previous) {
        for (size_t i = 0; i < table->n; i++)
                if (table->entries[i].conflict.number > previous &&
                    table->entries[i].conflict.probe == probe)
                        return &table->entries[i].conflict;
        return NULL;
}
