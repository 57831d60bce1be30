/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"
#include "sim/target/bus.h"

/* Executes Thumb code on a bus: a thin layer over Unicorn that hides its habits. It knows
 * instructions and memory; exceptions, sleep and debugging are cortex.c's business. */

typedef struct Engine Engine;

/* What a debugger can see of the core between two instructions. */
typedef struct CoreRegisters {
        uint32_t r[13];
        uint32_t lr;
        uint32_t pc;
        uint32_t xpsr;
        uint32_t msp;
        uint32_t psp;
        uint8_t control;
        uint8_t faultmask;
        uint8_t basepri;
        uint8_t primask;
        uint32_t s[32];
        uint32_t fpscr;
} CoreRegisters;

#define XPSR_T         (1u << 24)
#define XPSR_EXCEPTION 0x1FFu

typedef enum EngineStop {
        ENGINE_BUDGET,           /* as many instructions as asked for */
        ENGINE_REQUEST,          /* engine_request_stop(), or about to execute changed code */
        ENGINE_BREAKPOINT,       /* about to execute an address of engine_set_breakpoints() */
        ENGINE_BKPT,             /* pc is at a BKPT instruction */
        ENGINE_SLEEP,            /* WFI */
        ENGINE_EVENT,            /* WFE, YIELD */
        ENGINE_SVC,              /* pc is after it */
        ENGINE_EXCEPTION_RETURN, /* pc is EXC_RETURN without bit 0 */
        ENGINE_FETCH_FAULT,      /* address, pc there */
        ENGINE_READ_FAULT,       /* address, pc at the instruction; likewise below */
        ENGINE_WRITE_FAULT,
        ENGINE_UNALIGNED,
        ENGINE_UNDEFINED,
        ENGINE_NO_COPROCESSOR,
        ENGINE_NO_THUMB, /* the T bit is clear */
} EngineStop;

typedef struct EngineResult {
        EngineStop stop;
        uint32_t address;
        unsigned executed; /* instructions; a conditional one that is skipped may not count */
        uint32_t watched;  /* bit set of the watches that were hit */
} EngineResult;

/* Accesses to watch: those that touch a byte whose address equals this one in all but the bits of
 * mask. */
typedef struct EngineWatch {
        uint32_t address;
        uint32_t mask;
        bool read;
        bool write;
} EngineWatch;

#define ENGINE_BREAKPOINTS_MAX 16
#define ENGINE_WATCHES_MAX     4

/* -ENOMEM; -ENOTSUP when the emulator does not know the core. */
int engine_new(Bus *bus, Engine **ret);
Engine *engine_free(Engine *engine);
DEFINE_CLEANUP(Engine *, engine_free)

/* Addresses where execution stops, at most ENGINE_BREAKPOINTS_MAX. Inside an IT block the stop
 * is at the end of the block: the emulator treats a block as one instruction. */
void engine_set_breakpoints(Engine *engine, const uint32_t *addresses, size_t n);

/* Data accesses that stop execution after their instruction, at most ENGINE_WATCHES_MAX. Watching
 * anything at all makes execution several times slower. -ENOMEM. */
int engine_set_watches(Engine *engine, const EngineWatch *watches, size_t n);

/* Execute up to budget instructions from registers, and leave in them what became of it. */
EngineResult engine_run(Engine *engine, CoreRegisters *registers, unsigned budget);

/* From a bus access of the core: stop after the current instruction. */
void engine_request_stop(Engine *engine);

/* Instructions since engine_run() began, for timers that are read while it runs. */
unsigned engine_get_executed(const Engine *engine);

/* Memory changed behind the core's back. Code translated from there is translated again. */
void engine_changed(Engine *engine, uint32_t address, uint32_t size);
