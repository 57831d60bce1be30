/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "base/bytes.h"
#include "base/macro.h"
#include "usbfs/usb-config.h"

enum {
        /* USB 2.0, table 9-5 */
        DESCRIPTOR_DEVICE = 1,
        DESCRIPTOR_CONFIGURATION = 2,
        DESCRIPTOR_INTERFACE = 4,
        DESCRIPTOR_ENDPOINT = 5,

        DEVICE_SIZE = 18,
        CONFIGURATION_SIZE = 9,
        INTERFACE_SIZE = 9,
        ENDPOINT_SIZE = 7,
};

static int parse_interface(const uint8_t *d, UsbConfig *config) {
        if (config->n_settings >= USB_INTERFACES_MAX)
                return -E2BIG;
        config->interfaces[config->n_settings++] = (UsbInterface){
                .number = d[2],
                .alternate = d[3],
                .declared_endpoints = d[4],
                .class_code = d[5],
                .subclass = d[6],
                .protocol = d[7],
        };
        return 0;
}

static int parse_endpoint(const uint8_t *d, UsbConfig *config) {
        static const UsbTransferType types[] = {
                [0] = USB_TRANSFER_CONTROL,
                [2] = USB_TRANSFER_BULK,
                [3] = USB_TRANSFER_INTERRUPT,
        };
        unsigned type = d[3] & 3;
        UsbInterface *interface;

        if (config->n_settings == 0)
                return -EBADMSG;
        if (type == 1)
                return 0; /* isochronous */
        interface = &config->interfaces[config->n_settings - 1];
        if (interface->n_endpoints >= USB_INTERFACE_ENDPOINTS)
                return -E2BIG;
        interface->endpoints[interface->n_endpoints++] = (UsbEndpoint){
                .address = d[2],
                .type = types[type],
                .max_packet = get_le16(d + 4) & 0x7ff,
                .interval = d[6],
        };
        return 0;
}

static int parse_one(const uint8_t *d, UsbConfig *config) {
        if (d[1] == DESCRIPTOR_INTERFACE)
                return d[0] < INTERFACE_SIZE ? -EBADMSG : parse_interface(d, config);
        if (d[1] == DESCRIPTOR_ENDPOINT)
                return d[0] < ENDPOINT_SIZE ? -EBADMSG : parse_endpoint(d, config);
        return 0;
}

static void parse_device(const uint8_t *d, UsbConfig *config) {
        *config = (UsbConfig){
                .usb_version = get_le16(d + 2),
                .class_code = d[4],
                .subclass = d[5],
                .protocol = d[6],
                .max_packet = d[7],
                .vendor_id = get_le16(d + 8),
                .product_id = get_le16(d + 10),
                .release = get_le16(d + 12),
                .n_configurations = d[17],
        };
}

int usb_config_parse(const uint8_t *descriptors, size_t size, UsbConfig *ret) {
        UsbConfig config;
        const uint8_t *d = descriptors, *end;
        size_t total;

        if (size < DEVICE_SIZE + CONFIGURATION_SIZE || d[0] != DEVICE_SIZE ||
            d[1] != DESCRIPTOR_DEVICE)
                return -EBADMSG;
        parse_device(d, &config);

        d += DEVICE_SIZE;
        total = get_le16(d + 2);
        if (d[1] != DESCRIPTOR_CONFIGURATION || total < CONFIGURATION_SIZE ||
            total > size - DEVICE_SIZE)
                return -EBADMSG;
        config.n_interfaces = d[4];
        config.value = d[5];
        config.attributes = d[7];
        config.milliamps = 2u * d[8];

        for (end = d + total; d < end; d += d[0]) {
                int r;

                if (end - d < 2 || d[0] < 2 || d[0] > end - d)
                        return -EBADMSG;
                r = parse_one(d, &config);
                if (r < 0)
                        return r;
        }
        *ret = config;
        return 0;
}

const UsbInterface *usb_config_interface(const UsbConfig *config, unsigned number) {
        for (size_t i = 0; i < config->n_settings; i++)
                if (config->interfaces[i].number == number && config->interfaces[i].alternate == 0)
                        return &config->interfaces[i];
        return NULL;
}

bool usb_config_has_alternate(const UsbConfig *config, unsigned number, unsigned alternate) {
        for (size_t i = 0; i < config->n_settings; i++)
                if (config->interfaces[i].number == number &&
                    config->interfaces[i].alternate == alternate)
                        return true;
        return false;
}

const UsbEndpoint *usb_config_endpoint(const UsbConfig *config, uint8_t address,
                                       unsigned *ret_interface) {
        for (size_t i = 0; i < config->n_settings; i++) {
                const UsbInterface *interface = &config->interfaces[i];

                for (size_t e = 0; e < interface->n_endpoints; e++)
                        if (interface->endpoints[e].address == address) {
                                *ret_interface = interface->number;
                                return &interface->endpoints[e];
                        }
        }
        return NULL;
}

const char *usb_interface_driver(const UsbInterface *interface) {
        static const struct {
                uint8_t class_code, subclass;
                bool any_subclass;
                const char *driver;
        } drivers[] = {
                { 0x02, 0x02, false, "cdc_acm" }, /* communications, abstract control model */
                { 0x03, 0x00, true, "usbhid" },
                { 0x08, 0x06, false, "usb-storage" }, /* mass storage, SCSI */
                { 0x09, 0x00, true, "hub" },
                { 0x0a, 0x00, true, "cdc_acm" }, /* data: taken along by its control interface */
        };

        for (size_t i = 0; i < ELEMENTSOF(drivers); i++)
                if (drivers[i].class_code == interface->class_code &&
                    (drivers[i].any_subclass || drivers[i].subclass == interface->subclass))
                        return drivers[i].driver;
        return NULL;
}
