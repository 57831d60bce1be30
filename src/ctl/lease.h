/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "base/macro.h"
#include "base/time.h"

/* A lease that this program holds, or waits for. It ends with the program at the latest. */

typedef struct ClientLease ClientLease;

/* Somebody asks for it. */
typedef struct ClientLeaseAsked {
        char *by, *reason;
        Usec deadline; /* CLOCK_MONOTONIC: when it is taken back; USEC_INFINITY: it is not */
} ClientLeaseAsked;
void client_lease_asked_done(ClientLeaseAsked *asked);

/* Called from the bus's callbacks when the place in the queue changed, when the lease was
 * granted, when somebody asked for it, and when it ended. */
typedef void (*ClientLeaseChanged)(ClientLease *lease, void *userdata);

typedef struct ClientRequest {
        Usec wait;          /* as in Options */
        const char *reason; /* may be NULL */
        Usec limit;         /* how long to hold it without renewal; 0: as long as one likes */
        unsigned parts;     /* mask of ProbePart; 0: the debug interface alone */
        bool recover;       /* also a probe that does not answer */
        const char *kind;   /* as in Probe.Acquire; NULL: exclusive */
        const char *const *delegates; /* as in Lease.Delegate */
        size_t n_delegates;
        pid_t pid; /* the process to bind it to; 0: it is this program's own */
} ClientRequest;

/* Ask for a lease on the probe of that path. When the request waits and it cannot be had at
 * once, the lease is waiting on return. Errors as those of Probe.Acquire, with reterr set. */
int client_lease_acquire(sd_bus *bus, const char *probe, const ClientRequest *request,
                         sd_bus_error *reterr, ClientLease **ret);

/* Do not give it back with client_lease_free(): it is bound to a process that goes on. */
void client_lease_keep(ClientLease *lease);

const char *client_lease_path(const ClientLease *lease);

/* Give it back, or stop waiting, if that is still to be done; NULL is fine. */
ClientLease *client_lease_free(ClientLease *lease);
DEFINE_CLEANUP(ClientLease *, client_lease_free)

void client_lease_watch(ClientLease *lease, ClientLeaseChanged changed, void *userdata);

/* Have a loop serve the lease's connection to the bus, which may be another one later on; and no
 * longer, before the loop is freed. */
int client_lease_attach(ClientLease *lease, sd_event *event);
void client_lease_detach(ClientLease *lease);

/* Serve the bus until the lease is held or has ended, for that long at most. 0, whichever came
 * first, or the error of the bus. */
int client_lease_await(ClientLease *lease, Usec patience);

bool client_lease_is_held(const ClientLease *lease);

/* Place in the queue; 0 once held. */
unsigned client_lease_position(const ClientLease *lease);

/* Why it ended: as the signal Lease.Ended says, "daemon-gone" when the daemon went away
 * and did not come back, or knew nothing of it then; NULL while it has not. */
const char *client_lease_ended(const ClientLease *lease);

/* Who asked for it since this was called last; the caller has it then. */
bool client_lease_take_asked(ClientLease *lease, ClientLeaseAsked *ret);

/* Have the probe asked what it is; an answer that was left in it is thrown away. Waits some seconds
 * for a daemon that goes meanwhile, and for whoever is just letting go of the probe. 0 with whether
 * it answers, or the error of Lease.Recover. */
int client_lease_check(ClientLease *lease, bool *ret_answers);

/* A descriptor of the probe's node; the caller closes it. Errors as those of Lease.Open. */
int client_lease_open(ClientLease *lease, sd_bus_error *reterr, int *ret_fd);
