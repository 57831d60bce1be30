/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "daemon/lease-fd.h"

#define PREFIX_OF_NAMES "lease-"
#define FIFO_MAX        (1 << 20) /* pipe(7), pipe-max-size of an ordinary user */

struct LeaseFd {
        int fd;
        sd_event_source *source;
        LeaseFdClosed closed;
        void *userdata;
        char path[]; /* empty once the FIFO is not ours any more */
};

static int on_hang_up(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        LeaseFd *lease_fd = userdata;

        (void) source, (void) fd, (void) events;
        lease_fd->closed(lease_fd, lease_fd->userdata);
        return 0;
}

/* Open both ends; the writer must be there before anybody polls, or the reader hangs up. */
static int open_ends(LeaseFd *lease_fd, int *ret_fd) {
        _cleanup_close_ int writer = -EBADF;

        if (mkfifo(lease_fd->path, 0600) < 0)
                return -errno;
        lease_fd->fd = open(lease_fd->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
        if (lease_fd->fd < 0)
                return -errno;
        writer = open(lease_fd->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
        if (writer < 0)
                return -errno;
        *ret_fd = TAKE_FD(writer);
        return 0;
}

static int allocate(const char *directory, uint64_t number, LeaseFdClosed closed, void *userdata,
                    LeaseFd **ret) {
        size_t size = strlen(directory) + sizeof("/" PREFIX_OF_NAMES) + 20;
        LeaseFd *lease_fd;

        if (size > PATH_MAX)
                return -ENAMETOOLONG;
        lease_fd = calloc(1, sizeof(*lease_fd) + size);
        if (!lease_fd)
                return -ENOMEM;
        lease_fd->fd = -EBADF;
        lease_fd->closed = closed;
        lease_fd->userdata = userdata;
        (void) snprintf(lease_fd->path, size, "%s/" PREFIX_OF_NAMES "%" PRIu64, directory, number);
        *ret = lease_fd;
        return 0;
}

static int watch(LeaseFd *lease_fd, sd_event *event) {
        int r;

        /* A hang-up is always reported. Input is not asked for: whatever somebody may write
         * must not wake us. */
        r = sd_event_add_io(event, &lease_fd->source, lease_fd->fd, /* events= */ 0, on_hang_up,
                            lease_fd);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(lease_fd->source, SD_EVENT_ONESHOT);
}

void lease_fd_set_closed(LeaseFd *lease_fd, LeaseFdClosed closed, void *userdata) {
        lease_fd->closed = closed;
        lease_fd->userdata = userdata;
}

int lease_fd_new(sd_event *event, const char *directory, uint64_t number, LeaseFdClosed closed,
                 void *userdata, LeaseFd **ret, int *ret_fd) {
        _cleanup_(lease_fd_freep) LeaseFd *lease_fd = NULL;
        _cleanup_close_ int writer = -EBADF;
        int r;

        r = allocate(directory, number, closed, userdata, &lease_fd);
        if (r >= 0)
                r = open_ends(lease_fd, &writer);
        if (r >= 0)
                r = watch(lease_fd, event);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(lease_fd);
        *ret_fd = TAKE_FD(writer);
        return 0;
}

/* Whether somebody has the other end: poll() does not tell after a re-open, reading does. What
 * he wrote, at most what a FIFO holds, is in the way of the answer. */
static int find_writer(int fd) {
        char buffer[4096];

        for (size_t n = 0; n < FIFO_MAX / sizeof(buffer); n++) {
                ssize_t got = read(fd, buffer, sizeof(buffer));

                if (got == 0)
                        return -EPIPE;
                if (got < 0 && errno != EINTR)
                        return errno == EAGAIN ? 0 : -errno;
        }
        return 0; /* he goes on writing, so he is there */
}

static int open_again(LeaseFd *lease_fd) {
        struct stat st;

        lease_fd->fd = open(lease_fd->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
        if (lease_fd->fd < 0)
                return -errno;
        if (fstat(lease_fd->fd, &st) < 0)
                return -errno;
        if (!S_ISFIFO(st.st_mode) || st.st_uid != geteuid())
                return -EBADF;
        return find_writer(lease_fd->fd);
}

int lease_fd_reopen(sd_event *event, const char *directory, uint64_t number, LeaseFdClosed closed,
                    void *userdata, LeaseFd **ret) {
        LeaseFd *lease_fd = NULL;
        int r;

        r = allocate(directory, number, closed, userdata, &lease_fd);
        if (r >= 0)
                r = open_again(lease_fd);
        if (r >= 0)
                r = watch(lease_fd, event);
        if (r < 0) {
                lease_fd_leave(lease_fd);
                return r;
        }
        *ret = lease_fd;
        return 0;
}

LeaseFd *lease_fd_leave(LeaseFd *lease_fd) {
        if (lease_fd)
                lease_fd->path[0] = 0;
        return lease_fd_free(lease_fd);
}

LeaseFd *lease_fd_free(LeaseFd *lease_fd) {
        if (!lease_fd)
                return NULL;
        sd_event_source_disable_unref(lease_fd->source);
        safe_close(lease_fd->fd);
        if (lease_fd->path[0])
                (void) unlink(lease_fd->path);
        free(lease_fd);
        return NULL;
}

static bool is_kept(const char *name, const uint64_t *keep, size_t n) {
        char kept[64];

        for (size_t i = 0; i < n; i++) {
                (void) snprintf(kept, sizeof(kept), PREFIX_OF_NAMES "%" PRIu64, keep[i]);
                if (strcmp(name, kept) == 0)
                        return true;
        }
        return false;
}

int lease_fd_prepare(const char *directory, const uint64_t *keep, size_t n) {
        struct dirent *entry;
        DIR *dir;

        if (mkdir(directory, 0755) < 0 && errno != EEXIST)
                return -errno;
        dir = opendir(directory);
        if (!dir)
                return -errno;
        while ((entry = readdir(dir)))
                if (strncmp(entry->d_name, PREFIX_OF_NAMES, strlen(PREFIX_OF_NAMES)) == 0 &&
                    !is_kept(entry->d_name, keep, n))
                        (void) unlinkat(dirfd(dir), entry->d_name, 0);
        (void) closedir(dir);
        return 0;
}
