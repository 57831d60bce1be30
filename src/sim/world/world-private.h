/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <limits.h>

#include "base/list.h"
#include "sim/world/hub.h"
#include "sim/world/sysnode.h"
#include "sim/world/udev-names.h"
#include "sim/world/world.h"
#include "usbfs/usbfs.h"

/* Between world.c, device.c and children.c. */

#define WORLD_NAME_SIZE  32
#define WORLD_CONTROLLER "/sys/devices/pci0000:00/0000:00:14.0" /* of all buses */
#define WORLD_DEVNUMS    127                                    /* of a bus */

typedef struct WorldBus WorldBus;

/* What a kernel driver makes of an interface. */
typedef enum WorldChildKind {
        WORLD_CHILD_NONE,
        WORLD_CHILD_TTY,
        WORLD_CHILD_DISK,
} WorldChildKind;

typedef struct WorldInterface {
        WorldDevice *device;
        const UsbInterface *descriptor;
        SysNode node;
        WorldChildKind child_kind; /* of child, while it is there */
        unsigned child_index;
        SysNode child;
} WorldInterface;

struct WorldDevice {
        World *world;
        List link;
        WorldBus *bus;
        WorldDevice *parent; /* NULL for a root hub */
        unsigned port;       /* of the parent; 0 for a root hub */
        char name[WORLD_NAME_SIZE];
        char node_path[32];
        unsigned devnum;
        Hub *hub; /* NULL unless it is one; owned */
        UsbConfig config;
        UsbfsEntry *entry;
        SysNode node;
        WorldInterface interfaces[USB_INTERFACES_MAX];
        size_t n_interfaces;
        char *manufacturer, *product, *serial;
        void (*opened)(void *userdata);
        void *userdata;
};

struct WorldBus {
        List link;
        unsigned number;
        unsigned last_devnum;
        WorldDevice *root;
        UsbClock *clock; /* for its hubs, to which no time passes */
};

struct World {
        sd_event *event;
        Usbfs *fs;
        int uevents;
        List buses;
        List devices; /* hubs too */
        bool ttys[256];
        bool disks[26];
};

/* device.c: show a device whose place and address are known, and take it away again. */
int world_device_show(WorldDevice *device, const WorldPlug *plug);
void world_device_hide(WorldDevice *device);

/* children.c: make or remove what a kernel driver makes, for the driver that is bound now. */
int world_interface_update_child(WorldInterface *interface);
void world_interface_remove_child(WorldInterface *interface);
