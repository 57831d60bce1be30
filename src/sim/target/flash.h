/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sim/target/chips.h"
#include "sim/target/target.h"

/* A flash memory and its controller. Every operation is over at once: BSY is never seen. */

typedef struct Flash Flash;

/* What differs between the controllers. Offsets of registers count from chip->flash_registers,
 * those of memory from the start of the flash. */
typedef struct FlashOps {
        void (*reset)(Flash *flash);
        uint32_t (*read)(const Flash *flash, uint32_t offset);
        void (*write)(Flash *flash, uint32_t offset, uint32_t value);

        /* A write to the memory, by the core or a debugger. -EFAULT: bus error. */
        int (*program)(Flash *flash, uint32_t offset, unsigned width, uint32_t value);

        /* Likewise to the option bytes; NULL if they are written by registers only. */
        int (*program_option)(Flash *flash, uint32_t offset, unsigned width, uint32_t value);

        /* Put the option bytes where they are seen as memory; NULL if they live there. */
        void (*show_options)(Flash *flash);

        /* The option bytes that stand for a level, and the level that they stand for. */
        void (*set_rdp)(Flash *flash, TargetRdp rdp);
        TargetRdp (*get_rdp)(const Flash *flash);
} FlashOps;

/* A lock that two keys open in the right order; anything else shuts it until reset. */
typedef struct FlashLock {
        uint8_t step;
        bool open;
        bool jammed;
} FlashLock;

struct Flash {
        const Chip *chip;
        const FlashOps *ops;
        uint8_t *data;
        uint8_t options[16];
        TargetRdp rdp; /* in force: as loaded at the last reset */

        FlashLock lock[2]; /* the second is that of an H7's second bank */
        FlashLock option_lock;
        uint32_t acr;
        uint32_t sr[2];
        uint32_t cr[2];
        uint32_t address;
        uint32_t option_register;
        uint32_t option_program; /* H7: what the next option change will load */

        void (*changed)(void *userdata, uint32_t offset, uint32_t size);
        void *userdata;
};

/* All erased, protection off. -ENOMEM. */
int flash_init(Flash *flash, const Chip *chip);
void flash_done(Flash *flash);

/* System reset: locks shut, option bytes are loaded. */
void flash_reset(Flash *flash);

/* Change the protection level without any key, at once. */
void flash_set_rdp(Flash *flash, TargetRdp rdp);

/* For the controllers */
extern const FlashOps flash_f1_ops;
extern const FlashOps flash_f4_ops;
extern const FlashOps flash_g0_ops;
extern const FlashOps flash_h7_ops;

void flash_lock_key(FlashLock *lock, uint32_t key, uint32_t first, uint32_t second);
void flash_lock_shut(FlashLock *lock);

/* Set a range to FF; what lies outside of the memory is ignored. */
void flash_erase(Flash *flash, uint32_t offset, uint32_t size);

/* Bits can only be cleared. */
void flash_program(Flash *flash, uint32_t offset, unsigned width, uint32_t value);

bool flash_is_erased(const Flash *flash, uint32_t offset, unsigned width);

/* The option bytes now ask for another level: opening a protected chip erases it. */
void flash_change_rdp(Flash *flash, TargetRdp before);
