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
#define TREE_MAX     4096
#define LOOKS_MAX    8

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

typedef struct Tree {
        pid_t *pids;
        size_t n, allocated;
} Tree;

static bool tree_holds(const Tree *tree, pid_t pid) {
        for (size_t i = 0; i < tree->n; i++)
                if (tree->pids[i] == pid)
                        return true;
        return false;
}

static void tree_add(Tree *tree, pid_t pid) {
        if (tree_holds(tree, pid) || tree->n >= TREE_MAX)
                return;
        if (tree->n == tree->allocated) {
                size_t allocated = MAX(tree->allocated * 2, (size_t) 32);
                pid_t *pids = reallocarray(tree->pids, allocated, sizeof(pid_t));

                if (!pids)
                        return;
                tree->pids = pids;
                tree->allocated = allocated;
        }
        tree->pids[tree->n++] = pid;
}

static void add_children_of_thread(Tree *tree, pid_t parent, pid_t thread) {
        _cleanup_free_ char *list = read_children(parent, thread);
        char *rest = list;

        for (pid_t pid; list && (pid = next_pid(&rest)) > 0;)
                tree_add(tree, pid);
}

/* Any thread may have started them: those of programs in Go or Java do. */
static void add_children(Tree *tree, pid_t parent) {
        _cleanup_(closedirp) DIR *threads = NULL;
        struct dirent *entry;
        char path[64];

        (void) snprintf(path, sizeof(path), "/proc/%d/task", (int) parent);
        threads = opendir(path);
        while (threads && (entry = readdir(threads))) {
                pid_t thread = atoi(entry->d_name);

                if (thread > 0)
                        add_children_of_thread(tree, parent, thread);
        }
}

/* The whole tree is known before anybody in it is signalled: whoever dies takes his list of
 * children with him. Those that were started meanwhile are found by looking again. */
void children_signal(int signal) {
        Tree tree = {};

        for (unsigned looks = 0, signalled = 0; looks < LOOKS_MAX; looks++) {
                add_children(&tree, getpid());
                for (size_t i = 0; i < tree.n; i++)
                        add_children(&tree, tree.pids[i]);
                if (signalled == tree.n)
                        break;
                while (signalled < tree.n)
                        (void) kill(tree.pids[signalled++], signal);
        }
        free(tree.pids);
}
