/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The version of an ST-LINK's firmware: one number for each of its parts. */
typedef struct FirmwareVersion {
        uint8_t hardware; /* V, 1 to 4 */
        uint8_t jtag;     /* J, also SWD; 0: not supported */
        uint8_t swim;     /* S */
        uint8_t msd;      /* M, mass storage and virtual COM port */
        uint8_t bridge;   /* B, V3 and later */
        uint8_t power;    /* P, V3PWR */
} FirmwareVersion;

/* Parse "V2J37S7", "V2J37M27", "V3J10M3B5S1": V first, then each letter at most once. -EINVAL
 * for anything else, and for numbers that the wire could not carry. */
int firmware_version_parse(const char *text, FirmwareVersion *ret);

/* The 16-bit version word of command F1 (stlink-protocol §5), in host order. */
uint16_t firmware_version_word(const FirmwareVersion *version);
