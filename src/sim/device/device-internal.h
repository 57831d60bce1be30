/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sim/device/disk.h"
#include "sim/device/endpoint.h"
#include "sim/device/spec.h"

/* What the parts of a simulated device share. */

#define ENDPOINTS_MAX 12 /* more than any product has, without endpoint 0 */

/* The command pipe of interface 0, or of the bridge: what the OUT packets mean. */
typedef struct CommandPipe {
        uint8_t *data; /* of a command that receives; NULL between commands */
        size_t wanted, got;
} CommandPipe;

/* Mass storage: one command at a time. */
typedef struct BulkOnly {
        uint8_t *data; /* of a command that receives; NULL between commands */
        size_t wanted, got;
        size_t length; /* that the host announced */
        uint32_t tag;
        bool is_stlink; /* not the disk's */
        bool failed;
} BulkOnly;

struct SimDevice {
        UsbDevice usb;
        SimSpec spec; /* its strings are not used */
        SimSerial serial;
        char serial_utf8[2 * SIM_SERIAL_MAX + 1];
        Target *target;
        Firmware *firmware;

        const Product *product; /* as it shows itself now */
        uint8_t descriptors[DESCRIPTORS_MAX];
        uint8_t configuration;
        SimEndpoint control;
        SimEndpoint endpoints[ENDPOINTS_MAX];
        size_t n_endpoints;
        CommandPipe pipe;
        BulkOnly bulk_only;
        Disk disk;
        uint8_t line_coding[2][7]; /* of up to two VCPs */

        Usec now;
        bool leaving; /* pulled out with the next look at the clock */
        bool replug;  /* and comes back on its own */
        Usec returns; /* when it comes back; USEC_INFINITY: not */
        bool pumping;
        uint32_t noise;     /* of state "garbage" */
        uint64_t completed; /* by endpoints of earlier configurations */
        uint64_t control_transfers;
        uint64_t resets;
};

/* control.c: carry out a control transfer. The length of an IN data stage, or -EPIPE. */
int device_control(SimDevice *device, UsbTransfer *transfer);

/* function.c: what endpoints do. */
SimEndpoint *device_endpoint(SimDevice *device, uint8_t address);
void device_open_endpoints(SimDevice *device);
void device_reset_functions(SimDevice *device);

/* Move one packet on that endpoint; false when nothing could be done. */
bool device_move_packet(SimDevice *device, SimEndpoint *endpoint);

/* Queue an answer of the firmware, with the faults that the day has in store. */
void device_send(SimDevice *device, SimEndpoint *in, const uint8_t *data, size_t size);

/* bulk-only.c: a packet on the OUT endpoint of a mass storage function. */
void bulk_only_packet(SimDevice *device, SimEndpoint *out, SimEndpoint *in, const uint8_t *packet,
                      size_t size);
void bulk_only_reset(BulkOnly *bot);

/* Leave the bus as soon as the host looks; come back by itself if replug. */
void device_leave(SimDevice *device, bool replug);
