/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim-host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

static void on_detached(_unused_ UsbDevice *usb, void *userdata) {
        ((Host *) userdata)->detached++;
}

static void on_attached(_unused_ UsbDevice *usb, void *userdata) {
        ((Host *) userdata)->attached++;
}

static const UsbHostOps host_ops = {
        .detached = on_detached,
        .attached = on_attached,
};

void host_init(Host *host, const char *text) {
        _cleanup_(sim_spec_freep) SimSpec *spec = NULL;
        _cleanup_free_ char *error = NULL;

        *host = (Host){ .now = 1 };
        if (sim_spec_parse(text, &spec, &error) < 0 || sim_device_new(spec, &host->device) < 0) {
                fprintf(stderr, "%s: %s\n", text, error ? error : "cannot be made");
                abort();
        }
        host->usb = sim_device_usb(host->device);
        host->usb->host = &host_ops;
        host->usb->host_userdata = host;
}

void host_done(Host *host) {
        host->device = sim_device_free(host->device);
}

/* Go from event to event until the time has passed, or *done. */
static void host_run(Host *host, Usec until, const bool *done) {
        while (!(done && *done)) {
                Usec next = host->usb->ops->next_event(host->usb), then = MIN(next, until);

                host->now = MAX(host->now, then);
                host->usb->ops->elapse(host->usb, host->now);
                if (next > until)
                        break;
        }
}

void host_wait(Host *host, Usec span) {
        host_run(host, host->now + span, NULL);
}

static void on_complete(UsbTransfer *transfer) {
        ((HostTransfer *) transfer->userdata)->done = true;
}

static int host_submit(Host *host, HostTransfer *t) {
        t->transfer.complete = on_complete;
        t->transfer.userdata = t;
        list_init(&t->transfer.link);
        host->usb->ops->elapse(host->usb, host->now);
        return host->usb->ops->submit(host->usb, &t->transfer);
}

int host_start(Host *host, HostTransfer *t, uint8_t endpoint, void *data, size_t size) {
        *t = (HostTransfer){ .transfer = { .type = USB_TRANSFER_BULK,
                                           .endpoint = endpoint,
                                           .buffer = data,
                                           .length = size } };
        return host_submit(host, t);
}

int host_finish(Host *host, HostTransfer *t) {
        host_run(host, host->now + HOST_TIMEOUT, &t->done);
        if (t->done)
                return t->transfer.status < 0 ? t->transfer.status : (int) t->transfer.actual;
        if (host->usb->ops->cancel(host->usb, &t->transfer) < 0 || !t->done ||
            t->transfer.status != -ENOENT)
                abort();
        return -ETIMEDOUT;
}

int host_bulk(Host *host, uint8_t endpoint, void *data, size_t size) {
        HostTransfer t;
        int r = host_start(host, &t, endpoint, data, size);

        return r < 0 ? r : host_finish(host, &t);
}

int host_control(Host *host, uint8_t type, uint8_t code, uint16_t value, uint16_t index, void *data,
                 uint16_t size) {
        HostTransfer t = { .transfer = { .type = USB_TRANSFER_CONTROL,
                                         .setup = { type, code },
                                         .buffer = data,
                                         .length = size } };
        int r;

        put_le16(t.transfer.setup + 2, value);
        put_le16(t.transfer.setup + 4, index);
        put_le16(t.transfer.setup + 6, size);
        r = host_submit(host, &t);
        return r < 0 ? r : host_finish(host, &t);
}

/* V2's pipe, and only its, is on endpoint 2 (stlink-protocol §1.1). */
static uint8_t host_out(const Host *host) {
        return get_le16(host->usb->descriptors + 10) == 0x3748 ? 0x02 : 0x01;
}

int host_send(Host *host, const uint8_t *command, size_t n) {
        uint8_t block[16] = {};

        memcpy(block, command, MIN(n, sizeof(block)));
        return host_bulk(host, host_out(host), block, sizeof(block));
}

int host_ask(Host *host, const uint8_t *command, size_t n, uint8_t *reply, size_t size) {
        int r = host_send(host, command, n);

        return r < 0 ? r : host_bulk(host, 0x81, reply, size);
}
