/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ids.h"
#include "sim/world/tree.h"
#include "sim/world/world-private.h"

#define USB_MAJOR 189 /* Linux's list of device numbers */

/* What 69-stlinkd.rules gives to a probe; a hub has none. */
static const char *const probe_tags[] = { "systemd", "uaccess", NULL };

static void add_rules(SysNode *node) {
        properties_add(&node->udev, "ID_STLINK", "1");
        properties_add(&node->udev, "ID_DEBUG_APPLIANCE", "stlink");
        properties_add(&node->udev, "ID_MM_DEVICE_IGNORE", "1");
        properties_add(&node->udev, "SYSTEMD_WANTS", "stlinkd.service");
        node->tags = probe_tags;
}

static const char *speed_text(UsbSpeed speed) {
        return speed == USB_SPEED_HIGH_480M ? "480" : "12";
}

static void write_config(int *r, const WorldDevice *device) {
        const UsbConfig *c = &device->config;
        const char *folder = device->node.path;

        tree_print(r, folder, "version", "%2x.%02x\n", c->usb_version >> 8, c->usb_version & 0xff);
        tree_print(r, folder, "idVendor", "%04x\n", c->vendor_id);
        tree_print(r, folder, "idProduct", "%04x\n", c->product_id);
        tree_print(r, folder, "bcdDevice", "%04x\n", c->release);
        tree_print(r, folder, "bDeviceClass", "%02x\n", c->class_code);
        tree_print(r, folder, "bDeviceSubClass", "%02x\n", c->subclass);
        tree_print(r, folder, "bDeviceProtocol", "%02x\n", c->protocol);
        tree_print(r, folder, "bMaxPacketSize0", "%u\n", c->max_packet);
        tree_print(r, folder, "bNumConfigurations", "%u\n", c->n_configurations);
        tree_print(r, folder, "bConfigurationValue", "%u\n", c->value);
        tree_print(r, folder, "bNumInterfaces", "%2u\n", c->n_interfaces);
        tree_print(r, folder, "bmAttributes", "%02x\n", c->attributes);
        tree_print(r, folder, "configuration", "%s", ""); /* no string */
        tree_print(r, folder, "bMaxPower", "%umA\n", c->milliamps);
}

static void write_device(int *r, const WorldDevice *device, const WorldPlug *plug) {
        const char *folder = device->node.path;
        const char *const strings[][2] = { { "manufacturer", device->manufacturer },
                                           { "product", device->product },
                                           { "serial", device->serial } };
        char path[PATH_MAX];

        write_config(r, device);
        for (size_t i = 0; i < ELEMENTSOF(strings); i++)
                if (strings[i][1])
                        tree_print(r, folder, strings[i][0], "%s\n", strings[i][1]);
        tree_print(r, folder, "busnum", "%u\n", device->bus->number);
        tree_print(r, folder, "devnum", "%u\n", device->devnum);
        tree_print(r, folder, "devpath", "%s\n",
                   device->parent ? strchr(device->name, '-') + 1 : "0");
        tree_print(r, folder, "speed", "%s\n", speed_text(plug->usb->speed));
        tree_print(r, folder, "maxchild", "%u\n", device->hub ? hub_ports(device->hub) : 0);
        tree_print(r, folder, "authorized", "1\n");
        tree_print(r, folder, "removable", device->parent ? "removable\n" : "unknown\n");
        tree_print(r, folder, "quirks", "0x0\n");
        tree_print(r, folder, "urbnum", "0\n");
        tree_print(r, folder, "rx_lanes", "1\n");
        tree_print(r, folder, "tx_lanes", "1\n");
        tree_print(r, folder, "power/control", "on\n");
        tree_print(r, folder, "power/runtime_status", "active\n");
        snprintf(path, sizeof(path), "%s/descriptors", folder);
        tree_write(r, path, plug->usb->descriptors, plug->usb->descriptors_size);
}

static int fill_device(WorldDevice *device) {
        const char *above = device->parent ? device->parent->node.path : WORLD_CONTROLLER;
        const UsbConfig *c = &device->config;
        SysNode *node = &device->node;

        node->subsystem = "usb";
        node->is_bus = true;
        node->devtype = "usb_device";
        node->type = 'c';
        node->major = USB_MAJOR;
        node->minor = (device->bus->number - 1) * 128 + device->devnum - 1;
        if (asprintf(&node->path, "%s/%s", above, device->name) < 0)
                node->path = NULL;
        node->node = strdup(device->node_path + strlen("/dev/"));
        if (!node->path || !node->node)
                return -ENOMEM;
        properties_add(&node->kernel, "PRODUCT", "%x/%x/%x", c->vendor_id, c->product_id,
                       c->release);
        properties_add(&node->kernel, "TYPE", "%u/%u/%u", c->class_code, c->subclass, c->protocol);
        properties_add(&node->kernel, "BUSNUM", "%03u", device->bus->number);
        properties_add(&node->kernel, "DEVNUM", "%03u", device->devnum);
        udev_names_add(&node->udev, c,
                       &(UdevStrings){ device->manufacturer, device->product, device->serial });
        properties_add(&node->udev, "ID_PATH", "pci-0000:00:14.0-usb-0:%s",
                       device->parent ? strchr(device->name, '-') + 1 : "0");
        if (probe_product_find(c->vendor_id, c->product_id))
                add_rules(node);
        return 0;
}

static int fill_interface(WorldInterface *interface) {
        const WorldDevice *device = interface->device;
        const UsbConfig *c = &device->config;
        const UsbInterface *d = interface->descriptor;
        SysNode *node = &interface->node;
        char name[WORLD_NAME_SIZE + 16];

        if (device->parent)
                snprintf(name, sizeof(name), "%s:%u.%u", device->name, c->value, d->number);
        else
                snprintf(name, sizeof(name), "%u-0:%u.%u", device->bus->number, c->value,
                         d->number);
        node->subsystem = "usb";
        node->is_bus = true;
        node->devtype = "usb_interface";
        if (asprintf(&node->path, "%s/%s", device->node.path, name) < 0) {
                node->path = NULL;
                return -ENOMEM;
        }
        properties_add(&node->kernel, "PRODUCT", "%x/%x/%x", c->vendor_id, c->product_id,
                       c->release);
        properties_add(&node->kernel, "TYPE", "%u/%u/%u", c->class_code, c->subclass, c->protocol);
        properties_add(&node->kernel, "INTERFACE", "%u/%u/%u", d->class_code, d->subclass,
                       d->protocol);
        properties_add(&node->kernel, "MODALIAS",
                       "usb:v%04Xp%04Xd%04Xdc%02Xdsc%02Xdp%02Xic%02Xisc%02Xip%02Xin%02X",
                       c->vendor_id, c->product_id, c->release, c->class_code, c->subclass,
                       c->protocol, d->class_code, d->subclass, d->protocol, d->number);
        return 0;
}

static void write_interface(int *r, const WorldInterface *interface, const char *name) {
        const UsbInterface *d = interface->descriptor;
        const char *folder = interface->node.path;

        tree_print(r, folder, "bInterfaceNumber", "%02x\n", d->number);
        tree_print(r, folder, "bAlternateSetting", "%2u\n", d->alternate);
        tree_print(r, folder, "bNumEndpoints", "%02x\n", d->declared_endpoints);
        tree_print(r, folder, "bInterfaceClass", "%02x\n", d->class_code);
        tree_print(r, folder, "bInterfaceSubClass", "%02x\n", d->subclass);
        tree_print(r, folder, "bInterfaceProtocol", "%02x\n", d->protocol);
        tree_print(r, folder, "modalias", "%s\n",
                   properties_get(&interface->node.kernel, "MODALIAS"));
        tree_print(r, folder, "authorized", "1\n");
        tree_print(r, folder, "supports_autosuspend", "1\n");
        if (name)
                tree_print(r, folder, "interface", "%s\n", name);
}

static int show_interface(WorldDevice *device, const UsbInterface *descriptor,
                          const WorldPlug *plug) {
        WorldInterface *interface = &device->interfaces[device->n_interfaces];
        const char *driver = usbfs_entry_driver(device->entry, descriptor->number);
        int r;

        *interface = (WorldInterface){ .device = device, .descriptor = descriptor };
        r = fill_interface(interface);
        if (r < 0)
                return r;
        device->n_interfaces++;
        if (plug->interface_name)
                write_interface(&r, interface,
                                plug->interface_name(descriptor->number, plug->userdata));
        else
                write_interface(&r, interface, NULL);
        if (r == 0)
                r = sysnode_publish(&interface->node);
        if (r == 0 && driver)
                r = sysnode_set_driver(&interface->node, driver);
        return r;
}

/* Another driver has an interface: usbfs on a claim, or the kernel's. Programs read the link;
 * claims send no uevent in the kernel either. */
static void on_driver_changed(unsigned number, const char *driver, void *userdata) {
        WorldDevice *device = userdata;

        for (size_t i = 0; i < device->n_interfaces; i++) {
                WorldInterface *interface = &device->interfaces[i];

                if (interface->descriptor->number != number)
                        continue;
                (void) sysnode_set_driver(&interface->node, driver);
                (void) world_interface_update_child(interface);
        }
}

static void on_opened(void *userdata) {
        WorldDevice *device = userdata;

        if (device->opened)
                device->opened(device->userdata);
}

static void on_closed(void *userdata) {
        (void) userdata;
}

static const UsbfsNodeOps node_operations = {
        .driver_changed = on_driver_changed,
        .opened = on_opened,
        .closed = on_closed,
};

static int copy_strings(WorldDevice *device, const WorldPlug *plug) {
        const char *const from[] = { plug->manufacturer, plug->product, plug->serial };
        char **const to[] = { &device->manufacturer, &device->product, &device->serial };

        for (size_t i = 0; i < ELEMENTSOF(from); i++) {
                if (!from[i])
                        continue;
                *to[i] = strdup(from[i]);
                if (!*to[i])
                        return -ENOMEM;
        }
        return 0;
}

static int show_interfaces(WorldDevice *device, const WorldPlug *plug) {
        for (size_t i = 0; i < device->config.n_settings; i++) {
                int r = device->config.interfaces[i].alternate > 0
                                ? 0
                                : show_interface(device, &device->config.interfaces[i], plug);

                if (r < 0)
                        return r;
        }
        return 0;
}

static void announce_arrival(WorldDevice *device) {
        int socket = device->world->uevents;

        (void) sysnode_announce(&device->node, socket, "add");
        for (size_t i = 0; i < device->n_interfaces; i++)
                (void) sysnode_announce(&device->interfaces[i].node, socket, "add");
        for (size_t i = 0; i < device->n_interfaces; i++) {
                (void) world_interface_update_child(&device->interfaces[i]);
                if (device->interfaces[i].node.driver)
                        (void) sysnode_announce(&device->interfaces[i].node, socket, "bind");
        }
        (void) sysnode_announce(&device->node, socket, "bind");
}

int world_device_show(WorldDevice *device, const WorldPlug *plug) {
        const UsbfsPlug usbfs_plug_in = { .bus = device->bus->number,
                                          .devnum = device->devnum,
                                          .device = plug->usb,
                                          .clock = plug->clock,
                                          .ops = &node_operations,
                                          .userdata = device };
        int r;

        device->opened = plug->opened;
        device->userdata = plug->userdata;
        r = usb_config_parse(plug->usb->descriptors, plug->usb->descriptors_size, &device->config);
        if (r == 0)
                r = copy_strings(device, plug);
        if (r == 0)
                r = fill_device(device);
        if (r == 0)
                r = usbfs_plug(device->world->fs, &usbfs_plug_in, &device->entry);
        if (r < 0)
                return r;
        write_device(&r, device, plug);
        if (r == 0)
                r = sysnode_publish(&device->node);
        if (r == 0)
                r = sysnode_set_driver(&device->node, "usb");
        if (r == 0)
                r = show_interfaces(device, plug);
        if (r == 0)
                announce_arrival(device);
        return r;
}

void world_device_hide(WorldDevice *device) {
        int socket = device->world->uevents;

        /* First of all the programs that have it open must learn that it is gone. */
        device->entry = usbfs_unplug(device->entry);
        for (size_t i = 0; i < device->n_interfaces; i++) {
                WorldInterface *interface = &device->interfaces[i];

                world_interface_remove_child(interface);
                if (interface->node.driver) {
                        (void) sysnode_set_driver(&interface->node, NULL);
                        (void) sysnode_announce(&interface->node, socket, "unbind");
                }
                sysnode_withdraw(&interface->node);
                (void) sysnode_announce(&interface->node, socket, "remove");
                sysnode_done(&interface->node);
        }
        device->n_interfaces = 0;
        if (device->node.path && device->node.node) {
                (void) sysnode_set_driver(&device->node, NULL);
                (void) sysnode_announce(&device->node, socket, "unbind");
                sysnode_withdraw(&device->node);
                (void) sysnode_announce(&device->node, socket, "remove");
        }
        sysnode_done(&device->node);
}
