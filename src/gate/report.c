/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>

#include "gate/gate-private.h"

/* What follows from the kernel's word that a process opened or closed a node. */

static bool pidfd_is_alive(int pidfd) {
        struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };

        return pidfd >= 0 && poll(&poll_fd, 1, 0) == 0;
}

/* Returns 1 when the process has the node, 0 when not, or a negative errno. */
static int find_descriptor(const GateNode *node, pid_t pid, int *ret_fd) {
        ScanTarget target = { .key = node->key };
        ScanHits hits = {};
        int r;

        r = scan_process(pid, &target, 1, &hits);
        if (r >= 0 && hits.n > 0) {
                *ret_fd = hits.items[0].fd;
                r = 1;
        }
        scan_hits_clear(&hits);
        return r;
}

void node_report_ours(GateNode *node) {
        int fd;

        node->ours = false;
        for (size_t i = 0; i < node->gate->n_ignored && !node->ours; i++)
                node->ours = find_descriptor(node, node->gate->ignored[i], &fd) > 0;
}

/* We may not look at its descriptors, but the kernel has told us its pid. */
static int add_unseen(GateNode *node, pid_t pid, int pidfd) {
        if (pidfd_is_alive(pidfd) && node_add_holder(node, pid, -1, GATE_SEEN_OPENING) > 0 &&
            !pidfd_is_alive(pidfd)) /* then it may be another one of that pid */
                node_remove_holder(node, node->n_holders - 1);
        return 1;
}

int node_report_open(GateNode *node, pid_t pid, int pidfd) {
        int r, fd;

        r = find_descriptor(node, pid, &fd);
        if (r == -ESRCH) /* gone, but a child of it may have the descriptor */
                return r;
        if (r == -EACCES || r == -EPERM)
                return add_unseen(node, pid, pidfd);
        if (r > 0) {
                r = node_add_holder(node, pid, fd, GATE_SEEN_OPENING);
                r = r < 0 ? r : 1;
        }
        return r == -ENOMEM || r == -EMFILE || r == -ENFILE ? r : r > 0;
}

void node_report_close(GateNode *node, pid_t pid) {
        ssize_t known = node_find_holder(node, pid);
        int fd;

        if (known < 0)
                return;
        if (find_descriptor(node, pid, &fd) > 0)
                node->watches[known].fd = fd;
        else
                node_remove_holder(node, (size_t) known);
}
