/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The smallest firmware that is worth debugging: vector table, start-up code, and a main() that
 * calls functions for ever. It needs no peripheral, so it runs on any of the simulated chips.
 * Build it with build.sh; the ELF files beside it are its output. */
#include <stdint.h>

extern uint32_t stack_top, data_start, data_end, data_load, bss_start, bss_end;

volatile uint32_t counter;
volatile uint32_t answer = 42; /* initialised data: shows that start-up copied it */

__attribute__((noinline)) uint32_t fibonacci(uint32_t n) {
        return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

__attribute__((noinline)) void count(void) {
        counter += fibonacci(counter % 5);
        counter++;
}

__attribute__((noinline)) int main(void) {
        for (;;)
                count();
}

void reset_handler(void) {
        uint32_t *from = &data_load;

        for (uint32_t *to = &data_start; to < &data_end; to++)
                *to = *from++;
        for (uint32_t *to = &bss_start; to < &bss_end; to++)
                *to = 0;
        main();
}

void fault_handler(void) {
        for (;;)
                ;
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
        &stack_top,    reset_handler, fault_handler, fault_handler,
        fault_handler, fault_handler, fault_handler,
};
