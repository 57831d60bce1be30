/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sim/target/chips.h"
#include "sim/target/flash.h"

/* The memory map of a chip: what answers at which address, and what answers with a bus error.
 * Addresses are those of the core's view. */

typedef enum BusMaster {
        BUS_MASTER_CORE,
        BUS_MASTER_DEBUG,
} BusMaster;

/* The core's private peripherals, by aligned words. -EFAULT: bus error. */
typedef struct BusDevice {
        int (*read)(void *userdata, BusMaster master, uint32_t address, uint32_t *ret);
        int (*write)(void *userdata, BusMaster master, uint32_t address, uint32_t value);
        void *userdata;
} BusDevice;

/* Told when a memory that may hold code changed otherwise than by the core's own stores. */
typedef struct BusObserver {
        void (*changed)(void *userdata, uint32_t address, uint32_t size);
        void *userdata;
} BusObserver;

typedef enum BusKind {
        BUS_KIND_RAM,
        BUS_KIND_FLASH,
        BUS_KIND_SYSTEM,  /* read only */
        BUS_KIND_OPTIONS, /* flash option bytes */
} BusKind;

typedef struct BusMemory {
        BusKind kind;
        uint32_t base;
        uint32_t size;
        uint8_t *data; /* of a RAM or flash on a page boundary */
} BusMemory;

#define BUS_MEMORIES_MAX (CHIP_RAMS_MAX + 4)
#define BUS_DBGMCU_SIZE  0x400u

#define BUS_PPB_BASE 0xE0000000u
#define BUS_PPB_SIZE 0x00100000u

typedef struct Bus {
        const Chip *chip;
        Flash flash;
        BusMemory memories[BUS_MEMORIES_MAX];
        size_t n_memories;
        uint32_t *peripherals[CHIP_PERIPHERALS_MAX];
        uint32_t dbgmcu[BUS_DBGMCU_SIZE / 4]; /* keeps its content through resets */
        BusDevice ppb;
        BusObserver observer;
} Bus;

/* -ENOMEM. ppb and observer may be filled in later, before the first access. */
int bus_init(Bus *bus, const Chip *chip);
void bus_done(Bus *bus);

/* Everything that does not survive without power, then a reset. */
void bus_power_on(Bus *bus);
void bus_reset(Bus *bus);

/* One access; width is 1, 2 or 4. -EFAULT: bus error. */
int bus_read(Bus *bus, BusMaster master, uint32_t address, unsigned width, uint32_t *ret);
int bus_write(Bus *bus, BusMaster master, uint32_t address, unsigned width, uint32_t value);

/* Bytes from address on that can be read by copying them, NULL if there are none. A span in RAM
 * may be written likewise, if bus_changed() is told. */
uint8_t *bus_read_span(Bus *bus, BusMaster master, uint32_t address, size_t *ret_size);
uint8_t *bus_write_span(Bus *bus, uint32_t address, size_t *ret_size);
void bus_changed(Bus *bus, uint32_t address, uint32_t size);

/* Write RAM or flash past all rules. -ERANGE when it does not fit into one memory. */
int bus_load(Bus *bus, uint32_t address, const uint8_t *data, size_t size);

/* Identification registers and ROM tables. -ENOENT: the address is none of them. */
int component_read(const Chip *chip, uint32_t address, uint32_t *ret);
