/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "proto/scsi.h"
#include "usb/transport.h"

/* Long enough for an answer that is on its way through a slow hub, short enough not to be
 * noticed. At most so many are thrown away: a probe that babbles for ever is broken. */
#define DRAIN_TIMEOUT_MS 20
#define DRAIN_MAX        32

static int transport_out_some(Transport *transport, const uint8_t *data, size_t size,
                              size_t *ret_done) {
        int r = transport->ops->bulk_out(transport, data, size, transport->timeout_ms, ret_done);

        if (r == -EPIPE)
                (void) transport->ops->clear_halt(transport, /* in= */ false);
        return r;
}

static int transport_out(Transport *transport, const uint8_t *data, size_t size) {
        size_t done = 0;
        int r = transport_out_some(transport, data, size, &done);

        if (r < 0)
                return r;
        return done == size ? 0 : -EIO;
}

/* The probe waits for all of the data that a command announced, and would take the next commands
 * for it: after a stall it gets the rest. */
static int transport_out_data(Transport *transport, const uint8_t *data, size_t size) {
        size_t done = 0;
        int r = transport_out_some(transport, data, size, &done);

        if (r == -EPIPE)
                return transport_out(transport, data + done, size - done);
        if (r < 0)
                return r;
        return done == size ? 0 : -EIO;
}

/* Whole packets, see TRANSPORT_REPLY_SIZE. */
static size_t transport_in_size(const Transport *transport, size_t wanted) {
        size_t packet = transport->packet_size;

        return (wanted + packet - 1) / packet * packet;
}

/* What to make of the result of an IN transfer. */
static int transport_in_result(Transport *transport, int r) {
        if (r == -EPIPE)
                (void) transport->ops->clear_halt(transport, /* in= */ true);
        return r == -ETIMEDOUT ? -ETIME : r;
}

static int transport_in(Transport *transport, uint8_t *buffer, size_t wanted, size_t *ret_size) {
        size_t done = 0;
        int r = transport->ops->bulk_in(transport, buffer, transport_in_size(transport, wanted),
                                        transport->timeout_ms, &done);

        r = transport_in_result(transport, r);
        if (r < 0)
                return r;
        *ret_size = done;
        return 0;
}

static int transport_exchange_plain(Transport *transport, const Command *command, uint8_t *reply,
                                    size_t *ret_size) {
        size_t size = transport_in_size(transport, command->in_size), done = 0;
        bool sent = false;
        int r = transport->ops->exchange(transport, command->bytes, COMMAND_SIZE, reply, size,
                                         transport->timeout_ms, &sent, &done);

        if (sent)
                r = transport_in_result(transport, r);
        else if (r == -EPIPE)
                (void) transport->ops->clear_halt(transport, /* in= */ false);
        if (r < 0)
                return r;
        *ret_size = done;
        return 0;
}

static int transport_perform_plain(Transport *transport, const Step *step, uint8_t *reply,
                                   size_t *ret_size) {
        int r;

        *ret_size = 0;
        if (transport->ops->exchange && step->command.out_size == 0 && step->command.in_size > 0)
                return transport_exchange_plain(transport, &step->command, reply, ret_size);
        r = transport_out(transport, step->command.bytes, COMMAND_SIZE);
        if (r >= 0 && step->command.out_size > 0)
                r = transport_out_data(transport, step->out, step->command.out_size);
        if (r >= 0 && step->command.in_size > 0)
                r = transport_in(transport, reply, step->command.in_size, ret_size);
        return r;
}

/* Command, data, status; a stall in the data phase is an answer too, and the status follows
 * (USB Mass Storage Bulk-Only 1.0 §6.7). */
static int transport_exchange_scsi(Transport *transport, const Step *step, uint8_t *reply,
                                   size_t *ret_size) {
        uint8_t cbw[SCSI_CBW_SIZE], csw[512];
        size_t size = 0;
        int r;

        *ret_size = 0;
        scsi_wrap(&step->command, ++transport->tag, cbw);
        r = transport_out(transport, cbw, sizeof(cbw));
        if (r >= 0 && step->command.out_size > 0)
                r = transport_out(transport, step->out, step->command.out_size);
        if (r >= 0 && step->command.in_size > 0)
                r = transport_in(transport, reply, step->command.in_size, ret_size);
        if (r < 0 && r != -EPIPE)
                return r;
        r = transport_in(transport, csw, SCSI_CSW_SIZE, &size);
        return r < 0 ? r : scsi_check(csw, size);
}

static int transport_perform_scsi(Transport *transport, const Step *step, uint8_t *reply,
                                  size_t *ret_size) {
        Step sense = { .command = scsi_request_sense() };
        uint8_t ignored[512];
        size_t size;
        int r = transport_exchange_scsi(transport, step, reply, ret_size);

        if (r == -EIO)
                (void) transport_exchange_scsi(transport, &sense, ignored, &size);
        return r;
}

int transport_perform(Transport *transport, const Step *step, uint8_t *reply, size_t *ret_size) {
        int r = 0;

        if (step->delay > 0)
                r = transport->ops->pause(transport, step->delay);
        if (r >= 0 && step->drain)
                r = transport_drain(transport);
        if (r < 0)
                return r;
        if (transport->scsi)
                return transport_perform_scsi(transport, step, reply, ret_size);
        return transport_perform_plain(transport, step, reply, ret_size);
}

int transport_drain(Transport *transport) {
        uint8_t buffer[TRANSPORT_REPLY_SIZE]; /* the largest answer may be waiting */
        size_t size = sizeof(buffer) / transport->packet_size * transport->packet_size;

        for (unsigned i = 0; i < DRAIN_MAX; i++) {
                size_t done = 0;
                int r = transport->ops->bulk_in(transport, buffer, size, DRAIN_TIMEOUT_MS, &done);

                if (r == -ETIMEDOUT && done == 0)
                        return 0;
                if (r == -EPIPE)
                        r = transport->ops->clear_halt(transport, /* in= */ true);
                if (r < 0 && r != -ETIMEDOUT && r != -EOVERFLOW)
                        return r;
        }
        return -EPROTO;
}

int transport_run_session(Transport *transport, Session *session) {
        uint8_t reply[TRANSPORT_REPLY_SIZE];
        Step step;
        int r;

        while ((r = session_next(session, &step)) > 0) {
                size_t size = 0;
                int error = transport_perform(transport, &step, reply, &size);

                session_feed(session, error, reply, size);
        }
        return r;
}

int transport_run_access(Transport *transport, SwdAccess *access) {
        uint8_t reply[TRANSPORT_REPLY_SIZE];
        Step step;
        int r;

        while ((r = swd_access_next(access, &step)) > 0) {
                size_t size = 0;
                int error = transport_perform(transport, &step, reply, &size);

                swd_access_feed(access, error, reply, size);
        }
        return step_error(r);
}

Transport *transport_free(Transport *transport) {
        return transport ? transport->ops->free(transport) : NULL;
}
