/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"
#include "sim/world/mounts.h"

#define KEPT_MAX 256

/* An entry of a folder that is to be there again after the folder was covered. */
typedef struct Kept {
        char name[NAME_MAX + 1];
        char *target; /* of a symbolic link */
        bool folder;
        int tree; /* a detached copy of its mount */
} Kept;

typedef struct Keep {
        Kept entries[KEPT_MAX];
        size_t n;
} Keep;

static void keep_done(Keep *keep) {
        for (size_t i = 0; i < keep->n; i++) {
                safe_close(keep->entries[i].tree);
                free(keep->entries[i].target);
        }
}
#define _cleanup_keep_ _cleanup_(keep_done)

/* What cannot be carried over (somebody's FUSE mount in /run/user) is left out: the world would
 * not be more useful for failing. */
static void keep_entry(Keep *keep, const char *folder, const char *name) {
        char path[PATH_MAX], target[PATH_MAX];
        Kept *kept = &keep->entries[keep->n];
        struct stat st;
        ssize_t n;

        if (keep->n >= KEPT_MAX ||
            snprintf(path, sizeof(path), "%s/%s", folder, name) >= PATH_MAX || lstat(path, &st) < 0)
                return;
        *kept = (Kept){ .tree = -EBADF, .folder = S_ISDIR(st.st_mode) };
        snprintf(kept->name, sizeof(kept->name), "%s", name);
        if (S_ISLNK(st.st_mode)) {
                n = readlink(path, target, sizeof(target) - 1);
                if (n < 0)
                        return;
                kept->target = strndup(target, (size_t) n);
                if (kept->target)
                        keep->n++;
                return;
        }
        kept->tree = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
        if (kept->tree >= 0)
                keep->n++;
}

static int restore_entry(const Kept *kept, const char *folder) {
        char path[PATH_MAX];
        _cleanup_close_ int fd = -EBADF;

        if (snprintf(path, sizeof(path), "%s/%s", folder, kept->name) >= PATH_MAX)
                return -ENAMETOOLONG;
        if (kept->target)
                return symlink(kept->target, path) < 0 ? -errno : 0;
        if (kept->folder) {
                if (mkdir(path, 0755) < 0)
                        return -errno;
        } else {
                fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
                if (fd < 0)
                        return -errno;
        }
        return move_mount(kept->tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

/* Cover a folder with an empty one that has the kept entries. */
static int cover(const char *folder, const Keep *keep) {
        if (mount("stlinksim", folder, "tmpfs", MS_NOSUID, "mode=755") < 0)
                return -errno;
        for (size_t i = 0; i < keep->n; i++) {
                int r = restore_entry(&keep->entries[i], folder);

                if (r < 0)
                        return r;
        }
        return 0;
}

int mounts_dev(void) {
        static const char *const names[] = { "null",   "zero",    "full",   "random", "urandom",
                                             "tty",    "console", "ptmx",   "pts",    "shm",
                                             "mqueue", "fuse",    "kvm",    "net",    "log",
                                             "fd",     "stdin",   "stdout", "stderr" };
        _cleanup_keep_ Keep keep = {};
        int r;

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                keep_entry(&keep, "/dev", names[i]);
        r = cover("/dev", &keep);
        if (r < 0)
                return r;
        if (mkdir("/dev/bus", 0755) < 0 || mkdir("/dev/bus/usb", 0755) < 0)
                return -errno;
        return 0;
}

int mounts_run(void) {
        static const char *const ours[] = { "udev", "dbus", "stlinkd", "stlinksim" };
        _cleanup_keep_ Keep keep = {};
        DIR *run = opendir("/run");
        int r;

        if (!run)
                return -errno;
        for (struct dirent *entry = readdir(run); entry; entry = readdir(run)) {
                bool keep_it = entry->d_name[0] != '.';

                for (size_t i = 0; i < ELEMENTSOF(ours); i++)
                        keep_it = keep_it && strcmp(entry->d_name, ours[i]) != 0;
                if (keep_it)
                        keep_entry(&keep, "/run", entry->d_name);
        }
        (void) closedir(run);
        r = cover("/run", &keep);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(ours); i++) {
                char path[64];

                snprintf(path, sizeof(path), "/run/%s", ours[i]);
                if (mkdir(path, 0755) < 0)
                        return -errno;
        }
        return 0;
}

/* /sys itself stays sysfs: libusb looks at the file system's type, and opens every node to ask
 * it for its descriptors when it is another. */
int mounts_sys(void) {
        static const char *const folders[] = { "/sys/bus", "/sys/class", "/sys/dev" };
        _cleanup_keep_ Keep keep = {};
        const Keep nothing = {};

        for (size_t i = 0; i < ELEMENTSOF(folders); i++) {
                int r = cover(folders[i], &nothing);

                if (r < 0)
                        return r;
        }
        /* The C library counts processors there. */
        keep_entry(&keep, "/sys/devices", "system");
        return cover("/sys/devices", &keep);
}
