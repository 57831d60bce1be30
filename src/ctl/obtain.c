/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "ctl/client.h"
#include "ctl/describe.h"
#include "ctl/obtain.h"

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

static ExitCode await(sd_bus *bus, const ProbeView *probe, ClientLease *lease) {
        Wait wait = { .told = client_lease_position(lease) };
        Usec began = now_usec(CLOCK_MONOTONIC);
        char span[FORMAT_USEC_MAX];
        const char *ended;
        int r;

        tell_who(bus, probe, lease);
        client_lease_watch(lease, tell_place, &wait);
        r = client_lease_await(lease);
        client_lease_watch(lease, NULL, NULL);
        if (r < 0)
                return client_report(NULL, r);
        ended = client_lease_ended(lease);
        if (ended) {
                client_say("Waited in vain: %s.", obtain_end_text(ended));
                return end_code(ended);
        }
        client_say("Got it after %s.",
                   format_usec(span, sizeof(span), now_usec(CLOCK_MONOTONIC) - began));
        return EXIT_CODE_OK;
}

ExitCode obtain_lease(sd_bus *bus, const ProbeView *probe, const ClientRequest *request,
                      ClientLease **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(client_lease_freep) ClientLease *lease = NULL;
        ExitCode code = EXIT_CODE_OK;
        int r;

        r = client_lease_acquire(bus, probe->path, request, &error, &lease);
        if (r < 0)
                return client_report(&error, r);
        if (!client_lease_is_held(lease))
                code = await(bus, probe, lease);
        if (code == EXIT_CODE_OK)
                *ret = TAKE_PTR(lease);
        return code;
}
