/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/bytes.h"
#include "sim/target/flash.h"

/* The flash program/erase controller of the STM32F1 (PM0075). */

enum {
        REGISTER_ACR = 0x00,
        REGISTER_KEYR = 0x04,
        REGISTER_OPTKEYR = 0x08,
        REGISTER_SR = 0x0C,
        REGISTER_CR = 0x10,
        REGISTER_AR = 0x14,
        REGISTER_OBR = 0x1C,
        REGISTER_WRPR = 0x20,
};

#define KEY1 0x45670123u
#define KEY2 0xCDEF89ABu

#define SR_PGERR    (1u << 2)
#define SR_WRPRTERR (1u << 4)
#define SR_EOP      (1u << 5)

#define CR_PG     (1u << 0)
#define CR_PER    (1u << 1)
#define CR_MER    (1u << 2)
#define CR_OPTPG  (1u << 4)
#define CR_OPTER  (1u << 5)
#define CR_STRT   (1u << 6)
#define CR_LOCK   (1u << 7)
#define CR_OPTWRE (1u << 9)
#define CR_STORED 0x1437u /* PG, PER, MER, OPTPG, OPTER and the interrupt enables */

#define PAGE_SIZE 1024u
#define RDP_OPEN  0xA5u

static void f1_reset(Flash *flash) {
        flash->acr = 0x30; /* prefetch on */
}

static TargetRdp f1_get_rdp(const Flash *flash) {
        return flash->options[0] == RDP_OPEN ? TARGET_RDP_0 : TARGET_RDP_1;
}

static void f1_set_rdp(Flash *flash, TargetRdp rdp) {
        /* This chip has no level 2; flash_reset() keeps one that is simulated all the same. */
        flash->options[0] = rdp == TARGET_RDP_0 ? RDP_OPEN : 0x00;
        flash->options[1] = (uint8_t) ~flash->options[0];
}

static uint32_t f1_read(const Flash *flash, uint32_t offset) {
        const uint8_t *options = flash->options;

        switch (offset) {
        case REGISTER_ACR:
                return flash->acr;
        case REGISTER_SR:
                return flash->sr[0];
        case REGISTER_CR:
                return flash->cr[0] | (flash->lock[0].open ? 0 : CR_LOCK) |
                       (flash->option_lock.open ? CR_OPTWRE : 0);
        case REGISTER_AR:
                return flash->address;
        case REGISTER_OBR:
                /* Data bytes, user byte, RDPRT; OPTERR would be bit 0. */
                return (uint32_t) options[6] << 18 | (uint32_t) options[4] << 10 |
                       (uint32_t) options[2] << 2 | (flash->rdp == TARGET_RDP_0 ? 0 : 1u << 1);
        case REGISTER_WRPR:
                return (uint32_t) options[8] | (uint32_t) options[10] << 8 |
                       (uint32_t) options[12] << 16 | (uint32_t) options[14] << 24;
        default:
                return 0;
        }
}

/* WRPR has a bit for four pages; 1 is unprotected. */
static bool f1_is_protected(const Flash *flash, uint32_t offset) {
        unsigned group = offset / (4 * PAGE_SIZE);
        return !(f1_read(flash, REGISTER_WRPR) & 1u << (group < 31 ? group : 31));
}

static void f1_erase_options(Flash *flash) {
        for (unsigned i = 0; i < sizeof(flash->options); i++)
                flash->options[i] = 0xFF;
}

static void f1_start(Flash *flash) {
        uint32_t cr = flash->cr[0], offset = flash->address - flash->chip->flash.base;

        if (cr & CR_OPTER) {
                if (!flash->option_lock.open)
                        return;
                f1_erase_options(flash);
        } else if (cr & CR_MER) {
                flash_erase(flash, 0, flash->chip->flash.size);
        } else if (cr & CR_PER) {
                if (offset < flash->chip->flash.size && f1_is_protected(flash, offset)) {
                        flash->sr[0] |= SR_WRPRTERR;
                        return;
                }
                flash_erase(flash, offset & ~(PAGE_SIZE - 1), PAGE_SIZE);
        } else {
                return;
        }
        flash->sr[0] |= SR_EOP;
}

static void f1_write_cr(Flash *flash, uint32_t value) {
        if (!flash->lock[0].open)
                return;
        flash->cr[0] = value & CR_STORED;
        if (!(value & CR_OPTWRE))
                flash_lock_shut(&flash->option_lock);
        if (value & CR_STRT)
                f1_start(flash);
        if (value & CR_LOCK)
                flash_lock_shut(&flash->lock[0]);
}

static void f1_write(Flash *flash, uint32_t offset, uint32_t value) {
        switch (offset) {
        case REGISTER_ACR:
                flash->acr = value & 0x3F;
                break;
        case REGISTER_KEYR:
                flash_lock_key(&flash->lock[0], value, KEY1, KEY2);
                break;
        case REGISTER_OPTKEYR:
                flash_lock_key(&flash->option_lock, value, KEY1, KEY2);
                break;
        case REGISTER_SR:
                flash->sr[0] &= ~(value & (SR_PGERR | SR_WRPRTERR | SR_EOP));
                break;
        case REGISTER_CR:
                f1_write_cr(flash, value);
                break;
        case REGISTER_AR:
                flash->address = value;
                break;
        default:
                break;
        }
}

static int f1_program(Flash *flash, uint32_t offset, unsigned width, uint32_t value) {
        if (!flash->lock[0].open || !(flash->cr[0] & CR_PG))
                return 0;
        if (width != 2)
                return -EFAULT;
        if (f1_is_protected(flash, offset)) {
                flash->sr[0] |= SR_WRPRTERR;
                return 0;
        }
        /* Only an erased half-word can be programmed, except to 0. */
        if ((value & 0xFFFF) && !flash_is_erased(flash, offset, width)) {
                flash->sr[0] |= SR_PGERR;
                return 0;
        }
        flash_program(flash, offset, width, value);
        flash->sr[0] |= SR_EOP;
        return 0;
}

static int f1_program_option(Flash *flash, uint32_t offset, unsigned width, uint32_t value) {
        TargetRdp before = f1_get_rdp(flash);

        if (!flash->option_lock.open || !(flash->cr[0] & CR_OPTPG))
                return 0;
        if (width != 2)
                return -EFAULT;
        if (get_le16(flash->options + offset) != 0xFFFF) {
                flash->sr[0] |= SR_PGERR;
                return 0;
        }
        /* The complement is the controller's business. */
        flash->options[offset] = (uint8_t) value;
        flash->options[offset + 1] = (uint8_t) ~value;
        flash->sr[0] |= SR_EOP;
        flash_change_rdp(flash, before);
        return 0;
}

const FlashOps flash_f1_ops = {
        .reset = f1_reset,
        .read = f1_read,
        .write = f1_write,
        .program = f1_program,
        .program_option = f1_program_option,
        .set_rdp = f1_set_rdp,
        .get_rdp = f1_get_rdp,
};
