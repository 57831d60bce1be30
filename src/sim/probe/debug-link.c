/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/probe/firmware-internal.h"

/* Entering and leaving SWD, nRST and speeds. */

/* Parameters of ENTER (stlink-protocol §3.2, F2 30) */
#define ENTER_JTAG_RESET 0x00
#define ENTER_SWD        0xa3
#define ENTER_JTAG       0xa4

static uint8_t enter(Firmware *firmware, uint8_t parameter) {
        if (firmware->mode == FIRMWARE_MODE_SWIM)
                return STATUS_OTHER_MODE;
        /* Nothing on the simulated pins speaks JTAG. */
        if (parameter == ENTER_JTAG || parameter == ENTER_JTAG_RESET)
                return STATUS_NO_DEVICE;
        if (parameter != ENTER_SWD)
                return STATUS_COMMAND_ERROR;
        return link_connect(firmware);
}

void debug_enter(Firmware *firmware, const uint8_t *command) {
        uint8_t status = enter(firmware, command[2]);

        if (status == STATUS_OK)
                firmware->swd_entered_at = firmware->commands;
        /* API v1 has no answer to this. */
        if (command[1] == 0x20)
                return answer_nothing(firmware);
        answer_status(firmware, status);
}

void debug_leave(Firmware *firmware) {
        trace_stop(&firmware->trace);
        if (firmware->mode == FIRMWARE_MODE_DEBUG)
                firmware->mode = FIRMWARE_MODE_MASS;
}

void debug_exit(Firmware *firmware, _unused_ const uint8_t *command) {
        debug_leave(firmware);
        answer_nothing(firmware);
}

void debug_read_coreid(Firmware *firmware, _unused_ const uint8_t *command) {
        uint32_t dpidr = 0;

        (void) link_dp_read(firmware, 0, &dpidr);
        put_le32(answer_data(firmware, 4), dpidr);
}

void debug_read_idcodes(Firmware *firmware, _unused_ const uint8_t *command) {
        uint32_t dpidr = 0;
        SwdAck ack = link_dp_read(firmware, 0, &dpidr);

        put_le32(answer_with_status(firmware, 12, status_from_dp(ack)) + 4, dpidr);
}

void debug_drive_nrst(Firmware *firmware, const uint8_t *command) {
        switch (command[2]) {
        case 0:
                target_set_nrst(firmware->target, /* low= */ true);
                break;
        case 1:
                target_set_nrst(firmware->target, /* low= */ false);
                break;
        case 2:
                target_set_nrst(firmware->target, /* low= */ true);
                target_set_nrst(firmware->target, /* low= */ false);
                break;
        default:
                return answer_status(firmware, STATUS_COMMAND_ERROR);
        }
        answer_status(firmware, STATUS_OK);
}

/* The line has no speed here; any divisor will do. */
void debug_set_divisor(Firmware *firmware, _unused_ const uint8_t *command) {
        answer_status(firmware, STATUS_OK);
}

/* What V3 offers, in kHz: from users' logs, unverified. */
static const uint32_t swd_khz[] = { 24000, 8000, 3300, 1000, 200, 50, 5 };
static const uint32_t jtag_khz[] = { 21333, 16000, 12000, 8000, 1777, 750 };

static const uint32_t *com_frequencies(uint8_t interface, size_t *ret_n) {
        *ret_n = interface == 0 ? ELEMENTSOF(swd_khz) : ELEMENTSOF(jtag_khz);
        return interface == 0 ? swd_khz : jtag_khz;
}

void debug_set_com_freq(Firmware *firmware, const uint8_t *command) {
        uint32_t wanted = command_u32(command, 4);
        const uint32_t *list;
        size_t n, i = 0;

        if (command[2] > 1)
                return (void) answer_with_status(firmware, 8, STATUS_COMMAND_ERROR);
        list = com_frequencies(command[2], &n);
        while (i < n - 1 && list[i] > wanted)
                i++;
        firmware->khz[command[2]] = list[i];
        put_le32(answer_with_status(firmware, 8, STATUS_OK) + 4, list[i]);
}

void debug_get_com_freq(Firmware *firmware, const uint8_t *command) {
        const uint32_t *list;
        uint8_t *data;
        size_t n;

        if (command[2] > 1)
                return (void) answer_with_status(firmware, 52, STATUS_COMMAND_ERROR);
        list = com_frequencies(command[2], &n);
        data = answer_with_status(firmware, 52, STATUS_OK);
        put_le32(data + 4, firmware->khz[command[2]]);
        put_le32(data + 8, (uint32_t) n);
        for (size_t i = 0; i < n; i++)
                put_le32(data + 12 + 4 * i, list[i]);
}

void debug_switch_freq(Firmware *firmware, const uint8_t *command) {
        uint8_t prescaler = command[2];
        bool changed = prescaler != firmware->prescaler;

        if (prescaler != 1 && prescaler != 2 && prescaler != 4)
                return (void) answer_with_status(firmware, 8, STATUS_FREQ_NOT_SUPPORTED);
        firmware->prescaler = prescaler;
        (void) answer_with_status(firmware, 8, changed ? STATUS_CONF_CHANGED : STATUS_OK);
}
