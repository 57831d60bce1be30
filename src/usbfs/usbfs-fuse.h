/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#define FUSE_USE_VERSION 35
#include <fuse_lowlevel.h>

#include "base/list.h"
#include "usbfs/usbfs.h"

/* Between usbfs.c, usbfs-tree.c and usbfs-ioctl.c. */

typedef struct UsbfsBus {
        List link;
        unsigned number;
        fuse_ino_t inode;
} UsbfsBus;

struct UsbfsEntry {
        Usbfs *fs;
        List link;
        UsbfsBus *bus;
        unsigned devnum;
        UsbfsNode *node;
        fuse_ino_t inode;
        mode_t mode;
        uid_t uid;
        gid_t gid;
        struct timespec changed;
        unsigned n_references; /* open handles, and the plugged device */
};

struct Usbfs {
        sd_event *event;
        sd_event_source *io;
        struct fuse_session *session;
        struct fuse_buf buffer;
        uid_t uid;
        gid_t gid;
        mode_t mode;
        fuse_ino_t last_inode;
        struct timespec made;
        List buses;
        List entries; /* unplugged ones too while somebody has them open */
        List handles;
};

/* An open file. */
typedef struct UsbfsHandle {
        List link;
        UsbfsEntry *entry;
        UsbfsFile *file;
        struct fuse_pollhandle *poll;
        List reapers; /* blocked REAPURBs */
} UsbfsHandle;

/* usbfs-tree.c */
void usbfs_tree_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void usbfs_tree_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void usbfs_tree_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
                        struct fuse_file_info *fi);
void usbfs_tree_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                        struct fuse_file_info *fi);
UsbfsEntry *usbfs_tree_find(Usbfs *fs, fuse_ino_t ino);
int usbfs_tree_get_bus(Usbfs *fs, unsigned number, UsbfsBus **ret);
UsbfsEntry *usbfs_entry_unref(UsbfsEntry *entry);

/* usbfs-ioctl.c */
void usbfs_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned command, void *argument,
                 struct fuse_file_info *fi, unsigned flags, const void *in, size_t in_size,
                 size_t out_size);

/* Answer blocked REAPURBs as far as URBs are there, or the device is gone. */
void usbfs_handle_reap(UsbfsHandle *handle);

static inline UsbfsHandle *usbfs_handle_from(const struct fuse_file_info *fi) {
        return (UsbfsHandle *) (uintptr_t) fi->fh;
}
