/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "usbfs/usb-config.h"

/* Messages of USB/IP (Linux, Documentation/usb/usbip_protocol.rst). All numbers on the wire are
 * big-endian; those here are the machine's. */

#define USBIP_VERSION     0x0111
#define USBIP_BUSID_SIZE  32
#define USBIP_HEADER_SIZE 48  /* of each message about transfers */
#define USBIP_OP_SIZE     8   /* of the head of each operation */
#define USBIP_DEVICE_SIZE 312 /* of a device in an answer, without its interfaces */

enum {
        USBIP_CMD_SUBMIT = 1,
        USBIP_CMD_UNLINK = 2,
        USBIP_RET_SUBMIT = 3,
        USBIP_RET_UNLINK = 4,

        USBIP_OP_REQ_IMPORT = 0x8003,
        USBIP_OP_REP_IMPORT = 0x0003,
        USBIP_OP_REQ_DEVLIST = 0x8005,
        USBIP_OP_REP_DEVLIST = 0x0005,
};

typedef struct UsbipCommand {
        uint32_t command; /* USBIP_CMD_… */
        uint32_t seqnum;
        bool in;
        uint32_t endpoint;      /* its number, without direction */
        uint32_t length;        /* submit: of the data */
        uint8_t setup[8];       /* submit on endpoint 0 */
        uint32_t unlink_seqnum; /* unlink: of the command to be taken back */
} UsbipCommand;

void usbip_command_decode(const uint8_t header[static USBIP_HEADER_SIZE], UsbipCommand *ret);

/* Answer to a submit; data, if any, follows it on the wire. */
void usbip_submit_encode(uint32_t seqnum, int status, size_t actual,
                         uint8_t header[static USBIP_HEADER_SIZE]);
void usbip_unlink_encode(uint32_t seqnum, int status, uint8_t header[static USBIP_HEADER_SIZE]);

/* Head of an operation. */
typedef struct UsbipOp {
        uint16_t version;
        uint16_t code;
        uint32_t status;
} UsbipOp;

void usbip_op_decode(const uint8_t head[static USBIP_OP_SIZE], UsbipOp *ret);
void usbip_op_encode(uint16_t code, uint32_t status, uint8_t head[static USBIP_OP_SIZE]);

/* A device as DEVLIST and IMPORT describe it. */
void usbip_device_encode(const UsbConfig *config, UsbSpeed speed, const char *busid,
                         unsigned devnum, uint8_t out[static USBIP_DEVICE_SIZE]);
