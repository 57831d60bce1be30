/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* Read the first line of a small file, such as a sysfs attribute, without its newline and cut
 * to size - 1 bytes. dirfd may be AT_FDCWD. Returns the length or a negative errno. */
int read_line_at(int dirfd, const char *path, char *buffer, size_t size);

/* Read a small file whole and add a NUL. On success the caller owns *ret; *ret_size (optional)
 * is its length without the NUL. A file of more than max bytes gives -EFBIG. */
int read_file_at(int dirfd, const char *path, size_t max, char **ret, size_t *ret_size);
