/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "base/bytes.h"
#include "sim/target/flash.h"

/* The flash controller of the STM32F4, one bank of up to 8 sectors (RM0383 §3.5 to 3.8). */

enum {
        REGISTER_ACR = 0x00,
        REGISTER_KEYR = 0x04,
        REGISTER_OPTKEYR = 0x08,
        REGISTER_SR = 0x0C,
        REGISTER_CR = 0x10,
        REGISTER_OPTCR = 0x14,
};

#define KEY1    0x45670123u
#define KEY2    0xCDEF89ABu
#define OPTKEY1 0x08192A3Bu
#define OPTKEY2 0x4C5D6E7Fu

#define SR_EOP    (1u << 0)
#define SR_WRPERR (1u << 4)
#define SR_PGAERR (1u << 5)
#define SR_PGPERR (1u << 6)
#define SR_PGSERR (1u << 7)
#define SR_CLEAR  0x000001F3u

#define CR_PG     (1u << 0)
#define CR_SER    (1u << 1)
#define CR_MER    (1u << 2)
#define CR_STRT   (1u << 16)
#define CR_EOPIE  (1u << 24)
#define CR_LOCK   (1u << 31)
#define CR_STORED 0x0300037Fu

#define OPTCR_LOCK   (1u << 0)
#define OPTCR_STRT   (1u << 1)
#define OPTCR_STORED 0x8FFFFFECu

#define RDP_OPEN 0xAAu
#define RDP_DEAD 0xCCu

static void f4_reset(Flash *flash) {
        (void) flash;
}

static TargetRdp f4_get_rdp(const Flash *flash) {
        switch (flash->option_register >> 8 & 0xFF) {
        case RDP_OPEN:
                return TARGET_RDP_0;
        case RDP_DEAD:
                return TARGET_RDP_2;
        default:
                return TARGET_RDP_1;
        }
}

static void f4_set_rdp(Flash *flash, TargetRdp rdp) {
        static const uint8_t bytes[] = { RDP_OPEN, 0x55, RDP_DEAD };
        flash->option_register = 0x0FFF00ECu | (uint32_t) bytes[rdp] << 8;
}

/* USER and RDP at 0, nWRP at 8 (RM0383 §3.6.1). */
static void f4_show_options(Flash *flash) {
        put_le32(flash->options, flash->option_register & 0xFFEC);
        put_le32(flash->options + 8, flash->option_register >> 16 & 0xFFF);
}

static uint32_t f4_read(const Flash *flash, uint32_t offset) {
        switch (offset) {
        case REGISTER_ACR:
                return flash->acr;
        case REGISTER_SR:
                return flash->sr[0];
        case REGISTER_CR:
                return flash->cr[0] | (flash->lock[0].open ? 0 : CR_LOCK);
        case REGISTER_OPTCR:
                return flash->option_register | (flash->option_lock.open ? 0 : OPTCR_LOCK);
        default:
                return 0;
        }
}

/* The controller reports the end only to those who asked for its interrupt. */
static void f4_end(Flash *flash) {
        if (flash->cr[0] & CR_EOPIE)
                flash->sr[0] |= SR_EOP;
}

/* Four sectors of 16 KiB, one of 64 and the rest of 128. */
static uint32_t f4_sector_base(unsigned sector) {
        if (sector < 5)
                return sector * 0x4000;
        return (sector - 4) * 0x20000;
}

static unsigned f4_sector_at(uint32_t offset) {
        unsigned sector = 0;
        while (offset >= f4_sector_base(sector + 1))
                sector++;
        return sector;
}

static bool f4_is_protected(const Flash *flash, unsigned sector) {
        return sector < 12 && !(flash->option_register & 1u << (16 + sector));
}

static void f4_start(Flash *flash) {
        uint32_t cr = flash->cr[0];
        unsigned sector = cr >> 3 & 0xF;

        if (cr & CR_MER) {
                flash_erase(flash, 0, flash->chip->flash.size);
        } else if (cr & CR_SER && f4_is_protected(flash, sector)) {
                flash->sr[0] |= SR_WRPERR;
                return;
        } else if (cr & CR_SER) {
                flash_erase(flash, f4_sector_base(sector),
                            f4_sector_base(sector + 1) - f4_sector_base(sector));
        } else {
                return;
        }
        f4_end(flash);
}

static void f4_write_cr(Flash *flash, uint32_t value) {
        if (!flash->lock[0].open)
                return;
        flash->cr[0] = value & CR_STORED;
        if (value & CR_STRT)
                f4_start(flash);
        if (value & CR_LOCK)
                flash_lock_shut(&flash->lock[0]);
}

static void f4_write_optcr(Flash *flash, uint32_t value) {
        TargetRdp before = f4_get_rdp(flash);

        if (!flash->option_lock.open)
                return;
        if (value & OPTCR_LOCK) {
                flash_lock_shut(&flash->option_lock);
                return;
        }
        flash->option_register = value & OPTCR_STORED;
        if (value & OPTCR_STRT)
                flash_change_rdp(flash, before);
}

static void f4_write(Flash *flash, uint32_t offset, uint32_t value) {
        switch (offset) {
        case REGISTER_ACR:
                flash->acr = value & 0x071F;
                break;
        case REGISTER_KEYR:
                flash_lock_key(&flash->lock[0], value, KEY1, KEY2);
                break;
        case REGISTER_OPTKEYR:
                flash_lock_key(&flash->option_lock, value, OPTKEY1, OPTKEY2);
                break;
        case REGISTER_SR:
                flash->sr[0] &= ~(value & SR_CLEAR);
                break;
        case REGISTER_CR:
                f4_write_cr(flash, value);
                break;
        case REGISTER_OPTCR:
                f4_write_optcr(flash, value);
                break;
        default:
                break;
        }
}

static int f4_program(Flash *flash, uint32_t offset, unsigned width, uint32_t value) {
        unsigned parallelism = 1u << (flash->cr[0] >> 8 & 3);

        if (!flash->lock[0].open)
                return 0;
        if (!(flash->cr[0] & CR_PG)) {
                flash->sr[0] |= SR_PGSERR;
                return 0;
        }
        if (f4_is_protected(flash, f4_sector_at(offset))) {
                flash->sr[0] |= SR_WRPERR;
                return 0;
        }
        /* x64 takes two words; each is programmed as it comes. */
        if (width != (parallelism == 8 ? 4 : parallelism)) {
                flash->sr[0] |= SR_PGPERR;
                return 0;
        }
        flash_program(flash, offset, width, value);
        f4_end(flash);
        return 0;
}

const FlashOps flash_f4_ops = {
        .reset = f4_reset,
        .read = f4_read,
        .write = f4_write,
        .program = f4_program,
        .show_options = f4_show_options,
        .set_rdp = f4_set_rdp,
        .get_rdp = f4_get_rdp,
};
