/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The chips that an ST-LINK is made for, told apart by the word in DBGMCU_IDCODE. */

typedef struct Chip {
        uint16_t device_id;  /* DBGMCU_IDCODE bits 11:0 */
        const char *name;    /* "STM32F411" */
        const char *family;  /* "STM32F4" */
        uint32_t idcode;     /* address of DBGMCU_IDCODE */
        uint32_t flash_size; /* address of the flash size register, its low half-word being
                              * the size in KiB; even, not always a multiple of 4 */
        uint16_t core;       /* CPUID bits 15:4, the part number of the (first) core */
} Chip;

/* Read-out protection. */
typedef enum Rdp {
        RDP_UNKNOWN,    /* the chip has none of this kind, or we do not know where it stands */
        RDP_LEVEL_0,    /* open */
        RDP_LEVEL_HALF, /* 0.5: the secure part is protected */
        RDP_LEVEL_1, /* flash cannot be read through the debug port; lifting it erases the flash */
        RDP_LEVEL_2, /* for good */
} Rdp;

/* "0", "0.5", "1", "2"; NULL for unknown. */
const char *rdp_to_string(Rdp rdp);

/* Address of the register that tells a chip's read-out protection; 0 when it is not known. */
uint32_t chip_rdp_address(const Chip *chip);

/* The level from that register's value. */
Rdp chip_rdp(const Chip *chip, uint32_t value);

/* NULL for a device id we do not know; idcode is the word in DBGMCU_IDCODE. */
const Chip *chip_find(uint32_t idcode);

/* Walk the table: index from 0 until NULL. */
const Chip *chip_at(size_t index);

/* Size of the flash in KiB from the half-word in its flash size register; 0 when that is not
 * plausible. */
unsigned chip_flash_kib(const Chip *chip, uint16_t flash_size);

/* Where DBGMCU_IDCODE may be in a chip of such a core and debug port, the likely place first:
 * index from 0 until 0 comes. */
uint32_t chip_idcode_address(uint32_t cpuid, uint32_t dpidr, size_t index);
