/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"

/* How many descriptors this process has open, the one that counts them aside. */
static int count_fds(void) {
        DIR *dir = opendir("/proc/self/fd");
        int n = -1;

        ck_assert_ptr_nonnull(dir);
        while (readdir(dir))
                n++;
        closedir(dir);
        return n;
}

START_TEST(test_close_keeps_errno_and_accepts_nothing) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), before = count_fds();

        errno = EXDEV;
        fd = safe_close(fd);
        ck_assert_int_eq(fd, -EBADF);
        ck_assert_int_eq(errno, EXDEV);
        ck_assert_int_eq(count_fds(), before - 1);
        ck_assert_int_eq(safe_close(-EBADF), -EBADF);
        ck_assert_int_eq(safe_close(1000), -EBADF); /* not open: errno stays all the same */
        ck_assert_int_eq(errno, EXDEV);
}
END_TEST

START_TEST(test_taking_a_descriptor_leaves_none) {
        int before = count_fds(), taken = -EBADF;

        {
                _cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
                _cleanup_close_ int closed = open("/dev/null", O_RDONLY | O_CLOEXEC);

                ck_assert_int_ge(closed, 0);
                taken = TAKE_FD(fd);
                ck_assert_int_eq(fd, -EBADF);
        }
        ck_assert_int_eq(count_fds(), before + 1);
        safe_close(taken);
}
END_TEST

/* More than a pipe holds, so neither side gets through in one call. */
START_TEST(test_read_and_write_in_pieces) {
        enum {
                SIZE = 1 << 20
        };
        static char sent[SIZE], got[SIZE + 1];
        int ends[2], status;
        pid_t child;

        for (size_t i = 0; i < SIZE; i++)
                sent[i] = (char) (i * 7 + i / 256);
        ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
        child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
                safe_close(ends[0]);
                _exit(write_full(ends[1], sent, SIZE) == 0 ? 0 : 1);
        }
        safe_close(ends[1]);
        ck_assert_int_eq(read_full(ends[0], got, SIZE + 1), SIZE); /* up to the end of file */
        ck_assert_mem_eq(got, sent, SIZE);
        safe_close(ends[0]);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(test_read_and_write_say_what_went_wrong) {
        char byte = 0;

        ck_assert_int_eq(read_full(-EBADF, &byte, 1), -EBADF);
        ck_assert_int_eq(write_full(-EBADF, &byte, 1), -EBADF);
        ck_assert_int_eq(write_full(-EBADF, &byte, 0), 0);
}
END_TEST

static void make_pair(int pair[2]) {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

START_TEST(test_pass_a_descriptor) {
        int pair[2], fd = open("/dev/null", O_RDONLY | O_CLOEXEC), got = 4711;
        struct stat st;
        char text[16];

        make_pair(pair);
        ck_assert_int_eq(send_with_fd(pair[0], "hello", 6, fd), 0);
        ck_assert_int_eq(receive_with_fd(pair[1], text, sizeof(text), &got), 6);
        ck_assert_str_eq(text, "hello");
        ck_assert_int_ge(got, 0);
        ck_assert_int_ne(got, fd);
        ck_assert_int_eq(fstat(got, &st), 0);
        ck_assert(S_ISCHR(st.st_mode));
        ck_assert_int_ne(fcntl(got, F_GETFD) & FD_CLOEXEC, 0);

        ck_assert_int_eq(send_with_fd(pair[0], "bare", 5, -EBADF), 0);
        ck_assert_int_eq(receive_with_fd(pair[1], text, sizeof(text), &got), 5);
        ck_assert_int_eq(got, -EBADF);
        safe_close(pair[0]);
        ck_assert_int_eq(receive_with_fd(pair[1], text, sizeof(text), &got), 0);
}
END_TEST

/* A message that does not fit is an error, and what came with it does not stay open. */
START_TEST(test_receive_refuses_a_longer_message) {
        int pair[2], fd = open("/dev/null", O_RDONLY | O_CLOEXEC), got = 4711, before;
        char text[4];

        make_pair(pair);
        before = count_fds();
        ck_assert_int_eq(send_with_fd(pair[0], "too long", 9, fd), 0);
        ck_assert_int_eq(receive_with_fd(pair[1], text, sizeof(text), &got), -EMSGSIZE);
        ck_assert_int_eq(got, 4711);
        ck_assert_int_eq(count_fds(), before);
}
END_TEST

/* A peer may send more descriptors than one. */
START_TEST(test_receive_closes_further_descriptors) {
        int pair[2], fds[2] = { STDIN_FILENO, STDIN_FILENO }, got = -EBADF, before;
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(fds))];
        } control = {};
        char text[4] = "two";
        struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) };
        struct msghdr message = { .msg_iov = &iov,
                                  .msg_iovlen = 1,
                                  .msg_control = &control,
                                  .msg_controllen = sizeof(control) };

        make_pair(pair);
        control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                                           .cmsg_type = SCM_RIGHTS,
                                           .cmsg_len = CMSG_LEN(sizeof(fds)) };
        memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
        before = count_fds();
        ck_assert_int_eq(sendmsg(pair[0], &message, 0), 4);
        ck_assert_int_eq(receive_with_fd(pair[1], text, sizeof(text), &got), 4);
        ck_assert_int_ge(got, 0);
        ck_assert_int_eq(count_fds(), before + 1);
}
END_TEST

START_TEST(test_send_to_nobody) {
        int pair[2];

        /* Of the UNIX sockets, only streams raise SIGPIPE. */
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        safe_close(pair[1]);
        ck_assert_int_eq(send_with_fd(pair[0], "x", 1, -EBADF), -EPIPE); /* and no SIGPIPE */
}
END_TEST

/* Write text to a new file and leave it at the start. */
static int file_of(const char *text) {
        char path[] = "/tmp/stlinkd-test-XXXXXX";
        int fd = mkostemp(path, O_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(write_full(fd, text, strlen(text)), 0);
        ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
        return fd;
}

static const char *path_of(int fd) {
        static char path[64];

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        return path;
}

START_TEST(test_read_a_line) {
        int fd = file_of("first line\nsecond\n"), empty = file_of("");
        char line[32] = "untouched", tight[4];

        ck_assert_int_eq(read_line_at(AT_FDCWD, "/nonexistent", line, sizeof(line)), -ENOENT);
        ck_assert_int_eq(read_line_at(AT_FDCWD, "/", line, sizeof(line)), -EISDIR);
        ck_assert_str_eq(line, "untouched");
        ck_assert_int_eq(read_line_at(AT_FDCWD, path_of(fd), line, sizeof(line)), 10);
        ck_assert_str_eq(line, "first line");
        ck_assert_int_eq(read_line_at(AT_FDCWD, path_of(fd), tight, sizeof(tight)), 3);
        ck_assert_str_eq(tight, "fir");
        ck_assert_int_eq(read_line_at(AT_FDCWD, path_of(empty), line, sizeof(line)), 0);
        ck_assert_str_eq(line, "");
}
END_TEST

START_TEST(test_read_a_file) {
        int fd = file_of("0123456789");
        _cleanup_free_ char *text = NULL;
        size_t size = 4711;

        ck_assert_int_eq(read_file_at(AT_FDCWD, path_of(fd), 9, &text, &size), -EFBIG);
        ck_assert_ptr_null(text);
        ck_assert_uint_eq(size, 4711);
        ck_assert_int_eq(read_file_at(AT_FDCWD, path_of(fd), 10, &text, &size), 0);
        ck_assert_str_eq(text, "0123456789");
        ck_assert_uint_eq(size, 10);
        free(TAKE_PTR(text));
        ck_assert_int_eq(read_file_at(AT_FDCWD, path_of(fd), 100, &text, NULL), 0);
        ck_assert_str_eq(text, "0123456789");
        ck_assert_int_eq(read_file_at(AT_FDCWD, "/nonexistent", 10, &text, NULL), -ENOENT);
}
END_TEST

/* Put a file in the place of stderr, log, and return what was written. */
static const char *logged(int level, int error, const char *text) {
        static char buffer[2048];
        int fd = file_of(""), saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

        ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
        ck_assert_int_eq(log_full(level, error, NULL, "%s", text), -abs(error));
        ck_assert_int_eq(dup2(saved, STDERR_FILENO), STDERR_FILENO);
        safe_close(saved);
        memset(buffer, 0, sizeof(buffer));
        ck_assert_int_ge(pread(fd, buffer, sizeof(buffer) - 1, 0), 0);
        safe_close(fd);
        return buffer;
}

START_TEST(test_log_to_stderr) {
        char expected[128], long_text[1500];

        ck_assert_int_eq(setenv("JOURNAL_STREAM", "1:2", 1), 0); /* of another stream */
        (void) snprintf(expected, sizeof(expected), "%s: plain\n", program_invocation_short_name);
        ck_assert_str_eq(logged(LOG_INFO, 0, "plain"), expected);
        (void) snprintf(expected, sizeof(expected), "%s: why: %s\n", program_invocation_short_name,
                        strerror(EBUSY));
        ck_assert_str_eq(logged(LOG_ERR, EBUSY, "why"), expected);
        ck_assert_str_eq(logged(LOG_ERR, -EBUSY, "why"), expected);

        ck_assert_str_eq(logged(LOG_DEBUG, EBUSY, "hidden"), "");
        log_set_max_level(LOG_DEBUG);
        ck_assert_int_eq(log_get_max_level(), LOG_DEBUG);
        ck_assert_ptr_nonnull(strstr(logged(LOG_DEBUG, 0, "shown"), "shown"));

        memset(long_text, 'x', sizeof(long_text) - 1);
        long_text[sizeof(long_text) - 1] = 0;
        ck_assert_uint_lt(strlen(logged(LOG_ERR, EBUSY, long_text)), sizeof(long_text));
}
END_TEST

int main(void) {
        Suite *suite = suite_create("base I/O");
        TCase *tests = tcase_create("all");
        SRunner *runner = srunner_create(suite);
        int failed;

        suite_add_tcase(suite, tests);
        tcase_add_test(tests, test_close_keeps_errno_and_accepts_nothing);
        tcase_add_test(tests, test_taking_a_descriptor_leaves_none);
        tcase_add_test(tests, test_read_and_write_in_pieces);
        tcase_add_test(tests, test_read_and_write_say_what_went_wrong);
        tcase_add_test(tests, test_pass_a_descriptor);
        tcase_add_test(tests, test_receive_refuses_a_longer_message);
        tcase_add_test(tests, test_receive_closes_further_descriptors);
        tcase_add_test(tests, test_send_to_nobody);
        tcase_add_test(tests, test_read_a_line);
        tcase_add_test(tests, test_read_a_file);
        tcase_add_test(tests, test_log_to_stderr);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
