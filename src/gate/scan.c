/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/macro.h"
#include "gate/scan.h"

int node_key_read(int dirfd, const char *path, NodeKey *ret) {
        struct statx st;

        if (statx(dirfd, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_INO, &st) <
            0)
                return -errno;
        if (S_ISCHR(st.stx_mode) || S_ISBLK(st.stx_mode))
                *ret = (NodeKey){ st.stx_mode & S_IFMT, st.stx_rdev_major, st.stx_rdev_minor };
        else
                *ret = (NodeKey){ st.stx_mode & S_IFMT,
                                  (uint64_t) st.stx_dev_major << 32 | st.stx_dev_minor,
                                  st.stx_ino };
        return 0;
}

static int compare_numbers(uint64_t a, uint64_t b) {
        return a < b ? -1 : a > b;
}

int node_key_compare(const NodeKey *a, const NodeKey *b) {
        int r = compare_numbers(a->type, b->type);

        if (r == 0)
                r = compare_numbers(a->high, b->high);
        return r ? r : compare_numbers(a->low, b->low);
}

static int compare_targets(const void *a, const void *b) {
        return node_key_compare(&((const ScanTarget *) a)->key, &((const ScanTarget *) b)->key);
}

void scan_targets_sort(ScanTarget *targets, size_t n) {
        if (n > 0)
                qsort(targets, n, sizeof(*targets), compare_targets);
}

void scan_hits_clear(ScanHits *hits) {
        free(hits->items);
        *hits = (ScanHits){};
}

static int add_hit(ScanHits *hits, size_t first, ScanHit hit) {
        /* One hit per process is enough, however many descriptors it has. */
        for (size_t i = first; i < hits->n; i++)
                if (hits->items[i].owner == hit.owner)
                        return 0;
        if (hits->n == hits->allocated) {
                size_t wanted = MAX(hits->allocated * 2, (size_t) 16);
                ScanHit *items = reallocarray(hits->items, wanted, sizeof(*items));

                if (!items)
                        return -ENOMEM;
                hits->items = items;
                hits->allocated = wanted;
        }
        hits->items[hits->n++] = hit;
        return 0;
}

/* An O_PATH descriptor names the node and opens nothing: it cannot be used. */
static bool is_path_only(int fd_folder, int fd) {
        char path[64], *text = NULL;
        const char *line;
        unsigned flags = 0;

        snprintf(path, sizeof(path), "../fdinfo/%d", fd);
        if (read_file_at(fd_folder, path, 4096, &text, NULL) < 0)
                return false;
        line = strstr(text, "flags:");
        if (line && sscanf(line, "flags: %o", &flags) != 1)
                flags = 0;
        free(text);
        return flags & O_PATH;
}

int scan_process(pid_t pid, const ScanTarget *targets, size_t n, ScanHits *hits) {
        _cleanup_(closedirp) DIR *dir = NULL;
        size_t first = hits->n;
        struct dirent *entry;
        char path[32];

        snprintf(path, sizeof(path), "/proc/%d/fd", pid);
        dir = opendir(path);
        if (!dir) /* it may end at any moment */
                return errno == ENOENT ? -ESRCH : -errno;
        while ((entry = readdir(dir))) {
                ScanTarget wanted, *found;
                int r;

                if (entry->d_name[0] == '.' ||
                    node_key_read(dirfd(dir), entry->d_name, &wanted.key) < 0)
                        continue;
                found = bsearch(&wanted, targets, n, sizeof(*targets), compare_targets);
                if (!found || is_path_only(dirfd(dir), atoi(entry->d_name)))
                        continue;
                r = add_hit(hits, first, (ScanHit){ found->owner, pid, atoi(entry->d_name) });
                if (r < 0)
                        return r;
        }
        return 0;
}

int scan_processes(const ScanTarget *targets, size_t n, ScanHits *hits) {
        _cleanup_(closedirp) DIR *proc = NULL;
        struct dirent *entry;

        proc = opendir("/proc");
        if (!proc)
                return -errno;
        while ((entry = readdir(proc))) {
                pid_t pid = atoi(entry->d_name);
                int r;

                if (pid <= 0)
                        continue;
                r = scan_process(pid, targets, n, hits);
                if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
                        return r;
        }
        return 0;
}

bool scan_descriptor_is(pid_t pid, int fd, const NodeKey *key) {
        char path[64];
        NodeKey now;

        snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
        return node_key_read(AT_FDCWD, path, &now) == 0 && node_key_compare(&now, key) == 0;
}
