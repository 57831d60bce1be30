/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/macro.h"
#include "base/time.h"

/* The journal of use, as Manager.GetHistory hands it out. */

typedef enum SpanKind {
        SPAN_LEASE,
        SPAN_WAIT,
        SPAN_USE,
        SPAN_REFUSED,
        _SPAN_KIND_MAX,
} SpanKind;

const char *span_kind_to_string(SpanKind kind); /* as in the journal: "lease" … */

typedef struct Span {
        SpanKind kind;
        char *key, *probe, *user, *command, *reason, *holder, *why; /* NULL: not said */
        int64_t uid, pid;
        Usec since, until; /* CLOCK_REALTIME; until 0: it goes on */
        Usec waited;
        uint64_t count; /* 0: once */
        bool lost;      /* stlinkd did not see its end, which was before until */
        size_t line;
} Span;

typedef struct History {
        Span *spans; /* by since, when it was finished */
        size_t n;
        Usec *starts; /* of stlinkd, in order */
        size_t n_starts;
} History;

void history_done(History *history);

/* Read a journal; lines that make no sense are skipped. 0 or a negative errno. */
int history_read(FILE *file, History *history);

/* Put beginnings and ends together, and sort. is_live tells whether something that has begun and
 * not ended goes on, though stlinkd was started anew since. */
void history_finish(History *history, bool (*is_live)(const Span *span, void *userdata),
                    void *userdata);

/* Forget the rest. */
void history_keep(History *history, bool (*is_wanted)(const Span *span, void *userdata),
                  void *userdata);

/* "30min", "2d": that long before now; "10:30", "2026-11-24", "2026-11-24 10:30", "today",
 * "yesterday". 0 or -EINVAL. */
int history_parse_since(const char *text, Usec now, Usec *ret);

/* Draw a bar for each probe from one time to another. */
void history_draw(FILE *file, const History *history, Usec from, Usec to);
