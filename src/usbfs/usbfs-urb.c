/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "usbfs/usbfs-node.h"
#include "usbfs/usbfs-private.h"

enum {
        /* USB 2.0, table 9-2 */
        RECIPIENT_MASK = 0x1f,
        RECIPIENT_INTERFACE = 1,
        RECIPIENT_ENDPOINT = 2,
        TYPE_MASK = 0x60,
        TYPE_VENDOR = 0x40,
};

bool usbfs_same_function(const UsbConfig *config, unsigned a, unsigned b) {
        const UsbInterface *first = usb_config_interface(config, MIN(a, b));
        const UsbInterface *second = usb_config_interface(config, MAX(a, b));

        if (a == b)
                return true;
        return first && second && second->number == first->number + 1 &&
               first->class_code == 0x02 && second->class_code == USBFS_CLASS_DATA;
}

void usbfs_file_wake(UsbfsFile *file) {
        if (file->wake)
                file->wake(file, file->userdata);
}

static int find_endpoint(const UsbfsNode *node, unsigned address, const UsbEndpoint **ret,
                         unsigned *ret_interface) {
        const UsbEndpoint *endpoint;

        if (address & ~0x8fu)
                return -EINVAL;
        endpoint = usb_config_endpoint(&node->config, (uint8_t) address, ret_interface);
        if (!endpoint)
                return -ENOENT;
        *ret = endpoint;
        return 0;
}

/* Like the kernel, claim for whoever uses an interface without having asked for it. */
static int use_endpoint(UsbfsFile *file, unsigned address, const UsbEndpoint **ret,
                        unsigned *ret_interface) {
        int r = find_endpoint(file->node, address, ret, ret_interface);

        return r < 0 ? r : usbfs_file_claim(file, *ret_interface);
}

int usbfs_file_check_transfer(UsbfsFile *file, UsbTransferType *type, uint8_t address,
                              int *ret_interface) {
        const UsbEndpoint *endpoint;
        unsigned interface;
        int r;

        if (file->node->gone)
                return -ENODEV;
        r = use_endpoint(file, address, &endpoint, &interface);
        if (r < 0)
                return r;
        if (*type == USB_TRANSFER_BULK && endpoint->type == USB_TRANSFER_INTERRUPT)
                *type = USB_TRANSFER_INTERRUPT;
        if (*type != endpoint->type)
                return -EINVAL;
        *ret_interface = (int) interface;
        return 0;
}

int usbfs_file_check_control(UsbfsFile *file, const uint8_t setup[static 8]) {
        unsigned index = get_le16(setup + 4) & 0xff, interface;
        const UsbEndpoint *endpoint;
        int r;

        if (file->node->gone)
                return -ENODEV;
        if ((setup[0] & TYPE_MASK) == TYPE_VENDOR)
                return 0;
        if ((setup[0] & RECIPIENT_MASK) == RECIPIENT_INTERFACE)
                return usbfs_file_claim(file, index);
        if ((setup[0] & RECIPIENT_MASK) != RECIPIENT_ENDPOINT || (index & ~0x80u) == 0)
                return 0;
        r = use_endpoint(file, index, &endpoint, &interface);
        /* Programs get the direction bit wrong, and the kernel forgives. */
        return r == -ENOENT ? use_endpoint(file, index ^ 0x80, &endpoint, &interface) : r;
}

int usbfs_file_clear_halt(UsbfsFile *file, unsigned address) {
        UsbfsNode *node = file->node;
        const UsbEndpoint *endpoint;
        unsigned interface;
        int r;

        if (node->gone)
                return -ENODEV;
        r = use_endpoint(file, address, &endpoint, &interface);
        if (r < 0)
                return r;
        usb_clock_tick(node->clock);
        if (node->gone)
                return -ENODEV;
        node->device->ops->clear_halt(node->device, (uint8_t) address);
        usb_clock_arm(node->clock);
        return 0;
}

int usbfs_file_reset_endpoint(UsbfsFile *file, unsigned address) {
        const UsbEndpoint *endpoint;
        unsigned interface;

        if (file->node->gone)
                return -ENODEV;
        /* This only resets the host's own data toggle. */
        return use_endpoint(file, address, &endpoint, &interface);
}

int usbfs_urb_new(UsbfsFile *file, size_t length, UsbfsUrb **ret) {
        UsbfsNode *node = file->node;
        size_t size = sizeof(UsbfsUrb) + length;
        UsbfsUrb *urb;

        if (length > USBFS_MEMORY_LIMIT || node->memory + size > USBFS_MEMORY_LIMIT)
                return -ENOMEM;
        urb = calloc(1, size);
        if (!urb)
                return -ENOMEM;
        node->memory += size;
        urb->file = file;
        urb->interface = -1;
        list_init(&urb->link);
        urb->transfer.buffer = urb->data;
        urb->transfer.length = length;
        list_init(&urb->transfer.link);
        *ret = urb;
        return 0;
}

UsbfsUrb *usbfs_urb_free(UsbfsUrb *urb) {
        if (!urb)
                return NULL;
        urb->file->node->memory -= sizeof(UsbfsUrb) + urb->transfer.length;
        list_remove(&urb->link);
        free(urb);
        return NULL;
}

static void on_complete(UsbTransfer *transfer) {
        UsbfsUrb *urb = container_of(transfer, UsbfsUrb, transfer);

        if (urb->killed && transfer->status == -ENOENT)
                transfer->status = urb->killed;
        if (urb->short_not_ok && transfer->status == 0 && usb_transfer_is_in(transfer) &&
            transfer->actual < transfer->length)
                transfer->status = -EREMOTEIO;
        list_remove(&urb->link);
        if (urb->done) {
                urb->done(urb);
                return;
        }
        list_append(&urb->file->completed, &urb->link);
        usbfs_file_wake(urb->file);
}

int usbfs_urb_submit(UsbfsUrb *urb) {
        UsbfsNode *node = urb->file->node;
        UsbClock *clock = node->clock;
        int r;

        if (node->gone)
                return -ENODEV;
        urb->transfer.complete = on_complete;
        usb_clock_tick(clock);
        if (node->gone)
                return -ENODEV;
        list_append(&urb->file->pending, &urb->link);
        r = node->device->ops->submit(node->device, &urb->transfer);
        if (r < 0)
                list_remove(&urb->link);
        usb_clock_arm(clock);
        return r;
}

void usbfs_urb_kill(UsbfsUrb *urb, int status) {
        UsbfsNode *node = urb->file->node;
        UsbClock *clock = node->clock;

        urb->killed = status;
        /* A device that leaves within submit() has not taken the URB yet; submit() fails then. */
        if (node->device->ops->cancel(node->device, &urb->transfer) < 0)
                list_remove(&urb->link);
        usb_clock_arm(clock);
}

void usbfs_file_kill_urbs(UsbfsFile *file, int interface, int status) {
        /* The device completed them all if it left by itself. */
        while (!list_is_empty(&file->pending)) {
                UsbfsUrb *found = NULL;

                LIST_FOREACH(&file->pending, UsbfsUrb, urb, link)
                        if (interface == USBFS_ANY_INTERFACE || urb->interface == interface) {
                                found = urb;
                                break;
                        }
                if (!found)
                        return;
                usbfs_urb_kill(found, status);
        }
}

int usbfs_file_discard(UsbfsFile *file, uint64_t user_urb) {
        if (file->node->gone)
                return -ENODEV;
        LIST_FOREACH(&file->pending, UsbfsUrb, urb, link)
                if (!urb->done && urb->user_urb == user_urb) {
                        usbfs_urb_kill(urb, 0);
                        return 0;
                }
        return -EINVAL;
}

UsbfsUrb *usbfs_file_reap(UsbfsFile *file) {
        UsbfsUrb *urb = LIST_FIRST(&file->completed, UsbfsUrb, link);

        if (urb)
                list_remove(&urb->link);
        return urb;
}
