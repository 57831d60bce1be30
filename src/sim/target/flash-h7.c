/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sim/target/flash.h"

/* The flash controller of the STM32H743: two banks of 128 KiB sectors, 256-bit words, a set of
 * registers for each bank (RM0433 §4.9; the registers are those of OpenOCD's stm32h7x driver). */

enum {
        REGISTER_ACR = 0x00,
        REGISTER_KEYR = 0x04,
        REGISTER_OPTKEYR = 0x08,
        REGISTER_CR = 0x0C,
        REGISTER_SR = 0x10,
        REGISTER_CCR = 0x14,
        REGISTER_OPTCR = 0x18,
        REGISTER_OPTSR_CUR = 0x1C,
        REGISTER_OPTSR_PRG = 0x20,
        REGISTER_WPSN_CUR = 0x38,
        REGISTER_WPSN_PRG = 0x3C,
        BANK_STRIDE = 0x100,
};

#define KEY1    0x45670123u
#define KEY2    0xCDEF89ABu
#define OPTKEY1 0x08192A3Bu
#define OPTKEY2 0x4C5D6E7Fu

#define SR_EOP    (1u << 16)
#define SR_PGSERR (1u << 18)

#define CR_LOCK   (1u << 0)
#define CR_PG     (1u << 1)
#define CR_SER    (1u << 2)
#define CR_BER    (1u << 3)
#define CR_START  (1u << 7)
#define CR_STORED 0x0FFF077Eu

#define OPTCR_LOCK  (1u << 0)
#define OPTCR_START (1u << 1)

#define SECTOR_SIZE 0x20000u
#define BANK_SIZE   0x100000u
#define RDP_OPEN    0xAAu
#define RDP_DEAD    0xCCu
#define OPTSR_REST  0x1BC60080u /* unverified: as delivered, without the level */

static void h7_reset(Flash *flash) {
        flash->acr = 0x37;
        flash->option_program = flash->option_register;
}

static TargetRdp h7_get_rdp(const Flash *flash) {
        switch (flash->option_register >> 8 & 0xFF) {
        case RDP_OPEN:
                return TARGET_RDP_0;
        case RDP_DEAD:
                return TARGET_RDP_2;
        default:
                return TARGET_RDP_1;
        }
}

static void h7_set_rdp(Flash *flash, TargetRdp rdp) {
        static const uint8_t bytes[] = { RDP_OPEN, 0x55, RDP_DEAD };
        flash->option_register = (OPTSR_REST & ~0xFF00u) | (uint32_t) bytes[rdp] << 8;
        flash->option_program = flash->option_register;
}

static uint32_t h7_read(const Flash *flash, uint32_t offset) {
        unsigned bank = offset / BANK_STRIDE;

        if (bank > 1)
                return 0;
        switch (offset % BANK_STRIDE) {
        case REGISTER_ACR:
                return flash->acr;
        case REGISTER_CR:
                return flash->cr[bank] | (flash->lock[bank].open ? 0 : CR_LOCK);
        case REGISTER_SR:
                return flash->sr[bank];
        case REGISTER_OPTCR:
                return flash->option_lock.open ? 0 : OPTCR_LOCK;
        case REGISTER_OPTSR_CUR:
                return flash->option_register;
        case REGISTER_OPTSR_PRG:
                return flash->option_program;
        case REGISTER_WPSN_CUR:
        case REGISTER_WPSN_PRG:
                return 0xFF; /* 1 is unprotected */
        default:
                return 0;
        }
}

static void h7_start(Flash *flash, unsigned bank) {
        uint32_t cr = flash->cr[bank], base = bank * BANK_SIZE;

        if (cr & CR_BER)
                flash_erase(flash, base, BANK_SIZE);
        else if (cr & CR_SER)
                flash_erase(flash, base + (cr >> 8 & 7) * SECTOR_SIZE, SECTOR_SIZE);
        else
                return;
        flash->sr[bank] |= SR_EOP;
}

static void h7_write_cr(Flash *flash, unsigned bank, uint32_t value) {
        if (!flash->lock[bank].open)
                return;
        flash->cr[bank] = value & CR_STORED;
        if (value & CR_START)
                h7_start(flash, bank);
        if (value & CR_LOCK)
                flash_lock_shut(&flash->lock[bank]);
}

static void h7_write_optcr(Flash *flash, uint32_t value) {
        TargetRdp before = h7_get_rdp(flash);

        if (!flash->option_lock.open)
                return;
        if (value & OPTCR_START) {
                flash->option_register = flash->option_program;
                flash_change_rdp(flash, before);
        }
        if (value & OPTCR_LOCK)
                flash_lock_shut(&flash->option_lock);
}

static void h7_write(Flash *flash, uint32_t offset, uint32_t value) {
        unsigned bank = offset / BANK_STRIDE;

        if (bank > 1)
                return;
        switch (offset % BANK_STRIDE) {
        case REGISTER_ACR:
                flash->acr = value & 0x3F;
                break;
        case REGISTER_KEYR:
                flash_lock_key(&flash->lock[bank], value, KEY1, KEY2);
                break;
        case REGISTER_OPTKEYR:
                flash_lock_key(&flash->option_lock, value, OPTKEY1, OPTKEY2);
                break;
        case REGISTER_CR:
                h7_write_cr(flash, bank, value);
                break;
        case REGISTER_CCR:
                flash->sr[bank] &= ~value;
                break;
        case REGISTER_OPTCR:
                h7_write_optcr(flash, value);
                break;
        case REGISTER_OPTSR_PRG:
                if (flash->option_lock.open)
                        flash->option_program = value;
                break;
        default:
                break;
        }
}

static int h7_program(Flash *flash, uint32_t offset, unsigned width, uint32_t value) {
        unsigned bank = offset / BANK_SIZE;

        if (!flash->lock[bank].open || !(flash->cr[bank] & CR_PG)) {
                flash->sr[bank] |= SR_PGSERR;
                return 0;
        }
        /* A word of 256 bits is collected from any accesses; here each part goes in at once. */
        flash_program(flash, offset, width, value);
        if ((offset + width) % 32 == 0)
                flash->sr[bank] |= SR_EOP;
        return 0;
}

const FlashOps flash_h7_ops = {
        .reset = h7_reset,
        .read = h7_read,
        .write = h7_write,
        .program = h7_program,
        .set_rdp = h7_set_rdp,
        .get_rdp = h7_get_rdp,
};
