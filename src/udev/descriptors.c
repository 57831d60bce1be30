/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/usb/ch9.h>

#include "udev/descriptors.h"

/* Offsets in an interface and an endpoint descriptor (USB 2.0 §9.6.5, §9.6.6) */
enum {
        INTERFACE_NUMBER = 2,
        INTERFACE_ALTERNATE = 3,
        INTERFACE_CLASS = 5,
        INTERFACE_SUBCLASS = 6,
        INTERFACE_PROTOCOL = 7,
        ENDPOINT_ADDRESS = 2,
        ENDPOINT_ATTRIBUTES = 3,
};

typedef struct Shape {
        bool other; /* something no ST-LINK has */
        unsigned in, out, trace;
} Shape;

static bool is_debug_interface(const uint8_t *d) {
        return d[0] >= USB_DT_INTERFACE_SIZE && d[1] == USB_DT_INTERFACE &&
               d[INTERFACE_NUMBER] == 0 && d[INTERFACE_ALTERNATE] == 0 &&
               d[INTERFACE_CLASS] == 0xff && d[INTERFACE_SUBCLASS] == 0xff &&
               d[INTERFACE_PROTOCOL] == 0xff;
}

static void shape_add_endpoint(Shape *shape, const uint8_t *d) {
        if ((d[ENDPOINT_ATTRIBUTES] & USB_ENDPOINT_XFERTYPE_MASK) != USB_ENDPOINT_XFER_BULK) {
                shape->other = true;
                return;
        }
        switch (d[ENDPOINT_ADDRESS]) {
        case 0x81:
                shape->in++;
                break;
        case 0x01:
        case 0x02:
                shape->out++;
                break;
        case 0x82:
        case 0x83:
                shape->trace++;
                break;
        default:
                shape->other = true;
        }
}

bool descriptors_look_like_stlink(const uint8_t *data, size_t size) {
        Shape shape = {};
        bool inside = false, seen = false;

        for (size_t i = 0; size - i >= 2; i += data[i]) {
                const uint8_t *d = data + i;

                if (d[0] < 2 || d[0] > size - i)
                        return false;
                if (d[1] == USB_DT_INTERFACE || d[1] == USB_DT_CONFIG) {
                        inside = !seen && is_debug_interface(d);
                        seen = seen || inside;
                } else if (inside && d[1] == USB_DT_ENDPOINT) {
                        if (d[0] < USB_DT_ENDPOINT_SIZE)
                                return false;
                        shape_add_endpoint(&shape, d);
                }
        }
        return seen && !shape.other && shape.in == 1 && shape.out == 1 && shape.trace <= 1;
}

bool product_id_is_in_range(uint16_t product_id) {
        /* 3740 to 375F, as in blackmagic's stlink-tool (stlink-protocol §1.1) */
        return (product_id & 0xffe0) == 0x3740;
}
