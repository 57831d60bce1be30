/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/macro.h"
#include "usbfs/usb-device.h"

/* A USB hub, as far as programs look at one: descriptors, strings, state of its ports. */

#define HUB_PORTS_MAX 31

typedef struct Hub Hub;

/* A root hub names the kernel as its maker and sysfs's address of its controller as serial. */
int hub_new(bool root, unsigned n_ports, const char *serial, Hub **ret);
Hub *hub_free(Hub *hub);
DEFINE_CLEANUP(Hub *, hub_free)

UsbDevice *hub_usb(Hub *hub);
unsigned hub_ports(const Hub *hub);
const char *hub_manufacturer(const Hub *hub);
const char *hub_product(const Hub *hub);
const char *hub_serial(const Hub *hub); /* NULL if it has none */

/* Something was plugged into a port, counted from 1, or pulled out of it. */
void hub_set_port(Hub *hub, unsigned port, bool connected, UsbSpeed speed);
