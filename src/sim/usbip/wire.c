/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "sim/usbip/wire.h"

void usbip_command_decode(const uint8_t header[static USBIP_HEADER_SIZE], UsbipCommand *ret) {
        *ret = (UsbipCommand){
                .command = get_be32(header),
                .seqnum = get_be32(header + 4),
                .in = get_be32(header + 12) != 0,
                .endpoint = get_be32(header + 16),
        };
        if (ret->command == USBIP_CMD_UNLINK) {
                ret->unlink_seqnum = get_be32(header + 20);
                return;
        }
        ret->length = get_be32(header + 24);
        memcpy(ret->setup, header + 40, sizeof(ret->setup));
}

void usbip_submit_encode(uint32_t seqnum, int status, size_t actual,
                         uint8_t header[static USBIP_HEADER_SIZE]) {
        memset(header, 0, USBIP_HEADER_SIZE);
        put_be32(header, USBIP_RET_SUBMIT);
        put_be32(header + 4, seqnum);
        put_be32(header + 20, (uint32_t) status);
        put_be32(header + 24, (uint32_t) actual);
}

void usbip_unlink_encode(uint32_t seqnum, int status, uint8_t header[static USBIP_HEADER_SIZE]) {
        memset(header, 0, USBIP_HEADER_SIZE);
        put_be32(header, USBIP_RET_UNLINK);
        put_be32(header + 4, seqnum);
        put_be32(header + 20, (uint32_t) status);
}

void usbip_op_decode(const uint8_t head[static USBIP_OP_SIZE], UsbipOp *ret) {
        *ret = (UsbipOp){ .version = get_be16(head),
                          .code = get_be16(head + 2),
                          .status = get_be32(head + 4) };
}

void usbip_op_encode(uint16_t code, uint32_t status, uint8_t head[static USBIP_OP_SIZE]) {
        put_be16(head, USBIP_VERSION);
        put_be16(head + 2, code);
        put_be32(head + 4, status);
}

void usbip_device_encode(const UsbConfig *config, UsbSpeed speed, const char *busid,
                         unsigned devnum, uint8_t out[static USBIP_DEVICE_SIZE]) {
        uint8_t *p = out + 256 + USBIP_BUSID_SIZE;

        memset(out, 0, USBIP_DEVICE_SIZE);
        snprintf((char *) out, 256, "/sys/devices/stlinksim/usb1/%s", busid);
        snprintf((char *) out + 256, USBIP_BUSID_SIZE, "%s", busid);
        put_be32(p, 1);
        put_be32(p + 4, devnum);
        put_be32(p + 8, (uint32_t) speed);
        put_be16(p + 12, config->vendor_id);
        put_be16(p + 14, config->product_id);
        put_be16(p + 16, config->release);
        p[18] = config->class_code;
        p[19] = config->subclass;
        p[20] = config->protocol;
        p[21] = config->value;
        p[22] = config->n_configurations;
        p[23] = config->n_interfaces;
}
