/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "children.h"
#include "gate/family.h"

#define VISITS_MAX 64

/* Who was visited, in that order, and what the visitor says to one of them. */
typedef struct Guest {
        pid_t pids[VISITS_MAX];
        size_t n;
        pid_t odd_one; /* whose visit ends with error */
        int error;
        bool multiplies; /* each visit makes the test one child more */
} Guest;

/* Negative when it has ended. */
static pid_t pid_of(int pidfd) {
        _cleanup_free_ char *text = NULL;
        char path[64];
        int pid = 0;

        (void) snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
        ck_assert_int_ge(read_file_at(AT_FDCWD, path, 4096, &text, NULL), 0);
        ck_assert_int_eq(sscanf(strstr(text, "\nPid:"), "\nPid: %d", &pid), 1);
        return pid;
}

static bool was_visited(const Guest *guest, pid_t pid) {
        for (size_t i = 0; i < guest->n; i++)
                if (guest->pids[i] == pid)
                        return true;
        return false;
}

static int visit(int pidfd, void *userdata) {
        Guest *guest = userdata;
        pid_t pid = pid_of(pidfd);

        if (pid < 0)
                return -ESRCH;
        if (guest->error && pid == guest->odd_one)
                return guest->error;
        if (was_visited(guest, pid))
                return 0;
        ck_assert_uint_lt(guest->n, VISITS_MAX);
        guest->pids[guest->n++] = pid;
        if (guest->multiplies)
                (void) child_idle();
        return 1;
}

/* A child with two children, who tell it of themselves by nothing but their pids. */
static void father(void *data) {
        pid_t *sons = data;

        for (unsigned i = 0; i < 2; i++)
                sons[i] = child_idle();
        child_ready();
        child_wait();
}

static pid_t *shared_pids(void) {
        pid_t *pids = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        ck_assert_ptr_ne(pids, MAP_FAILED);
        return pids;
}

static int walk(pid_t pid, Guest *guest) {
        _cleanup_(process_freep) Process *process = NULL;

        ck_assert_int_eq(process_identify(pid, &process), 0);
        return family_walk(process, visit, guest);
}

START_TEST(everybody_once) {
        pid_t *sons = shared_pids(), stranger = child_idle();
        Child child = child_start(father, sons);
        Guest guest = {};

        ck_assert_int_eq(walk(child.pid, &guest), 0);
        ck_assert_uint_eq(guest.n, 3);
        ck_assert_int_eq(guest.pids[0], child.pid);
        ck_assert(was_visited(&guest, sons[0]));
        ck_assert(was_visited(&guest, sons[1]));
        ck_assert(!was_visited(&guest, stranger));
        child_kill(&child);
        child_idle_end(stranger);
}
END_TEST

START_TEST(parents_first) {
        Guest guest = {};
        pid_t *sons = shared_pids();
        Child child = child_start(father, sons);

        ck_assert_int_eq(walk(getpid(), &guest), 0);
        ck_assert_uint_eq(guest.n, 4);
        ck_assert_int_eq(guest.pids[0], getpid());
        ck_assert_int_eq(guest.pids[1], child.pid);
        child_kill(&child);
}
END_TEST

/* One who belongs to too many already, or has ended, keeps nobody else from being visited. */
START_TEST(one_that_cannot_be) {
        static const int errors[] = { -ENOSPC, -ESRCH };
        pid_t *sons = shared_pids();
        Child child = child_start(father, sons);

        for (size_t i = 0; i < 2; i++) {
                Guest guest = { .odd_one = sons[i], .error = errors[_i] };

                ck_assert_int_eq(walk(child.pid, &guest), 0);
                ck_assert_uint_eq(guest.n, 2);
                ck_assert(was_visited(&guest, sons[1 - i]));
        }
        child_kill(&child);
}
END_TEST

START_TEST(an_error_ends_it) {
        pid_t *sons = shared_pids();
        Child child = child_start(father, sons);
        const pid_t odd_ones[] = { child.pid, sons[0], sons[1] };
        Guest guest = { .error = -ENOMEM };

        for (size_t i = 0; i < 3; i++) {
                guest.odd_one = odd_ones[i];
                ck_assert_int_eq(walk(child.pid, &guest), -ENOMEM);
        }
        child_kill(&child);
}
END_TEST

/* Whoever starts programs without end does not keep us without end. */
START_TEST(one_that_multiplies) {
        Guest guest = { .multiplies = true };

        ck_assert_int_eq(walk(getpid(), &guest), 0);
        ck_assert_uint_gt(guest.n, 2);
}
END_TEST

START_TEST(one_that_is_gone) {
        _cleanup_(process_freep) Process *process = NULL;
        Child child = child_start(father, shared_pids());
        Guest guest = {};

        ck_assert_int_eq(process_identify(child.pid, &process), 0);
        child_kill(&child);
        ck_assert_int_eq(family_walk(process, visit, &guest), -ESRCH);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("family");
        TCase *tcase = tcase_create("family");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, everybody_once);
        tcase_add_test(tcase, parents_first);
        tcase_add_loop_test(tcase, one_that_cannot_be, 0, 2);
        tcase_add_test(tcase, an_error_ends_it);
        tcase_add_test(tcase, one_that_multiplies);
        tcase_add_test(tcase, one_that_is_gone);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
