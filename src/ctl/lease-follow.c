/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "bus/names.h"
#include "ctl/client.h"
#include "ctl/lease-private.h"
#include "ctl/properties.h"

/* A lease outlives the daemon, and one that hangs on a descriptor or a process the bus, too. So
 * when either goes away, we wait a while for its successor and ask that one how things stand. */
#define PATIENCE (15 * USEC_PER_SEC)
#define PAUSE    (200 * USEC_PER_MSEC)

#define LOCAL_SIGNALS                                        \
        "type='signal',sender='org.freedesktop.DBus.Local'," \
        "interface='org.freedesktop.DBus.Local',member='Disconnected'"

static const Property lease_table[] = {
        { "State", "s", offsetof(ClientLease, state) },
        { "Position", "u", offsetof(ClientLease, position) },
};

static int daemon_is_there(ClientLease *lease, const char *name);
static void go_away(ClientLease *lease);

static void notify(ClientLease *lease) {
        if (lease->changed)
                lease->changed(lease, lease->userdata);
}

static void end(ClientLease *lease, const char *reason) {
        lease->timer = sd_event_source_disable_unref(lease->timer);
        if (lease->ended)
                return;
        lease->ended = strdup(reason);
        notify(lease);
}

int client_lease_read(ClientLease *lease, sd_bus_message *message) {
        return properties_read(message, lease_table, ELEMENTSOF(lease_table), lease);
}

/* Whether the daemon has let go of the lease; only with a descriptor it can be told from here. */
static bool is_released(const ClientLease *lease) {
        struct pollfd pollfd = { .fd = lease->fd };

        return lease->fd < 0 || (poll(&pollfd, 1, 0) > 0 && pollfd.revents & POLLERR);
}

/* --- being away --------------------------------------------------------------------------- */

static int on_owner(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        ClientLease *lease = userdata;
        const char *name;

        (void) error;
        lease->call = sd_bus_slot_unref(lease->call);
        if (sd_bus_message_is_method_error(message, NULL) ||
            sd_bus_message_read_basic(message, 's', &name) <= 0) {
                go_away(lease);
                return 0;
        }
        if (lease->daemon && strcmp(lease->daemon, name) == 0)
                return 0;
        return daemon_is_there(lease, name);
}

/* What happened between the daemon's last word to us and the moment from which the bus tells us of
 * its coming and going is found out only by asking. */
static int ask_owner(ClientLease *lease) {
        if (lease->call)
                return 0;
        return sd_bus_call_method_async(lease->bus, &lease->call, "org.freedesktop.DBus",
                                        "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                        "GetNameOwner", on_owner, lease, "s", STLINKD_BUS_NAME);
}

/* The old connection is of no use any more. */
static void connect_again(ClientLease *lease) {
        sd_bus *bus;

        if (sd_bus_open_system(&bus) < 0)
                return;
        lease->call = sd_bus_slot_unref(lease->call);
        lease->lease_slot = sd_bus_slot_unref(lease->lease_slot);
        lease->daemon_slot = sd_bus_slot_unref(lease->daemon_slot);
        lease->local_slot = sd_bus_slot_unref(lease->local_slot);
        (void) sd_bus_detach_event(lease->bus);
        sd_bus_unref(lease->bus);
        lease->bus = bus;
        if (sd_bus_attach_event(bus, lease->event, SD_EVENT_PRIORITY_NORMAL) < 0 ||
            client_lease_follow(lease) < 0 || ask_owner(lease) < 0)
                sd_bus_close(bus); /* try once more */
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        ClientLease *lease = userdata;
        int r;

        if (usec >= lease->patience && is_released(lease)) {
                end(lease, "daemon-gone");
                return 0;
        }
        if (sd_bus_is_open(lease->bus) <= 0)
                connect_again(lease);
        r = sd_event_source_set_time_relative(source, PAUSE);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Without a loop there is nobody to wait: the next one begins with that. */
static void go_away(ClientLease *lease) {
        free(lease->daemon);
        lease->daemon = NULL;
        if (lease->timer || lease->ended || !lease->event)
                return;
        lease->patience = usec_add(now_usec(CLOCK_MONOTONIC), PATIENCE);
        if (sd_event_add_time_relative(lease->event, &lease->timer, CLOCK_MONOTONIC, PAUSE, 0,
                                       on_timer, lease) < 0)
                end(lease, "daemon-gone");
}

/* --- being back --------------------------------------------------------------------------- */

/* A probe that is just coming back has its leases a moment later, so that one whose descriptor is
 * still held at the other end is not lost: it will be told what becomes of it. */
static int on_state(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        ClientLease *lease = userdata;

        (void) error;
        lease->call = sd_bus_slot_unref(lease->call);
        if (!sd_bus_message_is_method_error(message, NULL)) {
                if (client_lease_read(lease, message) >= 0)
                        notify(lease);
        } else if (lease->daemon && is_released(lease)) {
                end(lease, "daemon-gone");
        }
        return 0;
}

static int daemon_is_there(ClientLease *lease, const char *name) {
        char *daemon = strdup(name);

        if (!daemon)
                return -ENOMEM;
        free(lease->daemon);
        lease->daemon = daemon;
        lease->timer = sd_event_source_disable_unref(lease->timer);
        lease->call = sd_bus_slot_unref(lease->call);
        return sd_bus_call_method_async(lease->bus, &lease->call, daemon, lease->path,
                                        "org.freedesktop.DBus.Properties", "GetAll", on_state,
                                        lease, "s", STLINKD_LEASE_INTERFACE);
}

/* --- signals ------------------------------------------------------------------------------ */

static int read_changed(ClientLease *lease, sd_bus_message *message) {
        const char *interface;
        int r = sd_bus_message_read_basic(message, 's', &interface);

        if (r < 0 || strcmp(interface, STLINKD_LEASE_INTERFACE) != 0)
                return r;
        r = client_lease_read(lease, message);
        if (r >= 0)
                notify(lease);
        return r;
}

static void read_asked(ClientLease *lease, sd_bus_message *message) {
        const char *by, *reason;
        uint64_t deadline;

        if (sd_bus_message_read(message, "sst", &by, &reason, &deadline) <= 0)
                return;
        client_lease_asked_done(&lease->asked);
        lease->asked = (ClientLeaseAsked){ .by = strdup(by),
                                           .reason = strdup(reason),
                                           .deadline = deadline };
        notify(lease);
}

static int lease_signalled(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        ClientLease *lease = userdata;
        const char *sender = sd_bus_message_get_sender(message), *reason;

        (void) error;
        /* Anybody may send us a signal of any name; only the daemon's counts. */
        if (!sender || !lease->daemon || strcmp(sender, lease->daemon) != 0)
                return 0;
        if (sd_bus_message_is_signal(message, "org.freedesktop.DBus.Properties",
                                     "PropertiesChanged"))
                return read_changed(lease, message);
        if (sd_bus_message_is_signal(message, STLINKD_LEASE_INTERFACE, "Asked"))
                read_asked(lease, message);
        if (sd_bus_message_is_signal(message, STLINKD_LEASE_INTERFACE, "Ended") &&
            sd_bus_message_read_basic(message, 's', &reason) > 0)
                end(lease, reason);
        return 0;
}

static int daemon_changed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *name, *before, *after;
        ClientLease *lease = userdata;

        (void) error;
        if (sd_bus_message_read(message, "sss", &name, &before, &after) <= 0 || lease->ended)
                return 0;
        if (after[0])
                return daemon_is_there(lease, after);
        go_away(lease);
        return 0;
}

static int bus_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        (void) message;
        (void) error;
        go_away(userdata);
        return 0;
}

/* sd-bus closes the connection when nobody has looked at the answer of the bus after 25 s, unless
 * somebody minds that: we may be busy with the probe for longer. */
static int match_added(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        (void) message, (void) userdata, (void) error;
        return 0;
}

/* Only what is about this lease: while many wait, each would else hear of all the others. What came
 * before the bus knows is in the state that is asked for next; an end is sent to us in any case. */
int client_lease_follow(ClientLease *lease) {
        char match[256];
        int r;

        (void) snprintf(match, sizeof(match), "type='signal',path='%s'", lease->path);
        r = sd_bus_add_match_async(lease->bus, &lease->lease_slot, match, lease_signalled,
                                   match_added, lease);
        if (r >= 0)
                r = sd_bus_add_match_async(lease->bus, &lease->daemon_slot, CLIENT_DAEMON_SIGNALS,
                                           daemon_changed, match_added, lease);
        if (r >= 0)
                r = sd_bus_add_match_async(lease->bus, &lease->local_slot, LOCAL_SIGNALS,
                                           bus_disconnected, match_added, lease);
        return r;
}

/* --- loops -------------------------------------------------------------------------------- */

int client_lease_attach(ClientLease *lease, sd_event *event) {
        int r = sd_bus_attach_event(lease->bus, event, SD_EVENT_PRIORITY_NORMAL);

        if (r < 0)
                return r;
        lease->event = sd_event_ref(event);
        if (!lease->daemon)
                go_away(lease);  /* since the last loop */
        (void) ask_owner(lease); /* that the bus is gone it says itself */
        return 0;
}

void client_lease_detach(ClientLease *lease) {
        lease->timer = sd_event_source_disable_unref(lease->timer);
        (void) sd_bus_detach_event(lease->bus);
        lease->event = sd_event_unref(lease->event);
}

int client_lease_await(ClientLease *lease, Usec patience) {
        Usec now = now_usec(CLOCK_MONOTONIC), end = usec_add(now, patience);
        sd_event *event;
        int r = sd_event_new(&event);

        if (r < 0)
                return r;
        r = client_lease_attach(lease, event);
        /* Not sd_event_loop(): its end would close the bus. */
        while (r >= 0 && now < end && !client_lease_is_held(lease) && !lease->ended) {
                r = sd_event_run(event, end == USEC_INFINITY ? UINT64_MAX : end - now);
                now = now_usec(CLOCK_MONOTONIC);
        }
        client_lease_detach(lease);
        sd_event_unref(event);
        return r < 0 ? r : 0;
}
