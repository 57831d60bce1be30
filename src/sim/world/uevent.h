/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "sim/world/properties.h"

/* Messages as systemd-udevd sends them to libudev's monitors, over real netlink. */

typedef struct UeventMessage {
        const char *subsystem;
        const char *devtype;     /* or NULL */
        const char *const *tags; /* ended by NULL, or NULL */
        const Properties *properties;
} UeventMessage;

/* A socket to send from; needs CAP_NET_ADMIN in the network namespace. */
int uevent_open(void);

/* That nobody listens, or that a listener is too slow, is no error. */
int uevent_send(int socket, const UeventMessage *message);

/* The hash by which libudev's socket filters compare names. */
uint32_t uevent_hash(const char *text);
