/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "gate/procfs.h"

static const char *const procfs_sight_table[_PROCFS_SIGHT_MAX] = {
        [PROCFS_SIGHT_ALL] = "all",
        [PROCFS_SIGHT_OWN] = "own",
        [PROCFS_SIGHT_HIDDEN] = "hidden",
};
DEFINE_STRING_TABLE(procfs_sight, ProcfsSight)

int procfs_open(pid_t pid) {
        char path[32];
        int fd;

        (void) snprintf(path, sizeof(path), "/proc/%d", (int) pid);
        fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? -ESRCH : -errno;
        return fd;
}

/* proc_pid_stat(5). The command in parentheses may hold anything, a newline, spaces and
 * parentheses too; nothing after it can hold a ')'. */
int procfs_read_stat(int dirfd, ProcStat *ret) {
        _cleanup_free_ char *text = NULL;
        const char *rest;
        ProcStat stat;
        int r;

        r = read_file_at(dirfd, "stat", 4096, &text, NULL);
        if (r < 0)
                return r;
        rest = strrchr(text, ')');
        if (!rest ||
            sscanf(rest + 1,
                   " %c %d %*d %d %u %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d"
                   " %*d %*d %llu",
                   &stat.state, &stat.parent, &stat.session, &stat.terminal, &stat.start) != 5 ||
            sscanf(text, "%d", &stat.pid) != 1)
                return -EBADMSG;
        *ret = stat;
        return 0;
}

bool proc_stat_is_dead(const ProcStat *stat) {
        return stat->state == 'Z' || stat->state == 'X';
}

Usec proc_stat_start(const ProcStat *stat) {
        return stat->start * USEC_PER_SEC / (unsigned long long) sysconf(_SC_CLK_TCK);
}

char *procfs_printable(const char *text, size_t length, size_t max) {
        _cleanup_free_ char *buffer = malloc(max);

        if (!buffer)
                return NULL;
        (void) text_escape(text, length, buffer, max);
        return strdup(buffer);
}

int procfs_read_command(int dirfd, char **ret) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = read_file_at(dirfd, "comm", 256, &text, &size);
        if (r < 0)
                return r;
        if (size > 0 && text[size - 1] == '\n')
                size--;
        *ret = procfs_printable(text, size, PROCFS_COMMAND_MAX);
        return *ret ? 0 : -ENOMEM;
}

/* The first process of all is root's, and so shows how far we see; to root himself nothing is
 * hidden. */
ProcfsSight procfs_find_sight(void) {
        _cleanup_close_ int dirfd = procfs_open(1), fds = -EBADF;
        ProcStat stat;

        if (dirfd < 0 || procfs_read_stat(dirfd, &stat) < 0)
                return PROCFS_SIGHT_HIDDEN;
        fds = openat(dirfd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fds < 0 ? PROCFS_SIGHT_OWN : PROCFS_SIGHT_ALL;
}
