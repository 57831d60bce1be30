/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of a private world that need no world: udev's names, hashes, lists, trees. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "sim/world/hub.h"
#include "sim/world/properties.h"
#include "sim/world/tree.h"
#include "sim/world/udev-names.h"
#include "sim/world/uevent.h"

START_TEST(test_replace) {
        static const char *const cases[][2] = {
                { "STMicroelectronics", "STMicroelectronics" },
                { "  STM32  ST-Link ", "STM32_ST-Link" },
                { "a/b\\c\"d", "a_b_c_d" },
                { "caf\xc3\xa9", "caf\xc3\xa9" },
                { "bad\xff", "bad_" },
                { "", "" },
        };
        char out[64];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                udev_names_replace(cases[i][0], out, sizeof(out));
                ck_assert_str_eq(out, cases[i][1]);
        }
        udev_names_replace("0123456789012345678901234567890123456789", out, 16);
        ck_assert_uint_lt(strlen(out), 16);
        udev_names_encode("ST Link/\x01", out, sizeof(out));
        ck_assert_str_eq(out, "ST\\x20Link\\x2f\\x01");
}
END_TEST

START_TEST(test_names) {
        UsbConfig config = { .vendor_id = 0x0483, .product_id = 0x3748, .release = 0x0100 };
        _cleanup_properties_ Properties good = {}, raw = {};

        udev_names_add(&good, &config, &(UdevStrings){ "STM", "ST Link", "0669" });
        ck_assert_str_eq(properties_get(&good, "ID_SERIAL"), "STM_ST_Link_0669");
        ck_assert_str_eq(properties_get(&good, "ID_SERIAL_SHORT"), "0669");
        ck_assert_str_eq(properties_get(&good, "ID_MODEL_ENC"), "ST\\x20Link");
        ck_assert_str_eq(properties_get(&good, "ID_MODEL_ID"), "3748");
        udev_names_add(&raw, &config, &(UdevStrings){ NULL, NULL, "W\xc3\xbfr" });
        ck_assert_ptr_null(properties_get(&raw, "ID_SERIAL_SHORT"));
        ck_assert_str_eq(properties_get(&raw, "ID_SERIAL"), "0483_3748");
}
END_TEST

/* Values of MurmurHash2 with seed 0, computed with another implementation of it. */
START_TEST(test_hash) {
        static const struct {
                const char *text;
                uint32_t hash;
        } cases[] = { { "", 0 },
                      { "usb", 0x0577c5e5 },
                      { "usb_device", 0x27f8f50c },
                      { "systemd", 0xa75f972a },
                      { "tty!", 0x34ca5541 } };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                ck_assert_uint_eq(uevent_hash(cases[i].text), cases[i].hash);
}
END_TEST

START_TEST(test_tree) {
        char folder[] = "/tmp/test-world.XXXXXX", path[128], link[128], text[64];
        ssize_t n;
        int r = 0;

        ck_assert_ptr_nonnull(mkdtemp(folder));
        snprintf(path, sizeof(path), "%s/devices/usb1/1-1", folder);
        tree_print(&r, path, "serial", "%s\n", "x");
        snprintf(link, sizeof(link), "%s/bus/usb/1-1", folder);
        tree_link(&r, path, link);
        tree_link(&r, path, link); /* again, over itself */
        ck_assert_int_eq(r, 0);
        n = readlink(link, text, sizeof(text) - 1);
        ck_assert_int_gt(n, 0);
        text[n] = '\0';
        ck_assert_str_eq(text, "../../devices/usb1/1-1");
        snprintf(path, sizeof(path), "%s/bus/usb/1-1/serial", folder);
        ck_assert_int_eq(read_line_at(AT_FDCWD, path, text, sizeof(text)), 1);
        /* A failure stays, and is not overwritten. */
        tree_print(&r, "/proc/1", "nonsense", "x");
        ck_assert_int_lt(r, 0);
        n = r;
        tree_print(&r, folder, "more", "x");
        ck_assert_int_eq(r, n);
        tree_remove(folder);
        ck_assert_int_ne(access(folder, F_OK), 0);
}
END_TEST

static void on_complete(UsbTransfer *transfer) {
        *(bool *) transfer->userdata = true;
}

static int ask_hub(Hub *hub, const uint8_t setup[static 8], uint8_t *out) {
        bool done = false;
        UsbTransfer transfer = { .type = USB_TRANSFER_CONTROL,
                                 .buffer = out,
                                 .length = (size_t) setup[6],
                                 .complete = on_complete,
                                 .userdata = &done };

        memcpy(transfer.setup, setup, 8);
        ck_assert_int_eq(hub_usb(hub)->ops->submit(hub_usb(hub), &transfer), 0);
        ck_assert(done);
        return transfer.status < 0 ? transfer.status : (int) transfer.actual;
}

START_TEST(test_hub) {
        _cleanup_(hub_freep) Hub *hub = NULL;
        uint8_t out[64];

        ck_assert_int_lt(hub_new(false, HUB_PORTS_MAX + 1, NULL, &hub), 0);
        ck_assert_int_eq(hub_new(false, 4, NULL, &hub), 0);
        ck_assert_int_eq(ask_hub(hub, (uint8_t[8]){ 0xa0, 6, 0, 0x29, 0, 0, 64, 0 }, out), 9);
        ck_assert_uint_eq(out[2], 4);
        hub_set_port(hub, 2, true, USB_SPEED_HIGH_480M);
        ck_assert_int_eq(ask_hub(hub, (uint8_t[8]){ 0xa3, 0, 0, 0, 2, 0, 4, 0 }, out), 4);
        ck_assert_uint_eq(out[0] | out[1] << 8, 0x0503);
        ck_assert_int_lt(ask_hub(hub, (uint8_t[8]){ 0xa3, 0, 0, 0, 5, 0, 4, 0 }, out), 0);
        ck_assert_int_lt(ask_hub(hub, (uint8_t[8]){ 0x80, 6, 1, 3, 0, 0, 64, 0 }, out), 0);
        ck_assert_int_eq(ask_hub(hub, (uint8_t[8]){ 0x80, 6, 0, 2, 0, 0, 9, 0 }, out), 9);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("world");
        TCase *tcase = tcase_create("parts");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, test_replace);
        tcase_add_test(tcase, test_names);
        tcase_add_test(tcase, test_hash);
        tcase_add_test(tcase, test_tree);
        tcase_add_test(tcase, test_hub);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
