/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/macro.h"
#include "base/time.h"

/* The journal of use: who held what from when to when. A file of JSON objects, one a line, of
 * bounded size, in the order of writing. Each is written when something has ended, and for what
 * lasts also when it began, so that a crash leaves the beginning; both have the same key then. */

typedef enum HistoryEvent {
        HISTORY_LEASE,   /* a lease was held */
        HISTORY_WAIT,    /* somebody waited for a lease and did not get it */
        HISTORY_USE,     /* a program without a lease had it open */
        HISTORY_REFUSED, /* somebody wanted it and did not get it */
        HISTORY_START,   /* the daemon was started: what was open has ended some time before */
        _HISTORY_EVENT_MAX,
} HistoryEvent;

typedef struct HistoryRecord {
        HistoryEvent event;
        const char *key;                             /* the same for beginning and end */
        const char *probe, *user, *command, *reason; /* NULL or "": left out */
        const char *why;                             /* how it ended; NULL: it has begun */
        const char *holder;                          /* for whom he was refused */
        uid_t uid;
        pid_t pid;
        Usec since, until; /* CLOCK_REALTIME; until 0: it has begun */
        Usec waited;       /* span before that */
        uint64_t count;    /* how many times, when several are told in one; 0: once */
} HistoryRecord;

typedef struct History History;

/* directory NULL: nothing is kept. 0 or a negative errno. */
int history_new(const char *directory, History **ret);
History *history_free(History *history);
DEFINE_CLEANUP(History *, history_free)

/* Write one. What cannot be written is logged, once until it works again. */
void history_add(History *history, const HistoryRecord *record);

/* A descriptor to read it by, which the caller closes; -ENOENT when nothing is kept. */
int history_open(const History *history);
