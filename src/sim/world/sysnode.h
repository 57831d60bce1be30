/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "base/macro.h"
#include "sim/world/properties.h"

/* One device of the kernel's as programs see it: its folder in sysfs, the links to it, udev's
 * record of it, and the uevents that speak of it. */

typedef struct SysNode {
        char *path;            /* its folder, "/sys/devices/…" */
        const char *subsystem; /* "usb", "tty", "block" */
        bool is_bus;           /* the subsystem is a bus, else a class */
        const char *devtype;   /* or NULL */
        char type;             /* 'c' or 'b' when it has a device number, else 0 */
        unsigned major, minor;
        char *node;              /* below /dev; NULL without a device number */
        Properties kernel;       /* what the kernel says in its "uevent" file */
        Properties udev;         /* what udev's rules add */
        Properties links;        /* names of more links to the node, below /dev, each as "L=NAME" */
        const char *const *tags; /* ended by NULL, or NULL */
        const char *driver;      /* bound to it, or NULL; set by sysnode_set_driver() */
} SysNode;

void sysnode_done(SysNode *node);

/* Write it: uevent and dev files, links from bus, class and dev, the record in /run/udev. */
int sysnode_publish(const SysNode *node);
void sysnode_withdraw(const SysNode *node);

/* Point the "driver" link to that driver, or at none. */
int sysnode_set_driver(SysNode *node, const char *driver);

/* Tell the world: "add", "bind", "unbind", "remove". Each message gets the next number. */
int sysnode_announce(const SysNode *node, int socket, const char *action);
