/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim-transport.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"

static int sim_bulk(Transport *transport, uint8_t endpoint, uint8_t *buffer, size_t size,
                    size_t *ret_size) {
        SimTransport *t = (SimTransport *) transport;
        int r;

        *ret_size = 0;
        if (t->cancelled && !transport->ignore_cancel)
                return -ECANCELED;
        r = host_bulk(t->host, endpoint, buffer, size);
        if (r == -ESHUTDOWN)
                return -ENODEV;
        if (r < 0)
                return r;
        *ret_size = (size_t) r;
        return 0;
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
        .clear_halt = sim_clear_halt,
        .pause = sim_pause,
        .free = sim_free,
};

Transport *sim_transport_new(Host *host) {
        SimTransport *t = calloc(1, sizeof(*t));
        uint16_t product_id = get_le16(host->usb->descriptors + 10); /* idProduct, USB 2.0 §9.6.1 */

        if (!t)
                abort();
        t->base.ops = &ops;
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
