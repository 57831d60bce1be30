/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>

#include "sim/target/target.h"
#include "target-bench.h"

/* Halting debug: registers, steps, breakpoints, watchpoints, reset. */

static const char *const chips[] = { "f103", "f411", "g071", "h743" };

#define FLASH       0x08000000u
#define DFSR_HALTED 1u
#define DFSR_BKPT   2u
#define DFSR_DWT    4u
#define DFSR_VCATCH 8u

/* movs r0, #5; subs r0, #1; bne; bkpt */
#define COUNT_DOWN 0x2005, 0x3801, 0xD1FD, 0xBE00

START_TEST(test_halt) {
        bench_start(chips[_i]);
        bench_load(RAM, 0xE7FE); /* b . */
        bench_run(RAM, 100);
        bench_expect_state(0);
        ck_assert_uint_eq(bench_read(DHCSR) & S_RETIRE_ST, 0); /* read a moment ago */
        target_run(bench_target, 10);
        ck_assert_uint_eq(bench_read(DHCSR) & S_RETIRE_ST, S_RETIRE_ST);
        bench_write(DFSR, 0x1F);
        /* Without the key nothing happens. */
        bench_write(DHCSR, 3);
        bench_expect_state(0);
        bench_write(DHCSR, HALT);
        bench_expect_state(S_HALT);
        ck_assert_uint_eq(bench_read(DFSR), DFSR_HALTED);
        ck_assert_uint_eq(bench_get_register(REG_PC), RAM);
        target_run(bench_target, 10);
        bench_expect_state(S_HALT);
        bench_write(DHCSR, LET_GO);
        bench_expect_state(0);
        bench_stop();
}
END_TEST

START_TEST(test_step) {
        static const uint32_t pcs[] = { 2, 4, 2, 4, 2, 4, 2, 4, 2, 4, 6 };

        bench_start(chips[_i]);
        bench_load(RAM, COUNT_DOWN);
        bench_run(RAM, 0);
        for (size_t i = 0; i < ELEMENTSOF(pcs); i++) {
                bench_write(DHCSR, STEP);
                target_run(bench_target, 1000);
                bench_expect_state(S_HALT);
                ck_assert_uint_eq(bench_get_register(REG_PC), RAM + pcs[i]);
        }
        ck_assert_uint_eq(bench_get_register(0), 0);
        bench_stop();
}
END_TEST

START_TEST(test_bkpt) {
        bench_start(chips[_i]);
        bench_load(RAM, COUNT_DOWN);
        bench_write(DHCSR, HALT);
        bench_write(DFSR, 0x1F);
        bench_run(RAM, 1000);
        bench_expect_state(S_HALT);
        ck_assert_uint_eq(bench_read(DHCSR) & 3, 3); /* C_HALT shows it too */
        ck_assert_uint_eq(bench_read(DFSR), DFSR_BKPT);
        ck_assert_uint_eq(bench_get_register(REG_PC), RAM + 6);
        ck_assert_uint_eq(bench_get_register(0), 0);
        bench_stop();
}
END_TEST

/* The number given to target_run() is a limit. */
START_TEST(test_budget) {
        bench_start(chips[_i]);
        bench_load(RAM, 0x3001, 0xE7FD); /* adds r0, #1; b */
        bench_run(RAM, 0);
        bench_write(DHCSR, HALT);
        bench_set_register(0, 0);
        bench_write(DHCSR, RUN);
        target_run(bench_target, 1000);
        bench_write(DHCSR, HALT);
        ck_assert_uint_eq(bench_get_register(0), 500);
        bench_write(DHCSR, RUN);
        target_run(bench_target, 1);
        bench_write(DHCSR, HALT);
        ck_assert_uint_eq(bench_get_register(0), 501);
        bench_stop();
}
END_TEST

static uint32_t comparator(uint32_t address) {
        bool version_2 = bench_read(FP_CTRL) >> 28 == 1;
        return version_2 ? address | 1 : (address & ~3u) | (address & 2 ? 2u : 1u) << 30 | 1;
}

START_TEST(test_breakpoint) {
        bench_start(chips[_i]);
        bench_load(FLASH + 0x100, COUNT_DOWN);
        bench_write(FP_COMP0 + 4, comparator(FLASH + 0x104));
        bench_run(FLASH + 0x100, 1000); /* the unit is off */
        ck_assert_uint_eq(bench_get_register(REG_PC), FLASH + 0x106);
        bench_write(FP_CTRL, 1); /* no key */
        ck_assert_uint_eq(bench_read(FP_CTRL) & 1, 0);
        bench_write(FP_CTRL, 3);
        ck_assert_uint_eq(bench_read(FP_CTRL) & 1, 1);
        bench_write(DFSR, 0x1F);
        bench_run(FLASH + 0x100, 1000);
        bench_expect_state(S_HALT);
        ck_assert_uint_eq(bench_read(DFSR), DFSR_BKPT);
        ck_assert_uint_eq(bench_get_register(REG_PC), FLASH + 0x104);
        ck_assert_uint_eq(bench_get_register(0), 4);
        bench_write(FP_COMP0 + 4, 0);
        bench_write(DHCSR, STEP);
        target_run(bench_target, 10);
        ck_assert_uint_eq(bench_get_register(REG_PC), FLASH + 0x102);
        bench_write(FP_COMP0, comparator(FLASH + 0x106));
        bench_write(DHCSR, RUN);
        target_run(bench_target, 1000);
        ck_assert_uint_eq(bench_get_register(REG_PC), FLASH + 0x106);
        ck_assert_uint_eq(bench_get_register(0), 0);
        bench_stop();
}
END_TEST

START_TEST(test_watchpoint) {
        bench_start(chips[_i]);
        /* ldr r0, [r1]; str r0, [r1, #4]; adds r0, #1; bkpt */
        bench_load(RAM, 0x6808, 0x6048, 0x3001, 0xBE00);
        bench_write(DEMCR, 1u << 24);
        bench_write(DHCSR, HALT);
        bench_set_register(1, RAM + 0x100);
        bench_write(DWT_COMP0, RAM + 0x104);
        bench_write(DWT_MASK0, 2);
        bench_write(DWT_FUNCTION0, 6); /* write */
        bench_write(DFSR, 0x1F);
        bench_run(RAM, 100);
        ck_assert_uint_eq(bench_read(DFSR), DFSR_DWT);
        ck_assert_uint_eq(bench_get_register(REG_PC), RAM + 4);
        ck_assert_uint_eq(bench_read(DWT_FUNCTION0), 1u << 24 | 6);
        ck_assert_uint_eq(bench_read(DWT_FUNCTION0), 6);
        bench_write(DWT_FUNCTION0, 5); /* read: not of this word */
        bench_run(RAM, 100);
        ck_assert_uint_eq(bench_get_register(REG_PC), RAM + 6);
        bench_write(DWT_COMP0, RAM + 0x100);
        bench_run(RAM, 100);
        ck_assert_uint_eq(bench_get_register(REG_PC), RAM + 2);
        bench_write(DWT_FUNCTION0, 0);
        bench_run(RAM, 100);
        ck_assert_uint_eq(bench_get_register(REG_PC), RAM + 6);
        bench_stop();
}
END_TEST

START_TEST(test_registers) {
        bool mainline = _i != 2, floats = _i == 1 || _i == 3;

        bench_start(chips[_i]);
        bench_write(DHCSR, HALT);
        for (unsigned i = 0; i < 13; i++)
                bench_set_register(i, 0x01010101 * (i + 1));
        bench_set_register(REG_LR, 0x08000123);
        bench_set_register(REG_PC, RAM | 1);
        bench_set_register(REG_XPSR, 0xF1000000);
        bench_set_register(REG_MSP, RAM + 0x1003);
        bench_set_register(REG_PSP, RAM + 0x800);
        bench_set_register(REG_SPECIAL, 0x02FF4001);
        for (unsigned i = 0; i < 13; i++)
                ck_assert_uint_eq(bench_get_register(i), 0x01010101 * (i + 1));
        ck_assert_uint_eq(bench_get_register(REG_LR), 0x08000123);
        ck_assert_uint_eq(bench_get_register(REG_PC), RAM);
        ck_assert_uint_eq(bench_get_register(REG_XPSR), 0xF1000000);
        ck_assert_uint_eq(bench_get_register(REG_MSP), RAM + 0x1000);
        ck_assert_uint_eq(bench_get_register(REG_SP), RAM + 0x800); /* CONTROL.SPSEL */
        ck_assert_uint_eq(bench_get_register(REG_SPECIAL), mainline ? 0x02014001 : 0x02000001);
        bench_set_register(REG_S0 + 31, 0x3F800000);
        ck_assert_uint_eq(bench_get_register(REG_S0 + 31), floats ? 0x3F800000 : 0);
        bench_stop();
}
END_TEST

/* What the debugger writes is what the program finds, and the other way round. */
static void run_nop(uint32_t special) {
        bench_write(DHCSR, HALT);
        for (unsigned i = 0; i < 13; i++)
                bench_set_register(i, special + i);
        bench_set_register(REG_LR, 0xFFFFFFFF);
        bench_set_register(REG_PC, RAM);
        bench_set_register(REG_XPSR, 0x61000000);
        bench_set_register(REG_SPECIAL, special);
        bench_set_register(REG_MSP, RAM + 0x1000);
        bench_set_register(REG_PSP, RAM + 0x800);
        bench_write(DHCSR, RUN);
        target_run(bench_target, 100);
        bench_expect_state(S_HALT);
}

START_TEST(test_registers_run) {
        /* CONTROL and PRIMASK, one after the other: none may stick. */
        static const uint32_t specials[] = { 0x02000001, 0, 0x02000000, 0x00000001, 0x02000001 };

        bench_start(chips[_i]);
        bench_load(RAM, 0xBF00, 0xBE00); /* nop; bkpt */
        for (size_t n = 0; n < ELEMENTSOF(specials); n++) {
                run_nop(specials[n]);
                for (unsigned i = 0; i < 13; i++)
                        ck_assert_uint_eq(bench_get_register(i), specials[n] + i);
                ck_assert_uint_eq(bench_get_register(REG_LR), 0xFFFFFFFF);
                ck_assert_uint_eq(bench_get_register(REG_PC), RAM + 2);
                ck_assert_uint_eq(bench_get_register(REG_XPSR), 0x61000000);
                ck_assert_uint_eq(bench_get_register(REG_SPECIAL), specials[n]);
                ck_assert_uint_eq(bench_get_register(REG_MSP), RAM + 0x1000);
                ck_assert_uint_eq(bench_get_register(REG_PSP), RAM + 0x800);
        }
        bench_stop();
}
END_TEST

/* The same in unprivileged thread mode, which hides the special registers from the program. */
START_TEST(test_unprivileged) {
        bench_start("f411");
        /* mrs r0, MSP; movs r1, #1; msr PRIMASK, r1; bkpt */
        bench_load(RAM, 0xF3EF, 0x8008, 0x2101, 0xF381, 0x8810, 0xBE00);
        bench_write(DHCSR, HALT);
        bench_set_register(0, 0x55);
        bench_set_register(REG_PC, RAM);
        bench_set_register(REG_XPSR, 1u << 24);
        bench_set_register(REG_MSP, RAM + 0x1000);
        bench_set_register(REG_PSP, RAM + 0x800);
        bench_set_register(REG_SPECIAL, 0x03000000);
        bench_write(DHCSR, RUN);
        target_run(bench_target, 100);
        ck_assert_uint_eq(bench_get_register(REG_PC), RAM + 10);
        ck_assert_uint_eq(bench_get_register(0), 0);
        ck_assert_uint_eq(bench_get_register(REG_SPECIAL), 0x03000000);
        ck_assert_uint_eq(bench_get_register(REG_MSP), RAM + 0x1000);
        ck_assert_uint_eq(bench_get_register(REG_PSP), RAM + 0x800);
        bench_stop();
}
END_TEST

START_TEST(test_floats) {
        bench_start("f411");
        bench_load(RAM, 0xEE30, 0x0A20, 0xBE00); /* vadd.f32 s0, s0, s1; bkpt */
        bench_write(DHCSR, HALT);
        bench_set_register(REG_S0, 0x3F800000);     /* 1.0 */
        bench_set_register(REG_S0 + 1, 0x40000000); /* 2.0 */
        bench_run(RAM, 10);
        ck_assert_uint_eq(bench_get_register(REG_PC), RAM + 4);
        ck_assert_uint_eq(bench_get_register(REG_S0), 0x40400000);
        ck_assert_uint_eq(bench_get_register(REG_S0 + 1), 0x40000000);
        bench_stop();
}
END_TEST

/* The debugger changes code that has run before. */
START_TEST(test_new_code) {
        bench_start(chips[_i]);
        for (uint32_t i = 0; i < 5; i++) {
                bench_write(RAM, 0xBE002000 + i); /* movs r0, #i; bkpt */
                bench_run(RAM, 10);
                ck_assert_uint_eq(bench_get_register(0), i);
                bench_write_width(RAM, 1, i + 100);
                bench_run(RAM, 10);
                ck_assert_uint_eq(bench_get_register(0), i + 100);
        }
        bench_stop();
}
END_TEST

START_TEST(test_vector_catch) {
        const TargetCounters *counters;

        bench_start(chips[_i]);
        counters = target_get_counters(bench_target);
        bench_load_vectors(RAM + 0x1000, FLASH + 0x100);
        bench_load(FLASH + 0x100, COUNT_DOWN);
        bench_write(DHCSR, RUN);
        bench_write(DEMCR, 1);
        (void) bench_read(DHCSR);
        bench_write(DFSR, 0x1F);
        bench_write(AIRCR, 4); /* no key */
        ck_assert_uint_eq(counters->resets, 0);
        bench_write(AIRCR, 0x05FA0004);
        ck_assert_uint_eq(counters->resets, 1);
        ck_assert_uint_eq(bench_read(DHCSR) & (S_HALT | S_RESET_ST), S_HALT | S_RESET_ST);
        ck_assert_uint_eq(bench_read(DHCSR) & (S_HALT | S_RESET_ST), S_HALT);
        ck_assert_uint_eq(bench_read(DFSR), DFSR_VCATCH);
        ck_assert_uint_eq(bench_get_register(REG_PC), FLASH + 0x100);
        ck_assert_uint_eq(bench_get_register(REG_SP), RAM + 0x1000);
        ck_assert_uint_eq(bench_get_register(REG_LR), UINT32_MAX);
        ck_assert_uint_eq(bench_read(DEMCR), 1);
        ck_assert_uint_eq(counters->halts, 1);
        bench_stop();
}
END_TEST

START_TEST(test_reset_and_run) {
        bench_start(chips[_i]);
        bench_load_vectors(RAM + 0x1000, FLASH + 0x100);
        bench_load(FLASH + 0x100, COUNT_DOWN);
        bench_write(DHCSR, RUN);
        bench_write(AIRCR, 0x05FA0004);
        bench_expect_state(0);
        target_run(bench_target, 1000);
        bench_expect_state(S_HALT);
        ck_assert_uint_eq(bench_get_register(REG_PC), FLASH + 0x106);
        ck_assert_uint_eq(bench_get_register(0), 0);
        bench_stop();
}
END_TEST

/* nRST, the halt requested while it is low, as in "connect under reset". */
START_TEST(test_nrst) {
        const TargetCounters *counters;

        bench_start(chips[_i]);
        counters = target_get_counters(bench_target);
        bench_load_vectors(RAM + 0x1000, FLASH + 0x100);
        bench_load(FLASH + 0x100, COUNT_DOWN);
        target_set_nrst(bench_target, true);
        ck_assert_uint_eq(counters->resets, 1);
        ck_assert_uint_eq(bench_read(DHCSR) & (S_HALT | S_RESET_ST), S_RESET_ST);
        bench_write(DHCSR, HALT);
        ck_assert_uint_eq(bench_read(DHCSR) & (S_HALT | S_RESET_ST), S_RESET_ST);
        target_run(bench_target, 1000);
        target_set_nrst(bench_target, false);
        ck_assert_uint_eq(bench_read(DHCSR) & (S_HALT | S_RESET_ST), S_HALT | S_RESET_ST);
        ck_assert_uint_eq(bench_read(DHCSR) & (S_HALT | S_RESET_ST), S_HALT);
        ck_assert_uint_eq(bench_get_register(REG_PC), FLASH + 0x100);
        ck_assert_uint_eq(counters->resets, 1);
        bench_stop();
}
END_TEST

/* A program that resets the chip. */
START_TEST(test_reset_by_code) {
        bench_start(chips[_i]);
        bench_load_vectors(RAM + 0x1000, FLASH + 0x100);
        bench_load(FLASH + 0x100, 0x2042, 0xBE00);
        bench_load(RAM, 0x6008, 0x2001, 0xE7FE); /* str r0, [r1]; movs r0, #1; b . */
        bench_write(DHCSR, HALT);
        bench_set_register(0, 0x05FA0004);
        bench_set_register(1, AIRCR);
        bench_run(RAM, 100);
        ck_assert_uint_eq(target_get_counters(bench_target)->resets, 1);
        target_run(bench_target, 100);
        bench_expect_state(S_HALT);
        ck_assert_uint_eq(bench_get_register(REG_PC), FLASH + 0x102);
        ck_assert_uint_eq(bench_get_register(0), 0x42);
        bench_stop();
}
END_TEST

START_TEST(test_cycle_counter) {
        bench_start("f103");
        bench_load(RAM, 0x6808, 0xBF00, 0x680A, 0xBE00); /* ldr r0, [r1]; nop; ldr r2, [r1] */
        bench_write(DEMCR, 1u << 24);
        bench_write(DWT_CTRL, 1);
        bench_write(DWT_CYCCNT, 0);
        bench_write(DHCSR, HALT);
        bench_set_register(1, DWT_CYCCNT);
        bench_run(RAM, 100);
        ck_assert_uint_eq(bench_get_register(2) - bench_get_register(0), 2);
        ck_assert_uint_ge(bench_read(DWT_CYCCNT), 3);
        bench_stop();
}
END_TEST

int main(void) {
        Suite *suite = suite_create("target-core");
        TCase *tcase = tcase_create("core");
        SRunner *runner;
        int failed, n = (int) ELEMENTSOF(chips);

        tcase_add_loop_test(tcase, test_halt, 0, n);
        tcase_add_loop_test(tcase, test_step, 0, n);
        tcase_add_loop_test(tcase, test_bkpt, 0, n);
        tcase_add_loop_test(tcase, test_budget, 0, n);
        tcase_add_loop_test(tcase, test_breakpoint, 0, n);
        tcase_add_loop_test(tcase, test_watchpoint, 0, n);
        tcase_add_loop_test(tcase, test_registers, 0, n);
        tcase_add_loop_test(tcase, test_registers_run, 0, n);
        tcase_add_test(tcase, test_unprivileged);
        tcase_add_test(tcase, test_floats);
        tcase_add_loop_test(tcase, test_new_code, 0, n);
        tcase_add_loop_test(tcase, test_vector_catch, 0, n);
        tcase_add_loop_test(tcase, test_reset_and_run, 0, n);
        tcase_add_loop_test(tcase, test_nrst, 0, n);
        tcase_add_loop_test(tcase, test_reset_by_code, 0, n);
        tcase_add_test(tcase, test_cycle_counter);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
