/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/bytes.h"
#include "sim/probe/firmware.h"
#include "sim/probe/loader.h"
#include "sim/probe/trace.h"

/* What the parts of the firmware share among themselves. */

/* Status codes (stlink-protocol §4) */
enum {
        STATUS_OK = 0x80,
        STATUS_HALTED = 0x81, /* answer of GETSTATUS only */
        STATUS_NO_DEVICE = 0x05,
        STATUS_BAD_ARGUMENT = 0x06,
        STATUS_BUSY = 0x07,
        STATUS_COMMAND_ERROR = 0x08,
        STATUS_GET_IDCODE_ERROR = 0x09,
        STATUS_ALIGNMENT_ERROR = 0x0a,
        STATUS_DBG_POWER_ERROR = 0x0b,
        STATUS_OTHER_MODE = 0x0e,
        STATUS_AP_WAIT = 0x10,
        STATUS_AP_FAULT = 0x11,
        STATUS_AP_ERROR = 0x12,
        STATUS_DP_WAIT = 0x14,
        STATUS_DP_FAULT = 0x15,
        STATUS_DP_ERROR = 0x16,
        STATUS_BAD_AP = 0x1d,
        STATUS_SWV_NOT_AVAILABLE = 0x20,
        STATUS_NO_LOADER = 0x21,
        STATUS_CONF_CHANGED = 0x40,
        STATUS_FREQ_NOT_SUPPORTED = 0x41,
        STATUS_UNKNOWN_COMMAND = 0x42,
};

#define FIRMWARE_NEVER 0xff /* a J version for "not in this generation" */

typedef void (*FirmwareHandler)(Firmware *firmware, const uint8_t *command);
typedef void (*FirmwareReceiver)(Firmware *firmware, const uint8_t *data, size_t size);

/* One command of a family. */
typedef struct FirmwareCommand {
        uint8_t opcode;
        uint8_t v1_from, v2_from, v3_from; /* first J that knows it */
        FirmwareHandler handler;
} FirmwareCommand;

struct Firmware {
        FirmwareSetup setup;
        FirmwareTuning tuning;
        Target *target;
        FirmwareMode mode;
        bool has_application;
        Usec now;

        FirmwareAnswer answer;
        FirmwareReceiver receiver; /* for the data that the answer asked for */
        uint8_t command[FIRMWARE_COMMAND_SIZE];

        uint16_t last_status; /* of the last memory access, for 3B and 3E */
        uint32_t fault_address;
        uint32_t select; /* DP SELECT as the host wrote it */
        uint32_t khz[2]; /* V3: SWD, JTAG */
        uint8_t prescaler;
        size_t misc_items; /* results of the last RW_MISC */
        uint32_t misc_values[FIRMWARE_DATA_MAX / 8];
        uint32_t misc_status[FIRMWARE_DATA_MAX / 8];

        bool drive_power;
        Trace trace;
        Loader loader;
        uint8_t swim_status;
        size_t swim_size; /* of the last READMEM */

        uint64_t commands;
        uint64_t swd_entered_at;
        uint64_t identified_at;
};

/* Answers. */
static inline uint16_t command_u16(const uint8_t *command, size_t offset) {
        return get_le16(command + offset);
}

static inline uint32_t command_u32(const uint8_t *command, size_t offset) {
        return get_le32(command + offset);
}

/* size zeroed bytes of answer to fill in; size is cut to FIRMWARE_DATA_MAX. */
uint8_t *answer_data(Firmware *firmware, size_t size);
void answer_status(Firmware *firmware, uint16_t status); /* two bytes */
uint8_t *answer_with_status(Firmware *firmware, size_t size, uint16_t status);
void answer_nothing(Firmware *firmware);
void answer_unknown(Firmware *firmware);
void answer_restart(Firmware *firmware, FirmwareMode mode);
void answer_receive(Firmware *firmware, size_t size, FirmwareReceiver receiver);

/* Find opcode among n commands that this version has; NULL if it is too old or too new. */
const FirmwareCommand *firmware_find(const Firmware *firmware, const FirmwareCommand *commands,
                                     size_t n, uint8_t opcode);

/* True when the version has what V2 got with J v2 and V3 with J v3. */
bool firmware_has(const Firmware *firmware, uint8_t v2_from, uint8_t v3_from);

/* The families of commands. */
void firmware_debug(Firmware *firmware, const uint8_t *command);  /* F2 */
void firmware_swim(Firmware *firmware, const uint8_t *command);   /* F4 */
void firmware_loader(Firmware *firmware, const uint8_t *command); /* F3 in the boot loader */

/* The boot loader begins to run. */
void loader_start(Firmware *firmware);

/* F2, by subject; each handler is one command of the table in debug.c. */
void debug_enter(Firmware *firmware, const uint8_t *command);
void debug_exit(Firmware *firmware, const uint8_t *command);
void debug_read_coreid(Firmware *firmware, const uint8_t *command);
void debug_read_idcodes(Firmware *firmware, const uint8_t *command);
void debug_drive_nrst(Firmware *firmware, const uint8_t *command);
void debug_set_divisor(Firmware *firmware, const uint8_t *command);
void debug_set_com_freq(Firmware *firmware, const uint8_t *command);
void debug_get_com_freq(Firmware *firmware, const uint8_t *command);
void debug_switch_freq(Firmware *firmware, const uint8_t *command);
void debug_read_dap(Firmware *firmware, const uint8_t *command);
void debug_write_dap(Firmware *firmware, const uint8_t *command);
void debug_init_ap(Firmware *firmware, const uint8_t *command);
void debug_close_ap(Firmware *firmware, const uint8_t *command);
void debug_misc_out(Firmware *firmware, const uint8_t *command);
void debug_misc_in(Firmware *firmware, const uint8_t *command);
void debug_misc_get_max(Firmware *firmware, const uint8_t *command);
void debug_read_memory(Firmware *firmware, const uint8_t *command);
void debug_write_memory(Firmware *firmware, const uint8_t *command);
void debug_last_status(Firmware *firmware, const uint8_t *command);
void debug_last_status2(Firmware *firmware, const uint8_t *command);
void debug_read_register(Firmware *firmware, const uint8_t *command);
void debug_write_register(Firmware *firmware, const uint8_t *command);
void debug_read_all_registers(Firmware *firmware, const uint8_t *command);
void debug_read_word(Firmware *firmware, const uint8_t *command);
void debug_write_word(Firmware *firmware, const uint8_t *command);
void debug_get_status(Firmware *firmware, const uint8_t *command);
void debug_core_control(Firmware *firmware, const uint8_t *command);
void debug_comparator(Firmware *firmware, const uint8_t *command);
void debug_reset_system(Firmware *firmware, const uint8_t *command);
void debug_trace_start(Firmware *firmware, const uint8_t *command);
void debug_trace_stop(Firmware *firmware, const uint8_t *command);
void debug_trace_count(Firmware *firmware, const uint8_t *command);

/* Leave debug mode, if in it, and what it had switched on. */
void debug_leave(Firmware *firmware);

/* Enter SWD; a status code. */
uint8_t link_connect(Firmware *firmware);

/* The SWD line. No access reaches the target but in debug mode. */
SwdAck link_dp_read(Firmware *firmware, uint8_t address, uint32_t *ret);
SwdAck link_dp_write(Firmware *firmware, uint8_t address, uint32_t value);
SwdAck link_ap_read(Firmware *firmware, uint8_t ap, uint8_t address, uint32_t *ret);
SwdAck link_ap_write(Firmware *firmware, uint8_t ap, uint8_t address, uint32_t value);
SwdAck link_read(Firmware *firmware, const TargetAccess *access, uint8_t *data, size_t size,
                 uint32_t *ret_fault);
SwdAck link_write(Firmware *firmware, const TargetAccess *access, const uint8_t *data, size_t size,
                  uint32_t *ret_fault);
SwdAck link_read_word(Firmware *firmware, uint32_t address, uint32_t *ret);
SwdAck link_write_word(Firmware *firmware, uint32_t address, uint32_t value);

/* Clear the sticky errors through DP ABORT. */
void link_clear_errors(Firmware *firmware);

uint16_t status_from_dp(SwdAck ack);
uint16_t status_from_ap(SwdAck ack);
