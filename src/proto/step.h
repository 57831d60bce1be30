/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"
#include "proto/codec.h"

/* What a step machine wants done next. The machines are pure; whoever drives one asks for the
 * next step, carries it out, feeds the outcome, and asks again:
 *
 *     while ((r = machine_next(&machine, &step)) > 0) {
 *             error = carry out the step, reply and size being what came back
 *             machine_feed(&machine, error, reply, size);
 *     }
 *     r is 0 when it is done, or a negative errno.
 *
 * error is 0, or what went wrong on the way (see usb/transport.h). Outside, some of the ways do
 * not differ: see step_error(). */
typedef struct Step {
        Command command;
        const uint8_t *out; /* command.out_size bytes for the data phase */
        Usec delay;         /* pause that long first */
        bool drain;         /* first clear the pipes and throw away what waits in the probe: an
                             * answer that some earlier program did not fetch */
} Step;

/* What to tell others of an error on the way: whether a probe took a command and did not answer it
 * or did not even take it is all one to them, and so is how it failed to make sense. */
static inline int step_error(int error) {
        switch (error) {
        case -ETIME:
                return -ETIMEDOUT;
        case -EPIPE:
        case -EOVERFLOW:
                return -EPROTO;
        default:
                return error;
        }
}
