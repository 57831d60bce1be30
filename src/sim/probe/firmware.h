/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"
#include "base/time.h"
#include "sim/probe/version.h"
#include "sim/target/target.h"

/* The firmware of an ST-LINK, application and boot loader: commands in, answers out. It knows
 * no USB; the device in front of it moves the bytes. All numbers of the wire are from
 * stlink-protocol §3 to §6 and §9. */

typedef struct Firmware Firmware;

typedef enum FirmwareModel {
        FIRMWARE_V1,
        FIRMWARE_V2,
        FIRMWARE_V2_1,
        FIRMWARE_V3,
        FIRMWARE_V3PWR,
} FirmwareModel;

/* As command F5 reports it. */
typedef enum FirmwareMode {
        FIRMWARE_MODE_LOADER = 0,
        FIRMWARE_MODE_MASS = 1,
        FIRMWARE_MODE_DEBUG = 2,
        FIRMWARE_MODE_SWIM = 3,
} FirmwareMode;

typedef struct FirmwareSetup {
        FirmwareModel model;
        FirmwareVersion version;
        uint16_t product_id;        /* what F1 and FB say while the application runs */
        uint16_t loader_product_id; /* and in the boot loader */
        uint8_t uid[12];            /* unique ID of the probe's own chip */
        char board_id[4];           /* mbed board; all 0: none */
        bool has_bridge;
        bool has_msd;
} FirmwareSetup;

/* What a test may change while the firmware runs. */
typedef struct FirmwareTuning {
        unsigned instructions; /* the target runs that many per command */
        const char *swo;       /* what the target prints when trace starts, or NULL */
        unsigned waits;        /* so many accesses to the target are answered by WAIT */
        bool busy;             /* every debug command answers "busy" */
        bool restart_on_exit;  /* a plain V2 leaves the bus for a moment on F3 07 */
} FirmwareTuning;

#define FIRMWARE_COMMAND_SIZE 16
#define FIRMWARE_DATA_MAX     10240 /* stlink-protocol §10: most data of one command */

/* What follows a command. */
typedef enum FirmwareNext {
        FIRMWARE_DONE,     /* nothing, the next command may come */
        FIRMWARE_SENDS,    /* size bytes of data to the host */
        FIRMWARE_RECEIVES, /* size bytes from the host, then firmware_receive() */
        FIRMWARE_RESTARTS, /* off the bus, and back in the mode that firmware_get_mode() says */
} FirmwareNext;

typedef struct FirmwareAnswer {
        FirmwareNext next;
        bool failed; /* V1: the status in the command status wrapper */
        size_t size;
        uint8_t data[FIRMWARE_DATA_MAX];
} FirmwareAnswer;

/* target is the caller's and must live longer. The firmware starts powered. */
int firmware_new(const FirmwareSetup *setup, Target *target, Firmware **ret);
Firmware *firmware_free(Firmware *firmware);
DEFINE_CLEANUP(Firmware *, firmware_free)

/* Power was off and is on again: a plain V2 stays in its boot loader, the others start their
 * application if there is one. */
void firmware_power_on(Firmware *firmware);

/* Execute one command. The answer belongs to the firmware and is valid until the next call. */
const FirmwareAnswer *firmware_command(Firmware *firmware,
                                       const uint8_t command[FIRMWARE_COMMAND_SIZE]);

/* The data that a FIRMWARE_RECEIVES asked for, or less when the host sent less. Another command
 * in its place makes the firmware forget that it asked. */
const FirmwareAnswer *firmware_receive(Firmware *firmware, const uint8_t *data, size_t size);

/* Bytes that the trace endpoint can send now; returns how many were put into data. */
size_t firmware_read_trace(Firmware *firmware, uint8_t *data, size_t size);

/* The target's program prints text on ITM port 0; lost unless trace reception is on. */
void firmware_print(Firmware *firmware, const char *text);

FirmwareMode firmware_get_mode(const Firmware *firmware);

/* Put it into a mode in which some earlier user left it. -EINVAL when this model, or this
 * firmware, has no such mode. */
int firmware_set_mode(Firmware *firmware, FirmwareMode mode);

/* Without an application, the boot loader is all there is. */
void firmware_set_application(Firmware *firmware, bool present);

FirmwareTuning *firmware_tuning(Firmware *firmware);
void firmware_elapse(Firmware *firmware, Usec now);

/* Commands executed, and the value of that count when SWD was last entered (0: never). */
uint64_t firmware_get_commands(const Firmware *firmware);
uint64_t firmware_get_swd_entered_at(const Firmware *firmware);
uint64_t firmware_get_identified_at(const Firmware *firmware);
void firmware_reset_counters(Firmware *firmware);
