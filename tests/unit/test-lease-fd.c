/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "daemon/access.h"
#include "daemon/lease-fd.h"
#include "daemon/member.h"

static char directory[64];
static sd_event *event;
static unsigned closed;

static void on_closed(LeaseFd *lease_fd, void *userdata) {
        LeaseFd **mine = userdata;

        ck_assert_ptr_eq(lease_fd, *mine);
        *mine = lease_fd_free(lease_fd); /* allowed in here */
        closed++;
}

static void set_up(void) {
        strcpy(directory, "/tmp/stlinkd-lease.XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(directory));
        ck_assert_int_ge(sd_event_new(&event), 0);
        closed = 0;
}

static void tear_down(void) {
        sd_event_unref(event);
        ck_assert_int_eq(rmdir(directory), 0); /* nothing is left in it */
}

static void settle(void) {
        while (sd_event_run(event, 20000) > 0)
                ;
}

START_TEST(test_hang_up) {
        LeaseFd *lease_fd = NULL;
        int fd = -EBADF;
        struct stat st;

        ck_assert_int_eq(lease_fd_new(event, directory, 1, on_closed, &lease_fd, &lease_fd, &fd),
                         0);
        ck_assert_int_eq(fstat(fd, &st), 0);
        ck_assert(S_ISFIFO(st.st_mode));
        ck_assert_uint_eq(st.st_mode & 07777, 0600);
        ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
        settle();
        ck_assert_uint_eq(closed, 0);
        safe_close(fd);
        settle();
        ck_assert_uint_eq(closed, 1);
        ck_assert_ptr_null(lease_fd);
}
END_TEST

START_TEST(test_last_copy_counts) {
        LeaseFd *lease_fd = NULL;
        int fd = -EBADF, copy;
        pid_t child;

        ck_assert_int_eq(lease_fd_new(event, directory, 1, on_closed, &lease_fd, &lease_fd, &fd),
                         0);
        copy = dup(fd);
        child = fork();
        if (child == 0)
                for (;;)
                        (void) pause();
        safe_close(fd);
        safe_close(copy);
        settle();
        ck_assert_uint_eq(closed, 0); /* the child has one still */
        (void) kill(child, SIGKILL);
        (void) waitpid(child, NULL, 0);
        settle();
        ck_assert_uint_eq(closed, 1);
}
END_TEST

/* What somebody writes neither wakes us nor ends the lease. */
START_TEST(test_input_is_ignored) {
        LeaseFd *lease_fd = NULL;
        int fd = -EBADF;

        ck_assert_int_eq(lease_fd_new(event, directory, 1, on_closed, &lease_fd, &lease_fd, &fd),
                         0);
        ck_assert_int_eq(write_full(fd, "hello", 5), 0);
        ck_assert_int_eq(sd_event_run(event, 20000), 0);
        ck_assert_uint_eq(closed, 0);
        safe_close(fd);
        settle();
        ck_assert_uint_eq(closed, 1);
}
END_TEST

START_TEST(test_daemon_gives_up) {
        LeaseFd *lease_fd = NULL;
        struct pollfd poll_fd = { .fd = -EBADF };

        ck_assert_int_eq(
                lease_fd_new(event, directory, 1, on_closed, &lease_fd, &lease_fd, &poll_fd.fd), 0);
        ck_assert_int_eq(poll(&poll_fd, 1, 0), 0);
        lease_fd_free(lease_fd);
        ck_assert_int_eq(poll(&poll_fd, 1, 0), 1);
        ck_assert(poll_fd.revents & POLLERR);
        safe_close(poll_fd.fd);
}
END_TEST

START_TEST(test_prepare) {
        LeaseFd *lease_fd = NULL;
        char path[128];
        int fd = -EBADF;

        (void) snprintf(path, sizeof(path), "%s/lease-1", directory);
        ck_assert_int_eq(mkfifo(path, 0600), 0);
        ck_assert_int_eq(lease_fd_new(event, directory, 1, on_closed, &lease_fd, &lease_fd, &fd),
                         -EEXIST);
        ck_assert_int_eq(lease_fd_prepare(directory, NULL, 0), 0);
        ck_assert_int_lt(access(path, F_OK), 0);
        (void) snprintf(path, sizeof(path), "%s/new", directory);
        ck_assert_int_eq(lease_fd_prepare(path, NULL, 0), 0);
        ck_assert_int_eq(rmdir(path), 0);
        ck_assert_int_eq(lease_fd_prepare("/proc/1/nothing/here", NULL, 0), -ENOENT);
}
END_TEST

START_TEST(test_reopen) {
        const uint64_t number = 7;
        LeaseFd *lease_fd = NULL;
        int fd = -EBADF;

        ck_assert_int_eq(
                lease_fd_new(event, directory, number, on_closed, &lease_fd, &lease_fd, &fd), 0);
        ck_assert_int_eq(write_full(fd, "hello", 5), 0);
        lease_fd = lease_fd_leave(lease_fd);
        ck_assert_int_eq(lease_fd_prepare(directory, &number, 1), 0);
        ck_assert_int_eq(lease_fd_reopen(event, directory, number, on_closed, &lease_fd, &lease_fd),
                         0);
        settle();
        ck_assert_uint_eq(closed, 0);
        safe_close(fd);
        settle();
        ck_assert_uint_eq(closed, 1);
        ck_assert_int_eq(lease_fd_reopen(event, directory, number, on_closed, &lease_fd, &lease_fd),
                         -ENOENT);
}
END_TEST

START_TEST(test_reopen_after_the_end) {
        LeaseFd *lease_fd = NULL;
        int fd = -EBADF;

        ck_assert_int_eq(lease_fd_new(event, directory, 7, on_closed, &lease_fd, &lease_fd, &fd),
                         0);
        lease_fd = lease_fd_leave(lease_fd);
        safe_close(fd);
        ck_assert_int_eq(lease_fd_reopen(event, directory, 7, on_closed, &lease_fd, &lease_fd),
                         -EPIPE);
        ck_assert_ptr_null(lease_fd);
        ck_assert_int_eq(lease_fd_prepare(directory, NULL, 0), 0);
}
END_TEST

/* --- who may, and who belongs to whom ----------------------------------------------------- */

START_TEST(test_access) {
        struct passwd *daemon_user = getpwnam("daemon");
        struct group *group;

        ck_assert_int_eq(access_check(0, "no-such-group"), 0);
        ck_assert_int_eq(access_check(4000000000u, "root"), -EACCES);
        ck_assert_ptr_nonnull(daemon_user);
        ck_assert_int_eq(access_check(daemon_user->pw_uid, "no-such-group"), -EACCES);
        ck_assert_int_eq(access_check(daemon_user->pw_uid, "root"), -EACCES);
        group = getgrgid(daemon_user->pw_gid);
        ck_assert_ptr_nonnull(group);
        ck_assert_int_eq(access_check(daemon_user->pw_uid, group->gr_name), 0);
}
END_TEST

START_TEST(test_user_name) {
        char *name = NULL;

        ck_assert_int_eq(access_user_name(0, &name), 0);
        ck_assert_str_eq(name, "root");
        free(name);
        ck_assert_int_eq(access_user_name(4000000000u, &name), 0);
        ck_assert_str_eq(name, "4000000000");
        free(name);
}
END_TEST

static Process *process_of(pid_t pid) {
        Process *process = NULL;

        ck_assert_int_eq(process_new(pid, &process), 0);
        return process;
}

START_TEST(test_descent) {
        Process *self = process_of(getpid()), *parent = process_of(getppid()), *child, *grandchild;
        pid_t pids[2];
        int pipe_fds[2];

        ck_assert_int_eq(pipe(pipe_fds), 0);
        pids[0] = fork();
        if (pids[0] == 0) {
                pid_t pid = fork();

                if (pid > 0)
                        (void) write_full(pipe_fds[1], &pid, sizeof(pid));
                for (;;)
                        (void) pause();
        }
        ck_assert_int_eq(read_full(pipe_fds[0], &pids[1], sizeof(pid_t)), sizeof(pid_t));
        child = process_of(pids[0]);
        grandchild = process_of(pids[1]);
        ck_assert(process_descends_from(self, self));
        ck_assert(process_descends_from(child, self));
        ck_assert(process_descends_from(grandchild, self));
        ck_assert(process_descends_from(grandchild, parent));
        ck_assert(!process_descends_from(self, child));
        ck_assert(!process_descends_from(child, grandchild));
        (void) kill(pids[0], SIGKILL);
        (void) waitpid(pids[0], NULL, 0);
        ck_assert(!process_descends_from(grandchild, child)); /* dead, and maybe reused */
        (void) kill(pids[1], SIGKILL);
        safe_close(pipe_fds[0]);
        safe_close(pipe_fds[1]);
        process_free(self);
        process_free(parent);
        process_free(child);
        process_free(grandchild);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("lease-fd");
        TCase *tcase = tcase_create("fifo"), *who = tcase_create("who");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_hang_up);
        tcase_add_test(tcase, test_last_copy_counts);
        tcase_add_test(tcase, test_input_is_ignored);
        tcase_add_test(tcase, test_daemon_gives_up);
        tcase_add_test(tcase, test_prepare);
        tcase_add_test(tcase, test_reopen);
        tcase_add_test(tcase, test_reopen_after_the_end);
        suite_add_tcase(suite, tcase);
        tcase_add_test(who, test_access);
        tcase_add_test(who, test_user_name);
        tcase_add_test(who, test_descent);
        suite_add_tcase(suite, who);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
