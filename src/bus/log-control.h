/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

/* org.freedesktop.LogControl1, behind "systemctl service-log-level stlinkd debug". The caller
 * owns *ret. 0 or a negative errno. */
int log_control_add(sd_bus *connection, sd_bus_slot **ret);
