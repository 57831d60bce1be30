/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The SWO receiver: a ring of the size that the host asked for, at most TRACE_SIZE_MAX. */
#define TRACE_SIZE_MAX 4096 /* what every tool asks for */

typedef struct Trace {
        bool active;
        size_t size; /* of the ring */
        size_t start, count;
        uint8_t ring[TRACE_SIZE_MAX];
} Trace;

void trace_start(Trace *trace, size_t size);
void trace_stop(Trace *trace);

/* Put one byte into the ring; lost when it is full or nothing listens. */
void trace_put(Trace *trace, uint8_t byte);
size_t trace_get(Trace *trace, uint8_t *data, size_t size);
