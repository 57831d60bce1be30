/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Transfers on a node: URBs, calls that block, waiting, and what a pulled plug does to them. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/time.h"
#include "fake-usb.h"
#include "usbfs-bench.h"

static void setup(void) {
        bench_start(1);
}

START_TEST(test_echo) {
        int fd = open_node(NODE);
        struct usbdevfs_urb out = {}, in = {}, idle = {};
        uint8_t data[64], back[64] = {};

        memset(data, 0x5a, sizeof(data));
        ck_assert_int_eq(reap(fd, NULL), -EAGAIN);
        ck_assert_int_eq(io_number(fd, USBDEVFS_CLAIMINTERFACE, 0), 0);
        ck_assert_int_eq(submit(fd, &in, 0x81, back, sizeof(back)), 0);
        ck_assert_int_eq(reap(fd, NULL), -EAGAIN);
        ck_assert_int_eq(submit(fd, &out, 0x02, data, 10), 0);
        ck_assert_int_eq(reap(fd, &out), 0);
        ck_assert_int_eq(out.status, 0);
        ck_assert_int_eq(out.actual_length, 10);
        ck_assert_int_eq(reap(fd, &in), 0);
        ck_assert_int_eq(in.status, 0);
        ck_assert_int_eq(in.actual_length, 10);
        ck_assert_mem_eq(back, data, 10);
        ck_assert_uint_eq(back[10], 0);

        in.flags = USBDEVFS_URB_SHORT_NOT_OK;
        ck_assert_int_eq(submit(fd, &in, 0x81, back, sizeof(back)), 0);
        ck_assert_int_eq(submit(fd, &out, 0x02, data, 10), 0);
        ck_assert_int_eq(reap(fd, &out), 0);
        ck_assert_int_eq(reap(fd, &in), 0);
        ck_assert_int_eq(in.status, -EREMOTEIO);
        ck_assert_int_eq(in.actual_length, 10);
        ck_assert_int_eq(submit(fd, &idle, 0x83, back, 8), 0);
        ck_assert_int_eq(reap(fd, NULL), -EAGAIN);
}
END_TEST

START_TEST(test_big) {
        const int size = 256 * 1024;
        uint8_t *data = malloc((size_t) size), *back = calloc(1, (size_t) size);
        struct usbdevfs_urb out = {}, in = {};
        int fd = open_node(NODE);

        for (int i = 0; i < size; i++)
                data[i] = (uint8_t) (i * 7 + i / 251);
        ck_assert_int_eq(submit(fd, &out, 0x02, data, size), 0);
        ck_assert_int_eq(submit(fd, &in, 0x81, back, size), 0);
        ck_assert_int_eq(reap(fd, &out), 0);
        ck_assert_int_eq(reap(fd, &in), 0);
        ck_assert_int_eq(in.actual_length, size);
        ck_assert_mem_eq(back, data, (size_t) size);
        free(data);
        free(back);
}
END_TEST

START_TEST(test_bad_urbs) {
        struct usbdevfs_urb urb = {}, more = {};
        uint8_t data[8] = {};
        int fd = open_node(NODE);
        const int huge = 15 << 20;
        uint8_t *memory = malloc((size_t) huge);

        ck_assert_int_eq(submit(fd, &urb, 0x07, data, 8), -ENOENT);
        ck_assert_int_eq(submit(fd, &urb, 0x71, data, 8), -EINVAL);
        ck_assert_int_eq(submit(fd, &urb, 0x81, NULL, 8), -EINVAL);
        ck_assert_int_eq(submit(fd, &urb, 0x81, data, -1), -EINVAL);
        ck_assert_int_eq(submit(fd, &urb, 0x02, (void *) 16, 8), -EFAULT);
        ck_assert_int_eq(io(fd, USBDEVFS_SUBMITURB, NULL), -EFAULT);
        urb.flags = 0x8000;
        ck_assert_int_eq(submit(fd, &urb, 0x81, data, 8), -EINVAL);
        urb.flags = 0;
        urb = (struct usbdevfs_urb){ .type = USBDEVFS_URB_TYPE_INTERRUPT, .endpoint = 0x81 };
        ck_assert_int_eq(io(fd, USBDEVFS_SUBMITURB, &urb), -EINVAL);
        urb.type = USBDEVFS_URB_TYPE_ISO;
        ck_assert_int_eq(io(fd, USBDEVFS_SUBMITURB, &urb), -EINVAL);

        /* What is in flight at once has a limit, and is given back. */
        ck_assert_int_eq(submit(fd, &urb, 0x81, memory, huge), 0);
        ck_assert_int_eq(submit(fd, &more, 0x81, memory, huge), -ENOMEM);
        ck_assert_int_eq(io(fd, USBDEVFS_DISCARDURB, &urb), 0);
        ck_assert_int_eq(reap(fd, &urb), 0);
        ck_assert_int_eq(submit(fd, &more, 0x81, memory, huge), 0);
        close(fd);
        free(memory);
}
END_TEST

START_TEST(test_discard) {
        struct usbdevfs_urb urb = {};
        uint8_t data[8];
        int fd = open_node(NODE), other = open_node(NODE);

        ck_assert_int_eq(submit(fd, &urb, 0x81, data, 8), 0);
        ck_assert_int_eq(io(other, USBDEVFS_DISCARDURB, &urb), -EINVAL);
        ck_assert_int_eq(io(fd, USBDEVFS_DISCARDURB, &urb), 0);
        ck_assert_int_eq(io(fd, USBDEVFS_DISCARDURB, &urb), -EINVAL);
        ck_assert_int_eq(reap(fd, &urb), 0);
        ck_assert_int_eq(urb.status, -ENOENT);
        ck_assert_int_eq(urb.actual_length, 0);

        /* Releasing the interface ends what is queued on it. */
        ck_assert_int_eq(submit(fd, &urb, 0x81, data, 8), 0);
        ck_assert_int_eq(io_number(fd, USBDEVFS_RELEASEINTERFACE, 0), 0);
        ck_assert_int_eq(reap(fd, &urb), 0);
        ck_assert_int_eq(urb.status, -ESHUTDOWN);
}
END_TEST

START_TEST(test_unclaimed_use_claims) {
        struct usbdevfs_urb urb = {};
        uint8_t data[8] = {};
        int fd = open_node(NODE), other = open_node(NODE);

        ck_assert_int_eq(submit(fd, &urb, 0x02, data, 8), 0);
        ck_assert_str_eq((char *) seen->drivers[0], "usbfs");
        ck_assert_int_eq(submit(other, &urb, 0x81, data, 8), -EBUSY);
        ck_assert_int_eq(io_number(other, USBDEVFS_CLEAR_HALT, 0x81), -EBUSY);
        ck_assert_int_eq(submit(fd, &urb, 0x84, data, 8), -EBUSY); /* a kernel driver has it */
        ck_assert_int_eq(io_number(fd, USBDEVFS_CLEAR_HALT, 0x81), 0);
        ck_assert_int_eq(io_number(fd, USBDEVFS_RESETEP, 0x81), 0);
        ck_assert_int_eq(io_number(fd, USBDEVFS_CLEAR_HALT, 0x8f), -ENOENT);
        eventually(seen->cleared == 1);
}
END_TEST

START_TEST(test_control) {
        uint8_t data[5000];
        struct usbdevfs_ctrltransfer control = {
                .bRequestType = 0xc0, .bRequest = FAKE_REQUEST_PATTERN, .wLength = 300, .data = data
        };
        struct usbdevfs_urb urb = { .type = USBDEVFS_URB_TYPE_CONTROL,
                                    .buffer = data,
                                    .buffer_length = 8 + 16 };
        const uint8_t setup[8] = { 0xc0, FAKE_REQUEST_PATTERN, 0, 0, 0, 0, 16, 0 };
        int fd = open_node(NODE), other = open_node(NODE);

        ck_assert_int_eq(io(fd, USBDEVFS_CONTROL, &control), 300);
        ck_assert_uint_eq(data[299], 299 & 0xff);
        control.wLength = 4097;
        ck_assert_int_eq(io(fd, USBDEVFS_CONTROL, &control), -EINVAL);
        ck_assert_int_eq(request(fd, 77, 0), -EPIPE);

        memcpy(data, setup, sizeof(setup));
        ck_assert_int_eq(io(fd, USBDEVFS_SUBMITURB, &urb), 0);
        ck_assert_int_eq(reap(fd, &urb), 0);
        ck_assert_int_eq(urb.actual_length, 16);
        ck_assert_uint_eq(data[8 + 15], 15);
        urb.buffer_length = 8 + 15;
        ck_assert_int_eq(io(fd, USBDEVFS_SUBMITURB, &urb), -EINVAL);

        /* A class request belongs to whoever has the interface. */
        ck_assert_int_eq(io_number(other, USBDEVFS_CLAIMINTERFACE, 0), 0);
        control = (struct usbdevfs_ctrltransfer){ .bRequestType = 0xa1, .data = data };
        ck_assert_int_eq(io(fd, USBDEVFS_CONTROL, &control), -EBUSY);
}
END_TEST

static void on_alarm(int signal) {
        (void) signal;
}

/* Again and again, as the first may come before the call; 0: no more. */
static void interrupt_every(unsigned ms) {
        const struct timeval every = { .tv_usec = (long) ms * 1000 };
        const struct itimerval in = { .it_value = every, .it_interval = every };
        const struct sigaction action = { .sa_handler = on_alarm };

        sigaction(SIGALRM, &action, NULL);
        setitimer(ITIMER_REAL, &in, NULL);
}

START_TEST(test_calls_that_block) {
        uint8_t data[16] = "hello";
        struct usbdevfs_bulktransfer out = { .ep = 0x02, .len = 6, .data = data };
        struct usbdevfs_bulktransfer in = { .ep = 0x81, .len = 16, .timeout = 50, .data = data };
        int fd = open_node(NODE);
        Usec before;

        ck_assert_int_eq(io(fd, USBDEVFS_BULK, &out), 6);
        memset(data, 0, sizeof(data));
        ck_assert_int_eq(io(fd, USBDEVFS_BULK, &in), 6);
        ck_assert_str_eq((char *) data, "hello");

        before = now_usec(CLOCK_MONOTONIC);
        ck_assert_int_eq(io(fd, USBDEVFS_BULK, &in), -ETIMEDOUT);
        ck_assert_uint_ge(now_usec(CLOCK_MONOTONIC) - before, 50 * USEC_PER_MSEC);

        in.timeout = 0;
        interrupt_every(50);
        ck_assert_int_eq(io(fd, USBDEVFS_BULK, &in), -EINTR);
        ck_assert_int_eq(request(fd, FAKE_REQUEST_NEVER, 0), -EINTR);
        interrupt_every(0);
        /* It is over, and the endpoint free again. */
        ck_assert_int_eq(io(fd, USBDEVFS_BULK, &out), 6);
        in.timeout = 50;
        ck_assert_int_eq(io(fd, USBDEVFS_BULK, &in), 6);
}
END_TEST

static void *write_later(void *userdata) {
        static uint8_t data[4] = "abc";
        struct usbdevfs_bulktransfer out = { .ep = 0x02, .len = 4, .data = data };

        usleep(1000000);
        (void) io(*(int *) userdata, USBDEVFS_BULK, &out);
        return NULL;
}

START_TEST(test_blocking_reap) {
        struct usbdevfs_urb urb = {}, *got = NULL;
        uint8_t data[4];
        int fd = open_node(NODE);
        pthread_t thread;

        interrupt_every(50);
        ck_assert_int_eq(io(fd, USBDEVFS_REAPURB, &got), -EINTR);
        interrupt_every(0);
        ck_assert_int_eq(submit(fd, &urb, 0x81, data, 4), 0);
        ck_assert_int_eq(pthread_create(&thread, NULL, write_later, &fd), 0);
        ck_assert_int_eq(io(fd, USBDEVFS_REAPURB, &got), 0);
        ck_assert_ptr_eq(got, &urb);
        ck_assert_str_eq((char *) data, "abc");
        pthread_join(thread, NULL);
}
END_TEST

START_TEST(test_epoll) {
        struct epoll_event event = { .events = EPOLLOUT };
        struct usbdevfs_urb urb = {}, out = {};
        uint8_t data[4] = {};
        int fd = open_node(NODE), idle = open_node(NODE), epoll = epoll_create1(EPOLL_CLOEXEC);
        struct pollfd poll_idle = { .fd = idle, .events = POLLOUT };
        pthread_t thread;

        ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
        ck_assert_int_eq(submit(fd, &urb, 0x81, data, 4), 0);
        ck_assert_int_eq(epoll_wait(epoll, &event, 1, 50), 0);
        ck_assert_int_eq(pthread_create(&thread, NULL, write_later, &fd), 0);
        ck_assert_int_eq(epoll_wait(epoll, &event, 1, 5000), 1);
        ck_assert_uint_eq(event.events, EPOLLOUT);
        ck_assert_int_eq(poll(&poll_idle, 1, 0), 0); /* readiness is that file's alone */
        pthread_join(thread, NULL);
        ck_assert_int_eq(reap(fd, &urb), 0);
        ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 0);
        ck_assert_int_eq(submit(fd, &out, 0x02, data, 4), 0);
        ck_assert_int_eq(epoll_wait(epoll, &event, 1, 5000), 1);
}
END_TEST

START_TEST(test_unplug) {
        struct epoll_event event = { .events = EPOLLOUT };
        struct usbdevfs_urb urb[2] = {}, *got;
        int fd = open_node(NODE), other = open_node(NODE), epoll = epoll_create1(EPOLL_CLOEXEC);
        struct stat old_st, new_st;
        uint8_t data[16];

        ck_assert_int_eq(fstat(fd, &old_st), 0);
        ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
        ck_assert_int_eq(submit(fd, &urb[0], 0x81, data, 16), 0);
        ck_assert_int_eq(submit(fd, &urb[1], 0x83, data, 16), 0);
        ck_assert_int_eq(request(other, FAKE_REQUEST_LEAVE, 50), -ESHUTDOWN);
        ck_assert_int_eq(epoll_wait(epoll, &event, 1, 5000), 1);
        ck_assert_uint_eq(event.events, EPOLLOUT | EPOLLERR | EPOLLHUP);
        for (int i = 0; i < 2; i++) {
                ck_assert_int_eq(io(fd, USBDEVFS_REAPURB, &got), 0);
                ck_assert_ptr_eq(got, &urb[i]);
                ck_assert_int_eq(got->status, -ESHUTDOWN);
        }
        ck_assert_int_eq(io(fd, USBDEVFS_REAPURB, &got), -ENODEV);
        ck_assert_int_eq(reap(fd, NULL), -ENODEV);
        ck_assert_int_eq(submit(fd, &urb[0], 0x81, data, 16), -ENODEV);
        ck_assert_int_eq(io_number(fd, USBDEVFS_CLAIMINTERFACE, 0), -ENODEV);
        ck_assert_int_eq(read(fd, data, 16), -1);
        ck_assert_int_eq(errno, ENODEV);
        ck_assert_int_eq(open(NODE, O_RDWR | O_CLOEXEC), -1);
        ck_assert_int_eq(errno, ENOENT);
        ck_assert_int_eq(fstat(fd, &new_st), 0);
        ck_assert_uint_eq(new_st.st_nlink, 0);

        eventually(access(NODE_BACK, F_OK) == 0);
        ck_assert_int_eq(stat(NODE_BACK, &new_st), 0);
        ck_assert_uint_ne(new_st.st_ino, old_st.st_ino);
        close(fd);
        fd = open_node(NODE_BACK);
        ck_assert_int_eq(io_number(fd, USBDEVFS_CLAIMINTERFACE, 0), 0);
}
END_TEST

static void *leave_later(void *userdata) {
        usleep(1000000);
        (void) request(*(int *) userdata, FAKE_REQUEST_LEAVE, 0);
        return NULL;
}

/* Both kinds of sleepers wake up when the plug is pulled. */
START_TEST(test_unplug_wakes) {
        struct usbdevfs_urb *got;
        struct usbdevfs_bulktransfer in = { .ep = 0x81, .len = 0 };
        int fd = open_node(NODE), other = open_node(NODE);
        pthread_t thread;

        ck_assert_int_eq(pthread_create(&thread, NULL, leave_later, &other), 0);
        if (_i == 0)
                ck_assert_int_eq(io(fd, USBDEVFS_REAPURB, &got), -ENODEV);
        else
                ck_assert_int_eq(io(fd, USBDEVFS_BULK, &in), -ESHUTDOWN);
        pthread_join(thread, NULL);
}
END_TEST

/* A device that leaves the bus without taking the transfer that made it leave. */
START_TEST(test_vanish) {
        struct usbdevfs_urb urb = {};
        uint8_t data[16];
        int fd = open_node(NODE);

        ck_assert_int_eq(submit(fd, &urb, 0x81, data, 16), 0);
        ck_assert_int_eq(request(fd, FAKE_REQUEST_VANISH, 0), -ENODEV);
        ck_assert_int_eq(reap(fd, &urb), 0);
        ck_assert_int_eq(urb.status, -ESHUTDOWN);
}
END_TEST

/* The server ends while somebody has a URB pending, and it leaves nothing (bench_stop() sees a
 * leak when the sanitizer looks on). */
START_TEST(test_open_at_the_end) {
        static struct usbdevfs_urb urb;
        static uint8_t data[16];
        int fd = open_node(NODE);

        ck_assert_int_eq(submit(fd, &urb, 0x81, data, 16), 0);
        ck_assert_int_eq(open_node(NODE) >= 0, 1);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("usbfs-urb");
        TCase *tcase = tcase_create("transfers");
        const TTest *const tests[] = {
                test_echo,
                test_big,
                test_bad_urbs,
                test_discard,
                test_unclaimed_use_claims,
                test_control,
                test_calls_that_block,
                test_blocking_reap,
                test_epoll,
                test_unplug,
                test_vanish,
                test_open_at_the_end,
        };
        SRunner *runner;
        int failed;

        if (!bench_enter())
                return 77;
        tcase_add_checked_fixture(tcase, setup, bench_stop);
        tcase_set_timeout(tcase, 30);
        for (size_t i = 0; i < ELEMENTSOF(tests); i++)
                tcase_add_test(tcase, tests[i]);
        tcase_add_loop_test(tcase, test_unplug_wakes, 0, 2);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
