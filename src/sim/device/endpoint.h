/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "usbfs/usb-device.h"

/* One endpoint: the host's transfers that wait on it, and for IN what the device has to send.
 * Messages leave in packets; a transfer ends with a short packet or when it is full. */
typedef struct SimEndpoint {
        uint8_t address;
        uint16_t packet_size;
        UsbTransferType type;
        bool halted;
        List transfers;
        List messages;
        size_t n_messages;
        uint64_t completed; /* transfers that ended well */
} SimEndpoint;

void endpoint_init(SimEndpoint *endpoint, uint8_t address, uint16_t packet_size,
                   UsbTransferType type);

/* Forget what was to be sent, and any halt. */
void endpoint_clear(SimEndpoint *endpoint);

/* End all transfers with that status. */
void endpoint_flush(SimEndpoint *endpoint, int status);

/* Queue a message (at least one byte), or a halt behind what is queued. 0 or -ENOMEM. */
int endpoint_send(SimEndpoint *endpoint, const uint8_t *data, size_t size);
int endpoint_send_halt(SimEndpoint *endpoint);

/* The first transfer, if its time has come. */
UsbTransfer *endpoint_first(const SimEndpoint *endpoint, Usec now);

/* Take the transfer out of the list and tell its owner. */
void endpoint_complete(SimEndpoint *endpoint, UsbTransfer *transfer, int status);

/* -EINVAL when the transfer is not pending here. */
int endpoint_cancel(SimEndpoint *endpoint, UsbTransfer *transfer);

/* Move one packet to the host; false when nothing could be done. */
bool endpoint_send_packet(SimEndpoint *endpoint, Usec now);

/* Take one packet from the host, if any: its bytes stay the transfer's. endpoint_taken() must
 * follow, which ends the transfer if that was its last packet. */
UsbTransfer *endpoint_take_packet(SimEndpoint *endpoint, Usec now, const uint8_t **ret,
                                  size_t *ret_size);
void endpoint_taken(SimEndpoint *endpoint, UsbTransfer *transfer);
