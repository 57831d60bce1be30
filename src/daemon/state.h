/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macro.h"
#include "core/lease.h"

/* What a daemon leaves to the next one, however it ends: a log in the runtime directory, with one
 * line for each lease or request that is new or has changed and one for each that ended. It is
 * replaced as a whole now and then, so that it stays as small as what is in it. Its lines are
 * written in one go, and a line that is cut off makes no sense and is skipped. */

/* The parts of a lease that outlive a daemon. Strings are empty rather than NULL. */
typedef struct StateLease {
        Lease lease; /* but for the probe's number, which is another in each daemon */
        LeaseForm form;
        uint64_t fd_number;        /* of its LeaseFd; 0 for none */
        pid_t pid;                 /* of the owner's process, 0 for none */
        Usec start;                /* when that started, as in Process */
        const char *serial, *port; /* of the probe */
        const char *bus;           /* the id of the bus that the owner's name is from */
        const char *owner, *user, *command, *reason, *delegates;
} StateLease;

typedef struct State State;

int state_new(const char *directory, State **ret);
State *state_free(State *state);
DEFINE_CLEANUP(State *, state_free)

/* Read what is there: each lease as it was last. The strings are valid during the call. Returns
 * the highest number that may have been given to a lease, or a negative errno:
 *   -ENOENT  nothing is there
 *   -ENOTSUP a newer stlinkd wrote it
 *   -EBADMSG it is not a state at all */
typedef void (*StateFound)(const StateLease *lease, void *userdata);
int state_load(State *state, StateFound found, void *userdata, LeaseId *ret_last, size_t *ret_bad);

/* Note a lease as it is now (-E2BIG: with strings of kilobytes), or that it is over. Nothing is
 * written after an error until the state was replaced, and state_is_due() says so. */
_check_result_ int state_put(State *state, const StateLease *lease);
_check_result_ int state_drop(State *state, LeaseId id);

/* Give no number up to this one to another lease, though nothing else is noted. */
_check_result_ int state_skip(State *state, LeaseId last);

/* Whether it is time to replace it, when there are n leases. */
bool state_is_due(const State *state, size_t n);

/* Replace it: state_begin(), state_put() for all there is, state_commit(). What there was stays in
 * force until the last of these has succeeded. No number up to last will be given to a lease that
 * is not in it. */
_check_result_ int state_begin(State *state, LeaseId last);
int state_commit(State *state);
