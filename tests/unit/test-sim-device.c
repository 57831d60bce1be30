/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "sim-host.h"

/* The USB side of the simulated probe. */

START_TEST(test_v2_wakes_up) {
        uint8_t reply[64];
        Host host;

        host_init(&host, "v2");
        ck_assert_int_eq(HOST_ASK(&host, reply, 6, 0xf1), 6);
        ck_assert_mem_eq(reply, "\x29\x47\x83\x04\x48\x37", 6); /* V2J37S7 */
        ck_assert_int_eq(HOST_ASK(&host, reply, 2, 0xf5), 2);
        ck_assert_mem_eq(reply, "\0\1", 2);
        ck_assert_int_eq(HOST_SEND(&host, 0xf3, 0x07), 16);
        ck_assert_int_eq(HOST_ASK(&host, reply, 2, 0xf5), 2);
        ck_assert_mem_eq(reply, "\1\0", 2);
        ck_assert_int_eq(HOST_ASK(&host, reply, 2, 0xf2, 0x30, 0xa3), 2);
        ck_assert_mem_eq(reply, "\x80\0", 2);
        ck_assert_int_eq(HOST_ASK(&host, reply, 12, 0xf2, 0x31), 12);
        ck_assert_uint_eq(get_le32(reply + 4), 0x1ba01477);
        host_done(&host);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("sim-device");
        TCase *tcase = tcase_create("device");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, test_v2_wakes_up);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
