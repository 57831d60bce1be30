/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "firmware-bench.h"

/* The firmware's modes, versions, speeds, trace and SWIM. */

static const struct {
        const char *text;
        int result;
        uint16_t word;
} versions[] = {
        { "V2J37S7", 0, 0x2947 },     { "V2J37M27", 0, 0x295b },  { "V1J13S4", 0, 0x1344 },
        { "V3J10M3B5S1", 0, 0x3000 }, { "V4J6B2P6", 0, 0x4000 },  { "V2S7", 0, 0x2007 },
        { "V2M25S10", 0, 0x264a }, /* STM8 on V2-1: M and S */
        { "", -EINVAL, 0 },           { "V", -EINVAL, 0 },        { "J37", -EINVAL, 0 },
        { "V2J", -EINVAL, 0 },        { "V2J37J38", -EINVAL, 0 }, { "V2J64S7", -EINVAL, 0 },
        { "V2J37S7M7", -EINVAL, 0 },  { "V2J37X1", -EINVAL, 0 },  { "V5J1", -EINVAL, 0 },
        { "V0J1", -EINVAL, 0 },       { "V2B1", -EINVAL, 0 },     { "V3J256", -EINVAL, 0 },
        { "V2J37 ", -EINVAL, 0 },     { "v2j37", -EINVAL, 0 },
};

START_TEST(test_versions) {
        FirmwareVersion version = { .hardware = 99 };

        ck_assert_int_eq(firmware_version_parse(versions[_i].text, &version), versions[_i].result);
        if (versions[_i].result == 0)
                ck_assert_uint_eq(firmware_version_word(&version), versions[_i].word);
        else
                ck_assert_uint_eq(version.hardware, 99);
}
END_TEST

START_TEST(test_v2_rests_in_loader) {
        const uint8_t *data;

        start(FIRMWARE_V2, "V2J37S7");
        data = ASK("\xf5");
        ck_assert_mem_eq(data, "\0\1", 2);
        /* What the boot loader does not know it does not answer. */
        ck_assert_ptr_null(ASK("\xf7"));
        ck_assert_ptr_null(ASK("\xf2\x30\xa3"));
        ck_assert_ptr_null(ASK("\xf3\x07"));
        ck_assert_int_eq(bench.answer->next, FIRMWARE_DONE);
        data = ASK("\xf5");
        ck_assert_mem_eq(data, "\1\0", 2);
        firmware_power_on(bench.firmware);
        expect_mode(FIRMWARE_MODE_LOADER);
        stop();
}
END_TEST

START_TEST(test_exit_can_reenumerate) {
        start(FIRMWARE_V2, "V2J37S7");
        firmware_tuning(bench.firmware)->restart_on_exit = true;
        ASK("\xf3\x07");
        ck_assert_int_eq(bench.answer->next, FIRMWARE_RESTARTS);
        ck_assert_int_eq(firmware_get_mode(bench.firmware), FIRMWARE_MODE_MASS);
        stop();
}
END_TEST

START_TEST(test_loader_and_back) {
        const uint8_t *data;

        start(FIRMWARE_V2_1, "V2J45M31");
        expect_mode(FIRMWARE_MODE_MASS);
        data = ASK("\xf1\x80");
        ck_assert_mem_eq(data, "\x2b\x5f\x83\x04\x4b\x37", 6);
        ck_assert_uint_eq(STATUS("\xf9\x00"), 0x80);
        ASK("\xf9\x01");
        ck_assert_int_eq(bench.answer->next, FIRMWARE_RESTARTS);
        data = ASK("\xf5");
        ck_assert_mem_eq(data, "\0\2", 2);
        data = ASK("\xf1\x80");
        ck_assert_mem_eq(data, "\x2b\x5f\x83\x04\x48\x37", 6);
        ASK("\xf3\x07");
        ck_assert_int_eq(bench.answer->next, FIRMWARE_RESTARTS);
        expect_mode(FIRMWARE_MODE_MASS);
        stop();
}
END_TEST

START_TEST(test_no_application) {
        start(FIRMWARE_V2_1, "V2J45M31");
        firmware_set_application(bench.firmware, false);
        firmware_power_on(bench.firmware);
        expect_mode(FIRMWARE_MODE_LOADER);
        ASK("\xf3\x07");
        ck_assert_int_eq(bench.answer->next, FIRMWARE_DONE);
        expect_mode(FIRMWARE_MODE_LOADER);
        ck_assert_int_eq(firmware_set_mode(bench.firmware, FIRMWARE_MODE_MASS), -EINVAL);
        stop();
}
END_TEST

START_TEST(test_mode_transitions) {
        start(FIRMWARE_V2_1, "V2J37S7");
        expect_mode(FIRMWARE_MODE_MASS);
        ck_assert_ptr_null(ASK("\xf2\x21")); /* nothing to leave */
        ck_assert_ptr_null(ASK("\xf3\x07"));
        expect_mode(FIRMWARE_MODE_MASS);
        ck_assert_uint_eq(STATUS("\xf2\x30\xa3"), 0x80);
        expect_mode(FIRMWARE_MODE_DEBUG);
        ck_assert_uint_eq(STATUS("\xf2\x30\xa3"), 0x80); /* again */
        ck_assert_ptr_null(ASK("\xf4\x00"));             /* not from here */
        expect_mode(FIRMWARE_MODE_DEBUG);
        ck_assert_ptr_null(ASK("\xf2\x21"));
        expect_mode(FIRMWARE_MODE_MASS);
        ck_assert_ptr_null(ASK("\xf4\x00"));
        expect_mode(FIRMWARE_MODE_SWIM);
        ck_assert_uint_eq(STATUS("\xf2\x30\xa3"), 0x0e);
        ck_assert_ptr_null(ASK("\xf2\x21"));
        expect_mode(FIRMWARE_MODE_SWIM);
        ck_assert_ptr_null(ASK("\xf4\x01"));
        expect_mode(FIRMWARE_MODE_MASS);
        stop();
}
END_TEST

START_TEST(test_entry_statuses) {
        start(FIRMWARE_V2_1, "V2J37M27");
        ck_assert_uint_eq(STATUS("\xf2\x30\xa4"), 0x05); /* JTAG */
        ck_assert_uint_eq(STATUS("\xf2\x30\x00"), 0x05);
        ck_assert_uint_eq(STATUS("\xf2\x30\x55"), 0x08);
        bench.fake->condition.absent = true;
        ck_assert_uint_eq(STATUS("\xf2\x30\xa3"), 0x09);
        expect_mode(FIRMWARE_MODE_MASS);
        bench.fake->condition.absent = false;
        bench.fake->powers_up = false;
        ck_assert_uint_eq(STATUS("\xf2\x30\xa3"), 0x0b);
        expect_mode(FIRMWARE_MODE_MASS);
        ck_assert_uint_eq(firmware_get_swd_entered_at(bench.firmware), 0);
        bench.fake->powers_up = true;
        ck_assert_uint_eq(STATUS("\xf2\x30\xa3"), 0x80);
        ck_assert_uint_eq(firmware_get_swd_entered_at(bench.firmware), 8);
        ck_assert_uint_eq(firmware_get_commands(bench.firmware), 8);
        stop();
}
END_TEST

/* API v1 enters without an answer, on V1 with the only command there is. */
START_TEST(test_api1) {
        const uint8_t *data;

        start(FIRMWARE_V1, "V1J10S4");
        expect_mode(FIRMWARE_MODE_MASS);
        ck_assert_ptr_null(ASK("\xf2\x30\xa3"));
        ck_assert(bench.answer->failed);
        ck_assert_ptr_null(ASK("\xf2\x20\xa3"));
        ck_assert(!bench.answer->failed);
        expect_mode(FIRMWARE_MODE_DEBUG);
        data = ASK("\xf2\x22");
        ck_assert_uint_eq(bench.answer->size, 4);
        ck_assert_uint_eq(get_le32(data), 0x1ba01477);
        ck_assert_uint_eq(STATUS("\xf2\x01"), 0x80);
        ck_assert_uint_eq(STATUS("\xf2\x02"), 0x80); /* halt */
        ck_assert_uint_eq(STATUS("\xf2\x01"), 0x81);
        ck_assert_uint_eq(STATUS("\xf2\x06\x03\x78\x56\x34\x12"), 0x80);
        data = ASK("\xf2\x05\x03");
        ck_assert_uint_eq(bench.answer->size, 4);
        ck_assert_uint_eq(get_le32(data), 0x12345678);
        data = ASK("\xf2\x04");
        ck_assert_uint_eq(bench.answer->size, 84);
        ck_assert_uint_eq(get_le32(data + 12), 0x12345678);
        ck_assert_uint_eq(STATUS("\xf2\x0f\x10\0\0\x20\x44\x33\x22\x11"), 0x80);
        ck_assert_uint_eq(get_le32(bench.fake->memory + 16), 0x11223344);
        ck_assert_uint_eq(STATUS("\xf2\x03"), 0x80);
        ck_assert_uint_eq(bench.fake->counters.resets, 1);
        ck_assert_uint_eq(STATUS("\xf2\x09"), 0x80); /* run */
        ck_assert_uint_eq(STATUS("\xf2\x01"), 0x80);
        ck_assert_uint_eq(STATUS("\xf2\x0a"), 0x80);
        ck_assert_uint_eq(bench.fake->dhcsr, 0xa05f0005);
        stop();
}
END_TEST

/* Commands, and the first version that knows them: one older does not. */
static const struct {
        const char *command;
        unsigned size;
        FirmwareModel model;
        const char *since, *before;
} gates[] = {
        { "\xf7", 8, FIRMWARE_V2_1, "V2J13S1", "V2J12S1" },
        { "\xf2\x3e", 12, FIRMWARE_V2_1, "V2J15S1", "V2J14S1" },
        { "\xf2\x42", 2, FIRMWARE_V2_1, "V2J13S1", "V2J12S1" },
        { "\xf2\x43\x01", 2, FIRMWARE_V2_1, "V2J22S1", "V2J21S1" },
        { "\xf2\x44\x20", 2, FIRMWARE_V2_1, "V2J24S1", "V2J23S1" },
        { "\xf2\x45\xff\xff", 8, FIRMWARE_V2_1, "V2J24S1", "V2J23S1" },
        { "\xf2\x46\xff\xff\x08", 2, FIRMWARE_V2_1, "V2J24S1", "V2J23S1" },
        { "\xf2\x4b", 2, FIRMWARE_V2_1, "V2J28S1", "V2J27S1" },
        { "\xf2\x4c", 2, FIRMWARE_V2_1, "V2J28S1", "V2J27S1" },
        { "\xf2\x53", 4, FIRMWARE_V2_1, "V2J32S1", "V2J31S1" },
        { "\xf2\x53", 4, FIRMWARE_V3, "V3J2", "V3J1" },
        { "\xfd\x01", 2, FIRMWARE_V2_1, "V2J34S1", "V2J33S1" },
        { "\xfd\x01", 2, FIRMWARE_V3, "V3J4", "V3J3" },
        { "\xf2\x56", 128, FIRMWARE_V2_1, "V2J36S1", "V2J35S1" },
        { "\xf2\x56", 128, FIRMWARE_V3, "V3J6", "V3J5" },
        { "\xfb", 12, FIRMWARE_V3, "V3J1", NULL },
        { "\xfb", 12, FIRMWARE_V3PWR, "V4J6B2P6", NULL },
        { "\xfb", 2, FIRMWARE_V2_1, NULL, "V2J45M31" },
        { "\xf2\x43\x01", 2, FIRMWARE_V3, NULL, "V3J10" },
        { "\xf2\x61", 8, FIRMWARE_V3, "V3J1", NULL },
        { "\xf2\x61", 8, FIRMWARE_V2_1, NULL, "V2J45M31" },
        { "\xf2\x62", 52, FIRMWARE_V3, "V3J1", NULL },
        { "\xf2\x22", 4, FIRMWARE_V3, NULL, "V3J10" },
};

START_TEST(test_gates) {
        char command[16] = {};

        memcpy(command, gates[_i].command, strlen(gates[_i].command));
        if (gates[_i].since) {
                start(gates[_i].model, gates[_i].since);
                ck_assert_uint_eq(STATUS("\xf2\x30\xa3"), 0x80);
                ck_assert_ptr_nonnull(ask(command, 16));
                ck_assert_uint_eq(bench.answer->size, gates[_i].size);
                stop();
        }
        if (gates[_i].before) {
                start(gates[_i].model, gates[_i].before);
                ck_assert_uint_eq(ask_status(command, 16), 0x42);
                ck_assert_uint_eq(bench.answer->size, 2);
                stop();
        }
}
END_TEST

START_TEST(test_misc_versions) {
        const uint8_t *data;

        start(FIRMWARE_V3, "V3J10M3B5S1");
        data = ASK("\xf1");
        ck_assert_mem_eq(data, "\x30\0\x83\x04\x4b\x37", 6);
        data = ASK("\xfb\x80");
        ck_assert_mem_eq(data, "\3\1\x0a\3\5\0\0\0\x83\x04\x4b\x37", 12);
        stop();
        start(FIRMWARE_V3PWR, "V4J6B2P6");
        data = ASK("\xf5");
        ck_assert_mem_eq(data, "\1\4", 2); /* seen on a real one */
        stop();
        start(FIRMWARE_V2_1, "V2J28S1");
        ck_assert_uint_eq(STATUS("\xf2\x30\xa3"), 0x80);
        ck_assert_uint_ne(STATUS("\xf2\x4c\x00"), 0x80); /* wrong before J29 */
        stop();
        start(FIRMWARE_V2_1, "V2J37S7");
        ck_assert_uint_eq(STATUS("\xf9\x00"), 0x80);
        ck_assert_uint_eq(STATUS("\xf9\x07"), 0x06);
        ck_assert_uint_eq(STATUS("\xfa\x03"), 0x80);
        ck_assert_uint_eq(STATUS("\xfa\x04"), 0x06);
        ck_assert_uint_eq(STATUS("\xfd\x01"), 0x80);
        ck_assert_uint_eq(STATUS("\xfd\x02"), 0x06);
        ck_assert_uint_eq(STATUS("\xf3\x08"), 0x42);
        ck_assert_uint_eq(STATUS("\xee"), 0x42);
        data = ASK("\xf2\x56");
        ck_assert_mem_eq(data, "\x80\0\x30\x37\x34\x30", 6);
        stop();
        start(FIRMWARE_V2, "V2J37S7");
        ASK("\xf3\x07");
        ck_assert_uint_eq(STATUS("\xf9\x00"), 0x21);
        ck_assert_uint_eq(STATUS("\xf9\x01"), 0x06);
        stop();
}
END_TEST

START_TEST(test_voltage) {
        static const unsigned values[] = { 0, 1800, 3300, 5000 };

        start(FIRMWARE_V2_1, "V2J37S7");
        for (size_t i = 0; i < ELEMENTSOF(values); i++) {
                const uint8_t *data;
                double volts;

                bench.fake->millivolts = values[i];
                data = ASK("\xf7");
                volts = 2.0 * get_le32(data + 4) * 1.2 / get_le32(data);
                ck_assert_double_eq_tol(volts, values[i] / 1000.0, 0.002);
        }
        stop();
}
END_TEST

START_TEST(test_com_frequencies) {
        const uint8_t *data;
        uint32_t count, previous = UINT32_MAX;

        start(FIRMWARE_V3, "V3J10M3");
        data = ASK("\xf2\x62\x00");
        count = get_le32(data + 8);
        ck_assert_uint_ge(count, 2);
        ck_assert_uint_le(count, 10);
        for (size_t i = 0; i < count; i++) {
                ck_assert_uint_lt(get_le32(data + 12 + 4 * i), previous);
                previous = get_le32(data + 12 + 4 * i);
        }
        data = ASK("\xf2\x61\0\0\xa0\x0f\0\0"); /* 4000 */
        ck_assert_uint_eq(get_le32(data + 4), 3300);
        data = ASK("\xf2\x62\x00");
        ck_assert_uint_eq(get_le32(data + 4), 3300);
        data = ASK("\xf2\x61\0\0\1\0\0\0"); /* below all */
        ck_assert_uint_eq(get_le32(data + 4), previous);
        ck_assert_uint_eq(STATUS("\xf2\x61\2"), 0x08);
        ck_assert_uint_eq(STATUS("\xf2\x62\2"), 0x08);
        ck_assert_uint_eq(STATUS("\xf2\x63\2"), 0x40);
        ck_assert_uint_eq(STATUS("\xf2\x63\2"), 0x80);
        ck_assert_uint_eq(STATUS("\xf2\x63\3"), 0x41);
        stop();
}
END_TEST

START_TEST(test_trace) {
        uint8_t data[64];

        start_debug("V2J37S7");
        firmware_print(bench.firmware, "lost");
        ck_assert_uint_eq(STATUS("\xf2\x42"), 0);
        ck_assert_uint_eq(STATUS("\xf2\x40\0\0\x40\x42\x0f\0"), 0x08);
        ck_assert_uint_eq(STATUS("\xf2\x40\x08\0\xff\xff\xff\xff"), 0x41);
        ck_assert_uint_eq(STATUS("\xf2\x40\x08\0\x40\x42\x0f\0"), 0x80);
        firmware_print(bench.firmware, "hi");
        ck_assert_uint_eq(STATUS("\xf2\x42"), 4);
        ck_assert_uint_eq(firmware_read_trace(bench.firmware, data, 3), 3);
        ck_assert_mem_eq(data, "\1h\1", 3);
        firmware_print(bench.firmware, "overflow"); /* 8 bytes fit */
        ck_assert_uint_eq(STATUS("\xf2\x42"), 8);
        ck_assert_uint_eq(firmware_read_trace(bench.firmware, data, sizeof(data)), 8);
        ck_assert_mem_eq(data, "i\1o\1v\1e\1", 8);
        ck_assert_uint_eq(STATUS("\xf2\x41"), 0x80);
        firmware_print(bench.firmware, "lost");
        ck_assert_uint_eq(STATUS("\xf2\x42"), 0);
        firmware_tuning(bench.firmware)->swo = "x";
        ck_assert_uint_eq(STATUS("\xf2\x40\x08\0\x40\x42\x0f\0"), 0x80);
        ck_assert_uint_eq(STATUS("\xf2\x42"), 2);
        stop();
}
END_TEST

START_TEST(test_swim) {
        const uint8_t *data;

        start(FIRMWARE_V2_1, "V2J37S7");
        ck_assert_ptr_null(ASK("\xf4\x00"));
        data = ASK("\xf4\x02\x01");
        ck_assert_uint_eq(bench.answer->size, 8);
        ck_assert_mem_eq(data, "\0\1\2\6", 4);
        ck_assert_uint_eq(ASK("\xf4\x09")[0], 0);
        ck_assert_ptr_null(ASK("\xf4\x07"));
        ck_assert(bench.fake->nrst_low);
        ck_assert_ptr_null(ASK("\xf4\x08"));
        ck_assert(!bench.fake->nrst_low);
        ck_assert_ptr_null(ASK("\xf4\x04")); /* no STM8 to answer */
        ck_assert_uint_ne(ASK("\xf4\x09")[0], 0);
        ck_assert_ptr_null(ASK("\xf4\x0a\0\x08\0\0\x7f\x80")); /* all data in the command */
        ck_assert_int_eq(bench.answer->next, FIRMWARE_DONE);
        ck_assert_ptr_null(ASK("\xf4\x0a\0\x10\0\0\x7f\x80"));
        ck_assert_int_eq(bench.answer->next, FIRMWARE_RECEIVES);
        ck_assert_uint_eq(bench.answer->size, 8);
        (void) firmware_receive(bench.firmware, (const uint8_t[8]){}, 8);
        ck_assert_ptr_null(ASK("\xf4\x0b\0\x14\0\0\x7f\x80"));
        ck_assert_ptr_nonnull(ASK("\xf4\x0c"));
        ck_assert_uint_eq(bench.answer->size, 20);
        ck_assert_uint_eq(STATUS("\xf4\x7f"), 0x42);
        stop();
        start(FIRMWARE_V2_1, "V2J37M27"); /* no SWIM in there */
        ck_assert_uint_eq(STATUS("\xf4\x00"), 0x42);
        expect_mode(FIRMWARE_MODE_MASS);
        stop();
}
END_TEST

START_TEST(test_busy_and_instructions) {
        uint64_t before;

        start_debug("V2J37S7");
        before = bench.fake->instructions;
        firmware_tuning(bench.firmware)->instructions = 123;
        firmware_tuning(bench.firmware)->busy = true;
        ck_assert_uint_eq(STATUS("\xf2\x31"), 0x07);
        ck_assert_uint_eq(bench.fake->instructions, before + 123);
        expect_mode(FIRMWARE_MODE_DEBUG);
        ck_assert_ptr_null(ASK("\xf2\x21"));
        expect_mode(FIRMWARE_MODE_MASS);
        stop();
}
END_TEST

int main(void) {
        Suite *suite = suite_create("sim-firmware");
        TCase *tcase = tcase_create("firmware");
        SRunner *runner;
        int failed;

        tcase_add_loop_test(tcase, test_versions, 0, ELEMENTSOF(versions));
        tcase_add_test(tcase, test_v2_rests_in_loader);
        tcase_add_test(tcase, test_exit_can_reenumerate);
        tcase_add_test(tcase, test_loader_and_back);
        tcase_add_test(tcase, test_no_application);
        tcase_add_test(tcase, test_mode_transitions);
        tcase_add_test(tcase, test_entry_statuses);
        tcase_add_test(tcase, test_api1);
        tcase_add_loop_test(tcase, test_gates, 0, ELEMENTSOF(gates));
        tcase_add_test(tcase, test_misc_versions);
        tcase_add_test(tcase, test_voltage);
        tcase_add_test(tcase, test_com_frequencies);
        tcase_add_test(tcase, test_trace);
        tcase_add_test(tcase, test_swim);
        tcase_add_test(tcase, test_busy_and_instructions);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
