/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>

#include "base/bytes.h"
#include "sim/target/target.h"
#include "target-bench.h"

/* Faults, lockup, exceptions and sleep. */

#define FLASH 0x08000000u

static void set_vector(unsigned exception, uint32_t handler) {
        uint8_t data[4];

        put_le32(data, handler | 1);
        ck_assert_int_eq(target_load(bench_target, FLASH + exception * 4, data, 4), 0);
}

/* An erased chip: the vector table is FF. */
START_TEST(test_erased) {
        bench_start("f103");
        target_run(bench_target, 1000);
        bench_expect_state(S_LOCKUP);
        bench_write(DHCSR, HALT);
        bench_expect_state(S_HALT);
        ck_assert_uint_eq(bench_get_register(REG_PC), 0xFFFFFFFE);
        bench_stop();
}
END_TEST

typedef struct FaultCase {
        uint16_t code[2];
        uint32_t r1;
        uint32_t cfsr;
        uint32_t far;
} FaultCase;

static const FaultCase faults[] = {
        { { 0x6808, 0xE7FE }, 0x10000000, 1u << 9 | 1u << 15, 0x10000000 }, /* ldr r0, [r1] */
        { { 0x6008, 0xE7FE }, 0x10000000, 1u << 9 | 1u << 15, 0x10000000 }, /* str */
        { { 0x6808, 0xE7FE }, 0x40008000, 1u << 9 | 1u << 15, 0x40008000 }, /* no peripheral */
        { { 0x6008, 0xE7FE }, 0xE00F0000, 1u << 9 | 1u << 15, 0xE00F0000 },
        { { 0x4708, 0xE7FE }, 0x10000001, 1u << 8, 0 },  /* bx r1: nothing there */
        { { 0x4708, 0xE7FE }, 0x40000001, 1u << 8, 0 },  /* not executable */
        { { 0x4708, 0xE7FE }, 0x20000100, 1u << 17, 0 }, /* not Thumb */
        { { 0xDE00, 0xE7FE }, 0, 1u << 16, 0 },          /* udf */
        { { 0xEE30, 0x0A20 }, 0, 1u << 19, 0 },          /* no floating point in an M3 */
};

START_TEST(test_fault) {
        const FaultCase *fault = &faults[_i];
        bool escapes = fault->cfsr & (1u << 8 | 1u << 17);
        uint32_t frame;

        bench_start("f103");
        bench_load_vectors(RAM + 0x1000, FLASH + 0x100);
        bench_load_code(RAM, fault->code, 2);
        bench_write(DHCSR, HALT);
        bench_set_register(1, fault->r1);
        bench_set_register(12, 0xC0C0);
        bench_run(RAM, 100);
        bench_expect_state(0);
        bench_write(DHCSR, HALT);
        ck_assert_uint_eq(bench_get_register(REG_PC), 0x08000F00);
        ck_assert_uint_eq(bench_get_register(REG_XPSR) & 0x1FF, 3);
        ck_assert_uint_eq(bench_get_register(REG_LR), 0xFFFFFFF9);
        ck_assert_uint_eq(bench_read(CFSR), fault->cfsr);
        ck_assert_uint_eq(bench_read(HFSR), 1u << 30);
        if (fault->far)
                ck_assert_uint_eq(bench_read(BFAR), fault->far);
        frame = bench_get_register(REG_SP);
        ck_assert_uint_eq(frame, RAM + 0x2000 - 32);
        ck_assert_uint_eq(bench_read(frame + 4), fault->r1);
        ck_assert_uint_eq(bench_read(frame + 16), 0xC0C0);
        ck_assert_uint_eq(bench_read(frame + 24), escapes ? fault->r1 & ~1u : RAM);
        bench_stop();
}
END_TEST

/* Faults have handlers of their own, once they are enabled. */
START_TEST(test_bus_fault_handler) {
        bench_start("f103");
        bench_load_vectors(RAM + 0x1000, FLASH + 0x100);
        set_vector(5, FLASH + 0x200);
        bench_load(FLASH + 0x200, 0xBE05);
        bench_load(RAM, 0x6808);
        bench_write(SHCSR, 1u << 17);
        bench_write(DHCSR, HALT);
        bench_set_register(1, 0x10000000);
        bench_run(RAM, 100);
        bench_expect_state(S_HALT);
        ck_assert_uint_eq(bench_get_register(REG_PC), FLASH + 0x200);
        ck_assert_uint_eq(bench_get_register(REG_XPSR) & 0x1FF, 5);
        ck_assert_uint_eq(bench_read(SHCSR), 1u << 17 | 1u << 1);
        ck_assert_uint_eq(bench_read(HFSR), 0);
        bench_stop();
}
END_TEST

START_TEST(test_vector_catch) {
        bench_start("f411");
        bench_load_vectors(RAM + 0x1000, FLASH + 0x100);
        bench_load(RAM, 0xDE00);
        bench_write(DEMCR, 1u << 10); /* VC_HARDERR */
        bench_write(DHCSR, HALT);
        bench_write(DFSR, 0x1F);
        bench_run(RAM, 100);
        bench_expect_state(S_HALT);
        ck_assert_uint_eq(bench_read(DFSR), 1u << 3);
        ck_assert_uint_eq(bench_get_register(REG_PC), 0x08000F00);
        bench_stop();
}
END_TEST

START_TEST(test_double_fault) {
        bench_start("f103");
        bench_load_vectors(RAM + 0x1000, FLASH + 0x100);
        bench_load(0x08000F00, 0xDE00);
        bench_load(RAM, 0xDE00);
        bench_run(RAM, 100);
        bench_expect_state(S_LOCKUP);
        bench_write(DHCSR, HALT);
        bench_expect_state(S_HALT);
        bench_stop();
}
END_TEST

/* BKPT without a debugger is a fault, not a stop of the simulation. */
START_TEST(test_bkpt_alone) {
        bench_start("f103");
        bench_load_vectors(RAM + 0x1000, FLASH + 0x100);
        bench_load(FLASH + 0x100, 0xBE00);
        target_set_nrst(bench_target, true);
        target_set_nrst(bench_target, false);
        target_run(bench_target, 100);
        bench_write(DHCSR, HALT);
        ck_assert_uint_eq(bench_get_register(REG_PC), 0x08000F00);
        ck_assert_uint_eq(bench_read(HFSR), 1u << 31);
        bench_stop();
}
END_TEST

static const char *const chips[] = { "f103", "f411", "g071", "h743" };

START_TEST(test_svc) {
        bench_start(chips[_i]);
        bench_load_vectors(RAM + 0x1000, FLASH + 0x100);
        set_vector(11, FLASH + 0x200);
        /* mrs r5, IPSR; movs r0, #9; bx lr */
        bench_load(FLASH + 0x200, 0xF3EF, 0x8505, 0x2009, 0x4770);
        if (_i == 3)
                bench_write(VTOR, FLASH);
        /* movs r0, #1; svc #7; movs r4, #4; bkpt */
        bench_load(RAM, 0x2001, 0xDF07, 0x2404, 0xBE00);
        bench_run(RAM, 100);
        bench_expect_state(S_HALT);
        ck_assert_uint_eq(bench_get_register(REG_PC), RAM + 6);
        ck_assert_uint_eq(bench_get_register(5), 11);
        ck_assert_uint_eq(bench_get_register(4), 4);
        ck_assert_uint_eq(bench_get_register(0), 1); /* unstacked */
        ck_assert_uint_eq(bench_get_register(REG_SP), RAM + 0x2000);
        ck_assert_uint_eq(bench_get_register(REG_XPSR) & 0x1FF, 0);
        bench_stop();
}
END_TEST

/* On the process stack, misaligned, with floating point state. */
START_TEST(test_process_stack) {
        bench_start("f411");
        bench_load_vectors(RAM + 0x1000, FLASH + 0x100);
        set_vector(11, FLASH + 0x200);
        bench_load(FLASH + 0x200, 0x4675, 0x4770); /* mov r5, lr; bx lr */
        /* vadd.f32 s0, s0, s1; svc #0; bkpt */
        bench_load(RAM, 0xEE30, 0x0A20, 0xDF00, 0xBE00);
        bench_write(DHCSR, HALT);
        bench_set_register(REG_S0, 0x3F800000);
        bench_set_register(REG_S0 + 1, 0x3F800000);
        bench_set_register(REG_XPSR, 1u << 24);
        bench_set_register(REG_SPECIAL, 0x02000000);
        bench_set_register(REG_MSP, RAM + 0x1000);
        bench_set_register(REG_PSP, RAM + 0x1804);
        bench_set_register(REG_PC, RAM);
        bench_write(DHCSR, RUN);
        target_run(bench_target, 100);
        bench_expect_state(S_HALT);
        ck_assert_uint_eq(bench_get_register(REG_PC), RAM + 6);
        ck_assert_uint_eq(bench_get_register(5), 0xFFFFFFED);
        ck_assert_uint_eq(bench_get_register(REG_PSP), RAM + 0x1804);
        ck_assert_uint_eq(bench_get_register(REG_MSP), RAM + 0x1000);
        ck_assert_uint_eq(bench_get_register(REG_S0), 0x40000000);
        ck_assert_uint_eq(bench_get_register(REG_SPECIAL), 0x06000000);
        bench_stop();
}
END_TEST

START_TEST(test_systick) {
        bench_start(chips[_i]);
        bench_load_vectors(RAM + 0x1000, FLASH + 0x100);
        set_vector(15, FLASH + 0x200);
        bench_load(FLASH + 0x200, 0x3601, 0x4770); /* adds r6, #1: r6 is not stacked */
        if (_i == 3)
                bench_write(VTOR, FLASH);
        bench_load(RAM, 0xE7FE);
        bench_write(SYST_RVR, 99);
        bench_write(SYST_CVR, 0);
        bench_write(SYST_CSR, 7);
        bench_write(DHCSR, HALT);
        bench_set_register(6, 0);
        bench_run(RAM, 1000);
        bench_write(DHCSR, HALT);
        ck_assert_uint_ge(bench_get_register(6), 9);
        ck_assert_uint_le(bench_get_register(6), 10);
        ck_assert_uint_eq(bench_read(SYST_CSR), 0x10007);
        ck_assert_uint_eq(bench_read(SYST_CSR), 7);
        bench_stop();
}
END_TEST

/* C_MASKINTS keeps the timer out, as debuggers want it when they step. */
START_TEST(test_mask) {
        bench_start("f103");
        bench_load_vectors(RAM + 0x1000, FLASH + 0x100);
        set_vector(15, FLASH + 0x200);
        bench_load(FLASH + 0x200, 0xBE0F);
        bench_load(RAM, 0xE7FE);
        bench_run(RAM, 10);
        bench_write(DHCSR, HALT);
        bench_write(ICSR, 1u << 26);
        bench_write(DHCSR, 0xA05F000B);
        bench_write(DHCSR, 0xA05F000D);
        target_run(bench_target, 100);
        ck_assert_uint_eq(bench_get_register(REG_PC), RAM);
        bench_write(DHCSR, HALT);
        bench_write(DHCSR, RUN);
        target_run(bench_target, 100);
        bench_expect_state(S_HALT);
        ck_assert_uint_eq(bench_get_register(REG_PC), FLASH + 0x200);
        bench_stop();
}
END_TEST

START_TEST(test_sleep) {
        bench_start(chips[_i]);
        bench_load(RAM, 0xBF30, 0x3001, 0xBE00); /* wfi; adds r0, #1; bkpt */
        bench_run(RAM, 100);
        bench_expect_state(S_SLEEP);
        target_run(bench_target, 1000);
        bench_expect_state(S_SLEEP);
        /* A masked interrupt wakes it without being taken. */
        bench_write(SYST_RVR, 99);
        bench_write(SYST_CVR, 0);
        bench_write(DHCSR, HALT);
        bench_expect_state(S_HALT);
        ck_assert_uint_eq(bench_get_register(REG_PC), RAM + 2);
        bench_set_register(REG_PC, RAM);
        bench_set_register(REG_SPECIAL, 1);
        bench_write(SYST_CSR, 7);
        bench_write(DHCSR, RUN);
        target_run(bench_target, 10);
        bench_expect_state(S_SLEEP);
        target_run(bench_target, 1000);
        bench_expect_state(S_HALT);
        ck_assert_uint_eq(bench_get_register(REG_PC), RAM + 4);
        bench_stop();
}
END_TEST

/* WFE may end at any time: it does when the core gets to run again. */
START_TEST(test_event) {
        bench_start("f103");
        bench_load(RAM, 0xBF20, 0xBF10, 0xBE00); /* wfe; yield; bkpt */
        bench_run(RAM, 100);
        bench_expect_state(S_SLEEP);
        target_run(bench_target, 100);
        target_run(bench_target, 100);
        bench_expect_state(S_HALT);
        ck_assert_uint_eq(bench_get_register(REG_PC), RAM + 4);
        bench_stop();
}
END_TEST

/* An interrupt that the debugger sets off, and its priority. */
START_TEST(test_interrupts) {
        bench_start("f103");
        bench_load_vectors(RAM + 0x1000, FLASH + 0x100);
        set_vector(16 + 7, FLASH + 0x200);
        set_vector(16 + 8, FLASH + 0x240);
        bench_load(FLASH + 0x200, 0x2607, 0x4770); /* movs r6, #7 */
        bench_load(FLASH + 0x240, 0x2708, 0xBE00); /* movs r7, #8; bkpt */
        bench_load(RAM, 0xE7FE);
        bench_run(RAM, 10);
        bench_write(DHCSR, HALT);
        bench_set_register(6, 0);
        bench_write_width(0xE000E407, 1, 0x80);
        bench_write_width(0xE000E408, 1, 0x40);
        ck_assert_uint_eq(bench_read(0xE000E404), 0x80000000);
        bench_write(0xE000E100, 3u << 7);
        bench_write(0xE000E200, 3u << 7);
        ck_assert_uint_eq(bench_read(0xE000E200), 3u << 7);
        bench_write(DHCSR, RUN);
        target_run(bench_target, 100);
        bench_expect_state(S_HALT);
        ck_assert_uint_eq(bench_get_register(REG_XPSR) & 0x1FF, 24); /* the more urgent first */
        ck_assert_uint_eq(bench_get_register(7), 8);
        ck_assert_uint_eq(bench_get_register(6), 0);
        ck_assert_uint_eq(bench_read(0xE000E200), 1u << 7);
        bench_set_register(REG_PC, FLASH + 0x202);
        bench_write(DHCSR, RUN);
        target_run(bench_target, 100);
        bench_write(DHCSR, HALT);
        ck_assert_uint_eq(bench_get_register(6), 7);
        ck_assert_uint_eq(bench_get_register(REG_PC), RAM);
        bench_stop();
}
END_TEST

int main(void) {
        Suite *suite = suite_create("target-exception");
        TCase *tcase = tcase_create("exception");
        SRunner *runner;
        int failed, n = (int) ELEMENTSOF(chips);

        tcase_add_test(tcase, test_erased);
        tcase_add_loop_test(tcase, test_fault, 0, ELEMENTSOF(faults));
        tcase_add_test(tcase, test_bus_fault_handler);
        tcase_add_test(tcase, test_vector_catch);
        tcase_add_test(tcase, test_double_fault);
        tcase_add_test(tcase, test_bkpt_alone);
        tcase_add_loop_test(tcase, test_svc, 0, n);
        tcase_add_test(tcase, test_process_stack);
        tcase_add_loop_test(tcase, test_systick, 0, n);
        tcase_add_test(tcase, test_mask);
        tcase_add_loop_test(tcase, test_sleep, 0, n);
        tcase_add_test(tcase, test_event);
        tcase_add_test(tcase, test_interrupts);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
