/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/probe/firmware-internal.h"

/* Registers of debug and access ports, and the RW_MISC lists. */

#define PORT_DP 0xffff

/* The highest access port that V3 works with (stlink-protocol §3.2, F2 4B) */
#define V3_AP_MAX 8

static bool port_is_usable(const Firmware *firmware, uint16_t port) {
        if (port == PORT_DP)
                return true;
        return firmware->setup.version.hardware >= 3 ? port <= V3_AP_MAX : port <= UINT8_MAX;
}

void debug_read_dap(Firmware *firmware, const uint8_t *command) {
        uint16_t port = command_u16(command, 2), status;
        uint8_t address = command[4];
        uint32_t value = 0;

        if (!port_is_usable(firmware, port))
                status = STATUS_BAD_AP;
        else if (port == PORT_DP)
                status = status_from_dp(link_dp_read(firmware, address, &value));
        else
                status = status_from_ap(link_ap_read(firmware, (uint8_t) port, address, &value));
        put_le32(answer_with_status(firmware, 8, status) + 4, value);
}

void debug_write_dap(Firmware *firmware, const uint8_t *command) {
        uint16_t port = command_u16(command, 2);
        uint32_t value = command_u32(command, 6);
        uint8_t address = command[4];
        SwdAck ack;

        if (!port_is_usable(firmware, port))
                return answer_status(firmware, STATUS_BAD_AP);
        if (port == PORT_DP) {
                ack = link_dp_write(firmware, address, value);
                return answer_status(firmware, status_from_dp(ack));
        }
        ack = link_ap_write(firmware, (uint8_t) port, address, value);
        answer_status(firmware, status_from_ap(ack));
}

void debug_init_ap(Firmware *firmware, const uint8_t *command) {
        uint32_t id = 0;

        if (!port_is_usable(firmware, command[2]))
                return answer_status(firmware, STATUS_BAD_AP);
        link_clear_errors(firmware);
        answer_status(firmware, status_from_ap(link_ap_read(firmware, command[2], 0xfc, &id)));
}

/* Before V2J29 the status of a good close is wrong; which value it has is unverified. */
void debug_close_ap(Firmware *firmware, const uint8_t *command) {
        if (!port_is_usable(firmware, command[2]))
                return answer_status(firmware, STATUS_BAD_AP);
        answer_status(firmware, firmware_has(firmware, 29, 0) ? STATUS_OK : STATUS_BAD_AP);
}

/* The lists of RW_MISC (stlink-protocol §3.2, F2 51 and 52) */
enum {
        MISC_ADDRESS = 1,
        MISC_WRITE = 2,
        MISC_READ = 3,
        MISC_SELECT_AP = 5,
};

/* Most items that hosts pack (same place); that it is the firmware's limit is unverified. */
static size_t misc_max(const Firmware *firmware) {
        return firmware->setup.version.hardware >= 3 ? 1227 : 64;
}

typedef struct MiscState {
        uint8_t ap;
        uint32_t address;
} MiscState;

static SwdAck misc_access(Firmware *firmware, const MiscState *state, uint32_t address,
                          uint32_t *value, bool write) {
        TargetAccess access = { state->ap, .width = 4, .increment = true, .address = address };
        uint8_t data[4] = {};
        uint32_t fault;
        SwdAck ack;

        if (write) {
                put_le32(data, *value);
                return link_write(firmware, &access, data, sizeof(data), &fault);
        }
        ack = link_read(firmware, &access, data, sizeof(data), &fault);
        *value = get_le32(data);
        return ack;
}

static uint32_t misc_step(Firmware *firmware, MiscState *state, uint8_t opcode, uint32_t *value) {
        switch (opcode) {
        case MISC_ADDRESS:
                state->address = *value;
                return STATUS_OK;
        case MISC_WRITE:
                return status_from_ap(
                        misc_access(firmware, state, state->address, value, /* write= */ true));
        case MISC_READ:
                return status_from_ap(
                        misc_access(firmware, state, *value, value, /* write= */ false));
        case MISC_SELECT_AP:
                if (!port_is_usable(firmware, (uint16_t) *value) || *value > UINT8_MAX)
                        return STATUS_BAD_AP;
                state->ap = (uint8_t) *value;
                return STATUS_OK;
        default:
                return STATUS_UNKNOWN_COMMAND;
        }
}

static size_t misc_padded(size_t items) {
        return (items + 3) & ~(size_t) 3;
}

static void misc_receive(Firmware *firmware, const uint8_t *data, size_t size) {
        size_t items = command_u32(firmware->command, 2);
        MiscState state = {};

        if (items > misc_max(firmware) || size < misc_padded(items) + 4 * items)
                return;
        link_clear_errors(firmware);
        firmware->misc_items = items;
        for (size_t i = 0; i < items; i++) {
                uint32_t value = get_le32(data + misc_padded(items) + 4 * i);

                firmware->misc_status[i] = misc_step(firmware, &state, data[i], &value);
                firmware->misc_values[i] = value;
        }
}

void debug_misc_out(Firmware *firmware, const uint8_t *command) {
        size_t items = command_u32(command, 2);

        firmware->misc_items = 0;
        /* The host sends its list even when it is too long. */
        items = MIN(items, (size_t) FIRMWARE_DATA_MAX / 8);
        answer_receive(firmware, misc_padded(items) + 4 * items, misc_receive);
}

void debug_misc_in(Firmware *firmware, _unused_ const uint8_t *command) {
        size_t items = firmware->misc_items;
        uint8_t *data;

        if (items == 0)
                return answer_status(firmware, STATUS_COMMAND_ERROR);
        data = answer_data(firmware, 8 * items);
        for (size_t i = 0; i < items; i++) {
                put_le32(data + 4 * i, firmware->misc_values[i]);
                put_le32(data + 4 * (items + i), firmware->misc_status[i]);
        }
}

/* The layout of this answer is unverified; no public tool asks. */
void debug_misc_get_max(Firmware *firmware, _unused_ const uint8_t *command) {
        put_le16(answer_with_status(firmware, 4, STATUS_OK) + 2, (uint16_t) misc_max(firmware));
}
