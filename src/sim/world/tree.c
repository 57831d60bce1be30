/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "sim/world/tree.h"

static int make_folders_above(const char *path) {
        char folder[PATH_MAX];

        if (snprintf(folder, sizeof(folder), "%s", path) >= (int) sizeof(folder))
                return -ENAMETOOLONG;
        for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (mkdir(folder, 0755) < 0 && errno != EEXIST)
                        return -errno;
                *slash = '/';
        }
        return 0;
}

void tree_write(int *r, const char *path, const void *data, size_t size) {
        _cleanup_close_ int fd = -EBADF;

        if (*r < 0)
                return;
        *r = make_folders_above(path);
        if (*r < 0)
                return;
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        *r = fd < 0 ? -errno : write_full(fd, data, size);
}

void tree_print(int *r, const char *folder, const char *name, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        char path[PATH_MAX];
        va_list ap;
        int n;

        if (*r < 0)
                return;
        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                *r = -ENOMEM;
        } else if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int) sizeof(path))
                *r = -ENAMETOOLONG;
        else
                tree_write(r, path, text, (size_t) n);
}

void tree_link(int *r, const char *target, const char *link) {
        char text[PATH_MAX] = "";
        size_t common = 0;

        if (*r < 0)
                return;
        *r = make_folders_above(link);
        if (*r < 0)
                return;
        for (size_t i = 0; target[i] && target[i] == link[i]; i++)
                if (target[i] == '/')
                        common = i + 1;
        for (const char *p = link + common; (p = strchr(p, '/')); p++)
                strncat(text, "../", sizeof(text) - strlen(text) - 1);
        strncat(text, target + common, sizeof(text) - strlen(text) - 1);
        if ((unlink(link) < 0 && errno != ENOENT) || symlink(text, link) < 0)
                *r = -errno;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where) {
        (void) st;
        (void) type;
        (void) where;
        (void) remove(path);
        return 0;
}

void tree_remove(const char *path) {
        (void) nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
