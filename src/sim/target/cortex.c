/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sim/target/cortex.h"

#include <errno.h>

#include "base/macro.h"

/* With an exception waiting behind a mask, how many instructions may pass before somebody looks
 * whether the program opened it. */
#define SLICE_MASKED 64u

#define SCR_SEVONPEND (1u << 4)

static void cortex_changed(void *userdata, uint32_t address, uint32_t size) {
        Cortex *cortex = userdata;
        if (cortex->engine)
                engine_changed(cortex->engine, address, size);
}

void cortex_init(Cortex *cortex, Bus *bus) {
        *cortex = (Cortex){ .chip = bus->chip, .bus = bus };
        bus->ppb = (BusDevice){ cortex_ppb_read, cortex_ppb_write, cortex };
        bus->observer = (BusObserver){ cortex_changed, cortex };
        cortex_power_on(cortex);
}

void cortex_done(Cortex *cortex) {
        cortex->engine = engine_free(cortex->engine);
}

void cortex_power_on(Cortex *cortex) {
        cortex->dhcsr = cortex->demcr = cortex->dfsr = cortex->dcrdr = 0;
        debug_units_power_on(cortex);
        cortex_enter_reset(cortex);
}

void cortex_enter_reset(Cortex *cortex) {
        cortex->registers = (CoreRegisters){ .xpsr = XPSR_T };
        cortex->in_reset = true;
        cortex->reset_seen = true;
        cortex->reset_request = CORTEX_RESET_NONE;
        cortex->halted = cortex->stepping = cortex->retired = false;
        cortex->sleeping = cortex->dozing = cortex->locked_up = false;
        nvic_reset(&cortex->nvic, cortex->chip->irq_lines);
        cortex->systick = (SysTick){};
        scs_reset(cortex);
}

static void cortex_load_vectors(Cortex *cortex) {
        uint32_t table = cortex->scs[SCS_VTOR], sp = 0, pc = 0;

        if (bus_read(cortex->bus, BUS_MASTER_CORE, table, 4, &sp) < 0 ||
            bus_read(cortex->bus, BUS_MASTER_CORE, table + 4, 4, &pc) < 0) {
                exception_lock_up(cortex);
                return;
        }
        cortex->registers.msp = sp & ~3u;
        cortex->registers.lr = UINT32_MAX;
        cortex->registers.pc = pc & ~1u;
        cortex->registers.xpsr = pc & 1 ? XPSR_T : 0;
}

void cortex_leave_reset(Cortex *cortex) {
        if (!cortex->in_reset)
                return;
        cortex->in_reset = false;
        cortex_load_vectors(cortex);
        if (!cortex_is_debugged(cortex))
                return;
        if (cortex->demcr & DEMCR_VC_CORERESET)
                cortex_halt(cortex, DFSR_VCATCH);
        else if (cortex->dhcsr & DHCSR_C_HALT)
                cortex_halt(cortex, DFSR_HALTED);
}

void cortex_halt(Cortex *cortex, uint32_t reason) {
        cortex->dfsr |= reason;
        cortex->dhcsr |= DHCSR_C_HALT;
        cortex->stepping = false;
        cortex->sleeping = cortex->dozing = cortex->locked_up = false;
        if (cortex->halted)
                return;
        cortex->halted = true;
        cortex->halts++;
}

void cortex_debug_event(Cortex *cortex, uint32_t reason) {
        if (cortex_is_debugged(cortex))
                cortex_halt(cortex, reason);
        else
                exception_raise(cortex, CORTEX_FAULT_DEBUG, 0);
}

uint32_t *cortex_get_sp(Cortex *cortex) {
        CoreRegisters *registers = &cortex->registers;
        bool process = cortex_get_exception(cortex) == 0 && registers->control & CONTROL_SPSEL;
        return process ? &registers->psp : &registers->msp;
}

void cortex_touch(Cortex *cortex) {
        if (cortex->engine)
                engine_request_stop(cortex->engine);
}

static void cortex_handle(Cortex *cortex, const EngineResult *result) {
        switch (result->stop) {
        case ENGINE_BUDGET:
        case ENGINE_REQUEST:
                break;
        case ENGINE_BREAKPOINT:
        case ENGINE_BKPT:
                cortex_debug_event(cortex, DFSR_BKPT);
                break;
        case ENGINE_SLEEP:
                cortex->sleeping = true;
                break;
        case ENGINE_EVENT:
                cortex->sleeping = cortex->dozing = true;
                break;
        case ENGINE_SVC:
                exception_raise(cortex, CORTEX_FAULT_SVC, 0);
                break;
        case ENGINE_EXCEPTION_RETURN:
                exception_return(cortex, cortex->registers.pc | 1);
                break;
        case ENGINE_FETCH_FAULT:
                /* The emulator does not always know that it runs a handler. */
                if (cortex_get_exception(cortex) != 0 && cortex->registers.pc >= 0xF0000000)
                        exception_return(cortex, cortex->registers.pc | 1);
                else
                        exception_raise(cortex, CORTEX_FAULT_FETCH, result->address);
                break;
        case ENGINE_READ_FAULT:
        case ENGINE_WRITE_FAULT:
                exception_raise(cortex, CORTEX_FAULT_DATA, result->address);
                break;
        case ENGINE_UNALIGNED:
                exception_raise(cortex, CORTEX_FAULT_UNALIGNED, 0);
                break;
        case ENGINE_UNDEFINED:
                exception_raise(cortex, CORTEX_FAULT_UNDEFINED, 0);
                break;
        case ENGINE_NO_COPROCESSOR:
                exception_raise(cortex, CORTEX_FAULT_NO_COPROCESSOR, 0);
                break;
        case ENGINE_NO_THUMB:
                exception_raise(cortex, CORTEX_FAULT_STATE, 0);
                break;
        }
}

static void cortex_advance(Cortex *cortex, unsigned ticks) {
        systick_advance(cortex, ticks);
        if (cortex->demcr & DEMCR_TRCENA && cortex->dwt.ctrl & 1)
                cortex->dwt.cycles += ticks;
}

static unsigned cortex_get_slice(const Cortex *cortex, unsigned budget) {
        if (cortex->stepping)
                return 1;
        budget = MIN(budget, systick_get_left(cortex));
        if (nvic_get_next(&cortex->nvic, NVIC_PRIORITY_THREAD) != 0)
                budget = MIN(budget, SLICE_MASKED);
        return budget;
}

/* Time passes until the timer wakes the core, if it will. Returns the ticks that took. */
static unsigned cortex_sleep(Cortex *cortex, unsigned budget) {
        unsigned ticks = MIN(budget, systick_get_left(cortex));

        cortex_advance(cortex, ticks);
        /* PRIMASK keeps an exception from being taken, not from waking (B1.5.18). */
        NvicMasks masks = { .basepri = cortex->registers.basepri };
        if (nvic_get_next(&cortex->nvic, nvic_get_execution_priority(&cortex->nvic, masks)) != 0)
                cortex->sleeping = false;
        return MAX(ticks, 1u);
}

static unsigned cortex_execute(Cortex *cortex, unsigned budget) {
        uint32_t breakpoints[ENGINE_BREAKPOINTS_MAX];
        EngineWatch watches[ENGINE_WATCHES_MAX];
        EngineResult result;

        engine_set_breakpoints(cortex->engine, breakpoints,
                               fpb_get_breakpoints(cortex, breakpoints));
        (void) engine_set_watches(cortex->engine, watches, dwt_get_watches(cortex, watches));
        result = engine_run(cortex->engine, &cortex->registers, cortex_get_slice(cortex, budget));
        cortex_advance(cortex, result.executed);
        cortex->retired |= result.executed > 0;
        if (cortex->reset_request == CORTEX_RESET_NONE)
                cortex_handle(cortex, &result);
        if (result.watched)
                dwt_hit(cortex, result.watched);
        return MAX(result.executed, 1u);
}

/* One slice of work. Returns what it costs. */
static unsigned cortex_run_slice(Cortex *cortex, unsigned budget) {
        unsigned spent;

        if (cortex->sleeping && !cortex->stepping)
                return cortex_sleep(cortex, budget);
        cortex->sleeping = false;

        spent = exception_take(cortex) ? 1 : 0;
        if (cortex->halted || cortex->locked_up)
                return 1;
        if (spent == 0 || !cortex->stepping)
                spent += cortex_execute(cortex, budget);
        if (cortex->stepping)
                cortex_halt(cortex, DFSR_HALTED);
        return spent;
}

void cortex_run(Cortex *cortex, unsigned instructions) {
        if (!cortex->engine && engine_new(cortex->bus, &cortex->engine) < 0)
                exception_lock_up(cortex);
        if (cortex->dozing)
                cortex->sleeping = cortex->dozing = false;

        while (instructions > 0 && cortex_is_running(cortex) && !cortex->locked_up &&
               !cortex->dozing && cortex->reset_request == CORTEX_RESET_NONE) {
                unsigned spent = cortex_run_slice(cortex, instructions);
                instructions -= MIN(spent, instructions);
        }
}

/* The private peripheral bus, by 4 KiB blocks (B3.1.1). Blocks that no component names give bus
 * errors; registers of units without a model read as 0. */
static bool ppb_has_block(const Chip *chip, uint32_t block) {
        for (const ChipComponent *component = chip->components; component->base != 0; component++)
                if (component->base == block)
                        return true;
        return false;
}

int cortex_ppb_read(void *userdata, BusMaster master, uint32_t address, uint32_t *ret) {
        Cortex *cortex = userdata;
        uint32_t offset = address & 0xFFF;

        switch (address & ~0xFFFu) {
        case 0xE000E000:
                *ret = scs_read(cortex, master, offset);
                return 0;
        case 0xE0002000:
                *ret = fpb_read(cortex, offset);
                return 0;
        case 0xE0001000:
                *ret = dwt_read(cortex, offset);
                return 0;
        default:
                if (!ppb_has_block(cortex->chip, address & ~0xFFFu))
                        return -EFAULT;
                *ret = 0;
                return 0;
        }
}

int cortex_ppb_write(void *userdata, BusMaster master, uint32_t address, uint32_t value) {
        Cortex *cortex = userdata;
        uint32_t offset = address & 0xFFF;

        switch (address & ~0xFFFu) {
        case 0xE000E000:
                scs_write(cortex, master, offset, value);
                return 0;
        case 0xE0002000:
                fpb_write(cortex, offset, value);
                return 0;
        case 0xE0001000:
                dwt_write(cortex, offset, value);
                return 0;
        default:
                return ppb_has_block(cortex->chip, address & ~0xFFFu) ? 0 : -EFAULT;
        }
}
