/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/device/endpoint.h"

#include <errno.h>
#include <string.h>

typedef struct Message {
        List link;
        bool halt; /* no message: the endpoint halts when its turn has come */
        size_t size, sent;
        uint8_t data[];
} Message;

void endpoint_init(SimEndpoint *endpoint, uint8_t address, uint16_t packet_size,
                   UsbTransferType type) {
        *endpoint = (SimEndpoint){
                .address = address,
                .packet_size = packet_size,
                .type = type,
        };
        list_init(&endpoint->transfers);
        list_init(&endpoint->messages);
}

static void endpoint_drop(SimEndpoint *endpoint, Message *message) {
        list_remove(&message->link);
        endpoint->n_messages--;
        free(message);
}

void endpoint_clear(SimEndpoint *endpoint) {
        LIST_FOREACH(&endpoint->messages, Message, message, link)
                endpoint_drop(endpoint, message);
        endpoint->halted = false;
}

/* Owners may submit again from within; only what is pending now is ended. */
void endpoint_flush(SimEndpoint *endpoint, int status) {
        List ending;

        list_init(&ending);
        while (!list_is_empty(&endpoint->transfers)) {
                List *link = endpoint->transfers.next;

                list_remove(link);
                list_append(&ending, link);
        }
        while (!list_is_empty(&ending))
                endpoint_complete(endpoint, LIST_FIRST(&ending, UsbTransfer, link), status);
}

static int endpoint_queue(SimEndpoint *endpoint, const uint8_t *data, size_t size, bool halt) {
        Message *message = malloc(sizeof(*message) + size);

        if (!message)
                return -ENOMEM;
        message->halt = halt;
        message->size = size;
        message->sent = 0;
        if (size > 0)
                memcpy(message->data, data, size);
        list_append(&endpoint->messages, &message->link);
        endpoint->n_messages++;
        return 0;
}

int endpoint_send(SimEndpoint *endpoint, const uint8_t *data, size_t size) {
        return endpoint_queue(endpoint, data, size, /* halt= */ false);
}

int endpoint_send_halt(SimEndpoint *endpoint) {
        return endpoint_queue(endpoint, NULL, 0, /* halt= */ true);
}

UsbTransfer *endpoint_first(const SimEndpoint *endpoint, Usec now) {
        UsbTransfer *transfer = LIST_FIRST(&endpoint->transfers, UsbTransfer, link);

        return transfer && transfer->due <= now ? transfer : NULL;
}

void endpoint_complete(SimEndpoint *endpoint, UsbTransfer *transfer, int status) {
        list_remove(&transfer->link);
        transfer->status = status;
        if (status == 0)
                endpoint->completed++;
        transfer->complete(transfer);
}

int endpoint_cancel(SimEndpoint *endpoint, UsbTransfer *transfer) {
        LIST_FOREACH(&endpoint->transfers, UsbTransfer, pending, link)
                if (pending == transfer) {
                        endpoint_complete(endpoint, transfer, -ENOENT);
                        return 0;
                }
        return -EINVAL;
}

/* One packet of message into transfer. A packet that does not fit is lost, and the host
 * controller calls it babble. */
static void endpoint_fill(SimEndpoint *endpoint, UsbTransfer *transfer, Message *message) {
        size_t packet = MIN((size_t) endpoint->packet_size, message->size - message->sent);
        size_t room = transfer->length - transfer->actual;
        size_t n = MIN(packet, room);

        if (n > 0)
                memcpy(transfer->buffer + transfer->actual, message->data + message->sent, n);
        transfer->actual += n;
        message->sent += packet;
        if (message->sent == message->size)
                endpoint_drop(endpoint, message);
        if (packet > room)
                endpoint_complete(endpoint, transfer, -EOVERFLOW);
        else if (packet < endpoint->packet_size || packet == room)
                endpoint_complete(endpoint, transfer, 0);
}

bool endpoint_send_packet(SimEndpoint *endpoint, Usec now) {
        UsbTransfer *transfer = endpoint_first(endpoint, now);
        Message *message = LIST_FIRST(&endpoint->messages, Message, link);

        if (!transfer)
                return false;
        if (message && message->halt && !endpoint->halted) {
                endpoint_drop(endpoint, message);
                endpoint->halted = true;
        }
        if (endpoint->halted)
                endpoint_complete(endpoint, transfer, -EPIPE);
        else if (message)
                endpoint_fill(endpoint, transfer, message);
        else
                return false;
        return true;
}

UsbTransfer *endpoint_take_packet(SimEndpoint *endpoint, Usec now, const uint8_t **ret,
                                  size_t *ret_size) {
        UsbTransfer *transfer = endpoint_first(endpoint, now);

        while (transfer && endpoint->halted) {
                endpoint_complete(endpoint, transfer, -EPIPE);
                transfer = endpoint_first(endpoint, now);
        }
        if (!transfer)
                return NULL;
        *ret_size = MIN((size_t) endpoint->packet_size, transfer->length - transfer->actual);
        *ret = *ret_size > 0 ? transfer->buffer + transfer->actual : NULL;
        return transfer;
}

void endpoint_taken(SimEndpoint *endpoint, UsbTransfer *transfer) {
        size_t n = MIN((size_t) endpoint->packet_size, transfer->length - transfer->actual);

        transfer->actual += n;
        if (transfer->actual == transfer->length)
                endpoint_complete(endpoint, transfer, 0);
}
