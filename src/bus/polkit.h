/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "base/macro.h"
#include "base/time.h"
#include "bus/ops.h"

/* Ask polkit whether the sender of a message may do something, without waiting for the answer:
 * somebody may have to type a password first. When the answer is there, the message is
 * dispatched once more from the start, so everything about it is looked up and checked anew; a
 * method must have changed nothing by then. See polkit(8), section "system architecture". */

typedef struct Polkit Polkit;

typedef struct PolkitLimits {
        Usec timeout;     /* span in which polkit has to answer */
        unsigned pending; /* questions for one user at the same time; 0: no limit */
} PolkitLimits;

/* What polkit shows to whoever is asked, as $(key) in the action's message. */
typedef struct PolkitDetail {
        const char *key, *value;
} PolkitDetail;

typedef enum PolkitAnswer {
        POLKIT_PENDING, /* it is being asked: return 1, the message comes again */
        POLKIT_YES,     /* also for root, for whom it is not asked */
        POLKIT_NO,
        POLKIT_CHALLENGE, /* only with a password, which could not be asked for */
        POLKIT_ABSENT,    /* there is no polkit on this machine */
} PolkitAnswer;

/* The connection and its event loop stay the caller's and must outlive the Polkit. 0 or a
 * negative errno. */
int polkit_new(sd_bus *connection, const PolkitLimits *limits, Polkit **ret);

/* Questions that are still open are withdrawn. */
Polkit *polkit_free(Polkit *polkit);
DEFINE_CLEANUP(Polkit *, polkit_free)

/* Whether the sender of a message, who is caller, may do an action. polkit may ask him or an
 * administrator only if the message says so by ALLOW_INTERACTIVE_AUTHORIZATION. One action per
 * message. Returns a PolkitAnswer, or with error filled in
 *   -EDQUOT  too many questions for this user are open
 *   -ESTALE  the answer is there, and was to another question than this one
 *   -EACCES  polkit did not answer in time, or with an error
 * or another negative errno. */
int polkit_check(Polkit *polkit, sd_bus_message *message, const BusCaller *caller,
                 const char *action, const PolkitDetail *details, size_t n_details,
                 sd_bus_error *error);
