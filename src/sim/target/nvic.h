/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Which exception comes next (ARMv7-M, B1.5). Priority grouping is not modelled: every bit of a
 * priority counts for preemption. */

enum {
        EXCEPTION_NMI = 2,
        EXCEPTION_HARD = 3,
        EXCEPTION_MEMORY = 4,
        EXCEPTION_BUS = 5,
        EXCEPTION_USAGE = 6,
        EXCEPTION_SVC = 11,
        EXCEPTION_MONITOR = 12,
        EXCEPTION_PENDSV = 14,
        EXCEPTION_SYSTICK = 15,
        EXCEPTION_IRQ0 = 16,
};

#define NVIC_EXCEPTIONS 256u
#define NVIC_WORDS      (NVIC_EXCEPTIONS / 32)

/* Priority of a program that no exception interrupted. */
#define NVIC_PRIORITY_THREAD 256

typedef struct Nvic {
        unsigned n; /* exceptions of this chip */
        uint32_t pending[NVIC_WORDS];
        uint32_t enabled[NVIC_WORDS];
        uint32_t active[NVIC_WORDS];
        uint8_t priority[NVIC_EXCEPTIONS];
} Nvic;

/* The registers that hold exceptions off. */
typedef struct NvicMasks {
        uint8_t primask;
        uint8_t basepri;
        uint8_t faultmask;
} NvicMasks;

void nvic_reset(Nvic *nvic, unsigned irq_lines);

void nvic_set_pending(Nvic *nvic, unsigned exception, bool on);
void nvic_set_active(Nvic *nvic, unsigned exception, bool on);
void nvic_set_enabled(Nvic *nvic, unsigned exception, bool on);
bool nvic_is_pending(const Nvic *nvic, unsigned exception);
bool nvic_is_active(const Nvic *nvic, unsigned exception);
bool nvic_is_enabled(const Nvic *nvic, unsigned exception);
bool nvic_has_active(const Nvic *nvic);

/* Lower is more urgent; NMI -2, HardFault -1. */
int nvic_get_priority(const Nvic *nvic, unsigned exception);

/* Of the code that runs now. */
int nvic_get_execution_priority(const Nvic *nvic, NvicMasks masks);

/* The most urgent exception that is pending, enabled and more urgent than priority; 0: none. */
unsigned nvic_get_next(const Nvic *nvic, int priority);
