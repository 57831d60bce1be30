/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sim/target/chips.h"

#include <string.h>

#include "base/macro.h"

/* Sources: stlink-protocol §8; the dumps of real chips in blackmagic-debug/blackmagic#507 (F103,
 * L072) and pyocd/pyOCD#1499 (H745), called BMD and PYO below; register maps from the reference
 * manuals, as used by the target scripts and flash drivers of OpenOCD and stlink. What none of
 * these shows is marked unverified. */

#define CIDR_ROM     0xB105100Du
#define CIDR_GENERIC 0xB105E00Du
#define CIDR_DEBUG   0xB105900Du

/* The part numbers below belong to Arm (JEP106 0x43B) or ST (0x020). */
#define PIDR_ARM(part, revision) (0x04000BB000ull | (uint64_t) (revision) << 20 | (part))
#define PIDR_ST(part)            (0x00000A0000ull | (part))

/* An oscillator or PLL is ready when it is on, and the clock switch obeys at once. */
static const ChipMirror mirrors_f1[] = {
        { 0x40021000, 0x01010001, 1 }, /* RCC_CR */
        { 0x40021004, 0x00000003, 2 }, /* RCC_CFGR: SW to SWS */
        { 0x40021020, 0x00000001, 1 }, /* RCC_BDCR: LSEON */
        { 0x40021024, 0x00000001, 1 }, /* RCC_CSR: LSION */
        {},
};
static const ChipMirror mirrors_f4[] = {
        { 0x40023800, 0x05010001, 1 }, /* RCC_CR */
        { 0x40023808, 0x00000003, 2 }, /* RCC_CFGR */
        { 0x40023870, 0x00000001, 1 }, /* RCC_BDCR */
        { 0x40023874, 0x00000001, 1 }, /* RCC_CSR */
        {},
};
static const ChipMirror mirrors_g0[] = {
        { 0x40021000, 0x01010000, 1 }, /* RCC_CR: HSEON, PLLON */
        { 0x40021000, 0x00000100, 2 }, /* HSION */
        { 0x40021008, 0x00000007, 3 }, /* RCC_CFGR */
        { 0x40021060, 0x00000001, 1 }, /* RCC_CSR: LSION */
        {},
};
static const ChipMirror mirrors_h7[] = {
        { 0x58024400, 0x15010000, 1 }, /* RCC_CR: HSEON, PLL1..3ON */
        { 0x58024400, 0x00000001, 2 }, /* HSION */
        { 0x58024410, 0x00000007, 3 }, /* RCC_CFGR */
        {},
};

/* Reset values of the registers that programs and tools look at first. */
static const ChipWord words_f1[] = {
        { 0x40021000, 0x00000083 }, /* RCC_CR: HSI on and ready */
        { 0x40021014, 0x00000014 }, /* RCC_AHBENR */
        { 0x40021024, 0x0C000000 }, /* RCC_CSR: power-on and pin reset */
        { 0x40013800, 0x000000C0 }, /* USART1_SR: empty */
        { 0x40004400, 0x000000C0 }, /* USART2_SR */
        { 0x40010800, 0x44444444 }, /* GPIOA_CRL */
        { 0x40010804, 0x44444444 }, { 0x40010C00, 0x44444444 }, /* GPIOB_CRL */
        { 0x40010C04, 0x44444444 }, { 0x40011000, 0x44444444 }, /* GPIOC_CRL */
        { 0x40011004, 0x44444444 }, {},
};
static const ChipWord words_f4[] = {
        { 0x40023800, 0x00000083 }, /* RCC_CR */
        { 0x40023804, 0x24003010 }, /* RCC_PLLCFGR */
        { 0x40023874, 0x0E000000 }, /* RCC_CSR */
        { 0x40020000, 0xA8000000 }, /* GPIOA_MODER: SWD pins */
        { 0x4002000C, 0x64000000 }, /* GPIOA_PUPDR */
        { 0x40020400, 0x00000280 }, /* GPIOB_MODER */
        { 0x40011000, 0x000000C0 }, /* USART1_SR */
        { 0x40004400, 0x000000C0 }, /* USART2_SR */
        {},
};
static const ChipWord words_g0[] = {
        { 0x40021000, 0x00000500 }, /* RCC_CR: HSI on and ready */
        { 0x4002100C, 0x00001000 }, /* RCC_PLLCFGR */
        { 0x50000000, 0xEBFFFFFF }, /* GPIOA_MODER: SWD pins */
        { 0x4001381C, 0x000000C0 }, /* USART1_ISR */
        { 0x4000441C, 0x000000C0 }, /* USART2_ISR */
        {},
};
static const ChipWord words_h7[] = {
        { 0x58024400, 0x00000005 }, /* RCC_CR: HSI on and ready (unverified) */
        { 0x5802480C, 0x00002000 }, /* PWR_CSR1: ACTVOSRDY (unverified) */
        {},
};

/* Entries are offsets from the table; bit 0 present, bit 1 32-bit format. */
static const uint32_t rom_f1[] = { 0xFFF0F003, 0xFFF02003, 0xFFF03003, 0xFFF01003, 0xFFF41003, 0 };
static const uint32_t rom_f4[] = { 0xFFF0F003, 0xFFF02003, 0xFFF03003, 0xFFF01003,
                                   0xFFF41003, 0xFFF42003, 0 };
static const uint32_t rom_st_m0[] = { 0xF00FF003, 0x00200002, 0 };
static const uint32_t rom_m0[] = { 0xFFF0F003, 0xFFF02003, 0xFFF03003, 0 };
static const uint32_t rom_st_m7[] = { 0x00001003, 0xFFF43003, 0xFFF45003, 0 };
static const uint32_t rom_st_debug[] = { 0 }; /* unverified: more than nothing */
static const uint32_t rom_m7[] = { 0xFFF0F003, 0xFFF02003, 0xFFF03003, 0xFFF01003, 0 };

/* BMD shows the table, SCS and FPB; the rest is stlink-protocol §8.2. */
static const ChipComponent components_f1[] = {
        { 0xE00FF000, PIDR_ST(0x410), CIDR_ROM, rom_f1 },
        { 0xE000E000, PIDR_ARM(0x000, 1), CIDR_GENERIC, NULL },
        { 0xE0001000, PIDR_ARM(0x002, 1), CIDR_GENERIC, NULL },
        { 0xE0002000, PIDR_ARM(0x003, 0), CIDR_GENERIC, NULL },
        { 0xE0000000, PIDR_ARM(0x001, 1), CIDR_GENERIC, NULL },
        { 0xE0040000, PIDR_ARM(0x923, 1), CIDR_DEBUG, NULL },
        {},
};
/* unverified, from OpenOCD's list of parts (stlink-protocol §8.1) */
static const ChipComponent components_f4[] = {
        { 0xE00FF000, PIDR_ST(0x431), CIDR_ROM, rom_f4 },
        { 0xE000E000, PIDR_ARM(0x00C, 0), CIDR_GENERIC, NULL },
        { 0xE0001000, PIDR_ARM(0x002, 3), CIDR_GENERIC, NULL },
        { 0xE0002000, PIDR_ARM(0x003, 2), CIDR_GENERIC, NULL },
        { 0xE0000000, PIDR_ARM(0x001, 3), CIDR_GENERIC, NULL },
        { 0xE0040000, PIDR_ARM(0x9A1, 0), CIDR_DEBUG, NULL },
        { 0xE0041000, PIDR_ARM(0x925, 0), CIDR_DEBUG, NULL },
        {},
};
/* BMD's L072, another Cortex-M0+ of ST, with the part number of this chip. */
static const ChipComponent components_g0[] = {
        { 0xF0000000, PIDR_ST(0x460), CIDR_ROM, rom_st_m0 },
        { 0xE00FF000, PIDR_ARM(0x4C0, 0), CIDR_ROM, rom_m0 },
        { 0xE000E000, PIDR_ARM(0x008, 0), CIDR_GENERIC, NULL },
        { 0xE0001000, PIDR_ARM(0x00A, 0), CIDR_GENERIC, NULL },
        { 0xE0002000, PIDR_ARM(0x00B, 0), CIDR_GENERIC, NULL },
        {},
};
/* PYO; the revisions in the PIDRs are unverified. */
static const ChipComponent components_h7[] = {
        { 0xE00FE000, PIDR_ST(0x450), CIDR_ROM, rom_st_m7 },
        { 0xE00FF000, PIDR_ARM(0x4C7, 0), CIDR_ROM, rom_m7 },
        { 0xE000E000, PIDR_ARM(0x00C, 0), CIDR_GENERIC, NULL },
        { 0xE0001000, PIDR_ARM(0x002, 0), CIDR_GENERIC, NULL },
        { 0xE0002000, PIDR_ARM(0x00E, 0), CIDR_GENERIC, NULL },
        { 0xE0000000, PIDR_ARM(0x001, 0), CIDR_GENERIC, NULL },
        { 0xE0041000, PIDR_ARM(0x975, 0), CIDR_DEBUG, NULL },
        { 0xE0043000, PIDR_ARM(0x906, 4), CIDR_DEBUG, NULL },
        { 0x5C000000, PIDR_ST(0x450), CIDR_ROM, rom_st_debug },
        {},
};

static const Chip chips[] = {
        {
                .name = "f103", /* STM32F103xB; RM0008, stlink-protocol §8.2 */
                .core = CORE_M3,
                .dpidr = 0x1BA01477,
                .cpuid = 0x411FC231,
                .fpb_version = 1,
                .fpb_code = 6,
                .fpb_literal = 2,
                .dwt_comparators = 4,
                .irq_lines = 43,
                .priority_bits = 4,
                .boot_address = 0x00000000,
                .dbgmcu = 0xE0042000,
                .idcode = 0x20036410,
                .flash_kind = FLASH_F1,
                .flash = { 0x08000000, 64 * 1024 },
                .flash_at_zero = true,
                .system = { 0x1FFFF000, 0x800 },
                .flash_size_address = 0x1FFFF7E0,
                .uid_address = 0x1FFFF7E8,
                .flash_registers = 0x40022000,
                .option_bytes = { 0x1FFFF800, 16 },
                .rams = { { 0x20000000, 20 * 1024 } },
                .peripherals = { { 0x40000000, 0x7800 },
                                 { 0x40010000, 0x4000 },
                                 { 0x40020000, 0x3400 } },
                .words = words_f1,
                .mirrors = mirrors_f1,
                .aps = { { CHIP_AP_CORE, 0, 0x14770011, 0xE00FF003 } },
                .components = components_f1,
        },
        {
                .name = "f411", /* STM32F411xE; RM0383, stlink-protocol §8.1 */
                .core = CORE_M4,
                .dpidr = 0x2BA01477,
                .cpuid = 0x410FC241,
                .mvfr = { 0x10110021, 0x11000011, 0 },
                .fpb_version = 1,
                .fpb_code = 6,
                .fpb_literal = 2,
                .dwt_comparators = 4,
                .irq_lines = 86,
                .priority_bits = 4,
                .boot_address = 0x00000000,
                .dbgmcu = 0xE0042000,
                .idcode = 0x10006431,
                .flash_kind = FLASH_F4,
                .flash = { 0x08000000, 512 * 1024 },
                .flash_at_zero = true,
                .system = { 0x1FFF0000, 0x8000 },
                .flash_size_address = 0x1FFF7A22,
                .uid_address = 0x1FFF7A10,
                .flash_registers = 0x40023C00,
                .option_bytes = { 0x1FFFC000, 16 },
                .rams = { { 0x20000000, 128 * 1024 } },
                .peripherals = { { 0x40000000, 0x8000 },
                                 { 0x40010000, 0x8000 },
                                 { 0x40020000, 0x8000 },
                                 { 0x50000000, 0x40000 } },
                .words = words_f4,
                .mirrors = mirrors_f4,
                .aps = { { CHIP_AP_CORE, 0, 0x24770011, 0xE00FF003 } },
                .components = components_f4,
        },
        {
                .name = "g071", /* STM32G071xB; RM0444; the revision in idcode is unverified */
                .core = CORE_M0PLUS,
                .dpidr = 0x0BC11477,
                .cpuid = 0x410CC601,
                .fpb_version = 1,
                .fpb_code = 4,
                .dwt_comparators = 2,
                .irq_lines = 31,
                .priority_bits = 2,
                .boot_address = 0x00000000,
                .dbgmcu = 0x40015800,
                .idcode = 0x20006460,
                .flash_kind = FLASH_G0,
                .flash = { 0x08000000, 128 * 1024 },
                .flash_at_zero = true,
                .system = { 0x1FFF0000, 0x7800 },
                .flash_size_address = 0x1FFF75E0,
                .uid_address = 0x1FFF7590,
                .flash_registers = 0x40022000,
                .option_bytes = { 0x1FFF7800, 16 },
                .rams = { { 0x20000000, 36 * 1024 } },
                .peripherals = { { 0x40000000, 0xB000 },
                                 { 0x40010000, 0x5800 },
                                 { 0x40020000, 0x6400 },
                                 { 0x50000000, 0x1800 } },
                .words = words_g0,
                .mirrors = mirrors_g0,
                .aps = { { CHIP_AP_CORE, 0, 0x04770031, 0xF0000003 } },
                .components = components_g0,
        },
        {
                .name = "h743", /* STM32H743xI; RM0433, PYO; boot addresses as delivered */
                .core = CORE_M7,
                .dpidr = 0x6BA02477,
                .targetid = 0x04500041, /* ST, part 0x4500; BMD has the part from an H747 */
                .cpuid = 0x411FC271,
                .mvfr = { 0x10110221, 0x12000011, 0x00000040 },
                .fpb_version = 2,
                .fpb_code = 8,
                .dwt_comparators = 4,
                .irq_lines = 150,
                .priority_bits = 4,
                .boot_address = 0x08000000,
                .dbgmcu = 0x5C001000,
                .idcode = 0x20036450,
                .flash_kind = FLASH_H7,
                .flash = { 0x08000000, 2048 * 1024 },
                .system = { 0x1FF00000, 0x20000 },
                .flash_size_address = 0x1FF1E880,
                .uid_address = 0x1FF1E800,
                .flash_registers = 0x52002000,
                .rams = { { 0x00000000, 64 * 1024 },   /* ITCM */
                          { 0x20000000, 128 * 1024 },  /* DTCM */
                          { 0x24000000, 512 * 1024 },  /* AXI */
                          { 0x30000000, 288 * 1024 },  /* D2 */
                          { 0x38000000, 64 * 1024 } }, /* D3 */
                .peripherals = { { 0x40000000, 0xD400 },
                                 { 0x40010000, 0x18000 },
                                 { 0x48020000, 0x2C00 },
                                 { 0x50000000, 0x4000 },
                                 { 0x51000000, 0x1000 },
                                 { 0x52000000, 0x9000 },
                                 { 0x58000000, 0x27000 },
                                 { 0x5C000000, 0x20000 } },
                .words = words_h7,
                .mirrors = mirrors_h7,
                .aps = { { CHIP_AP_CORE, 0, 0x84770001, 0xE00FE003 },
                         { CHIP_AP_SYSTEM, 1, 0x84770001, 0x00000002 },
                         { CHIP_AP_DEBUG, 2, 0x54770002, 0xE00E0003 } },
                .components = components_h7,
        },
};

const Chip *chip_get(size_t index) {
        return index < ELEMENTSOF(chips) ? &chips[index] : NULL;
}

const Chip *chip_by_name(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(chips); i++)
                if (strcmp(chips[i].name, name) == 0)
                        return &chips[i];
        return NULL;
}
