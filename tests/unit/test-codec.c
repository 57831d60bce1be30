/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "proto/codec.h"
#include "proto/scsi.h"
#include "proto/status.h"
#include "wire.h"

/* Commands as the reference has them (stlink-protocol §3), and the length of the answers. */
START_TEST(commands) {
        const struct {
                Command command;
                const char *bytes;
                size_t in, out;
        } cases[] = {
                { command_get_version(), "F1", 6, 0 },
                { command_get_mode(), "F5", 2, 0 },
                { command_get_voltage(), "F7", 8, 0 },
                { command_get_version_ex(), "FB", 12, 0 },
                { command_loader_get_state(), "F3 03", 6, 0 },
                { command_loader_exit(), "F3 07", 0, 0 },
                { command_swim_exit(), "F4 01", 0, 0 },
                { command_enter_swd(), "F2 30 A3 00", 2, 0 },
                { command_exit_debug(), "F2 21", 0, 0 },
                { command_read_idcodes(), "F2 31", 12, 0 },
                { command_reset_target(), "F2 32", 2, 0 },
                { command_read_word(0xE000ED00), "F2 36 00 ED 00 E0", 8, 0 },
                { command_write_word(0xE000EDF0, 0xA05F0003), "F2 35 F0 ED 00 E0 03 00 5F A0", 2,
                  0 },
                { command_read_core_register(15), "F2 33 0F", 8, 0 },
                { command_write_core_register(16, 0x01020304), "F2 34 10 04 03 02 01", 2, 0 },
                { command_read_dap(DAP_PORT_DP, 4), "F2 45 FF FF 04 00", 8, 0 },
                { command_read_dap(0, 0xFC), "F2 45 00 00 FC 00", 8, 0 },
                { command_write_dap(DAP_PORT_DP, 0, 0x1E), "F2 46 FF FF 00 00 1E 00 00 00", 2, 0 },
                { command_open_ap(1), "F2 4B 01 00", 2, 0 },
                { command_close_ap(1), "F2 4C 01", 2, 0 },
                { command_set_swd_divisor(798), "F2 43 1E 03", 2, 0 },
                { command_get_swd_khz(), "F2 62 00", 52, 0 },
                { command_set_swd_khz(8000), "F2 61 00 00 40 1F 00 00", 8, 0 },
                { command_drive_nrst(NRST_LOW), "F2 3C 00", 2, 0 },
                { command_drive_nrst(NRST_HIGH), "F2 3C 01", 2, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint8_t expected[COMMAND_SIZE] = {};
                size_t n = wire_parse(cases[i].bytes, expected, sizeof(expected));

                ck_assert_msg(memcmp(cases[i].command.bytes, expected, COMMAND_SIZE) == 0,
                              "bytes of %s", cases[i].bytes);
                ck_assert_uint_eq(cases[i].command.used, n);
                ck_assert_uint_eq(cases[i].command.in_size, cases[i].in);
                ck_assert_uint_eq(cases[i].command.out_size, cases[i].out);
        }
}
END_TEST

static const Firmware v2j14 = { .major = 2, .jtag = 14 };
static const Firmware v2j37 = { .major = 2, .jtag = 37 };
static const Firmware v3j2 = { .major = 3, .jtag = 2 };
static const Firmware v3j7 = { .major = 3, .jtag = 7 };

START_TEST(memory_commands) {
        static const struct {
                const Firmware *firmware;
                MemoryAccess access;
                const char *read; /* NULL: refused */
                size_t in;
        } cases[] = {
                { &v2j14, { 0xE000ED00, 4, 4, 0, 0 }, "F2 07 00ED00E0 0400", 4 },
                { &v2j37, { 0x20000000, 6144, 4, 0, 0 }, "F2 07 00000020 0018", 6144 },
                { &v2j37, { 0x20000001, 1, 1, 0, 0 }, "F2 0C 01000020 0100", 2 },
                { &v2j37, { 0x20000001, 64, 1, 0, 0 }, "F2 0C 01000020 4000", 64 },
                { &v3j7, { 0x20000001, 512, 1, 0, 0 }, "F2 0C 01000020 0002", 512 },
                { &v2j37, { 0x20000000, 8, 4, 1, 0x23000000 }, "F2 07 00000020 0800 01 000023", 8 },
                { &v2j37, { 0xFFFFFFFC, 4, 4, 0, 0 }, "F2 07 FCFFFFFF 0400", 4 },
                { &v2j37, { 0xFFFFFFFC, 8, 4, 0, 0 }, NULL, 0 },
                { &v2j37, { 0x20000000, 0, 4, 0, 0 }, NULL, 0 },
                { &v2j37, { 0x20000000, 6148, 4, 0, 0 }, NULL, 0 },
                { &v2j37, { 0x20000000, 6, 4, 0, 0 }, NULL, 0 },
                { &v2j37, { 0x20000002, 4, 4, 0, 0 }, NULL, 0 },
                { &v2j37, { 0x20000002, 4, 2, 0, 0 }, "F2 47 02000020 0400", 4 },
                { &v2j37, { 0x20000001, 2, 2, 0, 0 }, NULL, 0 },
                { &v2j37, { 0x20000000, 3, 2, 0, 0 }, NULL, 0 },
                { &v2j14, { 0x20000000, 2, 2, 0, 0 }, NULL, 0 },
                { &v2j37, { 0x20000000, 65, 1, 0, 0 }, NULL, 0 },
                { &v3j2, { 0x20000000, 65, 1, 0, 0 }, NULL, 0 },
                { &v2j37, { 0x20000000, 4, 4, 0, 1 }, NULL, 0 },
                { &v2j14, { 0x20000000, 4, 4, 1, 0 }, NULL, 0 },
                { &v2j14, { 0x20000000, 4, 4, 0, 0x23000000 }, NULL, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint8_t expected[COMMAND_SIZE] = {};
                Command read, write;
                int r = command_read_memory(cases[i].firmware, &cases[i].access, &read);

                ck_assert_int_eq(command_write_memory(cases[i].firmware, &cases[i].access, &write),
                                 r);
                ck_assert_int_eq(r, cases[i].read ? 0 : -EINVAL);
                if (r < 0)
                        continue;
                wire_parse(cases[i].read, expected, sizeof(expected));
                ck_assert_msg(memcmp(read.bytes, expected, COMMAND_SIZE) == 0, "read %zu", i);
                ck_assert_uint_eq(read.in_size, cases[i].in);
                ck_assert_uint_eq(read.out_size, 0);
                expected[1]++; /* 08 beside 07, 0D beside 0C */
                ck_assert_msg(memcmp(write.bytes, expected, COMMAND_SIZE) == 0, "write %zu", i);
                ck_assert_uint_eq(write.out_size, cases[i].access.size);
                ck_assert_uint_eq(write.in_size, 0);
        }

        ck_assert_uint_eq(command_get_rw_status(&v2j14).bytes[1], 0x3B);
        ck_assert_uint_eq(command_get_rw_status(&v2j14).in_size, 2);
        ck_assert_uint_eq(command_get_rw_status(&v2j37).bytes[1], 0x3E);
        ck_assert_uint_eq(command_get_rw_status(&v2j37).in_size, 12);
}
END_TEST

/* The name is what OpenOCD prints for these bytes. */
START_TEST(versions) {
        static const struct {
                const char *f1, *fb, *name;
                uint8_t jtag;
        } cases[] = {
                { "2947 8304 4837", NULL, "V2J37S7", 37 },
                { "295B 8304 4B37", NULL, "V2J37M27", 37 },
                { "2B61 8304 5237", NULL, "V2J45M33", 45 },
                { "2BC0 8304 4837", NULL, "V2J47S0", 47 },
                { "1340 8304 4437", NULL, "V1J13S0", 13 },
                /* STM8 on a V2-1: no JTAG. x = 22, y = 7; x = 25, y = 12 */
                { "2587 8304 4B37", NULL, "V2M22S7", 0 },
                { "264C 8304 4B37", NULL, "V2M25S12", 0 },
                /* the neighbours of that rule */
                { "25C7 8304 4B37", NULL, "V2J23M7", 23 },
                { "264D 8304 4B37", NULL, "V2J25M13", 25 },
                { "264C 8304 4837", NULL, "V2J25S12", 25 },
                /* a real V3PWR, pyocd/pyOCD#1781 */
                { "4000 8304 5737", "0400 0600 0206 0000 8304 5737", "V4J6B2P6", 6 },
                { "3000 8304 4F37", "0301 0A03 0500 0000 8304 4F37", "V3J10M3B5S1", 10 },
                { "3000 8304 4E37", "0300 0B0A 0000 0000 8304 4E37", "V3J11M10", 11 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char name[FIRMWARE_NAME_MAX];
                Firmware firmware;
                uint8_t bytes[16];
                size_t n = wire_parse(cases[i].f1, bytes, sizeof(bytes));

                ck_assert_int_eq(decode_version(bytes, n, &firmware), 0);
                if (cases[i].fb) {
                        n = wire_parse(cases[i].fb, bytes, sizeof(bytes));
                        ck_assert_int_eq(decode_version_ex(bytes, n, &firmware), 0);
                }
                ck_assert_str_eq(firmware_name(&firmware, name, sizeof(name)), cases[i].name);
                ck_assert_uint_eq(firmware.jtag, cases[i].jtag);
        }
}
END_TEST

START_TEST(versions_refused) {
        static const char *const f1[] = { "",
                                          "2947 8304 48",
                                          "2947 8304 4837 00",
                                          "2947 8404 4837",
                                          "0947 8304 4837",
                                          "5947 8304 4837",
                                          "0000 0000 0000",
                                          "FFFF FFFF FFFF" };
        static const char *const fb[] = { "", "0400 0600 0206 0000 8304 57",
                                          "0300 0600 0206 0000 8304 5737",
                                          "0400 0600 0206 0000 8404 5737" };
        Firmware firmware = { .major = 4, .jtag = 99 };
        uint8_t bytes[16];

        for (size_t i = 0; i < ELEMENTSOF(f1); i++)
                ck_assert_int_eq(decode_version(bytes, wire_parse(f1[i], bytes, 16), &firmware),
                                 -EPROTO);
        for (size_t i = 0; i < ELEMENTSOF(fb); i++)
                ck_assert_int_eq(decode_version_ex(bytes, wire_parse(fb[i], bytes, 16), &firmware),
                                 -EPROTO);
        ck_assert_uint_eq(firmware.jtag, 99);
}
END_TEST

START_TEST(features) {
        static const struct {
                Firmware firmware;
                FirmwareFeature feature;
                bool has;
        } cases[] = {
                { { .major = 1, .jtag = 10 }, FIRMWARE_API_V2, false },
                { { .major = 1, .jtag = 11 }, FIRMWARE_API_V2, true },
                { { .major = 1, .jtag = 60 }, FIRMWARE_TARGET_VOLTAGE, false },
                { { .major = 2, .jtag = 0 }, FIRMWARE_API_V2, true },
                { { .major = 2, .jtag = 12 }, FIRMWARE_TARGET_VOLTAGE, false },
                { { .major = 2, .jtag = 13 }, FIRMWARE_TARGET_VOLTAGE, true },
                { { .major = 2, .jtag = 21 }, FIRMWARE_SWD_DIVISOR, false },
                { { .major = 2, .jtag = 22 }, FIRMWARE_SWD_DIVISOR, true },
                { { .major = 2, .jtag = 60 }, FIRMWARE_SWD_KHZ, false },
                { { .major = 3, .jtag = 0 }, FIRMWARE_SWD_KHZ, true },
                { { .major = 3, .jtag = 60 }, FIRMWARE_SWD_DIVISOR, false },
                { { .major = 3, .jtag = 1 }, FIRMWARE_MEMORY_AP, false },
                { { .major = 3, .jtag = 2 }, FIRMWARE_MEMORY_AP, true },
                { { .major = 4, .jtag = 0 }, FIRMWARE_MEMORY_AP, true },
                { { .major = 4, .jtag = 60 }, FIRMWARE_SWD_DIVISOR, false },
                { { .major = 0, .jtag = 60 }, FIRMWARE_API_V2, false },
                { { .major = 3, .jtag = 60 }, _FIRMWARE_FEATURE_MAX, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                ck_assert_msg(firmware_supports(&cases[i].firmware, cases[i].feature) ==
                                      cases[i].has,
                              "case %zu", i);
}
END_TEST

START_TEST(modes) {
        static const struct {
                const char *reply;
                int r;
                ProbeMode mode;
                uint8_t loader;
        } cases[] = {
                { "0001", 0, PROBE_MODE_LOADER, 1 },
                { "0100", 0, PROBE_MODE_MASS, 0 },
                { "0104", 0, PROBE_MODE_MASS, 4 },
                { "0200", 0, PROBE_MODE_DEBUG, 0 },
                { "0300", 0, PROBE_MODE_SWIM, 0 },
                { "8000", -EPROTO, 0, 0 },
                { "FFFF", -EPROTO, 0, 0 },
                { "01", -EPROTO, 0, 0 },
                { "", -EPROTO, 0, 0 },
                { "010000", -EPROTO, 0, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                ProbeMode mode = 77;
                uint8_t loader = 77, bytes[4];
                size_t n = wire_parse(cases[i].reply, bytes, sizeof(bytes));

                ck_assert_int_eq(decode_mode(bytes, n, &mode, &loader), cases[i].r);
                ck_assert_int_eq(mode, cases[i].r < 0 ? 77 : (int) cases[i].mode);
                ck_assert_uint_eq(loader, cases[i].r < 0 ? 77 : cases[i].loader);
        }
}
END_TEST

START_TEST(voltages) {
        static const struct {
                const char *reply;
                int r, millivolts;
        } cases[] = {
                { "55050000 40000000", 0, 112 }, /* pyocd/pyOCD#1781 */
                { "E8030000 5F050000", 0, 3300 },       { "E8030000 00000000", 0, 0 },
                { "00000000 5F050000", -ENODATA, 0 }, /* division by zero in other tools */
                { "00000000 00000000", -ENODATA, 0 },   { "01000000 FFFFFFFF", -EPROTO, 0 },
                { "FFFFFFFF FFFFFFFF", 0, 2400 },       { "E8030000 5F0500", -EPROTO, 0 },
                { "E8030000 5F050000 00", -EPROTO, 0 }, { "", -EPROTO, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint8_t bytes[16];
                size_t n = wire_parse(cases[i].reply, bytes, sizeof(bytes));
                int millivolts = -77;

                ck_assert_int_eq(decode_voltage(bytes, n, &millivolts), cases[i].r);
                ck_assert_int_eq(millivolts, cases[i].r < 0 ? -77 : cases[i].millivolts);
        }
}
END_TEST

START_TEST(loader_states) {
        static const struct {
                const char *reply;
                int r;
                bool idle;
        } cases[] = {
                { "00 000000 00 00", 0, true },        { "00 000000 02 00", 0, true },
                { "00 000000 04 00", 0, false },       { "00 640000 05 00", 0, false },
                { "0B 000000 0A 00", 0, false },       { "00 000000 0B 00", -EPROTO, false },
                { "FF FFFFFF FF FF", -EPROTO, false }, { "00 000000 02", -EPROTO, false },
                { "42 00", -EPROTO, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint8_t bytes[8];
                bool idle = false;
                size_t n = wire_parse(cases[i].reply, bytes, sizeof(bytes));

                ck_assert_int_eq(decode_loader_state(bytes, n, &idle), cases[i].r);
                ck_assert(idle == cases[i].idle);
        }
}
END_TEST

START_TEST(values) {
        uint8_t status = 0, bytes[64];
        uint32_t value = 7;
        size_t n;

        n = wire_parse("8000 0000 7714A02B", bytes, sizeof(bytes));
        ck_assert_int_eq(decode_value(bytes, n, &status, &value), 0);
        ck_assert_uint_eq(status, STATUS_OK);
        ck_assert_uint_eq(value, 0x2BA01477);
        ck_assert_int_eq(decode_value(bytes, n - 1, &status, &value), -EPROTO);
        ck_assert_int_eq(decode_value(bytes, n + 1, &status, &value), -EPROTO);
        ck_assert_int_eq(decode_value(bytes, 0, &status, &value), -EPROTO);

        n = wire_parse("8000 0000 7714A01B 00000000", bytes, sizeof(bytes));
        ck_assert_int_eq(decode_idcodes(bytes, n, &status, &value), 0);
        ck_assert_uint_eq(value, 0x1BA01477);
        ck_assert_int_eq(decode_idcodes(bytes, 8, &status, &value), -EPROTO);

        n = wire_parse("1100 0000 04000040 00000000", bytes, sizeof(bytes));
        ck_assert_int_eq(decode_rw_status(bytes, n, &status, &value), 0);
        ck_assert_uint_eq(status, STATUS_AP_FAULT);
        ck_assert_uint_eq(value, 0x40000004);
        ck_assert_int_eq(decode_rw_status(bytes, 2, &status, &value), 0);
        ck_assert_uint_eq(value, 0);
        ck_assert_int_eq(decode_rw_status(bytes, 8, &status, &value), -EPROTO);

        n = wire_parse("7700 0000 7714A02B", bytes, sizeof(bytes));
        ck_assert_int_eq(decode_value(bytes, n, &status, &value), -EPROTO);
        ck_assert_int_eq(decode_status(bytes, n, &status), -EPROTO);
        ck_assert_int_eq(decode_status((uint8_t[]){ 0x80 }, 1, &status), -EPROTO);
        ck_assert_int_eq(decode_status((uint8_t[]){ 0x09, 0 }, 2, &status), 0);
        ck_assert_uint_eq(status, STATUS_GET_IDCODE_ERROR);
}
END_TEST

START_TEST(statuses) {
        unsigned known = 0;

        for (unsigned i = 0; i < 256; i++) {
                StatusClass class = status_class((uint8_t) i);
                const char *name = status_name((uint8_t) i);

                ck_assert_ptr_nonnull(status_text((uint8_t) i));
                ck_assert((class == STATUS_CLASS_INVALID) == (name == NULL));
                if (!name)
                        continue;
                known++;
                for (unsigned j = 0; j < i; j++)
                        ck_assert(!status_name((uint8_t) j) ||
                                  strcmp(name, status_name((uint8_t) j)) != 0);
        }
        ck_assert_uint_eq(known, 34);
        ck_assert_int_eq(status_class(STATUS_NONE), STATUS_CLASS_INVALID);
        ck_assert_int_eq(status_class(STATUS_WRITE_VERIFY_ERROR), STATUS_CLASS_OK);
        ck_assert_int_eq(status_class(STATUS_AP_WAIT), STATUS_CLASS_WAIT);
        ck_assert_int_eq(status_class(STATUS_DP_WAIT), STATUS_CLASS_WAIT);
        ck_assert(status_is_about_target(STATUS_GET_IDCODE_ERROR));
        ck_assert(status_is_about_target(STATUS_DP_WAIT));
        ck_assert(!status_is_about_target(STATUS_UNKNOWN_COMMAND));
        ck_assert(!status_is_about_target(STATUS_OK));
        ck_assert(!status_is_about_target(0x77));
}
END_TEST

/* stlink-protocol §2.2 */
START_TEST(scsi_wrapping) {
        uint8_t cbw[SCSI_CBW_SIZE], expected[SCSI_CBW_SIZE] = {}, csw[16];
        Command command = command_read_word(0xE000ED00);
        size_t n;

        scsi_wrap(&command, 0x01020304, cbw);
        wire_parse("55534243 04030201 08000000 80 00 0A F236 00ED00E0", expected, sizeof(expected));
        ck_assert_mem_eq(cbw, expected, SCSI_CBW_SIZE);

        command = (Command){ .bytes = { 0xF2, 0x08 }, .used = 12, .out_size = 64 };
        scsi_wrap(&command, 0, cbw);
        memset(expected, 0, sizeof(expected));
        wire_parse("55534243 00000000 40000000 00 00 0C F208", expected, sizeof(expected));
        ck_assert_mem_eq(cbw, expected, SCSI_CBW_SIZE);
        ck_assert_uint_eq(scsi_request_sense().in_size, 18);

        n = wire_parse("55534253 04030201 00000000 00", csw, sizeof(csw));
        ck_assert_int_eq(scsi_check(csw, n), 0);
        ck_assert_int_eq(scsi_check(csw, n - 1), -EPROTO);
        ck_assert_int_eq(scsi_check(csw, n + 1), -EPROTO);
        csw[12] = 1;
        ck_assert_int_eq(scsi_check(csw, n), -EIO);
        csw[12] = 2;
        ck_assert_int_eq(scsi_check(csw, n), -EPROTO);
        csw[12] = 0, csw[3] = 0x43;
        ck_assert_int_eq(scsi_check(csw, n), -EPROTO);
}
END_TEST

START_TEST(frequencies) {
        SwdFrequencies f;
        uint8_t status, bytes[52] = { 0x80, 0, 0, 0, 0x40, 0x1F, 0, 0, 3 };
        unsigned khz;

        bytes[12] = 0xC0, bytes[13] = 0x5D; /* 24000 */
        bytes[16] = 0x40, bytes[17] = 0x1F; /* 8000 */
        bytes[20] = 0xE8, bytes[21] = 0x03; /* 1000 */
        ck_assert_int_eq(decode_swd_khz(bytes, sizeof(bytes), &status, &f), 0);
        ck_assert_uint_eq(f.n, 3);
        ck_assert_uint_eq(f.current, 8000);
        ck_assert_uint_eq(swd_frequency(&f, 1800), 1000);
        ck_assert_uint_eq(swd_frequency(&f, 8000), 8000);
        ck_assert_uint_eq(swd_frequency(&f, 100000), 24000);
        ck_assert_uint_eq(swd_frequency(&f, 10), 1000);
        f.n = 0;
        ck_assert_uint_eq(swd_frequency(&f, 1800), 0);

        bytes[8] = 11;
        ck_assert_int_eq(decode_swd_khz(bytes, sizeof(bytes), &status, &f), -EPROTO);
        bytes[8] = 10;
        ck_assert_int_eq(decode_swd_khz(bytes, sizeof(bytes), &status, &f), 0);
        ck_assert_int_eq(decode_swd_khz(bytes, sizeof(bytes) - 1, &status, &f), -EPROTO);

        ck_assert_uint_eq(swd_divisor(1800, &khz), 1);
        ck_assert_uint_eq(khz, 1800);
        ck_assert_uint_eq(swd_divisor(1799, &khz), 2);
        ck_assert_uint_eq(khz, 1200);
        ck_assert_uint_eq(swd_divisor(UINT32_MAX, &khz), 0);
        ck_assert_uint_eq(swd_divisor(1, &khz), 798);
        ck_assert_uint_eq(khz, 5);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("codec");
        TCase *tcase = tcase_create("codec");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, commands);
        tcase_add_test(tcase, memory_commands);
        tcase_add_test(tcase, versions);
        tcase_add_test(tcase, versions_refused);
        tcase_add_test(tcase, features);
        tcase_add_test(tcase, modes);
        tcase_add_test(tcase, voltages);
        tcase_add_test(tcase, loader_states);
        tcase_add_test(tcase, values);
        tcase_add_test(tcase, statuses);
        tcase_add_test(tcase, scsi_wrapping);
        tcase_add_test(tcase, frequencies);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
