/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The smallest program that asks the daemon something over D-Bus: the yardstick for stlinkctl. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

int main(void) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus *bus = NULL;
        int r;

        r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_bus_call_method(bus, "io.github.stlinkd1", "/io/github/stlinkd1",
                                       "org.freedesktop.DBus.Peer", "Ping", &error, NULL, "");
        if (r < 0)
                fprintf(stderr, "ping: %s\n", error.message ? error.message : strerror(-r));
        sd_bus_error_free(&error);
        sd_bus_flush_close_unref(bus);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
