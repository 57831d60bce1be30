/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"
#include "usbfs/usb-clock.h"
#include "usbfs/usb-device.h"

/* One device served to one host over a connected socket, from the moment the host has imported
 * it. Ending the link pulls the device out of that host. */

typedef struct UsbipLink UsbipLink;

/* closed is called, once and from the event loop, when the host hung up or spoke nonsense; it
 * may free the link. Takes fd over on success. The device must be attached. */
int usbip_link_new(sd_event *event, int fd, UsbDevice *device, UsbClock *clock,
                   void (*closed)(void *userdata), void *userdata, UsbipLink **ret);
UsbipLink *usbip_link_free(UsbipLink *link);
DEFINE_CLEANUP(UsbipLink *, usbip_link_free)
