/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The version of a probe's firmware, and what it can do. */

typedef struct Firmware {
        uint8_t major;       /* hardware generation V: 1 to 4; 0 while not known */
        uint8_t jtag;        /* J: JTAG and SWD; 0 means that it has neither */
        uint8_t swim;        /* S */
        uint8_t msd;         /* M: mass storage and virtual COM port */
        uint8_t bridge;      /* B */
        uint8_t power;       /* P: power measurement of the V3PWR */
        bool has_swim;       /* whether S is part of the version's name */
        bool has_msd;        /* whether M is */
        uint16_t product_id; /* as the firmware says it, which in a boot loader may differ from
                              * the descriptor's */
} Firmware;

/* What commands exist since when (stlink-protocol §5). */
typedef enum FirmwareFeature {
        FIRMWARE_API_V2,         /* F2 30 and what goes with it, not the first generation's */
        FIRMWARE_TARGET_VOLTAGE, /* F7 */
        FIRMWARE_RW_STATUS2,     /* F2 3E: status with the address of a fault */
        FIRMWARE_SWD_DIVISOR,    /* F2 43 */
        FIRMWARE_SWD_KHZ,        /* F2 61 and 62 */
        FIRMWARE_DAP_REGISTERS,  /* F2 45 and 46 */
        FIRMWARE_MEMORY_16,      /* F2 47 and 48 */
        FIRMWARE_ACCESS_PORTS,   /* F2 4B and 4C */
        FIRMWARE_MEMORY_AP,      /* access port and CSW in the memory commands */
        FIRMWARE_NRST,           /* F2 3C */
        FIRMWARE_VERSION_EX,     /* FB, without which the version is not complete */
        _FIRMWARE_FEATURE_MAX,
} FirmwareFeature;

bool firmware_supports(const Firmware *firmware, FirmwareFeature feature);

/* Read such a name. 0 or -EINVAL. What it does not say is 0. */
int firmware_parse(const char *name, Firmware *ret);

/* Write the name that other tools print too: "V2J37M27", "V2J37S7", "V3J10M3B5S1",
 * "V4J6B2P6"; "" while the version is not known. Returns buffer. */
#define FIRMWARE_NAME_MAX 32
char *firmware_name(const Firmware *firmware, char *buffer, size_t size);
