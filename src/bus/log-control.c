/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/string-table.h"
#include "bus/errors.h"
#include "bus/log-control.h"

/* The names that org.freedesktop.LogControl1(5) gives the syslog priorities. */
static const char *const log_level_table[] = {
        [LOG_EMERG] = "emerg", [LOG_ALERT] = "alert",     [LOG_CRIT] = "crit",
        [LOG_ERR] = "err",     [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
        [LOG_INFO] = "info",   [LOG_DEBUG] = "debug",
};

static int get_level(sd_bus *connection, const char *path, const char *interface,
                     const char *property, sd_bus_message *reply, void *userdata,
                     sd_bus_error *error) {
        (void) connection, (void) path, (void) interface, (void) property;
        (void) userdata, (void) error;
        return sd_bus_message_append(reply, "s", log_level_table[log_get_max_level()]);
}

static int set_level(sd_bus *connection, const char *path, const char *interface,
                     const char *property, sd_bus_message *value, void *userdata,
                     sd_bus_error *error) {
        const char *name;
        int r;

        (void) connection, (void) path, (void) interface, (void) property, (void) userdata;
        r = sd_bus_message_read(value, "s", &name);
        if (r < 0)
                return r;
        for (size_t level = 0; level < ELEMENTSOF(log_level_table); level++)
                if (strcmp(log_level_table[level], name) == 0) {
                        log_set_max_level((int) level);
                        return 0;
                }
        return bus_error_setf(error, EINVAL, "Unknown log level \"%s\"", name);
}

static int get_target(sd_bus *connection, const char *path, const char *interface,
                      const char *property, sd_bus_message *reply, void *userdata,
                      sd_bus_error *error) {
        (void) connection, (void) path, (void) interface, (void) property;
        (void) userdata, (void) error;
        return sd_bus_message_append(reply, "s", "auto");
}

static int set_target(sd_bus *connection, const char *path, const char *interface,
                      const char *property, sd_bus_message *value, void *userdata,
                      sd_bus_error *error) {
        const char *name;
        int r;

        (void) connection, (void) path, (void) interface, (void) property, (void) userdata;
        r = sd_bus_message_read(value, "s", &name);
        if (r < 0)
                return r;
        /* Messages go where stderr leads, and that is decided by whoever started us. */
        if (strcmp(name, "auto") != 0)
                return bus_error_setf(error, EINVAL, "The only log target is \"auto\"");
        return 0;
}

static int get_identifier(sd_bus *connection, const char *path, const char *interface,
                          const char *property, sd_bus_message *reply, void *userdata,
                          sd_bus_error *error) {
        (void) connection, (void) path, (void) interface, (void) property;
        (void) userdata, (void) error;
        return sd_bus_message_append(reply, "s", program_invocation_short_name);
}

/* Writing is left to root and to our own user, which is what sd-bus does by default. */
static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_WRITABLE_PROPERTY("LogLevel", "s", get_level, set_level, 0, 0),
        SD_BUS_WRITABLE_PROPERTY("LogTarget", "s", get_target, set_target, 0, 0),
        SD_BUS_PROPERTY("SyslogIdentifier", "s", get_identifier, 0, 0),
        SD_BUS_VTABLE_END,
};

int log_control_add(sd_bus *connection, sd_bus_slot **ret) {
        return sd_bus_add_object_vtable(connection, ret, LOG_CONTROL_PATH, LOG_CONTROL_INTERFACE,
                                        vtable, NULL);
}
