/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sim/target/cortex.h"

/* The system timer (ARMv7-M, B3.3): one tick an instruction. */

#define CSR_ENABLE    (1u << 0)
#define CSR_TICKINT   (1u << 1)
#define CSR_CLKSOURCE (1u << 2)
#define CSR_COUNTFLAG (1u << 16)

enum {
        OFFSET_CSR = 0x10,
        OFFSET_RVR = 0x14,
        OFFSET_CVR = 0x18,
};

uint32_t systick_get_left(const Cortex *cortex) {
        const SysTick *timer = &cortex->systick;

        if (!timer->enabled || timer->reload == 0)
                return UINT32_MAX;
        return timer->value == 0 ? timer->reload + 1 : timer->value;
}

void systick_advance(Cortex *cortex, unsigned ticks) {
        SysTick *timer = &cortex->systick;
        uint32_t left = systick_get_left(cortex);

        if (left == UINT32_MAX || ticks == 0)
                return;
        if (ticks < left) {
                timer->value = left - ticks;
                return;
        }
        timer->value = timer->reload - (ticks - left) % (timer->reload + 1);
        timer->counted = true;
        if (timer->interrupts)
                nvic_set_pending(&cortex->nvic, EXCEPTION_SYSTICK, true);
}

/* While the core runs, time has passed that systick_advance() will be told of later. */
static uint32_t systick_get_value(const Cortex *cortex) {
        const SysTick *timer = &cortex->systick;
        uint32_t passed = cortex->engine ? engine_get_executed(cortex->engine) : 0;
        uint32_t left = systick_get_left(cortex);

        if (left == UINT32_MAX)
                return timer->value;
        return passed < left ? (left - passed) & 0xFFFFFF : 0;
}

uint32_t systick_read(Cortex *cortex, uint32_t offset) {
        SysTick *timer = &cortex->systick;
        uint32_t value;

        switch (offset) {
        case OFFSET_CSR:
                value = (timer->enabled ? CSR_ENABLE : 0) | (timer->interrupts ? CSR_TICKINT : 0) |
                        (timer->external ? 0 : CSR_CLKSOURCE) |
                        (timer->counted ? CSR_COUNTFLAG : 0);
                timer->counted = false;
                return value;
        case OFFSET_RVR:
                return timer->reload;
        case OFFSET_CVR:
                return systick_get_value(cortex);
        default:
                return 0; /* calibration: unknown */
        }
}

void systick_write(Cortex *cortex, uint32_t offset, uint32_t value) {
        SysTick *timer = &cortex->systick;

        switch (offset) {
        case OFFSET_CSR:
                timer->enabled = value & CSR_ENABLE;
                timer->interrupts = value & CSR_TICKINT;
                timer->external = !(value & CSR_CLKSOURCE);
                break;
        case OFFSET_RVR:
                timer->reload = value & 0xFFFFFF;
                break;
        case OFFSET_CVR:
                timer->value = 0;
                timer->counted = false;
                break;
        default:
                break;
        }
        cortex_touch(cortex);
}
