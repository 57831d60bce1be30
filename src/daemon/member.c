/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "daemon/member.h"

/* A line of descent longer than this is no honest one. */
#define DEPTH_MAX 256

/* The parent's pid, from proc_pid_stat(5), field 4; 0 when it cannot be told. The name in
 * field 2 may hold anything, so count from its closing parenthesis. */
static pid_t read_parent(pid_t pid) {
        char path[64], line[512];
        const char *rest;
        int parent;

        (void) snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
        if (read_line_at(AT_FDCWD, path, line, sizeof(line)) < 0)
                return 0;
        rest = strrchr(line, ')');
        if (!rest || sscanf(rest, ") %*c %d", &parent) != 1)
                return 0;
        return parent;
}

bool process_descends_from(const Process *process, const Process *ancestor) {
        pid_t pid = process->pid;

        for (unsigned depth = 0; pid > 1 && depth < DEPTH_MAX; depth++) {
                if (pid == ancestor->pid)
                        return process_is_alive(ancestor);
                pid = read_parent(pid);
        }
        return false;
}
