/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "bus/bus-internal.h"
#include "bus/errors.h"

static int get_version(sd_bus *connection, const char *path, const char *interface,
                       const char *property, sd_bus_message *reply, void *userdata,
                       sd_bus_error *error) {
        (void) connection, (void) path, (void) interface, (void) property;
        (void) userdata, (void) error;
        return sd_bus_message_append(reply, "s", PACKAGE_VERSION);
}

static int get_gate(sd_bus *connection, const char *path, const char *interface,
                    const char *property, sd_bus_message *reply, void *userdata,
                    sd_bus_error *error) {
        Bus *bus = userdata;

        (void) connection, (void) path, (void) interface, (void) property, (void) error;
        return sd_bus_message_append(reply, "s", bus->ops->gate(bus->userdata));
}

static int get_enforcement(sd_bus *connection, const char *path, const char *interface,
                           const char *property, sd_bus_message *reply, void *userdata,
                           sd_bus_error *error) {
        Bus *bus = userdata;

        (void) connection, (void) path, (void) interface, (void) property, (void) error;
        return sd_bus_message_append(reply, "s", bus->ops->enforcement(bus->userdata));
}

static int get_sight(sd_bus *connection, const char *path, const char *interface,
                     const char *property, sd_bus_message *reply, void *userdata,
                     sd_bus_error *error) {
        Bus *bus = userdata;

        (void) connection, (void) path, (void) interface, (void) property, (void) error;
        return sd_bus_message_append(reply, "s", bus->ops->sight(bus->userdata));
}

static int method_get_history(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        _cleanup_close_ int fd = -EBADF;
        Bus *bus = userdata;
        int r;

        r = bus_options_read(message, NULL, 0, NULL, error);
        if (r >= 0)
                r = bus->ops->history(bus->userdata, &fd, error);
        return r < 0 ? r : sd_bus_reply_method_return(message, "h", fd);
}

/* To look who has it open takes a look at every process, so it is for stlinkd-admin. */
static int method_get_obstacle(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        BusCaller client = {}, caller;
        char text[OBSTACLE_MAX];
        Bus *bus = userdata;
        const char *port;
        uint32_t uid;
        int r;

        r = bus_caller_read(bus, message, &caller, error);
        if (r < 0)
                return r;
        if (caller.uid != 0)
                return bus_error_setf(error, EACCES, "Only root may ask that");
        r = sd_bus_message_read(message, "ssu", &port, &client.name, &uid);
        if (r < 0)
                return r;
        client.uid = uid;
        bus->ops->obstacle(bus->userdata, port, &client, text, sizeof(text));
        r = sd_bus_reply_method_return(message, "s", text);
        return r < 0 ? r : 1;
}

#define OBSTACLE_ARGUMENTS SD_BUS_ARGS("s", port, "s", client, "u", uid)

const sd_bus_vtable bus_manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Gate", "s", get_gate, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Enforcement", "s", get_enforcement, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Sight", "s", get_sight, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_METHOD_WITH_ARGS("GetHistory", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("h", journal), method_get_history,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetObstacle", OBSTACLE_ARGUMENTS, SD_BUS_RESULT("s", obstacle),
                                method_get_obstacle, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};
