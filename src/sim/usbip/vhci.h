/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "usbfs/usb-device.h"

/* The kernel's virtual host controllers (module vhci_hcd) of this machine. A port is one of the
 * numbers that its "attach" file takes; they run through all controllers. */

/* Whether there are any, and whether we may use them: 0, -ENOENT or -EACCES. */
int vhci_check(void);

/* A port for full- and high-speed devices that nothing is plugged into: wanted, if that is free
 * and not negative. -ENOSPC when there is none; -EAGAIN when wanted is taken. */
int vhci_find_port(int wanted);

/* Plug in what is served at the other end of a connected socket; the caller closes fd. */
int vhci_attach(int port, int fd, unsigned devid, UsbSpeed speed);

/* The kernel's name of a port ("3-1") and, when something is there, its node. Texts are empty
 * when unknown. */
void vhci_locate(int port, char *name, size_t name_size, char *node, size_t node_size);
