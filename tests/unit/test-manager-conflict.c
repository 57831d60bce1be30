/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/names.h"
#include "manager-cast.h"

/* Who wanted what somebody else holds, as anybody sees it on the bus. */

typedef struct Seen {
        bool done;
        unsigned n;
        char kind[32], user[64], command[64], holder_reason[64], message[512];
        uint32_t request;
        uint64_t count;
} Seen;

static void keep(char *buffer, size_t size, sd_bus_message *message) {
        const char *text;

        ck_assert_int_gt(sd_bus_message_read(message, "v", "s", &text), 0);
        (void) snprintf(buffer, size, "%s", text);
}

static void read_conflict(sd_bus_message *message, Seen *seen) {
        const char *key;

        seen->n++;
        ck_assert_int_gt(sd_bus_message_enter_container(message, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
                ck_assert_int_gt(sd_bus_message_read(message, "s", &key), 0);
                if (strcmp(key, "Kind") == 0)
                        keep(seen->kind, sizeof(seen->kind), message);
                else if (strcmp(key, "User") == 0)
                        keep(seen->user, sizeof(seen->user), message);
                else if (strcmp(key, "Command") == 0)
                        keep(seen->command, sizeof(seen->command), message);
                else if (strcmp(key, "HolderReason") == 0)
                        keep(seen->holder_reason, sizeof(seen->holder_reason), message);
                else if (strcmp(key, "Message") == 0)
                        keep(seen->message, sizeof(seen->message), message);
                else if (strcmp(key, "Request") == 0)
                        ck_assert_int_gt(sd_bus_message_read(message, "v", "u", &seen->request), 0);
                else if (strcmp(key, "Count") == 0)
                        ck_assert_int_gt(sd_bus_message_read(message, "v", "t", &seen->count), 0);
                else
                        ck_assert_int_gt(sd_bus_message_skip(message, "v"), 0);
                (void) sd_bus_message_exit_container(message);
        }
        (void) sd_bus_message_exit_container(message);
}

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        (void) error;
        read_conflict(message, userdata);
        return 0;
}

static int on_answer(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Seen *seen = userdata;

        (void) error;
        seen->done = true;
        ck_assert(!sd_bus_message_is_method_error(message, NULL));
        ck_assert_int_gt(sd_bus_message_enter_container(message, 'a', "a{sv}"), 0);
        while (sd_bus_message_at_end(message, false) == 0)
                read_conflict(message, seen);
        return 0;
}

static void watch(Seen *seen) {
        *seen = (Seen){};
        ck_assert_int_ge(sd_bus_add_match(carol.bus, NULL,
                                          "interface='" STLINKD_PROBE_INTERFACE
                                          "',member='Conflict'",
                                          on_signal, seen),
                         0);
        world_settle(&world, 50);
}

static void get_conflicts(Seen *seen) {
        sd_bus_slot *slot = NULL;

        *seen = (Seen){};
        ck_assert_int_ge(sd_bus_call_method_async(carol.bus, &slot, STLINKD_BUS_NAME,
                                                  probe_path(ID), STLINKD_PROBE_INTERFACE,
                                                  "GetConflicts", on_answer, seen, "a{sv}", 0),
                         0);
        ck_assert(world_wait(&world, &seen->done));
        sd_bus_slot_unref(slot);
}

static void lease_it(Answer *first) {
        plug(NODE);
        client_acquire(&alice, ID, first, "reason", "s", "night run", NULL);
        wait_for(first, "");
}

START_TEST(test_busy) {
        Answer first, second;
        Seen told, kept;

        watch(&told);
        lease_it(&first);
        get_conflicts(&kept);
        ck_assert_uint_eq(kept.n, 0);
        client_acquire(&bob, ID, &second, NULL);
        wait_for(&second, "Busy");
        world_settle(&world, 50);
        ck_assert_uint_eq(told.n, 1);
        ck_assert_str_eq(told.kind, "busy");
        ck_assert_str_eq(told.user, "root");
        ck_assert_str_eq(told.command, "test-manager-co"); /* comm has 15 characters */
        ck_assert_str_eq(told.holder_reason, "night run");
        ck_assert_ptr_nonnull(strstr(told.message, "which is leased to root"));
        get_conflicts(&kept);
        ck_assert_uint_eq(kept.n, 1);
        ck_assert_str_eq(kept.message, told.message);
        answer_clear(&second);
        answer_clear(&first);
}
END_TEST

START_TEST(test_timeout) {
        Answer first, second;
        Seen told;

        watch(&told);
        lease_it(&first);
        client_acquire(&bob, ID, &second, WAIT, (uint64_t) 100000, "reason", "s", "mine", NULL);
        wait_for(&second, "Timeout");
        world_settle(&world, 50);
        ck_assert_uint_eq(told.n, 1);
        ck_assert_str_eq(told.kind, "timeout");
        answer_clear(&second);
        answer_clear(&first);
}
END_TEST

START_TEST(test_flood) {
        Answer first, second;
        Seen told, kept;

        watch(&told);
        lease_it(&first);
        for (int i = 0; i < 300; i++) {
                client_acquire(&bob, ID, &second, NULL);
                wait_for(&second, "Busy");
                answer_clear(&second);
        }
        get_conflicts(&kept);
        ck_assert_uint_eq(kept.n, 1);
        ck_assert_uint_eq(kept.count, 300);
        /* At most once a second at first; a slow machine has more of them. */
        ck_assert_uint_lt(told.n, 100);
        for (int i = 0; i < 400 && told.count < 300; i++)
                world_settle(&world, 50);
        ck_assert_uint_eq(told.count, 300);
        answer_clear(&first);
}
END_TEST

START_TEST(test_kept_out) {
        GateRefusal refusal = { .pid = 4321, .uid = 0, .command = "open\033ocd", .count = 7 };
        Answer first;
        Seen told;

        watch(&told);
        lease_it(&first);
        fake_refuse(NODE, &refusal);
        world_settle(&world, 50);
        ck_assert_uint_eq(told.n, 1);
        ck_assert_str_eq(told.kind, "kept-out");
        ck_assert_str_eq(told.command, "open\\x1Bocd");
        ck_assert_uint_eq(told.count, 7);
        ck_assert_uint_eq(told.request, 0);
        ck_assert_ptr_nonnull(strstr(told.message, "was kept from opening"));
        ck_assert_ptr_nonnull(strstr(told.message, "(pid 4321)"));
        ck_assert_ptr_nonnull(strstr(told.message, "7 times"));
        answer_clear(&first);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("manager-conflict");
        TCase *tcase = tcase_create("conflict");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, cast_begin, cast_end);
        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, test_busy);
        tcase_add_test(tcase, test_timeout);
        tcase_add_test(tcase, test_flood);
        tcase_add_test(tcase, test_kept_out);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
