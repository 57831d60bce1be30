/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "children.h"

static int in = -EBADF, out = -EBADF;

void child_ready(void) {
        if (write(out, "r", 1) != 1)
                _exit(1);
}

void child_wait(void) {
        char byte;

        if (read(in, &byte, 1) != 1)
                _exit(0);
}

static void run(ChildFunction function, void *data) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        function(data);
        _exit(0);
}

static void wait_ready(Child *child) {
        char byte;

        ck_assert_int_eq(read(child->hear, &byte, 1), 1);
}

Child child_start(ChildFunction function, void *data) {
        Child child;
        int to[2], from[2];

        ck_assert_int_eq(pipe2(to, O_CLOEXEC), 0);
        ck_assert_int_eq(pipe2(from, O_CLOEXEC), 0);
        child.pid = fork();
        ck_assert_int_ge(child.pid, 0);
        if (child.pid == 0) {
                in = to[0];
                out = from[1];
                close(to[1]);
                close(from[0]);
                run(function, data);
        }
        close(to[0]);
        close(from[1]);
        child.tell = to[1];
        child.hear = from[0];
        wait_ready(&child);
        return child;
}

void child_continue(Child *child) {
        ck_assert_int_eq(write(child->tell, "c", 1), 1);
        wait_ready(child);
}

static void reap(Child *child) {
        child->tell = safe_close(child->tell);
        ck_assert_int_eq(waitpid(child->pid, NULL, 0), child->pid);
        child->hear = safe_close(child->hear);
}

void child_end(Child *child) {
        ck_assert_int_eq(write(child->tell, "c", 1), 1);
        reap(child);
}

void child_kill(Child *child) {
        ck_assert_int_eq(kill(child->pid, SIGKILL), 0);
        reap(child);
}

pid_t child_idle(void) {
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        (void) pause();
        }
        return pid;
}

void child_idle_end(pid_t pid) {
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
