/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "gate/gate-private.h"

/* inotify says that a node was opened or closed, not by whom. It needs the right to read the
 * node; without it the folder is watched, which tells the same by the node's name. */

#define MASK (IN_OPEN | IN_CLOSE)
/* How often the queue is read in one look: somebody may fill it faster than we read. */
#define READS_MAX 64

static int on_inotify(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        (void) fd;
        (void) revents;
        /* What else happens until the look waits in the queue: one wake-up for all of it. */
        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        gate_look_soon(userdata, /* full= */ false);
        return 0;
}

static int poll_start(Gate *gate) {
        int fd, r;

        fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = sd_event_add_io(gate->event, &gate->inotify_source, fd, EPOLLIN, on_inotify, gate);
        if (r < 0) {
                close(fd);
                return r;
        }
        return sd_event_source_set_io_fd_own(gate->inotify_source, true);
}

static void poll_stop(Gate *gate) {
        gate->inotify_source = sd_event_source_disable_unref(gate->inotify_source);
}

static const char *base_name(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static int poll_watch(GateNode *node) {
        int fd = sd_event_source_get_io_fd(node->gate->inotify_source);
        const char *name = base_name(node->path);
        _cleanup_free_ char *folder = NULL;

        node->inotify = inotify_add_watch(fd, node->path, MASK);
        if (node->inotify >= 0)
                return 0;
        if (errno != EACCES || name == node->path)
                return -errno;
        folder = strndup(node->path, (size_t) (name - node->path));
        if (!folder)
                return -ENOMEM;
        node->inotify = inotify_add_watch(fd, folder, MASK | IN_ONLYDIR);
        return node->inotify < 0 ? -errno : 0;
}

static void poll_unwatch(GateNode *node) {
        int watch = node->inotify;

        node->inotify = -1;
        if (watch < 0)
                return;
        LIST_FOREACH(&node->gate->nodes, GateNode, other, link)
                if (other->inotify == watch)
                        return;
        (void) inotify_rm_watch(sd_event_source_get_io_fd(node->gate->inotify_source), watch);
}

static bool node_is_meant(const GateNode *node, const struct inotify_event *event) {
        return node->inotify == event->wd &&
               (event->len == 0 || strcmp(event->name, base_name(node->path)) == 0);
}

/* Returns whether the event concerns a node. */
static bool take_event(Gate *gate, const struct inotify_event *event) {
        bool meant = false;

        if (event->mask & IN_Q_OVERFLOW)
                return true;
        LIST_FOREACH(&gate->nodes, GateNode, node, link) {
                if (!node_is_meant(node, event))
                        continue;
                meant = true;
                if (event->mask & IN_IGNORED) {
                        /* The file is gone. If another one has its name by now, watch that. */
                        node->inotify = -1;
                        (void) poll_watch(node);
                        continue;
                }
                node->opened = event->mask & IN_OPEN;
                if (event->mask & IN_CLOSE)
                        node->suspect_until = 0;
        }
        return meant;
}

/* Take one buffer of events. Returns how much was read, 0 or less when there is none. */
static ssize_t take_events(Gate *gate, bool *meant) {
        _Alignas(struct inotify_event) char buffer[16 * 1024];
        ssize_t n = read(sd_event_source_get_io_fd(gate->inotify_source), buffer, sizeof(buffer));

        for (ssize_t i = 0; i < n;) {
                const struct inotify_event *event = (void *) (buffer + i);

                *meant = take_event(gate, event) || *meant;
                i += (ssize_t) (sizeof(*event) + event->len);
        }
        return n;
}

static bool poll_drain(Gate *gate) {
        bool meant = false;

        for (int i = 0; i < READS_MAX && take_events(gate, &meant) > 0; i++)
                ;
        (void) sd_event_source_set_enabled(gate->inotify_source, SD_EVENT_ON);
        return meant;
}

const GateBackend gate_backend_poll = {
        .kind = GATE_POLL,
        .start = poll_start,
        .stop = poll_stop,
        .watch = poll_watch,
        .unwatch = poll_unwatch,
        .drain = poll_drain,
};
