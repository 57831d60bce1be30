/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* What the kernel's usbfs lets one do with a node beside transfers. All return 0 or a negative
 * errno; -ENODEV when the probe is gone. */

/* Open the node of a device for reading and writing; path must be /dev/bus/usb/BBB/DDD with just
 * these numbers (else -EINVAL), and what is there must have them too (else -ENODEV). */
int node_open(const char *path, uint8_t bus, uint8_t device, int *ret_fd);

/* Whether the descriptor belongs to a device that is still there, and its number on the bus. */
int node_get_device(int fd, uint8_t *ret_device);

/* The driver that has claimed an interface, "usbfs" when it is a program; -ENODATA: none. */
#define NODE_DRIVER_MAX 256
int node_get_driver(int fd, unsigned interface, char *driver);

/* Take an interface away from whoever has claimed it, program or kernel driver; not from us. */
int node_detach(int fd, unsigned interface);

/* Let the kernel look for a driver for an interface that nobody has claimed. */
int node_attach(int fd, unsigned interface);

/* Claim an interface for this open file: -EBUSY when a program or a driver has it, -EACCES when
 * the file was limited to others. */
int node_claim(int fd, unsigned interface);

/* Give up a claim that was made through this open file; nothing happens when there is none. */
int node_release(int fd, unsigned interface);

/* Set an interface that this file has claimed up anew: its endpoints begin at the beginning. */
int node_set_up(int fd, unsigned interface);

/* Reset the port. Claims stay; -ENODEV when the device came back as another one, or not at all.
 * Can take seconds. */
int node_reset(int fd);

/* Limit this open file, and all copies of its descriptor, to claiming the interfaces in mask, for
 * good: no driver is detached, no other interface claimed through it any more. */
int node_limit(int fd, uint32_t mask);
