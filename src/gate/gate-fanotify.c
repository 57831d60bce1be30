/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "gate/gate-private.h"

/* fanotify says who opened or closed a node, so that one process has to be looked at rather
 * than all of them. Events carry a file handle instead of a descriptor: only so they come for
 * device nodes, and only notifications do (permission events never fire for those).
 *
 * A node on a file system without file handles is left to inotify. */

#define MASK (FAN_OPEN | FAN_CLOSE)
/* How often the queue is read in one look: somebody may fill it faster than we read. */
#define READS_MAX 64

struct GateHandle {
        __kernel_fsid_t fsid;
        struct file_handle file; /* with its bytes behind it */
};

/* One event, taken apart */
typedef struct Event {
        uint64_t mask;
        pid_t pid; /* 0: in a namespace that we cannot see */
        int pidfd; /* negative when the process is gone */
        const struct fanotify_event_info_fid *fid;
} Event;

static int on_fanotify(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        (void) fd;
        (void) revents;
        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        gate_look_soon(userdata, /* full= */ false);
        return 0;
}

static int fanotify_start(Gate *gate) {
        int fd, r;

        fd = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID | FAN_REPORT_PIDFD | FAN_NONBLOCK |
                                   FAN_CLOEXEC,
                           O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = sd_event_add_io(gate->event, &gate->fanotify_source, fd, EPOLLIN, on_fanotify, gate);
        if (r < 0) {
                close(fd);
                return r;
        }
        r = sd_event_source_set_io_fd_own(gate->fanotify_source, true);
        if (r < 0)
                return r;
        return gate_backend_poll.start(gate);
}

static void fanotify_stop(Gate *gate) {
        gate->fanotify_source = sd_event_source_disable_unref(gate->fanotify_source);
        gate_backend_poll.stop(gate);
}

static int read_handle(const char *path, GateHandle **ret) {
        _cleanup_free_ GateHandle *handle = NULL;
        struct statfs st;
        int mount;

        handle = calloc(1, sizeof(*handle) + MAX_HANDLE_SZ);
        if (!handle)
                return -ENOMEM;
        handle->file.handle_bytes = MAX_HANDLE_SZ;
        if (name_to_handle_at(AT_FDCWD, path, &handle->file, &mount, AT_SYMLINK_FOLLOW) < 0 ||
            statfs(path, &st) < 0)
                return -errno;
        memcpy(&handle->fsid, &st.f_fsid, sizeof(handle->fsid));
        *ret = TAKE_PTR(handle);
        return 0;
}

static int fanotify_watch(GateNode *node) {
        int fd = sd_event_source_get_io_fd(node->gate->fanotify_source);
        int r;

        r = read_handle(node->path, &node->handle);
        if (r == -ENOMEM)
                return r;
        if (r >= 0 && fanotify_mark(fd, FAN_MARK_ADD, MASK, AT_FDCWD, node->path) >= 0)
                return 0;
        free(node->handle);
        node->handle = NULL;
        return gate_backend_poll.watch(node);
}

static bool handles_equal(const GateHandle *handle, const __kernel_fsid_t *fsid,
                          const struct file_handle *file) {
        return memcmp(&handle->fsid, fsid, sizeof(*fsid)) == 0 &&
               handle->file.handle_type == file->handle_type &&
               handle->file.handle_bytes == file->handle_bytes &&
               memcmp(handle->file.f_handle, file->f_handle, file->handle_bytes) == 0;
}

static void fanotify_unwatch(GateNode *node) {
        GateHandle *handle = TAKE_PTR(node->handle);
        bool shared = false;

        gate_backend_poll.unwatch(node);
        if (!handle)
                return;
        LIST_FOREACH(&node->gate->nodes, GateNode, other, link)
                if (other->handle && handles_equal(other->handle, &handle->fsid, &handle->file))
                        shared = true;
        if (!shared)
                (void) fanotify_mark(sd_event_source_get_io_fd(node->gate->fanotify_source),
                                     FAN_MARK_REMOVE, MASK, AT_FDCWD, node->path);
        free(handle);
}

/* The records behind an event are multiples of 4 bytes, and need no more than that. */
static Event parse_event(const struct fanotify_event_metadata *metadata, const char *start) {
        Event event = { .mask = metadata->mask, .pid = metadata->pid, .pidfd = -EBADF };
        const char *end = start + metadata->event_len, *at = start + metadata->metadata_len;

        while (end - at >= (ssize_t) sizeof(struct fanotify_event_info_header)) {
                const struct fanotify_event_info_header *header = (const void *) at;

                if (header->len < sizeof(*header) || header->len > end - at)
                        break;
                if (header->info_type == FAN_EVENT_INFO_TYPE_FID)
                        event.fid = (const void *) at;
                else if (header->info_type == FAN_EVENT_INFO_TYPE_PIDFD)
                        event.pidfd = ((const struct fanotify_event_info_pidfd *) at)->pidfd;
                at += header->len;
        }
        return event;
}

static bool node_take_event(GateNode *node, const Event *event) {
        /* Events of one process are merged: with both bits the order is unknown. */
        node->opened = (event->mask & FAN_OPEN) && !(event->mask & FAN_CLOSE);
        if (event->mask & FAN_CLOSE)
                node->suspect_until = 0;
        if (event->pid == 0)
                return true;
        if (gate_ignores(node->gate, event->pid)) {
                node_report_ours(node);
                return false;
        }
        if (event->mask & FAN_CLOSE)
                node_report_close(node, event->pid);
        return (event->mask & FAN_OPEN) && node_report_open(node, event->pid, event->pidfd) < 0;
}

static bool take_event(Gate *gate, const Event *event) {
        const struct file_handle *file;
        bool full = false;

        if (event->mask & FAN_Q_OVERFLOW)
                return true;
        if (!event->fid)
                return false;
        file = (const void *) event->fid->handle;
        LIST_FOREACH(&gate->nodes, GateNode, node, link)
                if (node->handle && handles_equal(node->handle, &event->fid->fsid, file))
                        full = node_take_event(node, event) || full;
        return full;
}

/* Take one buffer of events, which stand there without alignment. Returns how much was read, 0
 * or less when there is none. */
static ssize_t take_events(Gate *gate, bool *full) {
        _Alignas(8) char buffer[8 * 1024];
        ssize_t n = read(sd_event_source_get_io_fd(gate->fanotify_source), buffer, sizeof(buffer));
        struct fanotify_event_metadata metadata;

        for (ssize_t i = 0; n - i >= (ssize_t) sizeof(metadata); i += metadata.event_len) {
                Event event;

                memcpy(&metadata, buffer + i, sizeof(metadata));
                if (metadata.event_len < sizeof(metadata) || metadata.event_len > n - i)
                        break;
                event = parse_event(&metadata, buffer + i);
                *full = take_event(gate, &event) || *full;
                safe_close(event.pidfd);
                safe_close(metadata.fd);
        }
        return n;
}

static bool fanotify_drain(Gate *gate) {
        bool full = gate_backend_poll.drain(gate);

        for (int i = 0; i < READS_MAX && take_events(gate, &full) > 0; i++)
                ;
        (void) sd_event_source_set_enabled(gate->fanotify_source, SD_EVENT_ON);
        return full;
}

const GateBackend gate_backend_fanotify = {
        .kind = GATE_FANOTIFY,
        .start = fanotify_start,
        .stop = fanotify_stop,
        .watch = fanotify_watch,
        .unwatch = fanotify_unwatch,
        .drain = fanotify_drain,
};
