/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/time.h"
#include "bus/errors.h"
#include "bus/log-control.h"
#include "bus/names.h"
#include "daemon/connection.h"

/* Between two attempts to reach the bus; the first time, and at most. */
#define PAUSE_MIN (100 * USEC_PER_MSEC)
#define PAUSE_MAX (5 * USEC_PER_SEC)

struct Connection {
        sd_event *event;
        sd_bus *bus;
        sd_bus_slot *log_control, *disconnected, *naming;
        sd_event_source *timer;
        Usec pause; /* before the next attempt */
        const ConnectionHooks *hooks;
        void *userdata;
};

static void schedule(Connection *connection);

/* What may be called from a handler of the bus itself leaves the bus in place. */
static int on_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Connection *connection = userdata;

        (void) message, (void) error;
        if (!connection->hooks) {
                log_error("The bus went away while stlinkd was starting");
                return sd_event_exit(connection->event, EXIT_FAILURE);
        }
        if (connection->pause == PAUSE_MIN) {
                log_warning("The bus went away, and with it the leases that hang on it; the "
                            "others go on. Looking for the next bus");
                connection->hooks->lost(connection->userdata);
        }
        schedule(connection);
        return 0;
}

static void drop(Connection *connection) {
        connection->log_control = sd_bus_slot_unref(connection->log_control);
        connection->disconnected = sd_bus_slot_unref(connection->disconnected);
        connection->naming = sd_bus_slot_unref(connection->naming);
        if (connection->bus)
                (void) sd_bus_detach_event(connection->bus);
        connection->bus = sd_bus_flush_close_unref(connection->bus);
}

static int open_bus(Connection *connection) {
        int r;

        r = sd_bus_open_system(&connection->bus);
        if (r < 0)
                return r;
        r = sd_bus_match_signal(connection->bus, &connection->disconnected, NULL,
                                "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                                "Disconnected", on_disconnected, connection);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(connection->bus, connection->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        return log_control_add(connection->bus, &connection->log_control);
}

/* --- the next bus ------------------------------------------------------------------------- */

static int on_named(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Connection *connection = userdata;
        int r = sd_bus_message_get_errno(message);

        (void) error;
        /* Another stlinkd serves this bus, or we may not: that no patience mends. */
        if (r != 0 && sd_bus_is_open(connection->bus)) {
                (void) log_error_errno(r, "Cannot take the bus name %s again", STLINKD_BUS_NAME);
                return sd_event_exit(connection->event, EXIT_FAILURE);
        }
        if (r != 0)
                return 0; /* it is gone again, on_disconnected() is about to be called */
        connection->pause = PAUSE_MIN;
        log_notice("On the bus again");
        connection->hooks->named(connection->bus, connection->userdata);
        return 0;
}

static int try_again(Connection *connection) {
        int r;

        drop(connection);
        r = open_bus(connection);
        if (r >= 0)
                r = connection->hooks->attach(connection->bus, connection->userdata);
        if (r < 0)
                return r;
        return sd_bus_request_name_async(connection->bus, &connection->naming, STLINKD_BUS_NAME, 0,
                                         on_named, connection);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Connection *connection = userdata;
        int r;

        (void) source, (void) usec;
        connection->pause = MIN(connection->pause * 2, PAUSE_MAX);
        r = try_again(connection);
        if (r < 0) {
                log_debug_errno(r, "Cannot connect to the system bus yet");
                schedule(connection);
        }
        return 0;
}

static void schedule(Connection *connection) {
        int r;

        r = sd_event_source_set_time_relative(connection->timer, connection->pause);
        if (r >= 0)
                r = sd_event_source_set_enabled(connection->timer, SD_EVENT_ONESHOT);
        if (r < 0) {
                (void) log_error_errno(r, "Cannot wait for the next bus");
                (void) sd_event_exit(connection->event, EXIT_FAILURE);
        }
}

/* --- the first bus ------------------------------------------------------------------------ */

int connection_new(sd_event *event, Connection **ret) {
        _cleanup_(connection_freep) Connection *connection = calloc(1, sizeof(*connection));
        int r;

        if (!connection)
                return -ENOMEM;
        connection->event = sd_event_ref(event);
        connection->pause = PAUSE_MIN;
        r = sd_event_add_time(event, &connection->timer, CLOCK_MONOTONIC, UINT64_MAX, 0, on_timer,
                              connection);
        if (r >= 0)
                r = sd_event_source_set_enabled(connection->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = open_bus(connection);
        if (r < 0)
                return log_error_errno(r, "Cannot connect to the system bus");
        *ret = TAKE_PTR(connection);
        return 0;
}

Connection *connection_free(Connection *connection) {
        if (!connection)
                return NULL;
        sd_event_source_disable_unref(connection->timer);
        drop(connection);
        sd_event_unref(connection->event);
        free(connection);
        return NULL;
}

sd_bus *connection_bus(const Connection *connection) {
        return connection->bus;
}

int connection_serve(Connection *connection, const ConnectionHooks *hooks, void *userdata) {
        int r;

        r = sd_bus_request_name(connection->bus, STLINKD_BUS_NAME, 0);
        if (r == -EEXIST || r == -EALREADY)
                return log_error_errno(r, "Another stlinkd is running on this bus already");
        if (r < 0)
                return log_error_errno(r,
                                       "Cannot take the bus name %s; check that stlinkd's D-Bus "
                                       "policy is installed",
                                       STLINKD_BUS_NAME);
        connection->hooks = hooks;
        connection->userdata = userdata;
        return 0;
}
