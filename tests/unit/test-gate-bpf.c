/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "gate-bpf-fixture.h"

/* What the gate that binds sees, and whom it refuses. */

START_TEST(opens_and_closes_are_seen) {
        const GateHolder *holders;
        size_t n;

        expect_holders(0);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), 0);
        expect_holders(1);
        holders = gate_node_holders(node, &n);
        ck_assert_int_eq(holders[0].process->pid, stranger.pid);
        ck_assert_int_eq(actor_do(&other, ACTOR_OPEN), 0);
        expect_holders(2);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_CLOSE), 0);
        expect_holders(1);
        holders = gate_node_holders(node, &n);
        ck_assert_int_eq(holders[0].process->pid, other.pid);
        actor_end(&other);
        expect_holders(0);
}
END_TEST

START_TEST(who_had_it_before_the_gate_is_seen) {
        node = gate_remove_node(node);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), 0);
        ck_assert_int_eq(gate_add_node(gate, node_path, NULL, NULL, &node), 0);
        expect_holders(1);
}
END_TEST

START_TEST(without_a_lease_nobody_is_refused) {
        ck_assert(!gate_node_is_bound(node));
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), 0);
        check_all(&stranger, 0, 0);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_USE_32), 0);
}
END_TEST

START_TEST(strangers_are_refused) {
        bind_to(7, &holder);
        ck_assert(gate_node_is_bound(node));
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), EBUSY);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_CHILD_OPEN), EBUSY);
        ck_assert_int_eq(actor_do(&holder, ACTOR_OPEN), 0);
        gate_node_unbind(node, 7);
        ck_assert(!gate_node_is_bound(node));
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), 0);
}
END_TEST

START_TEST(a_descriptor_from_before_is_no_use) {
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), 0);
        bind_to(7, &holder);
        check_all(&stranger, EBUSY, EBUSY);
        gate_node_unbind(node, 7);
        check_all(&stranger, 0, 0);
}
END_TEST

START_TEST(programs_of_32_bit_are_refused_too) {
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), 0);
        if (actor_do(&stranger, ACTOR_USE_32) != 0) {
                printf("SKIP: 32-bit system calls: this machine has none\n");
                ck_assert_ptr_null(getenv("TEST_GATE_BPF"));
                return;
        }
        bind_to(7, &holder);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_USE_32), EBUSY);
        ck_assert_int_eq(actor_do(&holder, ACTOR_OPEN), 0);
        ck_assert_int_eq(actor_do(&holder, ACTOR_USE_32), 0);
}
END_TEST

START_TEST(members_are_never_refused) {
        ck_assert_int_eq(actor_do(&holder, ACTOR_OPEN), 0);
        bind_to(7, &holder);
        check_all(&holder, 0, 0);
        ck_assert_int_eq(actor_do(&holder, ACTOR_CLOSE), 0);
        ck_assert_int_eq(actor_do(&holder, ACTOR_OPEN), 0);
}
END_TEST

START_TEST(we_and_what_we_start_are_never_refused) {
        struct winsize size;
        int fd, status;
        pid_t pid;

        bind_to(7, &holder);
        fd = open(node_path, O_RDWR | O_NOCTTY | O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        pid = fork();
        if (pid == 0)
                _exit(ioctl(fd, TIOCGWINSZ, &size) < 0 ? errno : 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
        close(fd);
        ck_assert_uint_eq(n_refused, 0);
}
END_TEST

START_TEST(a_node_can_be_bound_to_several_leases) {
        bind_to(7, &holder);
        bind_to(8, &other);
        ck_assert_int_eq(actor_do(&holder, ACTOR_OPEN), 0);
        ck_assert_int_eq(actor_do(&other, ACTOR_OPEN), 0);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), EBUSY);
        gate_node_unbind(node, 7);
        check_all(&holder, EBUSY, EBUSY);
        check_all(&other, 0, 0);
        gate_node_unbind(node, 8);
        check_all(&holder, 0, 0);
}
END_TEST

START_TEST(the_membership_of_an_ended_lease_is_void) {
        bind_to(7, &holder);
        gate_node_unbind(node, 7);
        bind_to(8, &other);
        ck_assert_int_eq(actor_do(&holder, ACTOR_OPEN), EBUSY);
}
END_TEST

/* One after the other, and at the same time */
START_TEST(a_process_can_belong_to_many_leases) {
        for (GateTag tag = 1; tag <= 100; tag++) {
                bind_to(tag, &holder);
                ck_assert_int_eq(actor_do(&holder, ACTOR_NEW_CHILD_OPEN), 0);
                gate_node_unbind(node, tag);
        }
        for (GateTag tag = 101; tag <= 108; tag++)
                bind_to(tag, &holder);
        ck_assert_int_eq(gate_node_bind(node, 109), 0);
        ck_assert_int_eq(admit(109, &holder), -ENOSPC);
        ck_assert_int_eq(admit(108, &holder), 0);
}
END_TEST

START_TEST(refusals_are_told) {
        bind_to(7, &holder);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), EBUSY);
        expect_refused(1);
        ck_assert_int_eq(refusal.pid, stranger.pid);
        ck_assert_uint_eq(refusal.uid, getuid());
        ck_assert_uint_eq(refusal.request, 0);
        ck_assert_str_eq(refusal.command, "test-gate-bpf");
        ck_assert(refused_known);
        gate_node_unbind(node, 7);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), 0);
        ck_assert_int_eq(gate_node_bind(node, 7), 0);
        for (int i = 0; i < 100; i++)
                ck_assert_int_eq(actor_do(&stranger, ACTOR_USE), EBUSY);
        expect_refused(101);
        ck_assert_uint_eq(refusal.request, TIOCGWINSZ);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_NEW_CHILD_OPEN), EBUSY);
        expect_refused(102);
        ck_assert(!refused_known); /* it is gone */
}
END_TEST

START_TEST(a_descriptor_of_the_lease_makes_a_member) {
        bind_to(7, &holder);
        ck_assert_int_eq(actor_do(&holder, ACTOR_OPEN), 0);
        actor_pass(&holder, &other);
        ck_assert_int_eq(actor_do(&other, ACTOR_USE), 0);
        ck_assert_int_eq(actor_do(&other, ACTOR_USE_IN_THREAD), 0);
        ck_assert_int_eq(actor_do(&other, ACTOR_NEW_CHILD_OPEN), 0);
        ck_assert_int_eq(actor_do(&other, ACTOR_EXEC_OPEN), 0);
        ck_assert_int_eq(actor_do(&other, ACTOR_CHILD_OPEN), EBUSY); /* was there before */
}
END_TEST

START_TEST(no_other_descriptor_does) {
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), 0);
        bind_to(7, &holder);
        actor_pass(&stranger, &other);
        check_all(&other, EBUSY, EBUSY);
        gate_node_unbind(node, 7);

        bind_to(8, &holder);
        ck_assert_int_eq(actor_do(&holder, ACTOR_OPEN), 0);
        gate_node_unbind(node, 8);
        ck_assert_int_eq(gate_node_bind(node, 9), 0);
        actor_pass(&holder, &other); /* of a lease that has ended */
        check_all(&other, EBUSY, EBUSY);
}
END_TEST

START_TEST(a_carrier_becomes_no_member) {
        bind_to(7, &holder);
        ck_assert_int_eq(actor_do(&holder, ACTOR_OPEN), 0);
        ck_assert_int_eq(actor_do(&other, ACTOR_RENAME), 0);
        actor_pass(&holder, &other);
        check_all(&other, EBUSY, EBUSY);
}
END_TEST

START_TEST(requests_are_counted) {
        Process *process = NULL;
        GateTraffic traffic;

        ck_assert_int_eq(process_new(stranger.pid, &process), 0);
        ck_assert_int_eq(gate_node_traffic(node, process, &traffic), 0);
        ck_assert_uint_eq(traffic.requests, 0);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), 0);
        for (int i = 0; i < 50; i++)
                ck_assert_int_eq(actor_do(&stranger, ACTOR_USE), 0);
        ck_assert_int_eq(gate_node_traffic(node, process, &traffic), 0);
        ck_assert_uint_eq(traffic.requests, 50);
        ck_assert_uint_eq(traffic.transfers, 0); /* a terminal's are none */
        process->start += USEC_PER_SEC;
        ck_assert_int_eq(gate_node_traffic(node, process, &traffic), 0);
        ck_assert_uint_eq(traffic.requests, 0);
        process_free(process);
}
END_TEST

/* More events than there is room for, while we do not look */
START_TEST(an_overflow_loses_nobody) {
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN_OFTEN), 0);
        ck_assert_int_eq(actor_do(&other, ACTOR_OPEN), 0);
        expect_holders(1);
        ck_assert_int_eq(actor_do(&other, ACTOR_CLOSE), 0);
        expect_holders(0);
}
END_TEST

START_TEST(with_the_node_goes_the_binding) {
        bind_to(7, &holder);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), EBUSY);
        node = gate_remove_node(node);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), 0);
        ck_assert_int_eq(gate_add_node(gate, node_path, NULL, NULL, &node), 0);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_USE), 0);
        ck_assert_int_eq(gate_node_bind(node, 7), 0);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_USE), EBUSY);
        ck_assert_int_eq(actor_do(&holder, ACTOR_OPEN), 0);
}
END_TEST

START_TEST(without_the_gate_everything_is_open) {
        bind_to(7, &holder);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), EBUSY);
        node = gate_remove_node(node);
        gate = gate_free(gate);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), 0);
}
END_TEST

START_TEST(a_loader_that_is_killed_leaves_it_open) {
        int pair[2];
        char byte;
        pid_t pid;

        ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
        node = gate_remove_node(node);
        gate = gate_free(gate);
        pid = fork();
        if (pid == 0) {
                event = sd_event_unref(event);
                if (sd_event_new(&event) < 0 ||
                    gate_new(event, GATE_BPF, store, on_changed, NULL, &gate) < 0 ||
                    gate_add_node(gate, node_path, NULL, NULL, &node) < 0 ||
                    gate_node_bind(node, 1) < 0 || write(pair[1], "", 1) != 1)
                        _exit(1);
                pause();
        }
        ck_assert_int_eq(read(pair[0], &byte, 1), 1);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), EBUSY);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        for (int i = 0; i < 100 && actor_do(&stranger, ACTOR_OPEN) != 0; i++)
                usleep(100000);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_USE), 0);
}
END_TEST

/* What is refused often is counted in the kernel, and leaves room for what others do. */
START_TEST(a_flood_of_refusals_is_counted) {
        bind_to(7, &holder);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_TRY_OFTEN), EBUSY);
        ck_assert_int_eq(actor_do(&holder, ACTOR_OPEN), 0);
        expect_holders(1);
        expect_refused(ACTOR_OFTEN);
        ck_assert_int_eq(refusal.pid, stranger.pid);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), EBUSY);
        expect_refused(ACTOR_OFTEN + 1);
}
END_TEST

/* Put a process into a control group two below one of ours, of which this is the number. */
static uint64_t put_below(const char *top, pid_t pid) {
        char path[128];
        struct stat st;
        FILE *file;

        ck_assert_int_eq(mkdir(top, 0755), 0);
        ck_assert_int_eq(stat(top, &st), 0);
        (void) snprintf(path, sizeof(path), "%s/below", top);
        ck_assert_int_eq(mkdir(path, 0755), 0);
        (void) snprintf(path, sizeof(path), "%s/below/cgroup.procs", top);
        file = fopen(path, "we");
        ck_assert_ptr_nonnull(file);
        fprintf(file, "%d", (int) pid);
        ck_assert_int_eq(fclose(file), 0);
        return st.st_ino;
}

/* What the test does to these is not for ordinary users. */
static bool skip_delegates(void) {
        if (getuid() == 0)
                return false;
        printf("SKIP: delegates: only root can make users and control groups\n");
        return true;
}

static void delegate(GateTag tag, GateDelegateKind kind, uint64_t id) {
        ck_assert_int_eq(gate_delegate(gate, tag, kind, id), 0);
        ck_assert_int_eq(gate_node_bind(node, tag), 0);
}

START_TEST(a_control_group_is_a_member) {
        char top[64], below[80];
        uint64_t cgroup;

        if (skip_delegates())
                return;
        (void) snprintf(top, sizeof(top), "/sys/fs/cgroup/test-gate-%d", (int) getpid());
        (void) snprintf(below, sizeof(below), "%s/below", top);
        cgroup = put_below(top, stranger.pid);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), 0);
        ck_assert_int_eq(actor_do(&other, ACTOR_OPEN), 0);
        bind_to(7, &holder);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_USE), EBUSY);

        delegate(8, GATE_DELEGATE_CGROUP, cgroup);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_USE), 0);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_USE_IN_THREAD), 0);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_NEW_CHILD_OPEN), 0);
        ck_assert_int_eq(actor_do(&other, ACTOR_USE), EBUSY);
        ck_assert_int_eq(actor_do(&holder, ACTOR_OPEN), 0);
        gate_node_unbind(node, 8);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_USE), EBUSY);
        ck_assert_int_eq(actor_do(&holder, ACTOR_USE), 0);

        /* Another lease, which was delegated to nobody */
        delegate(8, GATE_DELEGATE_CGROUP, cgroup);
        gate_node_unbind(node, 8);
        gate_node_unbind(node, 7);
        bind_to(9, &holder);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_USE), EBUSY);
        actor_end(&stranger);
        for (int i = 0; i < 100 && rmdir(below) < 0; i++)
                (void) usleep(50000);
        ck_assert_int_eq(rmdir(top), 0);
}
END_TEST

START_TEST(a_user_is_a_member) {
        if (skip_delegates())
                return;
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), 0);
        ck_assert_int_eq(actor_do(&other, ACTOR_OPEN), 0);
        ck_assert_int_eq(actor_do(&other, ACTOR_BECOME_NOBODY), 0);
        bind_to(7, &holder);
        ck_assert_int_eq(actor_do(&other, ACTOR_USE), EBUSY);
        delegate(8, GATE_DELEGATE_UID, ACTOR_NOBODY);
        ck_assert_int_eq(actor_do(&other, ACTOR_USE), 0);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_USE), EBUSY);
        /* When two mean him, one is enough, whichever that is. */
        delegate(9, GATE_DELEGATE_UID, ACTOR_NOBODY);
        gate_node_unbind(node, 9);
        ck_assert_int_eq(actor_do(&other, ACTOR_USE), 0);
        delegate(9, GATE_DELEGATE_UID, ACTOR_NOBODY);
        gate_node_unbind(node, 8);
        ck_assert_int_eq(actor_do(&other, ACTOR_USE), 0);
        gate_node_unbind(node, 9);
        ck_assert_int_eq(actor_do(&other, ACTOR_USE), EBUSY);
}
END_TEST

/* With a tag of its own a process is a member until that tag is gone, with all that it started. */
START_TEST(a_process_is_a_member_for_a_while) {
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), 0);
        bind_to(7, &holder);
        check_all(&stranger, EBUSY, EBUSY);
        bind_to(8, &stranger);
        check_all(&stranger, 0, 0);
        gate_node_unbind(node, 8);
        check_all(&stranger, EBUSY, EBUSY);
        ck_assert_int_eq(actor_do(&holder, ACTOR_OPEN), 0);
        check_all(&holder, 0, 0);
}
END_TEST

#define A_BUS    63
#define A_DEVICE 100

static unsigned refused_bus;

static void on_bus_refused(GateNode *which, const GateRefusal *told, void *userdata) {
        (void) userdata;
        ck_assert_ptr_null(which);
        refused_bus = told->bus;
        n_refused += told->count;
}

/* A device number without a device: EBUSY comes before anybody would say so. */
static int open_device(Actor *actor) {
        return actor_do(actor, ACTOR_CHILD_OPEN);
}

static void hold_a_bus(const char *path) {
        static const GateTag tag = 7;

        ck_assert_int_eq(
                mknod(path, S_IFCHR | 0666, makedev(189, (A_BUS - 1) * 128 + A_DEVICE - 1)), 0);
        node = gate_remove_node(node);
        gate = gate_free(gate);
        actor_end(&stranger);
        actor_end(&holder);
        stranger = actor_start(path);
        holder = actor_start(path);
        ck_assert_int_eq(gate_new(event, GATE_BPF, NULL, on_changed, NULL, &gate), 0);
        gate_set_refused(gate, on_bus_refused, NULL);
        ck_assert_int_ne(open_device(&stranger), EBUSY);
        ck_assert_int_eq(admit(tag, &holder), 0);
        ck_assert_int_eq(gate_hold_bus(gate, A_BUS, 10 * USEC_PER_SEC, &tag, 1), 0);
}

START_TEST(what_is_new_on_a_bus_is_held_back) {
        Usec deadline = now_usec(CLOCK_MONOTONIC) + 4 * PROMPTLY;
        char path[64];

        if (getuid() != 0) {
                printf("SKIP: a node of a USB device: only root can make one\n");
                return;
        }
        (void) snprintf(path, sizeof(path), "/dev/test-gate-%d", (int) getpid());
        hold_a_bus(path);
        ck_assert_int_eq(open_device(&stranger), EBUSY);
        ck_assert_int_ne(open_device(&holder), EBUSY);
        expect_refused(1);
        ck_assert_uint_eq(refused_bus, A_BUS);
        gate_set_device_known(gate, A_BUS, A_DEVICE + 1, true);
        gate_set_device_known(gate, A_BUS + 1, A_DEVICE, true);
        ck_assert_int_eq(open_device(&stranger), EBUSY);
        gate_set_device_known(gate, A_BUS, A_DEVICE, true);
        ck_assert_int_ne(open_device(&stranger), EBUSY);
        gate_set_device_known(gate, A_BUS, A_DEVICE, false);
        ck_assert_int_eq(open_device(&stranger), EBUSY);
        while (open_device(&stranger) == EBUSY && now_usec(CLOCK_MONOTONIC) < deadline)
                (void) usleep(50000);
        ck_assert_int_ne(open_device(&stranger), EBUSY); /* it is over by itself */
        unlink(path);
}
END_TEST

START_TEST(what_cannot_be_bound_says_so) {
        char path[] = "/tmp/test-gate-bpf.XXXXXX";
        int fd = mkstemp(path);
        GateNode *file = NULL;
        Process gone = { .pid = 1, .pidfd = -EBADF };

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(gate_add_node(gate, path, NULL, NULL, &file), 0);
        ck_assert_int_eq(gate_node_bind(file, 7), -EOPNOTSUPP);
        ck_assert(!gate_node_is_bound(file));
        gate_remove_node(file);
        close(fd);
        unlink(path);
        ck_assert_int_eq(gate_admit(gate, 7, &gone), -ESRCH);
}
END_TEST

static TCase *new_case(Suite *suite, const char *name) {
        TCase *tests = tcase_create(name);

        tcase_set_timeout(tests, 300);
        tcase_add_checked_fixture(tests, gate_bpf_start_world, gate_bpf_stop_world);
        suite_add_tcase(suite, tests);
        return tests;
}

/* What a gate is for; CK_RUN_CASE=essence runs no more. */
static void add_essence(TCase *tests) {
        tcase_add_test(tests, opens_and_closes_are_seen);
        tcase_add_test(tests, strangers_are_refused);
        tcase_add_test(tests, a_descriptor_from_before_is_no_use);
        tcase_add_test(tests, members_are_never_refused);
        tcase_add_test(tests, refusals_are_told);
        tcase_add_test(tests, a_descriptor_of_the_lease_makes_a_member);
        tcase_add_test(tests, a_user_is_a_member);
}

static void add_rest(TCase *tests) {
        tcase_add_test(tests, who_had_it_before_the_gate_is_seen);
        tcase_add_test(tests, without_a_lease_nobody_is_refused);
        tcase_add_test(tests, programs_of_32_bit_are_refused_too);
        tcase_add_test(tests, we_and_what_we_start_are_never_refused);
        tcase_add_test(tests, a_node_can_be_bound_to_several_leases);
        tcase_add_test(tests, the_membership_of_an_ended_lease_is_void);
        tcase_add_test(tests, a_process_can_belong_to_many_leases);
        tcase_add_test(tests, no_other_descriptor_does);
        tcase_add_test(tests, a_carrier_becomes_no_member);
        tcase_add_test(tests, requests_are_counted);
        tcase_add_test(tests, an_overflow_loses_nobody);
        tcase_add_test(tests, with_the_node_goes_the_binding);
        tcase_add_test(tests, without_the_gate_everything_is_open);
        tcase_add_test(tests, a_loader_that_is_killed_leaves_it_open);
        tcase_add_test(tests, a_flood_of_refusals_is_counted);
        tcase_add_test(tests, a_control_group_is_a_member);
        tcase_add_test(tests, a_process_is_a_member_for_a_while);
        tcase_add_test(tests, what_is_new_on_a_bus_is_held_back);
        tcase_add_test(tests, what_cannot_be_bound_says_so);
}

int main(void) {
        Suite *suite = suite_create("gate-bpf");

        add_essence(new_case(suite, "essence"));
        add_rest(new_case(suite, "rest"));
        return run_gate_bpf_suite(suite);
}
