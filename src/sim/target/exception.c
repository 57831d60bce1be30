/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/macro.h"
#include "sim/target/cortex.h"

/* Exceptions: entry, return, faults, lockup (ARMv7-M, B1.5). */

#define FRAME_WORDS       8u
#define FRAME_WORDS_FLOAT 26u
#define FRAME_FLOATS      16u

#define XPSR_IT      0x0600FC00u
#define XPSR_ALIGNED (1u << 9) /* in a frame: the stack pointer was moved by 4 */

#define EXC_RETURN_HANDLER 0xFFFFFFF1u
#define EXC_RETURN_MAIN    0xFFFFFFF9u
#define EXC_RETURN_PROCESS 0xFFFFFFFDu
#define EXC_RETURN_BASIC   (1u << 4)

#define LOCKUP_PC 0xFFFFFFFEu

#define CCR_STKALIGN    (1u << 9)
#define SCR_SLEEPONEXIT (1u << 1)

#define HFSR_VECTTBL  (1u << 1)
#define HFSR_FORCED   (1u << 30)
#define HFSR_DEBUGEVT (1u << 31)

/* Which exception a fault is, how CFSR tells of it, and who may catch it. */
typedef struct FaultInfo {
        uint8_t exception;
        uint32_t cfsr;
        uint32_t hfsr;
        uint32_t catch;
        bool has_address;
} FaultInfo;

static const FaultInfo fault_infos[] = {
        [CORTEX_FAULT_FETCH] = { EXCEPTION_BUS, 1u << 8, 0, DEMCR_VC_BUSERR, false },
        [CORTEX_FAULT_DATA] = { EXCEPTION_BUS, 1u << 9, 0, DEMCR_VC_BUSERR, true },
        [CORTEX_FAULT_UNDEFINED] = { EXCEPTION_USAGE, 1u << 16, 0, DEMCR_VC_STATERR, false },
        [CORTEX_FAULT_STATE] = { EXCEPTION_USAGE, 1u << 17, 0, DEMCR_VC_STATERR, false },
        [CORTEX_FAULT_RETURN] = { EXCEPTION_USAGE, 1u << 18, 0, DEMCR_VC_STATERR, false },
        [CORTEX_FAULT_NO_COPROCESSOR] = { EXCEPTION_USAGE, 1u << 19, 0, DEMCR_VC_NOCPERR, false },
        [CORTEX_FAULT_UNALIGNED] = { EXCEPTION_USAGE, 1u << 24, 0, DEMCR_VC_CHKERR, false },
        [CORTEX_FAULT_DEBUG] = { EXCEPTION_HARD, 0, HFSR_DEBUGEVT, 0, false },
        [CORTEX_FAULT_SVC] = { EXCEPTION_SVC, 0, 0, 0, false },
};

#define CFSR_BFARVALID (1u << 15)

static NvicMasks get_masks(const Cortex *cortex) {
        const CoreRegisters *registers = &cortex->registers;
        return (NvicMasks){ registers->primask, registers->basepri, registers->faultmask };
}

int exception_get_priority(const Cortex *cortex) {
        return nvic_get_execution_priority(&cortex->nvic, get_masks(cortex));
}

void exception_lock_up(Cortex *cortex) {
        cortex->locked_up = true;
        cortex->sleeping = cortex->stepping = false;
        cortex->registers.pc = LOCKUP_PC;
}

static int store_words(Cortex *cortex, uint32_t address, const uint32_t *words, unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                int r = bus_write(cortex->bus, BUS_MASTER_CORE, address + i * 4, 4, words[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int load_words(Cortex *cortex, uint32_t address, uint32_t *words, unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                int r = bus_read(cortex->bus, BUS_MASTER_CORE, address + i * 4, 4, &words[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool has_float_context(const Cortex *cortex) {
        return chip_has_fpu(cortex->chip) && cortex->registers.control & CONTROL_FPCA;
}

static int push_floats(Cortex *cortex, uint32_t frame) {
        const CoreRegisters *registers = &cortex->registers;
        int r;

        if (!has_float_context(cortex))
                return 0;
        r = store_words(cortex, frame + FRAME_WORDS * 4, registers->s, FRAME_FLOATS);
        if (r < 0)
                return r;
        return store_words(cortex, frame + (FRAME_WORDS + FRAME_FLOATS) * 4, &registers->fpscr, 1);
}

static int push_frame(Cortex *cortex) {
        const CoreRegisters *registers = &cortex->registers;
        unsigned words = has_float_context(cortex) ? FRAME_WORDS_FLOAT : FRAME_WORDS;
        uint32_t *sp = cortex_get_sp(cortex), frame = *sp - words * 4;
        bool align = cortex->scs[SCS_CCR] & CCR_STKALIGN && frame & 4;
        uint32_t content[FRAME_WORDS] = { registers->r[0],  registers->r[1],
                                          registers->r[2],  registers->r[3],
                                          registers->r[12], registers->lr,
                                          registers->pc,    registers->xpsr & ~XPSR_ALIGNED };
        int r;

        if (align) {
                frame -= 4;
                content[7] |= XPSR_ALIGNED;
        }
        r = store_words(cortex, frame, content, FRAME_WORDS);
        if (r < 0)
                return r;
        r = push_floats(cortex, frame);
        if (r < 0)
                return r;
        *sp = frame;
        return 0;
}

static uint32_t get_exc_return(const Cortex *cortex) {
        uint32_t value = EXC_RETURN_MAIN;

        if (cortex_get_exception(cortex) != 0)
                value = EXC_RETURN_HANDLER;
        else if (cortex->registers.control & CONTROL_SPSEL)
                value = EXC_RETURN_PROCESS;
        return has_float_context(cortex) ? value & ~EXC_RETURN_BASIC : value;
}

void exception_enter(Cortex *cortex, unsigned exception) {
        CoreRegisters *registers = &cortex->registers;
        uint32_t lr = get_exc_return(cortex), vector;

        if (push_frame(cortex) < 0) {
                exception_lock_up(cortex);
                return;
        }
        if (bus_read(cortex->bus, BUS_MASTER_CORE, cortex->scs[SCS_VTOR] + exception * 4, 4,
                     &vector) < 0) {
                cortex->scs[SCS_HFSR] |= HFSR_VECTTBL;
                exception_lock_up(cortex);
                return;
        }
        registers->lr = lr;
        registers->pc = vector & ~1u;
        registers->xpsr &= ~(XPSR_EXCEPTION | XPSR_IT | XPSR_T);
        registers->xpsr |= exception | (vector & 1 ? XPSR_T : 0);
        registers->control &= (uint8_t) ~(CONTROL_SPSEL | CONTROL_FPCA);
        nvic_set_pending(&cortex->nvic, exception, false);
        nvic_set_active(&cortex->nvic, exception, true);
        cortex->sleeping = false;
}

bool exception_take(Cortex *cortex) {
        unsigned next;

        if (cortex_is_debugged(cortex) && cortex->dhcsr & DHCSR_C_MASKINTS)
                return false;
        next = nvic_get_next(&cortex->nvic, exception_get_priority(cortex));
        if (next == 0)
                return false;
        exception_enter(cortex, next);
        return true;
}

static void catch_vector(Cortex *cortex, uint32_t catch) {
        if (cortex_is_debugged(cortex) && cortex->demcr & catch && !cortex->halted)
                cortex_halt(cortex, DFSR_VCATCH);
}

/* Where a fault ends up: its own handler, HardFault, or nowhere (0). */
static unsigned find_handler(const Cortex *cortex, const FaultInfo *info) {
        int priority = exception_get_priority(cortex);

        if (info->exception != EXCEPTION_HARD && nvic_is_enabled(&cortex->nvic, info->exception) &&
            nvic_get_priority(&cortex->nvic, info->exception) < priority)
                return info->exception;
        return priority > -1 ? EXCEPTION_HARD : 0;
}

void exception_raise(Cortex *cortex, CortexFault fault, uint32_t address) {
        const FaultInfo *info = &fault_infos[fault];
        unsigned handler = find_handler(cortex, info);

        if (chip_has_mainline(cortex->chip)) {
                cortex->scs[SCS_CFSR] |= info->cfsr | (info->has_address ? CFSR_BFARVALID : 0);
                cortex->scs[SCS_HFSR] |= info->hfsr;
                if (info->has_address)
                        cortex->scs[SCS_BFAR] = address;
                if (handler == EXCEPTION_HARD && info->exception != EXCEPTION_HARD)
                        cortex->scs[SCS_HFSR] |= HFSR_FORCED;
        }
        if (handler == 0) {
                exception_lock_up(cortex);
                return;
        }
        exception_enter(cortex, handler);
        catch_vector(cortex, info->catch);
        if (handler == EXCEPTION_HARD)
                catch_vector(cortex, DEMCR_VC_HARDERR);
}

static int pop_floats(Cortex *cortex, uint32_t frame) {
        CoreRegisters *registers = &cortex->registers;
        int r;

        r = load_words(cortex, frame + FRAME_WORDS * 4, registers->s, FRAME_FLOATS);
        if (r < 0)
                return r;
        registers->control |= CONTROL_FPCA;
        return load_words(cortex, frame + (FRAME_WORDS + FRAME_FLOATS) * 4, &registers->fpscr, 1);
}

static int pop_frame(Cortex *cortex, uint32_t *sp, bool floats) {
        CoreRegisters *registers = &cortex->registers;
        uint32_t content[FRAME_WORDS], frame = *sp;
        int r;

        r = load_words(cortex, frame, content, FRAME_WORDS);
        if (r < 0)
                return r;
        if (floats && chip_has_fpu(cortex->chip)) {
                r = pop_floats(cortex, frame);
                if (r < 0)
                        return r;
        }
        for (unsigned i = 0; i < 4; i++)
                registers->r[i] = content[i];
        registers->r[12] = content[4];
        registers->lr = content[5];
        registers->pc = content[6] & ~1u;
        registers->xpsr = content[7] & ~XPSR_ALIGNED;
        *sp = frame + (floats ? FRAME_WORDS_FLOAT : FRAME_WORDS) * 4;
        if (content[7] & XPSR_ALIGNED)
                *sp |= 4;
        return 0;
}

static bool is_exc_return(const Cortex *cortex, uint32_t value) {
        if (chip_has_fpu(cortex->chip))
                value |= EXC_RETURN_BASIC;
        return value == EXC_RETURN_HANDLER || value == EXC_RETURN_MAIN ||
               value == EXC_RETURN_PROCESS;
}

void exception_return(Cortex *cortex, uint32_t exc_return) {
        CoreRegisters *registers = &cortex->registers;
        unsigned exception = cortex_get_exception(cortex);
        bool process = (exc_return & 0xF) == 0xD, handler = (exc_return & 0xF) == 0x1;

        nvic_set_active(&cortex->nvic, exception, false);
        if (exception != EXCEPTION_NMI)
                registers->faultmask = 0;
        if (!is_exc_return(cortex, exc_return) || exception == 0) {
                exception_raise(cortex, CORTEX_FAULT_RETURN, 0);
                return;
        }
        if (pop_frame(cortex, process ? &registers->psp : &registers->msp,
                      !(exc_return & EXC_RETURN_BASIC)) < 0) {
                exception_raise(cortex, CORTEX_FAULT_DATA,
                                process ? registers->psp : registers->msp);
                return;
        }
        if (process)
                registers->control |= CONTROL_SPSEL;
        else
                registers->control &= (uint8_t) ~CONTROL_SPSEL;
        if (handler != (cortex_get_exception(cortex) != 0)) {
                exception_raise(cortex, CORTEX_FAULT_RETURN, 0);
                return;
        }
        if (!handler && cortex->scs[SCS_SCR] & SCR_SLEEPONEXIT)
                cortex->sleeping = true;
}
