/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bus/names.h"
#include "ctl/client.h"
#include "ctl/describe.h"
#include "ctl/obtain.h"

/* Whoever had the probe is often just done with it: that is no wait to speak of. */
#define QUIET (300 * USEC_PER_MSEC)

static const struct {
        const char *ended;
        ExitCode code;
        const char *text;
} ends[] = {
        { "timeout", EXIT_CODE_BUSY, "nobody gave it back in time" },
        { "expired", EXIT_CODE_LEASE_LOST, "its time limit has passed" },
        { "revoked", EXIT_CODE_LEASE_LOST, "it was taken back" },
        { "unplugged", EXIT_CODE_NO_PROBE, "the probe was unplugged" },
        { "daemon-gone", EXIT_CODE_NO_DAEMON, "stlinkd has stopped" },
};

const char *obtain_end_text(const char *ended) {
        for (size_t i = 0; i < ELEMENTSOF(ends); i++)
                if (strcmp(ends[i].ended, ended) == 0)
                        return ends[i].text;
        return ended;
}

static ExitCode end_code(const char *ended) {
        for (size_t i = 0; i < ELEMENTSOF(ends); i++)
                if (strcmp(ends[i].ended, ended) == 0)
                        return ends[i].code;
        return EXIT_CODE_FAILURE;
}

typedef struct Wait {
        unsigned told; /* the place in the queue that was told last */
} Wait;

static void tell_place(ClientLease *lease, void *userdata) {
        unsigned position = client_lease_position(lease);
        Wait *wait = userdata;

        if (position == 0 || position == wait->told || client_lease_ended(lease))
                return;
        client_say("Place %u in the queue.", position);
        wait->told = position;
}

/* Look anew: who has it may have changed since the probe was chosen. */
static void tell_who(sd_bus *bus, const ProbeView *chosen, const ClientLease *lease) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        _cleanup_free_ char *state = NULL, *name = NULL;
        const ProbeView *probe = NULL;

        if (client_fetch(bus, /* with_manager= */ false, &error, &snapshot) >= 0)
                probe = snapshot_find_probe(snapshot, chosen->path);
        if (probe) {
                state = describe_state(snapshot, probe);
                name = describe_name(snapshot, probe);
        }
        client_say("Waiting for probe %s, %s; place %u in the queue.", name ? name : "?",
                   state ? state : "?", client_lease_position(lease));
}

static int await_aloud(sd_bus *bus, const ProbeView *probe, ClientLease *lease, Usec began) {
        Wait wait = { .told = client_lease_position(lease) };
        char span[FORMAT_USEC_MAX];
        int r;

        tell_who(bus, probe, lease);
        client_lease_watch(lease, tell_place, &wait);
        r = client_lease_await(lease, USEC_INFINITY);
        client_lease_watch(lease, NULL, NULL);
        if (r >= 0 && !client_lease_ended(lease))
                client_say("Got it after %s.",
                           format_usec(span, sizeof(span), now_usec(CLOCK_MONOTONIC) - began));
        return r;
}

static ExitCode await(sd_bus *bus, const ProbeView *probe, ClientLease *lease, Usec patience) {
        Usec began = now_usec(CLOCK_MONOTONIC);
        const char *ended;
        int r = client_lease_await(lease, MIN(QUIET, patience / 2)); /* who is in the way is told */

        if (r >= 0 && !client_lease_is_held(lease) && !client_lease_ended(lease))
                r = await_aloud(bus, probe, lease, began);
        if (r < 0)
                return client_report(NULL, r);
        ended = client_lease_ended(lease);
        if (ended) {
                client_say("Waited in vain: %s.", obtain_end_text(ended));
                return end_code(ended);
        }
        return EXIT_CODE_OK;
}

/* Wait until the daemon is on the bus again, a while. */
static bool await_daemon(sd_bus *bus) {
        const struct timespec pause = { .tv_nsec = 200000000 };

        for (unsigned i = 0; i < 100; i++) {
                int r = sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                           "org.freedesktop.DBus", "GetNameOwner", NULL, NULL, "s",
                                           STLINKD_BUS_NAME);

                if (r >= 0 || sd_bus_is_open(bus) <= 0)
                        return r >= 0;
                (void) nanosleep(&pause, NULL);
        }
        return false;
}

/* The daemon may end while it is asked. Whoever is ready to wait asks the next one, for as long as
 * he would have waited. */
static int acquire(sd_bus *bus, const ProbeView *probe, const ClientRequest *wanted,
                   sd_bus_error *reterr, ClientLease **ret) {
        Usec end = usec_add(now_usec(CLOCK_MONOTONIC), wanted->wait), now;
        ClientRequest request = *wanted;
        int r;

        for (;;) {
                r = client_lease_acquire(bus, probe->path, &request, reterr, ret);
                if (r >= 0 || !sd_bus_error_has_name(reterr, SD_BUS_ERROR_NO_REPLY))
                        return r;
                now = now_usec(CLOCK_MONOTONIC);
                if (now >= end || !await_daemon(bus))
                        return r;
                request.wait = end == USEC_INFINITY ? end : end - now;
                sd_bus_error_free(reterr);
        }
}

ExitCode obtain_lease(sd_bus *bus, const ProbeView *probe, const ClientRequest *request,
                      ClientLease **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(client_lease_freep) ClientLease *lease = NULL;
        ExitCode code = EXIT_CODE_OK;
        int r;

        r = acquire(bus, probe, request, &error, &lease);
        if (r < 0)
                return client_report(&error, r);
        if (!client_lease_is_held(lease))
                code = await(bus, probe, lease, request->wait);
        if (code == EXIT_CODE_OK)
                *ret = TAKE_PTR(lease);
        return code;
}
