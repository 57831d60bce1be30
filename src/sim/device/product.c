/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/device/product.h"

#include <string.h>

#define MANUFACTURER "STMicroelectronics"

#define DEBUG_FS(out_endpoint, trace, trace_size, index, text)                                   \
        {                                                                                        \
                .type = FUNCTION_DEBUG, .in = 0x81, .out = (out_endpoint), .in_size = 64,        \
                .out_size = 64, .extra = (trace), .extra_size = (trace_size), .string = (index), \
                .name = (text)                                                                   \
        }

/* V3: everything has packets of 512 bytes */
#define DEBUG_HS(trace, index, text)                                                              \
        {                                                                                         \
                .type = FUNCTION_DEBUG, .in = 0x81, .out = 0x01, .in_size = 512, .out_size = 512, \
                .extra = (trace), .extra_size = 512, .string = (index), .name = (text)            \
        }
#define MSD(size, index)                                                              \
        {                                                                             \
                .type = FUNCTION_MSD, .in = 0x83, .out = 0x03, .in_size = (size),     \
                .out_size = (size), .string = (index), .name = "ST-Link mass storage" \
        }
#define VCP_HS(in_endpoint, out_endpoint, interrupt, index, text)                                 \
        {                                                                                         \
                .type = FUNCTION_VCP, .in = (in_endpoint), .out = (out_endpoint), .in_size = 512, \
                .out_size = 512, .extra = (interrupt), .extra_size = 10, .extra_interval = 16,    \
                .string = (index), .data_string = (index) + 1, .name = "ST-Link " text " Ctrl",   \
                .data_name = "ST-Link " text " Data"                                              \
        }
#define BRIDGE(index)                                                                              \
        {                                                                                          \
                .type = FUNCTION_BRIDGE, .in = 0x86, .out = 0x06, .in_size = 512, .out_size = 512, \
                .string = (index), .name = "ST-Link Bridge"                                        \
        }

static const Product products[] = {
        { .product_id = 0x3744,
          .device_version = 0x0100,
          .speed = USB_SPEED_FULL_12M,
          .name = "STM32 STLink",
          .max_power = 50,
          .model = FIRMWARE_V1,
          .n_functions = 1,
          .functions = { { .type = FUNCTION_V1,
                           .in = 0x81,
                           .out = 0x02,
                           .in_size = 64,
                           .out_size = 64,
                           .string = 4,
                           .name = "ST Link" } } },
        { .product_id = 0x3748,
          .device_version = 0x0100,
          .speed = USB_SPEED_FULL_12M,
          .name = "STM32 STLink",
          .max_power = 50,
          .model = FIRMWARE_V2,
          .n_functions = 1,
          .functions = { DEBUG_FS(0x02, 0x83, 64, 4, "ST Link") } },
        { .product_id = 0x374b,
          .device_version = 0x0100,
          .speed = USB_SPEED_FULL_12M,
          .name = "STM32 STLink",
          .max_power = 50,
          .model = FIRMWARE_V2_1,
          .n_functions = 3,
          .functions = { DEBUG_FS(0x01, 0x82, 32, 4, "ST-Link Debug"),
                         MSD(64, 5),
                         { .type = FUNCTION_VCP,
                           .in = 0x85,
                           .out = 0x05,
                           .in_size = 16,
                           .out_size = 8,
                           .extra = 0x84,
                           .extra_size = 2,
                           .extra_interval = 255,
                           .string = 6,
                           .data_string = 7,
                           .name = "ST-Link VCP Ctrl",
                           .data_name = "ST-Link VCP Data" } } },
        { .product_id = 0x3752,
          .device_version = 0x0100,
          .speed = USB_SPEED_FULL_12M,
          .name = "STM32 STLink",
          .max_power = 150,
          .model = FIRMWARE_V2_1,
          .n_functions = 2,
          .functions = { DEBUG_FS(0x01, 0x82, 32, 4, "ST-Link Debug"),
                         { .type = FUNCTION_VCP,
                           .in = 0x85,
                           .out = 0x05,
                           .in_size = 64,
                           .out_size = 64,
                           .extra = 0x84,
                           .extra_size = 8,
                           .extra_interval = 16,
                           .string = 6,
                           .data_string = 7,
                           .name = "ST-Link VCP Ctrl",
                           .data_name = "ST-Link VCP Data" } } },
        { .product_id = 0x374d,
          .device_version = 0x0200,
          .speed = USB_SPEED_HIGH_480M,
          .name = "STM32 ST-LINK/V3",
          .configuration = "DFU Config",
          .max_power = 50,
          .self_powered = true,
          .is_loader = true,
          .model = FIRMWARE_V3,
          .qualifier_configurations = 1,
          .n_functions = 1,
          .functions = { DEBUG_HS(0, 5, "ST-LINK/V3") } },
        { .product_id = 0x374e,
          .device_version = 0x0100,
          .speed = USB_SPEED_HIGH_480M,
          .name = "STLINK-V3",
          .configuration = "Default Config",
          .max_power = 250,
          .model = FIRMWARE_V3,
          .n_functions = 3,
          .functions = { DEBUG_HS(0x82, 5, "ST-Link Debug"), MSD(512, 6),
                         VCP_HS(0x85, 0x05, 0x84, 7, "VCP") } },
        { .product_id = 0x374f,
          .device_version = 0x0100,
          .speed = USB_SPEED_HIGH_480M,
          .name = "STLINK-V3",
          .configuration = "Default Config",
          .max_power = 250,
          .model = FIRMWARE_V3,
          .qualifier_configurations = 1,
          .n_functions = 4,
          .functions = { DEBUG_HS(0x82, 5, "ST-Link Debug"), MSD(512, 6),
                         VCP_HS(0x85, 0x05, 0x84, 7, "VCP"), BRIDGE(9) } },
        { .product_id = 0x3753,
          .device_version = 0x0100,
          .speed = USB_SPEED_HIGH_480M,
          .name = "STLINK-V3",
          .configuration = "Default Config",
          .max_power = 150,
          .model = FIRMWARE_V3,
          .n_functions = 4,
          .functions = { DEBUG_HS(0x82, 5, "ST-Link Debug"), VCP_HS(0x85, 0x05, 0x84, 7, "VCP"),
                         BRIDGE(9), VCP_HS(0x87, 0x07, 0x83, 10, "VCP2") } },
        /* No dump of this one: 374e without its disk (stlink-protocol §1.1), unverified. */
        { .product_id = 0x3754,
          .device_version = 0x0100,
          .speed = USB_SPEED_HIGH_480M,
          .name = "STLINK-V3",
          .configuration = "Default Config",
          .max_power = 250,
          .model = FIRMWARE_V3,
          .n_functions = 2,
          .functions = { DEBUG_HS(0x82, 5, "ST-Link Debug"), VCP_HS(0x85, 0x05, 0x84, 7, "VCP") } },
        { .product_id = 0x3755,
          .device_version = 0x0100,
          .speed = USB_SPEED_HIGH_480M,
          .name = "STLINK-V3PWR",
          .configuration = "DFU Config",
          .max_power = 50,
          .is_loader = true,
          .model = FIRMWARE_V3PWR,
          .qualifier_configurations = 1,
          .n_functions = 1,
          .functions = { DEBUG_HS(0, 5, "ST-Link Usbloader") } },
        { .product_id = 0x3757,
          .device_version = 0x0100,
          .speed = USB_SPEED_HIGH_480M,
          .name = "STLINK-V3PWR",
          .configuration = "Default Config",
          .max_power = 250,
          .model = FIRMWARE_V3PWR,
          .qualifier_configurations = 1,
          .n_functions = 4,
          .functions = { DEBUG_HS(0x82, 5, "ST-Link Debug"), VCP_HS(0x85, 0x05, 0x84, 6, "VCP"),
                         BRIDGE(8), VCP_HS(0x83, 0x03, 0x87, 9, "VCP-PWR") } },
};

const Product *product_at(size_t index) {
        return index < ELEMENTSOF(products) ? &products[index] : NULL;
}

const Product *product_find(uint16_t product_id) {
        for (size_t i = 0; i < ELEMENTSOF(products); i++)
                if (products[i].product_id == product_id)
                        return &products[i];
        return NULL;
}

const Function *product_function(const Product *product, FunctionType type) {
        for (size_t i = 0; i < product->n_functions; i++)
                if (product->functions[i].type == type)
                        return &product->functions[i];
        return NULL;
}

const char *product_string(const Product *product, uint8_t index) {
        switch (index) {
        case 1:
                return MANUFACTURER;
        case 2:
                return product->name;
        case 4:
                if (product->configuration)
                        return product->configuration;
                break;
        }
        for (size_t i = 0; i < product->n_functions; i++) {
                const Function *f = &product->functions[i];

                if (index && f->string == index)
                        return f->name;
                if (index && f->data_string == index)
                        return f->data_name;
        }
        return NULL;
}

const char *product_interface_name(const Product *product, unsigned interface) {
        for (size_t i = 0; i < product->n_functions; i++) {
                const Function *f = &product->functions[i];

                if (interface == 0)
                        return f->name;
                if (interface == 1 && f->type == FUNCTION_VCP)
                        return f->data_name;
                if (interface < function_interfaces(f))
                        return NULL;
                interface -= function_interfaces(f);
        }
        return NULL;
}
