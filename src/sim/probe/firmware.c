/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/probe/firmware.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/probe/firmware-internal.h"

#define STLINK_VENDOR 0x0483

/* Polling flash loaders must get somewhere between two questions of the host. */
#define DEFAULT_INSTRUCTIONS 50000

uint8_t *answer_data(Firmware *firmware, size_t size) {
        FirmwareAnswer *answer = &firmware->answer;

        answer->size = MIN(size, (size_t) FIRMWARE_DATA_MAX);
        answer->next = answer->size > 0 ? FIRMWARE_SENDS : FIRMWARE_DONE;
        memset(answer->data, 0, MAX(answer->size, (size_t) 2));
        return answer->data;
}

uint8_t *answer_with_status(Firmware *firmware, size_t size, uint16_t status) {
        uint8_t *data = answer_data(firmware, size);

        put_le16(data, status);
        return data;
}

void answer_status(Firmware *firmware, uint16_t status) {
        answer_with_status(firmware, 2, status);
}

void answer_nothing(Firmware *firmware) {
        firmware->answer.next = FIRMWARE_DONE;
        firmware->answer.size = 0;
}

/* V1 has a place for failure in its framing; the others send a status of two bytes whatever
 * the host expected. */
void answer_unknown(Firmware *firmware) {
        if (firmware->setup.model != FIRMWARE_V1)
                return answer_status(firmware, STATUS_UNKNOWN_COMMAND);
        answer_nothing(firmware);
        firmware->answer.failed = true;
}

void answer_restart(Firmware *firmware, FirmwareMode mode) {
        answer_nothing(firmware);
        target_set_nrst(firmware->target, /* low= */ false); /* its pins float meanwhile */
        firmware->answer.next = FIRMWARE_RESTARTS;
        firmware->mode = mode;
}

void answer_receive(Firmware *firmware, size_t size, FirmwareReceiver receiver) {
        answer_nothing(firmware);
        if (size == 0)
                return;
        firmware->answer.next = FIRMWARE_RECEIVES;
        firmware->answer.size = size;
        firmware->receiver = receiver;
}

bool firmware_has(const Firmware *firmware, uint8_t v2_from, uint8_t v3_from) {
        const FirmwareVersion *version = &firmware->setup.version;
        uint8_t from = version->hardware >= 3 ? v3_from : v2_from;

        return version->hardware >= 2 && from != FIRMWARE_NEVER && version->jtag >= from;
}

const FirmwareCommand *firmware_find(const Firmware *firmware, const FirmwareCommand *commands,
                                     size_t n, uint8_t opcode) {
        const FirmwareVersion *version = &firmware->setup.version;

        for (size_t i = 0; i < n; i++) {
                const FirmwareCommand *c = &commands[i];
                uint8_t from = version->hardware >= 3   ? c->v3_from
                               : version->hardware == 2 ? c->v2_from
                                                        : c->v1_from;

                if (c->opcode != opcode)
                        continue;
                return from == FIRMWARE_NEVER || version->jtag < from ? NULL : c;
        }
        return NULL;
}

static uint16_t firmware_product_id(const Firmware *firmware) {
        return firmware->mode == FIRMWARE_MODE_LOADER ? firmware->setup.loader_product_id
                                                      : firmware->setup.product_id;
}

static void get_version(Firmware *firmware, _unused_ const uint8_t *command) {
        uint8_t *data = answer_data(firmware, 6);

        put_be16(data, firmware_version_word(&firmware->setup.version));
        put_le16(data + 2, STLINK_VENDOR);
        put_le16(data + 4, firmware_product_id(firmware));
}

static void get_version_extended(Firmware *firmware, _unused_ const uint8_t *command) {
        const FirmwareVersion *version = &firmware->setup.version;
        uint8_t *data = answer_data(firmware, 12);

        data[0] = version->hardware;
        data[1] = version->swim;
        data[2] = version->jtag;
        data[3] = version->msd;
        data[4] = version->bridge;
        data[5] = version->power;
        put_le16(data + 8, STLINK_VENDOR);
        put_le16(data + 10, firmware_product_id(firmware));
}

/* Applications leave the second byte 0, but for V3PWR (stlink-protocol §3.1, F5). */
static void get_mode(Firmware *firmware, _unused_ const uint8_t *command) {
        static const uint8_t loader_version[] = { 0, 1, 2, 3, 4 };
        FirmwareModel model = firmware->setup.model;
        uint8_t *data = answer_data(firmware, 2);

        data[0] = (uint8_t) firmware->mode;
        if (firmware->mode == FIRMWARE_MODE_LOADER || model == FIRMWARE_V3PWR)
                data[1] = loader_version[model];
}

/* The converter reads its own 1.2 V reference (a0) and half of the target's supply (a1), with
 * 12 bits of the probe's supply; V3's scale is the one seen in §3.1. */
static void get_voltage(Firmware *firmware, _unused_ const uint8_t *command) {
        uint32_t reference = firmware->setup.version.hardware >= 3 ? 1365 : 1489;
        uint32_t millivolts = target_millivolts(firmware->target);
        uint8_t *data = answer_data(firmware, 8);

        put_le32(data, reference);
        put_le32(data + 4, (millivolts * reference + 1200) / 2400);
}

static void get_board_pins(Firmware *firmware, _unused_ const uint8_t *command) {
        (void) answer_data(firmware, 4);
}

/* That a plain V2 answers "not available" is unverified. */
static void control_loader(Firmware *firmware, const uint8_t *command) {
        bool available = firmware->setup.model != FIRMWARE_V2;

        if (command[1] == 0)
                return answer_status(firmware, available ? STATUS_OK : STATUS_NO_LOADER);
        if (command[1] != 1 || !available)
                return answer_status(firmware, STATUS_BAD_ARGUMENT);
        debug_leave(firmware);
        loader_start(firmware);
        answer_restart(firmware, FIRMWARE_MODE_LOADER);
}

static void set_clock_output(Firmware *firmware, const uint8_t *command) {
        answer_status(firmware, command[1] <= 3 ? STATUS_OK : STATUS_BAD_ARGUMENT);
}

static void drive_power(Firmware *firmware, const uint8_t *command) {
        if (command[1] > 1)
                return answer_status(firmware, STATUS_BAD_ARGUMENT);
        firmware->drive_power = command[1] == 1;
        answer_status(firmware, STATUS_OK);
}

/* Without a boot loader to leave, 07 has nothing to do and says nothing. */
static void application_dfu(Firmware *firmware, const uint8_t *command) {
        if (command[1] == 7)
                return answer_nothing(firmware);
        answer_unknown(firmware);
}

/* Everything before J13 on V2 is a guess at "from the first". */
static const FirmwareCommand application_commands[] = {
        { 0xf1, 0, 0, 0, get_version },
        { 0xf2, 0, 0, 0, firmware_debug },
        { 0xf3, 0, 0, 0, application_dfu },
        { 0xf4, 0, 0, 0, firmware_swim },
        { 0xf5, 0, 0, 0, get_mode },
        { 0xf7, FIRMWARE_NEVER, 13, 0, get_voltage },
        { 0xf8, FIRMWARE_NEVER, 0, 0, get_board_pins },
        { 0xf9, FIRMWARE_NEVER, 0, 0, control_loader },
        { 0xfa, FIRMWARE_NEVER, 0, 0, set_clock_output },
        { 0xfb, FIRMWARE_NEVER, FIRMWARE_NEVER, 0, get_version_extended },
        { 0xfd, FIRMWARE_NEVER, 34, 4, drive_power },
};

static const FirmwareCommand loader_commands[] = {
        { 0xf1, 0, 0, 0, get_version },
        { 0xf3, 0, 0, 0, firmware_loader },
        { 0xf5, 0, 0, 0, get_mode },
        { 0xfb, FIRMWARE_NEVER, FIRMWARE_NEVER, 0, get_version_extended },
};

static void execute(Firmware *firmware, const uint8_t *command) {
        bool loader = firmware->mode == FIRMWARE_MODE_LOADER;
        const FirmwareCommand *known =
                loader ? firmware_find(firmware, loader_commands, ELEMENTSOF(loader_commands),
                                       command[0])
                       : firmware_find(firmware, application_commands,
                                       ELEMENTSOF(application_commands), command[0]);

        if (known)
                return known->handler(firmware, command);
        /* The boot loader does not answer what it does not know (unverified). */
        if (loader)
                return answer_nothing(firmware);
        answer_unknown(firmware);
}

const FirmwareAnswer *firmware_command(Firmware *firmware,
                                       const uint8_t command[FIRMWARE_COMMAND_SIZE]) {
        memcpy(firmware->command, command, FIRMWARE_COMMAND_SIZE);
        firmware->commands++;
        firmware->receiver = NULL;
        firmware->answer.failed = false;
        answer_nothing(firmware);
        target_run(firmware->target, firmware->tuning.instructions);
        execute(firmware, firmware->command);
        if (!firmware->identified_at && target_get_counters(firmware->target)->identified)
                firmware->identified_at = firmware->commands;
        return &firmware->answer;
}

const FirmwareAnswer *firmware_receive(Firmware *firmware, const uint8_t *data, size_t size) {
        FirmwareReceiver receiver = TAKE_PTR(firmware->receiver);

        firmware->answer.failed = false;
        answer_nothing(firmware);
        if (receiver)
                receiver(firmware, data, size);
        return &firmware->answer;
}

void firmware_power_on(Firmware *firmware) {
        bool loader = firmware->setup.model == FIRMWARE_V2 || !firmware->has_application;

        firmware->receiver = NULL;
        answer_nothing(firmware);
        target_set_nrst(firmware->target, /* low= */ false);
        trace_start(&firmware->trace, 0);
        trace_stop(&firmware->trace);
        loader_start(firmware);
        firmware->mode = loader ? FIRMWARE_MODE_LOADER : FIRMWARE_MODE_MASS;
        firmware->last_status = STATUS_OK;
        firmware->fault_address = 0;
        firmware->select = 0;
        firmware->misc_items = 0;
        firmware->swim_status = 0;
        firmware->khz[0] = firmware->khz[1] = 1000;
        firmware->prescaler = 1;
}

int firmware_new(const FirmwareSetup *setup, Target *target, Firmware **ret) {
        Firmware *firmware = calloc(1, sizeof(*firmware));

        if (!firmware)
                return -ENOMEM;
        firmware->setup = *setup;
        firmware->target = target;
        firmware->has_application = true;
        firmware->tuning.instructions = DEFAULT_INSTRUCTIONS;
        firmware_power_on(firmware);
        *ret = firmware;
        return 0;
}

Firmware *firmware_free(Firmware *firmware) {
        if (!firmware)
                return NULL;
        free(firmware->loader.flash);
        free(firmware);
        return NULL;
}

FirmwareMode firmware_get_mode(const Firmware *firmware) {
        return firmware->mode;
}

int firmware_set_mode(Firmware *firmware, FirmwareMode mode) {
        FirmwareModel model = firmware->setup.model;

        if (mode == FIRMWARE_MODE_LOADER && model == FIRMWARE_V1)
                return -EINVAL;
        if (mode == FIRMWARE_MODE_SWIM && firmware->setup.version.swim == 0)
                return -EINVAL;
        if (mode != FIRMWARE_MODE_LOADER && !firmware->has_application)
                return -EINVAL;
        /* The target may have gone since then. */
        if (mode == FIRMWARE_MODE_DEBUG)
                (void) link_connect(firmware);
        firmware->mode = mode;
        return 0;
}

void firmware_set_application(Firmware *firmware, bool present) {
        firmware->has_application = present;
}

FirmwareTuning *firmware_tuning(Firmware *firmware) {
        return &firmware->tuning;
}

void firmware_elapse(Firmware *firmware, Usec now) {
        firmware->now = now;
}

uint64_t firmware_get_commands(const Firmware *firmware) {
        return firmware->commands;
}

uint64_t firmware_get_swd_entered_at(const Firmware *firmware) {
        return firmware->swd_entered_at;
}

uint64_t firmware_get_identified_at(const Firmware *firmware) {
        return firmware->identified_at;
}

void firmware_reset_counters(Firmware *firmware) {
        firmware->commands = 0;
        firmware->swd_entered_at = 0;
        firmware->identified_at = 0;
        target_reset_counters(firmware->target);
}
