/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>

#include "base/fd.h"
#include "usbfs/usbfs-fuse.h"

int usbfs_mount(const char *where, int *ret_fd) {
        _cleanup_close_ int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
        char options[128];

        if (fd < 0)
                return -errno;
        snprintf(options, sizeof(options),
                 "fd=%d,rootmode=40000,user_id=%u,group_id=%u,allow_other,default_permissions", fd,
                 geteuid(), getegid());
        if (mount("usbfs", where, "fuse.usbfs", MS_NOSUID | MS_NOEXEC, options) < 0)
                return -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* The wake-up of a handle: whoever polls, and whoever waits in REAPURB. */
static void on_wake(UsbfsFile *file, void *userdata) {
        UsbfsHandle *handle = userdata;

        (void) file;
        usbfs_handle_reap(handle);
        if (handle->poll) {
                fuse_lowlevel_notify_poll(handle->poll);
                fuse_pollhandle_destroy(handle->poll);
                handle->poll = NULL;
        }
}

static void handle_free(UsbfsHandle *handle) {
        usbfs_file_close(handle->file);
        if (handle->poll)
                fuse_pollhandle_destroy(handle->poll);
        usbfs_entry_unref(handle->entry);
        list_remove(&handle->link);
        free(handle);
}

static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
        UsbfsEntry *entry = usbfs_tree_find(fuse_req_userdata(req), ino);
        _cleanup_free_ UsbfsHandle *handle = calloc(1, sizeof(UsbfsHandle));
        int r;

        if (!handle || !entry) {
                fuse_reply_err(req, handle ? ENODEV : ENOMEM);
                return;
        }
        r = usbfs_file_open(entry->node, (fi->flags & O_ACCMODE) != O_RDONLY, &handle->file);
        if (r < 0) {
                fuse_reply_err(req, -r);
                return;
        }
        handle->entry = entry;
        entry->n_references++;
        list_init(&handle->reapers);
        handle->file->wake = on_wake;
        handle->file->userdata = handle;
        list_append(&entry->fs->handles, &handle->link);

        fi->fh = (uintptr_t) TAKE_PTR(handle);
        fi->direct_io = 1;
        fi->noflush = 1;
        /* Whoever was killed while he waited for this answer will never close the file. */
        if (fuse_reply_open(req, fi) == -ENOENT)
                handle_free(usbfs_handle_from(fi));
}

static void on_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
        (void) ino;
        handle_free(usbfs_handle_from(fi));
        fuse_reply_err(req, 0);
}

static void on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                    struct fuse_file_info *fi) {
        const UsbfsNode *node = usbfs_handle_from(fi)->file->node;

        (void) ino;
        if (node->gone) {
                fuse_reply_err(req, ENODEV);
                return;
        }
        if (offset < 0 || (size_t) offset >= node->descriptors_size)
                fuse_reply_buf(req, NULL, 0);
        else
                fuse_reply_buf(req, (const char *) node->descriptors + offset,
                               MIN(size, node->descriptors_size - (size_t) offset));
}

static void on_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
                    struct fuse_pollhandle *poll) {
        UsbfsHandle *handle = usbfs_handle_from(fi);
        const UsbfsFile *file = handle->file;
        unsigned events = 0;

        (void) ino;
        if (file->writable && !list_is_empty(&file->completed))
                events |= POLLOUT | POLLWRNORM;
        if (file->node->gone)
                events |= POLLERR | POLLHUP;
        if (poll) {
                if (handle->poll)
                        fuse_pollhandle_destroy(handle->poll);
                handle->poll = poll;
        }
        fuse_reply_poll(req, events);
}

/* Splicing would cost more than it saves: the biggest message is an attribute. */
static void on_init(void *userdata, struct fuse_conn_info *connection) {
        (void) userdata;
        connection->want &=
                ~(unsigned) (FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
        connection->max_write = 4096;
}

static const struct fuse_lowlevel_ops operations = {
        .init = on_init,
        .lookup = usbfs_tree_lookup,
        .getattr = usbfs_tree_getattr,
        .setattr = usbfs_tree_setattr,
        .readdir = usbfs_tree_readdir,
        .open = on_open,
        .release = on_release,
        .read = on_read,
        .poll = on_poll,
        .ioctl = usbfs_ioctl,
};

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Usbfs *fs = userdata;
        int r;

        (void) fd;
        r = fuse_session_receive_buf(fs->session, &fs->buffer);
        if (r == -EINTR || r == -EAGAIN)
                return 0;
        if (r <= 0 || revents & EPOLLERR) {
                /* Unmounted: nobody is left to serve. */
                (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
                return 0;
        }
        fuse_session_process_buf(fs->session, &fs->buffer);
        return 0;
}

static int start_session(Usbfs *fs, int fd) {
        char name[] = "usbfs", where[32];
        char *argv[] = { name, NULL };
        struct fuse_args args = FUSE_ARGS_INIT(1, argv);

        fs->session = fuse_session_new(&args, &operations, sizeof(operations), fs);
        fuse_opt_free_args(&args);
        if (!fs->session)
                return -ENOMEM;
        snprintf(where, sizeof(where), "/dev/fd/%d", fd);
        return fuse_session_mount(fs->session, where) < 0 ? -EIO : 0;
}

int usbfs_new(sd_event *event, int fd, uid_t uid, gid_t gid, mode_t mode, Usbfs **ret) {
        _cleanup_(usbfs_freep) Usbfs *fs = calloc(1, sizeof(Usbfs));
        int r;

        if (!fs)
                return -ENOMEM;
        list_init(&fs->buses);
        list_init(&fs->entries);
        list_init(&fs->handles);
        fs->event = sd_event_ref(event);
        fs->uid = uid;
        fs->gid = gid;
        fs->mode = mode;
        fs->last_inode = FUSE_ROOT_ID;
        clock_gettime(CLOCK_REALTIME, &fs->made);
        r = sd_event_add_io(event, &fs->io, fd, EPOLLIN, on_io, fs);
        if (r < 0)
                return r;
        r = start_session(fs, fd);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(fs);
        return 0;
}

Usbfs *usbfs_free(Usbfs *fs) {
        if (!fs)
                return NULL;
        sd_event_source_disable_unref(fs->io);
        /* Whoever still has a node open cannot tell us any more when he closes it. */
        LIST_FOREACH(&fs->handles, UsbfsHandle, handle, link)
                handle_free(handle);
        if (fs->session)
                fuse_session_destroy(fs->session);
        free(fs->buffer.mem);
        LIST_FOREACH(&fs->buses, UsbfsBus, bus, link)
                free(bus);
        sd_event_unref(fs->event);
        free(fs);
        return NULL;
}

static bool is_taken(const Usbfs *fs, unsigned bus, unsigned devnum) {
        LIST_FOREACH(&fs->entries, const UsbfsEntry, entry, link)
                if (entry->bus->number == bus && entry->devnum == devnum && !entry->node->gone)
                        return true;
        return false;
}

int usbfs_plug(Usbfs *fs, const UsbfsPlug *plug, UsbfsEntry **ret) {
        _cleanup_free_ UsbfsEntry *entry = calloc(1, sizeof(UsbfsEntry));
        int r;

        if (!entry)
                return -ENOMEM;
        if (is_taken(fs, plug->bus, plug->devnum))
                return -EEXIST;
        r = usbfs_tree_get_bus(fs, plug->bus, &entry->bus);
        if (r < 0)
                return r;
        r = usbfs_node_new(plug->device, plug->clock, plug->devnum, plug->ops, plug->userdata,
                           &entry->node);
        if (r < 0)
                return r;
        entry->fs = fs;
        entry->devnum = plug->devnum;
        entry->inode = ++fs->last_inode;
        entry->mode = fs->mode;
        entry->uid = fs->uid;
        entry->gid = fs->gid;
        entry->n_references = 1;
        clock_gettime(CLOCK_REALTIME, &entry->changed);
        list_append(&fs->entries, &entry->link);
        *ret = TAKE_PTR(entry);
        return 0;
}

UsbfsEntry *usbfs_unplug(UsbfsEntry *entry) {
        if (!entry)
                return NULL;
        usbfs_node_disconnect(entry->node);
        return usbfs_entry_unref(entry);
}

const char *usbfs_entry_driver(const UsbfsEntry *entry, unsigned interface) {
        return interface < USBFS_INTERFACES ? entry->node->bindings[interface].driver : NULL;
}

size_t usbfs_entry_open_files(const UsbfsEntry *entry) {
        size_t n = 0;

        LIST_FOREACH(&entry->node->files, const UsbfsFile, file, link)
                n++;
        return n;
}
