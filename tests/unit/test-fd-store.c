/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "daemon/fd-store.h"

/* The service manager's side: a socket that messages with descriptors arrive at. Each test is a
 * process of its own, whose environment and descriptors are its own to spoil. */

static int manager;
static char message[512];
static int received;

static void set_up(void) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        char name[64];

        manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        ck_assert_int_ge(manager, 0);
        (void) snprintf(name, sizeof(name), "@stlinkd-test-%d", (int) getpid());
        (void) snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s", name + 1);
        ck_assert_int_eq(bind(manager, (struct sockaddr *) &address,
                              (socklen_t) (offsetof(struct sockaddr_un, sun_path) + strlen(name))),
                         0);
        (void) setenv("NOTIFY_SOCKET", name, 1);
}

static void receive(void) {
        ssize_t n;

        safe_close(received);
        n = receive_with_fd(manager, message, sizeof(message) - 1, &received);
        ck_assert_int_gt(n, 0);
        message[n] = 0;
}

static bool says(const char *line) {
        const char *found = strstr(message, line);

        return found && (found == message || found[-1] == '\n') &&
               (found[strlen(line)] == '\n' || found[strlen(line)] == 0);
}

static bool is_same(int a, int b) {
        struct stat one, other;

        ck_assert_int_eq(fstat(a, &one), 0);
        ck_assert_int_eq(fstat(b, &other), 0);
        return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

START_TEST(test_push) {
        int fds[2];

        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        ck_assert_int_eq(fd_store_push("node-7", fds[0]), 0);
        receive();
        ck_assert(says("FDSTORE=1"));
        ck_assert(says("FDNAME=node-7"));
        ck_assert(says("FDPOLL=0"));
        ck_assert(is_same(received, fds[0]));
        fd_store_remove("node-7");
        receive();
        ck_assert(says("FDSTOREREMOVE=1"));
        ck_assert(says("FDNAME=node-7"));
        ck_assert_int_lt(received, 0);
}
END_TEST

START_TEST(test_bad_names) {
        static const char *const bad[] = { "", "a\nFDSTORE=1", "a:b", "ä", "a b" };
        char name[FD_STORE_NAME_MAX + 1] = {};

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ck_assert_int_eq(fd_store_push(bad[i], STDIN_FILENO), -EINVAL);
        memset(name, 'x', FD_STORE_NAME_MAX);
        ck_assert_int_eq(fd_store_push(name, STDIN_FILENO), -EINVAL);
        fd_store_remove("a\nSTOPPING=1");
        ck_assert_int_lt(receive_with_fd(manager, message, sizeof(message), &received), 0);
}
END_TEST

START_TEST(test_no_manager) {
        (void) unsetenv("NOTIFY_SOCKET");
        ck_assert_int_eq(fd_store_push("node-7", STDIN_FILENO), -EOPNOTSUPP);
        fd_store_remove("node-7");
        ck_assert_int_eq(fd_store_load(), 0);
        ck_assert_int_eq(fd_store_take("node-7"), -ENOENT);
        ck_assert_ptr_null(fd_store_find(""));
        fd_store_forget_rest();
}
END_TEST

/* What was left begins at descriptor 3. */
static void leave(int number, int fd) {
        ck_assert_int_eq(dup2(fd, number), number);
}

START_TEST(test_take) {
        int kept = fcntl(manager, F_DUPFD_CLOEXEC, 20), fds[2], taken;
        char pid[16];

        manager = kept;
        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        fds[0] = fcntl(fds[0], F_DUPFD_CLOEXEC, 20);
        fds[1] = fcntl(fds[1], F_DUPFD_CLOEXEC, 20);
        leave(3, fds[0]);
        leave(4, fds[1]);
        leave(5, fds[1]);
        (void) snprintf(pid, sizeof(pid), "%d", (int) getpid());
        (void) setenv("LISTEN_PID", pid, 1);
        (void) setenv("LISTEN_FDS", "3", 1);
        (void) setenv("LISTEN_FDNAMES", "node-7:gate-map:node-71", 1);

        ck_assert_int_eq(fd_store_load(), 3);
        ck_assert_ptr_null(getenv("LISTEN_FDS"));
        ck_assert_str_eq(fd_store_find("gate-"), "gate-map");
        ck_assert_str_eq(fd_store_find("node-"), "node-7");
        ck_assert_int_eq(fd_store_take("node"), -ENOENT);
        taken = fd_store_take("node-7");
        ck_assert_int_eq(taken, 3);
        ck_assert_int_eq(fcntl(taken, F_GETFD), FD_CLOEXEC);
        ck_assert(is_same(taken, fds[0]));
        ck_assert_int_eq(fd_store_take("node-7"), -ENOENT);
        ck_assert_str_eq(fd_store_find("node-"), "node-71");
        ck_assert_int_eq(fd_store_take("gate-map"), 4);

        fd_store_forget_rest();
        receive();
        ck_assert(says("FDSTOREREMOVE=1"));
        ck_assert(says("FDNAME=node-71"));
        ck_assert_int_lt(fcntl(5, F_GETFD), 0);
        ck_assert_int_ge(fcntl(taken, F_GETFD), 0);
        ck_assert_int_eq(fd_store_take("node-71"), -ENOENT);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("fd-store");
        TCase *tcase = tcase_create("fd-store");
        SRunner *runner;
        int failed;

        received = -EBADF;
        tcase_add_checked_fixture(tcase, set_up, NULL);
        tcase_add_test(tcase, test_push);
        tcase_add_test(tcase, test_bad_names);
        tcase_add_test(tcase, test_no_manager);
        tcase_add_test(tcase, test_take);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
