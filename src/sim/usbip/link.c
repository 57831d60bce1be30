/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "sim/usbip/link.h"
#include "sim/usbip/wire.h"

#define TRANSFER_MAX (16u << 20)
#define OUTPUT_MAX   (64u << 20) /* waiting for a host that does not read */

enum {
        /* USB 2.0, tables 9-3 to 9-6 */
        CLEAR_FEATURE = 1,
        GET_DESCRIPTOR = 6,
        SET_CONFIGURATION = 9,
        ENDPOINT_HALT = 0,
        DESCRIPTOR_DEVICE = 1,
};

typedef struct Urb {
        UsbipLink *owner;
        List link;
        uint32_t seqnum;
        UsbTransfer transfer;
        bool unlinked; /* its answer is that of the unlink command */
        uint8_t data[];
} Urb;

struct UsbipLink {
        unsigned n_references; /* its maker, and whoever is at work on it */
        bool ended;            /* its maker has freed it */
        UsbDevice *device;
        UsbClock *clock;
        UsbConfig config;
        sd_event_source *io;
        int fd;
        void (*closed)(void *userdata);
        void *userdata;
        List urbs;
        bool configured;
        bool broken; /* nothing more can be sent; closed() is due */

        uint8_t header[USBIP_HEADER_SIZE];
        size_t header_used;
        UsbipCommand command; /* once the header is complete */
        Urb *incoming;        /* whose data is being received */
        size_t data_used;

        uint8_t *output;
        size_t output_size;
};

/* Keep what the socket does not take now. */
static void queue_output(UsbipLink *link, const uint8_t *data, size_t size) {
        uint8_t *bigger;

        if (size == 0)
                return;
        bigger = link->output_size + size > OUTPUT_MAX
                         ? NULL
                         : realloc(link->output, link->output_size + size);
        if (!bigger) {
                link->broken = true;
                return;
        }
        memcpy(bigger + link->output_size, data, size);
        link->output = bigger;
        link->output_size += size;
        (void) sd_event_source_set_io_events(link->io, EPOLLIN | EPOLLOUT);
}

static void send_message(UsbipLink *link, const uint8_t *header, const uint8_t *data, size_t size) {
        struct iovec parts[] = { { (void *) header, USBIP_HEADER_SIZE }, { (void *) data, size } };
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
        ssize_t n = 0;
        size_t sent;

        if (link->broken)
                return;
        if (link->output_size == 0)
                n = sendmsg(link->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
                link->broken = true;
                return;
        }
        sent = n > 0 ? (size_t) n : 0;
        if (sent < USBIP_HEADER_SIZE)
                queue_output(link, header + sent, USBIP_HEADER_SIZE - sent);
        sent = sent > USBIP_HEADER_SIZE ? sent - USBIP_HEADER_SIZE : 0;
        if (sent < size) /* data may be NULL when there is none */
                queue_output(link, data + sent, size - sent);
}

static void flush_output(UsbipLink *link) {
        ssize_t n = send(link->fd, link->output, link->output_size, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno != EAGAIN && errno != EINTR)
                link->broken = true;
        if (n <= 0)
                return;
        link->output_size -= (size_t) n;
        memmove(link->output, link->output + n, link->output_size);
        if (link->output_size == 0)
                (void) sd_event_source_set_io_events(link->io, EPOLLIN);
}

/* The last one frees what no device ever took. */
static void link_unref(UsbipLink *link) {
        Urb *urb;

        if (--link->n_references > 0)
                return;
        while ((urb = LIST_FIRST(&link->urbs, Urb, link))) {
                list_remove(&urb->link);
                free(urb);
        }
        free(link->incoming);
        free(link->output);
        free(link);
}

static void on_complete(UsbTransfer *transfer) {
        Urb *urb = container_of(transfer, Urb, transfer);
        uint8_t header[USBIP_HEADER_SIZE];

        if (!urb->unlinked && !urb->owner->ended) {
                usbip_submit_encode(urb->seqnum, transfer->status, transfer->actual, header);
                send_message(urb->owner, header, urb->data,
                             usb_transfer_is_in(transfer) ? transfer->actual : 0);
        }
        list_remove(&urb->link);
        free(urb);
}

/* A host does not say that it reset the port; but it then asks for the device descriptor with
 * the length that only its hub driver uses (Linux, drivers/usb/core/hub.c,
 * GET_DESCRIPTOR_BUFSIZE). */
static bool tells_of_reset(const UsbipLink *link, const UsbTransfer *transfer) {
        const uint8_t *setup = transfer->setup;

        return link->configured && setup[0] == 0x80 && setup[1] == GET_DESCRIPTOR &&
               setup[3] == DESCRIPTOR_DEVICE && get_le16(setup + 6) == 64;
}

/* What a request on endpoint 0 means to the device beyond itself. True when it is done. */
static bool handle_control(UsbipLink *link, UsbTransfer *transfer) {
        const uint8_t *setup = transfer->setup;

        if (tells_of_reset(link, transfer)) {
                link->configured = false;
                link->device->ops->reset(link->device);
        }
        if (setup[0] == 0x00 && setup[1] == SET_CONFIGURATION)
                link->configured = true;
        if (setup[0] == 0x02 && setup[1] == CLEAR_FEATURE && get_le16(setup + 2) == ENDPOINT_HALT) {
                link->device->ops->clear_halt(link->device, setup[4]);
                return true;
        }
        return false;
}

static int find_type(const UsbipLink *link, UsbTransfer *transfer, const UsbipCommand *command) {
        const UsbEndpoint *endpoint;
        unsigned interface;

        if (command->endpoint == 0) {
                transfer->type = USB_TRANSFER_CONTROL;
                memcpy(transfer->setup, command->setup, sizeof(transfer->setup));
                return 0;
        }
        if (command->endpoint > 15)
                return -ENOENT;
        transfer->endpoint = (uint8_t) (command->endpoint | (command->in ? 0x80 : 0));
        endpoint = usb_config_endpoint(&link->config, transfer->endpoint, &interface);
        if (!endpoint)
                return -ENOENT;
        transfer->type = endpoint->type;
        return 0;
}

static void finish(Urb *urb, int status) {
        urb->transfer.actual = 0;
        urb->transfer.status = status;
        on_complete(&urb->transfer);
}

/* Hand a URB whose data is complete to the device. */
static void submit(UsbipLink *link, Urb *urb) {
        UsbDevice *device = link->device;
        UsbTransfer *transfer = &urb->transfer;
        int r;

        list_append(&link->urbs, &urb->link);
        transfer->complete = on_complete;
        r = find_type(link, transfer, &link->command);
        if (r == 0 && transfer->type == USB_TRANSFER_CONTROL && handle_control(link, transfer)) {
                finish(urb, 0);
                return;
        }
        if (r == 0)
                r = link->ended ? -ENODEV : device->ops->submit(device, transfer);
        if (r < 0)
                finish(urb, r == -ENODEV ? -ESHUTDOWN : r);
}

static void unlink_urb(UsbipLink *link, const UsbipCommand *command) {
        uint8_t header[USBIP_HEADER_SIZE];
        int status = 0; /* it was answered already */

        LIST_FOREACH(&link->urbs, Urb, urb, link)
                if (urb->seqnum == command->unlink_seqnum) {
                        urb->unlinked = true;
                        (void) link->device->ops->cancel(link->device, &urb->transfer);
                        status = -ECONNRESET;
                        break;
                }
        usbip_unlink_encode(command->seqnum, status, header);
        send_message(link, header, NULL, 0);
}

/* Start what a complete header asks for. */
static int begin(UsbipLink *link) {
        const UsbipCommand *command = &link->command;
        Urb *urb;

        usbip_command_decode(link->header, &link->command);
        link->header_used = 0;
        if (command->command == USBIP_CMD_UNLINK) {
                unlink_urb(link, command);
                return 0;
        }
        if (command->command != USBIP_CMD_SUBMIT || command->length > TRANSFER_MAX)
                return -EPROTO;
        urb = calloc(1, sizeof(Urb) + command->length);
        if (!urb)
                return -ENOMEM;
        urb->owner = link;
        list_init(&urb->link);
        list_init(&urb->transfer.link);
        urb->seqnum = command->seqnum;
        urb->transfer.buffer = urb->data;
        urb->transfer.length = command->length;
        link->incoming = urb;
        link->data_used = command->in ? command->length : 0;
        return 0;
}

/* Receive what is missing of a header or of data; 0 when nothing is to be had now. */
static ssize_t receive(UsbipLink *link) {
        uint8_t *to = link->incoming ? link->incoming->data + link->data_used
                                     : link->header + link->header_used;
        size_t missing = link->incoming ? link->incoming->transfer.length - link->data_used
                                        : USBIP_HEADER_SIZE - link->header_used;
        ssize_t n = recv(link->fd, to, missing, MSG_DONTWAIT);

        if (n == 0)
                return -EPIPE;
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        if (link->incoming)
                link->data_used += (size_t) n;
        else
                link->header_used += (size_t) n;
        return n;
}

/* One message, or a part of one. Anything that is asked of the device may make it leave, and
 * so end the link. */
static int process(UsbipLink *link) {
        ssize_t r = receive(link);

        if (r <= 0)
                return (int) r;
        if (!link->incoming && link->header_used == USBIP_HEADER_SIZE) {
                int e = begin(link);

                if (e < 0)
                        return e;
        }
        if (link->incoming && link->data_used == link->incoming->transfer.length)
                submit(link, TAKE_PTR(link->incoming));
        return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        UsbipLink *link = userdata;
        UsbClock *clock = link->clock;
        int r = 0;

        (void) source;
        (void) fd;
        link->n_references++;
        if (revents & EPOLLOUT)
                flush_output(link);
        usb_clock_tick(clock);
        if (!link->ended && revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
                r = process(link);
        if (!link->ended && (r < 0 || link->broken))
                link->closed(link->userdata);
        usb_clock_arm(clock);
        link_unref(link);
        return 0;
}

int usbip_link_new(sd_event *event, int fd, UsbDevice *device, UsbClock *clock,
                   void (*closed)(void *userdata), void *userdata, UsbipLink **ret) {
        _cleanup_(usbip_link_freep) UsbipLink *link = calloc(1, sizeof(UsbipLink));
        int r;

        if (!link)
                return -ENOMEM;
        link->n_references = 1;
        list_init(&link->urbs);
        link->fd = -EBADF;
        link->device = device;
        link->clock = clock;
        link->closed = closed;
        link->userdata = userdata;
        r = usb_config_parse(device->descriptors, device->descriptors_size, &link->config);
        if (r < 0)
                return r;
        r = sd_event_add_io(event, &link->io, fd, EPOLLIN, on_io, link);
        if (r < 0)
                return r;
        link->fd = fd;
        *ret = TAKE_PTR(link);
        return 0;
}

UsbipLink *usbip_link_free(UsbipLink *link) {
        if (!link)
                return NULL;
        link->ended = true;
        sd_event_source_disable_unref(link->io);
        link->io = NULL;
        for (List *l = link->urbs.next, *next; l != &link->urbs; l = next) {
                Urb *urb = container_of(l, Urb, link);

                /* The device may not have taken it, see submit(). */
                next = l->next;
                (void) link->device->ops->cancel(link->device, &urb->transfer);
        }
        link->fd = safe_close(link->fd);
        link_unref(link);
        return NULL;
}
