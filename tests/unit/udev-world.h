/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A sysfs of our own and udev's netlink messages, in namespaces of this process. */

/* Returns 0, or a negative errno; *ret_why then says which step was refused. */
int world_enter(const char **ret_why);

/* Write a file below /sys, with its folders. */
void world_write(const char *path, const void *data, size_t size);
void world_remove(const char *path); /* a file, link or folder with all that is in it */

typedef struct WorldInterface {
        uint8_t class, subclass, protocol;
} WorldInterface;

/* Make the sysfs folder of a USB device on port "1-1" and the like, without interfaces. */
void world_add_device(const char *port, unsigned address, uint16_t vendor, uint16_t product,
                      const char *serial, unsigned n_interfaces);
void world_add_interface(const char *port, unsigned number, WorldInterface interface);
void world_add_tty(const char *port, unsigned interface, const char *name);
void world_add_disk(const char *port, unsigned interface, const char *name);
void world_remove_device(const char *port);

/* Send what udevd would. path is relative to the device: "" for itself, ":1.2", or
 * ":1.2/tty/ttyACM0"; subsystem and devtype (or NULL) as udev has them. */
void world_send(const char *action, const char *port, unsigned address, const char *path,
                const char *subsystem, const char *devtype);
