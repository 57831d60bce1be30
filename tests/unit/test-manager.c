/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "bus/names.h"
#include "manager-cast.h"

/* --- presence ----------------------------------------------------------------------------- */

typedef struct Announcement {
        unsigned added, removed;
        unsigned changed;  /* of probes */
        char firmware[32]; /* as InterfacesAdded had it */
} Announcement;

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Announcement *seen = userdata;
        const char *text, *path;

        (void) error;
        if (sd_bus_message_is_signal(message, NULL, "InterfacesRemoved"))
                seen->removed++;
        if (sd_bus_message_is_signal(message, NULL, "PropertiesChanged"))
                seen->changed += strncmp(sd_bus_message_get_path(message), STLINKD_PROBE_PATH,
                                         strlen(STLINKD_PROBE_PATH)) == 0;
        if (!sd_bus_message_is_signal(message, NULL, "InterfacesAdded"))
                return 0;
        seen->added++;
        ck_assert_int_gt(sd_bus_message_read(message, "o", &path), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(message, 'a', "{sa{sv}}"), 0);
        while (sd_bus_message_enter_container(message, 'e', "sa{sv}") > 0) {
                ck_assert_int_gt(sd_bus_message_read(message, "s", &text), 0);
                ck_assert_int_gt(sd_bus_message_enter_container(message, 'a', "{sv}"), 0);
                while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
                        ck_assert_int_gt(sd_bus_message_read(message, "s", &text), 0);
                        if (strcmp(text, "Firmware") == 0) {
                                ck_assert_int_gt(sd_bus_message_read(message, "v", "s", &text), 0);
                                (void) snprintf(seen->firmware, sizeof(seen->firmware), "%s", text);
                        } else {
                                ck_assert_int_gt(sd_bus_message_skip(message, "v"), 0);
                        }
                        (void) sd_bus_message_exit_container(message);
                }
                (void) sd_bus_message_exit_container(message);
                (void) sd_bus_message_exit_container(message);
        }
        return 0;
}

static void watch(Announcement *seen) {
        *seen = (Announcement){};
        ck_assert_int_ge(
                sd_bus_add_match(alice.bus, NULL, "sender='" STLINKD_BUS_NAME "'", on_signal, seen),
                0);
        world_settle(&world, 50);
}

START_TEST(test_plug_and_unplug) {
        Announcement seen;

        watch(&seen);
        fake_plug(PORT, NODE, ID);
        wait_state(ID, "free");
        world_settle(&world, 50);
        ck_assert_uint_eq(seen.added, 1);
        ck_assert_str_eq(seen.firmware, "V2J37M26");
        ck_assert_uint_eq(seen.changed, 0);
        ck_assert_str_eq(worker_log(), "identify-begins identify-ends");
        fake_unplug(PORT);
        wait_state(ID, "");
        world_settle(&world, 50);
        ck_assert_uint_eq(seen.removed, 1);
}
END_TEST

/* It can be looked at while it is being read, and is announced once that is over. */
START_TEST(test_shown_before_announced) {
        Announcement seen;

        world.config.job_timeout = 1 * USEC_PER_SEC;
        watch(&seen);
        fake_plug(PORT, "/dev/wedged", ID);
        wait_state(ID, "identifying");
        ck_assert_uint_eq(seen.added, 0);
        wait_state(ID, "not-answering");
        world_settle(&world, 50);
        ck_assert_uint_eq(seen.added, 1);
}
END_TEST

START_TEST(test_changes_are_coalesced) {
        pid_t init = 1;
        Announcement seen;

        plug(NODE);
        watch(&seen);
        fake_use(NODE, &init, 1, false);
        world_settle(&world, 50);
        ck_assert_uint_eq(seen.changed, 1); /* Holders and State in one */
        ck_assert_str_eq(state(ID), "in-use");
        fake_use(NODE, &init, 1, true);
        world_settle(&world, 50);
        ck_assert_uint_eq(seen.changed, 2);
        ck_assert_str_eq(state(ID), "claimed");
        fake_use(NODE, NULL, 0, false);
        world_settle(&world, 50);
        ck_assert_uint_eq(seen.changed, 3);
        ck_assert_str_eq(state(ID), "free");
}
END_TEST

/* Also those of events that come right after one another. */
START_TEST(test_changes_of_a_turn_are_coalesced) {
        Announcement seen;
        Answer first, second;

        plug(NODE);
        watch(&seen);
        client_acquire(&alice, ID, &first, "waiting", "s", "object", NULL);
        client_acquire(&bob, ID, &second, WAIT, NEVER, "waiting", "s", "object", NULL);
        client_pass_on(&alice);
        client_pass_on(&bob); /* both are there when the loop turns */
        wait_for(&first, "");
        wait_for(&second, "");
        world_settle(&world, 50);
        ck_assert_uint_eq(seen.changed, 1);
        answer_clear(&second);
        answer_clear(&first);
}
END_TEST

START_TEST(test_used_probe_is_not_touched) {
        pid_t init = 1;

        fake_plug(PORT, NODE, ID);
        fake_use(NODE, &init, 1, false);
        wait_state(ID, "in-use");
        ck_assert_str_eq(worker_log(), "");
        fake_use(NODE, NULL, 0, false);
        wait_state(ID, "free");
        ck_assert_str_eq(worker_log(), "identify-begins identify-ends");
}
END_TEST

/* What goes wrong with a worker, and what the probe is called then. */
static const struct {
        const char *node, *state;
} bad_workers[] = {
        { "/dev/wedged", "not-answering" },
        { "/dev/crash", "not-answering" },
        { "/dev/short", "not-answering" },
        { "/dev/odd", "not-answering" },
        { "/dev/busy", "free" },
        { "/dev/closed", "free" },
};

static bool has_worker(void) {
        return system("pgrep -P $PPID -x fake-worker >/dev/null") == 0;
}

START_TEST(test_bad_worker) {
        if (_i == 0)
                world.config.job_timeout = 1 * USEC_PER_SEC;
        fake_plug(PORT, bad_workers[_i].node, ID);
        wait_state(ID, bad_workers[_i].state);
        ck_assert(!has_worker());
        /* Somebody used it, and it may be better now. */
        world.config.job_timeout = 10 * USEC_PER_SEC;
        fake_unplug(PORT);
        plug(NODE);
}
END_TEST

START_TEST(test_many_at_once) {
        world.config.job_timeout = 5 * USEC_PER_SEC;
        for (unsigned i = 0; i < 120; i++) {
                char port[16], node[32], serial[32];

                (void) snprintf(port, sizeof(port), "1-1.%u", i);
                (void) snprintf(node, sizeof(node), "/dev/slow/%u", i);
                (void) snprintf(serial, sizeof(serial), "066DFF4951775148671616%02X", i);
                fake_plug(port, node, serial);
        }
        /* Four at a time, they take 7.5 s, which is more than the deadline of each. */
        for (unsigned i = 0; i < 120; i++) {
                char serial[32];

                (void) snprintf(serial, sizeof(serial), "066DFF4951775148671616%02X", i);
                wait_state(serial, "free");
        }
}
END_TEST

/* --- leases ------------------------------------------------------------------------------- */

START_TEST(test_acquire_and_hang_up) {
        Answer first, second;
        struct stat st;

        plug(NODE);
        client_acquire(&alice, ID, &first, "reason", "s", "night run", NULL);
        wait_for(&first, "");
        ck_assert_str_eq(state(ID), "leased");
        ck_assert_str_eq(lease_state(&first), "held");
        ck_assert_int_eq(fstat(first.fd, &st), 0);
        ck_assert(S_ISFIFO(st.st_mode));
        ck_assert_uint_eq(st.st_mode & 07777, 0600);

        client_acquire(&bob, ID, &second, NULL);
        wait_for(&second, "Busy");
        ck_assert_ptr_nonnull(strstr(second.message, "root"));
        ck_assert_ptr_nonnull(strstr(second.message, "night run"));
        answer_clear(&second);

        answer_clear(&first); /* closes the descriptor */
        wait_state(ID, "free");
        client_acquire(&bob, ID, &second, NULL);
        wait_for(&second, "");
        answer_clear(&second);
}
END_TEST

START_TEST(test_queue) {
        Answer first, second, third, released;

        plug(NODE);
        client_acquire(&alice, ID, &first, NULL);
        wait_for(&first, "");
        client_acquire(&bob, ID, &second, WAIT, NEVER, NULL);
        wait_leases(2);
        client_acquire(&carol, ID, &third, WAIT, NEVER, "waiting", "s", "object", NULL);
        wait_for(&third, "");
        ck_assert_str_eq(lease_state(&third), "waiting");
        ck_assert(!second.done);
        client_lease(&alice, first.path, "Release", &released);
        wait_for(&released, "");
        wait_for(&second, "");
        ck_assert_str_eq(lease_state(&third), "waiting");
        client_end(&bob); /* his lease is his descriptor, not his name on the bus */
        world_settle(&world, 50);
        ck_assert_str_eq(lease_state(&third), "waiting");
        answer_clear(&second);
        for (unsigned i = 0; i < 200 && strcmp(lease_state(&third), "held") != 0; i++)
                world_settle(&world, 10);
        ck_assert_str_eq(lease_state(&third), "held");
        answer_clear(&first);
        answer_clear(&released);
        answer_clear(&third);
        client_begin(&bob, &world);
}
END_TEST

START_TEST(test_wait_ends_at_its_deadline) {
        Answer first, second;

        plug(NODE);
        client_acquire(&alice, ID, &first, NULL);
        wait_for(&first, "");
        client_acquire(&bob, ID, &second, WAIT, (uint64_t) 100000, NULL);
        wait_for(&second, "Timeout");
        ck_assert_str_eq(lease_state(&first), "held");
        answer_clear(&first);
        answer_clear(&second);
}
END_TEST

START_TEST(test_waiter_leaves) {
        Answer first, second, third;

        plug(NODE);
        client_acquire(&alice, ID, &first, NULL);
        wait_for(&first, "");
        client_acquire(&bob, ID, &second, WAIT, NEVER, NULL);
        wait_leases(2);
        client_acquire(&carol, ID, &third, WAIT, NEVER, NULL);
        wait_leases(3);
        client_end(&bob);
        sd_bus_slot_unref(second.slot);
        answer_clear(&first);
        wait_for(&third, "");
        answer_clear(&third);
        client_begin(&bob, &world);
}
END_TEST

START_TEST(test_limit) {
        Announcement seen;
        Answer first;

        plug(NODE);
        watch(&seen);
        client_acquire(&alice, ID, &first, "limit", "t", (uint64_t) 200000, NULL);
        wait_for(&first, "");
        wait_state(ID, "free");
        /* Whoever watches the descriptor sees it too. */
        struct pollfd poll_fd = { .fd = first.fd, .events = POLLOUT };

        ck_assert_int_eq(poll(&poll_fd, 1, 0), 1);
        ck_assert(poll_fd.revents & POLLERR);
        answer_clear(&first);
}
END_TEST

START_TEST(test_stranger) {
        pid_t init = 1;
        Answer first, second;

        plug(NODE);
        fake_use(NODE, &init, 1, true);
        wait_state(ID, "claimed");
        client_acquire(&alice, ID, &first, NULL);
        wait_for(&first, "Busy");
        ck_assert_ptr_nonnull(strstr(first.message, "pid 1)"));
        client_acquire(&alice, ID, &second, WAIT, NEVER, NULL);
        wait_leases(1);
        ck_assert(!second.done);
        fake_use(NODE, &init, 1, false); /* still open, but no longer claimed */
        wait_for(&second, "");
        answer_clear(&first);
        answer_clear(&second);
}
END_TEST

/* A child of the owner's works under his lease: it is no stranger while the lease lasts, and
 * keeps others waiting when it outlives it. */
START_TEST(test_member_outlives_lease) {
        Answer first, second;
        pid_t child;

        plug(NODE);
        client_acquire(&alice, ID, &first, NULL);
        wait_for(&first, "");
        child = fork();
        if (child == 0) {
                (void) close(first.fd); /* a copy would keep the lease */
                for (;;)
                        (void) pause();
        }
        fake_use(NODE, &child, 1, true);
        world_settle(&world, 50);
        ck_assert_str_eq(state(ID), "leased");
        client_acquire(&bob, ID, &second, WAIT, NEVER, NULL);
        wait_leases(2);
        answer_clear(&first);
        wait_state(ID, "claimed");
        ck_assert(!second.done);
        (void) kill(child, SIGKILL);
        (void) waitpid(child, NULL, 0);
        fake_use(NODE, NULL, 0, false);
        wait_for(&second, "");
        answer_clear(&second);
}
END_TEST

START_TEST(test_acquire_while_being_read) {
        Answer first;

        fake_plug(PORT, "/dev/slow", ID);
        wait_worker("identify-begins");
        client_acquire(&alice, ID, &first, "waiting", "s", "object", NULL);
        wait_for(&first, "");
        ck_assert_str_eq(worker_log(), "identify-begins identify-ends");
        ck_assert_str_eq(lease_state(&first), "held"); /* it had not asked to wait */
        answer_clear(&first);
}
END_TEST

/* A program that has ended holds nothing any more, but the kernel has its claim for a moment. */
START_TEST(test_claim_that_is_let_go) {
        Answer first, second;

        plug(NODE);
        fake_use(NODE, NULL, 0, true);
        wait_state(ID, "claimed");
        client_acquire(&alice, ID, &first, NULL);
        world_settle(&world, 50);
        ck_assert(!first.done);
        fake_use(NODE, NULL, 0, false);
        wait_for(&first, "");
        answer_clear(&first);
        wait_state(ID, "free");
        fake_use(NODE, NULL, 0, true);
        wait_state(ID, "claimed");
        client_acquire(&alice, ID, &second, NULL);
        wait_for(&second, "Busy"); /* not for ever */
        answer_clear(&second);
}
END_TEST

/* Whoever has it open when the gate is shut may have a claim under way, and is the only one. */
START_TEST(test_claim_under_way_is_taken) {
        pid_t init = 1;
        Answer first, second;

        fake_binding(0);
        plug(NODE);
        client_acquire(&alice, ID, &first, NULL);
        wait_for(&first, "");
        ck_assert_str_eq(worker_log(), "identify-begins identify-ends");
        answer_clear(&first);
        wait_state(ID, "free");
        fake_use(NODE, &init, 1, false);
        wait_state(ID, "in-use");
        client_acquire(&alice, ID, &second, NULL);
        wait_for(&second, "");
        ck_assert_str_eq(worker_log(), "identify-begins identify-ends close-begins close-ends");
        answer_clear(&second);
}
END_TEST

/* A probe that could not be read because a stranger had it is read when he leaves, and only then
 * given to whoever waits: his tool would else find it claimed by our worker. */
START_TEST(test_read_before_granted) {
        pid_t init = 1;
        Answer first;

        fake_plug(PORT, "/dev/slow", ID);
        fake_use("/dev/slow", &init, 1, true);
        wait_state(ID, "claimed");
        client_acquire(&alice, ID, &first, WAIT, NEVER, NULL);
        wait_leases(1);
        fake_use("/dev/slow", NULL, 0, false);
        wait_for(&first, "");
        ck_assert_str_eq(worker_log(), "identify-begins identify-ends");
        answer_clear(&first);
}
END_TEST

/* --- refusals ----------------------------------------------------------------------------- */

START_TEST(test_bad_options) {
        static const struct {
                const char *name, *type, *value;
        } options[] = {
                { "colour", "s", "red" },      { "wait", "s", "long" },
                { "kind", "s", "mine" },       { "parts", "as", "wheel" },
                { "waiting", "s", "perhaps" }, { "reason", "s", "a\nb" },
                { "parts", "as", "msd" }, /* this probe has none */
        };
        Answer answer;

        plug(NODE);
        for (size_t i = 0; i < ELEMENTSOF(options); i++) {
                client_acquire(&alice, ID, &answer, options[i].name, options[i].type,
                               options[i].value, NULL);
                wait_for(&answer, "InvalidArgs");
                answer_clear(&answer);
        }
        client_acquire(&alice, ID, &answer, "limit", "t", (uint64_t) 0, NULL);
        wait_for(&answer, "InvalidArgs");
        answer_clear(&answer);
        client_acquire(&alice, "nobody", &answer, NULL);
        wait_for(&answer, "UnknownObject");
        answer_clear(&answer);
        ck_assert_str_eq(state(ID), "free");
}
END_TEST

START_TEST(test_quota) {
        Answer first, second, third;

        plug(NODE);
        client_acquire(&alice, ID, &first, NULL);
        wait_for(&first, "");
        client_acquire(&alice, ID, &second, WAIT, NEVER, NULL);
        wait_leases(2);
        ck_assert(!second.done);
        client_acquire(&alice, ID, &third, WAIT, NEVER, NULL);
        wait_for(&third, "QuotaExceeded");
        answer_clear(&third);
        answer_clear(&first);
        wait_for(&second, "");
        answer_clear(&second);
}
END_TEST

static void set_up_with_quota(void) {
        world_begin(&world);
        world.config.quota = (LeaseQuota){ .held = 1, .waiting = 1 };
        cast_enter();
}

int main(void) {
        Suite *suite = suite_create("manager");
        TCase *tcase = tcase_create("manager"), *quota = tcase_create("quota");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, cast_begin, cast_end);
        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, test_plug_and_unplug);
        tcase_add_test(tcase, test_shown_before_announced);
        tcase_add_test(tcase, test_changes_are_coalesced);
        tcase_add_test(tcase, test_changes_of_a_turn_are_coalesced);
        tcase_add_test(tcase, test_used_probe_is_not_touched);
        tcase_add_loop_test(tcase, test_bad_worker, 0, (int) ELEMENTSOF(bad_workers));
        tcase_add_test(tcase, test_many_at_once);
        tcase_add_test(tcase, test_acquire_and_hang_up);
        tcase_add_test(tcase, test_queue);
        tcase_add_test(tcase, test_wait_ends_at_its_deadline);
        tcase_add_test(tcase, test_waiter_leaves);
        tcase_add_test(tcase, test_limit);
        tcase_add_test(tcase, test_stranger);
        tcase_add_test(tcase, test_member_outlives_lease);
        tcase_add_test(tcase, test_acquire_while_being_read);
        tcase_add_test(tcase, test_claim_that_is_let_go);
        tcase_add_test(tcase, test_claim_under_way_is_taken);
        tcase_add_test(tcase, test_read_before_granted);
        tcase_add_test(tcase, test_bad_options);
        suite_add_tcase(suite, tcase);
        tcase_add_checked_fixture(quota, set_up_with_quota, cast_end);
        tcase_set_timeout(quota, 60);
        tcase_add_test(quota, test_quota);
        suite_add_tcase(suite, quota);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
