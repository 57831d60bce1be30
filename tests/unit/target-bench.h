/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <check.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"
#include "sim/target/target.h"

/* A simulated target on the bench of its unit tests: everything goes through its debug port, and
 * what fails there fails the test, except where it says "try". */

enum {
        DP_ABORT = 0x0,
        DP_CTRL = 0x4,
        DP_SELECT = 0x8,
        DP_RDBUFF = 0xC,
};

enum {
        SYST_CSR = 0xE000E010,
        SYST_RVR = 0xE000E014,
        SYST_CVR = 0xE000E018,
        ICSR = 0xE000ED04,
        VTOR = 0xE000ED08,
        AIRCR = 0xE000ED0C,
        SHCSR = 0xE000ED24,
        CFSR = 0xE000ED28,
        HFSR = 0xE000ED2C,
        DFSR = 0xE000ED30,
        BFAR = 0xE000ED38,
        DHCSR = 0xE000EDF0,
        DCRSR = 0xE000EDF4,
        DCRDR = 0xE000EDF8,
        DEMCR = 0xE000EDFC,
        FP_CTRL = 0xE0002000,
        FP_COMP0 = 0xE0002008,
        DWT_CTRL = 0xE0001000,
        DWT_CYCCNT = 0xE0001004,
        DWT_COMP0 = 0xE0001020,
        DWT_MASK0 = 0xE0001024,
        DWT_FUNCTION0 = 0xE0001028,
};

#define RUN         0xA05F0001u
#define HALT        0xA05F0003u
#define STEP        0xA05F0005u
#define LET_GO      0xA05F0000u
#define S_HALT      (1u << 17)
#define S_SLEEP     (1u << 18)
#define S_LOCKUP    (1u << 19)
#define S_RETIRE_ST (1u << 24)
#define S_RESET_ST  (1u << 25)

enum {
        REG_SP = 13,
        REG_LR = 14,
        REG_PC = 15,
        REG_XPSR = 16,
        REG_MSP = 17,
        REG_PSP = 18,
        REG_SPECIAL = 20,
        REG_FPSCR = 33,
        REG_S0 = 64,
};

#define RAM 0x20000000u

/* A chip with its debug port connected and powered up; freed by bench_stop(). */
Target *bench_start(const char *chip);
void bench_connect(void);
void bench_stop(void);

/* The target of bench_start() */
extern Target *bench_target;

uint32_t bench_read(uint32_t address);
uint32_t bench_read_width(uint32_t address, unsigned width);
void bench_write(uint32_t address, uint32_t value);
void bench_write_width(uint32_t address, unsigned width, uint32_t value);

/* The answer, and the address that failed; the port is usable again afterwards. */
SwdAck bench_try_read(uint32_t address, unsigned width, uint32_t *ret_fault);
SwdAck bench_try_write(uint32_t address, unsigned width, uint32_t value, uint32_t *ret_fault);

uint32_t bench_get_register(unsigned select);
void bench_set_register(unsigned select, uint32_t value);

/* Half-words of Thumb code into RAM, past the debug port. */
void bench_load_code(uint32_t address, const uint16_t *code, size_t n);
#define bench_load(address, ...)                                      \
        bench_load_code((address), (const uint16_t[]){ __VA_ARGS__ }, \
                        ELEMENTSOF(((const uint16_t[]){ __VA_ARGS__ })))

/* Halt, start at pc with a stack, and execute up to that many instructions. */
void bench_run(uint32_t pc, unsigned instructions);

/* Initial stack pointer, reset handler and a HardFault handler that loops, in flash. */
void bench_load_vectors(uint32_t sp, uint32_t reset);

/* Assert that DHCSR has exactly these of its S_ bits but RETIRE_ST and RESET_ST. */
void bench_expect_state(uint32_t state);
