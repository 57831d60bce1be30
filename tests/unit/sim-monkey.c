/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim-monkey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sim-host.h"

#define HANDS  6 /* transfers under way at once */
#define BUFFER 8192

typedef struct Hand {
        UsbTransfer transfer;
        bool busy;
        uint8_t buffer[BUFFER];
} Hand;

typedef struct Player {
        Monkey *monkey;
        Host host;
        Hand hands[HANDS];
        bool over;
} Player;

bool monkey_next_random(Monkey *monkey, uint8_t *ret) {
        /* xorshift64 */
        monkey->state ^= monkey->state << 13;
        monkey->state ^= monkey->state >> 7;
        monkey->state ^= monkey->state << 17;
        *ret = (uint8_t) (monkey->state >> 32);
        return true;
}

bool monkey_next_byte(Monkey *monkey, uint8_t *ret) {
        if (monkey->size == 0)
                return false;
        *ret = *monkey->data++;
        monkey->size--;
        return true;
}

static uint8_t pick(Player *player) {
        uint8_t byte = 0;

        player->over |= !player->monkey->next(player->monkey, &byte);
        return byte;
}

static void on_complete(UsbTransfer *transfer) {
        Hand *hand = transfer->userdata;

        if (!hand->busy || transfer->actual > transfer->length)
                abort();
        hand->busy = false;
}

static Hand *free_hand(Player *player) {
        for (size_t i = 0; i < HANDS; i++)
                if (!player->hands[i].busy)
                        return &player->hands[i];
        return NULL;
}

/* Not told how long, the monkey uses its whole hand. */
static void submit(Player *player, Hand *hand, UsbTransferType type, uint8_t endpoint,
                   size_t length) {
        UsbDevice *usb = player->host.usb;

        memset(&hand->transfer.due, 0, sizeof(hand->transfer.due));
        hand->transfer.type = type;
        hand->transfer.endpoint = endpoint;
        hand->transfer.buffer = hand->buffer;
        hand->transfer.length = MIN(length, (size_t) BUFFER);
        hand->transfer.complete = on_complete;
        hand->transfer.userdata = hand;
        list_init(&hand->transfer.link);
        hand->busy = true;
        usb->ops->elapse(usb, player->host.now);
        if (usb->ops->submit(usb, &hand->transfer) < 0)
                hand->busy = false;
}

static const uint8_t families[] = { 0xf1, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf2, 0xf3,
                                    0xf4, 0xf5, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfd };

/* Addresses that lead somewhere, mostly. */
static const uint32_t addresses[] = { 0x20000000, 0x08000000, 0xe000edf0, 0xe000ed00,
                                      0x08004000, 0x40022000, 0x40023c00, 0x00000000 };

static void fill_command(Player *player, uint8_t *command) {
        command[0] = families[pick(player) % sizeof(families)];
        command[1] = pick(player) % 0x68;
        if (command[1] == 0x30 || command[1] == 0x20)
                command[2] = 0xa3;
        else
                put_le32(command + 2, addresses[pick(player) % ELEMENTSOF(addresses)]);
        put_le16(command + 6, (uint16_t) (pick(player) << (pick(player) % 6)));
        for (size_t i = 8; i < 16; i++)
                command[i] = pick(player) & pick(player) & pick(player);
}

static void do_command(Player *player) {
        Hand *hand = free_hand(player);
        bool v2 = get_le16(player->host.usb->descriptors + 10) == 0x3748;

        if (!hand)
                return;
        if (get_le16(player->host.usb->descriptors + 10) == 0x3744) {
                memset(hand->buffer, 0, 31);
                memcpy(hand->buffer, "USBC", 4);
                hand->buffer[8] = pick(player);
                hand->buffer[12] = pick(player);
                hand->buffer[14] = 1 + pick(player) % 16;
                fill_command(player, hand->buffer + 15);
                return submit(player, hand, USB_TRANSFER_BULK, 0x02, 31);
        }
        fill_command(player, hand->buffer);
        submit(player, hand, USB_TRANSFER_BULK, v2 ? 0x02 : 0x01, 16);
}

static void do_bulk(Player *player) {
        Hand *hand = free_hand(player);
        uint8_t endpoint = pick(player);
        size_t length = (size_t) pick(player) << (pick(player) % 6);

        if (!hand)
                return;
        for (size_t i = 0; i < 40; i++)
                hand->buffer[i] = pick(player);
        /* A disk's command now and then */
        if (endpoint & 0x10) {
                memcpy(hand->buffer, "USBC", 4);
                memset(hand->buffer + 9, 0, 3);
                hand->buffer[14] = 10;
                length = 31;
        }
        submit(player, hand, USB_TRANSFER_BULK, endpoint & 0x87, length);
}

static void do_read(Player *player) {
        Hand *hand = free_hand(player);

        if (hand)
                submit(player, hand, USB_TRANSFER_BULK, 0x81,
                       (size_t) pick(player) << (pick(player) % 6));
}

static void do_control(Player *player) {
        Hand *hand = free_hand(player);
        uint8_t *setup;

        if (!hand)
                return;
        setup = hand->transfer.setup;
        for (size_t i = 0; i < 8; i++)
                setup[i] = pick(player) & pick(player);
        setup[0] &= 0xe3;
        submit(player, hand, USB_TRANSFER_CONTROL, 0, pick(player));
}

static void do_cancel(Player *player) {
        uint8_t which = pick(player);

        for (size_t i = 0; i < HANDS; i++) {
                Hand *hand = &player->hands[i];
                int r;

                if (!(which & 1u << i) || !hand->busy)
                        continue;
                r = player->host.usb->ops->cancel(player->host.usb, &hand->transfer);
                if (r < 0 || hand->busy)
                        abort();
        }
}

static void do_set(Player *player) {
        static const char *const changes[][2] = {
                { "state", "ok" },
                { "state", "ok" },
                { "state", "ok" },
                { "latency", "0" },
                { "state", "wedged" },
                { "state", "stall" },
                { "state", "short" },
                { "state", "garbage" },
                { "state", "busy" },
                { "condition", "ok" },
                { "condition", "asleep" },
                { "condition", "absent" },
                { "condition", "remapped" },
                { "condition", "unpowered" },
                { "rdp", "0" },
                { "rdp", "1" },
                { "rdp", "2" },
                { "nrst", "unwired" },
                { "nrst", "wired" },
                { "wait", "3" },
                { "latency", "0" },
                { "latency", "3ms" },
                { "wire", "real" },
                { "wire", "instant" },
                { "unplug-at", "5" },
                { "stall-at", "2" },
                { "reenumerate", "10ms" },
                { "swo", "text" },
                { "vcp", "silent" },
                { "vcp", "loopback" },
                { "state", "nonsense" },
        };
        const char *const *change = changes[pick(player) % ELEMENTSOF(changes)];
        _cleanup_free_ char *error = NULL;

        (void) sim_device_set(player->host.device, change[0], change[1], &error);
}

static void do_hands_on(Player *player) {
        UsbDevice *usb = player->host.usb;
        uint8_t what = pick(player);

        if (!usb->attached)
                return sim_device_plug(player->host.device);
        switch (what % 8) {
        case 0:
                return sim_device_unplug(player->host.device);
        case 1:
                return usb->ops->reset(usb);
        default:
                return usb->ops->clear_halt(usb, what & 0x80 ? 0x81 : 0x01);
        }
}

static void step(Player *player) {
        static void (*const actions[])(Player *) = {
                do_command, do_command, do_command, do_command,  do_command, do_command,
                do_read,    do_read,    do_read,    do_read,     do_read,    do_bulk,
                do_control, do_cancel,  do_set,     do_hands_on,
        };

        actions[pick(player) % ELEMENTSOF(actions)](player);
        host_wait(&player->host, pick(player) * USEC_PER_MSEC / 16);
}

static void let_go(Player *player) {
        for (size_t i = 0; i < HANDS; i++)
                if (player->hands[i].busy) {
                        UsbTransfer *transfer = &player->hands[i].transfer;

                        if (player->host.usb->ops->cancel(player->host.usb, transfer) < 0)
                                abort();
                }
}

static void check_recovery(Player *player) {
        static const char *const cures[][2] = {
                { "state", "ok" }, { "latency", "0" }, { "unplug-at", "0" }, { "stall-at", "0" }
        };
        Host *host = &player->host;
        uint8_t reply[64];

        for (size_t i = 0; i < ELEMENTSOF(cures); i++) {
                _cleanup_free_ char *error = NULL;

                if (sim_device_set(host->device, cures[i][0], cures[i][1], &error) < 0)
                        abort();
        }
        sim_device_unplug(host->device);
        sim_device_plug(host->device);
        if (!host->usb->attached)
                abort();
        if (get_le16(host->usb->descriptors + 10) == 0x3744)
                return;
        if (HOST_ASK(host, reply, sizeof(reply), 0xf5) != 2 || reply[0] > 1)
                abort();
}

uint64_t monkey_play(Monkey *monkey, const char *spec, unsigned steps) {
        Player *player = calloc(1, sizeof(*player));
        SimCounters counters;

        if (!player)
                abort();
        player->monkey = monkey;
        host_init(&player->host, spec);
        /* The core would spend all the time there is. */
        (void) sim_device_set(player->host.device, "instructions", "50", NULL);
        for (unsigned i = 0; i < steps && !player->over; i++)
                step(player);
        let_go(player);
        sim_device_get_counters(player->host.device, &counters);
        check_recovery(player);
        host_done(&player->host);
        free(player);
        return counters.commands;
}
