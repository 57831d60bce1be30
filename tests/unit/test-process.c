/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "children.h"
#include "gate/cgroup.h"
#include "gate/process.h"

static void name_myself(void *data) {
        prctl(PR_SET_NAME, data);
        child_ready();
        child_wait();
}

START_TEST(process_is_described) {
        _cleanup_(process_freep) Process *process = NULL;
        Usec before = now_usec(CLOCK_BOOTTIME);
        Child child = child_start(name_myself, (char[]){ "openocd" });
        char exe[PATH_MAX] = "", parent[32] = "";

        ck_assert_int_eq(process_new(child.pid, &process), 0);
        ck_assert_int_eq(process->pid, child.pid);
        ck_assert_int_ge(process->pidfd, 0);
        /* The kernel counts in clock ticks. */
        ck_assert_uint_ge(process->start + USEC_PER_SEC / 10, before);
        ck_assert_uint_le(process->start, now_usec(CLOCK_BOOTTIME));
        ck_assert_uint_eq(process->uid, geteuid());
        ck_assert_str_eq(process->user, getpwuid(geteuid())->pw_name);
        ck_assert_str_eq(process->command, "openocd");
        ck_assert_int_gt(readlink("/proc/self/exe", exe, sizeof(exe) - 1), 0);
        ck_assert_str_eq(process->exe, exe);
        ck_assert_ptr_nonnull(strstr(process->cmdline, "test-process"));
        ck_assert_int_eq(process->parent, getpid());
        prctl(PR_GET_NAME, parent);
        ck_assert_str_eq(process->parent_command, parent);
        ck_assert(process_is_alive(process));
        child_kill(&child);
        ck_assert(!process_is_alive(process));
}
END_TEST

START_TEST(process_is_identified) {
        _cleanup_(process_freep) Process *whole = NULL, *process = NULL;
        Child child = child_start(name_myself, (char[]){ "openocd" });

        ck_assert_int_eq(process_new(child.pid, &whole), 0);
        ck_assert_int_eq(process_identify(child.pid, &process), 0);
        ck_assert_int_eq(process->pid, child.pid);
        ck_assert_int_ge(process->pidfd, 0);
        ck_assert_uint_eq(process->start, whole->start);
        ck_assert_uint_eq(process->uid, geteuid());
        ck_assert_str_eq(process->user, whole->user);
        ck_assert_str_eq(process->command, "openocd");
        ck_assert_ptr_null(process->exe);
        ck_assert_ptr_null(process->cmdline);
        ck_assert(process_is_alive(process));
        child_kill(&child);
        ck_assert(!process_is_alive(process));
        process = process_free(process);
        ck_assert_int_eq(process_identify(child.pid, &process), -ESRCH);
}
END_TEST

START_TEST(process_is_shared) {
        Process *first, *second;

        ck_assert_int_eq(process_identify(getpid(), &first), 0);
        second = process_ref(first);
        ck_assert_ptr_null(process_free(first));
        ck_assert_str_eq(second->command, "test-process");
        ck_assert(process_is_alive(second));
        ck_assert_ptr_null(process_free(second));
}
END_TEST

/* prctl() cuts after 15 bytes */
static const struct {
        const char *name, *shown;
} commands[] = {
        { "a) R 1 2 3 (b", "a) R 1 2 3 (b" },
        { ") Z 1", ") Z 1" },
        { "x\nUid:\t7\t7", "x\\x0AUid:\\x097\\x097" },
        { "\x1b[2Jroot", "\\x1B[2Jroot" },
        { "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
        { "cut \xff\xc3", "cut \\xFF\\xC3" },
        { "", "" },
        { "\n", "\\x0A" },
};

START_TEST(hostile_command) {
        _cleanup_(process_freep) Process *process = NULL;
        Child child = child_start(name_myself, (void *) commands[_i].name);

        ck_assert_int_eq(process_new(child.pid, &process), 0);
        ck_assert_str_eq(process->command, commands[_i].shown);
        ck_assert_uint_eq(process->uid, geteuid());
        ck_assert_int_eq(process->parent, getpid());
        child_end(&child);
}
END_TEST

static void run_with(const char **arguments) {
        /* Not before the exec did the child have these arguments. */
        execv("/bin/sleep", (char **) (uintptr_t) arguments);
        _exit(1);
}

static Process *process_with(const char **arguments, pid_t *ret_pid) {
        Process *process = NULL;
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid == 0)
                run_with(arguments);
        for (int i = 0; i < 1000; i++) {
                ck_assert_int_eq(process_new(pid, &process), 0);
                if (strcmp(process->command, "sleep") == 0 && process->cmdline)
                        break;
                process = process_free(process);
                usleep(10 * 1000);
        }
        ck_assert_ptr_nonnull(process);
        *ret_pid = pid;
        return process;
}

static void end(pid_t pid) {
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(hostile_arguments) {
        _cleanup_(process_freep) Process *process = NULL;
        pid_t pid;

        process = process_with((const char *[]){ "a\x1b]0;b\a", "100", NULL }, &pid);
        ck_assert_str_eq(process->cmdline, "a\\x1B]0;b\\x07 100");
        end(pid);
}
END_TEST

/* Where the kernel reads the arguments of this process: proc_pid_stat(5), fields 48 and 49. */
static char *own_arguments(size_t *ret_size) {
        unsigned long start = 0, end = 0;
        FILE *file = fopen("/proc/self/stat", "re");
        int field = 1, c;

        while (field < 48 && (c = getc(file)) != EOF)
                field += c == ' ';
        if (fscanf(file, "%lu %lu", &start, &end) != 2 || end <= start)
                _exit(1);
        (void) fclose(file);
        *ret_size = end - start;
        return (char *) start; // NOLINT(performance-no-int-to-ptr)
}

static void get_arguments_late(void *data) {
        size_t size;
        char *arguments = own_arguments(&size);

        (void) data;
        memset(arguments, 0, size);
        child_ready();
        child_wait();
        memset(arguments, 'x', size - 1);
        child_ready();
        child_wait();
}

START_TEST(arguments_come_late) {
        _cleanup_(process_freep) Process *process = NULL;
        Child child = child_start(get_arguments_late, NULL);

        ck_assert_int_eq(process_new(child.pid, &process), 0);
        ck_assert_ptr_null(process->cmdline);
        ck_assert(!process_refresh(process));
        child_continue(&child);
        ck_assert(process_refresh(process));
        ck_assert_ptr_nonnull(strstr(process->cmdline, "xxxx"));
        ck_assert(!process_refresh(process));
        child_end(&child);
}
END_TEST

START_TEST(long_arguments) {
        _cleanup_(process_freep) Process *process = NULL;
        char many[30000];
        pid_t pid;

        memset(many, '\n', sizeof(many));
        many[sizeof(many) - 1] = 0;
        process = process_with((const char *[]){ many, "100", NULL }, &pid);
        ck_assert_uint_gt(strlen(process->cmdline), 500);
        ck_assert_uint_le(strlen(process->cmdline), 1024);
        ck_assert_uint_eq(strlen(process->cmdline) % 4, 0); /* no escape is cut */
        end(pid);
}
END_TEST

START_TEST(zombie_is_gone) {
        Process *process = NULL;
        siginfo_t info;
        pid_t pid = fork();

        if (pid == 0)
                _exit(0);
        ck_assert_int_eq(waitid(P_PID, (id_t) pid, &info, WEXITED | WNOWAIT), 0);
        ck_assert_int_eq(process_new(pid, &process), -ESRCH);
        ck_assert_ptr_null(process);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        ck_assert_int_eq(process_new(pid, &process), -ESRCH);
        ck_assert_int_eq(process_new(INT_MAX, &process), -ESRCH);
        ck_assert_ptr_null(process);
}
END_TEST

static void *stay(void *data) {
        *(pid_t *) data = gettid();
        pause();
        return NULL;
}

START_TEST(thread_is_no_process) {
        Process *process = NULL;
        volatile pid_t tid = 0;
        pthread_t thread;

        ck_assert_int_eq(pthread_create(&thread, NULL, stay, (void *) &tid), 0);
        while (tid == 0)
                usleep(1000);
        ck_assert_int_eq(process_new(tid, &process), -ESRCH);
        ck_assert_int_eq(process_new(getpid(), &process), 0);
        process_free(process);
}
END_TEST

static pid_t fork_with_pid(pid_t pid) {
        struct clone_args args = { .exit_signal = SIGCHLD,
                                   .set_tid = (uint64_t) (uintptr_t) &pid,
                                   .set_tid_size = 1 };

        return (pid_t) syscall(SYS_clone3, &args, sizeof(args));
}

START_TEST(successor_of_a_pid_is_another) {
        _cleanup_(process_freep) Process *first = NULL, *second = NULL, *bare = NULL;
        Child child = child_start(name_myself, (char[]){ "first" });
        pid_t again;

        ck_assert_int_eq(process_new(child.pid, &first), 0);
        ck_assert_int_eq(process_new(child.pid, &bare), 0);
        bare->pidfd = safe_close(bare->pidfd); /* as where there are no pidfds */
        ck_assert(process_is_alive(bare));
        child_kill(&child);
        usleep(20 * 1000); /* the next clock tick */
        again = fork_with_pid(child.pid);
        if (again == 0) {
                pause();
                _exit(0);
        }
        if (again < 0) {
                printf("SKIP: successor_of_a_pid_is_another: clone3(set_tid): %m\n");
                return;
        }
        ck_assert_int_eq(again, child.pid);
        ck_assert(!process_is_alive(first));
        ck_assert(!process_is_alive(bare));
        ck_assert_int_eq(process_new(again, &second), 0);
        ck_assert(process_is_alive(second));
        ck_assert_uint_gt(second->start, first->start);
        end(again);
}
END_TEST

static void leave_an_orphan(void *data) {
        int *pid_pipe = data;
        pid_t pid = fork();

        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, 0);
                sleep(60);
                _exit(0);
        }
        if (write(pid_pipe[1], &pid, sizeof(pid)) != sizeof(pid))
                _exit(1);
        child_ready();
        child_wait();
}

START_TEST(orphan_has_no_parent) {
        _cleanup_(process_freep) Process *process = NULL, *orphan = NULL;
        int pid_pipe[2];
        Child child;
        pid_t pid;

        ck_assert_int_eq(pipe2(pid_pipe, O_CLOEXEC), 0);
        child = child_start(leave_an_orphan, pid_pipe);
        ck_assert_int_eq(read(pid_pipe[0], &pid, sizeof(pid)), sizeof(pid));
        ck_assert_int_eq(process_new(pid, &process), 0);
        ck_assert_int_eq(process->parent, child.pid);
        ck_assert_ptr_nonnull(process->parent_command);
        child_end(&child);
        ck_assert_int_eq(process_new(pid, &orphan), 0);
        ck_assert_int_ne(orphan->parent, child.pid);
        if (orphan->parent == 1)
                ck_assert_ptr_null(orphan->parent_command);
        kill(pid, SIGKILL);
}
END_TEST

static void stay_on_terminal(void *data) {
        setsid();
        if (open(data, O_RDWR) < 0)
                _exit(1);
        child_ready();
        child_wait();
}

START_TEST(terminal_is_named) {
        _cleanup_(process_freep) Process *process = NULL;
        int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        char name[64];
        Child child;

        ck_assert_int_ge(master, 0);
        ck_assert_int_eq(grantpt(master), 0);
        ck_assert_int_eq(unlockpt(master), 0);
        ck_assert_int_eq(ptsname_r(master, name, sizeof(name)), 0);
        child = child_start(stay_on_terminal, name);
        ck_assert_int_eq(process_new(child.pid, &process), 0);
        ck_assert_str_eq(process->terminal, name + strlen("/dev/"));
        child_end(&child);
        close(master);
}
END_TEST

START_TEST(others_secrets_stay_unread) {
        _cleanup_(process_freep) Process *process = NULL;
        Child child = child_start(name_myself, (char[]){ "other" });

        if (geteuid() != 0) {
                printf("SKIP: others_secrets_stay_unread: needs root for a second user\n");
                child_end(&child);
                return;
        }
        ck_assert_int_eq(seteuid(65534), 0);
        ck_assert_int_eq(process_new(child.pid, &process), 0);
        ck_assert_ptr_null(process->exe);
        ck_assert_str_eq(process->command, "other");
        ck_assert_uint_eq(process->uid, 0);
        ck_assert_int_eq(seteuid(0), 0);
        child_end(&child);
}
END_TEST

START_TEST(kernel_thread_has_no_command_line) {
        _cleanup_(process_freep) Process *process = NULL;

        if (process_new(2, &process) < 0 || strcmp(process->command, "kthreadd") != 0)
                return; /* another PID namespace */
        ck_assert_ptr_null(process->cmdline);
        ck_assert_ptr_null(process->exe);
        ck_assert_ptr_null(process->parent_command);
}
END_TEST

static const struct {
        const char *text, *unit, *session, *container;
} cgroups[] = {
        { "0::/\n", NULL, NULL, NULL },
        { "", NULL, NULL, NULL },
        { "0::/init.scope\n", "init.scope", NULL, NULL },
        { "0::/system.slice/labgrid-exporter.service\n", "labgrid-exporter.service", NULL, NULL },
        { "0::/system.slice/system-getty.slice/getty@tty1.service\n", "getty@tty1.service", NULL,
          NULL },
        { "0::/user.slice/user-1000.slice/session-5.scope\n", "session-5.scope", "5", NULL },
        { "0::/user.slice/user-1000.slice/session-c2.scope\n", "session-c2.scope", "c2", NULL },
        { "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-code-77.scope\n",
          "app-gnome-code-77.scope", NULL, NULL },
        { "0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", "init.scope", NULL,
          NULL },
        { "12:cpu:/x\n1:name=systemd:/system.slice/ssh.service\n0::/\n", "ssh.service", NULL,
          NULL },
        { "4:memory:/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
          "1:name=systemd:/docker/"
          "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
          NULL, NULL, "docker:0123456789ab" },
        { "0::/system.slice/"
          "docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope\n",
          "docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope", NULL,
          "docker:0123456789ab" },
        { "0::/system.slice/docker-0123456789abcdef.scope/system.slice/nginx.service\n",
          "docker-0123456789abcdef.scope", NULL, "docker:0123456789ab" },
        { "0::/user.slice/user-1000.slice/user@1000.service/user.slice/"
          "libpod-feedbeeffeedbeef.scope/container\n",
          "libpod-feedbeeffeedbeef.scope", NULL, "podman:feedbeeffeed" },
        { "0::/machine.slice/libpod-conmon-feedbeeffeedbeef.scope\n",
          "libpod-conmon-feedbeeffeedbeef.scope", NULL, NULL },
        { "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-0123456789abcdef.scope\n",
          "cri-containerd-0123456789abcdef.scope", NULL, "containerd:0123456789ab" },
        { "0::/kubepods/burstable/pod77/0123456789abcdef\n", NULL, NULL,
          "kubernetes:0123456789ab" },
        { "0::/lxc.payload.bench/system.slice/a.service\n", "a.service", NULL, "lxc:bench" },
        { "0::/lxc/bench\n", NULL, NULL, "lxc:bench" },
        { "0::/machine.slice/machine-test\\x2dbed.scope/payload\n", "machine-test\\x2dbed.scope",
          NULL, "nspawn:test-bed" },
        { "0::/machine.slice/systemd-nspawn@bed.service/payload\n", "systemd-nspawn@bed.service",
          NULL, "nspawn:bed" },
        { "0::/machine.slice/machine-qemu\\x2d1\\x2dwin.scope\n",
          "machine-qemu\\x2d1\\x2dwin.scope", NULL, "libvirt:1-win" },
        { "0::/user.slice/user-1000.slice/user@1000.service/app.slice/"
          "app-flatpak-com.visualstudio.code-1234.scope\n",
          "app-flatpak-com.visualstudio.code-1234.scope", NULL, "flatpak:com.visualstudio.code" },
        { "0::/user.slice/user-1000.slice/user@1000.service/app.slice/"
          "snap.arduino.arduino.12ab.scope\n",
          "snap.arduino.arduino.12ab.scope", NULL, "snap:arduino" },
        { "0::/system.slice/\x1b[2J.service\n", "\\x1B[2J.service", NULL, NULL },
        { "0::/system.slice/_cpu.service\n", "cpu.service", NULL, NULL },
        { "0::/system.slice/docker-.scope\n", "docker-.scope", NULL, NULL },
        { "0::/session-5.scope\n", "session-5.scope", NULL, NULL },
        { "0::/lxc.payload.a\\x00b\n", NULL, NULL, "lxc:a\\x00b" },
        { "0::////\n", NULL, NULL, NULL },
};

static void check_text(const char *have, const char *want) {
        if (want)
                ck_assert_str_eq(have, want);
        else
                ck_assert_ptr_null(have);
}

START_TEST(place_is_told) {
        CgroupPlace place;

        ck_assert_int_eq(cgroup_parse(cgroups[_i].text, &place), 0);
        check_text(place.unit, cgroups[_i].unit);
        check_text(place.session, cgroups[_i].session);
        check_text(place.container, cgroups[_i].container);
        cgroup_place_done(&place);
        ck_assert_ptr_null(place.unit);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("process");
        TCase *tcase = tcase_create("process");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, process_is_described);
        tcase_add_test(tcase, process_is_identified);
        tcase_add_test(tcase, process_is_shared);
        tcase_add_loop_test(tcase, hostile_command, 0, ELEMENTSOF(commands));
        tcase_add_test(tcase, hostile_arguments);
        tcase_add_test(tcase, arguments_come_late);
        tcase_add_test(tcase, long_arguments);
        tcase_add_test(tcase, zombie_is_gone);
        tcase_add_test(tcase, thread_is_no_process);
        tcase_add_test(tcase, successor_of_a_pid_is_another);
        tcase_add_test(tcase, orphan_has_no_parent);
        tcase_add_test(tcase, terminal_is_named);
        tcase_add_test(tcase, others_secrets_stay_unread);
        tcase_add_test(tcase, kernel_thread_has_no_command_line);
        tcase_add_loop_test(tcase, place_is_told, 0, ELEMENTSOF(cgroups));
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
