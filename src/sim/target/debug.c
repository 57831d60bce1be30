/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sim/target/cortex.h"

/* Halting debug: DHCSR, DCRSR, DCRDR, DEMCR (ARMv7-M, C1.6). */

enum {
        OFFSET_DHCSR = 0xDF0,
        OFFSET_DCRSR = 0xDF4,
        OFFSET_DCRDR = 0xDF8,
        OFFSET_DEMCR = 0xDFC,
};

#define DHCSR_KEY    0xA05Fu
#define DHCSR_STORED 0x2Fu
#define DCRSR_WRITE  (1u << 16)
#define DEMCR_STORED 0x010F07F1u
#define DEMCR_V6M    0x01000401u

/* Register selectors of DCRSR */
enum {
        SELECT_SP = 13,
        SELECT_LR = 14,
        SELECT_PC = 15,
        SELECT_XPSR = 16,
        SELECT_MSP = 17,
        SELECT_PSP = 18,
        SELECT_SPECIAL = 20,
        SELECT_FPSCR = 33,
        SELECT_S0 = 64,
};

/* The registers that are plain words; NULL for others. */
static uint32_t *debug_find_register(Cortex *cortex, unsigned select) {
        CoreRegisters *registers = &cortex->registers;

        if (select < SELECT_SP)
                return &registers->r[select];
        if (chip_has_fpu(cortex->chip) && select >= SELECT_S0 && select < SELECT_S0 + 32)
                return &registers->s[select - SELECT_S0];
        if (chip_has_fpu(cortex->chip) && select == SELECT_FPSCR)
                return &registers->fpscr;
        switch (select) {
        case SELECT_SP:
                return cortex_get_sp(cortex);
        case SELECT_LR:
                return &registers->lr;
        case SELECT_PC:
                return &registers->pc;
        case SELECT_XPSR:
                return &registers->xpsr;
        case SELECT_MSP:
                return &registers->msp;
        case SELECT_PSP:
                return &registers->psp;
        default:
                return NULL;
        }
}

static uint32_t debug_get_special(const CoreRegisters *registers) {
        return (uint32_t) registers->control << 24 | (uint32_t) registers->faultmask << 16 |
               (uint32_t) registers->basepri << 8 | registers->primask;
}

static void debug_set_special(Cortex *cortex, uint32_t value) {
        CoreRegisters *registers = &cortex->registers;

        registers->primask = value & 1;
        registers->control = value >> 24 & CONTROL_SPSEL;
        /* Unprivileged code on an ARMv6-M is more than the emulator knows. */
        if (!chip_has_mainline(cortex->chip))
                return;
        registers->control = value >> 24 & (chip_has_fpu(cortex->chip) ? 7 : 3);
        registers->basepri = (uint8_t) (value >> 8 & 0xFFu << (8 - cortex->chip->priority_bits));
        registers->faultmask = value >> 16 & 1;
}

/* What of a written value a register keeps. */
static uint32_t debug_get_mask(unsigned select) {
        switch (select) {
        case SELECT_SP:
        case SELECT_MSP:
        case SELECT_PSP:
                return ~3u;
        case SELECT_PC:
                return ~1u;
        case SELECT_XPSR:
                return 0xFF0FFDFFu;
        case SELECT_FPSCR:
                return 0xF7C0009Fu;
        default:
                return UINT32_MAX;
        }
}

/* Core registers can be transferred in debug state only. */
static void debug_transfer(Cortex *cortex, uint32_t value) {
        unsigned select = value & 0x7F;
        uint32_t *word = debug_find_register(cortex, select);

        if (!cortex->halted)
                return;
        if (value & DCRSR_WRITE) {
                if (word)
                        *word = cortex->dcrdr & debug_get_mask(select);
                else if (select == SELECT_SPECIAL)
                        debug_set_special(cortex, cortex->dcrdr);
        } else if (word) {
                cortex->dcrdr = *word;
        } else {
                cortex->dcrdr =
                        select == SELECT_SPECIAL ? debug_get_special(&cortex->registers) : 0;
        }
}

static uint32_t debug_read_dhcsr(Cortex *cortex, BusMaster master) {
        uint32_t value = cortex->dhcsr | DHCSR_S_REGRDY;

        if (cortex->halted)
                value |= DHCSR_S_HALT;
        if (cortex->sleeping)
                value |= DHCSR_S_SLEEP;
        if (cortex->locked_up)
                value |= DHCSR_S_LOCKUP;
        if (cortex->retired)
                value |= DHCSR_S_RETIRE_ST;
        if (cortex->reset_seen)
                value |= DHCSR_S_RESET_ST;
        if (master == BUS_MASTER_DEBUG) {
                cortex->retired = false;
                cortex->reset_seen = cortex->in_reset;
        }
        return value;
}

static void debug_write_dhcsr(Cortex *cortex, uint32_t value) {
        if (value >> 16 != DHCSR_KEY)
                return;
        cortex->dhcsr = value & DHCSR_STORED;
        if (!cortex_is_debugged(cortex)) {
                cortex->dhcsr = 0;
                cortex->halted = cortex->stepping = false;
                return;
        }
        /* In reset the request waits for the end of it. */
        if (cortex->in_reset)
                return;
        if (cortex->dhcsr & DHCSR_C_HALT) {
                if (!cortex->halted)
                        cortex_halt(cortex, DFSR_HALTED);
                return;
        }
        cortex->halted = false;
        cortex->stepping = cortex->dhcsr & DHCSR_C_STEP;
}

uint32_t debug_read(Cortex *cortex, BusMaster master, uint32_t offset) {
        switch (offset) {
        case OFFSET_DHCSR:
                return debug_read_dhcsr(cortex, master);
        case OFFSET_DCRDR:
                return cortex->dcrdr;
        case OFFSET_DEMCR:
                return cortex->demcr;
        default:
                return 0;
        }
}

/* The program itself cannot debug: of these it may write DEMCR, for its trace enable. */
void debug_write(Cortex *cortex, BusMaster master, uint32_t offset, uint32_t value) {
        if (offset == OFFSET_DEMCR)
                cortex->demcr =
                        value & (chip_has_mainline(cortex->chip) ? DEMCR_STORED : DEMCR_V6M);
        if (master != BUS_MASTER_DEBUG)
                return;
        if (offset == OFFSET_DHCSR)
                debug_write_dhcsr(cortex, value);
        else if (offset == OFFSET_DCRDR)
                cortex->dcrdr = value;
        else if (offset == OFFSET_DCRSR)
                debug_transfer(cortex, value);
}
