/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "base/macro.h"
#include "core/ids.h"

/* Presence: which ST-LINKs are plugged in, and what the kernel made of them. udev is the only
 * source. Nothing here opens a node or sends anything to a probe.
 *
 * A probe here is what is plugged into one port now. That two of them are the same probe in
 * another mode, or on another port, is for the caller to find out.
 */

typedef struct UdevInterface {
        char *path;     /* sysfs folder */
        uint8_t number; /* bInterfaceNumber */
        uint8_t class, subclass, protocol;
        unsigned part; /* the ProbePart it belongs to; 0 for none known */
} UdevInterface;

/* What a kernel driver made of an interface: a tty or a block device. */
typedef struct UdevChild {
        char *path; /* sysfs folder */
        char *name; /* "ttyACM0", "sda" */
        char *node; /* "/dev/ttyACM0" */
        char *link; /* another name of the node, which says whose it is; NULL for none */
        dev_t number;
        uint8_t interface;
        unsigned part; /* PROBE_PART_VCP or PROBE_PART_MSD; the debug one for the disk of a V1 */
} UdevChild;

typedef struct UdevProbe {
        char *port_path; /* "1-1.2": the kernel's name, the same for each device on this port */
        char *path;      /* sysfs folder */
        char *node;      /* "/dev/bus/usb/001/002" */
        dev_t number;    /* of the node, as the kernel announced it: stat() may disagree */
        unsigned bus, address;
        uint16_t vendor_id, product_id, release; /* release is bcdDevice */
        char *serial;       /* exactly as sysfs has it, see core/serial.h; NULL for none */
        char *product_text; /* the product string, printable; NULL for none */

        /* The entry in the table of products. NULL for an unknown variant: an ID of the range
         * that ST uses for ST-LINKs, with a debug interface in their shape. */
        const ProbeProduct *product;

        unsigned parts; /* mask of ProbePart: what its interfaces are now */
        UdevInterface *interfaces;
        size_t n_interfaces;
        const UdevInterface *debug; /* interface 0; NULL while the device is not configured */
        UdevChild *children;
        size_t n_children;
} UdevProbe;

typedef enum UdevEvent {
        UDEV_ADDED,   /* plugged in and configured, or there already at the start */
        UDEV_CHANGED, /* its interfaces or children came or went */
        UDEV_REMOVED, /* gone; probe is valid until the handler returns */
} UdevEvent;

/* Called from the event loop, and from udev_watch_coldplug(). probe belongs to the watch and
 * is valid until its UDEV_REMOVED was handled; what it points to until its next event. */
typedef void (*UdevHandler)(const UdevProbe *probe, UdevEvent event, void *userdata);

typedef struct UdevWatch UdevWatch;

/* What becomes of a USB device, whatever it is, as soon as the kernel says so; udev may take
 * seconds more when the machine is busy. */
typedef enum UdevDeviceEvent {
        UDEV_DEVICE_FOREIGN, /* it is there, and no probe */
        UDEV_DEVICE_GONE,
} UdevDeviceEvent;
typedef void (*UdevDeviceHandler)(unsigned bus, unsigned address, UdevDeviceEvent event,
                                  void *userdata);

/* Start to listen. Events are kept from now on, and delivered once the loop runs. */
int udev_watch_new(sd_event *event, UdevHandler handler, void *userdata, UdevWatch **ret);
UdevWatch *udev_watch_free(UdevWatch *watch); /* does not announce anything as removed */
DEFINE_CLEANUP(UdevWatch *, udev_watch_free)

/* Have these told of, too, from now on. To be called before udev_watch_coldplug(). 0 or a negative
 * errno; then only what udev says is told. */
int udev_watch_set_devices(UdevWatch *watch, sd_event *event, UdevDeviceHandler handler,
                           void *userdata);

/* Find what is there already; to be called once after udev_watch_new(). Calls the handler. */
int udev_watch_coldplug(UdevWatch *watch);

/* Announced probes, in the order of their announcement; previous is NULL to start. */
const UdevProbe *udev_watch_next(const UdevWatch *watch, const UdevProbe *previous);
