/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/probe/firmware.h"
#include "usbfs/usb-device.h"

/* What ST-LINKs look like on the bus: one Product for each product ID, from which descriptors
 * and endpoints follow. The facts are the dumps in OpenOCD's doc/usb_adapters/stlink. */

typedef enum FunctionType {
        FUNCTION_DEBUG, /* ST-LINK commands */
        FUNCTION_V1,    /* the same, wrapped in SCSI */
        FUNCTION_MSD,   /* a disk */
        FUNCTION_VCP,   /* control and data interface of a CDC-ACM */
        FUNCTION_BRIDGE,
} FunctionType;

typedef struct Function {
        FunctionType type;
        uint8_t in, out;            /* endpoint addresses */
        uint16_t in_size, out_size; /* packet sizes */
        uint8_t extra;              /* debug: trace endpoint; VCP: interrupt endpoint; or 0 */
        uint16_t extra_size;
        uint8_t extra_interval;
        uint8_t string, data_string;  /* string indices; the second for a VCP's data interface */
        const char *name, *data_name; /* and what stands there */
} Function;

#define PRODUCT_FUNCTIONS_MAX 5

typedef struct Product {
        uint16_t product_id;
        uint16_t device_version;
        UsbSpeed speed;
        const char *name;
        const char *configuration; /* string 4, or NULL */
        uint8_t max_power;         /* in units of 2 mA */
        bool self_powered;         /* in the device's status, whatever the configuration says */
        bool is_loader;
        FirmwareModel model; /* which has it, or whose boot loader has it */
        uint8_t qualifier_configurations;
        size_t n_functions;
        Function functions[PRODUCT_FUNCTIONS_MAX];
} Product;

/* NULL when there is none. */
const Product *product_find(uint16_t product_id);
const Product *product_at(size_t index);

const Function *product_function(const Product *product, FunctionType type);

/* Number of interfaces that a function takes. */
static inline unsigned function_interfaces(const Function *function) {
        return function->type == FUNCTION_VCP ? 2 : 1;
}

/* Device and configuration descriptor into buffer; returns how many bytes they have. */
#define DESCRIPTORS_MAX 256
size_t product_descriptors(const Product *product, bool has_serial, uint8_t *buffer);

/* Device qualifier, 10 bytes; 0 at full speed, where there is none. */
size_t product_qualifier(const Product *product, uint8_t *buffer);

/* Text of a string descriptor but the serial; NULL when there is none. */
#define STRING_SERIAL 3
const char *product_string(const Product *product, uint8_t index);

/* Name of an interface, NULL when there is none of that number. */
const char *product_interface_name(const Product *product, unsigned interface);
