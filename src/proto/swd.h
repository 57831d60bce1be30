/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/codec.h"
#include "proto/step.h"

/* One access to the target, carried through: repeated while the target says WAIT (stlink-protocol
 * §4; at most SWD_RETRIES times, pauses of 1, 2, 4 … ms, 255 ms in all), its status fetched where
 * the answer has none, and sticky errors of the debug port cleared after a fault. */

#define SWD_RETRIES 8

typedef struct SwdAccess {
        const Firmware *firmware;
        Command command;
        const uint8_t *out;
        uint8_t *in;            /* where data of a memory read goes */
        uint16_t in_size;       /* its room: a read of one byte is answered with two */
        bool api_v1;            /* private: the firmware is of the first generation */
        bool is_memory;         /* the status has to be fetched by a command of its own */
        uint8_t phase;          /* private */
        uint8_t retries;        /* used so far */
        bool forgave_fault;     /* private */
        uint16_t commands;      /* sent so far */
        int error;              /* private */
        uint8_t status;         /* Status: the last one received */
        uint32_t value;         /* the word in the answer, if its command has one */
        uint32_t fault_address; /* after a fault in a memory access, if the firmware tells it */
} SwdAccess;

/* A command whose answer starts with a status, and may have a word at offset 4; for a firmware of
 * the first generation the one that stands for it, -EOPNOTSUPP when there is none. The firmware
 * must outlive the access. */
void swd_access_init(SwdAccess *access, const Firmware *firmware, const Command *command);

/* A block of memory; the buffers hold memory->size bytes and must outlive the access. What was
 * read is valid only if the access ends well. -EINVAL: see command_read_memory(). */
int swd_access_init_read(SwdAccess *access, const Firmware *firmware, const MemoryAccess *memory,
                         uint8_t *buffer);
int swd_access_init_write(SwdAccess *access, const Firmware *firmware, const MemoryAccess *memory,
                          const uint8_t *data);

/* 1: *ret is to be done. 0: done. -EREMOTEIO: the probe reported access->status. Any other error:
 * the one that was fed, or -EPROTO. */
int swd_access_next(SwdAccess *access, Step *ret);
void swd_access_feed(SwdAccess *access, int error, const uint8_t *reply, size_t size);

/* "Cortex-M4 r0p1" from CPUID; returns buffer. */
#define CPU_NAME_MAX 32
char *cpu_name(uint32_t cpuid, char *buffer, size_t size);

/* "SW-DP v1 by ARM" from DPIDR; returns buffer. */
#define DEBUG_PORT_NAME_MAX 48
char *debug_port_name(uint32_t dpidr, char *buffer, size_t size);
