/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "base/macro.h"
#include "usbfs/usb-clock.h"
#include "usbfs/usb-device.h"
#include "usbfs/usbfs-node.h"

/* /dev/bus/usb as a FUSE file system: programs that speak to the kernel's usbfs speak to a
 * UsbDevice here and cannot tell, save for stat(): a node is a regular file.
 *
 * Inode numbers are never used twice, so that a node is told from the one that had its name
 * before. Memory of callers is reached through process_vm_readv(), for which the server needs the
 * right to ptrace them (an ancestor with CAP_SYS_PTRACE in their user namespace has it). The
 * process that serves the file system must never touch it: it would wait for itself. */

typedef struct Usbfs Usbfs;
typedef struct UsbfsEntry UsbfsEntry;

/* Mount at a folder; needs CAP_SYS_ADMIN in the mount namespace's user namespace. On success
 * *ret_fd is the connection to serve. -ENOENT or -EACCES may also speak of /dev/fuse. */
int usbfs_mount(const char *where, int *ret_fd);

/* Serve a connection from an event loop, with the owner and mode that new nodes get. Takes fd
 * over on success. */
int usbfs_new(sd_event *event, int fd, uid_t uid, gid_t gid, mode_t mode, Usbfs **ret);
Usbfs *usbfs_free(Usbfs *fs); /* every entry must have been unplugged */
DEFINE_CLEANUP(Usbfs *, usbfs_free)

typedef struct UsbfsPlug {
        unsigned bus;    /* 1 to 999 */
        unsigned devnum; /* 1 to 127, free on that bus */
        UsbDevice *device;
        UsbClock *clock;
        const UsbfsNodeOps *ops; /* may be NULL */
        void *userdata;
} UsbfsPlug;

/* Show a device as BBB/DDD. -EEXIST when that name is taken, -EBADMSG for descriptors that make
 * no sense. */
int usbfs_plug(Usbfs *fs, const UsbfsPlug *plug, UsbfsEntry **ret);

/* The device is gone: its files get what the kernel gives them. Ends the entry's life. */
UsbfsEntry *usbfs_unplug(UsbfsEntry *entry);

/* The driver of an interface now, or NULL. */
const char *usbfs_entry_driver(const UsbfsEntry *entry, unsigned interface);

/* How many files are open on it now. */
size_t usbfs_entry_open_files(const UsbfsEntry *entry);
