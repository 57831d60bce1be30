/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sim/target/bus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define PAGE_SIZE       4096u
#define FLASH_REGISTERS 0x400u

/* Any chip's unique identifier will do. */
static const uint8_t unique_id[12] = { 0x24, 0x00, 0x36, 0x00, 0x04, 0x51,
                                       0x36, 0x34, 0x35, 0x30, 0x37, 0x33 };

static void *allocate_pages(uint32_t size) {
        size_t rounded = (size + PAGE_SIZE - 1) & ~(size_t) (PAGE_SIZE - 1);
        void *data = aligned_alloc(PAGE_SIZE, rounded);
        if (data)
                memset(data, 0, rounded);
        return data;
}

static int bus_add_memory(Bus *bus, BusKind kind, ChipRange range, uint8_t *data) {
        if (!data)
                return -ENOMEM;
        bus->memories[bus->n_memories++] =
                (BusMemory){ .kind = kind, .base = range.base, .size = range.size, .data = data };
        return 0;
}

static int bus_add_system(Bus *bus) {
        const Chip *chip = bus->chip;
        uint8_t *data = allocate_pages(chip->system.size);
        int r = bus_add_memory(bus, BUS_KIND_SYSTEM, chip->system, data);
        if (r < 0)
                return r;

        memset(data, 0xFF, chip->system.size);
        put_le16(data + (chip->flash_size_address - chip->system.base),
                 (uint16_t) (chip->flash.size / 1024));
        memcpy(data + (chip->uid_address - chip->system.base), unique_id, sizeof(unique_id));
        return 0;
}

static int bus_add_memories(Bus *bus) {
        const Chip *chip = bus->chip;
        int r;

        for (size_t i = 0; i < CHIP_RAMS_MAX && chip->rams[i].size > 0; i++) {
                r = bus_add_memory(bus, BUS_KIND_RAM, chip->rams[i],
                                   allocate_pages(chip->rams[i].size));
                if (r < 0)
                        return r;
        }
        (void) bus_add_memory(bus, BUS_KIND_FLASH, chip->flash, bus->flash.data);
        if (chip->flash_at_zero)
                (void) bus_add_memory(bus, BUS_KIND_FLASH, (ChipRange){ 0, chip->flash.size },
                                      bus->flash.data);
        if (chip->option_bytes.size > 0)
                (void) bus_add_memory(bus, BUS_KIND_OPTIONS, chip->option_bytes,
                                      bus->flash.options);
        return bus_add_system(bus);
}

static void bus_flash_changed(void *userdata, uint32_t offset, uint32_t size) {
        Bus *bus = userdata;
        bus_changed(bus, bus->chip->flash.base + offset, size);
        if (bus->chip->flash_at_zero)
                bus_changed(bus, offset, size);
}

int bus_init(Bus *bus, const Chip *chip) {
        int r;

        *bus = (Bus){ .chip = chip };
        r = flash_init(&bus->flash, chip);
        if (r < 0)
                return r;
        bus->flash.changed = bus_flash_changed;
        bus->flash.userdata = bus;

        r = bus_add_memories(bus);
        if (r < 0)
                return r;
        for (size_t i = 0; i < CHIP_PERIPHERALS_MAX && chip->peripherals[i].size > 0; i++) {
                bus->peripherals[i] = calloc(1, chip->peripherals[i].size);
                if (!bus->peripherals[i])
                        return -ENOMEM;
        }
        return 0;
}

void bus_done(Bus *bus) {
        for (size_t i = 0; i < bus->n_memories; i++)
                if (bus->memories[i].kind == BUS_KIND_RAM ||
                    bus->memories[i].kind == BUS_KIND_SYSTEM)
                        free(bus->memories[i].data);
        for (size_t i = 0; i < CHIP_PERIPHERALS_MAX; i++)
                free(bus->peripherals[i]);
        flash_done(&bus->flash);
        *bus = (Bus){};
}

void bus_changed(Bus *bus, uint32_t address, uint32_t size) {
        if (bus->observer.changed)
                bus->observer.changed(bus->observer.userdata, address, size);
}

static uint32_t *bus_find_peripheral(Bus *bus, uint32_t address) {
        const ChipRange *ranges = bus->chip->peripherals;

        for (size_t i = 0; i < CHIP_PERIPHERALS_MAX && ranges[i].size > 0; i++)
                if (address - ranges[i].base < ranges[i].size)
                        return bus->peripherals[i] + (address - ranges[i].base) / 4;
        return NULL;
}

void bus_reset(Bus *bus) {
        const Chip *chip = bus->chip;

        for (size_t i = 0; i < CHIP_PERIPHERALS_MAX && chip->peripherals[i].size > 0; i++)
                memset(bus->peripherals[i], 0, chip->peripherals[i].size);
        for (const ChipWord *word = chip->words; word->address != 0; word++)
                *bus_find_peripheral(bus, word->address) = word->value;
        flash_reset(&bus->flash);
}

void bus_power_on(Bus *bus) {
        for (size_t i = 0; i < bus->n_memories; i++) {
                const BusMemory *memory = &bus->memories[i];
                if (memory->kind != BUS_KIND_RAM)
                        continue;
                memset(memory->data, 0, memory->size);
                bus_changed(bus, memory->base, memory->size);
        }
        memset(bus->dbgmcu, 0, sizeof(bus->dbgmcu));
        bus->dbgmcu[0] = bus->chip->idcode;
        bus_reset(bus);
}

static const BusMemory *bus_find_memory(const Bus *bus, uint32_t address, size_t size) {
        for (size_t i = 0; i < bus->n_memories; i++) {
                const BusMemory *memory = &bus->memories[i];
                uint32_t offset = address - memory->base;
                if (offset < memory->size && size <= memory->size - offset)
                        return memory;
        }
        return NULL;
}

/* Read-out protection: the debugger does not get at the flash (stlink-protocol §8.4). */
static bool bus_is_protected(const Bus *bus, const BusMemory *memory, BusMaster master) {
        return memory->kind == BUS_KIND_FLASH && master == BUS_MASTER_DEBUG &&
               bus->flash.rdp != TARGET_RDP_0;
}

/* Bit n of the word at A of the region at R is the word at R + 2000000 + (A - R) * 32 + n * 4, on
 * cores that have this (ARMv7-M, B3.1.1). */
static bool bus_is_bit_band(const Bus *bus, uint32_t address) {
        if (bus->chip->core != CORE_M3 && bus->chip->core != CORE_M4)
                return false;
        return address >> 25 == 0x22000000u >> 25 || address >> 25 == 0x42000000u >> 25;
}

static uint32_t bit_band_byte(uint32_t address) {
        return (address & 0xF0000000) | (address & 0x01FFFFFF) >> 5;
}

static unsigned bit_band_bit(uint32_t address) {
        return address >> 2 & 7;
}

static int bus_read_register(Bus *bus, BusMaster master, uint32_t address, uint32_t *ret) {
        const Chip *chip = bus->chip;
        const uint32_t *peripheral;

        if (component_read(chip, address, ret) == 0)
                return 0;
        if (address - chip->dbgmcu < BUS_DBGMCU_SIZE) {
                *ret = bus->dbgmcu[(address - chip->dbgmcu) / 4];
                return 0;
        }
        if (address - chip->flash_registers < FLASH_REGISTERS) {
                *ret = bus->flash.ops->read(&bus->flash, address - chip->flash_registers);
                return 0;
        }
        if (address - BUS_PPB_BASE < BUS_PPB_SIZE)
                return bus->ppb.read(bus->ppb.userdata, master, address, ret);

        peripheral = bus_find_peripheral(bus, address);
        if (!peripheral)
                return -EFAULT;
        *ret = *peripheral;
        return 0;
}

static uint32_t bus_mirror(const Chip *chip, uint32_t address, uint32_t value) {
        for (const ChipMirror *mirror = chip->mirrors; mirror->mask != 0; mirror++)
                if (mirror->address == address)
                        value = (value & ~(mirror->mask << mirror->shift)) |
                                (value & mirror->mask) << mirror->shift;
        return value;
}

static int bus_write_register(Bus *bus, BusMaster master, uint32_t address, uint32_t value) {
        const Chip *chip = bus->chip;
        uint32_t *peripheral;

        if (address - chip->dbgmcu < BUS_DBGMCU_SIZE) {
                if (address != chip->dbgmcu)
                        bus->dbgmcu[(address - chip->dbgmcu) / 4] = value;
                return 0;
        }
        if (address - chip->flash_registers < FLASH_REGISTERS) {
                bus->flash.ops->write(&bus->flash, address - chip->flash_registers, value);
                return 0;
        }
        if (address - BUS_PPB_BASE < BUS_PPB_SIZE)
                return bus->ppb.write(bus->ppb.userdata, master, address, value);

        peripheral = bus_find_peripheral(bus, address);
        if (!peripheral)
                return -EFAULT;
        *peripheral = bus_mirror(chip, address, value);
        return 0;
}

static uint32_t width_mask(unsigned width) {
        return width == 4 ? UINT32_MAX : (1u << 8 * width) - 1;
}

static uint32_t load(const uint8_t *data, unsigned width) {
        switch (width) {
        case 1:
                return *data;
        case 2:
                return get_le16(data);
        default:
                return get_le32(data);
        }
}

static void store(uint8_t *data, unsigned width, uint32_t value) {
        for (unsigned i = 0; i < width; i++)
                data[i] = (uint8_t) (value >> 8 * i);
}

static int bus_read_memory(Bus *bus, const BusMemory *memory, BusMaster master, uint32_t address,
                           unsigned width, uint32_t *ret) {
        if (bus_is_protected(bus, memory, master))
                return -EFAULT;
        if (memory->kind == BUS_KIND_OPTIONS && bus->flash.ops->show_options)
                bus->flash.ops->show_options(&bus->flash);
        *ret = load(memory->data + (address - memory->base), width);
        return 0;
}

int bus_read(Bus *bus, BusMaster master, uint32_t address, unsigned width, uint32_t *ret) {
        const BusMemory *memory = bus_find_memory(bus, address, width);
        uint32_t value = 0;
        int r;

        if (memory)
                return bus_read_memory(bus, memory, master, address, width, ret);
        if (address % width != 0)
                return -EFAULT;
        if (bus_is_bit_band(bus, address)) {
                r = bus_read(bus, master, bit_band_byte(address), 1, &value);
                value = value >> bit_band_bit(address) & 1;
        } else {
                r = bus_read_register(bus, master, address & ~3u, &value);
                value = value >> 8 * (address & 3) & width_mask(width);
        }
        if (r < 0)
                return r;
        *ret = value;
        return 0;
}

static int bus_write_memory(Bus *bus, const BusMemory *memory, BusMaster master, uint32_t address,
                            unsigned width, uint32_t value) {
        uint32_t offset = address - memory->base;
        Flash *flash = &bus->flash;

        switch (memory->kind) {
        case BUS_KIND_RAM:
                store(memory->data + offset, width, value);
                bus_changed(bus, address, width);
                return 0;
        case BUS_KIND_FLASH:
                if (bus_is_protected(bus, memory, master) || address % width != 0)
                        return -EFAULT;
                return flash->ops->program(flash, offset, width, value);
        case BUS_KIND_OPTIONS:
                if (address % width != 0)
                        return -EFAULT;
                if (flash->ops->program_option)
                        return flash->ops->program_option(flash, offset, width, value);
                return 0;
        default:
                return 0;
        }
}

/* Registers take whole words; a part of one leaves the rest as it reads. */
static int bus_write_part(Bus *bus, BusMaster master, uint32_t address, unsigned width,
                          uint32_t value) {
        uint32_t word, shift = 8 * (address & 3), mask = width_mask(width) << shift;
        int r;

        r = bus_read_register(bus, master, address & ~3u, &word);
        if (r < 0)
                return r;
        return bus_write_register(bus, master, address & ~3u,
                                  (word & ~mask) | (value << shift & mask));
}

static int bus_write_bit(Bus *bus, BusMaster master, uint32_t address, uint32_t value) {
        uint32_t byte, target = bit_band_byte(address), bit = 1u << bit_band_bit(address);
        int r;

        r = bus_read(bus, master, target, 1, &byte);
        if (r < 0)
                return r;
        return bus_write(bus, master, target, 1, value & 1 ? byte | bit : byte & ~bit);
}

int bus_write(Bus *bus, BusMaster master, uint32_t address, unsigned width, uint32_t value) {
        const BusMemory *memory = bus_find_memory(bus, address, width);

        if (memory)
                return bus_write_memory(bus, memory, master, address, width, value);
        if (address % width != 0)
                return -EFAULT;
        if (bus_is_bit_band(bus, address))
                return bus_write_bit(bus, master, address, value);
        if (width == 4)
                return bus_write_register(bus, master, address, value);
        return bus_write_part(bus, master, address, width, value);
}

uint8_t *bus_read_span(Bus *bus, BusMaster master, uint32_t address, size_t *ret_size) {
        const BusMemory *memory = bus_find_memory(bus, address, 1);

        if (!memory || memory->kind == BUS_KIND_OPTIONS || bus_is_protected(bus, memory, master))
                return NULL;
        *ret_size = memory->size - (address - memory->base);
        return memory->data + (address - memory->base);
}

uint8_t *bus_write_span(Bus *bus, uint32_t address, size_t *ret_size) {
        const BusMemory *memory = bus_find_memory(bus, address, 1);

        if (!memory || memory->kind != BUS_KIND_RAM)
                return NULL;
        *ret_size = memory->size - (address - memory->base);
        return memory->data + (address - memory->base);
}

int bus_load(Bus *bus, uint32_t address, const uint8_t *data, size_t size) {
        const BusMemory *memory = bus_find_memory(bus, address, size);

        if (!memory || (memory->kind != BUS_KIND_RAM && memory->kind != BUS_KIND_FLASH))
                return -ERANGE;
        if (size == 0)
                return 0;
        memcpy(memory->data + (address - memory->base), data, size);
        if (memory->kind == BUS_KIND_FLASH)
                bus_flash_changed(bus, address - memory->base, (uint32_t) size);
        else
                bus_changed(bus, address, (uint32_t) size);
        return 0;
}
