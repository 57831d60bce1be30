/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/names.h"
#include "children.h"
#include "manager-cast.h"

/* What each form of a lease hangs on, and who may give it back or renew it. */

#define AS_PROCESS "form", "s", "process"

static const char *get(const Answer *lease, const char *property) {
        static char buffer[256];

        client_get(&carol, lease->path, STLINKD_LEASE_INTERFACE, property, buffer, sizeof(buffer));
        return buffer;
}

START_TEST(test_fd) {
        Answer lease;

        plug(NODE);
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        ck_assert_str_eq(get(&lease, "Form"), "fd");
        client_end(&alice);
        world_settle(&world, 50);
        ck_assert_str_eq(state(ID), "leased");
        answer_clear(&lease);
        wait_state(ID, "free");
        client_begin(&alice, &world);
}
END_TEST

START_TEST(test_connection) {
        Answer lease, waiting;

        plug(NODE);
        client_acquire_bound(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        ck_assert_int_lt(lease.fd, 0);
        ck_assert_str_eq(get(&lease, "Form"), "connection");
        client_acquire_bound(&bob, ID, &waiting, WAIT, NEVER, NULL);
        wait_leases(2);
        client_end(&alice);
        wait_for(&waiting, "");
        ck_assert_str_eq(get(&lease, "State"), "");
        ck_assert_str_eq(get(&waiting, "State"), "held");
        answer_clear(&lease);
        client_lease(&bob, waiting.path, "Release", &lease);
        wait_for(&lease, "");
        wait_state(ID, "free");
        answer_clear(&waiting);
        answer_clear(&lease);
        client_begin(&alice, &world);
}
END_TEST

START_TEST(test_process) {
        pid_t child = child_idle();
        Answer lease;

        plug(NODE);
        client_acquire_bound(&alice, ID, &lease, AS_PROCESS, "pid", "u", (uint32_t) child, NULL);
        wait_for(&lease, "");
        ck_assert_str_eq(get(&lease, "Form"), "process");
        client_end(&alice);
        world_settle(&world, 50);
        ck_assert_str_eq(get(&lease, "State"), "held");
        /* What that process opens is opened under the lease. */
        fake_use(NODE, &child, 1, true);
        world_settle(&world, 50);
        ck_assert_str_eq(state(ID), "leased");
        fake_use(NODE, NULL, 0, false);
        child_idle_end(child);
        wait_state(ID, "free");
        answer_clear(&lease);
        client_begin(&alice, &world);
}
END_TEST

/* The bus is gone, so are names; descriptors and processes are not. What waits goes on waiting only
 * if its owner knows of it. */
START_TEST(test_bus_lost) {
        Answer held, early, late, connection;

        plug(NODE);
        client_acquire(&carol, ID, &held, NULL);
        wait_for(&held, "");
        client_acquire_bound(&bob, ID, &connection, WAIT, NEVER, "waiting", "s", "object", NULL);
        wait_for(&connection, "");
        client_acquire(&alice, ID, &early, WAIT, NEVER, "waiting", "s", "object", NULL);
        wait_for(&early, "");
        client_acquire(&bob, ID, &late, WAIT, NEVER, NULL);
        wait_leases(4);
        manager_lose_bus(world.manager);
        wait_leases(2);
        wait_for(&late, "LeaseLost");
        answer_clear(&late);
        ck_assert_str_eq(get(&held, "State"), "held");
        ck_assert_str_eq(get(&early, "State"), "waiting");
        ck_assert_str_eq(get(&connection, "State"), "");
        /* Their connections do not matter any more, and have no right to them by their names. */
        client_end(&alice);
        world_settle(&world, 50);
        answer_clear(&held);
        wait_leases(1);
        ck_assert_str_eq(get(&early, "State"), "held");
        answer_clear(&early);
        wait_state(ID, "free");
        answer_clear(&connection);
        client_begin(&alice, &world);
}
END_TEST

START_TEST(test_process_waits) {
        pid_t child = child_idle();
        Answer first, dies, leaves, last;

        plug(NODE);
        client_acquire(&carol, ID, &first, NULL);
        wait_for(&first, "");
        client_acquire_bound(&bob, ID, &dies, AS_PROCESS, "pid", "u", (uint32_t) child, WAIT, NEVER,
                             NULL);
        wait_leases(2);
        client_acquire_bound(&alice, ID, &leaves, AS_PROCESS, WAIT, NEVER, NULL);
        wait_leases(3);
        client_acquire_bound(&bob, ID, &last, AS_PROCESS, WAIT, NEVER, NULL);
        wait_leases(4);
        child_idle_end(child);
        wait_for(&dies, "LeaseLost");
        client_end(&alice);
        sd_bus_slot_unref(leaves.slot);
        wait_leases(2);
        answer_clear(&first);
        wait_for(&last, "");
        answer_clear(&dies);
        client_lease(&carol, last.path, "Release", &dies);
        wait_for(&dies, "");
        wait_state(ID, "free");
        answer_clear(&dies);
        answer_clear(&last);
        client_begin(&alice, &world);
}
END_TEST

/* The owner of a process's lease is its user; that of any other who took it. The clients of
 * this test are all of one user, root or not. */
START_TEST(test_owner) {
        Answer lease, answer;

        plug(NODE);
        client_acquire_bound(&alice, ID, &lease, AS_PROCESS, NULL);
        wait_for(&lease, "");
        client_lease(&bob, lease.path, "Renew", &answer);
        wait_for(&answer, "");
        answer_clear(&answer);
        client_lease(&bob, lease.path, "Release", &answer);
        wait_for(&answer, "");
        wait_state(ID, "free");
        answer_clear(&answer);
        answer_clear(&lease);

        client_acquire_bound(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        client_lease(&bob, lease.path, "Renew", &answer);
        wait_for(&answer, "NotLeased");
        answer_clear(&answer);
        client_lease(&alice, lease.path, "Release", &answer);
        wait_for(&answer, "");
        answer_clear(&answer);
        answer_clear(&lease);
}
END_TEST

START_TEST(test_renew) {
        uint64_t limit = 3600 * USEC_PER_SEC, before;
        Answer lease, answer;

        plug(NODE);
        client_acquire_bound(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        ck_assert_str_eq(get(&lease, "Expires"), "18446744073709551615");
        client_lease(&alice, lease.path, "Renew", &answer); /* of no limit */
        wait_for(&answer, "");
        ck_assert_str_eq(get(&lease, "Expires"), "18446744073709551615");
        answer_clear(&answer);
        client_lease(&alice, lease.path, "Release", &answer);
        wait_for(&answer, "");
        answer_clear(&answer);
        answer_clear(&lease);

        client_acquire_bound(&alice, ID, &lease, "limit", "t", limit, NULL);
        wait_for(&lease, "");
        before = strtoull(get(&lease, "Expires"), NULL, 10);
        ck_assert_uint_gt(before, now_usec(CLOCK_MONOTONIC));
        (void) usleep(20000);
        client_lease(&alice, lease.path, "Renew", &answer);
        wait_for(&answer, "");
        ck_assert_uint_ge(strtoull(get(&lease, "Expires"), NULL, 10), before + 20000);
        answer_clear(&answer);
        answer_clear(&lease);
}
END_TEST

START_TEST(test_bad_options) {
        pid_t child = child_idle();
        Answer answer;

        child_idle_end(child);
        plug(NODE);
        client_acquire(&alice, ID, &answer, AS_PROCESS, NULL);
        wait_for(&answer, "InvalidArgs");
        answer_clear(&answer);
        client_acquire_bound(&alice, ID, &answer, "form", "s", "fd", NULL);
        wait_for(&answer, "InvalidArgs");
        answer_clear(&answer);
        client_acquire_bound(&alice, ID, &answer, "pid", "u", (uint32_t) getpid(), NULL);
        wait_for(&answer, "InvalidArgs");
        answer_clear(&answer);
        client_acquire_bound(&alice, ID, &answer, AS_PROCESS, "pid", "u", (uint32_t) 0, NULL);
        wait_for(&answer, "InvalidArgs");
        answer_clear(&answer);
        client_acquire_bound(&alice, ID, &answer, AS_PROCESS, "pid", "u", (uint32_t) child, NULL);
        wait_for(&answer, "InvalidArgs");
        answer_clear(&answer);
        ck_assert_str_eq(state(ID), "free");
}
END_TEST

static void plug_out_and_in(const char *node) {
        fake_unplug(PORT);
        wait_state(ID, "switching");
        fake_plug(PORT, node, NULL);
        wait_state(ID, "leased");
}

/* Others to whom he left the descriptor are members as he was: the probe is bound again. */
START_TEST(test_owner_has_ended) {
        unsigned before;
        Answer lease;

        plug(NODE);
        fake_binding(0);
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        before = fake_bound();
        ck_assert_uint_gt(before, 0);
        fake_binding(-ESRCH);
        plug_out_and_in("/dev/bus/usb/001/003");
        ck_assert_uint_gt(fake_bound(), before);
        answer_clear(&lease);
}
END_TEST

/* Bound for one whom the gate does not know, a probe would be closed to him, too. */
START_TEST(test_owner_was_never_seen) {
        Answer lease;

        plug(NODE);
        fake_binding(-ESRCH);
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        plug_out_and_in("/dev/bus/usb/001/003");
        ck_assert_uint_eq(fake_bound(), 0);
        answer_clear(&lease);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("manager-forms");
        TCase *tcase = tcase_create("forms");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, cast_begin, cast_end);
        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, test_fd);
        tcase_add_test(tcase, test_connection);
        tcase_add_test(tcase, test_process);
        tcase_add_test(tcase, test_bus_lost);
        tcase_add_test(tcase, test_process_waits);
        tcase_add_test(tcase, test_owner);
        tcase_add_test(tcase, test_renew);
        tcase_add_test(tcase, test_bad_options);
        tcase_add_test(tcase, test_owner_has_ended);
        tcase_add_test(tcase, test_owner_was_never_seen);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
