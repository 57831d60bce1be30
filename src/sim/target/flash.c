/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sim/target/flash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const FlashOps *const flash_ops[] = {
        [FLASH_F1] = &flash_f1_ops,
        [FLASH_F4] = &flash_f4_ops,
        [FLASH_G0] = &flash_g0_ops,
        [FLASH_H7] = &flash_h7_ops,
};

int flash_init(Flash *flash, const Chip *chip) {
        /* A page boundary, because the engine maps it; see engine.c. */
        uint8_t *data = aligned_alloc(4096, chip->flash.size);
        if (!data)
                return -ENOMEM;
        memset(data, 0xFF, chip->flash.size);

        *flash = (Flash){ .chip = chip, .ops = flash_ops[chip->flash_kind], .data = data };
        memset(flash->options, 0xFF, sizeof(flash->options));
        flash_set_rdp(flash, TARGET_RDP_0);
        flash_reset(flash);
        return 0;
}

void flash_done(Flash *flash) {
        free(flash->data);
        flash->data = NULL;
}

void flash_reset(Flash *flash) {
        flash->lock[0] = flash->lock[1] = flash->option_lock = (FlashLock){};
        flash->acr = flash->address = 0;
        flash->sr[0] = flash->sr[1] = 0;
        flash->cr[0] = flash->cr[1] = 0;
        flash->ops->reset(flash);
        /* There is no way back from level 2. */
        if (flash->rdp != TARGET_RDP_2)
                flash->rdp = flash->ops->get_rdp(flash);
}

void flash_set_rdp(Flash *flash, TargetRdp rdp) {
        flash->ops->set_rdp(flash, rdp);
        flash->rdp = rdp;
}

void flash_lock_key(FlashLock *lock, uint32_t key, uint32_t first, uint32_t second) {
        if (lock->jammed || lock->open)
                return;
        if (lock->step == 0 && key == first) {
                lock->step = 1;
        } else if (lock->step == 1 && key == second) {
                lock->step = 0;
                lock->open = true;
        } else {
                lock->jammed = true;
        }
}

void flash_lock_shut(FlashLock *lock) {
        lock->open = false;
        lock->step = 0;
}

static void flash_notify(Flash *flash, uint32_t offset, uint32_t size) {
        if (flash->changed)
                flash->changed(flash->userdata, offset, size);
}

void flash_erase(Flash *flash, uint32_t offset, uint32_t size) {
        if (offset >= flash->chip->flash.size)
                return;
        if (size > flash->chip->flash.size - offset)
                size = flash->chip->flash.size - offset;
        memset(flash->data + offset, 0xFF, size);
        flash_notify(flash, offset, size);
}

void flash_program(Flash *flash, uint32_t offset, unsigned width, uint32_t value) {
        for (unsigned i = 0; i < width; i++)
                flash->data[offset + i] &= (uint8_t) (value >> 8 * i);
        flash_notify(flash, offset, width);
}

bool flash_is_erased(const Flash *flash, uint32_t offset, unsigned width) {
        for (unsigned i = 0; i < width; i++)
                if (flash->data[offset + i] != 0xFF)
                        return false;
        return true;
}

void flash_change_rdp(Flash *flash, TargetRdp before) {
        if (before == TARGET_RDP_1 && flash->ops->get_rdp(flash) == TARGET_RDP_0)
                flash_erase(flash, 0, flash->chip->flash.size);
}
