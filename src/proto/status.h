/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The status byte in answers to debug commands (stlink-protocol §4). */

typedef enum Status {
        STATUS_NONE = 0x00, /* no status was received; never on the wire */
        STATUS_UNKNOWN_ERROR = 0x01,
        STATUS_SPI_ERROR = 0x02,
        STATUS_DMA_ERROR = 0x03,
        STATUS_UNKNOWN_JTAG_CHAIN = 0x04,
        STATUS_NO_DEVICE_CONNECTED = 0x05,
        STATUS_INTERNAL_ERROR = 0x06,
        STATUS_COMMAND_WAIT = 0x07,
        STATUS_COMMAND_ERROR = 0x08,
        STATUS_GET_IDCODE_ERROR = 0x09,
        STATUS_ALIGNMENT_ERROR = 0x0A,
        STATUS_DEBUG_POWER_ERROR = 0x0B,
        STATUS_WRITE_ERROR = 0x0C,
        STATUS_WRITE_VERIFY_ERROR = 0x0D,
        STATUS_OPENED_IN_OTHER_MODE = 0x0E,
        STATUS_AP_WAIT = 0x10,
        STATUS_AP_FAULT = 0x11,
        STATUS_AP_ERROR = 0x12,
        STATUS_AP_PARITY_ERROR = 0x13,
        STATUS_DP_WAIT = 0x14,
        STATUS_DP_FAULT = 0x15,
        STATUS_DP_ERROR = 0x16,
        STATUS_DP_PARITY_ERROR = 0x17,
        STATUS_AP_WDATA_ERROR = 0x18,
        STATUS_AP_STICKY_ERROR = 0x19,
        STATUS_AP_STICKY_OVERRUN = 0x1A,
        STATUS_BAD_AP = 0x1D,
        STATUS_SWV_NOT_AVAILABLE = 0x20,
        STATUS_LOADER_NOT_AVAILABLE = 0x21,
        STATUS_TOO_MANY_APS = 0x29,
        STATUS_CONFIGURATION_CHANGED = 0x40,
        STATUS_FREQUENCY_NOT_SUPPORTED = 0x41,
        STATUS_UNKNOWN_COMMAND = 0x42,
        STATUS_OK = 0x80,
        STATUS_FAULT = 0x81,
} Status;

/* What a status is about, which decides whom people have to look at. */
typedef enum StatusClass {
        STATUS_CLASS_INVALID, /* not a status: the answer is garbage */
        STATUS_CLASS_OK,      /* done, or as good as done */
        STATUS_CLASS_WAIT,    /* try the same command again */
        STATUS_CLASS_TARGET,  /* the target, its power or its wires */
        STATUS_CLASS_FAULT,   /* the target answers but refused this access; may leave sticky
                               * errors in its debug port */
        STATUS_CLASS_PROBE,   /* the probe, or a command it does not know */
} StatusClass;

StatusClass status_class(uint8_t status);

/* Whether it is the target, and not the probe, that people have to look at: after the retries
 * are used up, a wait is about the target too. */
bool status_is_about_target(uint8_t status);

/* Whether the target answers, but the access port that was asked for is not to be had. */
bool status_is_about_ap(uint8_t status);

/* A short fixed name, "get-idcode-error"; NULL for an invalid status. */
const char *status_name(uint8_t status);

/* A clause for people, without a capital and a full stop: "no target answers on SWD …". Never
 * NULL. */
const char *status_text(uint8_t status);
