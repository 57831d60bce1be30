/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sim-host.h"
#include "sim/device/fat.h"

/* Bulk-only transport: the disk of V2-1 and V3, and ST-LINK commands on V1. */

static Host host;
static uint8_t out, in;
static uint32_t residue;

static void begin(const char *spec, uint8_t out_endpoint, uint8_t in_endpoint) {
        host_init(&host, spec);
        out = out_endpoint;
        in = in_endpoint;
}

static int send_command(const uint8_t *cdb, size_t n, uint32_t length, bool to_host) {
        uint8_t cbw[31] = { 'U', 'S', 'B', 'C', 1, 2, 3, 4 };

        put_le32(cbw + 8, length);
        cbw[12] = to_host ? 0x80 : 0;
        cbw[14] = (uint8_t) n;
        memcpy(cbw + 15, cdb, n);
        return host_bulk(&host, out, cbw, sizeof(cbw));
}

/* The status, clearing a halt in front of it as hosts do. */
static int read_status(void) {
        uint8_t csw[13];
        int r = host_bulk(&host, in, csw, sizeof(csw));

        if (r == -EPIPE) {
                host.usb->ops->clear_halt(host.usb, in);
                r = host_bulk(&host, in, csw, sizeof(csw));
        }
        if (r < 0)
                return r;
        ck_assert_int_eq(r, 13);
        ck_assert_mem_eq(csw, "USBS\1\2\3\4", 8);
        residue = get_le32(csw + 8);
        return csw[12];
}

/* A command that reads; the status, with what was read in data. */
static int command_in(const uint8_t *cdb, size_t n, uint8_t *data, uint32_t length) {
        int r;

        ck_assert_int_eq(send_command(cdb, n, length, true), 31);
        if (length == 0)
                return read_status();
        r = host_bulk(&host, in, data, length);
        if (r == -EPIPE)
                host.usb->ops->clear_halt(host.usb, in);
        else
                ck_assert_int_ge(r, 0);
        return read_status();
}
#define IN(data, length, ...)                                                                  \
        command_in((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), \
                   data, length)

START_TEST(test_identify) {
        uint8_t d[64];

        begin("v2-1", 0x03, 0x83);
        ck_assert_int_eq(host_control(&host, 0xa1, 0xfe, 0, 1, d, 1), 1);
        ck_assert_uint_eq(d[0], 0);
        ck_assert_int_eq(IN(d, 36, 0x12, 0, 0, 0, 36, 0), 0);
        ck_assert_uint_eq(d[0], 0);
        ck_assert_uint_eq(d[1], 0x80);
        ck_assert_mem_eq(d + 8, "MBED    microcontroller 1.0 ", 28);
        ck_assert_int_eq(IN(NULL, 0, 0, 0, 0, 0, 0, 0), 0);
        ck_assert_int_eq(IN(d, 8, 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0);
        ck_assert_uint_eq(get_be32(d), 511);
        ck_assert_uint_eq(get_be32(d + 4), 512);
        ck_assert_int_eq(IN(d, 64, 0x23, 0, 0, 0, 0, 0, 0, 0, 64, 0), 0);
        ck_assert_uint_eq(residue, 52);
        ck_assert_int_eq(IN(d, 4, 0x1a, 0, 0x3f, 0, 4, 0), 0);
        ck_assert_int_eq(IN(d, 8, 0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 8, 0), 0);
        ck_assert_int_eq(IN(NULL, 0, 0x1e, 0, 0, 0, 1, 0), 0);
        host_done(&host);
}
END_TEST

START_TEST(test_sense) {
        uint8_t d[64];

        begin("v3", 0x03, 0x83);
        ck_assert_int_eq(IN(d, 64, 0xe0), 1);
        ck_assert_uint_eq(residue, 64);
        ck_assert_int_eq(IN(d, 18, 3, 0, 0, 0, 18, 0), 0);
        ck_assert_uint_eq(d[2], 5);
        ck_assert_uint_eq(d[12], 0x20);
        ck_assert_int_eq(IN(d, 18, 3, 0, 0, 0, 18, 0), 0);
        ck_assert_uint_eq(d[2], 0);                                      /* told once */
        ck_assert_int_eq(IN(d, 64, 0x28, 0, 0, 0, 2, 0, 0, 0, 1, 0), 1); /* past the end */
        ck_assert_int_eq(IN(d, 18, 3, 0, 0, 0, 18, 0), 0);
        ck_assert_uint_eq(d[12], 0x21);
        ck_assert_int_eq(IN(d, 36, 0x12, 1, 0, 0, 36, 0), 1); /* vital product data */
        host_done(&host);
}
END_TEST

static void read_sectors(uint32_t sector, uint16_t count, uint8_t *data) {
        uint8_t cdb[10] = { 0x28 };

        put_be32(cdb + 2, sector);
        put_be16(cdb + 7, count);
        ck_assert_int_eq(command_in(cdb, sizeof(cdb), data, count * 512u), 0);
        ck_assert_uint_eq(residue, 0);
}

static unsigned fat_entry(const uint8_t *fat, unsigned cluster) {
        unsigned pair = get_le16(fat + cluster * 3 / 2);

        return cluster & 1 ? pair >> 4 : pair & 0xfff;
}

/* The text of a file, found as an operating system would. */
static void read_file(const uint8_t *volume, const char *name, char *text, size_t size) {
        unsigned root = 1 + 2 * get_le16(volume + 22);
        const uint8_t *data = volume + 512 * (root + get_le16(volume + 17) * 32 / 512);

        for (const uint8_t *e = volume + 512 * root; e < data; e += 32) {
                unsigned cluster = get_le16(e + 26);
                uint32_t left = get_le32(e + 28);
                size_t n = 0;

                if (memcmp(e, name, 11) != 0)
                        continue;
                ck_assert_uint_lt(left, size);
                for (; left > 0; cluster = fat_entry(volume + 512, cluster)) {
                        uint32_t piece = left < 512 ? left : 512;

                        ck_assert_uint_ge(cluster, 2);
                        ck_assert_uint_lt(cluster, 0xff0);
                        memcpy(text + n, data + 512 * (cluster - 2), piece);
                        n += piece;
                        left -= piece;
                }
                ck_assert_uint_ge(cluster, 0xff8);
                text[n] = '\0';
                return;
        }
        ck_abort_msg("no %s", name);
}

START_TEST(test_volume) {
        _cleanup_free_ uint8_t *volume = malloc(512 * 512);
        char text[1024];

        begin("v2-1:board=0740,serial=066DFF504955857567012345", 0x03, 0x83);
        read_sectors(0, 256, volume);
        read_sectors(256, 256, volume + 256 * 512);
        ck_assert_uint_eq(get_le16(volume + 510), 0xaa55);
        ck_assert_uint_eq(get_le16(volume + 11), 512);
        ck_assert_uint_eq(get_le16(volume + 19), 512);
        ck_assert_mem_eq(volume + 43, "NODE_F411  FAT12   ", 19);
        ck_assert_mem_eq(volume + 512, volume + 512 * 3, 1024); /* both copies */
        ck_assert_uint_eq(fat_entry(volume + 512, 0), 0xff8);
        read_file(volume, "DETAILS TXT", text, sizeof(text));
        ck_assert_ptr_nonnull(strstr(text, "Version: 2B5F"));
        read_file(volume, "MBED    HTM", text, sizeof(text));
        ck_assert_ptr_nonnull(strstr(text, "code=0740066DFF504955857567012345"));
        host_done(&host);
}
END_TEST

/* Files of several clusters, and of none */
START_TEST(test_long_files) {
        _cleanup_free_ uint8_t *volume = malloc(FAT_IMAGE_SIZE);
        char details[3000], page[1025], text[4096];
        FatVolume names = { "LONG", 1, details, page };

        for (size_t i = 0; i < sizeof(details) - 1; i++)
                details[i] = (char) ('a' + i % 26);
        details[sizeof(details) - 1] = '\0';
        memset(page, 'p', sizeof(page) - 1);
        page[sizeof(page) - 1] = '\0';
        fat_format(&names, volume);
        read_file(volume, "DETAILS TXT", text, sizeof(text));
        ck_assert_str_eq(text, details);
        read_file(volume, "MBED    HTM", text, sizeof(text));
        ck_assert_str_eq(text, page);
        names.page = "";
        fat_format(&names, volume);
        ck_assert_uint_eq(get_le16(volume + 512 * 5 + 64 + 26), 0);
        ck_assert_uint_eq(get_le32(volume + 512 * 5 + 64 + 28), 0);
}
END_TEST

START_TEST(test_write) {
        static const uint8_t cdb[10] = { 0x2a, 0, 0, 0, 0, 100, 0, 0, 2, 0 };
        uint8_t data[1024], back[1024];

        memset(data, 0xa7, sizeof(data));
        begin("v2-1", 0x03, 0x83);
        ck_assert_int_eq(send_command(cdb, sizeof(cdb), sizeof(data), false), 31);
        ck_assert_int_eq(host_bulk(&host, out, data, sizeof(data)), 1024);
        ck_assert_int_eq(read_status(), 0);
        read_sectors(100, 2, back);
        ck_assert_mem_eq(back, data, 1024);
        /* A write that cannot be: its data is taken, and the status tells. */
        ck_assert_int_eq(
                send_command((const uint8_t[10]){ 0x2a, 0, 0, 0, 2, 0, 0, 0, 2 }, 10, 1024, false),
                31);
        ck_assert_int_eq(host_bulk(&host, out, data, sizeof(data)), 1024);
        ck_assert_int_eq(read_status(), 1);
        ck_assert_uint_eq(residue, 1024);
        host_done(&host);
}
END_TEST

/* What is no command stops both pipes until the host recovers. */
START_TEST(test_bad_wrapper) {
        uint8_t junk[31] = { 'J', 'U', 'N', 'K' }, d[36];

        begin("v2-1", 0x03, 0x83);
        ck_assert_int_eq(host_bulk(&host, out, junk, sizeof(junk)), 31);
        ck_assert_int_eq(host_bulk(&host, in, d, 13), -EPIPE);
        ck_assert_int_eq(host_bulk(&host, out, junk, sizeof(junk)), -EPIPE);
        ck_assert_int_eq(host_control(&host, 0x21, 0xff, 0, 1, NULL, 0), 0);
        ck_assert_int_eq(host_control(&host, 0x02, 1, 0, in, NULL, 0), 0);
        ck_assert_int_eq(host_control(&host, 0x02, 1, 0, out, NULL, 0), 0);
        ck_assert_int_eq(IN(d, 36, 0x12, 0, 0, 0, 36, 0), 0);
        host_done(&host);
}
END_TEST

/* ST-LINK commands do not belong on the disk of the others. */
START_TEST(test_no_stlink_on_disk) {
        uint8_t d[8];

        begin("v2-1", 0x03, 0x83);
        ck_assert_int_eq(IN(d, 6, 0xf1), 1);
        host_done(&host);
}
END_TEST

START_TEST(test_v1) {
        uint8_t d[64], data[8] = "testtest";
        uint8_t write[16] = { 0xf2, 0x08, 0, 0, 0, 0x20, 8, 0 };
        SimCounters counters;

        begin("v1", 0x02, 0x81);
        ck_assert_int_eq(IN(d, 6, 0xf1, 0x80), 0);
        ck_assert_mem_eq(d, "\x13\x44\x83\x04\x44\x37", 6); /* V1J13S4 */
        ck_assert_int_eq(IN(d, 2, 0xf5), 0);
        ck_assert_uint_eq(d[0], 1);
        ck_assert_int_eq(IN(NULL, 0, 0xf2, 0x20, 0xa3), 0);
        ck_assert_int_eq(IN(d, 4, 0xf2, 0x22), 0);
        ck_assert_uint_eq(get_le32(d), 0x1ba01477);
        ck_assert_int_eq(send_command(write, sizeof(write), 8, false), 31);
        ck_assert_int_eq(host_bulk(&host, out, data, 8), 8);
        ck_assert_int_eq(read_status(), 0);
        ck_assert_int_eq(IN(d, 2, 0xf2, 0x3b), 0);
        ck_assert_uint_eq(d[0], 0x80);
        ck_assert_int_eq(IN(d, 8, 0xf2, 0x07, 0, 0, 0, 0x20, 8, 0), 0);
        ck_assert_mem_eq(d, data, 8);
        ck_assert_int_eq(IN(d, 8, 0xf7), 1); /* no voltage here */
        ck_assert_uint_eq(residue, 8);
        ck_assert_int_eq(IN(d, 2, 0xf2, 0x3c, 0), 1); /* no nRST either */
        ck_assert_int_eq(IN(NULL, 0, 0, 0, 0, 0, 0, 0), 1);
        ck_assert_int_eq(IN(d, 18, 3, 0, 0, 0, 18, 0), 0);
        ck_assert_uint_eq(d[12], 0x3a); /* no medium */
        sim_device_get_counters(host.device, &counters);
        ck_assert_uint_eq(counters.commands, 9);
        host_done(&host);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("sim-disk");
        TCase *tcase = tcase_create("disk");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, test_identify);
        tcase_add_test(tcase, test_sense);
        tcase_add_test(tcase, test_volume);
        tcase_add_test(tcase, test_long_files);
        tcase_add_test(tcase, test_write);
        tcase_add_test(tcase, test_bad_wrapper);
        tcase_add_test(tcase, test_no_stlink_on_disk);
        tcase_add_test(tcase, test_v1);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
