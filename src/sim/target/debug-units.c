/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "base/macro.h"
#include "sim/target/cortex.h"

/* Breakpoint unit and watchpoint unit (ARMv7-M, C1.11 and C1.8). Watchpoints halt on data accesses;
 * matching of values, of the program counter, and trace are not modelled. */

enum {
        FPB_CTRL = 0x000,
        FPB_REMAP = 0x004,
        FPB_COMP0 = 0x008,
        DWT_CTRL = 0x000,
        DWT_CYCCNT = 0x004,
        DWT_PCSR = 0x01C,
        DWT_COMP0 = 0x020,
        DWT_STRIDE = 0x10,
        DWT_DEVARCH = 0xFBC,
};

#define FPB_CTRL_ENABLE (1u << 0)
#define FPB_CTRL_KEY    (1u << 1)
#define FPB_COMP_ENABLE (1u << 0)
#define DWT_CTRL_STORED 0x007F1FFFu

#define DWT_FUNCTION_MASK    0xFu
#define DWT_FUNCTION_READ    5u
#define DWT_FUNCTION_WRITE   6u
#define DWT_FUNCTION_ACCESS  7u
#define DWT_FUNCTION_MATCHED (1u << 24)

void debug_units_power_on(Cortex *cortex) {
        cortex->fpb = (Fpb){};
        cortex->dwt = (Dwt){};
}

static unsigned fpb_count(const Chip *chip) {
        return chip->fpb_code + chip->fpb_literal;
}

uint32_t fpb_read(const Cortex *cortex, uint32_t offset) {
        const Chip *chip = cortex->chip;
        unsigned index = (offset - FPB_COMP0) / 4;

        if (offset == FPB_CTRL)
                return (uint32_t) (chip->fpb_version - 1) << 28 |
                       (uint32_t) (chip->fpb_code & 0x70) << 8 | (uint32_t) chip->fpb_literal << 8 |
                       (uint32_t) (chip->fpb_code & 0xF) << 4 |
                       (cortex->fpb.enabled ? FPB_CTRL_ENABLE : 0);
        if (offset == FPB_REMAP)
                return cortex->fpb.remap;
        if (offset >= FPB_COMP0 && index < fpb_count(chip))
                return cortex->fpb.comparators[index];
        return 0;
}

void fpb_write(Cortex *cortex, uint32_t offset, uint32_t value) {
        unsigned index = (offset - FPB_COMP0) / 4;

        if (offset == FPB_CTRL) {
                if (value & FPB_CTRL_KEY)
                        cortex->fpb.enabled = value & FPB_CTRL_ENABLE;
        } else if (offset == FPB_REMAP) {
                cortex->fpb.remap = value & 0x1FFFFFE0;
        } else if (offset >= FPB_COMP0 && index < fpb_count(cortex->chip)) {
                cortex->fpb.comparators[index] =
                        cortex->chip->fpb_version == 1 ? value & 0xDFFFFFFD : value;
        }
        cortex_touch(cortex);
}

/* Version 1 matches a word in the code area and chooses half-words of it; REPLACE 0 would be a
 * patch, which is not modelled. Version 2 takes any address. */
static size_t fpb_get_addresses(const Chip *chip, uint32_t comparator, uint32_t addresses[2]) {
        uint32_t word = comparator & 0x1FFFFFFC, replace = comparator >> 30;
        size_t n = 0;

        if (!(comparator & FPB_COMP_ENABLE))
                return 0;
        if (chip->fpb_version == 2) {
                addresses[n++] = comparator & ~1u;
                return n;
        }
        if (replace & 1)
                addresses[n++] = word;
        if (replace & 2)
                addresses[n++] = word + 2;
        return n;
}

size_t fpb_get_breakpoints(const Cortex *cortex, uint32_t addresses[ENGINE_BREAKPOINTS_MAX]) {
        size_t n = 0;

        if (!cortex->fpb.enabled)
                return 0;
        for (unsigned i = 0; i < cortex->chip->fpb_code && n + 2 <= ENGINE_BREAKPOINTS_MAX; i++)
                n += fpb_get_addresses(cortex->chip, cortex->fpb.comparators[i], addresses + n);
        return n;
}

static bool dwt_is_watching(const Cortex *cortex, unsigned index) {
        uint32_t function = cortex->dwt.comparators[index].function & DWT_FUNCTION_MASK;

        return index < cortex->chip->dwt_comparators && cortex->demcr & DEMCR_TRCENA &&
               cortex_is_debugged(cortex) && function >= DWT_FUNCTION_READ &&
               function <= DWT_FUNCTION_ACCESS;
}

size_t dwt_get_watches(const Cortex *cortex, EngineWatch watches[ENGINE_WATCHES_MAX]) {
        size_t n = 0;

        for (unsigned i = 0; i < DWT_COMPARATORS_MAX; i++) {
                const DwtComparator *comparator = &cortex->dwt.comparators[i];
                uint32_t function = comparator->function & DWT_FUNCTION_MASK;

                if (dwt_is_watching(cortex, i))
                        watches[n++] = (EngineWatch){
                                .address = comparator->value,
                                .mask = (1u << comparator->mask) - 1,
                                .read = function != DWT_FUNCTION_WRITE,
                                .write = function != DWT_FUNCTION_READ,
                        };
        }
        return n;
}

void dwt_hit(Cortex *cortex, uint32_t watched) {
        unsigned n = 0;

        for (unsigned i = 0; i < DWT_COMPARATORS_MAX; i++)
                if (dwt_is_watching(cortex, i) && watched >> n++ & 1)
                        cortex->dwt.comparators[i].function |= DWT_FUNCTION_MATCHED;
        if (!cortex->halted)
                cortex_halt(cortex, DFSR_DWTTRAP);
}

static uint32_t dwt_get_cycles(const Cortex *cortex) {
        bool counting = cortex->demcr & DEMCR_TRCENA && cortex->dwt.ctrl & 1 && cortex->engine;
        return cortex->dwt.cycles + (counting ? engine_get_executed(cortex->engine) : 0);
}

/* Reading the function clears the note of a match (C1.8.17). */
static uint32_t dwt_read_comparator(DwtComparator *comparator, uint32_t field) {
        uint32_t function = comparator->function;

        switch (field) {
        case 0x0:
                return comparator->value;
        case 0x4:
                return comparator->mask;
        case 0x8:
                comparator->function &= ~DWT_FUNCTION_MATCHED;
                return function;
        default:
                return 0;
        }
}

uint32_t dwt_read(Cortex *cortex, uint32_t offset) {
        const Chip *chip = cortex->chip;
        unsigned index = (offset - DWT_COMP0) / DWT_STRIDE;

        if (offset == DWT_CTRL)
                return (uint32_t) chip->dwt_comparators << 28 | cortex->dwt.ctrl;
        if (offset == DWT_CYCCNT && chip_has_mainline(chip))
                return dwt_get_cycles(cortex);
        if (offset == DWT_PCSR)
                return cortex->halted ? UINT32_MAX : cortex->registers.pc;
        if (offset >= DWT_COMP0 && index < chip->dwt_comparators)
                return dwt_read_comparator(&cortex->dwt.comparators[index],
                                           (offset - DWT_COMP0) % DWT_STRIDE);
        return 0;
}

static void dwt_write_comparator(DwtComparator *comparator, uint32_t field, uint32_t value) {
        switch (field) {
        case 0x0:
                comparator->value = value;
                break;
        case 0x4:
                comparator->mask = value & 0x1F;
                break;
        case 0x8:
                comparator->function = value & 0x000FFFAF;
                break;
        default:
                break;
        }
}

void dwt_write(Cortex *cortex, uint32_t offset, uint32_t value) {
        const Chip *chip = cortex->chip;
        unsigned index = (offset - DWT_COMP0) / DWT_STRIDE;

        if (offset == DWT_CTRL && chip_has_mainline(chip))
                cortex->dwt.ctrl = value & DWT_CTRL_STORED;
        else if (offset == DWT_CYCCNT)
                cortex->dwt.cycles =
                        value - (cortex->engine ? engine_get_executed(cortex->engine) : 0);
        else if (offset >= DWT_COMP0 && index < chip->dwt_comparators)
                dwt_write_comparator(&cortex->dwt.comparators[index],
                                     (offset - DWT_COMP0) % DWT_STRIDE, value);
}
