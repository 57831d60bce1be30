/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/polkit.h"
#include "fake-polkit.h"

/* Questions to polkit by an object made for it: those that change, that nobody answers, and that
 * nobody asks again. */

#define OBJECT    "/test"
#define INTERFACE "io.github.stlinkd1.Test"

static World world;
static Authority authority;
static Client client;
static Polkit *polkit;

/* What the method asks, and what came of it. */
static struct {
        uid_t uid;
        const char *action, *value;
        bool twice;
        unsigned calls, done;
} method;

static int on_call(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        PolkitDetail detail = { "key", method.value };
        BusCaller caller = { .uid = method.uid, .name = sd_bus_message_get_sender(message) };
        int r;

        (void) userdata;
        if (!sd_bus_message_is_method_call(message, INTERFACE, "Do"))
                return 0;
        method.calls++;
        r = polkit_check(polkit, message, &caller, method.action, &detail, 1, error);
        if (r == POLKIT_PENDING && method.twice)
                r = polkit_check(polkit, message, &caller, method.action, &detail, 1, error);
        if (r < 0)
                return r;
        if (r == POLKIT_PENDING)
                return 1;
        ck_assert_int_eq(r, POLKIT_YES);
        method.done++;
        return sd_bus_reply_method_return(message, NULL);
}

static sd_bus_slot *object;

static void make_polkit(Usec timeout) {
        PolkitLimits limits = { .timeout = timeout, .pending = 1 };

        polkit_free(polkit);
        ck_assert_int_eq(polkit_new(world.connection, &limits, &polkit), 0);
}

static void begin(void) {
        world_begin(&world);
        ck_assert_int_ge(sd_bus_add_object(world.connection, &object, OBJECT, on_call, NULL), 0);
        make_polkit(20 * USEC_PER_SEC);
        client_begin(&client, &world);
        authority_begin(&authority, &world);
        method.uid = 1000;
        method.action = "io.github.stlinkd1.test";
        method.value = "a";
        authority.yes = true;
}

static void end(void) {
        client_end(&client);
        authority_end(&authority);
        polkit = polkit_free(polkit);
        object = sd_bus_slot_unref(object);
        world_end(&world);
}

typedef struct Outcome {
        bool done;
        char error[64], text[256];
        sd_bus_slot *slot;
} Outcome;

static int on_outcome(sd_bus_message *message, void *userdata, sd_bus_error *unused) {
        const sd_bus_error *error = sd_bus_message_get_error(message);
        Outcome *outcome = userdata;

        (void) unused;
        outcome->done = true;
        if (error) {
                (void) snprintf(outcome->error, sizeof(outcome->error), "%s", error->name);
                (void) snprintf(outcome->text, sizeof(outcome->text), "%s", error->message);
        }
        return 0;
}

static void call(Outcome *outcome) {
        const char *name;

        *outcome = (Outcome){};
        ck_assert_int_ge(sd_bus_get_unique_name(world.connection, &name), 0);
        ck_assert_int_ge(sd_bus_call_method_async(client.bus, &outcome->slot, name, OBJECT,
                                                  INTERFACE, "Do", on_outcome, outcome, ""),
                         0);
}

static void wait_outcome(Outcome *outcome, const char *error) {
        ck_assert(world_wait(&world, &outcome->done));
        outcome->slot = sd_bus_slot_unref(outcome->slot);
        ck_assert_str_eq(outcome->error, error);
}

static void wait_count(const unsigned *counter, unsigned n) {
        Usec deadline = now_usec(CLOCK_MONOTONIC) + 20 * USEC_PER_SEC;

        while (*counter < n && now_usec(CLOCK_MONOTONIC) < deadline)
                world_settle(&world, 10);
        ck_assert_uint_eq(*counter, n);
}

/* Let it be asked, and keep the answer. */
static void call_and_hold(Outcome *outcome) {
        authority.hold = true;
        call(outcome);
        wait_count(&authority.asked, 1);
}

START_TEST(test_called_again_from_the_start) {
        Outcome outcome;

        call(&outcome);
        wait_outcome(&outcome, "");
        ck_assert_uint_eq(method.calls, 2);
        ck_assert_uint_eq(method.done, 1);
}
END_TEST

START_TEST(test_root) {
        Outcome outcome;

        method.uid = 0;
        call(&outcome);
        wait_outcome(&outcome, "");
        ck_assert_uint_eq(method.calls, 1);
        ck_assert_uint_eq(authority.asked, 0);
}
END_TEST

START_TEST(test_other_action) {
        Outcome outcome;

        call_and_hold(&outcome);
        method.action = "io.github.stlinkd1.other";
        authority_answer(&authority);
        wait_outcome(&outcome, SD_BUS_ERROR_FAILED);
        ck_assert_ptr_nonnull(strstr(outcome.text, "try again"));
        ck_assert_uint_eq(method.done, 0);
}
END_TEST

START_TEST(test_other_detail) {
        Outcome outcome;

        call_and_hold(&outcome);
        method.value = "b";
        authority_answer(&authority);
        wait_outcome(&outcome, SD_BUS_ERROR_FAILED);
        ck_assert_uint_eq(method.done, 0);
}
END_TEST

START_TEST(test_twice) {
        Outcome outcome;

        method.twice = true;
        authority.hold = true;
        call(&outcome);
        wait_outcome(&outcome, SD_BUS_ERROR_INVALID_ARGS);
        ck_assert_uint_eq(method.done, 0);
}
END_TEST

/* Nobody types a password: the dialog goes away, and what is said later counts for nothing. */
START_TEST(test_no_answer_in_time) {
        Outcome outcome;

        make_polkit(100 * USEC_PER_MSEC);
        call_and_hold(&outcome);
        wait_outcome(&outcome, SD_BUS_ERROR_ACCESS_DENIED);
        wait_count(&authority.cancelled, 1);
        ck_assert_str_eq(authority.cancelled_id, authority.id);
        authority_answer(&authority);
        world_settle(&world, 20);
        ck_assert_uint_eq(method.calls, 2);
        ck_assert_uint_eq(method.done, 0);
}
END_TEST

/* The object is gone when the answer comes; the question must be, too. */
START_TEST(test_nobody_asks_again) {
        Outcome outcome;

        call_and_hold(&outcome);
        object = sd_bus_slot_unref(object);
        authority_answer(&authority);
        wait_outcome(&outcome, SD_BUS_ERROR_UNKNOWN_OBJECT);
        ck_assert_uint_eq(method.calls, 1);
        world_settle(&world, 20);
        ck_assert_uint_eq(authority.cancelled, 0);

        /* It does not count as an open one. */
        ck_assert_int_ge(sd_bus_add_object(world.connection, &object, OBJECT, on_call, NULL), 0);
        authority.hold = false;
        call(&outcome);
        wait_outcome(&outcome, "");
}
END_TEST

START_TEST(test_freed_meanwhile) {
        Outcome outcome;

        call_and_hold(&outcome);
        polkit = polkit_free(polkit);
        wait_count(&authority.cancelled, 1);
        authority_answer(&authority);
        world_settle(&world, 20);
        ck_assert_uint_eq(method.calls, 1);
        outcome.slot = sd_bus_slot_unref(outcome.slot);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("polkit-question");
        TCase *tcase = tcase_create("question");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 60);
        tcase_add_checked_fixture(tcase, begin, end);
        tcase_add_test(tcase, test_called_again_from_the_start);
        tcase_add_test(tcase, test_root);
        tcase_add_test(tcase, test_other_action);
        tcase_add_test(tcase, test_other_detail);
        tcase_add_test(tcase, test_twice);
        tcase_add_test(tcase, test_no_answer_in_time);
        tcase_add_test(tcase, test_nobody_asks_again);
        tcase_add_test(tcase, test_freed_meanwhile);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
