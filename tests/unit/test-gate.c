/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "children.h"
#include "gate-fixture.h"

static void hold_node(void *data) {
        int fd = open(node_path, O_RDWR | O_CLOEXEC);

        (void) data;
        prctl(PR_SET_NAME, "holder");
        if (fd < 0)
                _exit(1);
        child_ready();
        child_wait();
}

/* So many there are told, and no more. */
static void expect_changes(int n) {
        Usec deadline = now_usec(CLOCK_MONOTONIC) + PROMPTLY;

        while (n_changes < n && now_usec(CLOCK_MONOTONIC) < deadline)
                ck_assert_int_ge(sd_event_run(event, 100 * USEC_PER_MSEC), 0);
        run_for(100 * USEC_PER_MSEC);
        ck_assert_int_eq(n_changes, n);
}

START_TEST(holder_there_before_us) {
        Child child = child_start(hold_node, NULL);
        const GateHolder *holder;
        size_t n;

        add_node();
        holder = gate_node_holders(node, &n); /* at once, without the loop */
        ck_assert_uint_eq(n, 1);
        ck_assert_int_eq(holder->process->pid, child.pid);
        ck_assert_str_eq(holder->process->command, "holder");
        ck_assert(!holder->claimed);
        expect_changes(1);
        child_end(&child);
        expect(0, false);
}
END_TEST

START_TEST(told_once_when_there_is_nobody) {
        add_node();
        expect_changes(1);
}
END_TEST

static unsigned count_descriptors(void) {
        DIR *dir = opendir("/proc/self/fd");
        unsigned n = 0;

        ck_assert_ptr_nonnull(dir);
        while (readdir(dir))
                n++;
        closedir(dir);
        return n;
}

START_TEST(open_and_close_are_seen) {
        Usec before = now_usec(CLOCK_BOOTTIME);
        unsigned descriptors;
        const GateHolder *holder;
        Child child;

        add_node();
        expect(0, false);
        descriptors = count_descriptors();
        child = child_start(hold_node, NULL);
        holder = expect(1, false);
        ck_assert_int_eq(holder->process->pid, child.pid);
        ck_assert_uint_ge(holder->since, before);
        ck_assert_uint_le(holder->since, now_usec(CLOCK_BOOTTIME));
        child_end(&child);
        expect(0, false);
        run_for(100 * USEC_PER_MSEC);
        ck_assert_uint_eq(count_descriptors(), descriptors);
}
END_TEST

START_TEST(killed_holder_is_gone) {
        Child child;

        add_node();
        child = child_start(hold_node, NULL);
        expect(1, false);
        child_kill(&child);
        expect(0, false);
}
END_TEST

START_TEST(claim_comes_and_goes) {
        const GateHolder *holder;
        Child child;

        add_node();
        child = child_start(hold_node, NULL);
        ck_assert(!expect(1, false)->claimed);
        claim();
        holder = expect(1, true);
        ck_assert(holder->claimed);
        unclaim();
        ck_assert(!expect(1, false)->claimed);
        run_for(USEC_PER_SEC * 3 / 2);
        n_changes = 0;
        claim(); /* long after the open */
        ck_assert(expect(1, true)->claimed);
        expect_changes(1);
        child_kill(&child);
        unclaim();
        expect(0, false);
}
END_TEST

START_TEST(claim_of_two_holders_is_nobodys) {
        Child first, second;

        add_node();
        first = child_start(hold_node, NULL);
        second = child_start(hold_node, NULL);
        claim();
        ck_assert(!expect(2, true)[0].claimed);
        child_kill(&second);
        ck_assert(expect(1, true)->claimed);
        ck_assert_int_eq(expect(1, true)->process->pid, first.pid);
        child_kill(&first);
}
END_TEST

/* Another driver, as usb-storage with a V1, is no claim. */
START_TEST(kernel_driver_is_no_claim) {
        Child child;

        ck_assert_int_eq(symlink("../../drivers/usb-storage", driver_path), 0);
        add_node();
        child = child_start(hold_node, NULL);
        expect(1, false);
        run_for(200 * USEC_PER_MSEC);
        expect(1, false);
        child_kill(&child);
}
END_TEST

/* Somebody claimed it whose open files we cannot see: here nobody has it open at all. */
START_TEST(claim_without_a_holder) {
        claim();
        add_node();
        expect(0, true);
        unclaim();
        expect(0, false);
}
END_TEST

static void hold_and_fork(void *data) {
        int fd = open(node_path, O_RDWR | O_CLOEXEC);

        (void) data;
        if (fd < 0)
                _exit(1);
        child_ready();
        child_wait();
        if (fork() == 0) {
                prctl(PR_SET_NAME, "heir");
                child_ready();
                child_wait();
                _exit(0);
        }
        pause();
}

START_TEST(inherited_descriptor_outlives_its_opener) {
        const GateHolder *holder;
        Child child;

        add_node();
        child = child_start(hold_and_fork, NULL);
        expect(1, false);
        child_continue(&child);
        ck_assert_int_eq(kill(child.pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(child.pid, NULL, 0), child.pid);
        for (;;) {
                holder = expect(1, false);
                if (holder->process->pid != child.pid)
                        break;
                ck_assert_int_ge(sd_event_run(event, PROMPTLY), 1);
        }
        ck_assert_str_eq(holder->process->command, "heir");
        child.tell = safe_close(child.tell); /* the heir ends */
        expect(0, false);
        child.hear = safe_close(child.hear);
}
END_TEST

static void give_away(void *data) {
        int fd = open(node_path, O_RDWR | O_CLOEXEC), named[2];
        char byte;

        (void) data;
        if (pipe(named) < 0)
                _exit(1);
        child_ready();
        child_wait();
        if (fork() == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                prctl(PR_SET_NAME, "heir");
                if (write(named[1], "n", 1) == 1)
                        pause();
                _exit(1);
        }
        if (read(named[0], &byte, 1) != 1)
                _exit(1);
        close(fd);
        child_ready();
        child_wait();
}

/* The opener lives on and closed its copy; the kernel reports no close, since a child has one. */
START_TEST(descriptor_that_was_given_away) {
        const GateHolder *holder;
        Child child;

        add_node();
        child = child_start(give_away, NULL);
        expect(1, false);
        child_continue(&child);
        do {
                ck_assert_int_ge(sd_event_run(event, PROMPTLY), 1);
                holder = expect(1, false);
        } while (holder->process->pid == child.pid);
        ck_assert_str_eq(holder->process->command, "heir");
        child_kill(&child);
        expect(0, false);
}
END_TEST

static void hold_and_exec(void *data) {
        (void) data;
        if (open(node_path, O_RDWR) < 0) /* for the next program, too */
                _exit(1);
        child_ready();
        child_wait();
        execl("/bin/sleep", "sleep", "60", NULL);
}

START_TEST(holder_that_becomes_another_program) {
        const GateHolder *holder;
        Child child;
        Usec since;

        add_node();
        child = child_start(hold_and_exec, NULL);
        holder = expect(1, false);
        since = holder->since;
        ck_assert_str_ne(holder->process->command, "sleep");
        run_for(50 * USEC_PER_MSEC);
        ck_assert_int_eq(write(child.tell, "c", 1), 1);
        n_changes = 0;
        /* Within the exec there is a moment without arguments. */
        while (strcmp(holder->process->command, "sleep") != 0 || !holder->process->cmdline) {
                ck_assert_int_ge(sd_event_run(event, PROMPTLY), 1);
                holder = expect(1, false);
        }
        ck_assert_str_eq(holder->process->cmdline, "sleep 60");
        ck_assert_uint_eq(holder->since, since);
        run_for(100 * USEC_PER_MSEC);
        ck_assert_int_ge(n_changes, 1);
        ck_assert_int_le(n_changes, 2);
        child_kill(&child);
        expect(0, false);
}
END_TEST

static void hold_by_path(void *data) {
        int fd = open(node_path, O_PATH | O_CLOEXEC);

        (void) data;
        if (fd < 0)
                _exit(1);
        child_ready();
        child_wait();
}

START_TEST(path_descriptor_holds_nothing) {
        Child child = child_start(hold_by_path, NULL);

        add_node();
        expect(0, false);
        child_end(&child);
}
END_TEST

static void hold_by_other_name(void *data) {
        char other[128];

        (void) data;
        snprintf(other, sizeof(other), "%s/other", folder);
        if (link(node_path, other) < 0 || open(other, O_RDONLY | O_CLOEXEC) < 0 ||
            unlink(other) < 0)
                _exit(1);
        child_ready();
        child_wait();
}

START_TEST(node_is_known_by_more_than_its_name) {
        Child child;

        add_node();
        child = child_start(hold_by_other_name, NULL);
        expect(1, false);
        child_end(&child);
}
END_TEST

/* Without the rights of root: somebody else's descriptors cannot be seen, his claim can. */
START_TEST(holder_whom_we_may_not_see) {
        const GateHolder *holders;
        Child child;
        size_t n;

        if (geteuid() != 0) {
                printf("SKIP: holder_whom_we_may_not_see: needs root for a second user\n");
                return;
        }
        if (gate_get_kind(gate) == GATE_POLL) /* nor may we read the node */
                ck_assert_int_eq(chmod(node_path, 0600), 0);
        ck_assert_int_eq(setegid(65534), 0);
        ck_assert_int_eq(seteuid(65534), 0);
        add_node();
        expect(0, false);
        ck_assert_int_eq(seteuid(0), 0);
        child = child_start(hold_node, NULL);
        ck_assert_int_eq(seteuid(65534), 0);
        if (gate_get_kind(gate) == GATE_FANOTIFY)
                (void) expect(1, false);
        else
                run_for(300 * USEC_PER_MSEC);
        holders = gate_node_holders(node, &n);
        if (gate_get_kind(gate) == GATE_FANOTIFY) {
                ck_assert_uint_eq(n, 1); /* the kernel said who it is */
                ck_assert_int_eq(holders[0].process->pid, child.pid);
                ck_assert_ptr_null(holders[0].process->exe);
        } else
                ck_assert_uint_eq(n, 0);
        ck_assert_int_eq(seteuid(0), 0);
        claim();
        ck_assert_int_eq(seteuid(65534), 0);
        expect(n, true);
        ck_assert_int_eq(seteuid(0), 0);
        unclaim();
        child_kill(&child);
        ck_assert_int_eq(seteuid(65534), 0);
        expect(0, false);
        ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(ignored_process_is_no_holder) {
        Child child = child_start(hold_node, NULL);

        gate_ignore_process(gate, child.pid);
        claim();
        add_node();
        expect(0, false); /* the claim is taken for the worker's */
        gate_unignore_process(gate, child.pid);
        ck_assert_int_eq(gate_node_rescan(node), 0);
        ck_assert(expect(1, true)->claimed);
        gate_ignore_process(gate, child.pid);
        ck_assert_int_eq(gate_node_rescan(node), 0);
        expect(0, false);
        child_end(&child);
}
END_TEST

static double cpu_seconds(void) {
        struct rusage usage;

        getrusage(RUSAGE_SELF, &usage);
        return (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

START_TEST(idle_gate_sleeps) {
        Child child;

        add_node();
        child = child_start(hold_node, NULL);
        expect(1, false);
        child_end(&child);
        expect(0, false);
        run_for(USEC_PER_SEC / 2); /* let the closing's own events pass */
        ck_assert_int_eq(run_for(2 * USEC_PER_SEC), 0);
}
END_TEST

static void open_and_close_for_ever(void *data) {
        (void) data;
        child_ready();
        for (;;)
                close(open(node_path, O_RDONLY | O_CLOEXEC));
}

/* Somebody in a loop must not keep us busy, nor hide another holder. */
START_TEST(storm_is_weathered) {
        Child storm, child;
        double cpu;
        int turns;

        add_node();
        storm = child_start(open_and_close_for_ever, NULL);
        cpu = cpu_seconds();
        turns = run_for(2 * USEC_PER_SEC);
        cpu = cpu_seconds() - cpu;
        ck_assert_msg(turns < 1000, "%d turns in 2 s", turns);
        ck_assert_msg(cpu < 1.5, "%.2f s of CPU in 2 s", cpu);
        child = child_start(hold_node, NULL);
        for (;;) {
                size_t n;
                const GateHolder *holders = gate_node_holders(node, &n);

                if ((n > 0 && holders[0].process->pid == child.pid) ||
                    (n > 1 && holders[1].process->pid == child.pid))
                        break;
                ck_assert_int_ge(sd_event_run(event, PROMPTLY), 1);
        }
        child_kill(&storm);
        ck_assert_int_eq(expect(1, false)->process->pid, child.pid);
        child_end(&child);
}
END_TEST

START_TEST(many_nodes_one_look) {
        GateNode *nodes[120];
        Child child = child_start(hold_node, NULL);
        char path[128];
        size_t n;

        add_node();
        for (size_t i = 0; i < ELEMENTSOF(nodes); i++) {
                snprintf(path, sizeof(path), "%s/n%zu", folder, i);
                make_file(path);
                ck_assert_int_eq(gate_add_node(gate, path, NULL, folder, &nodes[i]), 0);
        }
        expect(1, false);
        for (size_t i = 0; i < ELEMENTSOF(nodes); i++) {
                (void) gate_node_holders(nodes[i], &n);
                ck_assert_uint_eq(n, 0);
                ck_assert_ptr_null(gate_remove_node(nodes[i]));
        }
        child_end(&child);
        expect(0, false);
}
END_TEST

static void remove_other(GateNode *which, void *userdata) {
        GateNode **nodes = userdata;

        for (int i = 0; i < 3; i++)
                if (nodes[i] != which)
                        nodes[i] = gate_remove_node(nodes[i]);
}

START_TEST(nodes_are_removed_from_within) {
        Usec deadline = now_usec(CLOCK_MONOTONIC) + PROMPTLY;
        GateNode *nodes[3];
        Gate *other;

        ck_assert_int_eq(gate_new(event, _GATE_KIND_MAX, NULL, remove_other, nodes, &other), 0);
        for (int i = 0; i < 3; i++)
                ck_assert_int_eq(gate_add_node(other, node_path, NULL, NULL, &nodes[i]), 0);
        while (nodes[0] && nodes[1] && nodes[2] && now_usec(CLOCK_MONOTONIC) < deadline)
                ck_assert_int_ge(sd_event_run(event, 100 * USEC_PER_MSEC), 0);
        run_for(100 * USEC_PER_MSEC);
        ck_assert_int_eq(!!nodes[0] + !!nodes[1] + !!nodes[2], 1);
        for (int i = 0; i < 3; i++)
                gate_remove_node(nodes[i]);
        gate_free(other);
}
END_TEST

START_TEST(node_that_is_not_there) {
        char path[128];

        snprintf(path, sizeof(path), "%s/none", folder);
        ck_assert_int_eq(gate_add_node(gate, path, NULL, NULL, &node), -ENOENT);
        ck_assert_ptr_null(node);
        ck_assert_int_eq(unlink(node_path), 0);
        make_file(node_path);
        add_node();
        ck_assert_int_eq(unlink(node_path), 0);
        run_for(100 * USEC_PER_MSEC);
        expect(0, false);
}
END_TEST

START_TEST(others_cannot_bind) {
        GateTraffic traffic;
        Process *us = NULL;

        add_node();
        ck_assert_int_lt(gate_binding_error(gate), 0);
        ck_assert_int_eq(gate_node_bind(node, 1), -EOPNOTSUPP);
        ck_assert(!gate_node_is_bound(node));
        ck_assert_int_eq(process_new(getpid(), &us), 0);
        ck_assert_int_eq(gate_admit(gate, 1, us), -EOPNOTSUPP);
        ck_assert_int_eq(gate_node_traffic(node, us, &traffic), -EOPNOTSUPP);
        process_free(us);
        ck_assert_str_eq(gate_kind_to_string(GATE_FANOTIFY), "fanotify");
        ck_assert_int_eq(gate_kind_from_string("poll"), GATE_POLL);
}
END_TEST

static TCase *make_tests(const char *name, void (*setup)(void)) {
        TCase *tests = tcase_create(name);

        tcase_add_checked_fixture(tests, setup, stop);
        tcase_set_timeout(tests, 60);
        tcase_add_test(tests, holder_there_before_us);
        tcase_add_test(tests, told_once_when_there_is_nobody);
        tcase_add_test(tests, open_and_close_are_seen);
        tcase_add_test(tests, killed_holder_is_gone);
        tcase_add_test(tests, claim_comes_and_goes);
        tcase_add_test(tests, claim_of_two_holders_is_nobodys);
        tcase_add_test(tests, kernel_driver_is_no_claim);
        tcase_add_test(tests, claim_without_a_holder);
        tcase_add_test(tests, inherited_descriptor_outlives_its_opener);
        tcase_add_test(tests, descriptor_that_was_given_away);
        tcase_add_test(tests, holder_that_becomes_another_program);
        tcase_add_test(tests, path_descriptor_holds_nothing);
        tcase_add_test(tests, node_is_known_by_more_than_its_name);
        tcase_add_test(tests, holder_whom_we_may_not_see);
        tcase_add_test(tests, ignored_process_is_no_holder);
        tcase_add_test(tests, idle_gate_sleeps);
        tcase_add_test(tests, storm_is_weathered);
        tcase_add_test(tests, many_nodes_one_look);
        tcase_add_test(tests, nodes_are_removed_from_within);
        tcase_add_test(tests, node_that_is_not_there);
        tcase_add_test(tests, others_cannot_bind);
        return tests;
}

int main(void) {
        bool devices, fanotify;
        SRunner *runner;
        Suite *suite;
        int failed;

        keep_alone();
        devices = can_make_devices();
        fanotify = can_use_fanotify();
        suite = suite_create("gate");
        runner = srunner_create(suite);
        suite_add_tcase(suite, make_tests("poll", start_poll));
        if (devices)
                suite_add_tcase(suite, make_tests("poll-device", start_poll_device));
        if (fanotify)
                suite_add_tcase(suite, make_tests("fanotify", start_fanotify));
        if (fanotify && devices)
                suite_add_tcase(suite, make_tests("fanotify-device", start_fanotify_device));
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        if (failed)
                return EXIT_FAILURE;
        return devices && fanotify ? EXIT_SUCCESS : 77;
}
