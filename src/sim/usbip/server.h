/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sim/control/bench.h"

/* Serves the probes of a bench to whoever comes over TCP with "usbip attach". A probe's bus id
 * is "1-" and its number. */

typedef struct UsbipServer UsbipServer;

/* Listen at "ADDRESS:PORT" ("[::1]:3240" for IPv6), or at "PORT" of 127.0.0.1; port 0 picks one.
 * -EINVAL for an address that is none. */
int usbip_server_new(Bench *bench, const char *address, UsbipServer **ret);
UsbipServer *usbip_server_free(UsbipServer *server); /* after bench_close() */
DEFINE_CLEANUP(UsbipServer *, usbip_server_free)

/* The port that it listens at. */
unsigned usbip_server_port(const UsbipServer *server);

/* Its door; the userdata is the server. */
extern const BenchDoorOps usbip_server_door;
