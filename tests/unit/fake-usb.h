/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "usbfs/usb-device.h"

/* The smallest USB device with which doors can be tested. It echoes: what is written to endpoint
 * 02 comes back from 81, and what is written to 04 from 84. Endpoint 83 is an interrupt endpoint
 * that never has anything.
 *
 *   interface 0   vendor-specific, endpoints 02 81 83
 *   interface 1   mass storage, endpoints 04 84; has an alternate setting 1
 *   interface 2   CDC control, 3   CDC data */

/* Vendor requests (bmRequestType 40 or c0) on endpoint 0. */
enum {
        FAKE_REQUEST_PATTERN = 1, /* IN: bytes that count up */
        FAKE_REQUEST_NEVER = 2,   /* never completes */
        FAKE_REQUEST_LEAVE = 3,   /* OUT: leaves the bus at once; wValue: back after that many ms,
                                   * 0 for never. The request itself ends with -ESHUTDOWN. */
        FAKE_REQUEST_VANISH = 4,  /* the same, but submit fails with -ENODEV */
};

typedef struct FakeUsb {
        UsbDevice usb;
        List pending;
        struct {
                uint8_t *data;
                size_t size;
        } echo[16];
        Usec now, returns;
        unsigned n_resets, n_cleared;
} FakeUsb;

void fake_usb_init(FakeUsb *fake);
void fake_usb_done(FakeUsb *fake);

/* Pull it out, as by hand. */
void fake_usb_leave(FakeUsb *fake);
