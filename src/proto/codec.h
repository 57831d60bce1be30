/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/ids.h"
#include "proto/firmware.h"

/* ST-LINK commands and their answers: structs to bytes and back, without any state. Numbers in
 * hex are the wire's (stlink-protocol §3). */

#define COMMAND_SIZE   16
#define REPLY_SIZE_MAX 6144 /* the largest answer there is, a block of memory */

/* One command: 16 bytes to send, then at most one data phase. */
typedef struct Command {
        uint8_t bytes[COMMAND_SIZE];
        uint8_t used;      /* bytes that mean something; what a V1 puts into its CDB */
        uint16_t out_size; /* bytes to send after the command; 0 for no such phase */
        uint16_t in_size;  /* bytes of the reply; 0 when the command has none */
} Command;

/* Where a register is: the number of an access port, or the debug port itself. */
#define DAP_PORT_DP 0xFFFF

/* Top level. */
Command command_get_version(void);
Command command_get_mode(void);
Command command_get_voltage(void);
Command command_get_version_ex(void);

/* Boot loader (F3). */
Command command_loader_get_state(void);
Command command_loader_exit(void);

/* Of the application (F9), on probes that can: whether there is a boot loader to be started, and
 * start it, which has no answer: the probe leaves the bus. */
Command command_loader_query(void);
Command command_loader_enter(void);

/* SWIM (F4). */
Command command_swim_exit(void);

/* Debug (F2). */
Command command_enter_swd(void);
Command command_exit_debug(void);
Command command_read_idcodes(void);
Command command_reset_target(void);
Command command_read_word(uint32_t address);
Command command_write_word(uint32_t address, uint32_t value);
Command command_read_core_register(uint8_t number);
Command command_write_core_register(uint8_t number, uint32_t value);
Command command_read_dap(uint16_t port, uint16_t address);
Command command_write_dap(uint16_t port, uint16_t address, uint32_t value);
Command command_open_ap(uint8_t ap);
Command command_close_ap(uint8_t ap);
Command command_set_swd_divisor(uint16_t divisor);
Command command_get_swd_khz(void);
Command command_set_swd_khz(uint32_t khz);

typedef enum NrstAction {
        NRST_LOW = 0,
        NRST_HIGH = 1, /* released */
        NRST_PULSE = 2,
} NrstAction;
Command command_drive_nrst(NrstAction action);

/* Make a command for the target one of the first generation (without FIRMWARE_API_V2). Its answer
 * is nothing after ENTER, a word without a status where there is one, and else a status that no
 * tool looks at. -EOPNOTSUPP when there is no such command; blocks of memory go by the same
 * commands, but have no status either. */
int command_to_api_v1(Command *command);

/* A block of memory. width is 1, 2 (with FIRMWARE_MEMORY_16) or 4; the limits depend on the
 * firmware (§3.2): accesses of 2 and 4 bytes take 6144 bytes, 1-byte accesses 64, or 512 from
 * V3J6 on. The answer to a read has no status:
 * ask for it with command_get_rw_status(). */
typedef struct MemoryAccess {
        uint32_t address;
        uint16_t size;
        uint8_t width;
        uint8_t ap;   /* other than 0 only with FIRMWARE_MEMORY_AP */
        uint32_t csw; /* bits 31:8; 0: the firmware's own; likewise */
} MemoryAccess;

/* 0, or -EINVAL for a size, width, alignment or access port this firmware cannot do. */
int command_read_memory(const Firmware *firmware, const MemoryAccess *access, Command *ret);
int command_write_memory(const Firmware *firmware, const MemoryAccess *access, Command *ret);
Command command_get_rw_status(const Firmware *firmware);

/* Answers. size is how many bytes came. All return 0 or -EPROTO when the length is wrong or a
 * value makes no sense; what they return through ret_* is in the range its type says. */

int decode_version(const uint8_t *reply, size_t size, Firmware *ret);

/* Adds what FB says to a firmware whose major number F1 told. */
int decode_version_ex(const uint8_t *reply, size_t size, Firmware *firmware);

/* loader_version may be NULL. */
int decode_mode(const uint8_t *reply, size_t size, ProbeMode *ret, uint8_t *ret_loader_version);

/* In millivolts; -ENODATA when the probe could not measure. */
int decode_voltage(const uint8_t *reply, size_t size, int *ret_millivolts);

/* bState of the boot loader. Only the idle ones are told apart (§9.2). */
int decode_loader_state(const uint8_t *reply, size_t size, bool *ret_idle);

/* An answer of any length from 2 on that starts with a status; -EPROTO also when the byte is no
 * known status. */
int decode_status(const uint8_t *reply, size_t size, uint8_t *ret_status);

/* An answer of 8 bytes: status and a word. */
int decode_value(const uint8_t *reply, size_t size, uint8_t *ret_status, uint32_t *ret_value);

/* Answer of 12 bytes to F2 31: status and DPIDR. */
int decode_idcodes(const uint8_t *reply, size_t size, uint8_t *ret_status, uint32_t *ret_dpidr);

/* Answer to F2 3B or 3E; the address of the fault is 0 when it is not told. */
int decode_rw_status(const uint8_t *reply, size_t size, uint8_t *ret_status,
                     uint32_t *ret_fault_address);

#define SWD_KHZ_MAX 10
typedef struct SwdFrequencies {
        uint32_t current;
        uint8_t n;
        uint32_t khz[SWD_KHZ_MAX]; /* as the firmware lists them, descending */
} SwdFrequencies;
int decode_swd_khz(const uint8_t *reply, size_t size, uint8_t *ret_status, SwdFrequencies *ret);

/* The fastest clock of a V2 that is not above khz (the slowest one if all are), and the divisor
 * that gives it. */
uint16_t swd_divisor(unsigned khz, unsigned *ret_khz);

/* Likewise from a list; 0 when the list is empty. */
uint32_t swd_frequency(const SwdFrequencies *frequencies, unsigned khz);
