/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"
#include "base/time.h"
#include "proto/session.h"
#include "proto/step.h"

/* The pipes to a probe: a port with a few functions, behind which is libusb, or a simulated
 * device in tests; and what is the same for all of them. */

typedef struct Transport Transport;

typedef struct TransportOps {
        /* Move up to size bytes through the bulk endpoint; *ret_size is how many went, and is
         * set with -ETIMEDOUT too. An IN transfer ends early with a short packet.
         *   -ETIMEDOUT, -EPIPE stall, -EOVERFLOW babble, -ENODEV unplugged, -EIO, -EBUSY,
         *   -ECANCELED */
        int (*bulk_out)(Transport *transport, const uint8_t *data, size_t size, unsigned timeout_ms,
                        size_t *ret_size);
        int (*bulk_in)(Transport *transport, uint8_t *buffer, size_t size, unsigned timeout_ms,
                       size_t *ret_size);
        /* A command and its answer, both handed to the host controller at once: the answer is
         * fetched as soon as it is there, and not only after we have heard that the command went.
         * Each has timeout_ms. *ret_sent: the command went, so that an error is the answer's.
         * NULL where it has to be one after the other. */
        int (*exchange)(Transport *transport, const uint8_t *command, size_t command_size,
                        uint8_t *reply, size_t size, unsigned timeout_ms, bool *ret_sent,
                        size_t *ret_size);
        int (*clear_halt)(Transport *transport, bool in);
        /* Let time pass; 0 or -ECANCELED. */
        int (*pause)(Transport *transport, Usec span);
        Transport *(*free)(Transport *transport);
} TransportOps;

/* The first member of every implementation. */
struct Transport {
        const TransportOps *ops;
        unsigned timeout_ms; /* for one transfer */
        size_t packet_size;  /* of the IN endpoint */
        uint8_t generation;  /* as in SessionOptions */
        bool scsi;           /* commands travel in SCSI's Bulk-Only wrapping, as on a V1 */
        bool ignore_cancel;  /* finish, whatever was asked: for cleaning up */
        uint32_t tag;        /* of the last wrapped command */
};

/* Room that a reply needs: transfers are asked for in whole packets, so that an answer that is
 * too long is seen and does not put the pipe out of step. */
#define TRANSPORT_REPLY_SIZE (REPLY_SIZE_MAX + 512)

/* Carry out one step. reply has TRANSPORT_REPLY_SIZE bytes; *ret_size is what came. Errors are
 * those of the ops, and
 *   -ETIME   the probe took the command but did not answer it
 *   -EPROTO  its SCSI wrapping is damaged
 * A stalled endpoint is cleared. */
int transport_perform(Transport *transport, const Step *step, uint8_t *reply, size_t *ret_size);

/* Throw away what waits in the probe. 0, or an error that will not go away. */
int transport_drain(Transport *transport);

/* Run a machine to its end; returns what its next() does. */
int transport_run_session(Transport *transport, Session *session);
int transport_run_access(Transport *transport, SwdAccess *access);

Transport *transport_free(Transport *transport);
DEFINE_CLEANUP(Transport *, transport_free)
