/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "sim/target/target.h"
#include "target-bench.h"

/* The bad days of a target (stlink-protocol §8.4). */

#define FLASH 0x08000000u

static SwdAck connect(void) {
        uint32_t dpidr;
        return target_swd_connect(bench_target, &dpidr);
}

/* A chip with a program that runs for ever. */
static void start_busy(void) {
        bench_start("f103");
        bench_load_vectors(RAM + 0x1000, FLASH + 0x100);
        bench_load(FLASH + 0x100, 0xE7FE);
        target_set_nrst(bench_target, true);
        target_set_nrst(bench_target, false);
        target_run(bench_target, 100);
}

static void set(TargetCondition condition) {
        target_set_condition(bench_target, &condition);
}

static void expect_silence(void) {
        TargetAccess access = { .width = 4, .increment = true, .address = RAM };
        uint32_t value = 0xAAAA, fault;
        uint8_t data[4];

        ck_assert_int_eq(target_swd_connect(bench_target, &value), SWD_ACK_NONE);
        ck_assert_int_eq(target_dp_read(bench_target, 0, &value), SWD_ACK_NONE);
        ck_assert_int_eq(target_dp_write(bench_target, 0, 0x1E), SWD_ACK_NONE);
        ck_assert_int_eq(target_ap_read(bench_target, 0, 0xFC, &value), SWD_ACK_NONE);
        ck_assert_int_eq(target_ap_write(bench_target, 0, 4, 0), SWD_ACK_NONE);
        ck_assert_int_eq(target_read_memory(bench_target, &access, data, 4, &fault), SWD_ACK_NONE);
        ck_assert_int_eq(target_write_memory(bench_target, &access, data, 4, &fault), SWD_ACK_NONE);
        ck_assert_uint_eq(value, 0xAAAA);
}

START_TEST(test_absent) {
        start_busy();
        ck_assert_uint_gt(target_millivolts(bench_target), 3000);
        set((TargetCondition){ .absent = true });
        ck_assert_uint_eq(target_millivolts(bench_target), 0);
        expect_silence();
        target_set_nrst(bench_target, true);
        expect_silence();
        target_set_nrst(bench_target, false);
        bench_stop();
}
END_TEST

/* Power comes back: RAM and debug registers have lost their content, the flash has not. */
START_TEST(test_unpowered) {
        start_busy();
        bench_write(RAM, 0x12345678);
        bench_write(DEMCR, 1);
        bench_write(FP_CTRL, 3);
        bench_write(0xE0042004, 7);
        set((TargetCondition){ .unpowered = true });
        ck_assert_uint_eq(target_millivolts(bench_target), 0);
        expect_silence();
        target_run(bench_target, 1000);
        set((TargetCondition){});
        bench_connect();
        ck_assert_uint_eq(bench_read(RAM), 0);
        ck_assert_uint_eq(bench_read(DEMCR), 0);
        ck_assert_uint_eq(bench_read(FP_CTRL), 0x260);
        ck_assert_uint_eq(bench_read(0xE0042004), 0);
        ck_assert_uint_eq(bench_read(FLASH + 4), FLASH + 0x101);
        target_run(bench_target, 10);
        bench_write(DHCSR, HALT);
        ck_assert_uint_eq(bench_get_register(REG_PC), FLASH + 0x100);
        bench_stop();
}
END_TEST

static const TargetCondition hiding[] = { { .asleep = true }, { .pins_remapped = true } };

START_TEST(test_hiding) {
        start_busy();
        set(hiding[_i]);
        ck_assert_uint_gt(target_millivolts(bench_target), 3000);
        expect_silence();

        /* Under reset it answers, and it stays if it is caught before it runs. */
        target_set_nrst(bench_target, true);
        bench_connect();
        bench_write(DHCSR, HALT);
        bench_write(DEMCR, 1);
        target_set_nrst(bench_target, false);
        target_run(bench_target, 1000);
        bench_expect_state(S_HALT);
        ck_assert_uint_eq(bench_get_register(REG_PC), FLASH + 0x100);
        target_run(bench_target, 1000);
        bench_expect_state(S_HALT);

        /* Left to itself it goes away again. */
        bench_write(DHCSR, LET_GO);
        bench_expect_state(0);
        target_run(bench_target, 1000);
        expect_silence();
        target_set_nrst(bench_target, true);
        bench_connect();
        target_set_nrst(bench_target, false);
        target_run(bench_target, 1);
        expect_silence();
        set((TargetCondition){});
        ck_assert_int_eq(connect(), SWD_ACK_OK);
        bench_stop();
}
END_TEST

START_TEST(test_hiding_halted) {
        start_busy();
        bench_write(DHCSR, HALT);
        set(hiding[_i]);
        /* A program that is stopped cannot do it. */
        bench_expect_state(S_HALT);
        bench_write(DHCSR, RUN);
        target_run(bench_target, 10);
        expect_silence();
        bench_stop();
}
END_TEST

START_TEST(test_nrst_not_wired) {
        const TargetCounters *counters;
        uint64_t resets;

        start_busy();
        counters = target_get_counters(bench_target);
        resets = counters->resets;
        (void) bench_read(DHCSR);
        set((TargetCondition){ .nrst_not_wired = true });
        target_set_nrst(bench_target, true);
        target_run(bench_target, 10);
        ck_assert_uint_eq(bench_read(DHCSR) & S_RESET_ST, 0);
        ck_assert_uint_eq(counters->resets, resets);
        target_set_nrst(bench_target, false);
        ck_assert_uint_eq(bench_read(DHCSR) & S_RESET_ST, 0);

        /* So nothing helps against a sleeper. */
        set((TargetCondition){ .nrst_not_wired = true, .asleep = true });
        target_set_nrst(bench_target, true);
        expect_silence();
        bench_stop();
}
END_TEST

/* The wire comes off while the line is low: the chip starts. */
START_TEST(test_nrst_comes_off) {
        start_busy();
        target_set_nrst(bench_target, true);
        set((TargetCondition){ .nrst_not_wired = true });
        target_run(bench_target, 10);
        bench_write(DHCSR, HALT);
        bench_expect_state(S_HALT);
        bench_stop();
}
END_TEST

START_TEST(test_rdp_1) {
        uint32_t fault = 0;

        start_busy();
        set((TargetCondition){ .rdp = TARGET_RDP_1 });
        ck_assert_int_eq(connect(), SWD_ACK_OK);
        ck_assert_int_eq(bench_try_read(FLASH + 0x10, 4, &fault), SWD_ACK_FAULT);
        ck_assert_uint_eq(fault, FLASH + 0x10);
        ck_assert_int_eq(bench_try_read(0x10, 2, &fault), SWD_ACK_FAULT);
        ck_assert_int_eq(bench_try_write(FLASH + 0x10, 2, 0, &fault), SWD_ACK_FAULT);
        bench_write(RAM, 0x55AA55AA);
        ck_assert_uint_eq(bench_read(RAM), 0x55AA55AA);
        ck_assert_uint_eq(bench_read_width(0x1FFFF7E0, 2), 64);
        bench_write(DHCSR, HALT);
        bench_expect_state(S_HALT);
        ck_assert_uint_eq(bench_get_register(REG_PC), FLASH + 0x100);
        target_set_nrst(bench_target, true);
        target_set_nrst(bench_target, false);
        ck_assert_int_eq(target_get_condition(bench_target)->rdp, TARGET_RDP_1);
        set((TargetCondition){});
        ck_assert_uint_eq(bench_read(FLASH + 4), FLASH + 0x101);
        bench_stop();
}
END_TEST

static const char *const chips[] = { "f103", "f411", "g071", "h743" };

START_TEST(test_rdp_2) {
        bench_start(chips[_i]);
        set((TargetCondition){ .rdp = TARGET_RDP_2 });
        ck_assert_uint_gt(target_millivolts(bench_target), 3000);
        expect_silence();
        target_set_nrst(bench_target, true);
        expect_silence();
        target_set_nrst(bench_target, false);
        expect_silence();
        ck_assert_int_eq(target_get_condition(bench_target)->rdp, TARGET_RDP_2);
        bench_stop();
}
END_TEST

START_TEST(test_load) {
        uint8_t data[256];

        bench_start("f103");
        memset(data, 7, sizeof(data));
        ck_assert_int_eq(target_load(bench_target, FLASH + 0xFF00, data, 256), 0);
        ck_assert_int_eq(target_load(bench_target, FLASH + 0xFF01, data, 256), -ERANGE);
        ck_assert_int_eq(target_load(bench_target, RAM + 0x4F00, data, 256), 0);
        ck_assert_int_eq(target_load(bench_target, RAM + 0x4F04, data, 256), -ERANGE);
        ck_assert_int_eq(target_load(bench_target, 0x40000000, data, 4), -ERANGE);
        ck_assert_int_eq(target_load(bench_target, 0x1FFFF000, data, 4), -ERANGE);
        ck_assert_int_eq(target_load(bench_target, UINT32_MAX, data, 256), -ERANGE);
        ck_assert_uint_eq(bench_read(FLASH + 0xFFFC), 0x07070707);
        bench_stop();
}
END_TEST

int main(void) {
        Suite *suite = suite_create("target-condition");
        TCase *tcase = tcase_create("condition");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, test_absent);
        tcase_add_test(tcase, test_unpowered);
        tcase_add_loop_test(tcase, test_hiding, 0, ELEMENTSOF(hiding));
        tcase_add_loop_test(tcase, test_hiding_halted, 0, ELEMENTSOF(hiding));
        tcase_add_test(tcase, test_nrst_not_wired);
        tcase_add_test(tcase, test_nrst_comes_off);
        tcase_add_test(tcase, test_rdp_1);
        tcase_add_loop_test(tcase, test_rdp_2, 0, ELEMENTSOF(chips));
        tcase_add_test(tcase, test_load);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
