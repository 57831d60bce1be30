/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "sim/target/target.h"
#include "target-bench.h"

/* What a debugger finds out about each chip, and how its debug port behaves. */

typedef struct Expectation {
        const char *name;
        uint32_t dpidr;
        uint32_t ap_idr;
        uint32_t ap_base;
        uint32_t cpuid;
        uint32_t idcode_address;
        uint32_t idcode;
        uint32_t size_address;
        uint32_t flash_kib;
        uint32_t ram_end;
        uint32_t fp_ctrl;
        uint32_t rom_pidr0; /* of the table at ap_base */
        uint32_t rom_pidr1;
} Expectation;

static const Expectation chips[] = {
        { "f103", 0x1BA01477, 0x14770011, 0xE00FF003, 0x411FC231, 0xE0042000, 0x20036410,
          0x1FFFF7E0, 64, 0x20005000, 0x260, 0x10, 0x04 },
        { "f411", 0x2BA01477, 0x24770011, 0xE00FF003, 0x410FC241, 0xE0042000, 0x10006431,
          0x1FFF7A22, 512, 0x20020000, 0x260, 0x31, 0x04 },
        { "g071", 0x0BC11477, 0x04770031, 0xF0000003, 0x410CC601, 0x40015800, 0x20006460,
          0x1FFF75E0, 128, 0x20009000, 0x040, 0x60, 0x04 },
        { "h743", 0x6BA02477, 0x84770001, 0xE00FE003, 0x411FC271, 0x5C001000, 0x20036450,
          0x1FF1E880, 2048, 0x20020000, 0x10000080, 0x50, 0x04 },
};

static uint32_t ap_read(uint8_t ap, uint8_t address) {
        uint32_t value;
        ck_assert_int_eq(target_ap_read(bench_target, ap, address, &value), SWD_ACK_OK);
        return value;
}

static void ap_write(uint8_t ap, uint8_t address, uint32_t value) {
        ck_assert_int_eq(target_ap_write(bench_target, ap, address, value), SWD_ACK_OK);
}

START_TEST(test_names) {
        size_t n = 0;

        while (target_chip_name(n))
                n++;
        ck_assert_uint_eq(n, ELEMENTSOF(chips));
        for (size_t i = 0; i < n; i++)
                ck_assert_str_eq(target_chip_name(i), chips[i].name);
        ck_assert_int_eq(target_new("stm32", &bench_target), -EINVAL);
        ck_assert_ptr_null(bench_target);
        ck_assert_ptr_null(target_free(NULL));
}
END_TEST

START_TEST(test_identity) {
        const Expectation *expected = &chips[_i];
        uint32_t value, rom = expected->ap_base & ~0xFFFu;

        bench_start(expected->name);
        ck_assert_int_eq(target_dp_read(bench_target, 0, &value), SWD_ACK_OK);
        ck_assert_uint_eq(value, expected->dpidr);
        ck_assert_uint_eq(ap_read(0, 0xFC), expected->ap_idr);
        ck_assert_uint_eq(ap_read(0, 0xF8), expected->ap_base);
        ck_assert_uint_eq(ap_read(0, 0xF4), 0);
        ck_assert_uint_eq(ap_read(7, 0xFC), 0);
        ck_assert_uint_eq(bench_read(0xE000ED00), expected->cpuid);
        ck_assert_uint_eq(bench_read(expected->idcode_address), expected->idcode);
        ck_assert_uint_eq(bench_read_width(expected->size_address, 2), expected->flash_kib);
        ck_assert_uint_eq(bench_read(FP_CTRL), expected->fp_ctrl);
        ck_assert_uint_eq(bench_read(rom + 0xFE0), expected->rom_pidr0);
        ck_assert_uint_eq(bench_read(rom + 0xFE4), expected->rom_pidr1);
        ck_assert_uint_eq(bench_read(rom + 0xFF4), 0x10);
        ck_assert_uint_eq(bench_read(rom + 0xFFC), 0xB1);
        ck_assert_uint_gt(target_millivolts(bench_target), 3000);
        bench_stop();
}
END_TEST

/* Memory ends where it should, and the address that failed is the one reported. */
START_TEST(test_map) {
        const Expectation *expected = &chips[_i];
        uint32_t end = 0x08000000 + expected->flash_kib * 1024, fault = 0;

        bench_start(expected->name);
        ck_assert_uint_eq(bench_read(0x08000000), UINT32_MAX);
        ck_assert_uint_eq(bench_read(end - 4), UINT32_MAX);
        ck_assert_int_eq(bench_try_read(end, 4, &fault), SWD_ACK_FAULT);
        ck_assert_uint_eq(fault, end);
        bench_write(expected->ram_end - 4, 0x12345678);
        ck_assert_uint_eq(bench_read_width(expected->ram_end - 2, 2), 0x1234);
        ck_assert_uint_eq(bench_read_width(expected->ram_end - 4, 1), 0x78);
        ck_assert_int_eq(bench_try_write(expected->ram_end, 4, 0, &fault), SWD_ACK_FAULT);
        ck_assert_uint_eq(fault, expected->ram_end);
        ck_assert_int_eq(bench_try_read(0x60000000, 1, &fault), SWD_ACK_FAULT);
        ck_assert_int_eq(bench_try_read(0xE00F0000, 4, &fault), SWD_ACK_FAULT);
        ck_assert_int_eq(bench_try_read(0xFFFFFFFC, 4, &fault), SWD_ACK_FAULT);
        bench_stop();
}
END_TEST

/* Every entry of the ROM tables leads to a component with a preamble. */
static void walk_table(uint32_t table, unsigned depth) {
        ck_assert_uint_lt(depth, 3);
        for (uint32_t i = 0;; i++) {
                uint32_t entry = bench_read(table + i * 4), base = table + (entry & ~0xFFFu);
                if (entry == 0)
                        break;
                if (!(entry & 1))
                        continue;
                ck_assert_uint_eq(bench_read(base + 0xFF0), 0x0D);
                ck_assert_uint_eq(bench_read(base + 0xFFC), 0xB1);
                if (bench_read(base + 0xFF4) == 0x10)
                        walk_table(base, depth + 1);
        }
}

START_TEST(test_rom_tables) {
        bench_start(chips[_i].name);
        walk_table(chips[_i].ap_base & ~0xFFFu, 0);
        bench_stop();
}
END_TEST

START_TEST(test_power) {
        uint32_t value, fault;
        TargetAccess access = { .width = 4, .increment = true, .address = RAM };
        uint8_t data[4];

        ck_assert_int_eq(target_new("f103", &bench_target), 0);
        ck_assert_int_eq(target_dp_read(bench_target, DP_CTRL, &value), SWD_ACK_OK);
        ck_assert_uint_eq(value, 0);
        ck_assert_int_eq(target_read_memory(bench_target, &access, data, 4, &fault), SWD_ACK_FAULT);
        ck_assert_int_eq(target_dp_write(bench_target, DP_ABORT, 0x1E), SWD_ACK_OK);
        ck_assert_int_eq(target_dp_write(bench_target, DP_CTRL, 0x50000020), SWD_ACK_OK);
        ck_assert_int_eq(target_dp_read(bench_target, DP_CTRL, &value), SWD_ACK_OK);
        ck_assert_uint_eq(value, 0xF0000000);
        ck_assert_int_eq(target_read_memory(bench_target, &access, data, 4, &fault), SWD_ACK_OK);
        bench_stop();
}
END_TEST

START_TEST(test_sticky_error) {
        uint32_t value, fault;
        TargetAccess access = { .width = 4, .increment = true, .address = 0x10000000 };
        uint8_t data[4];

        bench_start("f103");
        ck_assert_int_eq(target_read_memory(bench_target, &access, data, 4, &fault), SWD_ACK_FAULT);
        ck_assert_uint_eq(fault, 0x10000000);
        /* Now nothing works but finding out and clearing. */
        ck_assert_int_eq(target_ap_read(bench_target, 0, 0xFC, &value), SWD_ACK_FAULT);
        ck_assert_int_eq(target_ap_write(bench_target, 0, 0x04, 0), SWD_ACK_FAULT);
        ck_assert_int_eq(target_dp_read(bench_target, DP_RDBUFF, &value), SWD_ACK_FAULT);
        ck_assert_int_eq(target_dp_write(bench_target, DP_SELECT, 0), SWD_ACK_FAULT);
        ck_assert_int_eq(target_dp_read(bench_target, 0, &value), SWD_ACK_OK);
        ck_assert_int_eq(target_dp_read(bench_target, DP_CTRL, &value), SWD_ACK_OK);
        ck_assert_uint_eq(value & 0x20, 0x20);
        ck_assert_int_eq(target_dp_write(bench_target, DP_ABORT, 1u << 3), SWD_ACK_OK);
        ck_assert_int_eq(target_ap_read(bench_target, 0, 0xFC, &value), SWD_ACK_FAULT);
        ck_assert_int_eq(target_dp_write(bench_target, DP_ABORT, 1u << 2), SWD_ACK_OK);
        ck_assert_uint_eq(ap_read(0, 0xFC), 0x14770011);
        ck_assert_int_eq(target_dp_read(bench_target, DP_RDBUFF, &value), SWD_ACK_OK);
        ck_assert_uint_eq(value, 0x14770011);
        bench_stop();
}
END_TEST

START_TEST(test_banks) {
        uint32_t value;

        bench_start("h743");
        ck_assert_int_eq(target_dp_write(bench_target, DP_SELECT, 1), SWD_ACK_OK);
        ck_assert_int_eq(target_dp_read(bench_target, DP_CTRL, &value), SWD_ACK_OK);
        ck_assert_uint_eq(value, 0x40);
        ck_assert_int_eq(target_dp_write(bench_target, DP_SELECT, 2), SWD_ACK_OK);
        ck_assert_int_eq(target_dp_read(bench_target, DP_CTRL, &value), SWD_ACK_OK);
        ck_assert_uint_eq(value, 0x04500041);
        ck_assert_int_eq(target_dp_write(bench_target, DP_SELECT, 0), SWD_ACK_OK);
        ck_assert_int_eq(target_dp_read(bench_target, DP_CTRL, &value), SWD_ACK_OK);
        ck_assert_uint_eq(value >> 28, 0xF);
        bench_stop();
}
END_TEST

START_TEST(test_mem_ap) {
        bench_start("f411");
        ap_write(0, 0x00, 0x23000012);
        ck_assert_uint_eq(ap_read(0, 0x00), 0x23000052);
        ap_write(0, 0x04, RAM + 0x3F8);
        ap_write(0, 0x0C, 0x11111111);
        ap_write(0, 0x0C, 0x22222222);
        /* The increment wraps within 1 KiB. */
        ck_assert_uint_eq(ap_read(0, 0x04), RAM);
        ck_assert_uint_eq(bench_read(RAM + 0x3F8), 0x11111111);
        ck_assert_uint_eq(bench_read(RAM + 0x3FC), 0x22222222);

        ap_write(0, 0x00, 0x23000010); /* bytes, on their lanes */
        ap_write(0, 0x04, RAM + 0x3F9);
        ap_write(0, 0x0C, 0xAABBCCDD);
        ck_assert_uint_eq(ap_read(0, 0x04), RAM + 0x3FA);
        ck_assert_uint_eq(bench_read(RAM + 0x3F8), 0x1111CC11);
        ap_write(0, 0x00, 0x23000001); /* half-words without increment */
        ap_write(0, 0x04, RAM + 0x3FA);
        ck_assert_uint_eq(ap_read(0, 0x0C), 0x11110000);
        ck_assert_uint_eq(ap_read(0, 0x04), RAM + 0x3FA);
        bench_stop();
}
END_TEST

START_TEST(test_packed) {
        bench_start("f411");
        bench_write(RAM + 0x10, 0x44332211);
        bench_write(RAM + 0x14, 0x88776655);
        ap_write(0, 0x00, 0x23000020);
        ck_assert_uint_eq(ap_read(0, 0x00), 0x23000060);
        ap_write(0, 0x04, RAM + 0x10);
        ck_assert_uint_eq(ap_read(0, 0x0C), 0x44332211);
        ck_assert_uint_eq(ap_read(0, 0x0C), 0x88776655);
        ap_write(0, 0x04, RAM + 0x10);
        ap_write(0, 0x0C, 0x01020304);
        ck_assert_uint_eq(bench_read(RAM + 0x10), 0x01020304);
        bench_stop();

        bench_start("g071"); /* has no packed transfers */
        ap_write(0, 0x00, 0x23000020);
        ck_assert_uint_eq(ap_read(0, 0x00), 0x23000050);
        bench_stop();
}
END_TEST

START_TEST(test_banked_data) {
        bench_start("f411");
        ap_write(0, 0x04, RAM + 0x28);
        ap_write(0, 0x1C, 0xCAFEF00D);
        ck_assert_uint_eq(ap_read(0, 0x1C), 0xCAFEF00D);
        ck_assert_uint_eq(ap_read(0, 0x04), RAM + 0x28);
        ck_assert_uint_eq(bench_read(RAM + 0x2C), 0xCAFEF00D);
        bench_stop();
}
END_TEST

START_TEST(test_access_ports) {
        TargetAccess access = { .ap = 2, .width = 4, .increment = true, .address = 0xE00E1000 };
        uint32_t fault;
        uint8_t data[4];

        bench_start("h743");
        ck_assert_uint_eq(ap_read(1, 0xFC), 0x84770001);
        ck_assert_uint_eq(ap_read(2, 0xFC), 0x54770002);
        ck_assert_int_eq(target_read_memory(bench_target, &access, data, 4, &fault), SWD_ACK_OK);
        ck_assert_uint_eq(get_le32(data), 0x20036450);
        access.address = RAM;
        ck_assert_int_eq(target_read_memory(bench_target, &access, data, 4, &fault), SWD_ACK_FAULT);
        ck_assert_uint_eq(fault, RAM);
        ck_assert_int_eq(target_dp_write(bench_target, DP_ABORT, 4), SWD_ACK_OK);
        access = (TargetAccess){ .ap = 1, .width = 4, .increment = true, .address = DHCSR };
        ck_assert_int_eq(target_read_memory(bench_target, &access, data, 4, &fault), SWD_ACK_FAULT);
        ck_assert_int_eq(target_dp_write(bench_target, DP_ABORT, 4), SWD_ACK_OK);
        access.ap = 3;
        ck_assert_int_eq(target_read_memory(bench_target, &access, data, 4, &fault), SWD_ACK_FAULT);
        bench_stop();
}
END_TEST

START_TEST(test_blocks) {
        static uint8_t out[0x6000], in[0x6000];
        TargetAccess access = { .width = 4, .increment = true, .address = RAM };
        uint32_t fault = 0;

        bench_start("f103");
        for (size_t i = 0; i < sizeof(out); i++)
                out[i] = (uint8_t) (i * 31 + i / 256);
        ck_assert_int_eq(target_write_memory(bench_target, &access, out, 0x5000, &fault),
                         SWD_ACK_OK);
        ck_assert_int_eq(target_read_memory(bench_target, &access, in, 0x5000, &fault), SWD_ACK_OK);
        ck_assert_mem_eq(in, out, 0x5000);

        /* What lies before the end of the memory has been moved. */
        memset(in, 0, sizeof(in));
        access.address = RAM + 0x4F00;
        ck_assert_int_eq(target_read_memory(bench_target, &access, in, 0x200, &fault),
                         SWD_ACK_FAULT);
        ck_assert_uint_eq(fault, RAM + 0x5000);
        ck_assert_mem_eq(in, out + 0x4F00, 0x100);
        ck_assert_uint_eq(in[0x100], 0);
        ck_assert_int_eq(target_dp_write(bench_target, DP_ABORT, 4), SWD_ACK_OK);

        /* Without increment one register takes everything. */
        access = (TargetAccess){ .width = 4, .address = RAM };
        ck_assert_int_eq(target_write_memory(bench_target, &access, out, 16, &fault), SWD_ACK_OK);
        ck_assert_uint_eq(bench_read(RAM), get_le32(out + 12));
        ck_assert_uint_eq(bench_read(RAM + 4), get_le32(out + 4));
        bench_stop();
}
END_TEST

START_TEST(test_bit_band) {
        bench_start("f103");
        bench_write(RAM + 0x10, 0);
        bench_write(0x22000000 + 0x10 * 32 + 9 * 4, 1);
        ck_assert_uint_eq(bench_read(RAM + 0x10), 1u << 9);
        ck_assert_uint_eq(bench_read(0x22000000 + 0x10 * 32 + 9 * 4), 1);
        ck_assert_uint_eq(bench_read(0x22000000 + 0x10 * 32 + 8 * 4), 0);
        bench_stop();
}
END_TEST

/* Registers that target scripts and start-up code wait for or change. */
START_TEST(test_peripherals) {
        bench_start("f103");
        bench_write(0xE0042004, 0x307);
        bench_write(0x40021000, 0x01000083); /* RCC_CR: PLLON */
        ck_assert_uint_eq(bench_read(0x40021000), 0x03000083);
        bench_write(0x40010800, 0x12345678);
        target_set_nrst(bench_target, true);
        target_set_nrst(bench_target, false);
        ck_assert_uint_eq(bench_read(0x40021000), 0x83);
        ck_assert_uint_eq(bench_read(0x40010800), 0x44444444);
        ck_assert_uint_eq(bench_read(0xE0042004), 0x307); /* DBGMCU keeps it */
        bench_stop();
}
END_TEST

int main(void) {
        Suite *suite = suite_create("target-dap");
        TCase *tcase = tcase_create("dap");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, test_names);
        tcase_add_loop_test(tcase, test_identity, 0, ELEMENTSOF(chips));
        tcase_add_loop_test(tcase, test_map, 0, ELEMENTSOF(chips));
        tcase_add_loop_test(tcase, test_rom_tables, 0, ELEMENTSOF(chips));
        tcase_add_test(tcase, test_power);
        tcase_add_test(tcase, test_sticky_error);
        tcase_add_test(tcase, test_banks);
        tcase_add_test(tcase, test_mem_ap);
        tcase_add_test(tcase, test_packed);
        tcase_add_test(tcase, test_banked_data);
        tcase_add_test(tcase, test_access_ports);
        tcase_add_test(tcase, test_blocks);
        tcase_add_test(tcase, test_bit_band);
        tcase_add_test(tcase, test_peripherals);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
