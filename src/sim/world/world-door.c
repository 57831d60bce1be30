/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>

#include "sim/world/world-door.h"

static const char *interface_name(unsigned interface, void *userdata) {
        const BenchProbe *probe = userdata;

        return sim_device_interface_name(probe->device, interface);
}

static void on_opened(void *userdata) {
        BenchProbe *probe = userdata;

        probe->opens++;
}

static int attach(BenchProbe *probe, void *userdata) {
        WorldPlug plug = {
                .usb = sim_device_usb(probe->device),
                .clock = probe->clock,
                /* It comes back where it was. */
                .port = probe->port[0] ? probe->port : sim_spec_port(probe->spec),
                .manufacturer = sim_device_manufacturer(probe->device),
                .product = sim_device_product(probe->device),
                .serial = sim_device_serial(probe->device),
                .interface_name = interface_name,
                .opened = on_opened,
                .userdata = probe,
        };
        WorldDevice *device;
        int r = world_plug(userdata, &plug, &device);

        /* While it was away another was put there; nobody said that it must be this port. */
        if (r == -EEXIST && !sim_spec_port(probe->spec)) {
                plug.port = NULL;
                r = world_plug(userdata, &plug, &device);
        }
        if (r < 0)
                return r;
        probe->place = device;
        snprintf(probe->port, sizeof(probe->port), "%s", world_device_port(device));
        return 0;
}

static void detach(BenchProbe *probe, void *userdata) {
        (void) userdata;
        world_unplug(probe->place);
}

static void locate(const BenchProbe *probe, BenchPlace *ret, void *userdata) {
        const WorldDevice *device = probe->place;

        (void) userdata;
        snprintf(ret->node, sizeof(ret->node), "%s", world_device_node(device));
        ret->open_files = world_device_open_files(device);
        ret->claimed = world_device_is_claimed(device);
}

const BenchDoorOps world_door = {
        .attach = attach,
        .detach = detach,
        .locate = locate,
};
