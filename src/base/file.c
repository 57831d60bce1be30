/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/file.h"

int read_line_at(int dirfd, const char *path, char *buffer, size_t size) {
        _cleanup_close_ int fd = -EBADF;
        ssize_t n;

        fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -errno;
        n = read_full(fd, buffer, size - 1);
        if (n < 0)
                return (int) n;
        buffer[n] = 0;
        n = (ssize_t) strcspn(buffer, "\n");
        buffer[n] = 0;
        return (int) n;
}

int read_file_at(int dirfd, const char *path, size_t max, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *buffer = NULL;
        ssize_t n;

        fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -errno;
        buffer = malloc(max + 2);
        if (!buffer)
                return -ENOMEM;
        n = read_full(fd, buffer, max + 1);
        if (n < 0)
                return (int) n;
        if ((size_t) n > max)
                return -EFBIG;
        buffer[n] = 0;
        *ret = TAKE_PTR(buffer);
        if (ret_size)
                *ret_size = (size_t) n;
        return 0;
}
