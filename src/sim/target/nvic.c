/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sim/target/nvic.h"

#include "base/macro.h"

static bool get_bit(const uint32_t *words, unsigned bit) {
        return bit < NVIC_EXCEPTIONS && words[bit / 32] >> bit % 32 & 1;
}

static void set_bit(Nvic *nvic, uint32_t *words, unsigned bit, bool on) {
        if (bit >= nvic->n)
                return;
        if (on)
                words[bit / 32] |= 1u << bit % 32;
        else
                words[bit / 32] &= ~(1u << bit % 32);
}

void nvic_reset(Nvic *nvic, unsigned irq_lines) {
        static const uint8_t always[] = { EXCEPTION_NMI,     EXCEPTION_HARD,   EXCEPTION_SVC,
                                          EXCEPTION_MONITOR, EXCEPTION_PENDSV, EXCEPTION_SYSTICK };

        *nvic = (Nvic){ .n = MIN(EXCEPTION_IRQ0 + irq_lines, NVIC_EXCEPTIONS) };
        for (unsigned i = 0; i < ELEMENTSOF(always); i++)
                nvic_set_enabled(nvic, always[i], true);
}

void nvic_set_pending(Nvic *nvic, unsigned exception, bool on) {
        set_bit(nvic, nvic->pending, exception, on);
}

void nvic_set_active(Nvic *nvic, unsigned exception, bool on) {
        set_bit(nvic, nvic->active, exception, on);
}

void nvic_set_enabled(Nvic *nvic, unsigned exception, bool on) {
        set_bit(nvic, nvic->enabled, exception, on);
}

bool nvic_is_pending(const Nvic *nvic, unsigned exception) {
        return get_bit(nvic->pending, exception);
}

bool nvic_is_active(const Nvic *nvic, unsigned exception) {
        return get_bit(nvic->active, exception);
}

bool nvic_is_enabled(const Nvic *nvic, unsigned exception) {
        return get_bit(nvic->enabled, exception);
}

bool nvic_has_active(const Nvic *nvic) {
        for (unsigned i = 0; i < NVIC_WORDS; i++)
                if (nvic->active[i] != 0)
                        return true;
        return false;
}

int nvic_get_priority(const Nvic *nvic, unsigned exception) {
        switch (exception) {
        case EXCEPTION_NMI:
                return -2;
        case EXCEPTION_HARD:
                return -1;
        default:
                return nvic->priority[exception % NVIC_EXCEPTIONS];
        }
}

/* The most urgent of a set; the lowest number among equals. 0: the set is empty. */
static unsigned most_urgent(const Nvic *nvic, const uint32_t set[NVIC_WORDS]) {
        unsigned best = 0;

        for (unsigned word = 0; word < NVIC_WORDS; word++) {
                for (uint32_t rest = set[word]; rest != 0; rest &= rest - 1) {
                        unsigned exception = word * 32 + (unsigned) __builtin_ctz(rest);
                        if (best == 0 ||
                            nvic_get_priority(nvic, exception) < nvic_get_priority(nvic, best))
                                best = exception;
                }
        }
        return best;
}

int nvic_get_execution_priority(const Nvic *nvic, NvicMasks masks) {
        unsigned active = most_urgent(nvic, nvic->active);
        int priority = active == 0 ? NVIC_PRIORITY_THREAD : nvic_get_priority(nvic, active);

        if (masks.basepri != 0)
                priority = MIN(priority, (int) masks.basepri);
        if (masks.primask)
                priority = MIN(priority, 0);
        if (masks.faultmask)
                priority = MIN(priority, -1);
        return priority;
}

unsigned nvic_get_next(const Nvic *nvic, int priority) {
        uint32_t ready[NVIC_WORDS];
        unsigned next;

        for (unsigned i = 0; i < NVIC_WORDS; i++)
                ready[i] = nvic->pending[i] & nvic->enabled[i];
        next = most_urgent(nvic, ready);
        if (next == 0 || nvic_get_priority(nvic, next) >= priority)
                return 0;
        return next;
}
