/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "base/macro.h"
#include "base/time.h"

/* A priority queue of things that are due at a time: a binary heap of links that live in the
 * things themselves. The heap never allocates while things are put in or taken out; room is
 * made beforehand with heap_reserve(). */

typedef struct HeapLink {
        Usec when;
        uint64_t rank;   /* the lower comes first when two are due at the same time */
        size_t position; /* in the heap's array, from 1 on; 0: not in the heap */
} HeapLink;

typedef struct Heap {
        HeapLink **items;
        size_t n, allocated;
} Heap;

/* Free the array. The links are the caller's. */
void heap_done(Heap *heap);

/* Make room for n links in all. 0 or -ENOMEM. */
_check_result_ int heap_reserve(Heap *heap, size_t n);

/* Put link in at that time, or move it there; USEC_INFINITY takes it out. Room for one more
 * link must have been reserved. */
void heap_set(Heap *heap, HeapLink *link, Usec when);

/* The link that is due first; NULL when the heap is empty. */
static inline HeapLink *heap_first(const Heap *heap) {
        return heap->n > 0 ? heap->items[0] : NULL;
}
