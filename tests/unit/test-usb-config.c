/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fake-usb.h"
#include "usbfs/usb-config.h"

static FakeUsb fake;

static void setup(void) {
        fake_usb_init(&fake);
}

START_TEST(test_good) {
        const UsbEndpoint *endpoint;
        unsigned interface;
        UsbConfig config;

        ck_assert_int_eq(usb_config_parse(fake.usb.descriptors, fake.usb.descriptors_size, &config),
                         0);
        ck_assert_uint_eq(config.usb_version, 0x0200);
        ck_assert_uint_eq(config.vendor_id, 0x0483);
        ck_assert_uint_eq(config.product_id, 0x374b);
        ck_assert_uint_eq(config.release, 0x0100);
        ck_assert_uint_eq(config.value, 1);
        ck_assert_uint_eq(config.milliamps, 100);
        ck_assert_uint_eq(config.n_interfaces, 4);
        ck_assert_uint_eq(config.n_settings, 6);

        endpoint = usb_config_endpoint(&config, 0x84, &interface);
        ck_assert_ptr_nonnull(endpoint);
        ck_assert_int_eq(endpoint->type, USB_TRANSFER_BULK);
        ck_assert_uint_eq(endpoint->max_packet, 64);
        ck_assert_uint_eq(interface, 1);
        endpoint = usb_config_endpoint(&config, 0x83, &interface);
        ck_assert_int_eq(endpoint->type, USB_TRANSFER_INTERRUPT);
        ck_assert_ptr_null(usb_config_endpoint(&config, 0x07, &interface));

        ck_assert(usb_config_has_alternate(&config, 1, 1));
        ck_assert(!usb_config_has_alternate(&config, 0, 1));
        ck_assert_ptr_null(usb_interface_driver(usb_config_interface(&config, 0)));
        ck_assert_str_eq(usb_interface_driver(usb_config_interface(&config, 1)), "usb-storage");
        ck_assert_str_eq(usb_interface_driver(usb_config_interface(&config, 2)), "cdc_acm");
        ck_assert_ptr_null(usb_config_interface(&config, 4));
}
END_TEST

/* Whatever is cut off or changed, the parser stays within what it was given (valgrind and ASan
 * see the copy's end) and accepts no count of bytes that is not there. */
START_TEST(test_bad) {
        const size_t size = fake.usb.descriptors_size;
        UsbConfig config;

        for (size_t n = 0; n < size; n++) {
                uint8_t *copy = malloc(n + 1);

                memcpy(copy, fake.usb.descriptors, n);
                ck_assert_int_eq(usb_config_parse(copy, n, &config), -EBADMSG);
                free(copy);
        }
        for (size_t i = 0; i < size; i++)
                for (unsigned value = 0; value < 256; value++) {
                        uint8_t *copy = malloc(size);
                        int r;

                        memcpy(copy, fake.usb.descriptors, size);
                        copy[i] = (uint8_t) value;
                        r = usb_config_parse(copy, size, &config);
                        ck_assert(r == 0 || r == -EBADMSG || r == -E2BIG);
                        free(copy);
                }
}
END_TEST

int main(void) {
        Suite *suite = suite_create("usb-config");
        TCase *tcase = tcase_create("parse");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, setup, NULL);
        tcase_add_test(tcase, test_good);
        tcase_add_test(tcase, test_bad);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
