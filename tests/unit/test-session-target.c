/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "conversation.h"
#include "proto/session.h"
#include "proto/status.h"

static const Conversation enter = {
        "enter SWD", SESSION_ENTER_SWD, {}, 0, { F1_V2, IDLE, DIVISOR, ENTER }
};

#define CPUID_READ "F2 36 00ED00E0"

typedef struct TargetCase {
        Conversation conversation;
        ProbeTarget target;
        const char *chip;
} TargetCase;

static const TargetCase targets[] = {
        { { "F411",
            SESSION_IDENTIFY_TARGET,
            {},
            0,
            { { "F2 31", "80000000 7714A02B 00000000" },
              { CPUID_READ, "80000000 41C20F41" },
              { "F2 36 002004E0", "80000000 31640010" },
              { "F2 36 207AFF1F", "80000000 FFFF0002" } } },
          { 0x2BA01477, 0x410FC241, 0x10006431, NULL, 512, STATUS_OK },
          "STM32F411" },
        { { "F103",
            SESSION_IDENTIFY_TARGET,
            {},
            0,
            { { "F2 31", "80000000 7714A01B 00000000" },
              { CPUID_READ, "80000000 31C21F41" },
              { "F2 36 002004E0", "80000000 10640320" },
              { "F2 36 E0F7FF1F", "80000000 8000FFFF" } } },
          { 0x1BA01477, 0x411FC231, 0x20036410, NULL, 128, STATUS_OK },
          "STM32F10x medium density" },
        { { "G071",
            SESSION_IDENTIFY_TARGET,
            {},
            0,
            { { "F2 31", "80000000 7714C10B 00000000" },
              { CPUID_READ, "80000000 01C60C41" },
              { "F2 36 00580140", "80000000 60640020" },
              { "F2 36 E075FF1F", "80000000 80000000" } } },
          { 0x0BC11477, 0x410CC601, 0x20006460, NULL, 128, STATUS_OK },
          "STM32G07x/G08x" },
        { { "H743",
            SESSION_IDENTIFY_TARGET,
            {},
            0,
            { { "F2 31", "80000000 7724A06B 00000000" },
              { CPUID_READ, "80000000 71C21F41" },
              { "F2 36 0010005C", "80000000 50640320" },
              { "F2 36 80E8F11F", "80000000 00080000" } } },
          { 0x6BA02477, 0x411FC271, 0x20036450, NULL, 2048, STATUS_OK },
          "STM32H74x/H75x" },
        { { "M7 whose first address faults",
            SESSION_IDENTIFY_TARGET,
            {},
            0,
            { { "F2 31", "80000000 7724A06B 00000000" },
              { CPUID_READ, "80000000 71C21F41" },
              { "F2 36 0010005C", "11000000 00000000" },
              { "F2 46 FFFF 0000 1E000000", OK },
              { "F2 36 002004E0", "80000000 49640110" },
              { "F2 36 40F4F01F", "80000000 FFFF0004" } } },
          { 0x6BA02477, 0x411FC271, 0x10016449, NULL, 1024, STATUS_OK },
          "STM32F74x/F75x" },
        { { "flash size that is refused",
            SESSION_IDENTIFY_TARGET,
            {},
            0,
            { { "F2 31", "80000000 7714A02B 00000000" },
              { CPUID_READ, "80000000 41C20F41" },
              { "F2 36 002004E0", "80000000 31640010" },
              { "F2 36 207AFF1F", "11000000 00000000" },
              { "F2 46 FFFF 0000 1E000000", OK } } },
          { 0x2BA01477, 0x410FC241, 0x10006431, NULL, 0, STATUS_AP_FAULT },
          "STM32F411" },
        { { "chip of another maker",
            SESSION_IDENTIFY_TARGET,
            {},
            0,
            { { "F2 31", "80000000 7714A02B 00000000" },
              { CPUID_READ, "80000000 41C20F41" },
              { "F2 36 002004E0", "80000000 99090010" } } },
          { 0x2BA01477, 0x410FC241, 0x10000999, NULL, 0, STATUS_OK },
          NULL },
        { { "no IDCODE",
            SESSION_IDENTIFY_TARGET,
            {},
            0,
            { { "F2 31", "80000000 7714A02B 00000000" },
              { CPUID_READ, "80000000 41C20F41" },
              { "F2 36 002004E0", "80000000 00000000" } } },
          { 0x2BA01477, 0x410FC241, 0, NULL, 0, STATUS_OK },
          NULL },
        { { "core that cannot be read",
            SESSION_IDENTIFY_TARGET,
            {},
            0,
            { { "F2 31", "80000000 7714A02B 00000000" }, { CPUID_READ, "16000000 00000000" } } },
          { 0x2BA01477, 0, 0, NULL, 0, STATUS_DP_ERROR },
          NULL },
        { { "core we do not know",
            SESSION_IDENTIFY_TARGET,
            {},
            0,
            { { "F2 31", "80000000 7714A02B 00000000" }, { CPUID_READ, "80000000 FFFFFFFF" } } },
          { 0x2BA01477, 0xFFFFFFFF, 0, NULL, 0, STATUS_OK },
          NULL },
        { { "nothing at all",
            SESSION_IDENTIFY_TARGET,
            {},
            -EREMOTEIO,
            { { "F2 31", "16000000 00000000 00000000" } } },
          { .status = STATUS_OK },
          NULL },
        { { "unplugged in the middle",
            SESSION_IDENTIFY_TARGET,
            {},
            -ENODEV,
            { { "F2 31", "80000000 7714A02B 00000000" }, { CPUID_READ, "", -ENODEV } } },
          { 0x2BA01477, 0, 0, NULL, 0, STATUS_OK },
          NULL },
};

START_TEST(plan_target) {
        const TargetCase *c = &targets[_i];
        Session session;

        session_init(&session, &enter.options);
        play(&session, &enter);
        play(&session, &c->conversation);
        ck_assert_uint_eq(session.target.dpidr, c->target.dpidr);
        ck_assert_uint_eq(session.target.cpuid, c->target.cpuid);
        ck_assert_uint_eq(session.target.idcode, c->target.idcode);
        ck_assert_uint_eq(session.target.flash_kib, c->target.flash_kib);
        ck_assert_uint_eq(session.target.status, c->target.status);
        if (c->chip)
                ck_assert_str_eq(session.target.chip->name, c->chip);
        else
                ck_assert_ptr_null(session.target.chip);
        if (_i == 0)
                ck_assert_uint_eq(session.info.commands, 8);
        if (c->conversation.result == -EREMOTEIO)
                ck_assert_uint_eq(session.status, STATUS_DP_ERROR);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("session-target");
        TCase *tcase = tcase_create("session-target");
        SRunner *runner;
        int failed;

        tcase_add_loop_test(tcase, plan_target, 0, ELEMENTSOF(targets));
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
