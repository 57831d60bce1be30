/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ctl/cause.h"

/* What the words mean that a tool printed. The table stands in explain.ini. */

#define EXPLAIN_TEXTS_MAX  12
#define EXPLAIN_CAUSES_MAX 8

typedef struct Explanation {
        const char *name, *tool;
        const char *note; /* "" for none */
        const char *source;
        const char *last; /* a text that counts in the last line only; "" for none */
        const char *texts[EXPLAIN_TEXTS_MAX]; /* ends with NULL */
        Cause causes[EXPLAIN_CAUSES_MAX];     /* the likeliest first; ends with _CAUSE_MAX */
} Explanation;

/* Walk the table: index from 0 until NULL. */
const Explanation *explanation_at(size_t index);

typedef struct ExplainHit {
        const Explanation *explanation;
        const char *text; /* which of its texts */
        size_t line;      /* of what was given, from 0 */
} ExplainHit;

#define EXPLAIN_HITS_MAX 8

/* Find what is known in a text of any origin and size, at most EXPLAIN_HITS_MAX explanations: what
 * comes first in it is the nearest to the cause, and of a line those words that say most. Returns
 * how many. */
size_t explain_find(const char *text, size_t size, ExplainHit *hits);

/* Put the causes of these hits into an order, each once; returns how many. */
size_t explain_causes(const ExplainHit *hits, size_t n, Cause *causes);
