/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "base/macro.h"

/* Writing sysfs-like trees. The writers do nothing when *r is negative already and put a
 * negative errno there on failure, so that one look at the end of a row of them is enough. */

/* Write a file, making the folders above it. */
void tree_write(int *r, const char *path, const void *data, size_t size);

/* The same for the file of that name in a folder, with text. */
void tree_print(int *r, const char *folder, const char *name, const char *format, ...)
        _printf_(4, 5);

/* Make link, a relative one as in sysfs, to target; both are absolute paths. An existing link
 * is replaced. */
void tree_link(int *r, const char *target, const char *link);

/* Remove a file or a whole folder; one that is not there is fine. */
void tree_remove(const char *path);
