/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <libudev.h>

#include "udev/watch.h"

/* Reading one probe out of sysfs. The strings of a device and its count of interfaces are read
 * once, when it is new: the kernel takes the device's lock for them, which somebody who resets
 * a wedged probe may hold for seconds. */

/* Read a USB device. On success *ret is NULL when it is no ST-LINK, else a probe without
 * interfaces and children. A device that vanishes meanwhile gives -ENODEV. */
int udev_probe_read(struct udev_device *device, UdevProbe **ret);
UdevProbe *udev_probe_free(UdevProbe *probe);
DEFINE_CLEANUP(UdevProbe *, udev_probe_free)

/* Whether all interfaces of its configuration are there. */
bool udev_probe_is_complete(const UdevProbe *probe);

/* Whether what is plugged in there now still is this probe. */
bool udev_probe_is_present(const UdevProbe *probe);

/* List the interfaces anew. Returns 1 when something changed, 0, or a negative errno. */
int udev_probe_read_interfaces(UdevProbe *probe);

/* Whether the sysfs folder lies below the probe's; *ret_interface becomes the number of the
 * interface it belongs to. The folder itself may be gone. */
bool udev_probe_owns(const UdevProbe *probe, const char *path, uint8_t *ret_interface);

/* Add or refresh, or forget a tty or block device. Return as udev_probe_read_interfaces(). */
int udev_probe_add_child(UdevProbe *probe, struct udev_device *device, uint8_t interface);
int udev_probe_remove_child(UdevProbe *probe, const char *path);

/* Forget children whose sysfs folder is gone. Returns 1 when there were some, or 0. */
int udev_probe_prune_children(UdevProbe *probe);
