/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <stdlib.h>

#include "base/macro.h"
#include "manager-cast.h"

/* Opening a probe under a lease, taking it back, and losing it meanwhile. */

START_TEST(test_open_and_take_back) {
        Answer lease, stranger, node, again, next;

        plug(NODE);
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        client_lease(&bob, lease.path, "Open", &stranger);
        wait_for(&stranger, "NotLeased");
        client_lease(&alice, lease.path, "Open", &node);
        wait_for(&node, "");
        ck_assert_int_ge(node.fd, 0);
        client_lease(&alice, lease.path, "Open", &again);
        wait_for(&again, "");
        client_acquire(&bob, ID, &next, WAIT, NEVER, NULL);
        wait_leases(2);
        answer_clear(&lease);
        wait_for(&next, "");
        ck_assert_str_eq(worker_log(), "identify-begins identify-ends open-begins open-ends "
                                       "close-begins close-ends");
        answer_clear(&stranger);
        answer_clear(&node);
        answer_clear(&again);
        answer_clear(&next);
}
END_TEST

START_TEST(test_open_goes_wrong) {
        static const char *const nodes[] = { "/dev/sticky", "/dev/empty" };
        Answer lease, node;

        plug(nodes[_i]);
        world.config.job_timeout = 1 * USEC_PER_SEC;
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        client_lease(&alice, lease.path, "Open", &node);
        wait_for(&node, "NotAnswering");
        ck_assert_str_eq(lease_state(&lease), "held");
        answer_clear(&lease);
        answer_clear(&node);
}
END_TEST

START_TEST(test_lease_ends_while_opening) {
        Answer lease, node, next;

        plug("/dev/slow");
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        client_acquire(&bob, ID, &next, WAIT, NEVER, NULL);
        wait_leases(2);
        client_lease(&alice, lease.path, "Open", &node);
        wait_worker("open-begins");
        answer_clear(&lease);
        wait_for(&node, "LeaseLost");
        wait_for(&next, "");
        ck_assert_str_eq(worker_log(), "identify-begins identify-ends open-begins open-ends "
                                       "close-begins close-ends");
        answer_clear(&node);
        answer_clear(&next);
}
END_TEST

START_TEST(test_unplug) {
        Answer lease, waiter, node;

        plug("/dev/sticky");
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        client_acquire(&bob, ID, &waiter, WAIT, NEVER, NULL);
        wait_leases(2);
        client_lease(&alice, lease.path, "Open", &node);
        wait_worker("open-begins");
        fake_unplug(PORT);
        wait_for(&node, "Unplugged");
        ck_assert_str_eq(state(ID), "switching");
        wait_for(&waiter, "Unplugged");
        ck_assert_str_eq(state(ID), "");
        answer_clear(&lease);
        answer_clear(&node);
        answer_clear(&waiter);
}
END_TEST

START_TEST(test_lease_survives_re_enumeration) {
        Answer lease, node;

        plug(NODE);
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        fake_unplug(PORT);
        wait_state(ID, "switching");
        client_lease(&alice, lease.path, "Open", &node);
        wait_for(&node, "Unplugged");
        answer_clear(&node);
        fake_plug(PORT, "/dev/bus/usb/001/003", NULL);
        wait_state(ID, "leased");
        client_lease(&alice, lease.path, "Open", &node);
        wait_for(&node, "");
        answer_clear(&node);
        answer_clear(&lease);
}
END_TEST

/* A lease on a probe that is just coming back is not refused for want of what comes with it. */
START_TEST(test_interfaces_come_later) {
        Answer lease;

        fake_plug_bare(PORT, NODE, ID);
        world_settle(&world, 50);
        client_acquire(&alice, ID, &lease, WAIT, NEVER, "waiting", "s", "object", NULL);
        wait_for(&lease, "");
        answer_clear(&lease);
}
END_TEST

/* Whoever asks again and again does not fill the queue of what workers do. */
START_TEST(test_one_recovery_at_a_time) {
        Answer lease, first, second;

        plug("/dev/sticky");
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        client_lease_word(&alice, lease.path, "Recover", "check", &first);
        wait_worker("recover-begins");
        client_lease_word(&alice, lease.path, "Recover", "check", &second);
        wait_for(&second, "Busy");
        ck_assert(!first.done);
        fake_unplug(PORT);
        wait_for(&first, "Unplugged");
        answer_clear(&lease);
        answer_clear(&first);
        answer_clear(&second);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("manager-open");
        TCase *tcase = tcase_create("open");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, cast_begin, cast_end);
        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, test_open_and_take_back);
        tcase_add_loop_test(tcase, test_open_goes_wrong, 0, 2);
        tcase_add_test(tcase, test_lease_ends_while_opening);
        tcase_add_test(tcase, test_unplug);
        tcase_add_test(tcase, test_lease_survives_re_enumeration);
        tcase_add_test(tcase, test_interfaces_come_later);
        tcase_add_test(tcase, test_one_recovery_at_a_time);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
