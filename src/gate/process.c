/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "gate/cgroup.h"
#include "gate/process.h"
#include "gate/procfs.h"

/* Lengths up to which text of a process is shown */
#define EXE_MAX     1024
#define CMDLINE_MAX 1024

/* A line of descent longer than this is no honest one. */
#define DEPTH_MAX 64

/* The effective uid, as ps(1) and fuser(1) show it. */
static int read_uid(int dirfd, uid_t *ret) {
        _cleanup_free_ char *text = NULL;
        const char *line;
        unsigned uid;
        int r;

        r = read_file_at(dirfd, "status", 64 * 1024, &text, NULL);
        if (r < 0)
                return r;
        /* The kernel escapes a newline in the command's line, so this is the real one. */
        line = strstr(text, "\nUid:");
        if (!line || sscanf(line, "\nUid: %*u %u", &uid) != 1)
                return -EBADMSG;
        *ret = uid;
        return 0;
}

static char *user_name(uid_t uid) {
        char buffer[4096], number[16];
        struct passwd entry, *found = NULL;

        if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) == 0 && found)
                return procfs_printable(found->pw_name, strlen(found->pw_name), PROCFS_COMMAND_MAX);
        snprintf(number, sizeof(number), "%u", uid);
        return strdup(number);
}

/* Leaves *ret alone when we may not read it. */
static int read_exe(int dirfd, char **ret) {
        char path[4096];
        ssize_t n;

        n = readlinkat(dirfd, "exe", path, sizeof(path));
        if (n <= 0)
                return 0;
        *ret = procfs_printable(path, (size_t) n, EXE_MAX);
        return *ret ? 0 : -ENOMEM;
}

/* Likewise. A kernel thread has none. */
static int read_cmdline(int dirfd, char **ret) {
        _cleanup_close_ int fd = -EBADF;
        char arguments[CMDLINE_MAX];
        ssize_t n;

        fd = openat(dirfd, "cmdline", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return 0;
        n = read_full(fd, arguments, sizeof(arguments));
        while (n > 0 && arguments[n - 1] == 0)
                n--;
        if (n <= 0)
                return 0;
        for (ssize_t i = 0; i < n; i++)
                if (arguments[i] == 0)
                        arguments[i] = ' ';
        *ret = procfs_printable(arguments, (size_t) n, CMDLINE_MAX);
        return *ret ? 0 : -ENOMEM;
}

static int read_place(int dirfd, Process *process) {
        _cleanup_free_ char *text = NULL;
        CgroupPlace place;
        int r;

        r = read_file_at(dirfd, "cgroup", 64 * 1024, &text, NULL);
        if (r == -ENOMEM || r == -ESRCH)
                return r;
        if (r < 0)
                return 0;
        r = cgroup_parse(text, &place);
        if (r < 0)
                return r;
        process->cgroup = place.path;
        process->unit = place.unit;
        process->session = place.session;
        process->container = place.container;
        return 0;
}

/* "pts/3" and the like out of a device number (proc_pid_stat(5), tty_nr; the majors are those
 * of the kernel's Documentation/admin-guide/devices.txt). */
static int name_terminal(unsigned number, char **ret) {
        unsigned major_number = number >> 8 & 0xfff;
        unsigned minor_number = (number & 0xff) | (number >> 12 & 0xfff00);
        _cleanup_free_ char *text = NULL;
        char path[64];
        const char *name;

        if (number == 0)
                return 0;
        if (major_number >= 136 && major_number <= 143) {
                unsigned pts = (major_number - 136) << 20 | minor_number;

                return asprintf(ret, "pts/%u", pts) < 0 ? -ENOMEM : 0;
        }
        snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/uevent", major_number, minor_number);
        if (read_file_at(AT_FDCWD, path, 4096, &text, NULL) < 0)
                return 0;
        name = strstr(text, "DEVNAME=");
        if (!name)
                return 0;
        name += strlen("DEVNAME=");
        *ret = procfs_printable(name, strcspn(name, "\n"), PROCFS_COMMAND_MAX);
        return *ret ? 0 : -ENOMEM;
}

/* A parent that is none: init, a user's systemd or another subreaper takes an orphan over. One that
 * is younger than its child did not start it; nor did one of another session, unless the child has
 * made a session of its own. */
static bool is_adopter(const ProcStat *parent, const char *command, const ProcStat *child) {
        return parent->start > child->start || strcmp(command, "systemd") == 0 ||
               (child->session != child->pid && parent->session != child->session);
}

/* Who started it. */
static int read_parent(const ProcStat *child, Process *process) {
        _cleanup_close_ int dirfd = -EBADF;
        _cleanup_free_ char *command = NULL;
        ProcStat stat;

        process->parent = child->parent;
        process->adopted = child->parent == 1;
        if (child->parent <= 1)
                return 0;
        dirfd = procfs_open(child->parent);
        if (dirfd < 0 || procfs_read_stat(dirfd, &stat) < 0 ||
            procfs_read_command(dirfd, &command) < 0)
                return 0;
        process->adopted = is_adopter(&stat, command, child);
        if (!process->adopted)
                process->parent_command = TAKE_PTR(command);
        return 0;
}

static bool is_in_cgroup(int dirfd, const char *cgroup) {
        _cleanup_(cgroup_place_done) CgroupPlace place = {};
        _cleanup_free_ char *text = NULL;

        return read_file_at(dirfd, "cgroup", 64 * 1024, &text, NULL) >= 0 &&
               cgroup_parse(text, &place) >= 0 && place.path && strcmp(place.path, cgroup) == 0;
}

/* Go up the line of descent as long as it stays in one control group, which is an application, a
 * login or a service: what is met last is the program that it all belongs to. */
static void read_program(const ProcStat *child, Process *process) {
        ProcStat stat = *child;

        if (!process->cgroup || strcmp(process->cgroup, "/") == 0)
                return; /* nothing tells one application from another */
        for (unsigned depth = 0; stat.parent > 1 && depth < DEPTH_MAX; depth++) {
                _cleanup_close_ int dirfd = procfs_open(stat.parent);
                _cleanup_free_ char *command = NULL;
                ProcStat parent;

                if (dirfd < 0 || procfs_read_stat(dirfd, &parent) < 0 ||
                    procfs_read_command(dirfd, &command) < 0 ||
                    is_adopter(&parent, command, &stat) || !is_in_cgroup(dirfd, process->cgroup))
                        return;
                stat = parent;
                if (depth == 0)
                        continue; /* the parent */
                free(process->program);
                process->program = TAKE_PTR(command);
        }
}

/* Which process it is, and whose. */
static int read_identity(int dirfd, const ProcStat *stat, Process *process) {
        int r;

        if (process->pidfd < 0 && proc_stat_is_dead(stat))
                return -ESRCH;
        process->start = proc_stat_start(stat);
        r = read_uid(dirfd, &process->uid);
        if (r >= 0)
                r = procfs_read_command(dirfd, &process->command);
        if (r < 0)
                return r;
        process->user = user_name(process->uid);
        return process->user ? 0 : -ENOMEM;
}

/* Where it came from, and what it belongs to. */
static int read_background(int dirfd, const ProcStat *stat, Process *process) {
        int r;

        r = read_exe(dirfd, &process->exe);
        if (r >= 0)
                r = read_cmdline(dirfd, &process->cmdline);
        if (r >= 0)
                r = read_place(dirfd, process);
        if (r >= 0)
                r = name_terminal(stat->terminal, &process->terminal);
        if (r >= 0)
                r = read_parent(stat, process);
        if (r < 0)
                return r;
        read_program(stat, process);
        return 0;
}

static int read_process(pid_t pid, bool background, Process **ret) {
        _cleanup_(process_freep) Process *process = NULL;
        _cleanup_close_ int dirfd = -EBADF;
        ProcStat stat;
        int r;

        process = calloc(1, sizeof(*process));
        if (!process)
                return -ENOMEM;
        process->n_refs = 1;
        process->pid = pid;
        process->pidfd = pidfd_open(pid, 0);
        if (process->pidfd < 0) {
                /* A thread, but no process, has this number: EINVAL, newer kernels ENOENT. */
                if (errno == ESRCH || errno == EINVAL || errno == ENOENT)
                        return -ESRCH;
                process->pidfd = -EBADF;
        }
        dirfd = procfs_open(pid);
        if (dirfd < 0)
                return dirfd;
        r = procfs_read_stat(dirfd, &stat);
        if (r >= 0)
                r = read_identity(dirfd, &stat, process);
        if (r >= 0 && background)
                r = read_background(dirfd, &stat, process);
        if (r < 0)
                return r == -ENOENT ? -ESRCH : r;
        if (!process_is_alive(process))
                return -ESRCH;
        *ret = TAKE_PTR(process);
        return 0;
}

int process_new(pid_t pid, Process **ret) {
        return read_process(pid, /* background= */ true, ret);
}

int process_identify(pid_t pid, Process **ret) {
        return read_process(pid, /* background= */ false, ret);
}

Process *process_ref(Process *process) {
        process->n_refs++;
        return process;
}

Process *process_free(Process *process) {
        if (!process || --process->n_refs > 0)
                return NULL;
        process->pidfd = safe_close(process->pidfd);
        free(process->user);
        free(process->command);
        free(process->exe);
        free(process->cmdline);
        free(process->unit);
        free(process->session);
        free(process->terminal);
        free(process->container);
        free(process->cgroup);
        free(process->parent_command);
        free(process->program);
        free(process);
        return NULL;
}

bool process_is_alive(const Process *process) {
        struct pollfd poll_fd = { .fd = process->pidfd, .events = POLLIN };
        _cleanup_close_ int dirfd = -EBADF;
        ProcStat stat;

        if (process->pidfd >= 0)
                return poll(&poll_fd, 1, 0) == 0;
        dirfd = procfs_open(process->pid);
        return dirfd >= 0 && procfs_read_stat(dirfd, &stat) >= 0 && !proc_stat_is_dead(&stat) &&
               proc_stat_start(&stat) == process->start;
}

/* Within an exec there is a moment with the new command and no arguments yet. */
static bool is_outdated(const Process *process, const char *command) {
        return strcmp(command, process->command) != 0 || !process->cmdline;
}

bool process_refresh(Process *process) {
        _cleanup_(process_freep) Process *fresh = NULL;
        _cleanup_close_ int dirfd = procfs_open(process->pid);
        _cleanup_free_ char *command = NULL;
        Process old;

        if (dirfd < 0 || procfs_read_command(dirfd, &command) < 0 ||
            !is_outdated(process, command) || process_new(process->pid, &fresh) < 0 ||
            !process_is_alive(process))
                return false;
        if (strcmp(fresh->command, process->command) == 0 && !fresh->cmdline)
                return false; /* it has none */
        /* The pidfd stays, somebody may be polling it. */
        old = *process;
        *process = *fresh;
        *fresh = old;
        fresh->pidfd = process->pidfd;
        process->pidfd = old.pidfd;
        fresh->n_refs = process->n_refs;
        process->n_refs = old.n_refs;
        return true;
}

int process_read_parent(pid_t pid, pid_t *ret_parent, Usec *ret_start) {
        _cleanup_close_ int dirfd = procfs_open(pid);
        ProcStat stat;
        int r;

        if (dirfd < 0)
                return dirfd;
        r = procfs_read_stat(dirfd, &stat);
        if (r < 0)
                return r;
        if (proc_stat_is_dead(&stat))
                return -ESRCH;
        *ret_parent = stat.parent;
        *ret_start = proc_stat_start(&stat);
        return 0;
}
