/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "sim/device/device-internal.h"

/* Endpoint 0: standard requests (USB 2.0 §9.4), and those of the disk and serial classes. */

/* bmRequestType */
enum {
        TO_DEVICE = 0x00,
        TO_INTERFACE = 0x01,
        TO_ENDPOINT = 0x02,
        CLASS_TO_INTERFACE = 0x21,
        FROM_DEVICE = 0x80,
        FROM_INTERFACE = 0x81,
        FROM_ENDPOINT = 0x82,
        CLASS_FROM_INTERFACE = 0xa1,
};

enum {
        GET_STATUS = 0,
        CLEAR_FEATURE = 1,
        SET_FEATURE = 3,
        SET_ADDRESS = 5,
        GET_DESCRIPTOR = 6,
        GET_CONFIGURATION = 8,
        SET_CONFIGURATION = 9,
        GET_INTERFACE = 10,
        SET_INTERFACE = 11,
};

enum {
        MSD_RESET = 0xff,
        MSD_GET_MAX_LUN = 0xfe,
        CDC_SET_LINE_CODING = 0x20,
        CDC_GET_LINE_CODING = 0x21,
        CDC_SET_CONTROL_LINE_STATE = 0x22,
        CDC_SEND_BREAK = 0x23,
};

#define LANGUAGE_ENGLISH 0x0409
#define STRING_MAX       (2 + 2 * SIM_SERIAL_MAX)

typedef struct Request {
        uint8_t type, code;
        uint16_t value, index;
        size_t length; /* of the data stage, as far as there is room for it */
        uint8_t *data;
} Request;

static int reply(const Request *request, const uint8_t *data, size_t size) {
        size_t n = MIN(size, request->length);

        if (n > 0)
                memcpy(request->data, data, n);
        return (int) n;
}

static int get_string(SimDevice *device, const Request *request) {
        uint8_t index = request->value & 0xff, string[STRING_MAX] = { 0, 3 };
        SimSerial text = {};
        const char *name;

        if (index == 0) {
                put_le16(string + 2, LANGUAGE_ENGLISH);
                string[0] = 4;
                return reply(request, string, string[0]);
        }
        if (index == STRING_SERIAL) {
                text = device->serial;
        } else if ((name = product_string(device->product, index))) {
                text.n = MIN(strlen(name), sizeof(text.units));
                memcpy(text.units, name, text.n);
        }
        if (text.n == 0)
                return -EPIPE;
        for (size_t i = 0; i < text.n; i++)
                string[2 + 2 * i] = text.units[i];
        string[0] = (uint8_t) (2 + 2 * text.n);
        return reply(request, string, string[0]);
}

static int get_descriptor(SimDevice *device, const Request *request) {
        const uint8_t *all = device->descriptors;
        uint8_t qualifier[10];
        size_t n;

        switch (request->value >> 8) {
        case 1:
                return reply(request, all, all[0]);
        case 2:
                if (request->value & 0xff)
                        return -EPIPE;
                return reply(request, all + all[0], device->usb.descriptors_size - all[0]);
        case 3:
                return get_string(device, request);
        case 6:
                n = product_qualifier(device->product, qualifier);
                return n > 0 ? reply(request, qualifier, n) : -EPIPE;
        default:
                return -EPIPE;
        }
}

static unsigned count_interfaces(const SimDevice *device) {
        return device->descriptors[18 + 4];
}

static int get_status(SimDevice *device, const Request *request) {
        uint8_t status[2] = {};
        const SimEndpoint *endpoint;

        if (request->type == FROM_DEVICE) {
                status[0] = device->product->self_powered;
        } else if (request->type == FROM_INTERFACE) {
                if (request->index >= count_interfaces(device))
                        return -EPIPE;
        } else if (request->index & 0x7f) {
                endpoint = device_endpoint(device, (uint8_t) request->index);
                if (!endpoint)
                        return -EPIPE;
                status[0] = endpoint->halted;
        }
        return reply(request, status, sizeof(status));
}

/* Only ENDPOINT_HALT, feature 0; remote wake-up is not offered. */
static int change_feature(SimDevice *device, const Request *request) {
        SimEndpoint *endpoint = device_endpoint(device, (uint8_t) request->index);

        if (request->type != TO_ENDPOINT || request->value != 0)
                return -EPIPE;
        if ((request->index & 0x7f) == 0)
                return 0;
        if (!endpoint)
                return -EPIPE;
        endpoint->halted = request->code == SET_FEATURE;
        return 0;
}

static int set_configuration(SimDevice *device, const Request *request) {
        if (request->value > 1)
                return -EPIPE;
        device->configuration = (uint8_t) request->value;
        for (size_t i = 0; i < device->n_endpoints; i++)
                endpoint_clear(&device->endpoints[i]);
        device_reset_functions(device);
        return 0;
}

static int interface_request(SimDevice *device, const Request *request) {
        static const uint8_t alternate = 0;

        if (request->index >= count_interfaces(device))
                return -EPIPE;
        if (request->code == GET_INTERFACE)
                return reply(request, &alternate, 1);
        return request->value == 0 ? 0 : -EPIPE;
}

static int standard_request(SimDevice *device, const Request *request) {
        switch (request->code) {
        case GET_STATUS:
                return get_status(device, request);
        case CLEAR_FEATURE:
        case SET_FEATURE:
                return change_feature(device, request);
        case SET_ADDRESS:
                return 0;
        case GET_DESCRIPTOR:
                return request->type == FROM_DEVICE ? get_descriptor(device, request) : -EPIPE;
        case GET_CONFIGURATION:
                return reply(request, &device->configuration, 1);
        case SET_CONFIGURATION:
                return set_configuration(device, request);
        case GET_INTERFACE:
        case SET_INTERFACE:
                return interface_request(device, request);
        default:
                return -EPIPE;
        }
}

/* The function that an interface belongs to, and which VCP it is; NULL if none. */
static const Function *find_function(const SimDevice *device, unsigned interface,
                                     unsigned *ret_vcp) {
        unsigned number = 0;

        *ret_vcp = 0;
        for (size_t i = 0; i < device->product->n_functions; i++) {
                const Function *f = &device->product->functions[i];

                number += function_interfaces(f);
                if (interface < number)
                        return f;
                *ret_vcp += f->type == FUNCTION_VCP;
        }
        return NULL;
}

static int vcp_request(SimDevice *device, const Request *request, unsigned vcp) {
        uint8_t *coding = device->line_coding[vcp];

        switch (request->code) {
        case CDC_SET_LINE_CODING:
                if (request->length < sizeof(device->line_coding[vcp]))
                        return -EPIPE;
                memcpy(coding, request->data, sizeof(device->line_coding[vcp]));
                return 0;
        case CDC_GET_LINE_CODING:
                return reply(request, coding, sizeof(device->line_coding[vcp]));
        case CDC_SET_CONTROL_LINE_STATE:
        case CDC_SEND_BREAK:
                return 0;
        default:
                return -EPIPE;
        }
}

static int disk_request(SimDevice *device, const Request *request) {
        static const uint8_t max_lun = 0;

        switch (request->code) {
        case MSD_GET_MAX_LUN:
                return reply(request, &max_lun, 1);
        case MSD_RESET:
                bulk_only_reset(&device->bulk_only);
                return 0;
        default:
                return -EPIPE;
        }
}

static int class_request(SimDevice *device, const Request *request) {
        unsigned vcp;
        const Function *function = find_function(device, request->index, &vcp);

        if (!function)
                return -EPIPE;
        switch (function->type) {
        case FUNCTION_VCP:
                return vcp_request(device, request, vcp);
        case FUNCTION_MSD:
        case FUNCTION_V1:
                return disk_request(device, request);
        default:
                return -EPIPE;
        }
}

/* The data stage is as long as setup says, and never longer than the buffer. */
int device_control(SimDevice *device, UsbTransfer *transfer) {
        const uint8_t *setup = transfer->setup;
        Request request = {
                .type = setup[0],
                .code = setup[1],
                .value = get_le16(setup + 2),
                .index = get_le16(setup + 4),
                .length = MIN((size_t) get_le16(setup + 6), transfer->length),
                .data = transfer->buffer,
        };
        int r = -EPIPE;

        switch (request.type) {
        case TO_DEVICE:
        case TO_INTERFACE:
        case TO_ENDPOINT:
        case FROM_DEVICE:
        case FROM_INTERFACE:
        case FROM_ENDPOINT:
                r = standard_request(device, &request);
                break;
        case CLASS_TO_INTERFACE:
        case CLASS_FROM_INTERFACE:
                r = class_request(device, &request);
                break;
        }
        /* Of what came in, all was taken. */
        return r >= 0 && !(request.type & 0x80) ? (int) request.length : r;
}
