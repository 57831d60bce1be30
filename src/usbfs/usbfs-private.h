/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "usbfs/usbfs-node.h"

/* Between usbfs-node.c and usbfs-urb.c. */

#define USBFS_ANY_INTERFACE (-2)

#define USBFS_CLASS_DATA 0x0a /* CDC data, USB CDC 1.2, 4.5 */

/* End the pending URBs of a file on one interface, endpoint 0 being interface -1. */
void usbfs_file_kill_urbs(UsbfsFile *file, int interface, int status);

void usbfs_file_wake(UsbfsFile *file);

/* Take an interface from its driver; a claim's URBs end with -ESHUTDOWN. */
void usbfs_unbind(UsbfsNode *node, unsigned interface);

/* Whether one is the CDC control interface and the other the data interface that follows. */
bool usbfs_same_function(const UsbConfig *config, unsigned a, unsigned b);
