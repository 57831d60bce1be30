/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/time.h"

/* A USB device as a host controller sees it: the port between whatever models a device and the
 * doors that serve it (a usbfs on FUSE, USB/IP). Neither side knows the other.
 *
 * Everything runs in one thread. A transfer completes through its complete callback, either
 * within submit or later; the device owns it from a successful submit until then. */

typedef enum UsbSpeed {
        USB_SPEED_FULL_12M = 2, /* the kernel's enum usb_device_speed, as USB/IP sends it */
        USB_SPEED_HIGH_480M = 3,
} UsbSpeed;

typedef enum UsbTransferType {
        USB_TRANSFER_CONTROL,
        USB_TRANSFER_BULK,
        USB_TRANSFER_INTERRUPT,
} UsbTransferType;

typedef struct UsbTransfer UsbTransfer;
struct UsbTransfer {
        UsbTransferType type;
        uint8_t endpoint; /* address, bit 7 set for IN; control: 0 */
        uint8_t setup[8]; /* control only */
        uint8_t *buffer;  /* data stage, without setup; the submitter's */
        size_t length;    /* size of buffer: what to send, or the most to receive */
        size_t actual;    /* on completion: what was transferred */
        int status;       /* on completion: 0, or -EPIPE stall, -ESHUTDOWN unplugged,
                           * -ENOENT cancelled, -EOVERFLOW babble, -EPROTO */
        void (*complete)(UsbTransfer *transfer);
        void *userdata; /* the submitter's */
        List link;      /* the device's, while it owns the transfer */
        Usec due;       /* likewise: not to be completed before */
};

/* Whether data, if there is any, goes to the host. */
static inline bool usb_transfer_is_in(const UsbTransfer *transfer) {
        uint8_t direction =
                transfer->type == USB_TRANSFER_CONTROL ? transfer->setup[0] : transfer->endpoint;

        return direction & 0x80;
}

typedef struct UsbDevice UsbDevice;

typedef struct UsbDeviceOps {
        /* Start a transfer. 0, or -ENODEV when unplugged, -ENOENT for an endpoint that does not
         * exist, -EINVAL. */
        int (*submit)(UsbDevice *device, UsbTransfer *transfer);
        /* Complete a pending transfer with -ENOENT before returning; -EINVAL if it is not
         * pending. */
        int (*cancel)(UsbDevice *device, UsbTransfer *transfer);
        /* The host reset the port. */
        void (*reset)(UsbDevice *device);
        /* The host cleared a halt on an endpoint. */
        void (*clear_halt)(UsbDevice *device, uint8_t endpoint);
        /* When elapse() has something to do next; USEC_INFINITY for never. */
        Usec (*next_event)(UsbDevice *device);
        /* Let time pass: finish delayed transfers, re-enumerate. Doors call it before each
         * submit too, so that a device always knows the time. */
        void (*elapse)(UsbDevice *device, Usec now);
} UsbDeviceOps;

/* What the door wants to be told. */
typedef struct UsbHostOps {
        /* The device pulled itself off the bus; it completed all transfers with -ESHUTDOWN. */
        void (*detached)(UsbDevice *device, void *userdata);
        /* It is back, with the descriptors it shows now; the door gives it a new address. */
        void (*attached)(UsbDevice *device, void *userdata);
} UsbHostOps;

/* The first member of every device model. */
struct UsbDevice {
        const UsbDeviceOps *ops;
        const UsbHostOps *host; /* set by the door, with its userdata */
        void *host_userdata;
        bool attached;
        UsbSpeed speed;
        const uint8_t *descriptors; /* device descriptor, then configuration 1 with all that
                                     * belongs to it: what sysfs shows in "descriptors" */
        size_t descriptors_size;
};
