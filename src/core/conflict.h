/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macro.h"
#include "base/string-table.h"
#include "base/time.h"
#include "core/lease.h"
#include "core/serial.h"

/* Who wanted what somebody else holds, and what was decided.
 *
 * A ConflictTable keeps the last ones and decides which are to be told of, and when. Somebody may
 * try a thousand times in a second, from as many processes: what is the same but for the time is
 * counted in one conflict, which is told of at once and then less and less often. A user who
 * causes many different ones has the rest counted together. So neither the table nor what is
 * told grows with what one user does. It does no I/O, reads no clock, logs nothing. */

typedef enum ConflictKind {
        CONFLICT_KEPT_OUT, /* the gate kept him from opening or using the node */
        CONFLICT_BUSY,     /* he asked for a lease, and not to wait for it */
        CONFLICT_TIMEOUT,  /* he waited for a lease until his deadline */
        CONFLICT_DENIED,   /* he may not, says polkit */
        CONFLICT_DETACHED, /* he had the debug interface claimed; it was taken from him for the
                            * holder of a lease */
        _CONFLICT_KIND_MAX,
} ConflictKind;

/* "kept-out", "busy", "timeout", "denied", "detached" */
DECLARE_STRING_TABLE(conflict_kind, ConflictKind);

#define CONFLICT_NAME_MAX   64
#define CONFLICT_REASON_MAX 257

/* One side. What is not known is 0 or "". */
typedef struct ConflictParty {
        pid_t pid;
        uid_t uid;
        char user[CONFLICT_NAME_MAX]; /* "" when there is nobody on this side */
        char command[CONFLICT_NAME_MAX];
        char reason[CONFLICT_REASON_MAX]; /* as given with his request for a lease */
        LeaseId lease;
} ConflictParty;

typedef struct Conflict {
        uint64_t number; /* from 1 on, never used twice */
        ConflictKind kind;
        LeaseProbe probe;
        char probe_id[PROBE_ID_MAX];
        ConflictParty wanted; /* he who did not get it */
        ConflictParty holder; /* whom he was refused for; lease is 0 when that one has none */
        uint32_t request;     /* KEPT_OUT: the ioctl(2) that was refused last, 0: an open(2) */
        uint64_t count;       /* how many times, up to now */
        bool several;         /* by other commands, too; wanted is the last one */
        Usec first, last;
} Conflict;

typedef struct ConflictTable ConflictTable;

int conflict_table_new(ConflictTable **ret);
ConflictTable *conflict_table_free(ConflictTable *table);
DEFINE_CLEANUP(ConflictTable *, conflict_table_free)

/* One happened, what->count times (0 counts as 1). number, several, first and last are the
 * table's to fill in. -ENOMEM. */
_check_result_ int conflict_note(ConflictTable *table, const Conflict *what, Usec now);

/* One that is to be told of now, after which it is told; NULL when there is none left. */
const Conflict *conflict_take(ConflictTable *table, Usec now);

/* When conflict_take() has one next; USEC_INFINITY for never. */
Usec conflict_next_event(const ConflictTable *table);

/* Walk those of a probe from the oldest, by number; previous is 0 to start, the end is NULL. */
const Conflict *conflict_next(const ConflictTable *table, LeaseProbe probe, uint64_t previous);

/* How many are kept at most */
#define CONFLICTS_MAX 128
