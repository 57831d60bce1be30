/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "base/bytes.h"
#include "sim/target/flash.h"

/* The flash controller of the STM32G0, one bank of 2 KiB pages (RM0444 §3.7). */

enum {
        REGISTER_ACR = 0x00,
        REGISTER_KEYR = 0x08,
        REGISTER_OPTKEYR = 0x0C,
        REGISTER_SR = 0x10,
        REGISTER_CR = 0x14,
        REGISTER_OPTR = 0x20,
        REGISTER_WRP1AR = 0x2C,
        REGISTER_WRP1BR = 0x30,
};

#define KEY1    0x45670123u
#define KEY2    0xCDEF89ABu
#define OPTKEY1 0x08192A3Bu
#define OPTKEY2 0x4C5D6E7Fu

#define SR_EOP     (1u << 0)
#define SR_PROGERR (1u << 3)
#define SR_SIZERR  (1u << 6)
#define SR_PGSERR  (1u << 7)
#define SR_CLEAR   0x0000C3FBu

#define CR_PG      (1u << 0)
#define CR_PER     (1u << 1)
#define CR_MER     (1u << 2)
#define CR_STRT    (1u << 16)
#define CR_OPTSTRT (1u << 17)
#define CR_FSTPG   (1u << 18)
#define CR_EOPIE   (1u << 24)
#define CR_OPTLOCK (1u << 30)
#define CR_LOCK    (1u << 31)
#define CR_STORED  0x070401FFu

#define PAGE_SIZE 2048u
#define RDP_OPEN  0xAAu
#define RDP_DEAD  0xCCu
#define OPTR_REST 0xDFFFE100u /* as delivered */

static void g0_reset(Flash *flash) {
        flash->acr = 0x00040600;
}

static TargetRdp g0_get_rdp(const Flash *flash) {
        switch (flash->option_register & 0xFF) {
        case RDP_OPEN:
                return TARGET_RDP_0;
        case RDP_DEAD:
                return TARGET_RDP_2;
        default:
                return TARGET_RDP_1;
        }
}

static void g0_set_rdp(Flash *flash, TargetRdp rdp) {
        static const uint8_t bytes[] = { RDP_OPEN, 0xBB, RDP_DEAD };
        flash->option_register = OPTR_REST | bytes[rdp];
}

/* Each word is followed by its complement (RM0444 §3.4.1). */
static void g0_show_options(Flash *flash) {
        put_le32(flash->options, flash->option_register);
        put_le32(flash->options + 4, ~flash->option_register);
}

static uint32_t g0_read(const Flash *flash, uint32_t offset) {
        switch (offset) {
        case REGISTER_ACR:
                return flash->acr;
        case REGISTER_SR:
                return flash->sr[0];
        case REGISTER_CR:
                return flash->cr[0] | (flash->lock[0].open ? 0 : CR_LOCK) |
                       (flash->option_lock.open ? 0 : CR_OPTLOCK);
        case REGISTER_OPTR:
                return flash->option_register;
        case REGISTER_WRP1AR:
        case REGISTER_WRP1BR:
                return 0x000000FF; /* start after end: nothing is protected */
        default:
                return 0;
        }
}

static void g0_end(Flash *flash) {
        if (flash->cr[0] & CR_EOPIE)
                flash->sr[0] |= SR_EOP;
}

static void g0_start(Flash *flash) {
        uint32_t cr = flash->cr[0];

        if (cr & CR_MER)
                flash_erase(flash, 0, flash->chip->flash.size);
        else if (cr & CR_PER)
                flash_erase(flash, (cr >> 3 & 0x3F) * PAGE_SIZE, PAGE_SIZE);
        else
                return;
        g0_end(flash);
}

static void g0_write_cr(Flash *flash, uint32_t value) {
        if (!flash->lock[0].open)
                return;
        flash->cr[0] = value & CR_STORED;
        if (value & CR_STRT)
                g0_start(flash);
        if (value & CR_OPTSTRT && flash->option_lock.open)
                g0_end(flash);
        if (value & CR_OPTLOCK)
                flash_lock_shut(&flash->option_lock);
        if (value & CR_LOCK)
                flash_lock_shut(&flash->lock[0]);
}

static void g0_write_optr(Flash *flash, uint32_t value) {
        TargetRdp before = g0_get_rdp(flash);

        if (!flash->option_lock.open)
                return;
        flash->option_register = value;
        flash_change_rdp(flash, before);
}

static void g0_write(Flash *flash, uint32_t offset, uint32_t value) {
        switch (offset) {
        case REGISTER_ACR:
                flash->acr = value & 0x00070707;
                break;
        case REGISTER_KEYR:
                flash_lock_key(&flash->lock[0], value, KEY1, KEY2);
                break;
        case REGISTER_OPTKEYR:
                if (flash->lock[0].open)
                        flash_lock_key(&flash->option_lock, value, OPTKEY1, OPTKEY2);
                break;
        case REGISTER_SR:
                flash->sr[0] &= ~(value & SR_CLEAR);
                break;
        case REGISTER_CR:
                g0_write_cr(flash, value);
                break;
        case REGISTER_OPTR:
                g0_write_optr(flash, value);
                break;
        default:
                break;
        }
}

static int g0_program(Flash *flash, uint32_t offset, unsigned width, uint32_t value) {
        if (!flash->lock[0].open || !(flash->cr[0] & (CR_PG | CR_FSTPG))) {
                flash->sr[0] |= SR_PGSERR;
                return 0;
        }
        if (width != 4) {
                flash->sr[0] |= SR_SIZERR;
                return 0;
        }
        /* Double words: each word is programmed as it comes. Only erased ones can be, or to 0. */
        if (value && !flash_is_erased(flash, offset, width)) {
                flash->sr[0] |= SR_PROGERR;
                return 0;
        }
        flash_program(flash, offset, width, value);
        if (offset & 4)
                g0_end(flash);
        return 0;
}

const FlashOps flash_g0_ops = {
        .reset = g0_reset,
        .read = g0_read,
        .write = g0_write,
        .program = g0_program,
        .show_options = g0_show_options,
        .set_rdp = g0_set_rdp,
        .get_rdp = g0_get_rdp,
};
