/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sim/world/hub.h"

enum {
        /* USB 2.0, tables 9-4, 9-5, 11-16 */
        GET_STATUS = 0,
        GET_DESCRIPTOR = 6,
        GET_CONFIGURATION = 8,
        DESCRIPTOR_DEVICE = 1,
        DESCRIPTOR_CONFIGURATION = 2,
        DESCRIPTOR_STRING = 3,
        DESCRIPTOR_HUB = 0x29,
        /* table 11-21 */
        PORT_CONNECTED = 1 << 0,
        PORT_ENABLED = 1 << 1,
        PORT_POWERED = 1 << 8,
        PORT_HIGH_SPEED = 1 << 10,
};

struct Hub {
        UsbDevice usb; /* first */
        unsigned n_ports;
        char serial[32];
        bool root;
        uint16_t ports[HUB_PORTS_MAX + 1];
        List pending; /* interrupt transfers: nothing ever changes here */
        uint8_t descriptors[18 + 25];
};

/* Vendor 1d6b, products 0002 and 0104, are the kernel's own (drivers/usb/core/hcd.c) and that
 * of its gadgets; nobody will mistake them for a hub that he could buy. */
static const uint8_t template[18 + 25] = {
        18, 1, 0x00, 0x02, 9, 0,  1, 64, 0x6b, 0x1d, 0x02, 0x00, 0x01, 0x06, 3,
        2,  1, 1,    9,    2, 25, 0, 1,  1,    0,    0xe0, 0,    9,    4,    0,
        0,  1, 9,    0,    0, 0,  7, 5,  0x81, 3,    4,    0,    12,
};

static size_t put_string(const char *text, uint8_t *out) {
        size_t n = MIN(strlen(text), (size_t) 100);

        out[0] = (uint8_t) (2 + 2 * n);
        out[1] = DESCRIPTOR_STRING;
        for (size_t i = 0; i < n; i++)
                put_le16(out + 2 + 2 * i, (uint8_t) text[i]);
        return out[0];
}

static size_t get_descriptor(const Hub *hub, const uint8_t *setup, uint8_t *out) {
        const char *const strings[] = { NULL, hub_serial(hub), hub_product(hub),
                                        hub_manufacturer(hub) };
        size_t bitmap = hub->n_ports / 8 + 1;

        switch (setup[3]) {
        case DESCRIPTOR_DEVICE:
                memcpy(out, hub->descriptors, 18);
                return 18;
        case DESCRIPTOR_CONFIGURATION:
                memcpy(out, hub->descriptors + 18, 25);
                return 25;
        case DESCRIPTOR_STRING:
                if (setup[2] == 0) {
                        memcpy(out, (uint8_t[]){ 4, DESCRIPTOR_STRING, 0x09, 0x04 }, 4);
                        return 4;
                }
                return setup[2] < ELEMENTSOF(strings) && strings[setup[2]]
                               ? put_string(strings[setup[2]], out)
                               : 0;
        case DESCRIPTOR_HUB:
                /* per-port power switching and over-current protection, 20 ms to power on */
                memset(out, 0, 7 + 2 * bitmap);
                memcpy(out,
                       (uint8_t[]){ (uint8_t) (7 + 2 * bitmap), DESCRIPTOR_HUB,
                                    (uint8_t) hub->n_ports, 0x09, 0, 10 },
                       6);
                memset(out + 7 + bitmap, 0xff, bitmap);
                return 7 + 2 * bitmap;
        default:
                return 0;
        }
}

/* Length of the answer, 0 for a stall. */
static size_t control(const Hub *hub, const uint8_t *setup, uint8_t *out) {
        unsigned port = get_le16(setup + 4);

        if (setup[1] == GET_DESCRIPTOR && setup[0] & 0x80)
                return get_descriptor(hub, setup, out);
        if (setup[1] == GET_CONFIGURATION && setup[0] == 0x80) {
                out[0] = 1;
                return 1;
        }
        if (setup[1] != GET_STATUS || !(setup[0] & 0x80))
                return 0;
        memset(out, 0, 4);
        if (setup[0] == 0xa3) {
                if (port == 0 || port > hub->n_ports)
                        return 0;
                put_le16(out, hub->ports[port]);
                return 4;
        }
        if (setup[0] == 0xa0)
                return 4;
        out[0] = setup[0] == 0x80; /* the device: self-powered */
        return 2;
}

static int on_submit(UsbDevice *device, UsbTransfer *transfer) {
        Hub *hub = container_of(device, Hub, usb);
        uint8_t out[256];
        size_t n;

        if (transfer->type == USB_TRANSFER_INTERRUPT) {
                list_append(&hub->pending, &transfer->link);
                return 0;
        }
        if (transfer->type != USB_TRANSFER_CONTROL)
                return -ENOENT;
        n = control(hub, transfer->setup, out);
        transfer->actual = MIN(n, transfer->length);
        if (transfer->actual > 0)
                memcpy(transfer->buffer, out, transfer->actual);
        transfer->status = n > 0 ? 0 : -EPIPE;
        transfer->complete(transfer);
        return 0;
}

static int on_cancel(UsbDevice *device, UsbTransfer *transfer) {
        (void) device;
        list_remove(&transfer->link);
        transfer->actual = 0;
        transfer->status = -ENOENT;
        transfer->complete(transfer);
        return 0;
}

static void on_reset(UsbDevice *device) {
        (void) device;
}

static void on_clear_halt(UsbDevice *device, uint8_t endpoint) {
        (void) device;
        (void) endpoint;
}

static Usec on_next_event(UsbDevice *device) {
        (void) device;
        return USEC_INFINITY;
}

static void on_elapse(UsbDevice *device, Usec now) {
        (void) device;
        (void) now;
}

static const UsbDeviceOps operations = {
        .submit = on_submit,
        .cancel = on_cancel,
        .reset = on_reset,
        .clear_halt = on_clear_halt,
        .next_event = on_next_event,
        .elapse = on_elapse,
};

int hub_new(bool root, unsigned n_ports, const char *serial, Hub **ret) {
        Hub *hub;

        if (n_ports == 0 || n_ports > HUB_PORTS_MAX)
                return -EINVAL;
        hub = calloc(1, sizeof(Hub));
        if (!hub)
                return -ENOMEM;
        hub->root = root;
        hub->n_ports = n_ports;
        strncpy(hub->serial, serial ? serial : "", sizeof(hub->serial) - 1);
        memcpy(hub->descriptors, template, sizeof(template));
        if (!root)
                put_le16(hub->descriptors + 10, 0x0104);
        if (!serial)
                hub->descriptors[16] = 0;
        for (unsigned i = 1; i <= n_ports; i++)
                hub->ports[i] = PORT_POWERED;
        list_init(&hub->pending);
        hub->usb = (UsbDevice){ .ops = &operations,
                                .attached = true,
                                .speed = USB_SPEED_HIGH_480M,
                                .descriptors = hub->descriptors,
                                .descriptors_size = sizeof(hub->descriptors) };
        *ret = hub;
        return 0;
}

Hub *hub_free(Hub *hub) {
        free(hub);
        return NULL;
}

UsbDevice *hub_usb(Hub *hub) {
        return &hub->usb;
}

unsigned hub_ports(const Hub *hub) {
        return hub->n_ports;
}

const char *hub_manufacturer(const Hub *hub) {
        return hub->root ? "Linux stlinksim" : "stlinksim";
}

const char *hub_product(const Hub *hub) {
        return hub->root ? "Simulated Host Controller" : "Simulated USB 2.0 Hub";
}

const char *hub_serial(const Hub *hub) {
        return hub->serial[0] ? hub->serial : NULL;
}

void hub_set_port(Hub *hub, unsigned port, bool connected, UsbSpeed speed) {
        hub->ports[port] = PORT_POWERED;
        if (connected)
                hub->ports[port] |= PORT_CONNECTED | PORT_ENABLED;
        if (connected && speed == USB_SPEED_HIGH_480M)
                hub->ports[port] |= PORT_HIGH_SPEED;
}
