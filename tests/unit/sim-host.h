/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sim/device/sim-device.h"

/* A USB host in front of one simulated probe, for tests: transfers that wait for their end,
 * on a clock that moves only by waiting. */
typedef struct Host {
        SimDevice *device;
        UsbDevice *usb;
        Usec now;
        unsigned detached, attached;
        bool in_turn; /* its transports ask for an answer only when the command has gone */
} Host;

/* Aborts the test when the text is no specification. */
void host_init(Host *host, const char *spec);
void host_done(Host *host);

#define HOST_TIMEOUT (100 * USEC_PER_MSEC)

/* A transfer under way. */
typedef struct HostTransfer {
        UsbTransfer transfer;
        bool done;
} HostTransfer;

/* Start a bulk transfer: 0 or what submitting it said. */
int host_start(Host *host, HostTransfer *t, uint8_t endpoint, void *data, size_t size);

/* Wait for its end, as below. */
int host_finish(Host *host, HostTransfer *t);

/* Each returns the bytes transferred or a negative errno, -ETIMEDOUT after HOST_TIMEOUT. */
int host_bulk(Host *host, uint8_t endpoint, void *data, size_t size);
int host_control(Host *host, uint8_t type, uint8_t code, uint16_t value, uint16_t index, void *data,
                 uint16_t size);

/* Let time pass. */
void host_wait(Host *host, Usec span);

/* Send a command of n bytes, padded, on the debug pipe. */
int host_send(Host *host, const uint8_t *command, size_t n);

/* Send a command and read its answer into reply. */
int host_ask(Host *host, const uint8_t *command, size_t n, uint8_t *reply, size_t size);

/* The same from a list of bytes. */
#define HOST_SEND(host, ...) \
        host_send(host, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))
#define HOST_ASK(host, reply, size, ...)                                                           \
        host_ask(host, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), \
                 reply, size)
