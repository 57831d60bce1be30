/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/macro.h"
#include "base/time.h"

/* A process, and who it is. A pid alone is never trusted: the pidfd is opened first and checked
 * again after everything was read, so that all members speak of one process. */
typedef struct Process {
        unsigned n_refs;
        pid_t pid;
        int pidfd;  /* -EBADF when it could not be opened */
        Usec start; /* when it started, on CLOCK_BOOTTIME (proc_pid_stat(5), field 22) */
        uid_t uid;
        char *user;      /* name of uid, or its number */
        char *command;   /* comm, printable */
        char *exe;       /* path; NULL when we may not read it */
        char *cmdline;   /* arguments joined by spaces, printable; NULL likewise. Private:
                          * shown to its own user and to root only */
        char *cgroup;    /* its path, printable; NULL if unknown */
        char *unit;      /* systemd system or user unit; NULL if none */
        char *session;   /* logind session id; NULL if none */
        char *terminal;  /* "pts/3"; NULL if none */
        char *container; /* "docker:0123…", "podman:…", "flatpak:…" …; NULL if none */
        pid_t parent;
        bool adopted;         /* the parent is one that takes orphans over, or starts services */
        char *parent_command; /* NULL when adopted, and when we may not see the parent */
        char *program;        /* what it all belongs to, such as an IDE: the farthest ancestor in
                               * the same control group; NULL if there is none but the parent */
} Process;

/* Read who pid is. -ESRCH when it is gone. */
int process_new(pid_t pid, Process **ret);

/* The same with no more than pid, pidfd, start, uid, user and command: a fraction of the work and
 * of the memory. */
int process_identify(pid_t pid, Process **ret);

/* One more who has it, and frees it too. */
Process *process_ref(Process *process);
Process *process_free(Process *process);
DEFINE_CLEANUP(Process *, process_free)

/* Whether that very process, not a successor of its pid, still lives. */
bool process_is_alive(const Process *process);

/* Read it again if it has another command by now, or arguments at last: after an exec it is still
 * the same process. Returns whether anything changed. */
bool process_refresh(Process *process);

/* The parent, and when pid started (as Process.start), which tells it from another process that
 * has its pid later. -ESRCH when it is gone. */
int process_read_parent(pid_t pid, pid_t *ret_parent, Usec *ret_start);
