/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/world/tree.h"
#include "sim/world/world-private.h"

/* Linux's list of device numbers */
#define TTY_ACM_MAJOR 166
#define SD_MAJOR      8
#define SD_MINORS     16 /* of each disk */

/* What udev's own rules and 69-stlinkd.rules give to them. */
static const char *const tty_tags[] = { "systemd", "uaccess", NULL };
static const char *const disk_tags[] = { "systemd", NULL };

static WorldChildKind wanted_kind(const WorldInterface *interface) {
        const char *driver = interface->node.driver;

        /* The control interface of an ACM function gets the tty, not the data interface. */
        if (driver && strcmp(driver, "cdc_acm") == 0 && interface->descriptor->class_code == 0x02)
                return WORLD_CHILD_TTY;
        if (driver && strcmp(driver, "usb-storage") == 0)
                return WORLD_CHILD_DISK;
        return WORLD_CHILD_NONE;
}

static int take_index(bool *taken, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (!taken[i]) {
                        taken[i] = true;
                        return (int) i;
                }
        return -ENOSPC;
}

static void add_names(SysNode *child, const WorldInterface *interface) {
        const WorldDevice *device = interface->device;

        udev_names_add(&child->udev, &device->config,
                       &(UdevStrings){ device->manufacturer, device->product, device->serial });
        properties_add(&child->udev, "ID_USB_INTERFACE_NUM", "%02x", interface->descriptor->number);
        properties_add(&child->udev, "ID_USB_DRIVER", "%s", interface->node.driver);
        properties_add(&child->udev, "ID_PATH", "pci-0000:00:14.0-usb-0:%s:%u.%u",
                       strchr(device->name, '-') + 1, device->config.value,
                       interface->descriptor->number);
}

/* A name that survives re-plug, where the serial is one. */
static void add_stable_link(SysNode *child) {
        static const char *const shared[] = { "000000000001", "303030303030303030303031",
                                              "0000001" };
        const char *serial = properties_get(&child->udev, "ID_SERIAL_SHORT");

        if (!serial || serial[strspn(serial, "0123456789abcdefABCDEF")] != '\0')
                return;
        for (size_t i = 0; i < ELEMENTSOF(shared); i++)
                if (strcmp(serial, shared[i]) == 0)
                        return;
        properties_add(&child->links, "L", "stlink/by-serial/%s/vcp-if%s", serial,
                       properties_get(&child->udev, "ID_USB_INTERFACE_NUM"));
}

static int fill_tty(WorldInterface *interface, unsigned index) {
        SysNode *child = &interface->child;
        const char *id;

        *child = (SysNode){ .subsystem = "tty",
                            .type = 'c',
                            .major = TTY_ACM_MAJOR,
                            .minor = index,
                            .tags = tty_tags };
        if (asprintf(&child->path, "%s/tty/ttyACM%u", interface->node.path, index) < 0)
                child->path = NULL;
        if (asprintf(&child->node, "ttyACM%u", index) < 0)
                child->node = NULL;
        if (!child->path || !child->node)
                return -ENOMEM;
        add_names(child, interface);
        properties_add(&child->udev, "ID_STLINK", "1");
        properties_add(&child->udev, "ID_MM_PORT_IGNORE", "1");
        id = properties_get(&child->udev, "ID_SERIAL");
        if (id)
                properties_add(&child->links, "L", "serial/by-id/usb-%s-if%02x", id,
                               interface->descriptor->number);
        properties_add(&child->links, "L", "serial/by-path/%s",
                       properties_get(&child->udev, "ID_PATH"));
        add_stable_link(child);
        return 0;
}

static int fill_disk(WorldInterface *interface, unsigned index) {
        SysNode *child = &interface->child;
        const char *id;

        *child = (SysNode){ .subsystem = "block",
                            .devtype = "disk",
                            .type = 'b',
                            .major = SD_MAJOR,
                            .minor = SD_MINORS * index,
                            .tags = disk_tags };
        if (asprintf(&child->path, "%s/host%u/target%u:0:0/%u:0:0:0/block/sd%c",
                     interface->node.path, index, index, index, (char) ('a' + index)) < 0)
                child->path = NULL;
        if (asprintf(&child->node, "sd%c", (char) ('a' + index)) < 0)
                child->node = NULL;
        if (!child->path || !child->node)
                return -ENOMEM;
        add_names(child, interface);
        properties_add(&child->udev, "ID_STLINK", "1");
        properties_add(&child->udev, "UDISKS_AUTO", "0");
        id = properties_get(&child->udev, "ID_SERIAL");
        if (id)
                properties_add(&child->links, "L", "disk/by-id/usb-%s-0:0", id);
        properties_add(&child->links, "L", "disk/by-path/%s-scsi-0:0:0:0",
                       properties_get(&child->udev, "ID_PATH"));
        return 0;
}

static void write_child(int *r, const WorldInterface *interface) {
        const char *folder = interface->child.path;
        char path[PATH_MAX];

        if (interface->child_kind == WORLD_CHILD_DISK) {
                tree_print(r, folder, "size", "0\n");
                tree_print(r, folder, "removable", "1\n");
                tree_print(r, folder, "ro", "0\n");
                return;
        }
        snprintf(path, sizeof(path), "%s/device", folder);
        tree_link(r, interface->node.path, path);
}

static int add_child(WorldInterface *interface, WorldChildKind kind) {
        World *world = interface->device->world;
        int r;

        r = kind == WORLD_CHILD_TTY ? take_index(world->ttys, ELEMENTSOF(world->ttys))
                                    : take_index(world->disks, ELEMENTSOF(world->disks));
        if (r < 0)
                return r;
        interface->child_kind = kind;
        interface->child_index = (unsigned) r;
        r = kind == WORLD_CHILD_TTY ? fill_tty(interface, interface->child_index)
                                    : fill_disk(interface, interface->child_index);
        if (r < 0)
                return r;
        write_child(&r, interface);
        if (r == 0)
                r = sysnode_publish(&interface->child);
        if (r == 0)
                r = sysnode_announce(&interface->child, world->uevents, "add");
        return r;
}

void world_interface_remove_child(WorldInterface *interface) {
        World *world = interface->device->world;

        if (interface->child_kind == WORLD_CHILD_NONE)
                return;
        if (interface->child_kind == WORLD_CHILD_TTY)
                world->ttys[interface->child_index] = false;
        else
                world->disks[interface->child_index] = false;
        interface->child_kind = WORLD_CHILD_NONE;
        if (interface->child.path && interface->child.node) {
                char folder[PATH_MAX];

                sysnode_withdraw(&interface->child);
                snprintf(folder, sizeof(folder), "%s/tty", interface->node.path);
                tree_remove(folder);
                snprintf(folder, sizeof(folder), "%s/host%u", interface->node.path,
                         interface->child_index);
                tree_remove(folder);
                (void) sysnode_announce(&interface->child, world->uevents, "remove");
        }
        sysnode_done(&interface->child);
}

int world_interface_update_child(WorldInterface *interface) {
        WorldChildKind kind = wanted_kind(interface);
        int r;

        if (kind == interface->child_kind)
                return 0;
        world_interface_remove_child(interface);
        if (kind == WORLD_CHILD_NONE)
                return 0;
        r = add_child(interface, kind);
        if (r < 0)
                world_interface_remove_child(interface);
        return r;
}
