/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/macro.h"
#include "fake-usb.h"

#define INTERFACE(number, alternate, n, class, subclass, protocol) \
        9, 4, number, alternate, n, class, subclass, protocol, 0
#define ENDPOINT(address, type) 7, 5, address, type, 64, 0, 1

static const uint8_t descriptors[] = {
        18,
        1,
        0x00,
        0x02,
        0xef,
        2,
        1,
        64,
        0x83,
        0x04,
        0x4b,
        0x37,
        0x00,
        0x01,
        0,
        0,
        0,
        1,
        9,
        2,
        9 + 6 * 9 + 8 * 7,
        0,
        4,
        1,
        0,
        0x80,
        50,
        INTERFACE(0, 0, 3, 0xff, 0xff, 0xff),
        ENDPOINT(0x02, 2),
        ENDPOINT(0x81, 2),
        ENDPOINT(0x83, 3),
        INTERFACE(1, 0, 2, 0x08, 0x06, 0x50),
        ENDPOINT(0x04, 2),
        ENDPOINT(0x84, 2),
        INTERFACE(1, 1, 0, 0x08, 0x06, 0x50),
        INTERFACE(2, 0, 1, 0x02, 0x02, 0x01),
        ENDPOINT(0x85, 3),
        INTERFACE(3, 0, 2, 0x0a, 0x00, 0x00),
        ENDPOINT(0x06, 2),
        ENDPOINT(0x86, 2),
        INTERFACE(3, 1, 0, 0x0a, 0x00, 0x00),
};

static void finish(UsbTransfer *transfer, int status, size_t actual) {
        list_remove(&transfer->link);
        transfer->status = status;
        transfer->actual = actual;
        transfer->complete(transfer);
}

void fake_usb_leave(FakeUsb *fake) {
        UsbTransfer *transfer;

        fake->usb.attached = false;
        while ((transfer = LIST_FIRST(&fake->pending, UsbTransfer, link)))
                finish(transfer, -ESHUTDOWN, 0);
        if (fake->usb.host)
                fake->usb.host->detached(&fake->usb, fake->usb.host_userdata);
}

static void feed(FakeUsb *fake, unsigned number) {
        LIST_FOREACH(&fake->pending, UsbTransfer, transfer, link) {
                size_t n = MIN(transfer->length, fake->echo[number].size);

                if (transfer->type == USB_TRANSFER_CONTROL ||
                    transfer->endpoint != (number | 0x80) || n == 0)
                        continue;
                memcpy(transfer->buffer, fake->echo[number].data, n);
                fake->echo[number].size -= n;
                memmove(fake->echo[number].data, fake->echo[number].data + n,
                        fake->echo[number].size);
                finish(transfer, 0, n);
                return;
        }
}

/* OUT endpoint 02 feeds IN endpoint 81, 04 feeds 84. */
static void write_echo(FakeUsb *fake, const UsbTransfer *transfer) {
        unsigned number = transfer->endpoint == 0x02 ? 1 : transfer->endpoint;
        uint8_t *bigger =
                realloc(fake->echo[number].data, fake->echo[number].size + transfer->length + 1);

        if (!bigger)
                abort();
        if (transfer->length > 0)
                memcpy(bigger + fake->echo[number].size, transfer->buffer, transfer->length);
        fake->echo[number].data = bigger;
        fake->echo[number].size += transfer->length;
}

static int control(FakeUsb *fake, UsbTransfer *transfer) {
        const uint8_t *setup = transfer->setup;
        unsigned request = setup[1], value = get_le16(setup + 2);

        list_append(&fake->pending, &transfer->link);
        if (setup[0] == 0x80 && request == 6 && setup[3] == 1) {
                size_t n = MIN(transfer->length, (size_t) 18);

                memcpy(transfer->buffer, descriptors, n);
                finish(transfer, 0, n);
        } else if (request == FAKE_REQUEST_PATTERN && setup[0] == 0xc0) {
                for (size_t i = 0; i < transfer->length; i++)
                        transfer->buffer[i] = (uint8_t) i;
                finish(transfer, 0, transfer->length);
        } else if ((setup[0] & 0x60) == 0x40 && request == FAKE_REQUEST_LEAVE) {
                fake->returns = value ? fake->now + value * USEC_PER_MSEC : USEC_INFINITY;
                fake_usb_leave(fake);
        } else if ((setup[0] & 0x60) == 0x40 && request == FAKE_REQUEST_VANISH) {
                list_remove(&transfer->link);
                fake->returns = value ? fake->now + value * USEC_PER_MSEC : USEC_INFINITY;
                fake_usb_leave(fake);
                return -ENODEV;
        } else if ((setup[0] & 0x60) == 0x40 && request == FAKE_REQUEST_NEVER) {
                return 0;
        } else if ((setup[0] == 0x00 && request == 9) || (setup[0] == 0x01 && request == 11)) {
                finish(transfer, 0, 0);
        } else
                finish(transfer, -EPIPE, 0);
        return 0;
}

static int on_submit(UsbDevice *device, UsbTransfer *transfer) {
        FakeUsb *fake = container_of(device, FakeUsb, usb);

        if (!device->attached)
                return -ENODEV;
        if (transfer->type == USB_TRANSFER_CONTROL)
                return control(fake, transfer);
        list_append(&fake->pending, &transfer->link);
        if (!(transfer->endpoint & 0x80)) {
                write_echo(fake, transfer);
                finish(transfer, 0, transfer->length);
        }
        for (unsigned i = 1; i < ELEMENTSOF(fake->echo); i++)
                feed(fake, i);
        return 0;
}

static int on_cancel(UsbDevice *device, UsbTransfer *transfer) {
        FakeUsb *fake = container_of(device, FakeUsb, usb);

        LIST_FOREACH(&fake->pending, UsbTransfer, pending, link)
                if (pending == transfer) {
                        finish(transfer, -ENOENT, 0);
                        return 0;
                }
        return -EINVAL;
}

static void on_reset(UsbDevice *device) {
        container_of(device, FakeUsb, usb)->n_resets++;
}

static void on_clear_halt(UsbDevice *device, uint8_t endpoint) {
        (void) endpoint;
        container_of(device, FakeUsb, usb)->n_cleared++;
}

static Usec on_next_event(UsbDevice *device) {
        return container_of(device, FakeUsb, usb)->returns;
}

static void on_elapse(UsbDevice *device, Usec now) {
        FakeUsb *fake = container_of(device, FakeUsb, usb);

        fake->now = now;
        if (now < fake->returns)
                return;
        fake->returns = USEC_INFINITY;
        device->attached = true;
        if (device->host)
                device->host->attached(device, device->host_userdata);
}

static const UsbDeviceOps operations = {
        .submit = on_submit,
        .cancel = on_cancel,
        .reset = on_reset,
        .clear_halt = on_clear_halt,
        .next_event = on_next_event,
        .elapse = on_elapse,
};

void fake_usb_init(FakeUsb *fake) {
        *fake = (FakeUsb){ .usb = { .ops = &operations,
                                    .attached = true,
                                    .speed = USB_SPEED_FULL_12M,
                                    .descriptors = descriptors,
                                    .descriptors_size = sizeof(descriptors) },
                           .returns = USEC_INFINITY };
        list_init(&fake->pending);
}

void fake_usb_done(FakeUsb *fake) {
        for (size_t i = 0; i < ELEMENTSOF(fake->echo); i++)
                free(fake->echo[i].data);
}
