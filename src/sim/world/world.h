/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "base/macro.h"
#include "usbfs/usb-clock.h"
#include "usbfs/usb-device.h"

/* The USB of a private world (see enter.h): buses with root hubs, hubs, and what is plugged into
 * them, each as node, in sysfs, in udev's records, and in uevents. */

typedef struct World World;
typedef struct WorldDevice WorldDevice;

/* Serve fuse_fd, which it takes over, as /dev/bus/usb. New nodes have that mode and belong to
 * this process's user. Bus 1 is there at once. */
int world_new(sd_event *event, int fuse_fd, mode_t mode, World **ret);
World *world_free(World *world); /* all devices must have been pulled out */
DEFINE_CLEANUP(World *, world_free)

/* Something to plug in. Strings are UTF-8 and may be NULL. */
typedef struct WorldPlug {
        UsbDevice *usb;
        UsbClock *clock;
        const char *port; /* "1-1.2"; NULL for the next free port of a root hub */
        const char *manufacturer, *product, *serial;
        /* Name of an interface, or NULL. */
        const char *(*interface_name)(unsigned interface, void *userdata);
        /* Called when a file was opened; may be NULL. */
        void (*opened)(void *userdata);
        void *userdata;
} WorldPlug;

/* -EINVAL for a port that makes no sense, -EEXIST when something is there, -ENOSPC when there is
 * no address left. */
int world_plug(World *world, const WorldPlug *plug, WorldDevice **ret);
WorldDevice *world_unplug(WorldDevice *device);

const char *world_device_port(const WorldDevice *device);
const char *world_device_node(const WorldDevice *device); /* "/dev/bus/usb/001/002" */
size_t world_device_open_files(const WorldDevice *device);

/* Whether some program claimed an interface of it. */
bool world_device_is_claimed(const WorldDevice *device);
