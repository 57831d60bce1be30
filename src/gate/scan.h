/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Finding who has which node open, in one pass over /proc for all nodes. */

/* What tells one node from another, whatever it is called: the device number, or file system
 * and inode where the node is a file (on FUSE). */
typedef struct NodeKey {
        uint32_t type; /* S_IFCHR … */
        uint64_t high, low;
} NodeKey;

/* The key of what path leads to, relative to dirfd. Asks no server of a remote file system. */
int node_key_read(int dirfd, const char *path, NodeKey *ret);
int node_key_compare(const NodeKey *a, const NodeKey *b);

typedef struct ScanTarget {
        NodeKey key;
        void *owner;
} ScanTarget;

typedef struct ScanHit {
        void *owner;
        pid_t pid;
        int fd; /* one of the process's descriptors of the node */
} ScanHit;

typedef struct ScanHits {
        ScanHit *items;
        size_t n, allocated;
} ScanHits;

void scan_hits_clear(ScanHits *hits);

/* Sort targets, as scan_processes() and scan_process() need them. */
void scan_targets_sort(ScanTarget *targets, size_t n);

/* Add a hit for each process and target, in the order of pids. Processes whose descriptors we
 * may not read are passed over. Returns 0 or a negative errno. */
int scan_processes(const ScanTarget *targets, size_t n, ScanHits *hits);

/* The same for one process. -ESRCH when it is gone, -EACCES when we may not read. */
int scan_process(pid_t pid, const ScanTarget *targets, size_t n, ScanHits *hits);

/* Whether that descriptor of the process still is of this node. */
bool scan_descriptor_is(pid_t pid, int fd, const NodeKey *key);
