/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/heap.h"

void heap_done(Heap *heap) {
        free(heap->items);
        *heap = (Heap){};
}

int heap_reserve(Heap *heap, size_t n) {
        size_t allocated = MAX(heap->allocated * 2, (size_t) 8);
        HeapLink **items;

        if (n <= heap->allocated)
                return 0;
        allocated = MAX(allocated, n);
        items = reallocarray(heap->items, allocated, sizeof(*items));
        if (!items)
                return -ENOMEM;
        heap->items = items;
        heap->allocated = allocated;
        return 0;
}

static void put(Heap *heap, size_t position, HeapLink *link) {
        heap->items[position - 1] = link;
        link->position = position;
}

static HeapLink *at(const Heap *heap, size_t position) {
        return heap->items[position - 1];
}

static bool is_before(const HeapLink *a, const HeapLink *b) {
        return a->when < b->when || (a->when == b->when && a->rank < b->rank);
}

static void sift_up(Heap *heap, HeapLink *link) {
        size_t position = link->position;

        while (position > 1 && is_before(link, at(heap, position / 2))) {
                put(heap, position, at(heap, position / 2));
                position /= 2;
        }
        put(heap, position, link);
}

static void sift_down(Heap *heap, HeapLink *link) {
        size_t position = link->position;

        for (;;) {
                size_t child = position * 2;

                if (child > heap->n)
                        break;
                if (child < heap->n && is_before(at(heap, child + 1), at(heap, child)))
                        child++;
                if (!is_before(at(heap, child), link))
                        break;
                put(heap, position, at(heap, child));
                position = child;
        }
        put(heap, position, link);
}

static void take_out(Heap *heap, HeapLink *link) {
        HeapLink *last = at(heap, heap->n);
        size_t position = link->position;

        heap->n--;
        link->position = 0;
        if (last == link)
                return;
        put(heap, position, last);
        sift_up(heap, last);
        sift_down(heap, last);
}

void heap_set(Heap *heap, HeapLink *link, Usec when) {
        link->when = when;
        if (when == USEC_INFINITY) {
                if (link->position > 0)
                        take_out(heap, link);
                return;
        }

        if (link->position == 0) {
                assert(heap->n < heap->allocated);
                put(heap, ++heap->n, link);
        }
        sift_up(heap, link);
        sift_down(heap, link);
}
