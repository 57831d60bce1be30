/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/time.h"
#include "usb/transport.h"

/* The real pipes: libusb over a descriptor of the node. */

typedef struct UsbOptions {
        unsigned timeout_ms; /* for one transfer; 0: 1000 */
        int cancel_fd;       /* everything ends with -ECANCELED when this is readable; -EBADF */
        Usec claim_budget;   /* give the debug interface up for a moment whenever it was claimed
                              * for that long, so that others get at it; 0: hold it */
} UsbOptions;

/* Wrap fd, which stays the caller's and must outlive the transport, and claim the debug
 * interface. No kernel driver is detached and nothing is sent on the bulk endpoints.
 *   -EBUSY    some other program or a kernel driver has claimed it
 *   -EACCES   this descriptor is not allowed to
 *   -ENODEV   unplugged
 *   -EPROTO   no ST-LINK, or its descriptors are not those of one
 *   -ENOMEM, -EIO */
int transport_libusb_new(int fd, const UsbOptions *options, Transport **ret);

/* The longest time for which the interface was claimed without a break, so far. */
Usec transport_libusb_longest_claim(const Transport *transport);
