/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager-world.h"

/* A polkit authority on the world's bus that says what the test says, and remembers what it was
 * asked. */

#define QUESTIONS_MAX 32

typedef struct Authority {
        sd_bus *bus; /* NULL while it is absent */

        /* What it does. */
        bool yes, challenge;
        bool hold;         /* keep the questions, to be answered by authority_answer() */
        bool garbage;      /* an answer of another type */
        const char *error; /* the name of an error to answer with */

        /* What it heard. */
        unsigned asked, cancelled;
        char kind[32], subject[64], action[64], name[64], serial[64], id[64];
        uint32_t flags;
        char cancelled_id[64];
        sd_bus_message *held[QUESTIONS_MAX];
} Authority;

/* It is on the bus when this returns, and says no. */
void authority_begin(Authority *authority, World *world);
void authority_end(Authority *authority);

/* Answer all questions that are held, as it would answer now. */
void authority_answer(Authority *authority);
