/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/time.h"
#include "proto/job.h"

#define PATIENCE_MS 20000

typedef struct Worker {
        pid_t pid;
        int socket;
} Worker;

static Worker worker_start(void) {
        const char *top = getenv("TOP_BUILDDIR");
        char path[4096];
        int pair[2];
        Worker worker;

        (void) snprintf(path, sizeof(path), "%s/stlinkd-worker", top ? top : ".");
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        worker.pid = fork();
        if (worker.pid == 0) {
                if (pair[1] == JOB_FD)
                        (void) fcntl(JOB_FD, F_SETFD, 0);
                else
                        (void) dup2(pair[1], JOB_FD);
                (void) execl(path, path, (char *) NULL);
                _exit(127);
        }
        ck_assert_int_gt(worker.pid, 0);
        safe_close(pair[1]);
        worker.socket = pair[0];
        return worker;
}

static int worker_end(Worker *worker) {
        int status;

        worker->socket = safe_close(worker->socket);
        ck_assert_int_eq(waitpid(worker->pid, &status, 0), worker->pid);
        ck_assert_msg(WIFEXITED(status), "killed by signal %d", WTERMSIG(status));
        return WEXITSTATUS(status);
}

/* One request of any bytes, one answer; the worker ends well. Returns the answer's error. */
static int ask(const void *request, size_t size, int fd, int *ret_fd) {
        struct pollfd pollfd = { .events = POLLIN };
        Worker worker = worker_start();
        JobResult result = {};
        int answer_fd = -EBADF;

        ck_assert_int_eq(send_with_fd(worker.socket, request, size, fd), 0);
        pollfd.fd = worker.socket;
        ck_assert_int_eq(poll(&pollfd, 1, PATIENCE_MS), 1);
        ck_assert_int_eq(receive_with_fd(worker.socket, &result, sizeof(result), &answer_fd),
                         sizeof(result));
        ck_assert_int_le(result.error, 0);
        ck_assert_int_eq(worker_end(&worker), EXIT_SUCCESS);
        if (ret_fd)
                *ret_fd = answer_fd;
        else
                ck_assert_int_lt(answer_fd, 0);
        return result.error;
}

static JobRequest request_make(JobKind kind, uint8_t bus, uint8_t device) {
        JobRequest request = {
                .kind = kind, .timeout_ms = 100, .product_id = 0x3748, .bus = bus, .device = device
        };

        (void) snprintf(request.node, sizeof(request.node), "/dev/bus/usb/%03u/%03u", bus, device);
        return request;
}

START_TEST(nothing_there) {
        for (JobKind kind = 0; kind < _JOB_KIND_MAX; kind++) {
                JobRequest request = request_make(kind, 250, 250);

                ck_assert_int_eq(ask(&request, sizeof(request), -EBADF, NULL), -ENODEV);
        }
}
END_TEST

START_TEST(bad_requests) {
        static const char *const nodes[] = { "",
                                             "/dev/null",
                                             "/dev/bus/usb/250/251",
                                             "/dev/bus/usb/250/250/",
                                             "/dev/bus/usb/250/../250/250",
                                             "/proc/self/mem" };
        JobRequest request;

        for (size_t i = 0; i < ELEMENTSOF(nodes); i++) {
                request = request_make(JOB_OPEN, 250, 250);
                (void) snprintf(request.node, sizeof(request.node), "%s", nodes[i]);
                ck_assert_int_eq(ask(&request, sizeof(request), -EBADF, NULL), -EINVAL);
        }

        request = request_make(JOB_IDENTIFY, 250, 250);
        memset(request.node, '/', sizeof(request.node));
        ck_assert_int_eq(ask(&request, sizeof(request), -EBADF, NULL), -EINVAL);

        request = request_make(JOB_IDENTIFY, 250, 250);
        request.timeout_ms = UINT32_MAX;
        ck_assert_int_eq(ask(&request, sizeof(request), -EBADF, NULL), -EINVAL);

        request = request_make(JOB_IDENTIFY, 250, 250);
        request.kind = _JOB_KIND_MAX;
        ck_assert_int_eq(ask(&request, sizeof(request), -EBADF, NULL), -EINVAL);
        request.kind = JOB_RECOVER;
        request.rung = _JOB_RUNG_MAX;
        ck_assert_int_eq(ask(&request, sizeof(request), -EBADF, NULL), -EINVAL);
        request.kind = UINT32_MAX;
        ck_assert_int_eq(ask(&request, sizeof(request), -EBADF, NULL), -EINVAL);
}
END_TEST

START_TEST(garbage) {
        static const size_t sizes[] = { 1, sizeof(JobRequest) - 1, sizeof(JobRequest) + 1, 4096 };
        uint8_t bytes[4096];
        unsigned seed = 1;

        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (uint8_t) rand_r(&seed);
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++)
                ck_assert_int_eq(ask(bytes, sizes[i], -EBADF, NULL), -EBADMSG);
        for (size_t i = 0; i < 20; i++)
                ck_assert_int_eq(ask(bytes + i * 100, sizeof(JobRequest), -EBADF, NULL), -EINVAL);
}
END_TEST

/* A descriptor that is no node at all. */
START_TEST(foreign_fd) {
        JobRequest request = request_make(JOB_CLOSE, 250, 250);
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

        ck_assert_int_eq(ask(&request, sizeof(request), fd, NULL), -ENOTTY);
        ck_assert_int_eq(ask(&request, 1, fd, NULL), -EBADMSG);
        safe_close(fd);
}
END_TEST

START_TEST(no_request) {
        Worker worker = worker_start();

        ck_assert_int_eq(worker_end(&worker), EXIT_FAILURE);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("worker");
        TCase *tcase = tcase_create("worker");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, nothing_there);
        tcase_add_test(tcase, bad_requests);
        tcase_add_test(tcase, garbage);
        tcase_add_test(tcase, foreign_fd);
        tcase_add_test(tcase, no_request);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
