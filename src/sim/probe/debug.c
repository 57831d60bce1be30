/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>

#include "sim/probe/firmware-internal.h"

#define NEVER FIRMWARE_NEVER

/* LED and disk name: what they answer beyond the status is unverified. */
static void debug_blink_led(Firmware *firmware, _unused_ const uint8_t *command) {
        answer_status(firmware, STATUS_OK);
}

static void debug_board_identifiers(Firmware *firmware, _unused_ const uint8_t *command) {
        uint8_t *data = answer_with_status(firmware, 128, STATUS_OK);

        for (size_t i = 0; i < sizeof(firmware->setup.board_id); i++)
                data[2 + i] = (uint8_t) firmware->setup.board_id[i];
}

/* The DEBUG family (stlink-protocol §3.2): opcode, and the first J of V1, V2 and V3 that
 * knows it. V1 speaks API v2 from J11 on (§2.2). That V3 has dropped the core commands of API
 * v1 is unverified, and so is what every version did before the ones in the reference. */
static const FirmwareCommand debug_commands[] = {
        { 0x01, 0, 0, NEVER, debug_get_status },
        { 0x02, 0, 0, NEVER, debug_core_control },
        { 0x03, 0, 0, NEVER, debug_reset_system },
        { 0x04, 0, 0, NEVER, debug_read_all_registers },
        { 0x05, 0, 0, NEVER, debug_read_register },
        { 0x06, 0, 0, NEVER, debug_write_register },
        { 0x07, 0, 0, 0, debug_read_memory },
        { 0x08, 0, 0, 0, debug_write_memory },
        { 0x09, 0, 0, NEVER, debug_core_control },
        { 0x0a, 0, 0, NEVER, debug_core_control },
        { 0x0b, 0, 0, NEVER, debug_comparator },
        { 0x0c, 0, 0, 0, debug_read_memory },
        { 0x0d, 0, 0, 0, debug_write_memory },
        { 0x0e, 0, 0, NEVER, debug_comparator },
        { 0x0f, 0, 0, NEVER, debug_write_word },
        { 0x20, 0, 0, NEVER, debug_enter },
        { 0x21, 0, 0, 0, debug_exit },
        { 0x22, 0, 0, NEVER, debug_read_coreid },
        { 0x30, 11, 0, 0, debug_enter },
        { 0x31, 11, 0, 0, debug_read_idcodes },
        { 0x32, 11, 0, 0, debug_reset_system },
        { 0x33, 11, 0, 0, debug_read_register },
        { 0x34, 11, 0, 0, debug_write_register },
        { 0x35, 11, 0, 0, debug_write_word },
        { 0x36, 11, 0, 0, debug_read_word },
        { 0x3a, 11, 0, 0, debug_read_all_registers },
        { 0x3b, 11, 0, 0, debug_last_status },
        { 0x3c, NEVER, 0, 0, debug_drive_nrst },
        { 0x3e, NEVER, 15, 0, debug_last_status2 },
        { 0x40, NEVER, 13, 0, debug_trace_start },
        { 0x41, NEVER, 13, 0, debug_trace_stop },
        { 0x42, NEVER, 13, 0, debug_trace_count },
        { 0x43, NEVER, 22, NEVER, debug_set_divisor },
        { 0x44, NEVER, 24, NEVER, debug_set_divisor },
        { 0x45, NEVER, 24, 0, debug_read_dap },
        { 0x46, NEVER, 24, 0, debug_write_dap },
        { 0x47, NEVER, 26, 0, debug_read_memory },
        { 0x48, NEVER, 26, 0, debug_write_memory },
        { 0x49, NEVER, 28, 0, debug_blink_led },
        { 0x4b, NEVER, 28, 0, debug_init_ap },
        { 0x4c, NEVER, 28, 0, debug_close_ap },
        { 0x50, NEVER, 26, 0, debug_write_memory },
        { 0x51, NEVER, 32, 2, debug_misc_out },
        { 0x52, NEVER, 32, 2, debug_misc_in },
        { 0x53, NEVER, 32, 2, debug_misc_get_max },
        { 0x54, NEVER, 32, 2, debug_read_memory },
        { 0x56, NEVER, 36, 6, debug_board_identifiers },
        { 0x61, NEVER, NEVER, 0, debug_set_com_freq },
        { 0x62, NEVER, NEVER, 0, debug_get_com_freq },
        { 0x63, NEVER, NEVER, 0, debug_switch_freq },
};

void firmware_debug(Firmware *firmware, const uint8_t *command) {
        const FirmwareCommand *known =
                firmware_find(firmware, debug_commands, ELEMENTSOF(debug_commands), command[1]);

        if (!known)
                return answer_unknown(firmware);
        if (firmware->tuning.busy && known->handler != debug_exit)
                return answer_status(firmware, STATUS_BUSY);
        known->handler(firmware, command);
}
