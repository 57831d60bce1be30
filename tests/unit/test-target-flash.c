/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <string.h>

#include "base/bytes.h"
#include "sim/target/target.h"
#include "target-bench.h"

/* Flash controllers, driven from outside and by code on the core. */

#define FLASH   0x08000000u
#define KEY1    0x45670123u
#define KEY2    0xCDEF89ABu
#define OPTKEY1 0x08192A3Bu
#define OPTKEY2 0x4C5D6E7Fu

enum {
        F1_KEYR = 0x40022004,
        F1_OPTKEYR = 0x40022008,
        F1_SR = 0x4002200C,
        F1_CR = 0x40022010,
        F1_AR = 0x40022014,
        F1_OBR = 0x4002201C,
        F1_WRPR = 0x40022020,
        F1_OPTIONS = 0x1FFFF800,
        F4_KEYR = 0x40023C04,
        F4_OPTKEYR = 0x40023C08,
        F4_SR = 0x40023C0C,
        F4_CR = 0x40023C10,
        F4_OPTCR = 0x40023C14,
        G0_KEYR = 0x40022008,
        G0_SR = 0x40022010,
        G0_CR = 0x40022014,
        G0_OPTR = 0x40022020,
        H7_KEYR1 = 0x52002004,
        H7_CR1 = 0x5200200C,
        H7_SR1 = 0x52002010,
        H7_CCR1 = 0x52002014,
        H7_KEYR2 = 0x52002104,
        H7_CR2 = 0x5200210C,
};

#define F1_PG   (1u << 0)
#define F1_PER  (1u << 1)
#define F1_MER  (1u << 2)
#define F1_STRT (1u << 6)
#define F1_LOCK (1u << 7)
#define F1_EOP  (1u << 5)

static void unlock(uint32_t keyr) {
        bench_write(keyr, KEY1);
        bench_write(keyr, KEY2);
}

START_TEST(test_f1_locked) {
        bench_start("f103");
        ck_assert_uint_eq(bench_read(F1_CR), F1_LOCK);
        bench_write(F1_CR, F1_PG);
        ck_assert_uint_eq(bench_read(F1_CR), F1_LOCK);
        bench_write_width(FLASH, 2, 0x1234);
        ck_assert_uint_eq(bench_read(FLASH), UINT32_MAX);
        /* A wrong key shuts it until reset. */
        bench_write(F1_KEYR, KEY2);
        unlock(F1_KEYR);
        ck_assert_uint_eq(bench_read(F1_CR), F1_LOCK);
        target_set_nrst(bench_target, true);
        target_set_nrst(bench_target, false);
        unlock(F1_KEYR);
        ck_assert_uint_eq(bench_read(F1_CR), 0);
        bench_write(F1_CR, F1_LOCK);
        ck_assert_uint_eq(bench_read(F1_CR), F1_LOCK);
        bench_stop();
}
END_TEST

START_TEST(test_f1_program) {
        uint32_t fault;

        bench_start("f103");
        unlock(F1_KEYR);
        bench_write_width(FLASH + 0x10, 2, 0xBEEF); /* PG is not set */
        ck_assert_uint_eq(bench_read(FLASH + 0x10), UINT32_MAX);
        bench_write(F1_CR, F1_PG);
        bench_write_width(FLASH + 0x10, 2, 0xBEEF);
        ck_assert_uint_eq(bench_read(FLASH + 0x10), 0xFFFFBEEF);
        ck_assert_uint_eq(bench_read(0x10), 0xFFFFBEEF);
        ck_assert_uint_eq(bench_read(F1_SR), F1_EOP);
        bench_write(F1_SR, F1_EOP);
        ck_assert_uint_eq(bench_read(F1_SR), 0);
        /* Not erased: refused, but for 0. */
        bench_write_width(FLASH + 0x10, 2, 0x1234);
        ck_assert_uint_eq(bench_read(F1_SR), 1u << 2);
        ck_assert_uint_eq(bench_read(FLASH + 0x10), 0xFFFFBEEF);
        bench_write(F1_SR, 1u << 2);
        bench_write_width(FLASH + 0x10, 2, 0);
        ck_assert_uint_eq(bench_read(FLASH + 0x10), 0xFFFF0000);
        ck_assert_int_eq(bench_try_write(FLASH + 0x20, 4, 0, &fault), SWD_ACK_FAULT);
        ck_assert_uint_eq(fault, FLASH + 0x20);
        ck_assert_uint_eq(bench_read(FLASH + 0x20), UINT32_MAX);
        bench_stop();
}
END_TEST

START_TEST(test_f1_erase) {
        uint8_t data[4096];

        bench_start("f103");
        memset(data, 0x5A, sizeof(data));
        ck_assert_int_eq(target_load(bench_target, FLASH, data, sizeof(data)), 0);
        bench_write(F1_AR, FLASH + 0x404);
        bench_write(F1_CR, F1_PER | F1_STRT);
        ck_assert_uint_eq(bench_read(FLASH + 0x400), 0x5A5A5A5A);
        unlock(F1_KEYR);
        bench_write(F1_CR, F1_PER);
        bench_write(F1_AR, FLASH + 0x404);
        bench_write(F1_CR, F1_PER | F1_STRT);
        ck_assert_uint_eq(bench_read(F1_SR), F1_EOP);
        ck_assert_uint_eq(bench_read(F1_CR), F1_PER);
        ck_assert_uint_eq(bench_read(FLASH + 0x3FC), 0x5A5A5A5A);
        ck_assert_uint_eq(bench_read(FLASH + 0x400), UINT32_MAX);
        ck_assert_uint_eq(bench_read(FLASH + 0x7FC), UINT32_MAX);
        ck_assert_uint_eq(bench_read(FLASH + 0x800), 0x5A5A5A5A);
        bench_write(F1_CR, F1_MER | F1_STRT);
        ck_assert_uint_eq(bench_read(FLASH), UINT32_MAX);
        ck_assert_uint_eq(bench_read(FLASH + 0x800), UINT32_MAX);
        bench_stop();
}
END_TEST

/* Take the protection away as a tool does it: erase the option bytes, then program A5. */
START_TEST(test_f1_unprotect) {
        uint8_t data[4] = { 1, 2, 3, 4 };
        uint32_t fault;

        bench_start("f103");
        ck_assert_int_eq(target_load(bench_target, FLASH, data, sizeof(data)), 0);
        ck_assert_uint_eq(bench_read(F1_OBR) & 2, 0);
        ck_assert_uint_eq(bench_read(F1_WRPR), UINT32_MAX);
        target_set_condition(bench_target, &(TargetCondition){ .rdp = TARGET_RDP_1 });
        ck_assert_uint_eq(bench_read(F1_OBR) & 2, 2);
        unlock(F1_KEYR);
        unlock(F1_OPTKEYR);
        bench_write(F1_CR, 0x220);
        bench_write(F1_CR, 0x260);
        ck_assert_uint_eq(bench_read_width(F1_OPTIONS, 2), 0xFFFF);
        bench_write(F1_CR, 0x210);
        bench_write_width(F1_OPTIONS, 2, 0xA5);
        ck_assert_uint_eq(bench_read_width(F1_OPTIONS, 2), 0x5AA5);
        ck_assert_int_eq(bench_try_read(FLASH, 4, &fault), SWD_ACK_FAULT);
        target_set_nrst(bench_target, true);
        target_set_nrst(bench_target, false);
        ck_assert_uint_eq(bench_read(F1_OBR) & 2, 0);
        ck_assert_uint_eq(bench_read(FLASH), UINT32_MAX);
        ck_assert_int_eq(target_get_condition(bench_target)->rdp, TARGET_RDP_0);
        bench_stop();
}
END_TEST

START_TEST(test_f1_write_protection) {
        bench_start("f103");
        unlock(F1_KEYR);
        unlock(F1_OPTKEYR);
        bench_write(F1_CR, 0x210);
        bench_write(F1_CR, 0x220);
        bench_write(F1_CR, 0x260);
        bench_write(F1_CR, 0x210);
        bench_write_width(F1_OPTIONS, 2, 0xA5);
        bench_write_width(F1_OPTIONS + 8, 2, 0xFE); /* the first four pages */
        ck_assert_uint_eq(bench_read(F1_WRPR), 0xFFFFFFFE);
        bench_write(F1_CR, F1_PG);
        bench_write(F1_SR, 0x34);
        bench_write_width(FLASH, 2, 0);
        ck_assert_uint_eq(bench_read(F1_SR), 1u << 4);
        bench_write(F1_SR, 0x34);
        bench_write_width(FLASH + 0x1000, 2, 0);
        ck_assert_uint_eq(bench_read(F1_SR), F1_EOP);
        bench_stop();
}
END_TEST

/* r0 source, r1 destination, r2 half-words, r3 FLASH registers: store, wait while BSY, repeat. */
#define LOADER_F1                                                             \
        0x2401, 0x611C,         /* movs r4, #1; str r4, [r3, #16]: CR = PG */ \
                0x8804, 0x800C, /* ldrh r4, [r0]; strh r4, [r1] */            \
                0x3002, 0x3102, /* adds r0, #2; adds r1, #2 */                \
                0x68DC, 0x2501, /* busy: ldr r4, [r3, #12]; movs r5, #1 */    \
                0x422C, 0xD1FB, /* tst r4, r5; bne busy */                    \
                0x3A01, 0xD1F5, /* subs r2, #1; bne */                        \
                0xBE00

START_TEST(test_f1_loader) {
        uint8_t data[1024], back[1024];
        TargetAccess access = { .width = 4, .increment = true, .address = FLASH + 0x800 };
        uint32_t fault;

        bench_start("f103");
        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (uint8_t) (i * 13 + 1);
        bench_load(RAM, LOADER_F1);
        ck_assert_int_eq(target_load(bench_target, RAM + 0x400, data, sizeof(data)), 0);
        unlock(F1_KEYR);
        bench_write(DHCSR, HALT);
        bench_set_register(0, RAM + 0x400);
        bench_set_register(1, FLASH + 0x800);
        bench_set_register(2, sizeof(data) / 2);
        bench_set_register(3, 0x40022000);
        bench_run(RAM, 100000);
        bench_expect_state(S_HALT);
        ck_assert_uint_eq(bench_get_register(2), 0);
        ck_assert_uint_eq(bench_get_register(REG_PC), RAM + 24);
        ck_assert_uint_eq(bench_read(F1_SR), F1_EOP);
        ck_assert_int_eq(target_read_memory(bench_target, &access, back, sizeof(back), &fault),
                         SWD_ACK_OK);
        ck_assert_mem_eq(back, data, sizeof(data));
        bench_stop();
}
END_TEST

/* A program that patches the flash it then runs must see the patch. */
START_TEST(test_f1_reprogram_own_code) {
        bench_start("f103");
        bench_load(FLASH + 0x800, 0x2011, 0xBE00); /* movs r0, #17; bkpt */
        bench_run(FLASH + 0x800, 10);
        ck_assert_uint_eq(bench_get_register(0), 17);
        unlock(F1_KEYR);
        bench_write(F1_CR, F1_PG);
        /* strh r1, [r2]; bx r3: movs r0, #0 over the old one */
        bench_load(RAM, 0x8011, 0x4718);
        bench_set_register(1, 0x0000);
        bench_set_register(2, FLASH + 0x800);
        bench_set_register(3, FLASH + 0x801);
        bench_run(RAM, 10);
        ck_assert_uint_eq(bench_read_width(FLASH + 0x800, 2), 0);
        ck_assert_uint_eq(bench_get_register(REG_PC), FLASH + 0x802);
        ck_assert_uint_eq(bench_get_register(0), 17); /* 0000 is movs r0, r0 */
        bench_write(F1_AR, FLASH + 0x800);
        bench_write(F1_CR, F1_PER | F1_STRT);
        ck_assert_uint_eq(bench_read(FLASH + 0x800), UINT32_MAX);
        bench_run(FLASH + 0x800, 10);
        ck_assert_uint_ne(bench_get_register(REG_PC), FLASH + 0x802);
        bench_stop();
}
END_TEST

START_TEST(test_f4) {
        bench_start("f411");
        ck_assert_uint_eq(bench_read(F4_CR), 1u << 31);
        unlock(F4_KEYR);
        ck_assert_uint_eq(bench_read(F4_CR), 0);
        bench_write(FLASH + 0x10, 0x12345678);
        ck_assert_uint_eq(bench_read(F4_SR), 1u << 7); /* PGSERR: PG is not set */
        ck_assert_uint_eq(bench_read(FLASH + 0x10), UINT32_MAX);
        bench_write(F4_SR, 0xF0);
        bench_write(F4_CR, 0x201); /* PG, words */
        bench_write(FLASH + 0x10, 0x12345678);
        ck_assert_uint_eq(bench_read(F4_SR), 0);
        ck_assert_uint_eq(bench_read(FLASH + 0x10), 0x12345678);
        bench_write_width(FLASH + 0x14, 1, 0);
        ck_assert_uint_eq(bench_read(F4_SR), 1u << 6); /* PGPERR */
        ck_assert_uint_eq(bench_read(FLASH + 0x14), UINT32_MAX);
        bench_write(F4_SR, 0xF0);
        bench_write(F4_CR, 0x001); /* bytes */
        bench_write_width(FLASH + 0x14, 1, 0x42);
        ck_assert_uint_eq(bench_read(FLASH + 0x14), 0xFFFFFF42);
        ck_assert_uint_eq(bench_read_width(F4_SR + 2, 2), 0); /* as loaders look at BSY */
        bench_stop();
}
END_TEST

typedef struct Sector {
        unsigned number;
        uint32_t base;
        uint32_t size;
} Sector;

static const Sector sectors[] = {
        { 0, 0, 0x4000 },        { 3, 0xC000, 0x4000 },   { 4, 0x10000, 0x10000 },
        { 5, 0x20000, 0x20000 }, { 7, 0x60000, 0x20000 },
};

START_TEST(test_f4_sectors) {
        const Sector *sector = &sectors[_i];
        static uint8_t data[512 * 1024];

        bench_start("f411");
        memset(data, 0, sizeof(data));
        ck_assert_int_eq(target_load(bench_target, FLASH, data, sizeof(data)), 0);
        unlock(F4_KEYR);
        bench_write(F4_CR, 0x2 | sector->number << 3);
        bench_write(F4_CR, 0x10002 | sector->number << 3);
        ck_assert_uint_eq(bench_read(FLASH + sector->base), UINT32_MAX);
        ck_assert_uint_eq(bench_read(FLASH + sector->base + sector->size - 4), UINT32_MAX);
        if (sector->base > 0)
                ck_assert_uint_eq(bench_read(FLASH + sector->base - 4), 0);
        if (sector->base + sector->size < sizeof(data))
                ck_assert_uint_eq(bench_read(FLASH + sector->base + sector->size), 0);
        bench_write(F4_CR, 0x10004); /* MER */
        ck_assert_uint_eq(bench_read(FLASH + 0x1FFFC), UINT32_MAX);
        bench_stop();
}
END_TEST

START_TEST(test_f4_options) {
        bench_start("f411");
        ck_assert_uint_eq(bench_read(F4_OPTCR), 0x0FFFAAED);
        bench_write(F4_OPTCR, 0x0FFF55EC);
        ck_assert_uint_eq(bench_read(F4_OPTCR), 0x0FFFAAED);
        bench_write(F4_OPTKEYR, OPTKEY1);
        bench_write(F4_OPTKEYR, OPTKEY2);
        ck_assert_uint_eq(bench_read(F4_OPTCR), 0x0FFFAAEC);
        bench_write(F4_OPTCR, 0x0FFEAAEE);
        unlock(F4_KEYR);
        bench_write(F4_CR, 0x201);
        bench_write(FLASH, 0);
        ck_assert_uint_eq(bench_read(F4_SR), 1u << 4); /* WRPERR */
        ck_assert_uint_eq(bench_read(FLASH), UINT32_MAX);
        bench_write(FLASH + 0x4000, 0);
        ck_assert_uint_eq(bench_read(FLASH + 0x4000), 0);
        bench_stop();
}
END_TEST

/* r0 source, r1 destination, r2 words, r3 FLASH registers. */
START_TEST(test_f4_loader) {
        uint8_t data[2048], back[2048];
        TargetAccess access = { .width = 4, .increment = true, .address = FLASH + 0x4000 };
        uint32_t fault;

        bench_start("f411");
        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (uint8_t) (i * 7 + 3);
        /* ldr r4, [r0]; str r4, [r1]; adds; adds; busy: ldrh r4, [r3, #14]; cmp r4, #0; bne busy;
         * subs r2, #1; bne; bkpt */
        bench_load(RAM, 0x6804, 0x600C, 0x3004, 0x3104, 0x89DC, 0x2C00, 0xD1FC, 0x3A01, 0xD1F6,
                   0xBE00);
        ck_assert_int_eq(target_load(bench_target, RAM + 0x400, data, sizeof(data)), 0);
        unlock(F4_KEYR);
        bench_write(F4_CR, 0x201);
        bench_write(DHCSR, HALT);
        bench_set_register(0, RAM + 0x400);
        bench_set_register(1, FLASH + 0x4000);
        bench_set_register(2, sizeof(data) / 4);
        bench_set_register(3, 0x40023C00);
        bench_run(RAM, 100000);
        bench_expect_state(S_HALT);
        ck_assert_uint_eq(bench_get_register(2), 0);
        ck_assert_uint_eq(bench_read(F4_SR), 0);
        ck_assert_int_eq(target_read_memory(bench_target, &access, back, sizeof(back), &fault),
                         SWD_ACK_OK);
        ck_assert_mem_eq(back, data, sizeof(data));
        bench_stop();
}
END_TEST

START_TEST(test_g0) {
        bench_start("g071");
        ck_assert_uint_eq(bench_read(G0_CR), 0xC0000000);
        ck_assert_uint_eq(bench_read(G0_OPTR) & 0xFF, 0xAA);
        unlock(G0_KEYR);
        bench_write(G0_CR, 1);
        bench_write(FLASH + 0x800, 0x11111111);
        bench_write(FLASH + 0x804, 0x22222222);
        ck_assert_uint_eq(bench_read(FLASH + 0x804), 0x22222222);
        ck_assert_uint_eq(bench_read(G0_SR), 0);
        bench_write(FLASH + 0x800, 0x33333333);
        ck_assert_uint_eq(bench_read(G0_SR), 1u << 3); /* PROGERR */
        bench_write(G0_SR, 1u << 3);
        bench_write_width(FLASH + 0x808, 2, 0);
        ck_assert_uint_eq(bench_read(G0_SR), 1u << 6); /* SIZERR */
        bench_write(G0_CR, 0x10000 | 1u << 3 | 2);     /* page 1 */
        ck_assert_uint_eq(bench_read(FLASH + 0x800), UINT32_MAX);
        bench_stop();
}
END_TEST

START_TEST(test_h7) {
        bench_start("h743");
        unlock(H7_KEYR1);
        bench_write(H7_CR1, 0x32);
        for (uint32_t i = 0; i < 32; i += 4)
                bench_write(FLASH + i, 0x01010101 * i);
        ck_assert_uint_eq(bench_read(FLASH + 28), 0x1C1C1C1C);
        ck_assert_uint_eq(bench_read(H7_SR1), 1u << 16);
        bench_write(H7_CCR1, 1u << 16);
        ck_assert_uint_eq(bench_read(H7_SR1), 0);
        ck_assert_uint_eq(bench_read(H7_CR2), 1); /* the other bank is still locked */
        bench_write(FLASH + 0x100000, 0);
        ck_assert_uint_eq(bench_read(FLASH + 0x100000), UINT32_MAX);
        unlock(H7_KEYR2);
        bench_write(H7_CR2, 2);
        bench_write(FLASH + 0x100000, 0);
        ck_assert_uint_eq(bench_read(FLASH + 0x100000), 0);
        bench_write(H7_CR2, 0x84);
        ck_assert_uint_eq(bench_read(FLASH + 0x100000), UINT32_MAX);
        ck_assert_uint_eq(bench_read(FLASH + 4), 0x04040404);
        bench_stop();
}
END_TEST

int main(void) {
        Suite *suite = suite_create("target-flash");
        TCase *tcase = tcase_create("flash");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, test_f1_locked);
        tcase_add_test(tcase, test_f1_program);
        tcase_add_test(tcase, test_f1_erase);
        tcase_add_test(tcase, test_f1_unprotect);
        tcase_add_test(tcase, test_f1_write_protection);
        tcase_add_test(tcase, test_f1_loader);
        tcase_add_test(tcase, test_f1_reprogram_own_code);
        tcase_add_test(tcase, test_f4);
        tcase_add_loop_test(tcase, test_f4_sectors, 0, ELEMENTSOF(sectors));
        tcase_add_test(tcase, test_f4_options);
        tcase_add_test(tcase, test_f4_loader);
        tcase_add_test(tcase, test_g0);
        tcase_add_test(tcase, test_h7);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
