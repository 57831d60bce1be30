/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may use what on a node: files, claims, drivers, privileges, configuration. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"
#include "fake-usb.h"
#include "usbfs-bench.h"

static void setup(void) {
        bench_start(1);
}

static void setup_crowd(void) {
        bench_start(126);
}

START_TEST(test_node) {
        uint8_t descriptors[256];
        struct stat path_st, fd_st;
        char link[64], target[64] = "";
        int fd = open_node(NODE);

        ck_assert_int_eq(stat(NODE, &path_st), 0);
        ck_assert_int_eq(fstat(fd, &fd_st), 0);
        ck_assert_uint_eq(path_st.st_ino, fd_st.st_ino);
        ck_assert_uint_eq(path_st.st_mode, S_IFREG | 0664);
        ck_assert_uint_eq(path_st.st_uid, getuid());
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ck_assert_int_gt(readlink(link, target, sizeof(target) - 1), 0);
        ck_assert_str_eq(target, NODE);

        ck_assert_int_eq(read(fd, descriptors, sizeof(descriptors)), 18 + 119);
        ck_assert_uint_eq(descriptors[0], 18);
        ck_assert_uint_eq(descriptors[8], 0x83);
        ck_assert_int_eq(read(fd, descriptors, sizeof(descriptors)), 0);
        ck_assert_int_eq(pread(fd, descriptors, 4, 18), 4);
        ck_assert_uint_eq(descriptors[1], 2);
        ck_assert_int_eq(open(USBFS_ROOT "/001/009", O_RDWR), -1);
        ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(test_facts) {
        struct usbdevfs_connectinfo info = {};
        uint32_t capabilities = 0;
        int fd = open_node(NODE), reader;

        ck_assert_int_eq(io(fd, USBDEVFS_GET_CAPABILITIES, &capabilities), 0);
        ck_assert(capabilities & USBDEVFS_CAP_REAP_AFTER_DISCONNECT);
        ck_assert(capabilities & USBDEVFS_CAP_DROP_PRIVILEGES);
        ck_assert_int_eq(io(fd, USBDEVFS_CONNECTINFO, &info), 0);
        ck_assert_uint_eq(info.devnum, 2);
        ck_assert_int_eq(io(fd, USBDEVFS_GET_SPEED, NULL), 2);
        ck_assert_int_eq(io(fd, USBDEVFS_FORBID_SUSPEND, NULL), 0);
        ck_assert_int_eq(io(fd, USBDEVFS_ALLOW_SUSPEND, NULL), 0);
        ck_assert_int_eq(io(fd, _IO('U', 99), NULL), -ENOTTY);
        ck_assert_int_eq(io(fd, TIOCGWINSZ, &info), -ENOTTY);
        ck_assert_int_eq(io(fd, USBDEVFS_CONNECTINFO, NULL), -EFAULT);
        ck_assert_int_eq(io(fd, USBDEVFS_CLAIMINTERFACE, NULL), -EFAULT);

        /* Whoever may only read may do nothing but read. */
        reader = open(NODE, O_RDONLY | O_CLOEXEC);
        ck_assert_int_ge(reader, 0);
        ck_assert_int_eq(io(reader, USBDEVFS_GET_CAPABILITIES, &capabilities), -EPERM);
        ck_assert_int_eq(io_number(reader, USBDEVFS_CLAIMINTERFACE, 0), -EPERM);
}
END_TEST

START_TEST(test_claim) {
        struct usbdevfs_getdriver driver = {};
        int a = open_node(NODE), b = open_node(NODE);

        ck_assert_int_eq(io(a, USBDEVFS_GETDRIVER, &driver), -ENODATA);
        ck_assert_int_eq(io_number(a, USBDEVFS_CLAIMINTERFACE, 0), 0);
        ck_assert_int_eq(io_number(a, USBDEVFS_CLAIMINTERFACE, 0), 0);
        ck_assert_int_eq(io_number(b, USBDEVFS_CLAIMINTERFACE, 0), -EBUSY);
        ck_assert_int_eq(io_number(b, USBDEVFS_RELEASEINTERFACE, 0), -EINVAL);
        ck_assert_int_eq(io(b, USBDEVFS_GETDRIVER, &driver), 0);
        ck_assert_str_eq(driver.driver, "usbfs");
        ck_assert_str_eq((char *) seen->drivers[0], "usbfs");
        ck_assert_int_eq(io_number(a, USBDEVFS_CLAIMINTERFACE, 9), -ENOENT);
        ck_assert_int_eq(io_number(a, USBDEVFS_CLAIMINTERFACE, 99), -EINVAL);
        ck_assert_int_eq(io_number(a, USBDEVFS_RELEASEINTERFACE, 0), 0);
        ck_assert_str_eq((char *) seen->drivers[0], "");
        ck_assert_int_eq(io_number(b, USBDEVFS_CLAIMINTERFACE, 0), 0);
        close(b);
        ck_assert_int_eq(io_number(a, USBDEVFS_CLAIMINTERFACE, 0), 0);
        close(a);
        eventually(seen->opened == 2 && seen->closed == 2);
        ck_assert_str_eq((char *) seen->drivers[0], "");
}
END_TEST

/* A holder in another process. Its pid; it holds the claim when this returns. */
static pid_t start_holder(void) {
        int ready[2];
        char byte;
        pid_t pid;

        ck_assert_int_eq(pipe(ready), 0);
        pid = fork();
        if (pid == 0) {
                int fd = open(NODE, O_RDWR);

                if (io_number(fd, USBDEVFS_CLAIMINTERFACE, 0) == 0)
                        (void) !write(ready[1], "x", 1);
                pause();
        }
        close(ready[1]);
        ck_assert_int_eq(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        return pid;
}

START_TEST(test_claim_ends_with_its_holder) {
        int fd = open_node(NODE);

        for (int i = 0; i < 20; i++) {
                pid_t pid = start_holder();

                ck_assert_int_eq(io_number(fd, USBDEVFS_CLAIMINTERFACE, 0), -EBUSY);
                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
                /* At once: the next tool in a script comes without waiting, too. */
                ck_assert_int_eq(io_number(fd, USBDEVFS_CLAIMINTERFACE, 0), 0);
                ck_assert_int_eq(io_number(fd, USBDEVFS_RELEASEINTERFACE, 0), 0);
        }
}
END_TEST

START_TEST(test_claim_lives_in_copies) {
        int fd = open_node(NODE), other = open_node(NODE), copy, sockets[2], got;
        char byte;
        pid_t pid;

        ck_assert_int_eq(io_number(fd, USBDEVFS_CLAIMINTERFACE, 0), 0);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
        pid = fork();
        if (pid == 0) {
                uint8_t data[4] = { 1, 2, 3, 4 };
                struct usbdevfs_bulktransfer bulk = { .ep = 2, .len = 4, .data = data };

                if (receive_with_fd(sockets[1], &byte, 1, &got) != 1)
                        _exit(1);
                close(fd);
                close(other);
                (void) !write(sockets[1], "x", 1);
                (void) !read(sockets[1], &byte, 1);
                /* Ours is the last copy. Data comes from our memory, not the opener's. */
                _exit(io(got, USBDEVFS_BULK, &bulk) == 4 ? 0 : 2);
        }
        copy = dup(fd);
        ck_assert_int_eq(send_with_fd(sockets[0], "x", 1, copy), 0);
        ck_assert_int_eq(read(sockets[0], &byte, 1), 1);
        close(fd);
        close(copy);
        ck_assert_int_eq(io_number(other, USBDEVFS_CLAIMINTERFACE, 0), -EBUSY);
        ck_assert_int_eq(write(sockets[0], "x", 1), 1);
        ck_assert_int_eq(waitpid(pid, &got, 0), pid);
        ck_assert_int_eq(got, 0);
        ck_assert_int_eq(io_number(other, USBDEVFS_CLAIMINTERFACE, 0), 0);
}
END_TEST

static int driver_ioctl(int fd, int interface, unsigned code) {
        struct usbdevfs_ioctl inner = { .ifno = interface, .ioctl_code = (int) code };

        return io(fd, USBDEVFS_IOCTL, &inner);
}

START_TEST(test_kernel_driver) {
        struct usbdevfs_getdriver driver = { .interface = 1 };
        int fd = open_node(NODE);

        ck_assert_int_eq(io(fd, USBDEVFS_GETDRIVER, &driver), 0);
        ck_assert_str_eq(driver.driver, "usb-storage");
        ck_assert_int_eq(io_number(fd, USBDEVFS_CLAIMINTERFACE, 1), -EBUSY);
        ck_assert_int_eq(driver_ioctl(fd, 1, USBDEVFS_CONNECT), -EBUSY);
        ck_assert_int_eq(driver_ioctl(fd, 0, USBDEVFS_DISCONNECT), -ENODATA);
        ck_assert_int_eq(driver_ioctl(fd, 0, USBDEVFS_CONNECT), 0);
        ck_assert_int_eq(driver_ioctl(fd, 7, USBDEVFS_DISCONNECT), -EINVAL);
        ck_assert_int_eq(driver_ioctl(fd, 1, USBDEVFS_DISCONNECT), 0);
        ck_assert_int_eq(io_number(fd, USBDEVFS_CLAIMINTERFACE, 1), 0);
        ck_assert_str_eq((char *) seen->drivers[1], "usbfs");
        ck_assert_int_eq(io_number(fd, USBDEVFS_RELEASEINTERFACE, 1), 0);
        ck_assert_int_eq(driver_ioctl(fd, 1, USBDEVFS_CONNECT), 1);
        ck_assert_str_eq((char *) seen->drivers[1], "usb-storage");

        /* The two interfaces of a serial port come and go together. */
        ck_assert_int_eq(driver_ioctl(fd, 3, USBDEVFS_DISCONNECT), 0);
        ck_assert_int_eq(driver_ioctl(fd, 2, USBDEVFS_DISCONNECT), -ENODATA);
        ck_assert_int_eq(driver_ioctl(fd, 2, USBDEVFS_CONNECT), 1);
        ck_assert_str_eq((char *) seen->drivers[3], "cdc_acm");
}
END_TEST

START_TEST(test_disconnect_claim) {
        struct usbdevfs_disconnect_claim claim = { .interface = 1,
                                                   .flags = USBDEVFS_DISCONNECT_CLAIM_IF_DRIVER,
                                                   .driver = "usbhid" };
        int fd = open_node(NODE), other = open_node(NODE);

        ck_assert_int_eq(io(fd, USBDEVFS_DISCONNECT_CLAIM, &claim), -EBUSY);
        claim.flags = USBDEVFS_DISCONNECT_CLAIM_EXCEPT_DRIVER;
        strcpy(claim.driver, "usb-storage");
        ck_assert_int_eq(io(fd, USBDEVFS_DISCONNECT_CLAIM, &claim), -EBUSY);
        strcpy(claim.driver, "usbfs");
        ck_assert_int_eq(io(fd, USBDEVFS_DISCONNECT_CLAIM, &claim), 0);
        ck_assert_int_eq(io(other, USBDEVFS_DISCONNECT_CLAIM, &claim), -EBUSY);
        claim.flags = 0;
        ck_assert_int_eq(io(other, USBDEVFS_DISCONNECT_CLAIM, &claim), 0);
        ck_assert_int_eq(io_number(fd, USBDEVFS_RELEASEINTERFACE, 1), -EINVAL);
        claim.interface = 9;
        ck_assert_int_eq(io(fd, USBDEVFS_DISCONNECT_CLAIM, &claim), -EINVAL);
}
END_TEST

/* This is how stlinkd takes a probe from whoever has it. */
START_TEST(test_disconnect_takes_a_claim_away) {
        int fd = open_node(NODE), admin = open_node(NODE);
        struct usbdevfs_urb urb = {};
        uint8_t data[64];

        ck_assert_int_eq(io_number(fd, USBDEVFS_CLAIMINTERFACE, 0), 0);
        ck_assert_int_eq(submit(fd, &urb, 0x81, data, sizeof(data)), 0);
        ck_assert_int_eq(driver_ioctl(admin, 0, USBDEVFS_DISCONNECT), 0);
        ck_assert_str_eq((char *) seen->drivers[0], "");
        ck_assert_int_eq(reap(fd, &urb), 0);
        ck_assert_int_eq(urb.status, -ESHUTDOWN);
        ck_assert_int_eq(io_number(admin, USBDEVFS_CLAIMINTERFACE, 0), 0);
        ck_assert_int_eq(submit(fd, &urb, 0x81, data, sizeof(data)), -EBUSY);
}
END_TEST

START_TEST(test_drop_privileges) {
        struct usbdevfs_disconnect_claim take = { .interface = 1 };
        int fd = open_node(NODE), other = open_node(NODE);

        ck_assert_int_eq(io_number(fd, USBDEVFS_DROP_PRIVILEGES, 1), 0);
        ck_assert_int_eq(io_number(fd, USBDEVFS_DROP_PRIVILEGES, 0xffff), 0);
        ck_assert_int_eq(io_number(fd, USBDEVFS_CLAIMINTERFACE, 0), 0);
        ck_assert_int_eq(io_number(fd, USBDEVFS_CLAIMINTERFACE, 1), -EACCES);
        ck_assert_int_eq(io(fd, USBDEVFS_DISCONNECT_CLAIM, &take), -EACCES);
        ck_assert_int_eq(driver_ioctl(fd, 1, USBDEVFS_DISCONNECT), -EACCES);
        ck_assert_int_eq(driver_ioctl(fd, 0, USBDEVFS_CONNECT), -EACCES);
        /* Another interface has a driver, which a reset would disturb. */
        ck_assert_int_eq(io(fd, USBDEVFS_RESET, NULL), -EACCES);
        ck_assert_int_eq(request(fd, FAKE_REQUEST_PATTERN, 0), -EPIPE);

        /* Mask 0 and then release: the claim cannot be had again. */
        ck_assert_int_eq(io_number(fd, USBDEVFS_DROP_PRIVILEGES, 0), 0);
        ck_assert_int_eq(io_number(fd, USBDEVFS_CLAIMINTERFACE, 0), 0);
        ck_assert_int_eq(io_number(fd, USBDEVFS_RELEASEINTERFACE, 0), 0);
        ck_assert_int_eq(io_number(fd, USBDEVFS_CLAIMINTERFACE, 0), -EACCES);
        ck_assert_int_eq(io_number(other, USBDEVFS_CLAIMINTERFACE, 0), 0);
}
END_TEST

START_TEST(test_reset) {
        int fd = open_node(NODE), other = open_node(NODE);

        ck_assert_int_eq(io_number(fd, USBDEVFS_CLAIMINTERFACE, 0), 0);
        ck_assert_int_eq(driver_ioctl(fd, 1, USBDEVFS_DISCONNECT), 0);
        ck_assert_int_eq(io(fd, USBDEVFS_RESET, NULL), 0);
        eventually(seen->resets == 1);
        ck_assert_str_eq((char *) seen->drivers[1], "usb-storage");
        ck_assert_int_eq(io_number(other, USBDEVFS_CLAIMINTERFACE, 0), 0);
}
END_TEST

START_TEST(test_configuration) {
        struct usbdevfs_setinterface set = { .interface = 1, .altsetting = 1 };
        int fd = open_node(NODE);

        ck_assert_int_eq(io_number(fd, USBDEVFS_SETCONFIGURATION, 1), -EBUSY);
        ck_assert_int_eq(driver_ioctl(fd, 1, USBDEVFS_DISCONNECT), 0);
        ck_assert_int_eq(driver_ioctl(fd, 2, USBDEVFS_DISCONNECT), 0);
        ck_assert_int_eq(io_number(fd, USBDEVFS_SETCONFIGURATION, 1), 0);
        ck_assert_int_eq(io_number(fd, USBDEVFS_SETCONFIGURATION, 2), -EINVAL);

        ck_assert_int_eq(io(fd, USBDEVFS_SETINTERFACE, &set), 0);
        ck_assert_str_eq((char *) seen->drivers[1], "usbfs");
        set.altsetting = 2;
        ck_assert_int_eq(io(fd, USBDEVFS_SETINTERFACE, &set), -EINVAL);
        set = (struct usbdevfs_setinterface){ .interface = 9 };
        ck_assert_int_eq(io(fd, USBDEVFS_SETINTERFACE, &set), -ENOENT);
}
END_TEST

START_TEST(test_mode) {
        struct stat st;

        ck_assert_int_eq(chmod(NODE, 0600), 0);
        ck_assert_int_eq(stat(NODE, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0600);
        ck_assert_int_eq(chown(NODE, getuid(), getgid()), 0);
        /* Programs that create or cut what is there by mistake do no harm. */
        ck_assert_int_ge(open(NODE, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), 0);
        ck_assert_int_lt(unlink(NODE), 0);
        ck_assert_int_lt(mkdir(USBFS_ROOT "/002", 0755), 0);
}
END_TEST

START_TEST(test_inotify) {
        char buffer[512];
        int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), fd;

        ck_assert_int_ge(inotify_add_watch(watch, NODE, IN_OPEN | IN_CLOSE), 0);
        fd = open_node(NODE);
        ck_assert_int_eq(read(watch, buffer, sizeof(buffer)), sizeof(struct inotify_event));
        ck_assert_uint_eq(((struct inotify_event *) (void *) buffer)->mask, IN_OPEN);
        close(fd);
        ck_assert_int_eq(read(watch, buffer, sizeof(buffer)), sizeof(struct inotify_event));
        ck_assert_uint_eq(((struct inotify_event *) (void *) buffer)->mask, IN_CLOSE_WRITE);
}
END_TEST

START_TEST(test_crowd) {
        ino_t inodes[127];
        unsigned n = 0;
        DIR *folder = opendir(USBFS_ROOT "/001");

        ck_assert_ptr_nonnull(folder);
        for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
                char path[300];
                int fd;

                if (entry->d_name[0] == '.')
                        continue;
                ck_assert_uint_lt(n, 127);
                for (unsigned i = 0; i < n; i++)
                        ck_assert_uint_ne(inodes[i], entry->d_ino);
                inodes[n++] = entry->d_ino;
                snprintf(path, sizeof(path), USBFS_ROOT "/001/%s", entry->d_name);
                fd = open_node(path);
                ck_assert_int_eq(io_number(fd, USBDEVFS_CLAIMINTERFACE, 0), 0);
                /* left open: all at once */
        }
        closedir(folder);
        ck_assert_uint_eq(n, 126);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("usbfs");
        TCase *one = tcase_create("node"), *crowd = tcase_create("crowd");
        const TTest *const tests[] = {
                test_node,
                test_facts,
                test_claim,
                test_claim_ends_with_its_holder,
                test_claim_lives_in_copies,
                test_kernel_driver,
                test_disconnect_claim,
                test_disconnect_takes_a_claim_away,
                test_drop_privileges,
                test_reset,
                test_configuration,
                test_mode,
                test_inotify,
        };
        SRunner *runner;
        int failed;

        if (!bench_enter())
                return 77;
        tcase_add_checked_fixture(one, setup, bench_stop);
        tcase_set_timeout(one, 30);
        for (size_t i = 0; i < ELEMENTSOF(tests); i++)
                tcase_add_test(one, tests[i]);
        suite_add_tcase(suite, one);
        tcase_add_checked_fixture(crowd, setup_crowd, bench_stop);
        tcase_add_test(crowd, test_crowd);
        suite_add_tcase(suite, crowd);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
