/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "sim/world/tree.h"
#include "sim/world/uevent.h"
#include "sim/world/world-private.h"

#define ROOT_HUB_PORTS 31
#define HUB_PORTS      4
#define HUB_DEPTH      6 /* ports in a path; USB 2.0, 4.1.1: five hubs between root and device */

static WorldDevice *device_free(WorldDevice *device) {
        if (!device)
                return NULL;
        assert(!device->entry);
        list_remove(&device->link);
        if (device->parent)
                hub_set_port(device->parent->hub, device->port, false, USB_SPEED_FULL_12M);
        hub_free(device->hub);
        free(device->manufacturer);
        free(device->product);
        free(device->serial);
        free(device);
        return NULL;
}
DEFINE_CLEANUP(WorldDevice *, device_free)

/* Addresses go round, so that one that was just given up is not given out again at once. */
static int take_devnum(World *world, WorldBus *bus) {
        for (unsigned i = 0; i < WORLD_DEVNUMS; i++) {
                unsigned devnum = (bus->last_devnum + i) % WORLD_DEVNUMS + 1;
                bool taken = false;

                LIST_FOREACH(&world->devices, WorldDevice, device, link)
                        taken |= device->bus == bus && device->devnum == devnum;
                if (!taken) {
                        bus->last_devnum = devnum;
                        return (int) devnum;
                }
        }
        return -ENOSPC;
}

/* A place for a device: a port of a hub. A root hub has none. */
typedef struct Place {
        WorldBus *bus;
        WorldDevice *hub;
        unsigned port;
} Place;

static void name_device(WorldDevice *device) {
        const WorldDevice *parent = device->parent;
        unsigned bus = device->bus->number;

        if (!parent)
                snprintf(device->name, sizeof(device->name), "usb%u", bus);
        else if (!parent->parent)
                snprintf(device->name, sizeof(device->name), "%u-%u", bus, device->port);
        else
                snprintf(device->name, sizeof(device->name), "%.24s.%u", parent->name,
                         device->port);
        snprintf(device->node_path, sizeof(device->node_path), "/dev/bus/usb/%03u/%03u", bus,
                 device->devnum);
}

/* Take an address for what is going to be in a place, and show it. hub is taken over in any
 * case, and NULL unless the device is a hub. */
static int add_device(World *world, const Place *place, const WorldPlug *plug, Hub *hub,
                      WorldDevice **ret) {
        _cleanup_(device_freep) WorldDevice *device = calloc(1, sizeof(WorldDevice));
        int r;

        if (!device) {
                hub_free(hub);
                return -ENOMEM;
        }
        list_init(&device->link);
        device->hub = hub;
        device->world = world;
        device->bus = place->bus;
        r = take_devnum(world, place->bus);
        if (r < 0)
                return r;
        device->devnum = (unsigned) r;
        device->parent = place->hub;
        device->port = place->port;
        name_device(device);
        list_append(&world->devices, &device->link);
        if (device->parent)
                hub_set_port(device->parent->hub, device->port, true, plug->usb->speed);
        r = world_device_show(device, plug);
        if (r < 0) {
                world_device_hide(device);
                return r;
        }
        *ret = TAKE_PTR(device);
        return 0;
}

static int add_hub(World *world, const Place *place, WorldDevice **ret) {
        _cleanup_(hub_freep) Hub *hub = NULL;
        WorldBus *bus = place->bus;
        WorldPlug plug;
        int r;

        r = place->hub ? hub_new(false, HUB_PORTS, NULL, &hub)
                       : hub_new(true, ROOT_HUB_PORTS, "0000:00:14.0", &hub);
        if (r < 0)
                return r;
        if (!bus->clock) {
                r = usb_clock_new(world->event, hub_usb(hub), &bus->clock);
                if (r < 0)
                        return r;
        }
        plug = (WorldPlug){ .usb = hub_usb(hub),
                            .clock = bus->clock,
                            .manufacturer = hub_manufacturer(hub),
                            .product = hub_product(hub),
                            .serial = hub_serial(hub) };
        return add_device(world, place, &plug, TAKE_PTR(hub), ret);
}

static int get_bus(World *world, unsigned number, WorldBus **ret) {
        WorldBus *bus;
        int r;

        LIST_FOREACH(&world->buses, WorldBus, known, link)
                if (known->number == number) {
                        *ret = known;
                        return 0;
                }
        bus = calloc(1, sizeof(WorldBus));
        if (!bus)
                return -ENOMEM;
        bus->number = number;
        r = add_hub(world, &(Place){ .bus = bus }, &bus->root);
        if (r < 0) {
                usb_clock_free(bus->clock);
                free(bus);
                return r;
        }
        list_append(&world->buses, &bus->link);
        *ret = bus;
        return 0;
}

static WorldDevice *find_child(World *world, const WorldDevice *hub, unsigned port) {
        LIST_FOREACH(&world->devices, WorldDevice, device, link)
                if (device->parent == hub && device->port == port)
                        return device;
        return NULL;
}

static int pick_place(World *world, Place *ret) {
        for (unsigned number = 1; number < 1000; number++) {
                WorldBus *bus;
                int r = get_bus(world, number, &bus);

                if (r < 0)
                        return r;
                for (unsigned port = 1; port <= hub_ports(bus->root->hub); port++)
                        if (!find_child(world, bus->root, port)) {
                                *ret = (Place){ bus, bus->root, port };
                                return 0;
                        }
        }
        return -ENOSPC;
}

/* Numbers of "1-2.3": the bus and then the ports. Their count, or -EINVAL. */
static int parse_port(const char *text, unsigned numbers[static HUB_DEPTH + 1]) {
        int n = 0;

        for (const char *p = text;; p++) {
                char *end;
                unsigned long number;

                if (*p < '1' || *p > '9' || n > HUB_DEPTH)
                        return -EINVAL;
                number = strtoul(p, &end, 10);
                if (number > 255)
                        return -EINVAL;
                numbers[n++] = (unsigned) number;
                p = end;
                if (*p == '\0')
                        return n >= 2 ? n : -EINVAL;
                if (*p != (n == 1 ? '-' : '.'))
                        return -EINVAL;
        }
}

/* Go on from a place to the hub that is there, plugging one in if nothing is. */
static int enter_hub(World *world, Place *place) {
        WorldDevice *hub = find_child(world, place->hub, place->port);
        int r;

        if (hub && !hub->hub)
                return -EEXIST;
        if (place->port > hub_ports(place->hub->hub))
                return -EINVAL;
        r = hub ? 0 : add_hub(world, place, &hub);
        if (r == 0)
                place->hub = hub;
        return r;
}

/* Find the place of a port path, plugging in the hubs on the way there. */
static int find_place(World *world, const char *text, Place *ret) {
        unsigned numbers[HUB_DEPTH + 1];
        Place place = {};
        int n, r;

        n = parse_port(text, numbers);
        if (n < 0)
                return n;
        r = get_bus(world, numbers[0], &place.bus);
        if (r < 0)
                return r;
        place.hub = place.bus->root;
        for (int i = 1; i < n - 1; i++) {
                place.port = numbers[i];
                r = enter_hub(world, &place);
                if (r < 0)
                        return r;
        }
        place.port = numbers[n - 1];
        if (place.port > hub_ports(place.hub->hub))
                return -EINVAL;
        if (find_child(world, place.hub, place.port))
                return -EEXIST;
        *ret = place;
        return 0;
}

int world_plug(World *world, const WorldPlug *plug, WorldDevice **ret) {
        Place place;
        int r;

        r = plug->port ? find_place(world, plug->port, &place) : pick_place(world, &place);
        if (r < 0)
                return r;
        return add_device(world, &place, plug, NULL, ret);
}

WorldDevice *world_unplug(WorldDevice *device) {
        if (!device)
                return NULL;
        world_device_hide(device);
        return device_free(device);
}

int world_new(sd_event *event, int fuse_fd, mode_t mode, World **ret) {
        _cleanup_(world_freep) World *world = calloc(1, sizeof(World));
        WorldBus *bus;
        int r = 0;

        if (!world)
                return -ENOMEM;
        list_init(&world->buses);
        list_init(&world->devices);
        world->event = sd_event_ref(event);
        world->uevents = uevent_open();
        if (world->uevents < 0)
                return world->uevents;
        /* libudev asks for udev's messages only if udevd seems to run. */
        tree_print(&r, "/run/udev", "control", "%s", "");
        tree_print(&r, "/sys/bus/usb", "drivers_autoprobe", "1\n");
        tree_print(&r, "/sys/bus/pci/drivers/xhci_hcd", "module", "%s", "");
        tree_link(&r, "/sys/bus/pci/drivers/xhci_hcd", WORLD_CONTROLLER "/driver");
        if (r < 0)
                return r;
        r = usbfs_new(event, fuse_fd, geteuid(), getegid(), mode, &world->fs);
        if (r < 0)
                return r;
        r = get_bus(world, 1, &bus);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(world);
        return 0;
}

World *world_free(World *world) {
        if (!world)
                return NULL;
        /* Hubs come before what is behind them. */
        for (List *link = world->devices.previous; link != &world->devices;) {
                WorldDevice *device = container_of(link, WorldDevice, link);

                link = link->previous;
                assert(device->hub);
                world_unplug(device);
        }
        LIST_FOREACH(&world->buses, WorldBus, bus, link) {
                usb_clock_free(bus->clock);
                free(bus);
        }
        usbfs_free(world->fs);
        safe_close(world->uevents);
        sd_event_unref(world->event);
        free(world);
        return NULL;
}

const char *world_device_port(const WorldDevice *device) {
        return device->name;
}

const char *world_device_node(const WorldDevice *device) {
        return device->node_path;
}

size_t world_device_open_files(const WorldDevice *device) {
        return usbfs_entry_open_files(device->entry);
}

bool world_device_is_claimed(const WorldDevice *device) {
        for (size_t i = 0; i < device->n_interfaces; i++) {
                const char *driver =
                        usbfs_entry_driver(device->entry, device->interfaces[i].descriptor->number);

                if (driver && strcmp(driver, "usbfs") == 0)
                        return true;
        }
        return false;
}
