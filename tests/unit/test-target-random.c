/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sim/target/target.h"
#include "target-bench.h"

/* Nothing that a debugger or a program does may crash the simulator or keep it busy for ever:
 * random accesses and random memory as code. Runs are repeatable: the seed is printed when one
 * fails, and TARGET_RANDOM_STEPS asks for longer ones. */

#define STEPS 30000u

static uint64_t state;

static uint32_t any(void) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return (uint32_t) (state >> 16);
}

static uint32_t below(uint32_t limit) {
        return any() % limit;
}

/* Addresses where something is, or near it. */
static uint32_t any_address(void) {
        static const uint32_t places[] = {
                0x00000000, 0x08000000, 0x0800FFF0, 0x1FFFF7E0, 0x1FFF7800, 0x20000000, 0x20004FF8,
                0x22000000, 0x40000000, 0x40022000, 0x40023C00, 0x42000000, 0x52002000, 0x5C001000,
                0xE0001000, 0xE0002000, 0xE000E000, 0xE000ED00, 0xE000EDF0, 0xE0042000, 0xE00FF000,
        };
        if (below(20) == 0)
                return any();
        return places[below(ELEMENTSOF(places))] + below(0x140);
}

/* Values that mean something to some register. */
static uint32_t any_value(void) {
        static const uint32_t values[] = {
                0,          1,          2,          0x45670123, 0xCDEF89AB, 0x08192A3B, 0x4C5D6E7F,
                0xA05F0000, 0xA05F0001, 0xA05F0003, 0xA05F0005, 0x05FA0004, 0x05FA0001, 0x01000001,
                0x50000000, 0x20000101, 0x08000101, 0x20000000, 0x00010042, 0x000000A5, 0x7,
        };
        return below(3) == 0 ? any() : values[below(ELEMENTSOF(values))];
}

/* Half-words that decode to something more often than noise does. */
static uint16_t any_code(void) {
        static const uint16_t codes[] = {
                0xBE00, 0xDF00, 0xBF30, 0xBF20, 0xBF10, 0xBF08, 0xBF0C, 0xE7FE, 0xE7F0, 0x4770,
                0x4718, 0x4798, 0xF3EF, 0x8014, 0xF380, 0x8814, 0x8808, 0xB662, 0xB672, 0xB5FF,
                0xBDFF, 0x6008, 0x6801, 0xE9D0, 0x1200, 0xEE30, 0x0A20, 0xED2D, 0x8B10, 0xC8FF,
                0xF8D0, 0xF000, 0xF7FF, 0xFFFE, 0xDE00, 0x4600, 0x2000, 0x4408, 0xD1FC, 0xF3BF,
        };
        return below(2) == 0 ? (uint16_t) any() : codes[below(ELEMENTSOF(codes))];
}

static void fill_code(Target *target) {
        static const uint32_t bases[] = { 0x20000000, 0x20000100, 0x08000000, 0x08000100,
                                          0x20000FF0, 0x20004FC0, 0x0800FFC0 };
        uint8_t data[64];

        for (size_t i = 0; i < sizeof(data); i += 2)
                put_le16(data + i, any_code());
        (void) target_load(target, bases[below(ELEMENTSOF(bases))], data, sizeof(data));
}

static void access_block(Target *target) {
        static uint8_t data[3000];
        TargetAccess access = {
                .ap = (uint8_t) (below(10) == 0 ? below(4) : 0),
                .width = (uint8_t) (1u << below(3)),
                .increment = below(8) != 0,
                .csw = below(3) == 0 ? any() : 0,
                .address = any_address(),
        };
        size_t size = access.width * (below(20) == 0 ? below(700) : below(6));
        uint32_t fault = 0;

        if (below(2) == 0) {
                (void) target_read_memory(target, &access, data, size, &fault);
                return;
        }
        for (size_t i = 0; i + 4 <= sizeof(data) && i < size; i += 4)
                put_le32(data + i, any_value());
        (void) target_write_memory(target, &access, data, size, &fault);
}

static void access_port(Target *target) {
        uint32_t value;

        switch (below(5)) {
        case 0:
                (void) target_dp_read(target, (uint8_t) any(), &value);
                break;
        case 1:
                (void) target_dp_write(target, (uint8_t) any(), any_value());
                break;
        case 2:
                (void) target_ap_read(target, (uint8_t) below(4), (uint8_t) any(), &value);
                break;
        case 3:
                (void) target_ap_write(target, (uint8_t) below(4), (uint8_t) any(), any_value());
                break;
        default:
                (void) target_swd_connect(target, &value);
                break;
        }
}

static void revive(Target *target) {
        uint32_t value;

        target_set_condition(target, &(TargetCondition){});
        target_set_nrst(target, false);
        (void) target_swd_connect(target, &value);
        (void) target_dp_write(target, 0, 0x1E);
        (void) target_dp_write(target, 8, 0);
        (void) target_dp_write(target, 4, 0x50000000);
}

static void change_condition(Target *target) {
        TargetCondition condition = {
                .absent = below(8) == 0,
                .unpowered = below(8) == 0,
                .asleep = below(8) == 0,
                .pins_remapped = below(8) == 0,
                .nrst_not_wired = below(8) == 0,
                .rdp = (TargetRdp) below(3),
        };
        target_set_condition(target, &condition);
}

static void word(Target *target, uint32_t address, uint32_t value) {
        TargetAccess access = { .width = 4, .increment = true, .address = address };
        uint8_t data[4];
        uint32_t fault;

        put_le32(data, value);
        if (target_write_memory(target, &access, data, 4, &fault) == SWD_ACK_FAULT)
                (void) target_dp_write(target, 0, 0x1E);
}

/* Start the core at code that is probably nonsense, with registers that point somewhere. */
static void launch(Target *target) {
        static const uint32_t starts[] = { 0x20000000, 0x20000100, 0x08000100, 0x100,
                                           0x20000FF0, 0x20004FC0, 0x0800FFC0, 0x40000000 };

        word(target, DHCSR, HALT);
        for (uint32_t i = 0; i < 15; i++) {
                word(target, DCRDR, below(3) == 0 ? any() : any_address());
                word(target, DCRSR, i | 1u << 16);
        }
        word(target, DCRDR, below(4) == 0 ? any() : 1u << 24);
        word(target, DCRSR, REG_XPSR | 1u << 16);
        word(target, DCRDR, below(4) == 0 ? any() : 0);
        word(target, DCRSR, REG_SPECIAL | 1u << 16);
        word(target, DCRDR, starts[below(ELEMENTSOF(starts))]);
        word(target, DCRSR, REG_PC | 1u << 16);
        word(target, DHCSR, below(4) == 0 ? LET_GO : RUN);
}

static void step(Target *target) {
        switch (below(16)) {
        case 0 ... 4:
                access_block(target);
                break;
        case 5:
                access_port(target);
                break;
        case 6 ... 8:
                fill_code(target);
                break;
        case 9 ... 11:
                launch(target);
                target_run(target, below(300));
                break;
        case 12:
                target_set_nrst(target, below(2) == 0);
                break;
        case 13:
                if (below(4) == 0)
                        change_condition(target);
                break;
        case 14:
                revive(target);
                break;
        default:
                target_run(target, below(2000));
                break;
        }
}

static unsigned get_steps(void) {
        const char *text = getenv("TARGET_RANDOM_STEPS");
        return text ? (unsigned) strtoul(text, NULL, 10) : STEPS;
}

START_TEST(test_random) {
        Target *target = NULL;
        unsigned steps = get_steps();

        ck_assert_int_eq(target_new(target_chip_name((size_t) _i), &target), 0);
        state = 0x9E3779B97F4A7C15ull + (uint64_t) _i;
        for (unsigned i = 0; i < steps; i++)
                step(target);

        /* After all that it is still a target. */
        revive(target);
        bench_target = target;
        target_set_nrst(target, true);
        bench_write(DHCSR, HALT);
        bench_write(DEMCR, 1);
        target_set_nrst(target, false);
        bench_expect_state(S_HALT);
        bench_load(RAM, 0x2005, 0x3801, 0xD1FD, 0xBE00);
        bench_run(RAM, 100);
        ck_assert_uint_eq(bench_get_register(REG_PC), RAM + 6);
        ck_assert_uint_eq(bench_get_register(0), 0);
        bench_stop();
}
END_TEST

int main(void) {
        Suite *suite = suite_create("target-random");
        TCase *tcase = tcase_create("random");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 600);
        tcase_add_loop_test(tcase, test_random, 0, 4);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
