/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "sim-host.h"

/* The boot loader's update machine, driven as the public flashers do it. */

enum {
        IDLE = 2,
        BUSY = 4,
        DNLOAD_IDLE = 5,
        ERROR = 10,
};

static Host host;
static uint8_t out;

static void begin(const char *spec) {
        host_init(&host, spec);
        out = get_le16(host.usb->descriptors + 10) == 0x3748 ? 0x02 : 0x01;
}

static void download(uint16_t block, const uint8_t *data, size_t size) {
        uint8_t command[16] = { 0xf3, 0x01 };
        uint16_t sum = 0;

        for (size_t i = 0; i < size; i++)
                sum = (uint16_t) (sum + data[i]);
        put_le16(command + 2, block);
        put_le16(command + 4, sum);
        put_le16(command + 6, (uint16_t) size);
        ck_assert_int_eq(host_send(&host, command, sizeof(command)), 16);
        ck_assert_int_eq(host_bulk(&host, out, (uint8_t *) data, size), (int) size);
}

typedef struct Status {
        uint8_t status, state;
        Usec timeout;
} Status;

static Status get_status(void) {
        uint8_t reply[6];

        ck_assert_int_eq(HOST_ASK(&host, reply, 6, 0xf3, 0x03), 6);
        return (Status){ reply[0], reply[4],
                         (reply[1] | (Usec) reply[2] << 8 | (Usec) reply[3] << 16) *
                                 USEC_PER_MSEC };
}

/* Ask, wait as told, ask again. */
static void expect_done(void) {
        Status s = get_status();

        ck_assert_uint_eq(s.status, 0);
        ck_assert_uint_eq(s.state, BUSY);
        host_wait(&host, s.timeout);
        s = get_status();
        ck_assert_uint_eq(s.status, 0);
        ck_assert_uint_eq(s.state, DNLOAD_IDLE);
}

static void expect_error(uint8_t status) {
        Status s = get_status();

        ck_assert_uint_eq(s.status, status);
        ck_assert_uint_eq(s.state, ERROR);
}

static void operate(uint8_t operation, uint32_t argument) {
        uint8_t data[5] = { operation };

        put_le32(data + 1, argument);
        download(0, data, sizeof(data));
}

static uint8_t ask_mode(void) {
        uint8_t reply[2];

        ck_assert_int_eq(HOST_ASK(&host, reply, 2, 0xf5), 2);
        return reply[0];
}

START_TEST(test_identification) {
        uint8_t reply[64];

        begin("v2-1-loader:serial=066DFF504955857567012345");
        ck_assert_int_eq(HOST_ASK(&host, reply, 20, 0xf3, 0x08), 20);
        ck_assert_uint_eq(get_le16(reply), 128);
        ck_assert_uint_eq(reply[4], 'B');
        ck_assert_mem_eq(reply + 8, "\x06\x6d\xff\x50\x49\x55\x85\x75\x67\x01\x23\x45", 12);
        ck_assert_int_eq(HOST_ASK(&host, reply, 64, 0xf3, 0x09, 0x40), 64);
        ck_assert_int_eq(HOST_ASK(&host, reply, 16, 0xf3, 0x0a), 16);
        host_done(&host);

        begin("v2");
        ck_assert_int_eq(HOST_ASK(&host, reply, 20, 0xf3, 0x08), 20);
        ck_assert_uint_eq(get_le16(reply), 64);
        ck_assert_uint_eq(reply[4], 'M');
        ck_assert_int_eq(HOST_ASK(&host, reply, 64, 0xf3, 0x09, 0x40), -ETIMEDOUT);
        ck_assert_int_eq(HOST_ASK(&host, reply, 64, 0xf3, 0x7f), -ETIMEDOUT);
        host_done(&host);

        begin("v3-loader:pid=374f");
        ck_assert_int_eq(HOST_ASK(&host, reply, 20, 0xf3, 0x08), 20);
        ck_assert_uint_eq(get_le16(reply), 512);
        ck_assert_uint_eq(reply[4], 'F');
        ck_assert_int_eq(HOST_ASK(&host, reply, 12, 0xfb), 12);
        ck_assert_uint_eq(get_le16(reply + 10), 0x374d);
        host_done(&host);
}
END_TEST

/* Two pages, page by page, and out into the new application. */
static void update_by_pages(const char *spec) {
        uint8_t image[2048];

        for (size_t i = 0; i < sizeof(image); i++)
                image[i] = (uint8_t) (i * 13);
        begin(spec);
        ck_assert_uint_eq(get_status().state, IDLE);
        for (uint32_t i = 0; i < 2; i++) {
                operate(0x41, 0x08004000 + 1024 * i);
                expect_done();
                operate(0x21, 0x08004000 + 1024 * i);
                expect_done();
                download(2, image + 1024 * i, 1024);
                expect_done();
        }
        ck_assert_int_eq(HOST_SEND(&host, 0xf3, 0x07), 16);
        host_wait(&host, USEC_PER_SEC);
        ck_assert_uint_eq(ask_mode(), 1);
        host_done(&host);
}

START_TEST(test_update) {
        static const char *const specs[] = { "v2", "v2-1-loader" };

        update_by_pages(specs[_i]);
}
END_TEST

START_TEST(test_update_v3) {
        uint8_t image[1024] = { 1, 2, 3 };

        begin("v3-loader");
        operate(0x42, 5); /* 128 to 256 KiB */
        expect_done();
        operate(0x21, 0x08020000);
        expect_done();
        download(2, image, sizeof(image));
        expect_done();
        operate(0x21, 0x08020400);
        expect_done();
        download(3, image, sizeof(image));
        expect_done();
        ck_assert_int_eq(HOST_SEND(&host, 0xf3, 0x07), 16);
        host_wait(&host, USEC_PER_SEC);
        ck_assert_uint_eq(ask_mode(), 1);
        host_done(&host);
}
END_TEST

/* Torn off after the erase: the boot loader is all that is left, also after a re-plug, until
 * the rest is written. */
START_TEST(test_interrupted) {
        uint8_t image[1024] = { 1, 2, 3 };

        begin("v2-1-loader");
        operate(0x41, 0x08004000);
        expect_done();
        ck_assert_int_eq(HOST_SEND(&host, 0xf3, 0x07), 16);
        host_wait(&host, USEC_PER_SEC);
        ck_assert_uint_eq(ask_mode(), 0);
        sim_device_unplug(host.device);
        sim_device_plug(host.device);
        ck_assert_uint_eq(ask_mode(), 0);
        operate(0x21, 0x08004000);
        expect_done();
        download(2, image, sizeof(image));
        expect_done();
        sim_device_unplug(host.device);
        sim_device_plug(host.device);
        out = 0x01;
        ck_assert_uint_eq(ask_mode(), 1);
        host_done(&host);
}
END_TEST

START_TEST(test_busy) {
        begin("v2");
        operate(0x41, 0x08004000);
        ck_assert_uint_eq(get_status().state, BUSY);
        ck_assert_uint_eq(get_status().state, BUSY); /* too early */
        host_wait(&host, USEC_PER_SEC);
        ck_assert_uint_eq(get_status().state, DNLOAD_IDLE);
        host_done(&host);
}
END_TEST

START_TEST(test_errors) {
        uint8_t data[4096] = { 0 };

        begin("v2");
        operate(0x21, 0x08000000); /* the boot loader itself */
        expect_error(1);
        operate(0x41, 0x08003fff);
        expect_error(1);
        operate(0x41, 0x08010000); /* past the end */
        expect_error(1);
        operate(0x21, 0x20000000);
        expect_error(1);
        operate(0x42, 5); /* no sectors here */
        expect_error(1);
        operate(0x99, 0);
        expect_error(0x0e);
        download(0, data, 4);
        expect_error(0x0e);
        download(2, data, 2064);
        expect_error(0x0e);
        /* Not erased before */
        operate(0x21, 0x08004000);
        expect_done();
        download(2, data, 1024);
        expect_error(3);
        /* Across the end */
        operate(0x41, 0x0800fc00);
        expect_done();
        operate(0x21, 0x0800fe00);
        expect_done();
        download(2, data, 1024);
        expect_error(1);
        operate(0x51, 0);
        expect_done();
        host_done(&host);

        begin("v3-loader");
        operate(0x42, 4);
        expect_error(1);
        operate(0x42, 8);
        expect_error(1);
        operate(0x42, UINT32_MAX);
        expect_error(1);
        operate(0x41, 0x08020000);
        expect_error(1);
        host_done(&host);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("sim-loader");
        TCase *tcase = tcase_create("loader");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, test_identification);
        tcase_add_loop_test(tcase, test_update, 0, 2);
        tcase_add_test(tcase, test_update_v3);
        tcase_add_test(tcase, test_interrupted);
        tcase_add_test(tcase, test_busy);
        tcase_add_test(tcase, test_errors);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
