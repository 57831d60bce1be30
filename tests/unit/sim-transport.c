/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim-transport.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/macro.h"

/* What the host says of a transfer, as a transport says it. */
static int sim_result(int r, size_t *ret_size) {
        *ret_size = r > 0 ? (size_t) r : 0;
        if (r == -ESHUTDOWN)
                return -ENODEV;
        return MIN(r, 0);
}

static int sim_bulk(Transport *transport, uint8_t endpoint, uint8_t *buffer, size_t size,
                    size_t *ret_size) {
        SimTransport *t = (SimTransport *) transport;

        if (t->cancelled && !transport->ignore_cancel)
                return sim_result(-ECANCELED, ret_size);
        return sim_result(host_bulk(t->host, endpoint, buffer, size), ret_size);
}

static int sim_exchange(Transport *transport, const uint8_t *command, size_t command_size,
                        uint8_t *reply, size_t size, _unused_ unsigned timeout_ms, bool *ret_sent,
                        size_t *ret_size) {
        SimTransport *t = (SimTransport *) transport;
        HostTransfer out, in;
        int r;

        *ret_sent = false;
        if (t->cancelled && !transport->ignore_cancel)
                return sim_result(-ECANCELED, ret_size);
        r = host_start(t->host, &out, t->out, (uint8_t *) command, command_size);
        if (r < 0)
                return sim_result(r, ret_size);
        r = host_start(t->host, &in, t->in, reply, size);
        if (r < 0) {
                (void) host_finish(t->host, &out);
                return sim_result(r, ret_size);
        }
        r = host_finish(t->host, &out);
        if (r < 0) {
                (void) host_finish(t->host, &in);
                return sim_result(r, ret_size);
        }
        *ret_sent = true;
        return sim_result(host_finish(t->host, &in), ret_size);
}

static int sim_bulk_out(Transport *transport, const uint8_t *data, size_t size,
                        _unused_ unsigned timeout_ms, size_t *ret_size) {
        return sim_bulk(transport, ((SimTransport *) transport)->out, (uint8_t *) data, size,
                        ret_size);
}

static int sim_bulk_in(Transport *transport, uint8_t *buffer, size_t size,
                       _unused_ unsigned timeout_ms, size_t *ret_size) {
        return sim_bulk(transport, ((SimTransport *) transport)->in, buffer, size, ret_size);
}

static int sim_clear_halt(Transport *transport, bool in) {
        SimTransport *t = (SimTransport *) transport;

        if (!t->host->usb->attached)
                return -ENODEV;
        t->host->usb->ops->clear_halt(t->host->usb, in ? t->in : t->out);
        return 0;
}

static int sim_pause(Transport *transport, Usec span) {
        SimTransport *t = (SimTransport *) transport;

        host_wait(t->host, span);
        return t->cancelled && !transport->ignore_cancel ? -ECANCELED : 0;
}

static Transport *sim_free(Transport *transport) {
        free(transport);
        return NULL;
}

static const TransportOps ops = {
        .bulk_out = sim_bulk_out,
        .bulk_in = sim_bulk_in,
        .exchange = sim_exchange,
        .clear_halt = sim_clear_halt,
        .pause = sim_pause,
        .free = sim_free,
};

static const TransportOps ops_in_turn = {
        .bulk_out = sim_bulk_out,
        .bulk_in = sim_bulk_in,
        .clear_halt = sim_clear_halt,
        .pause = sim_pause,
        .free = sim_free,
};

Transport *sim_transport_new(Host *host) {
        SimTransport *t = calloc(1, sizeof(*t));
        uint16_t product_id = get_le16(host->usb->descriptors + 10); /* idProduct, USB 2.0 §9.6.1 */

        if (!t)
                abort();
        t->base.ops = host->in_turn ? &ops_in_turn : &ops;
        t->base.timeout_ms = 100;
        t->base.packet_size = host->usb->speed == USB_SPEED_HIGH_480M ? 512 : 64;
        t->base.scsi = product_id == 0x3744;
        t->base.generation = product_id == 0x3757                      ? 4
                             : host->usb->speed == USB_SPEED_HIGH_480M ? 3
                                                                       : 0;
        t->host = host;
        t->in = 0x81;
        t->out = product_id == 0x3744 || product_id == 0x3748 ? 0x02 : 0x01;
        return &t->base;
}
