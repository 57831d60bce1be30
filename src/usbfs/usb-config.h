/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "usbfs/usb-device.h"

/* What a device's descriptors say, as tables (USB 2.0, 9.6). */

#define USB_INTERFACES_MAX      16 /* alternate settings count too */
#define USB_INTERFACE_ENDPOINTS 4

typedef struct UsbEndpoint {
        uint8_t address;
        UsbTransferType type; /* isochronous endpoints are left out */
        uint16_t max_packet;
        uint8_t interval;
} UsbEndpoint;

typedef struct UsbInterface {
        uint8_t number;
        uint8_t alternate;
        uint8_t class_code;
        uint8_t subclass;
        uint8_t protocol;
        uint8_t declared_endpoints; /* bNumEndpoints */
        UsbEndpoint endpoints[USB_INTERFACE_ENDPOINTS];
        size_t n_endpoints;
} UsbInterface;

typedef struct UsbConfig {
        uint16_t usb_version; /* 0x0200 */
        uint8_t class_code;
        uint8_t subclass;
        uint8_t protocol;
        uint8_t max_packet;
        uint16_t vendor_id;
        uint16_t product_id;
        uint16_t release; /* bcdDevice */
        uint8_t n_configurations;
        uint8_t value; /* bConfigurationValue of the first configuration */
        uint8_t attributes;
        unsigned milliamps;
        uint8_t n_interfaces; /* bNumInterfaces */
        UsbInterface interfaces[USB_INTERFACES_MAX];
        size_t n_settings; /* used entries of interfaces */
} UsbConfig;

/* Read device and first configuration descriptor. Class-specific descriptors are skipped.
 * -EBADMSG when they make no sense, -E2BIG when they say more than fits. */
int usb_config_parse(const uint8_t *descriptors, size_t size, UsbConfig *ret);

/* Alternate setting 0 of the interface of that number, or NULL. */
const UsbInterface *usb_config_interface(const UsbConfig *config, unsigned number);

/* Whether that alternate setting exists. */
bool usb_config_has_alternate(const UsbConfig *config, unsigned number, unsigned alternate);

/* The endpoint of that address in any alternate setting, or NULL; *ret_interface is the number
 * of its interface. */
const UsbEndpoint *usb_config_endpoint(const UsbConfig *config, uint8_t address,
                                       unsigned *ret_interface);

/* Name of the kernel's driver that binds to an interface by its class, or NULL. */
const char *usb_interface_driver(const UsbInterface *interface);
