/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/string-table.h"
#include "base/time.h"

/* Reading a process's folder in /proc. An open folder is that of one process for ever: when the
 * process is gone, reading from it fails, whoever has its pid by then. */

typedef struct ProcStat {
        char state;
        pid_t pid, parent, session;
        unsigned terminal;        /* device number, 0 for none */
        unsigned long long start; /* clock ticks after boot */
} ProcStat;

/* The folder of a process. -ESRCH when there is none, -EACCES and the like when it is not shown
 * to us. */
int procfs_open(pid_t pid);

int procfs_read_stat(int dirfd, ProcStat *ret);
bool proc_stat_is_dead(const ProcStat *stat);
Usec proc_stat_start(const ProcStat *stat); /* on CLOCK_BOOTTIME */

/* comm, printable; allocated. */
int procfs_read_command(int dirfd, char **ret);

/* A copy of at most max - 1 bytes that can be shown; NULL without memory. */
char *procfs_printable(const char *text, size_t length, size_t max);
#define PROCFS_COMMAND_MAX 80

/* How much of other users' processes is to be seen from here. */
typedef enum ProcfsSight {
        PROCFS_SIGHT_ALL,    /* all of it */
        PROCFS_SIGHT_OWN,    /* not what they have open: we have no right to look */
        PROCFS_SIGHT_HIDDEN, /* not even that they are there: hidepid (proc(5)) */
        _PROCFS_SIGHT_MAX,
} ProcfsSight;

/* "all", "own", "hidden" */
DECLARE_STRING_TABLE(procfs_sight, ProcfsSight);

ProcfsSight procfs_find_sight(void);
