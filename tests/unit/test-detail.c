/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "gate/detail.h"
#include "gate/procfs.h"

/* What is told of a holder when somebody asks: ports, who is connected, whether it was left
 * behind. And how far we see. */

/* --- the kernel's table ------------------------------------------------------------------- */

#define HEADING                                                                               \
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  " \
        "timeout inode\n"

static const struct {
        const char *text;
        size_t n_ports;
        uint16_t port;
        unsigned clients;
} tables[] = {
        { "", 0, 0, 0 },
        { HEADING, 0, 0, 0 },
        /* It listens on 3333. */
        { HEADING "   0: 0100007F:0D05 00000000:0000 0A 00000000:00000000 00:00000000 00000000  "
                  "1000        0 77 1 0000000000000000 100 0 0 10 0\n",
          1, 3333, 0 },
        /* And one is connected; another has left, and one is another program's. */
        { HEADING "   0: 0100007F:0D05 00000000:0000 0A 00000000:00000000 00:00000000 00000000  "
                  "1000        0 77 1\n"
                  "   1: 0100007F:0D05 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  "
                  "1000        0 78 1\n"
                  "   2: 0100007F:0D05 0100007F:9C41 08 00000000:00000000 00:00000000 00000000  "
                  "1000        0 79 1\n"
                  "   3: 0100007F:0D05 0100007F:9C42 01 00000000:00000000 00:00000000 00000000  "
                  "1000        0 80 1\n",
          1, 3333, 1 },
        /* Connected, but to elsewhere */
        { HEADING "   0: 0100007F:9C40 0100007F:0D05 01 00000000:00000000 00:00000000 00000000  "
                  "1000        0 78 1\n",
          0, 0, 0 },
        /* IPv6 */
        { HEADING
          "   0: 00000000000000000000000001000000:115C 00000000000000000000000000000000:0000 "
          "0A 00000000:00000000 00:00000000 00000000     0        0 77 1\n",
          1, 4444, 0 },
        /* What makes no sense */
        { "0: x:y\n   0: 0100007F:FFFFF 0:0 0A 0:0 0:0 0 0 0 77\nfoo\n\n\n   0: 0:1", 0, 0, 0 },
};

START_TEST(test_table) {
        const uint64_t inodes[] = { 77, 78, 79 };
        ProcessDetail detail = {};
        SocketTable table = {};

        ck_assert_int_eq(
                socket_table_parse(tables[_i].text, inodes, ELEMENTSOF(inodes), &table, &detail),
                0);
        socket_table_finish(&table, &detail);
        ck_assert_uint_eq(detail.n_ports, tables[_i].n_ports);
        if (detail.n_ports > 0)
                ck_assert_uint_eq(detail.ports[0], tables[_i].port);
        ck_assert_uint_eq(detail.clients, tables[_i].clients);
}
END_TEST

/* --- real ones ---------------------------------------------------------------------------- */

static int listen_somewhere(uint16_t *ret_port) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
        ck_assert_int_eq(listen(fd, 5), 0);
        ck_assert_int_eq(getsockname(fd, (struct sockaddr *) &address, &size), 0);
        *ret_port = ntohs(address.sin_port);
        return fd;
}

static int connect_to(uint16_t port) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_port = htons(port),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(connect(fd, (struct sockaddr *) &address, sizeof(address)), 0);
        return fd;
}

/* A debug server: it accepts whoever comes, and stays. */
static pid_t start_server(int fd) {
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid != 0)
                return pid;
        for (;;)
                (void) accept(fd, NULL, NULL);
}

static bool look_for_clients(const Process *process, unsigned n) {
        for (unsigned i = 0; i < 2000; i++) {
                ProcessDetail detail;
                unsigned clients;

                ck_assert_int_eq(process_detail_read(process, &detail), 0);
                clients = detail.clients;
                process_detail_done(&detail);
                if (clients == n)
                        return true;
                (void) usleep(5000);
        }
        return false;
}

START_TEST(test_server) {
        _cleanup_(process_freep) Process *process = NULL;
        ProcessDetail detail;
        uint16_t port;
        int fd = listen_somewhere(&port), client;
        pid_t pid = start_server(fd);

        safe_close(fd);
        ck_assert_int_eq(process_new(pid, &process), 0);
        ck_assert_int_eq(process_detail_read(process, &detail), 0);
        ck_assert(detail.sockets_known);
        ck_assert_uint_eq(detail.n_ports, 1);
        ck_assert_uint_eq(detail.ports[0], port);
        ck_assert_uint_eq(detail.clients, 0);
        ck_assert(!detail.orphaned); /* we are its parent */
        ck_assert_ptr_null(detail.remote);
        process_detail_done(&detail);
        client = connect_to(port);
        ck_assert(look_for_clients(process, 1));
        safe_close(client);
        ck_assert(look_for_clients(process, 0));
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        ck_assert_int_eq(process_detail_read(process, &detail), -ESRCH);
}
END_TEST

/* Its parent ends after it was seen: then it was left behind, unless somebody is connected. */
START_TEST(test_orphan) {
        _cleanup_(process_freep) Process *process = NULL;
        int fds[2], fd, client;
        ProcessDetail detail;
        uint16_t port;
        pid_t parent, pid;

        fd = listen_somewhere(&port);
        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        parent = fork();
        if (parent == 0) {
                pid = start_server(fd);
                if (write(fds[1], &pid, sizeof(pid)) != sizeof(pid))
                        _exit(1);
                (void) pause();
                _exit(0);
        }
        ck_assert_int_eq(read(fds[0], &pid, sizeof(pid)), sizeof(pid));
        safe_close(fd);
        ck_assert_int_eq(process_new(pid, &process), 0);
        ck_assert_int_eq(process_detail_read(process, &detail), 0);
        ck_assert(!detail.orphaned);
        process_detail_done(&detail);
        ck_assert_int_eq(kill(parent, SIGKILL), 0);
        ck_assert_int_eq(waitpid(parent, NULL, 0), parent);
        ck_assert_int_eq(process_detail_read(process, &detail), 0);
        ck_assert(detail.orphaned);
        process_detail_done(&detail);
        client = connect_to(port);
        ck_assert(look_for_clients(process, 1));
        ck_assert_int_eq(process_detail_read(process, &detail), 0);
        ck_assert(!detail.orphaned);
        process_detail_done(&detail);
        /* A service has no parent to lose. */
        safe_close(client);
        ck_assert(look_for_clients(process, 0));
        free(process->unit);
        process->unit = strdup("openocd.service");
        ck_assert_int_eq(process_detail_read(process, &detail), 0);
        ck_assert(!detail.orphaned);
        process_detail_done(&detail);
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
}
END_TEST

static pid_t fork_with_pid(pid_t pid) {
        struct clone_args args = { .exit_signal = SIGCHLD,
                                   .set_tid = (uint64_t) (uintptr_t) &pid,
                                   .set_tid_size = 1 };

        return (pid_t) syscall(SYS_clone3, &args, sizeof(args));
}

/* Nothing is ever told of a successor. */
START_TEST(test_pid_reuse) {
        _cleanup_(process_freep) Process *first = NULL;
        ProcessDetail detail;
        uint16_t port;
        int fd = listen_somewhere(&port);
        pid_t pid = start_server(fd), again;

        ck_assert_int_eq(process_new(pid, &first), 0);
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        again = fork_with_pid(pid);
        if (again == 0) {
                (void) pause();
                _exit(0);
        }
        if (again < 0) {
                printf("SKIP: test_pid_reuse: clone3(set_tid): %m\n");
                return;
        }
        ck_assert_int_eq(again, pid);
        ck_assert_int_eq(process_detail_read(first, &detail), -ESRCH);
        ck_assert_int_eq(kill(again, SIGKILL), 0);
        ck_assert_int_eq(waitpid(again, NULL, 0), again);
}
END_TEST

/* --- sight -------------------------------------------------------------------------------- */

static ProcfsSight sight_as_another_user(const char *options) {
        int status = 0;
        pid_t pid = fork();

        if (pid == 0) {
                if (unshare(CLONE_NEWNS) < 0 ||
                    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                    mount("proc", "/proc", "proc", 0, options) < 0 || setgroups(0, NULL) < 0 ||
                    setgid(65534) < 0 || setuid(65534) < 0)
                        _exit(99);
                _exit((int) procfs_find_sight());
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFEXITED(status));
        return (ProcfsSight) WEXITSTATUS(status);
}

START_TEST(test_sight) {
        ProcfsSight open, invisible;

        if (geteuid() != 0) {
                printf("SKIP: test_sight: needs root to mount /proc\n");
                return;
        }
        open = sight_as_another_user("hidepid=0");
        if ((int) open == 99) {
                printf("SKIP: test_sight: /proc cannot be mounted here\n");
                return;
        }
        ck_assert_int_eq(open, PROCFS_SIGHT_OWN);
        invisible = sight_as_another_user("hidepid=2");
        ck_assert_int_eq(invisible, PROCFS_SIGHT_HIDDEN);
        ck_assert_int_eq(sight_as_another_user("hidepid=1"), PROCFS_SIGHT_HIDDEN);
        ck_assert_str_eq(procfs_sight_to_string(invisible), "hidden");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("detail");
        TCase *tcase = tcase_create("detail");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 120);
        tcase_add_loop_test(tcase, test_table, 0, (int) ELEMENTSOF(tables));
        tcase_add_test(tcase, test_server);
        tcase_add_test(tcase, test_orphan);
        tcase_add_test(tcase, test_pid_reuse);
        tcase_add_test(tcase, test_sight);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
