/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/macro.h"
#include "usbfs/usb-clock.h"
#include "usbfs/usb-config.h"
#include "usbfs/usb-device.h"

/* What the kernel's usbfs (drivers/usb/core/devio.c) keeps about a device and its open files,
 * without a file system around it: claims, URBs, privileges. Errors are those of the ioctls. */

typedef struct UsbfsNode UsbfsNode;
typedef struct UsbfsFile UsbfsFile;
typedef struct UsbfsUrb UsbfsUrb;

#define USBFS_INTERFACES   32          /* as many as the masks of the ioctls hold */
#define USBFS_MEMORY_LIMIT (16u << 20) /* in URBs at once, the kernel's usbfs_memory_mb */

typedef struct UsbfsNodeOps {
        /* Another driver has an interface now: "usbfs" (some file claimed it), a kernel
         * driver, or NULL. */
        void (*driver_changed)(unsigned interface, const char *driver, void *userdata);
        /* A file was opened, or one was closed. */
        void (*opened)(void *userdata);
        void (*closed)(void *userdata);
} UsbfsNodeOps;

typedef struct UsbfsBinding {
        bool present;
        const char *driver; /* NULL, "usbfs" or a kernel driver's name */
        UsbfsFile *owner;   /* of the claim, when driver is "usbfs" */
} UsbfsBinding;

struct UsbfsNode {
        UsbDevice *device; /* NULL once gone */
        UsbClock *clock;
        unsigned devnum;
        UsbSpeed speed;
        UsbConfig config;
        uint8_t *descriptors; /* a copy: the device may change its own at any time */
        size_t descriptors_size;
        bool gone;
        UsbfsBinding bindings[USBFS_INTERFACES];
        List files;
        unsigned n_references; /* files, and the one who made it */
        size_t memory;         /* in URBs */
        const UsbfsNodeOps *ops;
        void *userdata;
};

struct UsbfsFile {
        UsbfsNode *node;
        List link;
        bool writable;
        bool dropped; /* DROP_PRIVILEGES was called; allowed is what is left */
        uint32_t allowed;
        List pending;
        List completed;
        /* A URB was completed, or the device is gone; may be NULL. */
        void (*wake)(UsbfsFile *file, void *userdata);
        void *userdata;
};

struct UsbfsUrb {
        UsbfsFile *file;
        List link; /* in pending or completed of its file */
        UsbTransfer transfer;
        int interface; /* -1: endpoint 0 */
        int killed;    /* status to report instead of -ENOENT; 0: none */
        bool short_not_ok;
        uint64_t user_urb;           /* address of the caller's struct usbdevfs_urb */
        uint64_t user_buffer;        /* and of its data stage */
        void (*done)(UsbfsUrb *urb); /* takes the URB over on completion; NULL: reap it */
        void *userdata;
        uint8_t data[];
};

/* The device must be attached; its descriptors are read now, and drivers bound to its interfaces
 * without a call to ops. */
int usbfs_node_new(UsbDevice *device, UsbClock *clock, unsigned devnum, const UsbfsNodeOps *ops,
                   void *userdata, UsbfsNode **ret);
UsbfsNode *usbfs_node_unref(UsbfsNode *node);
DEFINE_CLEANUP(UsbfsNode *, usbfs_node_unref)

/* The device is unplugged: URBs end with -ESHUTDOWN, files wake up. The device is not touched
 * any more afterwards, and ops are not called. */
void usbfs_node_disconnect(UsbfsNode *node);

int usbfs_file_open(UsbfsNode *node, bool writable, UsbfsFile **ret);
UsbfsFile *usbfs_file_close(UsbfsFile *file);
DEFINE_CLEANUP(UsbfsFile *, usbfs_file_close)

int usbfs_file_claim(UsbfsFile *file, unsigned interface);
int usbfs_file_release(UsbfsFile *file, unsigned interface);
int usbfs_file_drop_privileges(UsbfsFile *file, uint32_t allowed);

/* USBDEVFS_IOCTL with DISCONNECT or CONNECT. */
int usbfs_file_detach_driver(UsbfsFile *file, unsigned interface);
int usbfs_file_attach_driver(UsbfsFile *file, unsigned interface);

/* Flags and driver as in struct usbdevfs_disconnect_claim. */
int usbfs_file_detach_and_claim(UsbfsFile *file, unsigned interface, unsigned flags,
                                const char *driver);

/* Name of the interface's driver, or NULL. */
const char *usbfs_file_get_driver(UsbfsFile *file, unsigned interface);

int usbfs_file_reset(UsbfsFile *file);
int usbfs_file_clear_halt(UsbfsFile *file, unsigned endpoint);
int usbfs_file_reset_endpoint(UsbfsFile *file, unsigned endpoint);

/* May this file set that configuration (claims stand in the way), or alternate setting (claims
 * the interface if need be)? The request itself is a control transfer. */
int usbfs_file_check_configuration(UsbfsFile *file, int value);
int usbfs_file_check_alternate(UsbfsFile *file, unsigned interface, unsigned alternate);

/* May this file use an endpoint for a transfer of that type? Claims its interface if need be,
 * as the kernel does. Bulk on an interrupt endpoint becomes an interrupt transfer. */
int usbfs_file_check_transfer(UsbfsFile *file, UsbTransferType *type, uint8_t endpoint,
                              int *ret_interface);

/* The same for a control request with that setup. */
int usbfs_file_check_control(UsbfsFile *file, const uint8_t setup[static 8]);

/* Make a URB with room for length bytes in transfer.buffer. -ENOMEM also beyond the limit. */
int usbfs_urb_new(UsbfsFile *file, size_t length, UsbfsUrb **ret);
UsbfsUrb *usbfs_urb_free(UsbfsUrb *urb);
DEFINE_CLEANUP(UsbfsUrb *, usbfs_urb_free)

/* Hand the URB to the device; on success the file owns it until it is reaped or done. */
int usbfs_urb_submit(UsbfsUrb *urb);

/* Cancel the pending URB that was submitted from that address; -EINVAL if there is none. */
int usbfs_file_discard(UsbfsFile *file, uint64_t user_urb);

/* Cancel a URB with done set, which is called with that status. */
void usbfs_urb_kill(UsbfsUrb *urb, int status);

/* Take a completed URB; NULL when there is none. The caller frees it. */
UsbfsUrb *usbfs_file_reap(UsbfsFile *file);
