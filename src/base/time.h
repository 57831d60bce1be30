/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* A point in time or a span in microseconds. Points are on CLOCK_MONOTONIC unless a name says
 * otherwise, so a step of the wall clock moves none of them. */
typedef uint64_t Usec;

#define USEC_INFINITY UINT64_MAX
#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC  UINT64_C(1000000)

Usec now_usec(clockid_t clock);

/* a + b, or USEC_INFINITY when that overflows or either is infinite. */
static inline Usec usec_add(Usec a, Usec b) {
        return a > USEC_INFINITY - b ? USEC_INFINITY : a + b;
}

/* Parse a span: a number with a unit (us, ms, s, min, h, d; seconds without one), several of
 * them in a row ("1min 30s"), or "infinity". Returns 0, -EINVAL, or -ERANGE. */
int parse_usec(const char *text, Usec *ret);

/* Write a span for people, its two largest units ("1 min 30 s"); returns buffer. */
char *format_usec(char *buffer, size_t size, Usec span);
#define FORMAT_USEC_MAX 32
