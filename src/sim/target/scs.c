/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "base/macro.h"
#include "sim/target/cortex.h"

/* The system control space at E000E000 (ARMv7-M, B3.2; ARMv6-M, B3.2). Most registers are words
 * with a mask of bits that can be written; the rest have functions. */

#define AIRCR_KEY         0x05FAu
#define AIRCR_READ_KEY    0xFA05u
#define AIRCR_VECTRESET   (1u << 0)
#define AIRCR_SYSRESETREQ (1u << 2)

#define ICSR_NMIPENDSET (1u << 31)
#define ICSR_PENDSVSET  (1u << 28)
#define ICSR_PENDSVCLR  (1u << 27)
#define ICSR_PENDSTSET  (1u << 26)
#define ICSR_PENDSTCLR  (1u << 25)
#define ICSR_ISRPENDING (1u << 22)
#define ICSR_RETTOBASE  (1u << 11)

typedef struct ScsRegister {
        uint16_t first;
        uint16_t last; /* inclusive */
        bool mainline; /* ARMv7-M only */
        uint32_t reset;
        uint32_t mask;
        uint32_t (*read)(Cortex *cortex, uint32_t offset);
        void (*write)(Cortex *cortex, uint32_t offset, uint32_t value);
} ScsRegister;

static uint32_t read_ictr(Cortex *cortex, uint32_t offset) {
        (void) offset;
        return (cortex->chip->irq_lines - 1u) / 32;
}

/* Sets of interrupts: 32 lines a register, at offsets that say what to do with them. */
static unsigned irq_of(uint32_t offset, unsigned bit) {
        return EXCEPTION_IRQ0 + (offset & 0x1C) * 8 + bit;
}

static uint32_t read_irqs(Cortex *cortex, uint32_t offset) {
        const Nvic *nvic = &cortex->nvic;
        uint32_t value = 0;

        for (unsigned bit = 0; bit < 32; bit++) {
                unsigned exception = irq_of(offset, bit);
                bool on = offset < 0x200   ? nvic_is_enabled(nvic, exception)
                          : offset < 0x300 ? nvic_is_pending(nvic, exception)
                                           : nvic_is_active(nvic, exception);
                value |= on ? 1u << bit : 0;
        }
        return value;
}

static void write_irqs(Cortex *cortex, uint32_t offset, uint32_t value) {
        bool on = (offset & 0x80) == 0;

        for (unsigned bit = 0; bit < 32; bit++) {
                if (!(value & 1u << bit))
                        continue;
                if (offset < 0x200)
                        nvic_set_enabled(&cortex->nvic, irq_of(offset, bit), on);
                else
                        nvic_set_pending(&cortex->nvic, irq_of(offset, bit), on);
        }
        cortex_touch(cortex);
}

static void write_stir(Cortex *cortex, uint32_t offset, uint32_t value) {
        (void) offset;
        nvic_set_pending(&cortex->nvic, EXCEPTION_IRQ0 + (value & 0x1FF), true);
        cortex_touch(cortex);
}

/* Four priorities a word; of SHPR1 the first is that of exception 4. */
static unsigned priority_of(uint32_t offset) {
        return offset < 0xD00 ? EXCEPTION_IRQ0 + (offset - 0x400) : 4 + (offset - 0xD18);
}

static uint32_t read_priorities(Cortex *cortex, uint32_t offset) {
        unsigned first = priority_of(offset);
        uint32_t value = 0;

        for (unsigned i = 0; i < 4 && first + i < cortex->nvic.n; i++)
                value |= (uint32_t) cortex->nvic.priority[first + i] << 8 * i;
        return value;
}

static void write_priorities(Cortex *cortex, uint32_t offset, uint32_t value) {
        unsigned first = priority_of(offset);
        uint8_t mask = (uint8_t) (0xFFu << (8 - cortex->chip->priority_bits));

        for (unsigned i = 0; i < 4 && first + i < cortex->nvic.n; i++)
                cortex->nvic.priority[first + i] = (uint8_t) (value >> 8 * i) & mask;
        cortex_touch(cortex);
}

static uint32_t read_cpuid(Cortex *cortex, uint32_t offset) {
        (void) offset;
        return cortex->chip->cpuid;
}

static uint32_t read_icsr(Cortex *cortex, uint32_t offset) {
        const Nvic *nvic = &cortex->nvic;
        unsigned next = nvic_get_next(nvic, NVIC_PRIORITY_THREAD);
        (void) offset;

        return cortex_get_exception(cortex) | next << 12 |
               (nvic_has_active(nvic) ? 0 : ICSR_RETTOBASE) |
               (next >= EXCEPTION_IRQ0 ? ICSR_ISRPENDING : 0) |
               (nvic_is_pending(nvic, EXCEPTION_NMI) ? ICSR_NMIPENDSET : 0) |
               (nvic_is_pending(nvic, EXCEPTION_PENDSV) ? ICSR_PENDSVSET : 0) |
               (nvic_is_pending(nvic, EXCEPTION_SYSTICK) ? ICSR_PENDSTSET : 0);
}

static void write_icsr(Cortex *cortex, uint32_t offset, uint32_t value) {
        Nvic *nvic = &cortex->nvic;
        (void) offset;

        if (value & ICSR_NMIPENDSET)
                nvic_set_pending(nvic, EXCEPTION_NMI, true);
        if (value & (ICSR_PENDSVSET | ICSR_PENDSVCLR))
                nvic_set_pending(nvic, EXCEPTION_PENDSV, value & ICSR_PENDSVSET);
        if (value & (ICSR_PENDSTSET | ICSR_PENDSTCLR))
                nvic_set_pending(nvic, EXCEPTION_SYSTICK, value & ICSR_PENDSTSET);
        cortex_touch(cortex);
}

static uint32_t read_aircr(Cortex *cortex, uint32_t offset) {
        return AIRCR_READ_KEY << 16 | (cortex->scs[SCS_WORD(offset)] & 0x700);
}

static void write_aircr(Cortex *cortex, uint32_t offset, uint32_t value) {
        /* Only the older cores can reset themselves alone (ARMv7-M, B3.2.6). */
        bool has_vectreset = cortex->chip->core == CORE_M3 || cortex->chip->core == CORE_M4;

        if (value >> 16 != AIRCR_KEY)
                return;
        cortex->scs[SCS_WORD(offset)] = value & 0x700;
        if (cortex->in_reset)
                return;
        if (value & AIRCR_SYSRESETREQ)
                cortex->reset_request = CORTEX_RESET_SYSTEM;
        else if (value & AIRCR_VECTRESET && has_vectreset)
                cortex->reset_request = CORTEX_RESET_CORE;
        cortex_touch(cortex);
}

/* Enable bits 18:16, activity in the rest. */
static uint32_t read_shcsr(Cortex *cortex, uint32_t offset) {
        static const uint8_t active[] = { 4, 5, 0, 6, 0, 0, 0, 11, 12, 0, 14, 15 };
        uint32_t value = 0;
        (void) offset;

        for (unsigned i = 0; i < ELEMENTSOF(active); i++)
                if (active[i] != 0 && nvic_is_active(&cortex->nvic, active[i]))
                        value |= 1u << i;
        for (unsigned exception = EXCEPTION_MEMORY; exception <= EXCEPTION_USAGE; exception++)
                if (nvic_is_enabled(&cortex->nvic, exception))
                        value |= 1u << (12 + exception);
        return value;
}

static void write_shcsr(Cortex *cortex, uint32_t offset, uint32_t value) {
        (void) offset;
        for (unsigned exception = EXCEPTION_MEMORY; exception <= EXCEPTION_USAGE; exception++)
                nvic_set_enabled(&cortex->nvic, exception, value & 1u << (12 + exception));
}

static void write_clear(Cortex *cortex, uint32_t offset, uint32_t value) {
        cortex->scs[SCS_WORD(offset)] &= ~value;
}

static uint32_t read_dfsr(Cortex *cortex, uint32_t offset) {
        (void) offset;
        return cortex->dfsr;
}

static void write_dfsr(Cortex *cortex, uint32_t offset, uint32_t value) {
        (void) offset;
        cortex->dfsr &= ~value;
}

static uint32_t read_cpacr(Cortex *cortex, uint32_t offset) {
        return chip_has_fpu(cortex->chip) ? cortex->scs[SCS_WORD(offset)] : 0;
}

static uint32_t read_mpu_type(Cortex *cortex, uint32_t offset) {
        static const uint32_t types[] = {
                [CORE_M0PLUS] = 0x800, [CORE_M3] = 0, [CORE_M4] = 0x800, [CORE_M7] = 0x1000
        };
        (void) offset;
        return types[cortex->chip->core];
}

static uint32_t read_mvfr(Cortex *cortex, uint32_t offset) {
        return cortex->chip->mvfr[(offset - 0xF40) / 4];
}

static const ScsRegister scs_registers[] = {
        { 0x004, 0x004, false, 0, 0, read_ictr, NULL },
        { 0x008, 0x008, false, 0, 0x7, NULL, NULL }, /* ACTLR */
        { 0x010, 0x01C, false, 0, 0, systick_read, systick_write },
        { 0x100, 0x11C, false, 0, 0, read_irqs, write_irqs },
        { 0x180, 0x19C, false, 0, 0, read_irqs, write_irqs },
        { 0x200, 0x21C, false, 0, 0, read_irqs, write_irqs },
        { 0x280, 0x29C, false, 0, 0, read_irqs, write_irqs },
        { 0x300, 0x31C, true, 0, 0, read_irqs, NULL },
        { 0x400, 0x4EC, false, 0, 0, read_priorities, write_priorities },
        { 0xD00, 0xD00, false, 0, 0, read_cpuid, NULL },
        { 0xD04, 0xD04, false, 0, 0, read_icsr, write_icsr },
        { 0xD08, 0xD08, false, 0, 0xFFFFFF80, NULL, NULL }, /* VTOR; see scs_reset() */
        { 0xD0C, 0xD0C, false, 0, 0, read_aircr, write_aircr },
        { 0xD10, 0xD10, false, 0, 0x16, NULL, NULL },        /* SCR */
        { 0xD14, 0xD14, false, 0x200, 0x7031B, NULL, NULL }, /* CCR */
        { 0xD18, 0xD18, true, 0, 0, read_priorities, write_priorities },
        { 0xD1C, 0xD20, false, 0, 0, read_priorities, write_priorities },
        { 0xD24, 0xD24, true, 0, 0, read_shcsr, write_shcsr },
        { 0xD28, 0xD2C, true, 0, 0, NULL, write_clear }, /* CFSR, HFSR */
        { 0xD30, 0xD30, false, 0, 0, read_dfsr, write_dfsr },
        { 0xD34, 0xD3C, true, 0, UINT32_MAX, NULL, NULL }, /* MMFAR, BFAR, AFSR */
        { 0xD88, 0xD88, true, 0, 0x00F00000, read_cpacr, NULL },
        { 0xD90, 0xD90, false, 0, 0, read_mpu_type, NULL },
        { 0xD94, 0xDB8, false, 0, UINT32_MAX, NULL, NULL }, /* MPU; not enforced */
        { 0xF00, 0xF00, true, 0, 0, NULL, write_stir },
        { 0xF34, 0xF34, true, 0xC0000000, 0xC0000000, NULL, NULL }, /* FPCCR */
        { 0xF38, 0xF38, true, 0, 0xFFFFFFF8, NULL, NULL },          /* FPCAR */
        { 0xF3C, 0xF3C, true, 0, 0x07C00000, NULL, NULL },          /* FPDSCR */
        { 0xF40, 0xF48, true, 0, 0, read_mvfr, NULL },
};

static bool is_debug_register(uint32_t offset) {
        return offset >= 0xDF0 && offset <= 0xDFC;
}

static const ScsRegister *scs_find(const Cortex *cortex, uint32_t offset) {
        for (size_t i = 0; i < ELEMENTSOF(scs_registers); i++) {
                const ScsRegister *found = &scs_registers[i];
                if (offset < found->first || offset > found->last)
                        continue;
                return found->mainline && !chip_has_mainline(cortex->chip) ? NULL : found;
        }
        return NULL;
}

void scs_reset(Cortex *cortex) {
        for (size_t i = 0; i < ELEMENTSOF(scs_registers); i++)
                for (uint32_t offset = scs_registers[i].first; offset <= scs_registers[i].last;
                     offset += 4)
                        cortex->scs[SCS_WORD(offset)] = scs_registers[i].reset;
        cortex->scs[SCS_VTOR] = cortex->chip->boot_address;
}

uint32_t scs_read(Cortex *cortex, BusMaster master, uint32_t offset) {
        const ScsRegister *found;

        if (is_debug_register(offset))
                return debug_read(cortex, master, offset);
        found = scs_find(cortex, offset);
        if (!found)
                return 0;
        return found->read ? found->read(cortex, offset) : cortex->scs[SCS_WORD(offset)];
}

void scs_write(Cortex *cortex, BusMaster master, uint32_t offset, uint32_t value) {
        const ScsRegister *found;

        if (is_debug_register(offset)) {
                debug_write(cortex, master, offset, value);
                return;
        }
        found = scs_find(cortex, offset);
        if (!found)
                return;
        if (found->write)
                found->write(cortex, offset, value);
        else
                cortex->scs[SCS_WORD(offset)] = value & found->mask;
}
