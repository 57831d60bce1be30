/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/macro.h"
#include "ctl/children.h"

#define CHILDREN_MAX 65536 /* bytes of the kernel's list */
#define DEPTH_MAX    64

/* The kernel's list of a thread's children, "33 34 "; NULL without one. A process's main thread
 * has its number. */
static char *read_children(pid_t pid, pid_t thread) {
        char path[64], *list;

        (void) snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int) pid, (int) thread);
        return read_file_at(AT_FDCWD, path, CHILDREN_MAX, &list, NULL) < 0 ? NULL : list;
}

/* Take the next pid off a list; 0 at its end. */
static pid_t next_pid(char **list) {
        char *end;
        long pid = strtol(*list, &end, 10);

        if (end == *list)
                return 0;
        *list = end;
        return (pid_t) pid;
}

/* Whether it has ended and only waits to be reaped. */
static bool is_zombie(pid_t pid) {
        char path[64], line[512];
        const char *end;

        (void) snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
        if (read_line_at(AT_FDCWD, path, line, sizeof(line)) < 0)
                return true;
        end = strrchr(line, ')'); /* the name may hold anything */
        return end && strncmp(end, ") Z", 3) == 0;
}

void children_describe(char *buffer, size_t size) {
        _cleanup_free_ char *list = read_children(getpid(), getpid()); /* we have one thread */
        char *rest = list;
        size_t n = 0;

        buffer[0] = '\0';
        for (pid_t pid; list && n < size && (pid = next_pid(&rest)) > 0;) {
                char path[64], command[64];

                (void) snprintf(path, sizeof(path), "/proc/%d/comm", (int) pid);
                if (is_zombie(pid) || read_line_at(AT_FDCWD, path, command, sizeof(command)) < 0)
                        continue;
                n += (size_t) snprintf(buffer + n, size - n, "%s%s (PID %d)", n > 0 ? ", " : "",
                                       command, (int) pid);
        }
}

static void signal_below(pid_t parent, int signal, unsigned depth);

static void signal_children(pid_t parent, pid_t thread, int signal, unsigned depth) {
        _cleanup_free_ char *list = read_children(parent, thread);
        char *rest = list;

        for (pid_t pid; list && (pid = next_pid(&rest)) > 0;) {
                (void) kill(pid, signal);
                signal_below(pid, signal, depth + 1);
        }
}

/* Any thread may have started them: those of programs in Go or Java do. */
static void signal_below(pid_t parent, int signal, unsigned depth) {
        _cleanup_(closedirp) DIR *threads = NULL;
        struct dirent *entry;
        char path[64];

        if (depth >= DEPTH_MAX)
                return;
        (void) snprintf(path, sizeof(path), "/proc/%d/task", (int) parent);
        threads = opendir(path);
        while (threads && (entry = readdir(threads))) {
                pid_t thread = atoi(entry->d_name);

                if (thread > 0)
                        signal_children(parent, thread, signal, depth);
        }
}

void children_signal(int signal) {
        signal_below(getpid(), signal, 0);
}
