/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <libusb.h>
#include <poll.h>

#include "base/fd.h"
#include "core/ids.h"
#include "usb/node.h"
#include "usb/transport-libusb.h"

#define TIMEOUT_DEFAULT_MS 1000
#define DEBUG_INTERFACE    0
#define POLL_FDS_MAX       8

/* How long the interface stays free when it was claimed for too long: enough for somebody who
 * tries again and again. */
#define CLAIM_PAUSE (5 * USEC_PER_MSEC)

#define DEPARTURE_TIME     (300 * USEC_PER_MSEC)
#define DEPARTURE_INTERVAL 20 /* ms */

typedef struct UsbTransport {
        Transport base;
        libusb_context *context;
        libusb_device_handle *handle;
        int fd;          /* the caller's */
        uint8_t in, out; /* endpoint addresses */
        struct pollfd fds[POLL_FDS_MAX];
        nfds_t n_fds; /* those of libusb; cancel_fd may follow */
        int cancel_fd;
        bool claimed;
        Usec claimed_at, claim_budget, longest_claim;
} UsbTransport;

/* One bulk transfer under way. */
typedef struct UsbTransfer {
        struct libusb_transfer *libusb;
        int completed; /* set by libusb's callback */
} UsbTransfer;

static int error_from_libusb(int r) {
        switch (r) {
        case LIBUSB_SUCCESS:
                return 0;
        case LIBUSB_ERROR_ACCESS:
                return -EACCES;
        case LIBUSB_ERROR_NO_DEVICE:
                return -ENODEV;
        case LIBUSB_ERROR_BUSY:
                return -EBUSY;
        case LIBUSB_ERROR_TIMEOUT:
                return -ETIMEDOUT;
        case LIBUSB_ERROR_OVERFLOW:
                return -EOVERFLOW;
        case LIBUSB_ERROR_PIPE:
                return -EPIPE;
        case LIBUSB_ERROR_NO_MEM:
                return -ENOMEM;
        default:
                return -EIO;
        }
}

static int error_from_transfer(enum libusb_transfer_status status) {
        switch (status) {
        case LIBUSB_TRANSFER_COMPLETED:
                return 0;
        case LIBUSB_TRANSFER_TIMED_OUT:
                return -ETIMEDOUT;
        case LIBUSB_TRANSFER_STALL:
                return -EPIPE;
        case LIBUSB_TRANSFER_NO_DEVICE:
                return -ENODEV;
        case LIBUSB_TRANSFER_OVERFLOW:
                return -EOVERFLOW;
        case LIBUSB_TRANSFER_CANCELLED:
        case LIBUSB_TRANSFER_ERROR:
        default:
                return -EIO;
        }
}

/* Sleep until deadline, cancellation, or an event on the first n_fds of libusb's. */
static int usb_poll(UsbTransport *t, nfds_t n_fds, Usec deadline) {
        struct pollfd fds[POLL_FDS_MAX + 1];
        Usec now = now_usec(CLOCK_MONOTONIC);
        Usec span = deadline > now ? deadline - now : 0;
        struct timespec ts = { .tv_sec = (time_t) (span / USEC_PER_SEC),
                               .tv_nsec = (long) (span % USEC_PER_SEC) * 1000 };
        nfds_t n = 0;

        for (; n < n_fds; n++)
                fds[n] = t->fds[n];
        if (t->cancel_fd >= 0 && !t->base.ignore_cancel)
                fds[n++] = (struct pollfd){ .fd = t->cancel_fd, .events = POLLIN };

        if (ppoll(fds, n, deadline == USEC_INFINITY ? NULL : &ts, NULL) < 0)
                return errno == EINTR ? 0 : -errno;
        return n > n_fds && fds[n_fds].revents != 0 ? -ECANCELED : 0;
}

/* Not for somebody who has gone: it may be another's turn already. */
static int usb_claim(UsbTransport *t) {
        int r = usb_poll(t, /* n_fds= */ 0, /* deadline= */ 0);

        if (r >= 0)
                r = node_claim(t->fd, DEBUG_INTERFACE); /* libusb would blur why it failed */
        if (r < 0)
                return r;
        t->claimed = true;
        t->claimed_at = now_usec(CLOCK_MONOTONIC);
        return 0;
}

static void usb_release(UsbTransport *t) {
        Usec span;

        if (!t->claimed)
                return;
        (void) node_release(t->fd, DEBUG_INTERFACE);
        t->claimed = false;
        span = now_usec(CLOCK_MONOTONIC) - t->claimed_at;
        if (span > t->longest_claim)
                t->longest_claim = span;
}

static Usec usb_claim_ends(const UsbTransport *t) {
        return t->claim_budget > 0 ? usec_add(t->claimed_at, t->claim_budget) : USEC_INFINITY;
}

static int usb_pause(Transport *transport, Usec span) {
        UsbTransport *t = (UsbTransport *) transport;
        Usec deadline = usec_add(now_usec(CLOCK_MONOTONIC), span);
        int r = 0;

        while (r >= 0 && now_usec(CLOCK_MONOTONIC) < deadline)
                r = usb_poll(t, 0, deadline);
        return r;
}

/* Let others have the interface for a moment. */
static int usb_yield(UsbTransport *t) {
        int r;

        usb_release(t);
        r = usb_pause(&t->base, CLAIM_PAUSE);
        return r < 0 ? r : usb_claim(t);
}

static void usb_completed(struct libusb_transfer *libusb) {
        UsbTransfer *transfer = libusb->user_data;

        transfer->completed = 1;
}

/* A pull shows as one error or another before the kernel knows that the device is gone: a hub tells
 * it when it is asked next, a quarter of a second later at most (USB 2.0, chapter 11: the bInterval
 * of its status endpoint). */
static int usb_refine(const UsbTransport *t, int error) {
        /* Whoever has a budget keeps no claim for that long. */
        Usec patience = t->claim_budget > 0 ? 0 : DEPARTURE_TIME;
        Usec deadline = usec_add(now_usec(CLOCK_MONOTONIC), patience);
        uint8_t ignored;

        if (error != -EIO)
                return error;
        while (node_get_device(t->fd, &ignored) != -ENODEV) {
                if (now_usec(CLOCK_MONOTONIC) >= deadline)
                        return error;
                (void) poll(NULL, 0, DEPARTURE_INTERVAL);
        }
        return -ENODEV;
}

static int usb_submit(UsbTransport *t, uint8_t endpoint, uint8_t *buffer, size_t size,
                      UsbTransfer *transfer) {
        int r;

        *transfer = (UsbTransfer){ .libusb = libusb_alloc_transfer(/* iso_packets= */ 0) };
        if (!transfer->libusb)
                return -ENOMEM;
        libusb_fill_bulk_transfer(transfer->libusb, t->handle, endpoint, buffer, (int) size,
                                  usb_completed, transfer, /* timeout= */ 0);
        r = error_from_libusb(libusb_submit_transfer(transfer->libusb));
        if (r < 0)
                libusb_free_transfer(transfer->libusb);
        return r;
}

/* Drive libusb until the transfer is over, or else cancel it for that reason. It is never left
 * behind: the buffer is our caller's. */
static int usb_wait(UsbTransport *t, UsbTransfer *transfer, Usec deadline, int reason) {
        while (!transfer->completed) {
                struct timeval zero = {};

                if (reason) {
                        /* Cancelled already: the kernel will hand it back. */
                        (void) poll(t->fds, t->n_fds, /* timeout= */ -1);
                } else {
                        reason = usb_poll(t, t->n_fds, deadline);
                        if (reason == 0 && now_usec(CLOCK_MONOTONIC) >= deadline)
                                reason = -ETIMEDOUT;
                        if (reason)
                                (void) libusb_cancel_transfer(transfer->libusb);
                }
                (void) libusb_handle_events_timeout_completed(t->context, &zero,
                                                              &transfer->completed);
        }

        if (transfer->libusb->status == LIBUSB_TRANSFER_CANCELLED)
                return reason ? reason : -EIO;
        return error_from_transfer(transfer->libusb->status);
}

/* Whether a transfer that was cancelled had ended by itself just then: all of it has moved, or its
 * last packet was a short one. */
static bool usb_has_ended(const UsbTransport *t, const struct libusb_transfer *transfer) {
        size_t done = (size_t) transfer->actual_length;

        return done == (size_t) transfer->length || done % t->base.packet_size != 0;
}

/* What was submitted, to its end. */
static int usb_finish(UsbTransport *t, UsbTransfer *transfer, Usec deadline, size_t *ret_size) {
        int r = usb_wait(t, transfer, deadline, /* reason= */ 0);

        *ret_size = (size_t) transfer->libusb->actual_length;
        if (r == -ETIMEDOUT && usb_has_ended(t, transfer->libusb))
                r = 0;
        libusb_free_transfer(transfer->libusb);
        return usb_refine(t, r);
}

static void usb_abort(UsbTransport *t, UsbTransfer *transfer) {
        (void) libusb_cancel_transfer(transfer->libusb);
        (void) usb_wait(t, transfer, USEC_INFINITY, -ECANCELED);
        libusb_free_transfer(transfer->libusb);
}

static int usb_transfer(UsbTransport *t, uint8_t endpoint, uint8_t *buffer, size_t size,
                        Usec deadline, size_t *ret_size) {
        UsbTransfer transfer;
        int r = usb_submit(t, endpoint, buffer, size, &transfer);

        return r < 0 ? usb_refine(t, r) : usb_finish(t, &transfer, deadline, ret_size);
}

/* A transfer within its time, and within pieces of it when the claim has to be given up now and
 * then: what a probe has not yet taken or sent is not lost by that. */
static int usb_bulk(UsbTransport *t, uint8_t endpoint, uint8_t *buffer, size_t size,
                    unsigned timeout_ms, size_t *ret_size) {
        Usec deadline = now_usec(CLOCK_MONOTONIC) + timeout_ms * USEC_PER_MSEC;

        *ret_size = 0;
        for (;;) {
                Usec until = MIN(deadline, usb_claim_ends(t));
                size_t done = 0;
                int r = 0;

                if (now_usec(CLOCK_MONOTONIC) < until) {
                        r = usb_transfer(t, endpoint, buffer + *ret_size, size - *ret_size, until,
                                         &done);
                        *ret_size += done;
                        if (r != -ETIMEDOUT)
                                return r;
                }
                if (now_usec(CLOCK_MONOTONIC) >= deadline)
                        return -ETIMEDOUT;
                r = usb_yield(t);
                if (r < 0)
                        return r;
        }
}

static int usb_bulk_out(Transport *transport, const uint8_t *data, size_t size, unsigned timeout_ms,
                        size_t *ret_size) {
        UsbTransport *t = (UsbTransport *) transport;

        /* libusb does not write to the buffer of an OUT transfer. */
        return usb_bulk(t, t->out, (uint8_t *) data, size, timeout_ms, ret_size);
}

static int usb_bulk_in(Transport *transport, uint8_t *buffer, size_t size, unsigned timeout_ms,
                       size_t *ret_size) {
        UsbTransport *t = (UsbTransport *) transport;

        return usb_bulk(t, t->in, buffer, size, timeout_ms, ret_size);
}

static int usb_exchange(Transport *transport, const uint8_t *command, size_t command_size,
                        uint8_t *reply, size_t size, unsigned timeout_ms, bool *ret_sent,
                        size_t *ret_size) {
        UsbTransport *t = (UsbTransport *) transport;
        Usec timeout = timeout_ms * USEC_PER_MSEC;
        UsbTransfer out, in;
        size_t done = 0;
        int r;

        *ret_sent = false;
        r = usb_submit(t, t->out, (uint8_t *) command, command_size, &out);
        if (r < 0)
                return usb_refine(t, r);
        r = usb_submit(t, t->in, reply, size, &in);
        if (r < 0) {
                usb_abort(t, &out);
                return usb_refine(t, r);
        }

        r = usb_finish(t, &out, now_usec(CLOCK_MONOTONIC) + timeout, &done);
        if (r >= 0 && done != command_size)
                r = -EIO;
        if (r < 0) {
                usb_abort(t, &in);
                return r;
        }
        *ret_sent = true;
        return usb_finish(t, &in, now_usec(CLOCK_MONOTONIC) + timeout, ret_size);
}

static int usb_clear_halt(Transport *transport, bool in) {
        UsbTransport *t = (UsbTransport *) transport;

        return error_from_libusb(libusb_clear_halt(t->handle, in ? t->in : t->out));
}

static Transport *usb_free(Transport *transport) {
        UsbTransport *t = (UsbTransport *) transport;

        if (t->handle) {
                usb_release(t);
                libusb_close(t->handle); /* leaves a wrapped descriptor open */
        }
        if (t->context)
                libusb_exit(t->context);
        free(t);
        return NULL;
}

static const TransportOps usb_ops = {
        .bulk_out = usb_bulk_out,
        .bulk_in = usb_bulk_in,
        .exchange = usb_exchange,
        .clear_halt = usb_clear_halt,
        .pause = usb_pause,
        .free = usb_free,
};

/* Whoever gives up the claim now and then has no transfer under way meanwhile. */
static const TransportOps usb_budget_ops = {
        .bulk_out = usb_bulk_out,
        .bulk_in = usb_bulk_in,
        .clear_halt = usb_clear_halt,
        .pause = usb_pause,
        .free = usb_free,
};

static const struct libusb_endpoint_descriptor *endpoint_find(
        const struct libusb_interface_descriptor *interface, uint8_t address) {
        for (uint8_t i = 0; i < interface->bNumEndpoints; i++) {
                const struct libusb_endpoint_descriptor *e = &interface->endpoint[i];

                if (e->bEndpointAddress == address &&
                    (e->bmAttributes & LIBUSB_TRANSFER_TYPE_MASK) == LIBUSB_TRANSFER_TYPE_BULK)
                        return e;
        }
        return NULL;
}

static const struct libusb_interface_descriptor *interface_find(
        const struct libusb_config_descriptor *config) {
        for (uint8_t i = 0; i < config->bNumInterfaces; i++)
                for (int j = 0; j < config->interface[i].num_altsetting; j++) {
                        const struct libusb_interface_descriptor *d =
                                &config->interface[i].altsetting[j];

                        if (d->bInterfaceNumber == DEBUG_INTERFACE && d->bAlternateSetting == 0)
                                return d;
                }
        return NULL;
}

/* The addresses follow from the product (stlink-protocol §1.1); the descriptor has to agree. */
static int usb_check_endpoints(UsbTransport *t, const struct libusb_config_descriptor *config) {
        const struct libusb_interface_descriptor *interface = interface_find(config);
        const struct libusb_endpoint_descriptor *in, *out;

        if (!interface)
                return -EPROTO;
        in = endpoint_find(interface, t->in);
        out = endpoint_find(interface, t->out);
        if (!in || !out)
                return -EPROTO;
        /* Bulk packets have 8 to 64 bytes at full speed and 512 at high speed. */
        if (in->wMaxPacketSize < 8 || in->wMaxPacketSize > 512 ||
            (in->wMaxPacketSize & (in->wMaxPacketSize - 1)) != 0)
                return -EPROTO;
        t->base.packet_size = in->wMaxPacketSize;
        return 0;
}

static uint8_t generation_of(ProbeModel model) {
        static const uint8_t generations[_PROBE_MODEL_MAX] = {
                [PROBE_MODEL_V1] = 1, [PROBE_MODEL_V2] = 2,    [PROBE_MODEL_V2_1] = 2,
                [PROBE_MODEL_V3] = 3, [PROBE_MODEL_V3PWR] = 4,
        };

        return generations[model];
}

static int usb_read_descriptors(UsbTransport *t) {
        struct libusb_device *device = libusb_get_device(t->handle);
        struct libusb_device_descriptor descriptor;
        struct libusb_config_descriptor *config;
        const ProbeProduct *product;
        int r;

        r = libusb_get_device_descriptor(device, &descriptor);
        if (r < 0)
                return error_from_libusb(r);
        product = probe_product_find(descriptor.idVendor, descriptor.idProduct);
        if (!product)
                return -EPROTO;
        t->base.generation = generation_of(product->model);
        t->base.scsi = product->model == PROBE_MODEL_V1;
        t->in = 0x81;
        t->out = product->model == PROBE_MODEL_V1 || product->model == PROBE_MODEL_V2 ? 0x02 : 0x01;

        r = libusb_get_config_descriptor(device, /* config_index= */ 0, &config);
        if (r < 0)
                return r == LIBUSB_ERROR_NOT_FOUND ? -EPROTO : error_from_libusb(r);
        r = usb_check_endpoints(t, config);
        libusb_free_config_descriptor(config);
        return r;
}

static int usb_open(UsbTransport *t, int fd) {
        int r;

        /* udev says what is plugged in, so libusb is not to look, nor to start a thread for it. */
        r = libusb_set_option(NULL, LIBUSB_OPTION_NO_DEVICE_DISCOVERY);
        if (r >= 0)
                r = libusb_init(&t->context);
        if (r >= 0)
                r = libusb_wrap_sys_device(t->context, fd, &t->handle);
        return error_from_libusb(r);
}

static int usb_collect_fds(UsbTransport *t) {
        const struct libusb_pollfd **list = libusb_get_pollfds(t->context);

        if (!list)
                return -ENOMEM;
        for (size_t i = 0; list[i] && t->n_fds < POLL_FDS_MAX; i++)
                t->fds[t->n_fds++] =
                        (struct pollfd){ .fd = list[i]->fd, .events = list[i]->events };
        libusb_free_pollfds(list);
        return 0;
}

int transport_libusb_new(int fd, const UsbOptions *options, Transport **ret) {
        _cleanup_(transport_freep) Transport *transport = NULL;
        UsbTransport *t;
        uint8_t ignored;
        int r;

        /* libusb would not tell a probe that is gone from any other trouble. */
        r = node_get_device(fd, &ignored);
        if (r < 0)
                return r;

        t = calloc(1, sizeof(*t));
        if (!t)
                return -ENOMEM;
        transport = &t->base;
        t->base.ops = options->claim_budget > 0 ? &usb_budget_ops : &usb_ops;
        t->fd = fd;
        t->base.timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_DEFAULT_MS;
        t->cancel_fd = options->cancel_fd;
        t->claim_budget = options->claim_budget;

        r = usb_open(t, fd);
        if (r >= 0)
                r = usb_read_descriptors(t);
        if (r >= 0)
                r = usb_collect_fds(t);
        if (r >= 0)
                r = usb_claim(t);
        if (r < 0)
                return usb_refine(t, r);
        *ret = TAKE_PTR(transport);
        return 0;
}

Usec transport_libusb_longest_claim(const Transport *transport) {
        const UsbTransport *t = (const UsbTransport *) transport;
        Usec now = t->claimed ? now_usec(CLOCK_MONOTONIC) - t->claimed_at : 0;

        return MAX(now, t->longest_claim);
}
