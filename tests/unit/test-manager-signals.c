/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/names.h"
#include "manager-cast.h"

/* How much is told on the bus, and when: counts, since each message costs every listener. */

#define WAITERS 80

/* What carol hears of all that is told, in the order of its coming. */
typedef struct Heard {
        unsigned added, removed, changed, positions;
        unsigned positions_of_last; /* of the last waiter */
        const char *last;
} Heard;

static bool has_position(sd_bus_message *message) {
        const char *text;
        bool found = false;

        ck_assert_int_gt(sd_bus_message_read(message, "s", &text), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(message, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
                ck_assert_int_gt(sd_bus_message_read(message, "s", &text), 0);
                found |= strcmp(text, "Position") == 0;
                ck_assert_int_gt(sd_bus_message_skip(message, "v"), 0);
                ck_assert_int_ge(sd_bus_message_exit_container(message), 0);
        }
        return found;
}

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *path = sd_bus_message_get_path(message);
        Heard *heard = userdata;

        (void) error;
        heard->added += sd_bus_message_is_signal(message, NULL, "InterfacesAdded") > 0;
        heard->removed += sd_bus_message_is_signal(message, NULL, "InterfacesRemoved") > 0;
        if (sd_bus_message_is_signal(message, NULL, "PropertiesChanged") <= 0)
                return 0;
        heard->changed++;
        if (!has_position(message))
                return 0;
        heard->positions++;
        heard->positions_of_last += heard->last && strcmp(path, heard->last) == 0;
        return 0;
}

static void listen_to(Client *client, Heard *heard) {
        *heard = (Heard){};
        world_settle(&world, 50); /* what came before is told */
        ck_assert_int_ge(sd_bus_add_match(client->bus, NULL,
                                          "type='signal',sender='" STLINKD_BUS_NAME "'", on_signal,
                                          heard),
                         0);
        world_settle(&world, 50);
}

static unsigned position(const Answer *lease) {
        char buffer[64];

        client_get(&carol, lease->path, STLINKD_LEASE_INTERFACE, "Position", buffer,
                   sizeof(buffer));
        return (unsigned) strtoul(buffer, NULL, 10);
}

START_TEST(test_one_lease) {
        Answer lease, released;
        Heard heard;

        plug(NODE);
        listen_to(&carol, &heard);
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        world_settle(&world, 50);
        ck_assert_uint_eq(heard.added, 1);
        ck_assert_uint_eq(heard.changed, 1); /* of the probe */
        client_lease(&alice, lease.path, "Release", &released);
        wait_for(&released, "");
        world_settle(&world, 50);
        ck_assert_uint_eq(heard.removed, 1);
        ck_assert_uint_eq(heard.changed, 2);
        answer_clear(&lease);
        answer_clear(&released);
}
END_TEST

/* Nobody keeps who waits for an answer waiting for what others are told. */
START_TEST(test_answer_first) {
        Answer lease, released;
        Heard heard;

        plug(NODE);
        listen_to(&alice, &heard);
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        ck_assert_uint_eq(heard.added + heard.changed, 0);
        world_settle(&world, 50);
        ck_assert_uint_eq(heard.added, 1);
        client_lease(&alice, lease.path, "Release", &released);
        wait_for(&released, "");
        ck_assert_uint_eq(heard.removed, 0);
        world_settle(&world, 50);
        ck_assert_uint_eq(heard.removed, 1);
        answer_clear(&lease);
        answer_clear(&released);
}
END_TEST

/* Nobody hears of the end of what he never heard of. */
START_TEST(test_burst) {
        Answer first, second, released, again;
        Heard heard;

        plug(NODE);
        client_acquire(&alice, ID, &first, NULL);
        wait_for(&first, "");
        ck_assert_str_eq(strrchr(first.path, '/'), "/1");
        world_settle(&world, 50);
        listen_to(&carol, &heard);
        /* In one go: the paths are known in advance, as numbers go up. */
        client_lease(&alice, first.path, "Release", &released);
        client_acquire(&alice, ID, &second, NULL);
        client_lease(&alice, STLINKD_LEASE_PATH "/2", "Release", &again);
        client_pass_on(&alice);
        wait_for(&released, "");
        wait_for(&second, "");
        wait_for(&again, "");
        world_settle(&world, 50);
        ck_assert_uint_ge(heard.removed, 1);
        ck_assert_uint_eq(heard.removed, 1 + heard.added);
        answer_clear(&first);
        answer_clear(&second);
        answer_clear(&released);
        answer_clear(&again);
}
END_TEST

/* Whoever was answered with the path of a lease may listen to it alone, before others hear that it
 * is there. */
START_TEST(test_change_of_a_new_one) {
        Answer first, second, released;
        Heard heard;

        plug(NODE);
        client_acquire(&alice, ID, &first, NULL);
        wait_for(&first, "");
        world_settle(&world, 50);
        listen_to(&carol, &heard);
        heard.last = STLINKD_LEASE_PATH "/2";
        client_acquire(&alice, ID, &second, WAIT, NEVER, "waiting", "s", "object", NULL);
        client_lease(&alice, first.path, "Release", &released);
        client_pass_on(&alice);
        wait_for(&second, "");
        wait_for(&released, "");
        ck_assert_str_eq(second.path, heard.last);
        world_settle(&world, 50);
        ck_assert_uint_eq(heard.positions_of_last, 1);
        ck_assert_str_eq(lease_state(&second), "held");
        answer_clear(&first);
        answer_clear(&second);
        answer_clear(&released);
}
END_TEST

/* What changes all the time is told every ten milliseconds, and what was there for less never. */
START_TEST(test_many_leases) {
        Answer lease, released;
        unsigned most;
        Heard heard;
        Usec begin;

        plug(NODE);
        listen_to(&carol, &heard);
        begin = now_usec(CLOCK_MONOTONIC);
        for (unsigned i = 0; i < 500; i++) {
                client_acquire(&alice, ID, &lease, NULL);
                wait_for(&lease, "");
                client_lease(&alice, lease.path, "Release", &released);
                wait_for(&released, "");
                answer_clear(&lease);
                answer_clear(&released);
        }
        most = 2 + (unsigned) ((now_usec(CLOCK_MONOTONIC) - begin) / (10 * USEC_PER_MSEC));
        world_settle(&world, 50);
        ck_assert_uint_eq(heard.added, heard.removed);
        ck_assert_uint_le(heard.added, most);
        ck_assert_uint_ge(heard.changed, 1);
        ck_assert_uint_le(heard.changed, most);
        ck_assert_str_eq(state(ID), "free");
}
END_TEST

/* One more place for each of many is no news for all of them each time. */
START_TEST(test_long_queue) {
        Answer first, released, waiters[WAITERS];
        unsigned far = 0;
        Heard heard;

        plug(NODE);
        client_acquire(&alice, ID, &first, NULL);
        wait_for(&first, "");
        for (size_t i = 0; i < WAITERS; i++) {
                client_acquire(&bob, ID, &waiters[i], WAIT, NEVER, "waiting", "s", "object", NULL);
                wait_for(&waiters[i], "");
                ck_assert_uint_eq(position(&waiters[i]), i + 1);
        }
        world_settle(&world, 50);
        listen_to(&carol, &heard);
        heard.last = waiters[WAITERS - 1].path;
        client_lease(&alice, first.path, "Release", &released);
        wait_for(&released, "");
        world_settle(&world, 50);
        /* The probe, who gets it, and the ten who come next */
        ck_assert_uint_eq(heard.removed, 1);
        ck_assert_uint_le(heard.changed, 12);
        ck_assert_uint_ge(heard.positions, 10);
        for (size_t i = 0; i < WAITERS; i++)
                ck_assert_uint_eq(position(&waiters[i]), i);
        /* By the time it is his turn the last has heard of some, and of each near the end. */
        for (size_t i = 0; i < WAITERS - 1; i++) {
                answer_clear(&released);
                client_lease(&bob, waiters[i].path, "Release", &released);
                wait_for(&released, "");
                world_settle(&world, 5);
                if (i == WAITERS - 13)
                        far = heard.positions_of_last;
        }
        ck_assert_uint_ge(far, 4);
        ck_assert_uint_le(far, 12);
        ck_assert_uint_ge(heard.positions_of_last, far + 10);
        ck_assert_str_eq(lease_state(&waiters[WAITERS - 1]), "held");
        answer_clear(&first);
        answer_clear(&released);
        for (size_t i = 0; i < WAITERS; i++)
                answer_clear(&waiters[i]);
}
END_TEST

/* Who keeps us busy does not keep others from hearing. */
START_TEST(test_flood) {
        Answer first, last;
        Heard heard;

        plug(NODE);
        listen_to(&carol, &heard);
        client_acquire(&alice, ID, &first, NULL);
        for (unsigned i = 0; i < 2000; i++) {
                sd_bus_message *ping = NULL;

                ck_assert_int_ge(sd_bus_message_new_method_call(
                                         alice.bus, &ping, STLINKD_BUS_NAME, STLINKD_PATH,
                                         "org.freedesktop.DBus.Peer", "Ping"),
                                 0);
                ck_assert_int_ge(sd_bus_message_set_expect_reply(ping, false), 0);
                ck_assert_int_ge(sd_bus_send(alice.bus, ping, NULL), 0);
                sd_bus_message_unref(ping);
        }
        client_acquire(&alice, "nobody", &last, NULL);
        client_pass_on(&alice);
        wait_for(&last, "UnknownObject");
        ck_assert_uint_eq(heard.added, 1);
        wait_for(&first, "");
        answer_clear(&first);
        answer_clear(&last);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("manager-signals");
        TCase *tcase = tcase_create("signals");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, cast_begin, cast_end);
        tcase_set_timeout(tcase, 120);
        tcase_add_test(tcase, test_one_lease);
        tcase_add_test(tcase, test_answer_first);
        tcase_add_test(tcase, test_burst);
        tcase_add_test(tcase, test_change_of_a_new_one);
        tcase_add_test(tcase, test_many_leases);
        tcase_add_test(tcase, test_long_queue);
        tcase_add_test(tcase, test_flood);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
