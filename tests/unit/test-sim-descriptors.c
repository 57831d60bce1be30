/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "sim-host.h"

/* Descriptors against what lsusb -v shows of real probes (OpenOCD, doc/usb_adapters/stlink).
 * One line stands for the device, and one for each interface and endpoint:
 *     I number class/subclass/protocol string
 *     E address attributes size interval
 *     A first count class/subclass/protocol string */

static const struct {
        const char *spec;
        unsigned product_id, device_version, class_code, total, interfaces, power;
        unsigned configuration_string;
        int qualifier; /* its configurations, -1 for none */
        unsigned status;
        const char *product, *body;
} cases[] = {
        { "v1", 0x3744, 0x100, 0, 0x20, 1, 100, 0, -1, 0, "STM32 STLink",
          "I 0 8/6/80 ST Link\nE 81 2 64 0\nE 02 2 64 0\n" },
        { "v2", 0x3748, 0x100, 0, 0x27, 1, 100, 0, -1, 0, "STM32 STLink",
          "I 0 255/255/255 ST Link\nE 81 2 64 0\nE 02 2 64 0\nE 83 2 64 0\n" },
        { "v2-1-loader", 0x3748, 0x100, 0, 0x27, 1, 100, 0, -1, 0, "STM32 STLink",
          "I 0 255/255/255 ST Link\nE 81 2 64 0\nE 02 2 64 0\nE 83 2 64 0\n" },
        { "v2-1", 0x374b, 0x100, 0xef, 0x80, 4, 100, 0, -1, 0, "STM32 STLink",
          "I 0 255/255/255 ST-Link Debug\nE 81 2 64 0\nE 01 2 64 0\nE 82 2 32 0\n"
          "I 1 8/6/80 ST-Link mass storage\nE 83 2 64 0\nE 03 2 64 0\n"
          "A 2 2 2/2/1 ST-Link VCP Ctrl\n"
          "I 2 2/2/1 ST-Link VCP Ctrl\nE 84 3 2 255\n"
          "I 3 10/0/0 ST-Link VCP Data\nE 05 2 8 0\nE 85 2 16 0\n" },
        { "v2-1:pid=3752", 0x3752, 0x100, 0xef, 0x69, 3, 300, 0, -1, 0, "STM32 STLink",
          "I 0 255/255/255 ST-Link Debug\nE 81 2 64 0\nE 01 2 64 0\nE 82 2 32 0\n"
          "A 1 2 2/2/1 ST-Link VCP Ctrl\n"
          "I 1 2/2/1 ST-Link VCP Ctrl\nE 84 3 8 16\n"
          "I 2 10/0/0 ST-Link VCP Data\nE 05 2 64 0\nE 85 2 64 0\n" },
        { "v3-loader", 0x374d, 0x200, 0, 0x20, 1, 100, 4, 1, 1, "STM32 ST-LINK/V3",
          "I 0 255/255/255 ST-LINK/V3\nE 81 2 512 0\nE 01 2 512 0\n" },
        { "v3", 0x374e, 0x100, 0xef, 0x80, 4, 500, 4, 0, 0, "STLINK-V3",
          "I 0 255/255/255 ST-Link Debug\nE 81 2 512 0\nE 01 2 512 0\nE 82 2 512 0\n"
          "I 1 8/6/80 ST-Link mass storage\nE 83 2 512 0\nE 03 2 512 0\n"
          "A 2 2 2/2/1 ST-Link VCP Ctrl\n"
          "I 2 2/2/1 ST-Link VCP Ctrl\nE 84 3 10 16\n"
          "I 3 10/0/0 ST-Link VCP Data\nE 05 2 512 0\nE 85 2 512 0\n" },
        { "v3:pid=374f", 0x374f, 0x100, 0xef, 0x97, 5, 500, 4, 1, 0, "STLINK-V3",
          "I 0 255/255/255 ST-Link Debug\nE 81 2 512 0\nE 01 2 512 0\nE 82 2 512 0\n"
          "I 1 8/6/80 ST-Link mass storage\nE 83 2 512 0\nE 03 2 512 0\n"
          "A 2 2 2/2/1 ST-Link VCP Ctrl\n"
          "I 2 2/2/1 ST-Link VCP Ctrl\nE 84 3 10 16\n"
          "I 3 10/0/0 ST-Link VCP Data\nE 05 2 512 0\nE 85 2 512 0\n"
          "I 4 255/255/255 ST-Link Bridge\nE 86 2 512 0\nE 06 2 512 0\n" },
        { "v3:pid=3753", 0x3753, 0x100, 0xef, 0xc2, 6, 300, 4, 0, 0, "STLINK-V3",
          "I 0 255/255/255 ST-Link Debug\nE 81 2 512 0\nE 01 2 512 0\nE 82 2 512 0\n"
          "A 1 2 2/2/1 ST-Link VCP Ctrl\n"
          "I 1 2/2/1 ST-Link VCP Ctrl\nE 84 3 10 16\n"
          "I 2 10/0/0 ST-Link VCP Data\nE 05 2 512 0\nE 85 2 512 0\n"
          "I 3 255/255/255 ST-Link Bridge\nE 86 2 512 0\nE 06 2 512 0\n"
          "A 4 2 2/2/1 ST-Link VCP2 Ctrl\n"
          "I 4 2/2/1 ST-Link VCP2 Ctrl\nE 83 3 10 16\n"
          "I 5 10/0/0 ST-Link VCP2 Data\nE 07 2 512 0\nE 87 2 512 0\n" },
        { "v3pwr-loader", 0x3755, 0x100, 0, 0x20, 1, 100, 4, 1, 0, "STLINK-V3PWR",
          "I 0 255/255/255 ST-Link Usbloader\nE 81 2 512 0\nE 01 2 512 0\n" },
        { "v3pwr", 0x3757, 0x100, 0xef, 0xc2, 6, 500, 4, 1, 0, "STLINK-V3PWR",
          "I 0 255/255/255 ST-Link Debug\nE 81 2 512 0\nE 01 2 512 0\nE 82 2 512 0\n"
          "A 1 2 2/2/1 ST-Link VCP Ctrl\n"
          "I 1 2/2/1 ST-Link VCP Ctrl\nE 84 3 10 16\n"
          "I 2 10/0/0 ST-Link VCP Data\nE 05 2 512 0\nE 85 2 512 0\n"
          "I 3 255/255/255 ST-Link Bridge\nE 86 2 512 0\nE 06 2 512 0\n"
          "A 4 2 2/2/1 ST-Link VCP-PWR Ctrl\n"
          "I 4 2/2/1 ST-Link VCP-PWR Ctrl\nE 87 3 10 16\n"
          "I 5 10/0/0 ST-Link VCP-PWR Data\nE 03 2 512 0\nE 83 2 512 0\n" },
};

static Host host;

/* A string descriptor as text, in a buffer that the next call overwrites. */
static const char *get_string(uint8_t index) {
        static char text[64];
        uint8_t d[255];
        int r = host_control(&host, 0x80, 6, (uint16_t) (0x300 | index), 0x409, d, sizeof(d));

        ck_assert_int_gt(r, 2);
        ck_assert_int_eq(r, d[0]);
        ck_assert_uint_eq(d[1], 3);
        for (int i = 0; i < r / 2 - 1; i++)
                text[i] = (char) d[2 + 2 * i];
        text[r / 2 - 1] = '\0';
        return text;
}

static void describe(char *body, size_t size, const uint8_t *d) {
        size_t n = strlen(body);

        switch (d[1]) {
        case 4:
                ck_assert_str_eq(get_string(d[8]), sim_device_interface_name(host.device, d[2]));
                (void) snprintf(body + n, size - n, "I %u %u/%u/%u %s\n", d[2], d[5], d[6], d[7],
                                get_string(d[8]));
                break;
        case 5:
                (void) snprintf(body + n, size - n, "E %02x %u %u %u\n", d[2], d[3],
                                get_le16(d + 4), d[6]);
                break;
        case 11:
                (void) snprintf(body + n, size - n, "A %u %u %u/%u/%u %s\n", d[2], d[3], d[4], d[5],
                                d[6], get_string(d[7]));
                break;
        }
}

/* Walk the configuration by its lengths: they have to add up. */
static void walk(const uint8_t *d, size_t size, char *body, size_t body_size) {
        unsigned interfaces = 0, endpoints = 0, announced = 0;

        for (size_t i = 0; i < size; i += d[i]) {
                ck_assert_uint_ge(d[i], 2);
                ck_assert_uint_le(i + d[i], size);
                describe(body, body_size, d + i);
                if (d[i + 1] == 4) {
                        ck_assert_uint_eq(endpoints, announced);
                        ck_assert_uint_eq(d[i + 2], interfaces++);
                        ck_assert_uint_eq(d[i + 3], 0);
                        announced = d[i + 4];
                        endpoints = 0;
                }
                endpoints += d[i + 1] == 5;
        }
        ck_assert_uint_eq(endpoints, announced);
        ck_assert_uint_eq(interfaces, d[4]);
}

START_TEST(test_descriptors) {
        const uint8_t *device, *configuration;
        char body[2048] = "";

        host_init(&host, cases[_i].spec);
        device = host.usb->descriptors;
        configuration = device + 18;
        ck_assert_mem_eq(device, "\x12\1\0\2", 4);
        ck_assert_uint_eq(device[4], cases[_i].class_code);
        ck_assert_mem_eq(device + 5, cases[_i].class_code ? "\2\1\x40" : "\0\0\x40", 3);
        ck_assert_uint_eq(get_le16(device + 8), 0x483);
        ck_assert_uint_eq(get_le16(device + 10), cases[_i].product_id);
        ck_assert_uint_eq(get_le16(device + 12), cases[_i].device_version);
        ck_assert_mem_eq(device + 14, "\1\2\3\1", 4);
        ck_assert_uint_eq(host.usb->descriptors_size, 18 + cases[_i].total);
        ck_assert_mem_eq(configuration, "\x09\2", 2);
        ck_assert_uint_eq(get_le16(configuration + 2), cases[_i].total);
        ck_assert_uint_eq(configuration[4], cases[_i].interfaces);
        ck_assert_uint_eq(configuration[5], 1);
        ck_assert_uint_eq(configuration[6], cases[_i].configuration_string);
        ck_assert_uint_eq(configuration[7], 0x80);
        ck_assert_uint_eq(2u * configuration[8], cases[_i].power);
        walk(configuration, cases[_i].total, body, sizeof(body));
        ck_assert_str_eq(body, cases[_i].body);
        ck_assert_str_eq(get_string(1), "STMicroelectronics");
        ck_assert_str_eq(get_string(2), cases[_i].product);
        ck_assert_str_eq(sim_device_product(host.device), cases[_i].product);
        ck_assert_str_eq(sim_device_manufacturer(host.device), "STMicroelectronics");
        ck_assert_ptr_null(sim_device_interface_name(host.device, cases[_i].interfaces));
        host_done(&host);
}
END_TEST

/* The same bytes on endpoint 0, in one piece or as the kernel asks for them. */
START_TEST(test_requests) {
        uint8_t d[300], one;

        host_init(&host, cases[_i].spec);
        ck_assert_int_eq(host_control(&host, 0x80, 6, 0x100, 0, d, 64), 18);
        ck_assert_mem_eq(d, host.usb->descriptors, 18);
        ck_assert_int_eq(host_control(&host, 0x80, 6, 0x200, 0, d, 9), 9);
        ck_assert_int_eq(host_control(&host, 0x80, 6, 0x200, 0, d, 300), (int) cases[_i].total);
        ck_assert_mem_eq(d, host.usb->descriptors + 18, cases[_i].total);
        ck_assert_int_eq(host_control(&host, 0x80, 6, 0x201, 0, d, 300), -EPIPE);
        ck_assert_int_eq(host_control(&host, 0x80, 6, 0x300, 0, d, 255), 4);
        ck_assert_mem_eq(d, "\4\3\x09\4", 4);
        ck_assert_int_eq(host_control(&host, 0x80, 6, 0x3ee, 0, d, 255), -EPIPE);
        ck_assert_int_eq(host_control(&host, 0x80, 6, 0xf00, 0, d, 5), -EPIPE); /* no BOS */
        if (cases[_i].qualifier < 0) {
                ck_assert_int_eq(host.usb->speed, USB_SPEED_FULL_12M);
                ck_assert_int_eq(host_control(&host, 0x80, 6, 0x600, 0, d, 10), -EPIPE);
        } else {
                ck_assert_int_eq(host.usb->speed, USB_SPEED_HIGH_480M);
                ck_assert_int_eq(host_control(&host, 0x80, 6, 0x600, 0, d, 10), 10);
                ck_assert_mem_eq(d, "\x0a\6\0\2\0\0\0\x40", 8);
                ck_assert_int_eq(d[8], cases[_i].qualifier);
        }
        ck_assert_int_eq(host_control(&host, 0x80, 0, 0, 0, d, 2), 2);
        ck_assert_uint_eq(get_le16(d), cases[_i].status);
        ck_assert_int_eq(host_control(&host, 0x00, 9, 1, 0, NULL, 0), 0);
        ck_assert_int_eq(host_control(&host, 0x80, 8, 0, 0, &one, 1), 1);
        ck_assert_uint_eq(one, 1);
        ck_assert_int_eq(host_control(&host, 0x00, 9, 2, 0, NULL, 0), -EPIPE);
        ck_assert_int_eq(host_control(&host, 0x01, 11, 0, 0, NULL, 0), 0);
        ck_assert_int_eq(host_control(&host, 0x01, 11, 1, 0, NULL, 0), -EPIPE);
        ck_assert_int_eq(host_control(&host, 0x81, 10, 0, 0, &one, 1), 1);
        ck_assert_uint_eq(one, 0);
        ck_assert_int_eq(host_control(&host, 0x81, 10, 0, 99, &one, 1), -EPIPE);
        ck_assert_int_eq(host_control(&host, 0x00, 3, 1, 0, NULL, 0), -EPIPE); /* wake-up */
        ck_assert_int_eq(host_control(&host, 0xc0, 1, 0, 0, d, 4), -EPIPE);    /* vendor */
        host_done(&host);
}
END_TEST

START_TEST(test_endpoint_halt) {
        uint8_t status[2];

        host_init(&host, "v2");
        ck_assert_int_eq(host_control(&host, 0x02, 3, 0, 0x81, NULL, 0), 0);
        ck_assert_int_eq(host_control(&host, 0x82, 0, 0, 0x81, status, 2), 2);
        ck_assert_mem_eq(status, "\1\0", 2);
        ck_assert_int_eq(host_bulk(&host, 0x81, status, 2), -EPIPE);
        ck_assert_int_eq(host_control(&host, 0x02, 1, 0, 0x81, NULL, 0), 0);
        ck_assert_int_eq(host_control(&host, 0x82, 0, 0, 0x81, status, 2), 2);
        ck_assert_mem_eq(status, "\0\0", 2);
        ck_assert_int_eq(host_control(&host, 0x82, 0, 0, 0, status, 2), 2);
        ck_assert_int_eq(host_control(&host, 0x82, 0, 0, 0x87, status, 2), -EPIPE);
        ck_assert_int_eq(host_control(&host, 0x02, 1, 0, 0x87, NULL, 0), -EPIPE);
        host_done(&host);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("sim-descriptors");
        TCase *tcase = tcase_create("descriptors");
        SRunner *runner;
        int failed;

        tcase_add_loop_test(tcase, test_descriptors, 0, ELEMENTSOF(cases));
        tcase_add_loop_test(tcase, test_requests, 0, ELEMENTSOF(cases));
        tcase_add_test(tcase, test_endpoint_halt);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
