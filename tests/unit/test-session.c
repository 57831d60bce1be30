/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "conversation.h"
#include "proto/session.h"
#include "proto/status.h"

static const Conversation identify[] = {
        { "V2, idle", SESSION_IDENTIFY, {}, 0, { F1_V2, IDLE, F7_3300 } },
        { "V2 in its loader: no more than two", SESSION_IDENTIFY, {}, 0, { F1_V2, LOADER } },
        { "V2-1 in use by nobody, left in debug",
          SESSION_IDENTIFY,
          {},
          0,
          { F1_V2_1, { "F5", "0200" }, F7_3300 } },
        { "V3", SESSION_IDENTIFY, {}, 0, { F1_V3, IDLE, FB_V3, F7_3300 } },
        { "V3 in its loader", SESSION_IDENTIFY, {}, 0, { F1_V3, LOADER } },
        { "old V2 without voltage", SESSION_IDENTIFY, {}, 0, { { "F1", "2300 8304 4837" }, IDLE } },
        { "V1", SESSION_IDENTIFY, {}, 0, { { "F1", "1340 8304 4437" }, IDLE } },
        { "voltage that cannot be measured",
          SESSION_IDENTIFY,
          {},
          0,
          { F1_V2, IDLE, { "F7", "00000000 5F050000" } } },
        { "voltage that makes no sense",
          SESSION_IDENTIFY,
          {},
          -EPROTO,
          { F1_V2, IDLE, { "F7", "01000000 FFFFFFFF" } } },
        { "answer left by a crashed tool",
          SESSION_IDENTIFY,
          {},
          0,
          { { "F1", "8000" }, { "F1", "2947 8304 4837", .drain = true }, IDLE, F7_3300 } },
        { "left answer to the very same command",
          SESSION_IDENTIFY,
          {},
          0,
          { F1_V2,
            { "F5", "2947 8304 4837" },
            { "F1", "2947 8304 4837", .drain = true },
            IDLE,
            F7_3300 } },
        { "command taken for data of a crashed tool",
          SESSION_IDENTIFY,
          {},
          0,
          { { "F1", "", -ETIME }, { "F1", "2947 8304 4837", .drain = true }, IDLE, F7_3300 } },
        { "stalled by a crashed tool",
          SESSION_IDENTIFY,
          {},
          0,
          { { "F1", "", -EPIPE }, { "F1", "2947 8304 4837", .drain = true }, IDLE, F7_3300 } },
        { "babble",
          SESSION_IDENTIFY,
          {},
          0,
          { { "F1", "", -EOVERFLOW }, { "F1", "2947 8304 4837", .drain = true }, IDLE, F7_3300 } },
        { "garbage for ever",
          SESSION_IDENTIFY,
          {},
          -EPROTO,
          { { "F1", "DEADBEEFDEAD" }, { "F1", "DEADBEEFDEAD", .drain = true } } },
        { "silence for ever",
          SESSION_IDENTIFY,
          {},
          -ETIMEDOUT,
          { { "F1", "", -ETIME }, { "F1", "", -ETIME, .drain = true } } },
        { "wedged: does not even take it",
          SESSION_IDENTIFY,
          {},
          -ETIMEDOUT,
          { { "F1", "", -ETIMEDOUT } } },
        { "unplugged", SESSION_IDENTIFY, {}, -ENODEV, { F1_V2, { "F5", "", -ENODEV } } },
        { "short answer later on",
          SESSION_IDENTIFY,
          {},
          -EPROTO,
          { F1_V3, IDLE, { "FB", "0301" } } },
        { "mode that does not exist",
          SESSION_IDENTIFY,
          {},
          -EPROTO,
          { F1_V2,
            { "F5", "7700" },
            { "F1", "2947 8304 4837", .drain = true },
            { "F5", "7700" } } },
};

START_TEST(plan_identify) {
        const Conversation *c = &identify[_i];
        Session session;

        session_init(&session, &c->options);
        ck_assert_int_eq(session.info.millivolts, -1);
        play(&session, c);
        if (c->result == 0)
                ck_assert_uint_ne(session.info.firmware.major, 0);
}
END_TEST

static const Conversation enter[] = {
        { "V2, idle: SWD with the fourth command",
          SESSION_ENTER_SWD,
          {},
          0,
          { F1_V2, IDLE, DIVISOR, ENTER } },
        { "V2 found in debug mode",
          SESSION_ENTER_SWD,
          {},
          0,
          { F1_V2, { "F5", "0200" }, { "F2 21", NULL }, DIVISOR, ENTER } },
        { "V2 found in SWIM",
          SESSION_ENTER_SWD,
          {},
          0,
          { F1_V2, { "F5", "0300" }, { "F4 01", NULL }, DIVISOR, ENTER } },
        { "old V2 without a divisor",
          SESSION_ENTER_SWD,
          {},
          0,
          { { "F1", "2500 8304 4837" }, IDLE, ENTER } },
        { "slow",
          SESSION_ENTER_SWD,
          { .swd_khz = 100 },
          0,
          { F1_V2, IDLE, { "F2 43 2800", OK }, ENTER } },
        { "clone that cannot set its clock",
          SESSION_ENTER_SWD,
          {},
          0,
          { F1_V2, IDLE, { "F2 43 0100", "4200" }, ENTER } },
        { "V3",
          SESSION_ENTER_SWD,
          {},
          0,
          { F1_V3,
            IDLE,
            FB_V3,
            KHZ_LIST("C05D0000"),
            { "F2 61 0000 E8030000", "80000000 E8030000" },
            ENTER } },
        { "V3 at the right clock already",
          SESSION_ENTER_SWD,
          {},
          0,
          { F1_V3, IDLE, FB_V3, KHZ_LIST("E8030000"), ENTER } },
        { "V3, fast",
          SESSION_ENTER_SWD,
          { .swd_khz = 10000 },
          0,
          { F1_V3,
            IDLE,
            FB_V3,
            KHZ_LIST("E8030000"),
            { "F2 61 0000 401F0000", "80000000 401F0000" },
            ENTER } },
        { "V2 at rest in its loader",
          SESSION_ENTER_SWD,
          { .may_leave_loader = true },
          0,
          { F1_V2,
            LOADER,
            { "F3 03", "000000000200" },
            { "F3 07", NULL },
            F1_V2,
            IDLE,
            DIVISOR,
            ENTER } },
        { "loader in the middle of an update",
          SESSION_ENTER_SWD,
          { .may_leave_loader = true },
          -EINPROGRESS,
          { F1_V2, LOADER, { "F3 03", "006400000500" } } },
        { "loader in an error",
          SESSION_ENTER_SWD,
          { .may_leave_loader = true },
          -EINPROGRESS,
          { F1_V2, LOADER, { "F3 03", "0B0000000A00" } } },
        { "loader we must not leave", SESSION_ENTER_SWD, {}, -EPERM, { F1_V2, LOADER } },
        { "loader without an application",
          SESSION_ENTER_SWD,
          { .may_leave_loader = true },
          -EIO,
          { F1_V2, LOADER, { "F3 03", "000000000000" }, { "F3 07", NULL }, F1_V2, LOADER } },
        { "loader that re-enumerates",
          SESSION_ENTER_SWD,
          { .may_leave_loader = true },
          -ENODEV,
          { F1_V2,
            LOADER,
            { "F3 03", "000000000000" },
            { "F3 07", NULL },
            { "F1", "", -ENODEV } } },
        { "loader whose application needs a moment",
          SESSION_ENTER_SWD,
          { .may_leave_loader = true },
          0,
          { F1_V2,
            LOADER,
            { "F3 03", "000000000000" },
            { "F3 07", NULL },
            { "F1", "", -ETIME },
            { "F1", "2947 8304 4837", .drain = true },
            IDLE,
            DIVISOR,
            ENTER } },
        { "no SWD: STM8 board",
          SESSION_ENTER_SWD,
          {},
          -EOPNOTSUPP,
          { { "F1", "2587 8304 4B37" }, IDLE } },
        { "V1 of the first generation: entering has no answer, the debug port has",
          SESSION_ENTER_SWD,
          {},
          0,
          { { "F1", "1280 8304 4437" }, IDLE, { "F2 20 A3", NULL }, { "F2 22", "7714A01B" } } },
        { "V1 of the first generation, no target",
          SESSION_ENTER_SWD,
          {},
          -EREMOTEIO,
          { { "F1", "1280 8304 4437" }, IDLE, { "F2 20 A3", NULL }, { "F2 22", "00000000" } } },
        { "V1J13", SESSION_ENTER_SWD, {}, 0, { { "F1", "1340 8304 4437" }, IDLE, ENTER } },
        { "no target",
          SESSION_ENTER_SWD,
          {},
          -EREMOTEIO,
          { F1_V2, IDLE, DIVISOR, { "F2 30 A300", "0900" } } },
        { "target that wakes up",
          SESSION_ENTER_SWD,
          {},
          0,
          { F1_V2,
            IDLE,
            DIVISOR,
            { "F2 30 A300", "1400" },
            { "F2 30 A300", "1400", .delay_ms = 1 },
            { "F2 30 A300", OK, .delay_ms = 2 } } },
        { "garbage on entering",
          SESSION_ENTER_SWD,
          {},
          -EPROTO,
          { F1_V2, IDLE, DIVISOR, { "F2 30 A300", "7777" } } },
        { "silence on entering",
          SESSION_ENTER_SWD,
          {},
          -ETIMEDOUT,
          { F1_V2, IDLE, DIVISOR, { "F2 30 A300", "", -ETIME } } },
        { "V3, known by its product ID: SWD with the fourth command",
          SESSION_ENTER_SWD,
          { .generation = 3 },
          0,
          { IDLE, FB_V3, KHZ_LIST("E8030000"), ENTER } },
        { "V3, known by its product ID, at rest in its loader",
          SESSION_ENTER_SWD,
          { .generation = 3, .may_leave_loader = true },
          0,
          { LOADER,
            { "F3 03", "000000000000" },
            { "F3 07", NULL },
            F1_V3,
            IDLE,
            FB_V3,
            KHZ_LIST("E8030000"),
            ENTER } },
        { "V3 with the product ID of another generation",
          SESSION_ENTER_SWD,
          { .generation = 4 },
          0,
          { IDLE, FB_V3, F1_V3, IDLE, FB_V3, KHZ_LIST("E8030000"), ENTER } },
};

START_TEST(plan_enter) {
        const Conversation *c = &enter[_i];
        Session session;

        session_init(&session, &c->options);
        play(&session, c);
        if (c->result == 0)
                ck_assert_int_eq(session.mode, PROBE_MODE_DEBUG);
        if (c->result == -EREMOTEIO)
                ck_assert_uint_eq(session.status, STATUS_GET_IDCODE_ERROR);
}
END_TEST

START_TEST(enter_details) {
        Session session;

        session_init(&session, &enter[0].options);
        play(&session, &enter[0]);
        ck_assert_uint_eq(session.info.commands, 4);
        ck_assert_uint_eq(session.info.swd_khz, 1800);
        ck_assert_int_eq(session.info.mode, PROBE_MODE_MASS);

        session_init(&session, &enter[5].options);
        play(&session, &enter[5]);
        ck_assert_uint_eq(session.info.swd_khz, 0);

        session_init(&session, &enter[8].options);
        play(&session, &enter[8]);
        ck_assert_uint_eq(session.info.swd_khz, 8000);

        session_init(&session, &enter[9].options);
        play(&session, &enter[9]);
        ck_assert(session.info.left_loader);
        ck_assert_int_eq(session.info.mode, PROBE_MODE_LOADER);
        ck_assert_int_eq(session.mode, PROBE_MODE_DEBUG);
}
END_TEST

START_TEST(plan_others) {
        static const Conversation voltage = {
                "voltage", SESSION_MEASURE_VOLTAGE, {}, 0, { F7_3300 }
        };
        static const Conversation none = {
                "no voltage", SESSION_MEASURE_VOLTAGE, {}, -EOPNOTSUPP, {}
        };
        static const Conversation leave = {
                "leave", SESSION_LEAVE_SWD, {}, 0, { { "F2 21", NULL } }
        };
        Session session;

        session_init(&session, &enter[0].options);
        play(&session, &none);
        play(&session, &enter[0]);
        play(&session, &voltage);
        ck_assert_int_eq(session.info.millivolts, 3300);
        play(&session, &leave);
        ck_assert_int_eq(session.mode, PROBE_MODE_MASS);
}
END_TEST

/* Whatever goes wrong with one answer, and whenever: the machine ends, soon, and says so. */
static int play_with_fault(const Conversation *c, size_t at, int error, const uint8_t *garbage,
                           size_t garbage_size) {
        Session session;
        Step step;
        size_t n = 0;
        int r;

        session_init(&session, &c->options);
        session_begin(&session, c->plan);
        while ((r = session_next(&session, &step)) > 0) {
                uint8_t reply[64], command[COMMAND_SIZE];
                const Line *line = c->lines;

                ck_assert_uint_lt(n, 40);
                if (n++ == at) {
                        session_feed(&session, error, garbage, garbage_size);
                        continue;
                }
                do {
                        memset(command, 0, sizeof(command));
                        wire_parse(line->command, command, sizeof(command));
                        if (memcmp(command, step.command.bytes, sizeof(command)) == 0)
                                break;
                } while ((++line)->command);
                session_feed(&session, line->command ? 0 : -ENODEV, reply,
                             line->command && line->reply
                                     ? wire_parse(line->reply, reply, sizeof(reply))
                                     : 0);
        }
        return r;
}

static void check_fault(const Conversation *c, size_t at, unsigned *seed) {
        static const struct {
                int error;
                bool again; /* is worth a second try at the start */
                int result;
        } errors[] = {
                { -ENODEV, false, -ENODEV },       { -ETIMEDOUT, false, -ETIMEDOUT },
                { -ETIME, true, -ETIMEDOUT },      { -EPIPE, true, -EPROTO },
                { -EOVERFLOW, true, -EPROTO },     { -EIO, false, -EIO },
                { -ECANCELED, false, -ECANCELED },
        };

        for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
                int r = play_with_fault(c, at, errors[i].error, NULL, 0);

                ck_assert_msg(r == (errors[i].again && at < 2 ? 0 : errors[i].result),
                              "%s: %s with %d ended with %d", c->what, c->lines[at].command,
                              errors[i].error, r);
        }
        for (size_t size = 0; size <= 64; size++) {
                uint8_t garbage[64];
                int r;

                for (size_t i = 0; i < size; i++)
                        garbage[i] = (uint8_t) rand_r(seed);
                r = play_with_fault(c, at, 0, garbage, size);
                ck_assert_msg(r <= 0, "%s", c->what);
                if (at < 2 || !c->lines[at].reply)
                        ck_assert_int_eq(r, 0);
                else if (size < 2)
                        ck_assert_int_eq(r, -EPROTO);
        }
}

START_TEST(faults) {
        static const Conversation *const all[] = { &identify[0], &identify[3], &enter[0], &enter[1],
                                                   &enter[6] };
        unsigned seed = 1;

        for (size_t i = 0; i < ELEMENTSOF(all); i++)
                for (size_t at = 0; all[i]->lines[at].command; at++)
                        check_fault(all[i], at, &seed);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("session");
        TCase *tcase = tcase_create("session");
        SRunner *runner;
        int failed;

        tcase_add_loop_test(tcase, plan_identify, 0, ELEMENTSOF(identify));
        tcase_add_loop_test(tcase, plan_enter, 0, ELEMENTSOF(enter));
        tcase_add_test(tcase, enter_details);
        tcase_add_test(tcase, plan_others);
        tcase_add_test(tcase, faults);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
