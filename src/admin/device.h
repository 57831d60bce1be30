/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

/* One ST-LINK, by its folder in sysfs. Nothing else is ever touched. */

#define DEVICE_PORT_MAX 64
#define DEVICE_NODE_MAX 32

typedef struct AdminDevice {
        int dirfd; /* its folder, -EBADF for none */
        char port[DEVICE_PORT_MAX];
        char node[DEVICE_NODE_MAX]; /* "/dev/bus/usb/001/004" */
} AdminDevice;

void device_done(AdminDevice *device);
#define _cleanup_device_ _cleanup_(device_done)

/* The ST-LINK on a port, which must be the one that has this node: that tells it from another
 * one that was plugged in since. -ENODEV when it is gone, -EINVAL when it is none. */
int device_find(const char *port, const char *node, AdminDevice *ret, sd_bus_error *error);

/* The ST-LINK that has this node, as udev names it. -EINVAL, -ENODEV. */
int device_find_node(const char *node, AdminDevice *ret);

/* Call for each ST-LINK that is plugged in. Returns the first negative that each() does. */
int device_for_each(int (*each)(const AdminDevice *device, void *userdata), void *userdata);

/* Nobody but these processes has the node open; -EBUSY with error filled in that names him. */
int device_check_unused(const AdminDevice *device, const pid_t *allowed, size_t n,
                        sd_bus_error *error);

/* Have the kernel drop its configuration, and choose it anew. Takes half a second, or as long as
 * a probe that does not answer takes the kernel. */
int device_reauthorize(const AdminDevice *device);

/* Switch its port off for a second. Whether that takes its power away is up to the hub. On success
 * the device is another one. -EOPNOTSUPP when the kernel has no such switch. */
int device_power_cycle(const AdminDevice *device);
