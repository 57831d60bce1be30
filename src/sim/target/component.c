/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "sim/target/bus.h"

/* CoreSight components as seen by a debugger that walks the ROM tables (ADIv5.2, chapter D). */

#define BLOCK_MASK     0xFFFu
#define OFFSET_MEMTYPE 0xFCCu
#define OFFSET_PIDR4   0xFD0u
#define OFFSET_PIDR0   0xFE0u
#define OFFSET_CIDR0   0xFF0u

static uint32_t table_entry(const uint32_t *table, uint32_t index) {
        for (uint32_t i = 0; i < index; i++)
                if (table[i] == 0)
                        return 0;
        return table[index];
}

static const ChipComponent *component_find(const Chip *chip, uint32_t base) {
        for (const ChipComponent *component = chip->components; component->base != 0; component++)
                if (component->base == base)
                        return component;
        return NULL;
}

int component_read(const Chip *chip, uint32_t address, uint32_t *ret) {
        const ChipComponent *component = component_find(chip, address & ~BLOCK_MASK);
        uint32_t offset = address & BLOCK_MASK;

        if (!component)
                return -ENOENT;
        if (offset >= OFFSET_CIDR0)
                *ret = component->cidr >> 8 * ((offset - OFFSET_CIDR0) / 4) & 0xFF;
        else if (offset >= OFFSET_PIDR0)
                *ret = component->pidr >> 8 * ((offset - OFFSET_PIDR0) / 4) & 0xFF;
        else if (offset >= OFFSET_PIDR4)
                *ret = component->pidr >> 8 * ((offset - OFFSET_PIDR4) / 4 + 4) & 0xFF;
        else if (!component->table)
                return -ENOENT;
        else
                *ret = offset == OFFSET_MEMTYPE ? 1 : table_entry(component->table, offset / 4);
        return 0;
}
