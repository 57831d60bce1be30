/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "proto/chips.h"
#include "proto/status.h"
#include "proto/swd.h"
#include "wire.h"

static const Firmware v2j14 = { .major = 2, .jtag = 14 };
static const Firmware v2j37 = { .major = 2, .jtag = 37 };
static const Firmware v3j7 = { .major = 3, .jtag = 7 };

static Step expect(SwdAccess *access, const char *command) {
        uint8_t expected[COMMAND_SIZE] = {};
        Step step;

        ck_assert_int_eq(swd_access_next(access, &step), 1);
        wire_parse(command, expected, sizeof(expected));
        ck_assert_msg(memcmp(step.command.bytes, expected, COMMAND_SIZE) == 0,
                      "%02X %02X in place of %s", step.command.bytes[0], step.command.bytes[1],
                      command);
        return step;
}

static void answer(SwdAccess *access, const char *reply) {
        uint8_t bytes[64];
        size_t n = wire_parse(reply, bytes, sizeof(bytes));

        swd_access_feed(access, 0, bytes, n);
}

static int end(SwdAccess *access) {
        Step step;

        return swd_access_next(access, &step);
}

START_TEST(wait_is_bounded) {
        Command command = command_read_word(0x20000000);
        SwdAccess access;
        Usec total = 0;

        swd_access_init(&access, &v2j37, &command);
        for (unsigned i = 0; i <= SWD_RETRIES; i++) {
                Step step = expect(&access, "F2 36 00000020");

                ck_assert_uint_eq(step.delay, i == 0 ? 0 : USEC_PER_MSEC << (i - 1));
                total += step.delay;
                answer(&access, "10000000 00000000");
        }
        ck_assert_int_eq(end(&access), -EREMOTEIO);
        ck_assert_uint_eq(access.status, STATUS_AP_WAIT);
        ck_assert_uint_eq(total, 255 * USEC_PER_MSEC);
}
END_TEST

START_TEST(wait_then_ok) {
        Command command = command_read_word(0x20000000);
        SwdAccess access;

        swd_access_init(&access, &v2j37, &command);
        expect(&access, "F2 36 00000020");
        answer(&access, "14000000 00000000");
        expect(&access, "F2 36 00000020");
        answer(&access, "80000000 78563412");
        ck_assert_int_eq(end(&access), 0);
        ck_assert_uint_eq(access.value, 0x12345678);
        ck_assert_int_eq(end(&access), 0);
}
END_TEST

START_TEST(fault_is_cleared) {
        Command command = command_write_word(0x20000000, 1);
        SwdAccess access;

        swd_access_init(&access, &v2j37, &command);
        expect(&access, "F2 35 00000020 01000000");
        answer(&access, "1100");
        expect(&access, "F2 46 FFFF 0000 1E000000");
        answer(&access, "1600");
        ck_assert_int_eq(end(&access), -EREMOTEIO);
        ck_assert_uint_eq(access.status, STATUS_AP_FAULT);

        /* firmware that cannot write the register */
        swd_access_init(&access, &v2j14, &command);
        expect(&access, "F2 35 00000020 01000000");
        answer(&access, "1100");
        ck_assert_int_eq(end(&access), -EREMOTEIO);

        /* nothing sticks after this one */
        swd_access_init(&access, &v2j37, &command);
        expect(&access, "F2 35 00000020 01000000");
        answer(&access, "0900");
        ck_assert_int_eq(end(&access), -EREMOTEIO);
}
END_TEST

START_TEST(v3_fault_after_wait) {
        Command command = command_read_word(0x20000000);
        SwdAccess access;

        swd_access_init(&access, &v3j7, &command);
        expect(&access, "F2 36 00000020");
        answer(&access, "10000000 00000000");
        expect(&access, "F2 36 00000020");
        answer(&access, "11000000 00000000");
        expect(&access, "F2 36 00000020");
        answer(&access, "80000000 01000000");
        ck_assert_int_eq(end(&access), 0);

        /* once only */
        swd_access_init(&access, &v3j7, &command);
        expect(&access, "F2 36 00000020");
        answer(&access, "10000000 00000000");
        expect(&access, "F2 36 00000020");
        answer(&access, "11000000 00000000");
        expect(&access, "F2 36 00000020");
        answer(&access, "11000000 00000000");
        expect(&access, "F2 46 FFFF 0000 1E000000");
        answer(&access, "8000");
        ck_assert_int_eq(end(&access), -EREMOTEIO);

        /* a V2 means it */
        swd_access_init(&access, &v2j37, &command);
        expect(&access, "F2 36 00000020");
        answer(&access, "10000000 00000000");
        expect(&access, "F2 36 00000020");
        answer(&access, "11000000 00000000");
        expect(&access, "F2 46 FFFF 0000 1E000000");
}
END_TEST

START_TEST(memory) {
        MemoryAccess where = { .address = 0x20000000, .size = 8, .width = 4 };
        const uint8_t data[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
        uint8_t buffer[9] = { [8] = 0xEE };
        SwdAccess access;
        Step step;

        ck_assert_int_eq(swd_access_init_read(&access, &v2j37, &where, buffer), 0);
        expect(&access, "F2 07 00000020 0800");
        answer(&access, "00000000 00000000");
        expect(&access, "F2 3E");
        answer(&access, "1000 0000 00000000 00000000");
        expect(&access, "F2 07 00000020 0800");
        answer(&access, "11121314 15161718");
        expect(&access, "F2 3E");
        answer(&access, "8000 0000 00000000 00000000");
        ck_assert_int_eq(end(&access), 0);
        ck_assert_mem_eq(buffer, "\x11\x12\x13\x14\x15\x16\x17\x18\xEE", 9);

        ck_assert_int_eq(swd_access_init_write(&access, &v2j14, &where, data), 0);
        step = expect(&access, "F2 08 00000020 0800");
        ck_assert_ptr_eq(step.out, data);
        ck_assert_uint_eq(step.command.out_size, 8);
        answer(&access, "");
        expect(&access, "F2 3B");
        answer(&access, "0D00"); /* read-back differs, which is none of our business */
        ck_assert_int_eq(end(&access), 0);

        ck_assert_int_eq(swd_access_init_read(&access, &v2j37, &where, buffer), 0);
        expect(&access, "F2 07 00000020 0800");
        answer(&access, "00000000 00000000");
        expect(&access, "F2 3E");
        answer(&access, "1100 0000 04000020 00000000");
        expect(&access, "F2 46 FFFF 0000 1E000000");
        answer(&access, "8000");
        ck_assert_int_eq(end(&access), -EREMOTEIO);
        ck_assert_uint_eq(access.fault_address, 0x20000004);

        /* one byte is answered with two */
        where = (MemoryAccess){ .address = 0x20000001, .size = 1, .width = 1 };
        memset(buffer, 0xEE, sizeof(buffer));
        ck_assert_int_eq(swd_access_init_read(&access, &v2j37, &where, buffer), 0);
        expect(&access, "F2 0C 01000020 0100");
        answer(&access, "5500");
        expect(&access, "F2 3E");
        answer(&access, "8000 0000 00000000 00000000");
        ck_assert_int_eq(end(&access), 0);
        ck_assert_mem_eq(buffer, "\x55\xEE", 2);

        where.size = 65;
        ck_assert_int_eq(swd_access_init_read(&access, &v2j37, &where, buffer), -EINVAL);
        ck_assert_int_eq(swd_access_init_write(&access, &v2j37, &where, data), -EINVAL);
}
END_TEST

START_TEST(bad_answers) {
        static const char *const replies[] = {
                "", "80", "8000", "80000000 000000", "80000000 00000000 00", "77000000 00000000"
        };
        Command command = command_read_word(0x20000000);
        MemoryAccess where = { .address = 0x20000000, .size = 4, .width = 4 };
        uint8_t buffer[4];
        SwdAccess access;

        for (size_t i = 0; i < ELEMENTSOF(replies); i++) {
                swd_access_init(&access, &v2j37, &command);
                expect(&access, "F2 36 00000020");
                answer(&access, replies[i]);
                ck_assert_int_eq(end(&access), -EPROTO);
        }
        for (size_t i = 0; i < ELEMENTSOF(replies); i++) {
                ck_assert_int_eq(swd_access_init_read(&access, &v2j37, &where, buffer), 0);
                expect(&access, "F2 07 00000020 0400");
                answer(&access, replies[i]);
                ck_assert_int_eq(end(&access), -EPROTO);
        }

        swd_access_init(&access, &v2j37, &command);
        expect(&access, "F2 36 00000020");
        swd_access_feed(&access, -ENODEV, NULL, 0);
        ck_assert_int_eq(end(&access), -ENODEV);
}
END_TEST

START_TEST(chip_table) {
        for (size_t i = 0; chip_at(i); i++) {
                const Chip *chip = chip_at(i);

                ck_assert_ptr_eq(chip_find(0x10000000u | chip->device_id), chip);
                ck_assert_uint_eq(chip->flash_size & 1, 0);
                ck_assert_uint_eq(chip->idcode & 3, 0);
                ck_assert_uint_eq(strncmp(chip->name, chip->family, 7), 0);
                ck_assert_uint_ne(chip_idcode_address(chip->core * 16u, 0, 0), 0);
        }
        ck_assert_ptr_null(chip_find(0x999));
        ck_assert_ptr_null(chip_at(1000));
        ck_assert_uint_eq(chip_idcode_address(0, 0, 0), 0);

        ck_assert_uint_eq(chip_flash_kib(chip_find(0x431), 512), 512);
        ck_assert_uint_eq(chip_flash_kib(chip_find(0x431), 0xFFFF), 0);
        ck_assert_uint_eq(chip_flash_kib(chip_find(0x416), 0xFF40), 64);
        ck_assert_uint_eq(chip_flash_kib(chip_find(0x436), 0), 384);
        ck_assert_uint_eq(chip_flash_kib(chip_find(0x436), 1), 256);
        ck_assert_uint_eq(chip_flash_kib(chip_find(0x436), 384), 384);
}
END_TEST

START_TEST(names) {
        static const struct {
                uint32_t word;
                const char *name;
        } cpus[] = {
                { 0x410FC241, "Cortex-M4 r0p1" },  { 0x411FC231, "Cortex-M3 r1p1" },
                { 0x410CC601, "Cortex-M0+ r0p1" }, { 0x411FC271, "Cortex-M7 r1p1" },
                { 0xFFFFFFFF, "unknown core" },    { 0, "unknown core" },
                { 0x420FC241, "unknown core" },
        },
          ports[] = {
                  { 0x2BA01477, "SW-DP v1 by ARM" },
                  { 0x6BA02477, "SW-DP v2 by ARM" },
                  { 0x0BC11477, "SW-DP v1 by ARM" },
                  { 0x2BA01041, "SW-DP v1, designer 020" },
                  { 0, "no debug port" },
                  { 0xFFFFFFFF, "no debug port" },
          };
        char buffer[64];

        for (size_t i = 0; i < ELEMENTSOF(cpus); i++)
                ck_assert_str_eq(cpu_name(cpus[i].word, buffer, CPU_NAME_MAX), cpus[i].name);
        for (size_t i = 0; i < ELEMENTSOF(ports); i++)
                ck_assert_str_eq(debug_port_name(ports[i].word, buffer, DEBUG_PORT_NAME_MAX),
                                 ports[i].name);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("swd");
        TCase *tcase = tcase_create("swd");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, wait_is_bounded);
        tcase_add_test(tcase, wait_then_ok);
        tcase_add_test(tcase, fault_is_cleared);
        tcase_add_test(tcase, v3_fault_after_wait);
        tcase_add_test(tcase, memory);
        tcase_add_test(tcase, bad_answers);
        tcase_add_test(tcase, chip_table);
        tcase_add_test(tcase, names);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
