/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sim-host.h"
#include "usb/transport.h"

/* A transport to a simulated probe in this process, on the host's own clock. */
typedef struct SimTransport {
        Transport base;
        Host *host;
        uint8_t in, out;
        bool cancelled; /* as if the user had pressed Ctrl-C */
} SimTransport;

/* Freed with transport_free(); the host stays the test's. */
Transport *sim_transport_new(Host *host);
