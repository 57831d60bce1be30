/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "sim/device/device-internal.h"

/* Answers that may wait for the host before the firmware takes another command; that real
 * ones take any is unverified. */
#define PIPE_DEPTH 4

/* Packets that the serial port's loopback holds */
#define VCP_DEPTH 64

SimEndpoint *device_endpoint(SimDevice *device, uint8_t address) {
        for (size_t i = 0; i < device->n_endpoints; i++)
                if (device->endpoints[i].address == address)
                        return &device->endpoints[i];
        return NULL;
}

static void open_endpoint(SimDevice *device, uint8_t address, uint16_t size, UsbTransferType type) {
        if (address)
                endpoint_init(&device->endpoints[device->n_endpoints++], address, size, type);
}

void device_open_endpoints(SimDevice *device) {
        device->n_endpoints = 0;
        for (size_t i = 0; i < device->product->n_functions; i++) {
                const Function *f = &device->product->functions[i];

                open_endpoint(device, f->out, f->out_size, USB_TRANSFER_BULK);
                open_endpoint(device, f->in, f->in_size, USB_TRANSFER_BULK);
                open_endpoint(device, f->extra, f->extra_size,
                              f->type == FUNCTION_VCP ? USB_TRANSFER_INTERRUPT : USB_TRANSFER_BULK);
        }
}

static void pipe_reset(CommandPipe *pipe) {
        free(pipe->data);
        *pipe = (CommandPipe){};
}

void device_reset_functions(SimDevice *device) {
        static const uint8_t line_coding[7] = { 0x80, 0x25, 0, 0, 0, 0, 8 }; /* 9600 8N1 */

        pipe_reset(&device->pipe);
        bulk_only_reset(&device->bulk_only);
        for (size_t i = 0; i < 2; i++)
                memcpy(device->line_coding[i], line_coding, sizeof(line_coding));
}

static void make_noise(SimDevice *device, uint8_t *data, size_t size) {
        for (size_t i = 0; i < size; i++) {
                device->noise = device->noise * 1664525u + 1013904223u;
                data[i] = (uint8_t) (device->noise >> 24);
        }
}

/* Without memory the host gets no answer. */
void device_send(SimDevice *device, SimEndpoint *in, const uint8_t *data, size_t size) {
        uint8_t noise[FIRMWARE_DATA_MAX];

        switch (device->spec.settings.state) {
        case SIM_STATE_STALL:
                (void) endpoint_send_halt(in);
                return;
        case SIM_STATE_SHORT:
                (void) endpoint_send(in, data, (size + 1) / 2);
                return;
        case SIM_STATE_GARBAGE:
                size = MIN(size, sizeof(noise));
                make_noise(device, noise, size);
                data = noise;
                break;
        default:
                break;
        }
        (void) endpoint_send(in, data, size);
}

static void pipe_follow(SimDevice *device, SimEndpoint *in, const FirmwareAnswer *answer) {
        CommandPipe *pipe = &device->pipe;

        switch (answer->next) {
        case FIRMWARE_DONE:
                break;
        case FIRMWARE_SENDS:
                device_send(device, in, answer->data, answer->size);
                break;
        case FIRMWARE_RECEIVES:
                pipe->wanted = answer->size;
                pipe->got = 0;
                pipe->data = malloc(answer->size);
                break;
        case FIRMWARE_RESTARTS:
                device_leave(device, /* replug= */ true);
                break;
        }
}

/* A short packet ends the data early (unverified). */
static void pipe_data(SimDevice *device, SimEndpoint *in, const uint8_t *packet, size_t size,
                      bool is_short) {
        CommandPipe *pipe = &device->pipe;
        size_t n = MIN(size, pipe->wanted - pipe->got);

        if (n > 0)
                memcpy(pipe->data + pipe->got, packet, n);
        pipe->got += n;
        if (pipe->got < pipe->wanted && !is_short)
                return;
        pipe_follow(device, in, firmware_receive(device->firmware, pipe->data, pipe->got));
        pipe_reset(pipe);
}

static void pipe_packet(SimDevice *device, SimEndpoint *out, const uint8_t *packet, size_t size) {
        SimEndpoint *in = device_endpoint(device, 0x81);
        uint8_t command[FIRMWARE_COMMAND_SIZE] = {};

        if (device->pipe.data)
                return pipe_data(device, in, packet, size, size < out->packet_size);
        if (size == 0)
                return;
        memcpy(command, packet, MIN(size, sizeof(command)));
        pipe_follow(device, in, firmware_command(device->firmware, command));
}

static const Function *endpoint_function(const SimDevice *device, uint8_t address) {
        for (size_t i = 0; i < device->product->n_functions; i++) {
                const Function *f = &device->product->functions[i];

                if (f->in == address || f->out == address || f->extra == address)
                        return f;
        }
        return NULL;
}

static bool out_is_ready(SimDevice *device, const Function *function) {
        const SimEndpoint *in = device_endpoint(device, function->in);

        switch (function->type) {
        case FUNCTION_DEBUG:
        case FUNCTION_V1:
        case FUNCTION_MSD:
                return in->n_messages < PIPE_DEPTH;
        case FUNCTION_VCP:
                return in->n_messages < VCP_DEPTH;
        default:
                return true;
        }
}

static void out_packet(SimDevice *device, const Function *function, SimEndpoint *out,
                       const uint8_t *packet, size_t size) {
        SimEndpoint *in = device_endpoint(device, function->in);

        switch (function->type) {
        case FUNCTION_DEBUG:
                return pipe_packet(device, out, packet, size);
        case FUNCTION_V1:
        case FUNCTION_MSD:
                return bulk_only_packet(device, out, in, packet, size);
        case FUNCTION_VCP:
                if (device->spec.settings.vcp_loopback && size > 0)
                        (void) endpoint_send(in, packet, size);
                return;
        default:
                return;
        }
}

static bool move_out(SimDevice *device, const Function *function, SimEndpoint *endpoint) {
        UsbTransfer *transfer;
        const uint8_t *packet;
        size_t size;

        if (!out_is_ready(device, function))
                return false;
        transfer = endpoint_take_packet(endpoint, device->now, &packet, &size);
        if (!transfer)
                return false;
        out_packet(device, function, endpoint, packet, size);
        endpoint_taken(endpoint, transfer);
        return true;
}

/* The trace endpoint sends what has come in when the host asks. */
static void fill_trace(SimDevice *device, SimEndpoint *endpoint) {
        UsbTransfer *transfer = endpoint_first(endpoint, device->now);
        uint8_t data[512];
        size_t n;

        if (!transfer || endpoint->n_messages > 0)
                return;
        n = firmware_read_trace(device->firmware, data,
                                MIN(sizeof(data), transfer->length - transfer->actual));
        if (n > 0)
                (void) endpoint_send(endpoint, data, n);
}

bool device_move_packet(SimDevice *device, SimEndpoint *endpoint) {
        const Function *function = endpoint_function(device, endpoint->address);

        if (!(endpoint->address & 0x80))
                return move_out(device, function, endpoint);
        if (function->type == FUNCTION_DEBUG && endpoint->address == function->extra)
                fill_trace(device, endpoint);
        return endpoint_send_packet(endpoint, device->now);
}
