/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A monkey at the host's end of a simulated probe: it does what a source of bytes tells it. */
typedef struct Monkey Monkey;
struct Monkey {
        /* The next byte; false when there are no more. */
        bool (*next)(Monkey *monkey, uint8_t *ret);
        const uint8_t *data; /* of a source that reads them */
        size_t size;
        uint64_t state; /* of one that makes them */
};

/* Play with a probe of that specification until the bytes end, or for so many steps; then see
 * that a re-plug makes it a good probe again. Aborts when it does not. The number of ST-LINK
 * commands that came through. */
uint64_t monkey_play(Monkey *monkey, const char *spec, unsigned steps);

/* Sources of bytes. */
bool monkey_next_random(Monkey *monkey, uint8_t *ret);
bool monkey_next_byte(Monkey *monkey, uint8_t *ret);
