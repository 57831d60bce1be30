/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <stdlib.h>

#include "base/macro.h"
#include "proto/memory.h"

#define V1 \
        { .major = 1, .jtag = 13 }
#define V2_OLD \
        { .major = 2, .jtag = 24 }
#define V2 \
        { .major = 2, .jtag = 37 }
#define V3 \
        { .major = 3, .jtag = 10 }

#define ACCESSES_MAX 8
static const struct {
        Firmware firmware;
        uint32_t address, size;
        struct {
                unsigned width, size;
        } expected[ACCESSES_MAX];
} ranges[] = {
        { V2, 0x20000000, 4, { { 4, 4 } } },
        { V2, 0x20000000, 1, { { 1, 1 } } },
        { V2, 0x20000000, 2, { { 2, 2 } } },
        { V2, 0x20000000, 3, { { 2, 2 }, { 1, 1 } } },
        { V2, 0x20000001, 1, { { 1, 1 } } },
        { V2, 0x20000001, 2, { { 1, 1 }, { 1, 1 } } },
        { V2, 0x20000002, 2, { { 2, 2 } } },
        { V2, 0x20000001, 15, { { 1, 1 }, { 2, 2 }, { 4, 12 } } },
        { V2, 0x20000003, 8, { { 1, 1 }, { 4, 4 }, { 2, 2 }, { 1, 1 } } },
        /* A register of 16 bits with firmware that can only do 8 and 32 */
        { V2_OLD, 0x40010802, 2, { { 1, 2 } } },
        { V2_OLD, 0x20000001, 4, { { 1, 1 }, { 1, 2 }, { 1, 1 } } },
        { V2, 0x08000000, 6144, { { 4, 6144 } } },
        { V2, 0x08000200, 6148, { { 4, 6144 }, { 4, 4 } } },
        { V3, 0x08000000, 0x4000, { { 4, 6144 }, { 4, 6144 }, { 4, 4096 } } },
        { V1, 0x08000300, 0x500, { { 4, 0x100 }, { 4, 0x400 } } },
        { V2, 0xFFFFFFFC, 4, { { 4, 4 } } },
        { V2, 0xFFFFFFFF, 1, { { 1, 1 } } },
};

START_TEST(ranges_are_cut) {
        uint32_t address = ranges[_i].address, left = ranges[_i].size;

        for (size_t i = 0; left > 0; i++) {
                MemoryAccess access = memory_next_access(&ranges[_i].firmware, 0, 0, address, left);

                ck_assert_uint_lt(i, ACCESSES_MAX);
                ck_assert_uint_eq(access.address, address);
                ck_assert_uint_eq(access.width, ranges[_i].expected[i].width);
                ck_assert_uint_eq(access.size, ranges[_i].expected[i].size);
                address += access.size;
                left -= access.size;
        }
}
END_TEST

/* A quarter of a second, at 46 clocks a word */
START_TEST(slow_clocks_take_less) {
        static const struct {
                unsigned khz;
                uint16_t size;
        } clocks[] = { { 0, 6144 },  { 4000, 6144 }, { 1800, 6144 }, { 240, 5216 },
                       { 50, 1084 }, { 5, 108 },     { 1, 20 } };
        const Firmware firmware = V3;

        for (size_t i = 0; i < ELEMENTSOF(clocks); i++) {
                MemoryAccess access =
                        memory_next_access(&firmware, clocks[i].khz, 0, 0x08000000, 0x10000);

                ck_assert_uint_eq(access.width, 4);
                ck_assert_uint_eq(access.size, clocks[i].size);
        }
}
END_TEST

/* Whatever is asked for, each access is one that the firmware takes, and within the range. */
START_TEST(every_access_is_possible) {
        static const Firmware firmwares[] = { V1, V2_OLD, V2, V3 };

        for (size_t f = 0; f < ELEMENTSOF(firmwares); f++)
                for (uint32_t offset = 0; offset < 1032; offset++) {
                        uint32_t size = 1 + (offset * 2654435761u) % 20000, done = 0;

                        while (done < size) {
                                MemoryAccess access =
                                        memory_next_access(&firmwares[f], 0, 0,
                                                           0x20000000 + offset + done, size - done);
                                Command command;

                                ck_assert_uint_le(access.size, size - done);
                                ck_assert_int_eq(
                                        command_read_memory(&firmwares[f], &access, &command), 0);
                                ck_assert_int_eq(
                                        command_write_memory(&firmwares[f], &access, &command), 0);
                                ck_assert_uint_eq(command.out_size, access.size);
                                done += access.size;
                        }
                }
}
END_TEST

int main(void) {
        Suite *suite = suite_create("memory");
        TCase *tcase = tcase_create("memory");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_loop_test(tcase, ranges_are_cut, 0, ELEMENTSOF(ranges));
        tcase_add_test(tcase, every_access_is_possible);
        tcase_add_test(tcase, slow_clocks_take_less);
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
