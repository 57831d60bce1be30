/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/probe/firmware-internal.h"

/* Debug port registers (ADIv5.2, B2.2) */
#define DP_ABORT     0x0
#define DP_CTRL_STAT 0x4
#define DP_SELECT    0x8

/* ORUNERRCLR, WDERRCLR, STKERRCLR, STKCMPCLR */
#define ABORT_CLEAR_ALL 0x1e

#define POWER_UP_REQUESTS UINT32_C(0x50000000) /* CSYSPWRUPREQ, CDBGPWRUPREQ */
#define POWER_UP_ACKS     UINT32_C(0xa0000000)
#define POWER_UP_TRIES    10

uint16_t status_from_dp(SwdAck ack) {
        switch (ack) {
        case SWD_ACK_OK:
                return STATUS_OK;
        case SWD_ACK_WAIT:
                return STATUS_DP_WAIT;
        case SWD_ACK_FAULT:
                return STATUS_DP_FAULT;
        default:
                return STATUS_DP_ERROR;
        }
}

uint16_t status_from_ap(SwdAck ack) {
        switch (ack) {
        case SWD_ACK_OK:
                return STATUS_OK;
        case SWD_ACK_WAIT:
                return STATUS_AP_WAIT;
        case SWD_ACK_FAULT:
                return STATUS_AP_FAULT;
        default:
                return STATUS_AP_ERROR;
        }
}

/* What comes before every access: SWD_ACK_OK when it may go to the target. */
static SwdAck link_check(Firmware *firmware) {
        if (firmware->mode != FIRMWARE_MODE_DEBUG)
                return SWD_ACK_NONE;
        if (firmware->tuning.waits == 0)
                return SWD_ACK_OK;
        firmware->tuning.waits--;
        return SWD_ACK_WAIT;
}

/* Address 4 is banked by SELECT, which the firmware keeps track of: bits 7:4 of the address
 * are the bank from V2J32 and V3J2 on (stlink-protocol §5). */
static void link_select_bank(Firmware *firmware, uint8_t address) {
        uint32_t bank = firmware_has(firmware, 32, 2) ? address >> 4 : 0;

        if ((address & 0xf) == DP_CTRL_STAT)
                (void) target_dp_write(firmware->target, DP_SELECT,
                                       (firmware->select & ~UINT32_C(0xf)) | bank);
}

SwdAck link_dp_read(Firmware *firmware, uint8_t address, uint32_t *ret) {
        SwdAck ack = link_check(firmware);

        if (ack != SWD_ACK_OK)
                return ack;
        link_select_bank(firmware, address);
        return target_dp_read(firmware->target, address & 0xc, ret);
}

SwdAck link_dp_write(Firmware *firmware, uint8_t address, uint32_t value) {
        SwdAck ack = link_check(firmware);

        if (ack != SWD_ACK_OK)
                return ack;
        link_select_bank(firmware, address);
        ack = target_dp_write(firmware->target, address & 0xc, value);
        if (ack == SWD_ACK_OK && (address & 0xc) == DP_SELECT)
                firmware->select = value;
        return ack;
}

SwdAck link_ap_read(Firmware *firmware, uint8_t ap, uint8_t address, uint32_t *ret) {
        SwdAck ack = link_check(firmware);

        return ack == SWD_ACK_OK ? target_ap_read(firmware->target, ap, address, ret) : ack;
}

SwdAck link_ap_write(Firmware *firmware, uint8_t ap, uint8_t address, uint32_t value) {
        SwdAck ack = link_check(firmware);

        return ack == SWD_ACK_OK ? target_ap_write(firmware->target, ap, address, value) : ack;
}

SwdAck link_read(Firmware *firmware, const TargetAccess *access, uint8_t *data, size_t size,
                 uint32_t *ret_fault) {
        SwdAck ack = link_check(firmware);

        if (ack != SWD_ACK_OK)
                return ack;
        return target_read_memory(firmware->target, access, data, size, ret_fault);
}

SwdAck link_write(Firmware *firmware, const TargetAccess *access, const uint8_t *data, size_t size,
                  uint32_t *ret_fault) {
        SwdAck ack = link_check(firmware);

        if (ack != SWD_ACK_OK)
                return ack;
        return target_write_memory(firmware->target, access, data, size, ret_fault);
}

SwdAck link_read_word(Firmware *firmware, uint32_t address, uint32_t *ret) {
        TargetAccess access = { .width = 4, .increment = true, .address = address };
        uint8_t data[4] = {};
        uint32_t fault;
        SwdAck ack = link_read(firmware, &access, data, sizeof(data), &fault);

        if (ack == SWD_ACK_OK)
                *ret = get_le32(data);
        return ack;
}

SwdAck link_write_word(Firmware *firmware, uint32_t address, uint32_t value) {
        TargetAccess access = { .width = 4, .increment = true, .address = address };
        uint8_t data[4];
        uint32_t fault;

        put_le32(data, value);
        return link_write(firmware, &access, data, sizeof(data), &fault);
}

void link_clear_errors(Firmware *firmware) {
        if (firmware->mode == FIRMWARE_MODE_DEBUG)
                (void) target_dp_write(firmware->target, DP_ABORT, ABORT_CLEAR_ALL);
}

static bool link_power_up(Firmware *firmware) {
        uint32_t value = 0;

        if (target_dp_write(firmware->target, DP_CTRL_STAT, POWER_UP_REQUESTS) != SWD_ACK_OK)
                return false;
        for (unsigned i = 0; i < POWER_UP_TRIES; i++) {
                if (target_dp_read(firmware->target, DP_CTRL_STAT, &value) != SWD_ACK_OK)
                        return false;
                if ((value & POWER_UP_ACKS) == POWER_UP_ACKS)
                        return true;
        }
        return false;
}

/* A failed attempt leaves the mode as it was (unverified). */
uint8_t link_connect(Firmware *firmware) {
        uint32_t dpidr;

        if (target_swd_connect(firmware->target, &dpidr) != SWD_ACK_OK)
                return STATUS_GET_IDCODE_ERROR;
        firmware->select = 0;
        (void) target_dp_write(firmware->target, DP_ABORT, ABORT_CLEAR_ALL);
        (void) target_dp_write(firmware->target, DP_SELECT, 0);
        if (!link_power_up(firmware))
                return STATUS_DBG_POWER_ERROR;
        firmware->mode = FIRMWARE_MODE_DEBUG;
        return STATUS_OK;
}
