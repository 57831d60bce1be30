/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sim/target/bus.h"
#include "sim/target/engine.h"
#include "sim/target/nvic.h"

/* A Cortex-M: its registers, exceptions, sleep, halting debug and private peripherals. Names of
 * registers and bits are those of the ARMv7-M Architecture Reference Manual (DDI 0403), chapters
 * B3 and C1. Not modelled: the memory protection unit, caches, trace, the debug monitor. */

#define DHCSR_C_DEBUGEN   (1u << 0)
#define DHCSR_C_HALT      (1u << 1)
#define DHCSR_C_STEP      (1u << 2)
#define DHCSR_C_MASKINTS  (1u << 3)
#define DHCSR_S_REGRDY    (1u << 16)
#define DHCSR_S_HALT      (1u << 17)
#define DHCSR_S_SLEEP     (1u << 18)
#define DHCSR_S_LOCKUP    (1u << 19)
#define DHCSR_S_RETIRE_ST (1u << 24)
#define DHCSR_S_RESET_ST  (1u << 25)

#define DFSR_HALTED  (1u << 0)
#define DFSR_BKPT    (1u << 1)
#define DFSR_DWTTRAP (1u << 2)
#define DFSR_VCATCH  (1u << 3)

#define DEMCR_VC_CORERESET (1u << 0)
#define DEMCR_VC_MMERR     (1u << 4)
#define DEMCR_VC_NOCPERR   (1u << 5)
#define DEMCR_VC_CHKERR    (1u << 6)
#define DEMCR_VC_STATERR   (1u << 7)
#define DEMCR_VC_BUSERR    (1u << 8)
#define DEMCR_VC_INTERR    (1u << 9)
#define DEMCR_VC_HARDERR   (1u << 10)
#define DEMCR_TRCENA       (1u << 24)

/* SCS registers that more than one file uses, as indices of scs[]. */
#define SCS_WORD(offset) ((offset) / 4)
enum {
        SCS_VTOR = SCS_WORD(0xD08),
        SCS_SCR = SCS_WORD(0xD10),
        SCS_CCR = SCS_WORD(0xD14),
        SCS_CFSR = SCS_WORD(0xD28),
        SCS_HFSR = SCS_WORD(0xD2C),
        SCS_MMFAR = SCS_WORD(0xD34),
        SCS_BFAR = SCS_WORD(0xD38),
        SCS_FPDSCR = SCS_WORD(0xF3C),
};

#define CONTROL_SPSEL (1u << 1)
#define CONTROL_FPCA  (1u << 2)

#define FPB_COMPARATORS_MAX 10
#define DWT_COMPARATORS_MAX 4

typedef struct SysTick {
        bool enabled;
        bool interrupts;
        bool external; /* CLKSOURCE as written; either clock ticks once an instruction */
        bool counted;  /* COUNTFLAG */
        uint32_t reload;
        uint32_t value;
} SysTick;

typedef struct Fpb {
        bool enabled;
        uint32_t remap;
        uint32_t comparators[FPB_COMPARATORS_MAX];
} Fpb;

typedef struct DwtComparator {
        uint32_t value;
        uint32_t mask;
        uint32_t function;
} DwtComparator;

typedef struct Dwt {
        uint32_t ctrl;
        uint32_t cycles;
        DwtComparator comparators[DWT_COMPARATORS_MAX];
} Dwt;

typedef enum CortexReset {
        CORTEX_RESET_NONE,
        CORTEX_RESET_CORE,   /* VECTRESET */
        CORTEX_RESET_SYSTEM, /* SYSRESETREQ */
} CortexReset;

typedef struct Cortex {
        const Chip *chip;
        Bus *bus;
        Engine *engine; /* made when first needed */

        CoreRegisters registers;
        Nvic nvic;
        SysTick systick;
        uint32_t scs[1024]; /* plain registers of the system control space */
        CortexReset reset_request;
        bool in_reset;
        bool sleeping;
        bool dozing; /* by WFE: wakes up when it is run again */
        bool locked_up;

        /* Debug; kept through resets */
        uint32_t dhcsr; /* the control bits */
        uint32_t demcr;
        uint32_t dfsr;
        uint32_t dcrdr;
        bool halted;
        bool stepping;
        bool retired; /* sticky until DHCSR is read */
        bool reset_seen;
        Fpb fpb;
        Dwt dwt;

        uint64_t halts;
} Cortex;

void cortex_init(Cortex *cortex, Bus *bus);
void cortex_done(Cortex *cortex);

/* Debug registers too. The core is in reset afterwards. */
void cortex_power_on(Cortex *cortex);

/* Hold in reset; start from the vector table, or halt there if a debugger asked for it. */
void cortex_enter_reset(Cortex *cortex);
void cortex_leave_reset(Cortex *cortex);

/* Execute up to that many instructions. The number is a limit on work, not a clock. */
void cortex_run(Cortex *cortex, unsigned instructions);

static inline bool cortex_is_running(const Cortex *cortex) {
        return !cortex->in_reset && !cortex->halted;
}

/* Private peripherals; see BusDevice. */
int cortex_ppb_read(void *userdata, BusMaster master, uint32_t address, uint32_t *ret);
int cortex_ppb_write(void *userdata, BusMaster master, uint32_t address, uint32_t value);

/* The rest is for the files of the core itself. */

static inline bool cortex_is_debugged(const Cortex *cortex) {
        return (cortex->dhcsr & DHCSR_C_DEBUGEN) != 0;
}

static inline unsigned cortex_get_exception(const Cortex *cortex) {
        return cortex->registers.xpsr & XPSR_EXCEPTION;
}

/* Enter debug state for a reason, a bit of DFSR. */
void cortex_halt(Cortex *cortex, uint32_t reason);

/* An event that halts for a debugger, and is a fault without one. */
void cortex_debug_event(Cortex *cortex, uint32_t reason);

/* The stack pointer in use. */
uint32_t *cortex_get_sp(Cortex *cortex);

/* Something that may let an exception in: have it looked at before the next instruction. */
void cortex_touch(Cortex *cortex);

/* exception.c */
typedef enum CortexFault {
        CORTEX_FAULT_FETCH,
        CORTEX_FAULT_DATA,
        CORTEX_FAULT_UNDEFINED,
        CORTEX_FAULT_STATE,
        CORTEX_FAULT_RETURN,
        CORTEX_FAULT_NO_COPROCESSOR,
        CORTEX_FAULT_UNALIGNED,
        CORTEX_FAULT_DEBUG,
        CORTEX_FAULT_SVC,
} CortexFault;
void exception_raise(Cortex *cortex, CortexFault fault, uint32_t address);
void exception_enter(Cortex *cortex, unsigned exception);
void exception_return(Cortex *cortex, uint32_t exc_return);
void exception_lock_up(Cortex *cortex);
int exception_get_priority(const Cortex *cortex);

/* Take the most urgent pending exception, if the core may. true: one was taken. */
bool exception_take(Cortex *cortex);

/* scs.c */
void scs_reset(Cortex *cortex);
uint32_t scs_read(Cortex *cortex, BusMaster master, uint32_t offset);
void scs_write(Cortex *cortex, BusMaster master, uint32_t offset, uint32_t value);

/* systick.c */
void systick_advance(Cortex *cortex, unsigned ticks);
uint32_t systick_get_left(const Cortex *cortex); /* until it pends; UINT32_MAX: never */
uint32_t systick_read(Cortex *cortex, uint32_t offset);
void systick_write(Cortex *cortex, uint32_t offset, uint32_t value);

/* debug.c: DHCSR and its neighbours */
uint32_t debug_read(Cortex *cortex, BusMaster master, uint32_t offset);
void debug_write(Cortex *cortex, BusMaster master, uint32_t offset, uint32_t value);

/* debug-units.c */
void debug_units_power_on(Cortex *cortex);
uint32_t fpb_read(const Cortex *cortex, uint32_t offset);
void fpb_write(Cortex *cortex, uint32_t offset, uint32_t value);
uint32_t dwt_read(Cortex *cortex, uint32_t offset);
void dwt_write(Cortex *cortex, uint32_t offset, uint32_t value);

/* The accesses that the watchpoint unit looks for; returns how many. */
size_t dwt_get_watches(const Cortex *cortex, EngineWatch watches[ENGINE_WATCHES_MAX]);

/* A watch of dwt_get_watches() was hit: bits by its index. */
void dwt_hit(Cortex *cortex, uint32_t watched);

/* Addresses of the enabled hardware breakpoints; returns how many. */
size_t fpb_get_breakpoints(const Cortex *cortex, uint32_t addresses[ENGINE_BREAKPOINTS_MAX]);
