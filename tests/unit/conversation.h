/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <check.h>

#include "proto/session.h"
#include "wire.h"

/* A conversation: what the machine has to send, word for word, and what it is told. */
typedef struct Line {
        const char *command;
        const char *reply; /* NULL: the command has none */
        int error;
        unsigned delay_ms;
        bool drain;
} Line;

#define LINES_MAX 24
typedef struct Conversation {
        const char *what;
        SessionPlan plan;
        SessionOptions options;
        int result;
        Line lines[LINES_MAX];
} Conversation;

_unused_ static const Line *play_line(const Line *line, Session *session, const Step *step,
                                      const char *what) {
        uint8_t expected[COMMAND_SIZE] = {}, reply[64];
        size_t n = line->reply ? wire_parse(line->reply, reply, sizeof(reply)) : 0;

        ck_assert_msg(line->command != NULL, "%s: %02X %02X too much", what, step->command.bytes[0],
                      step->command.bytes[1]);
        wire_parse(line->command, expected, sizeof(expected));
        ck_assert_msg(memcmp(step->command.bytes, expected, COMMAND_SIZE) == 0,
                      "%s: %02X %02X in place of %s", what, step->command.bytes[0],
                      step->command.bytes[1], line->command);
        ck_assert_msg(step->delay == line->delay_ms * USEC_PER_MSEC, "%s: delay before %s", what,
                      line->command);
        ck_assert_msg(step->drain == line->drain, "%s: drain before %s", what, line->command);
        ck_assert_msg((step->command.in_size == 0) == (!line->reply && line->error == 0) ||
                              line->error < 0,
                      "%s: whether %s has a reply", what, line->command);
        session_feed(session, line->error, reply, n);
        return line + 1;
}

_unused_ static void play(Session *session, const Conversation *c) {
        const Line *line = c->lines;
        Step step;
        int r;

        session_begin(session, c->plan);
        while ((r = session_next(session, &step)) > 0)
                line = play_line(line, session, &step, c->what);
        ck_assert_msg(r == c->result, "%s: ended with %d", c->what, r);
        ck_assert_msg(line->command == NULL, "%s: %s was not sent", c->what, line->command);
        ck_assert_int_eq(session_next(session, &step), r);
}

#define F1_V2 \
        { "F1", "2947 8304 4837" }
#define F1_V2_1 \
        { "F1", "2B61 8304 4B37" }
#define F1_V3 \
        { "F1", "3000 8304 4F37" }
#define FB_V3 \
        { "FB", "0301 0A03 0500 0000 8304 4F37" }
#define F7_3300 \
        { "F7", "E8030000 5F050000" }
#define OK "8000"
#define IDLE \
        { "F5", "0100" }
#define LOADER \
        { "F5", "0001" }
#define DIVISOR \
        { "F2 43 0100", OK }
#define ENTER \
        { "F2 30 A300", OK }
#define KHZ_LIST(current)                                                                     \
        {                                                                                     \
                "F2 62 00", "80000000" current "03000000 C05D0000 401F0000 E8030000 00000000" \
                            "00000000 00000000 00000000 00000000 00000000 00000000"           \
        }
