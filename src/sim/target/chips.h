/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What distinguishes one simulated chip from another: tables only. */

typedef enum CoreKind {
        CORE_M0PLUS,
        CORE_M3,
        CORE_M4,
        CORE_M7,
} CoreKind;

typedef enum FlashKind {
        FLASH_F1, /* pages, half-words (PM0075) */
        FLASH_F4, /* sectors, any width (RM0383 §3) */
        FLASH_G0, /* pages, double words (RM0444 §3) */
        FLASH_H7, /* sectors in two banks, 256-bit words (RM0433 §4) */
} FlashKind;

/* A range of addresses; size 0 ends a list. */
typedef struct ChipRange {
        uint32_t base;
        uint32_t size;
} ChipRange;

/* A register that does not reset to 0; address 0 ends a list. */
typedef struct ChipWord {
        uint32_t address;
        uint32_t value;
} ChipWord;

/* Bits that report what other bits of the same register ask for, such as an oscillator that is
 * ready as soon as it is on: (value & mask) << shift. mask 0 ends a list. */
typedef struct ChipMirror {
        uint32_t address;
        uint32_t mask;
        uint8_t shift;
} ChipMirror;

/* What an access port leads to. */
typedef enum ChipApBus {
        CHIP_AP_NONE,   /* end of a list */
        CHIP_AP_CORE,   /* the bus of the core, with its private peripherals */
        CHIP_AP_SYSTEM, /* the bus of the chip, without them */
        CHIP_AP_DEBUG,  /* debug peripherals only */
} ChipApBus;

typedef struct ChipAp {
        ChipApBus bus;
        uint8_t number;
        uint32_t idr;
        uint32_t base;
} ChipAp;

/* A CoreSight component: what its identification registers say. */
typedef struct ChipComponent {
        uint32_t base;         /* 0 ends a list */
        uint64_t pidr;         /* PIDR7..0, a byte each, PIDR0 lowest */
        uint32_t cidr;         /* CIDR3..0, likewise */
        const uint32_t *table; /* entries of a ROM table up to a 0; NULL for others */
} ChipComponent;

#define CHIP_RAMS_MAX        6
#define CHIP_PERIPHERALS_MAX 8
#define CHIP_APS_MAX         4

typedef struct Chip {
        const char *name;
        CoreKind core;
        uint32_t dpidr;
        uint32_t targetid; /* DPv2 only */
        uint32_t cpuid;
        uint32_t mvfr[3];
        uint8_t fpb_version; /* 1 or 2 */
        uint8_t fpb_code;    /* comparators */
        uint8_t fpb_literal;
        uint8_t dwt_comparators;
        uint8_t irq_lines;
        uint8_t priority_bits;
        uint32_t boot_address; /* of the vector table at reset */

        uint32_t dbgmcu; /* base: IDCODE, CR and the freeze registers */
        uint32_t idcode;

        FlashKind flash_kind;
        ChipRange flash;
        bool flash_at_zero;
        ChipRange system; /* factory-programmed memory */
        uint32_t flash_size_address;
        uint32_t uid_address;
        uint32_t flash_registers;
        ChipRange option_bytes; /* as memory; size 0: by registers only */

        ChipRange rams[CHIP_RAMS_MAX];
        ChipRange peripherals[CHIP_PERIPHERALS_MAX];
        const ChipWord *words;
        const ChipMirror *mirrors;
        ChipAp aps[CHIP_APS_MAX];
        const ChipComponent *components;
} Chip;

/* NULL for an unknown name. */
const Chip *chip_by_name(const char *name);

/* By index from 0; NULL at the end. */
const Chip *chip_get(size_t index);

static inline bool chip_has_fpu(const Chip *chip) {
        return chip->core == CORE_M4 || chip->core == CORE_M7;
}

/* ARMv7-M as opposed to ARMv6-M: configurable faults, BASEPRI, FAULTMASK. */
static inline bool chip_has_mainline(const Chip *chip) {
        return chip->core != CORE_M0PLUS;
}
