/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/macro.h"

/* Close fd unless it is negative, keeping errno. Returns -EBADF: fd = safe_close(fd). */
int safe_close(int fd);

_unused_ static inline void closep(int *fd) {
        safe_close(*fd);
}
#define _cleanup_close_ _cleanup_(closep)

DEFINE_CLEANUP(DIR *, closedir)

#define TAKE_FD(fd)                   \
        ({                            \
                int _taken_fd = (fd); \
                (fd) = -EBADF;        \
                _taken_fd;            \
        })

/* Read up to size bytes until end of file; returns the count or a negative errno. */
ssize_t read_full(int fd, void *buffer, size_t size);

/* Write all of buffer; returns 0 or a negative errno. */
int write_full(int fd, const void *buffer, size_t size);

/* Pass one message with an optional descriptor (-EBADF: none) over a UNIX socket.
 * Returns 0 or a negative errno; the caller keeps its fd. */
int send_with_fd(int socket, const void *data, size_t size, int fd);

/* Receive one message into data. *ret_fd becomes the descriptor that came with it, or -EBADF.
 * Returns the length (0: the peer hung up) or a negative errno; -EMSGSIZE when it did not fit. */
ssize_t receive_with_fd(int socket, void *data, size_t size, int *ret_fd);
