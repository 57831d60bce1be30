/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/bytes.h"
#include "sim/device/product.h"

#define STLINK_VENDOR 0x0483

/* Descriptor types (USB 2.0 §9.4, IAD ECN, CDC 1.1 §5.2.3) */
enum {
        TYPE_DEVICE = 1,
        TYPE_CONFIGURATION = 2,
        TYPE_INTERFACE = 4,
        TYPE_ENDPOINT = 5,
        TYPE_QUALIFIER = 6,
        TYPE_ASSOCIATION = 11,
        TYPE_CS_INTERFACE = 0x24,
};

typedef struct Writer {
        uint8_t *data;
        size_t size;
} Writer;

static void writer_put(Writer *writer, const uint8_t *bytes, size_t size) {
        memcpy(writer->data + writer->size, bytes, size);
        writer->size += size;
}

static void write_endpoint(Writer *writer, uint8_t address, uint8_t type, uint16_t size,
                           uint8_t interval) {
        uint8_t d[7] = { sizeof(d), TYPE_ENDPOINT, address, type, [6] = interval };

        put_le16(d + 4, size);
        writer_put(writer, d, sizeof(d));
}

static void write_interface(Writer *writer, uint8_t number, uint8_t n_endpoints,
                            const uint8_t class_codes[3], uint8_t string) {
        const uint8_t d[9] = { sizeof(d),      TYPE_INTERFACE, number,
                               /* alt= */ 0,   n_endpoints,    class_codes[0],
                               class_codes[1], class_codes[2], string };

        writer_put(writer, d, sizeof(d));
}

static void write_vcp(Writer *writer, const Function *function, uint8_t number) {
        static const uint8_t control[3] = { 2, 2, 1 }, data[3] = { 10, 0, 0 };
        const uint8_t association[8] = {
                sizeof(association), TYPE_ASSOCIATION, number,     2,
                control[0],          control[1],       control[2], function->string
        };
        const uint8_t cdc[] = {
                5, TYPE_CS_INTERFACE, 0, 0x10,   0x01,                   /* header, 1.10 */
                5, TYPE_CS_INTERFACE, 1, 0,      (uint8_t) (number + 1), /* call management */
                4, TYPE_CS_INTERFACE, 2, 6,                              /* line coding, break */
                5, TYPE_CS_INTERFACE, 6, number, (uint8_t) (number + 1), /* union */
        };

        writer_put(writer, association, sizeof(association));
        write_interface(writer, number, 1, control, function->string);
        writer_put(writer, cdc, sizeof(cdc));
        write_endpoint(writer, function->extra, 3, function->extra_size, function->extra_interval);
        write_interface(writer, (uint8_t) (number + 1), 2, data, function->data_string);
        write_endpoint(writer, function->out, 2, function->out_size, 0);
        write_endpoint(writer, function->in, 2, function->in_size, 0);
}

static void write_function(Writer *writer, const Function *function, uint8_t number) {
        static const uint8_t vendor[3] = { 0xff, 0xff, 0xff }, scsi[3] = { 8, 6, 0x50 };
        bool disk = function->type == FUNCTION_V1 || function->type == FUNCTION_MSD;

        if (function->type == FUNCTION_VCP)
                return write_vcp(writer, function, number);
        write_interface(writer, number, function->extra ? 3 : 2, disk ? scsi : vendor,
                        function->string);
        write_endpoint(writer, function->in, 2, function->in_size, 0);
        write_endpoint(writer, function->out, 2, function->out_size, 0);
        if (function->extra)
                write_endpoint(writer, function->extra, 2, function->extra_size, 0);
}

static bool product_is_composite(const Product *product) {
        return product->n_functions > 1;
}

static void write_device(Writer *writer, const Product *product, bool has_serial) {
        uint8_t d[18] = { sizeof(d), TYPE_DEVICE, 0x00, 0x02, [7] = 64, [14] = 1, [15] = 2 };

        if (product_is_composite(product)) {
                d[4] = 0xef; /* interface associations are in use */
                d[5] = 2;
                d[6] = 1;
        }
        put_le16(d + 8, STLINK_VENDOR);
        put_le16(d + 10, product->product_id);
        put_le16(d + 12, product->device_version);
        d[16] = has_serial ? STRING_SERIAL : 0;
        d[17] = 1;
        writer_put(writer, d, sizeof(d));
}

size_t product_descriptors(const Product *product, bool has_serial, uint8_t *buffer) {
        const uint8_t header[9] = { sizeof(header), TYPE_CONFIGURATION,
                                    [5] = 1,        [6] = product->configuration ? 4 : 0,
                                    [7] = 0x80,     [8] = product->max_power };
        Writer writer = { .data = buffer };
        size_t start;
        uint8_t number = 0;

        write_device(&writer, product, has_serial);
        start = writer.size;
        writer_put(&writer, header, sizeof(header));
        for (size_t i = 0; i < product->n_functions; i++) {
                write_function(&writer, &product->functions[i], number);
                number = (uint8_t) (number + function_interfaces(&product->functions[i]));
        }
        put_le16(buffer + start + 2, (uint16_t) (writer.size - start));
        buffer[start + 4] = number;
        return writer.size;
}

/* For a speed at which the real ones were never seen: what they say of themselves. */
size_t product_qualifier(const Product *product, uint8_t *buffer) {
        const uint8_t d[10] = {
                sizeof(d), TYPE_QUALIFIER, 0x00,
                0x02,      [7] = 64,       [8] = product->qualifier_configurations
        };

        if (product->speed != USB_SPEED_HIGH_480M)
                return 0;
        memcpy(buffer, d, sizeof(d));
        return sizeof(d);
}
