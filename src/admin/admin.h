/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "base/macro.h"
#include "bus/polkit.h"

/* The object of stlinkd-admin on the bus; see dbus/io.github.stlinkd1.Admin.xml. */

typedef struct Admin {
        sd_bus *bus;
        Polkit *polkit;
        sd_bus_slot *slot;
} Admin;

int admin_new(sd_bus *bus, Admin **ret);
Admin *admin_free(Admin *admin);
DEFINE_CLEANUP(Admin *, admin_free)
