/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"
#include "usbfs/usb-device.h"

/* Lets time pass for a device: calls its elapse() from the event loop when next_event() says.
 * It lives as long as the device, plugged or not, since an unplugged one may be about to come
 * back. */

typedef struct UsbClock UsbClock;

int usb_clock_new(sd_event *event, UsbDevice *device, UsbClock **ret);
UsbClock *usb_clock_free(UsbClock *clock);
DEFINE_CLEANUP(UsbClock *, usb_clock_free)

/* Tell the device the time; before each thing that is asked of it. */
void usb_clock_tick(UsbClock *clock);

/* Ask the device again when it has something to do; after each thing that was asked of it. */
void usb_clock_arm(UsbClock *clock);
