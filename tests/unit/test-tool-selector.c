/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "core/serial.h"
#include "core/tool-selector.h"

/* What the kernel shows of the serials that users quote (users.md, rank 9; stlink-protocol §1.2),
 * and what has to be said to each tool so that it takes that probe. NULL: it cannot be told. */
static const struct {
        const char *reported;
        uint16_t product_id;
        bool ambiguous;
        const char *openocd, *stlink, *pyocd, *probe_rs, *cubeprogrammer;
} cases[] = {
        { "066DFF504955857567012345", 0x374B, false, "-c|adapter serial 066DFF504955857567012345",
          "--serial|066DFF504955857567012345", "--uid|066DFF504955857567012345",
          "--probe|0483:374b:066DFF504955857567012345", "-c|port=SWD|sn=066DFF504955857567012345" },
        /* OpenOCD and stlink compare letter by letter */
        { "066dff504955857567012345", 0x374B, false, "-c|adapter serial 066dff504955857567012345",
          "--serial|066dff504955857567012345", "--uid|066dff504955857567012345",
          "--probe|0483:374b:066dff504955857567012345", "-c|port=SWD|sn=066dff504955857567012345" },
        { "066DFF504955857567012345", 0x374B, true, "-c|adapter usb location 1-1.2", NULL, NULL,
          NULL, NULL },
        { "856D010110134753384C4E00", 0x3748, false, "-c|adapter serial 856D010110134753384C4E00",
          "--serial|856D010110134753384C4E00", "--uid|856D010110134753384C4E00",
          "--probe|0483:3748:856D010110134753384C4E00", "-c|port=SWD|sn=856D010110134753384C4E00" },
        /* 57 FF 72 06 49 66 53 49 38 43 15 67, raw */
        { "W\xc3\xbfr\x06IfSI8C\x15g", 0x3748, false, "-c|adapter serial 57FF72064966534938431567",
          "--serial|57FF72064966534938431567", "--uid|57FF72064966534938431567",
          "--probe|0483:3748:57C3BF72064966534938431567",
          "-c|port=SWD|sn=57FF72064966534938431567" },
        /* 49 FF 68 06 66 84 56 57 31 36 13 87, for which people gave OpenOCD 3F */
        { "I\xc3\xbfh\x06"
          "f\xc2\x84VW16\x13\xc2\x87",
          0x3748, false, "-c|adapter serial 49FF68066684565731361387",
          "--serial|49FF68066684565731361387", "--uid|49FF68066684565731361387",
          "--probe|0483:3748:49C3BF680666C2845657313613C287",
          "-c|port=SWD|sn=49FF68066684565731361387" },
        /* AA BC 6E 06 50 75 FF 55 17 42 19 3F, the example in OpenOCD's configuration */
        { "\xc2\xaa\xc2\xbcn\x06Pu\xc3\xbfU\x17"
          "B\x19?",
          0x3748, false, "-c|adapter serial AABC6E065075FF551742193F",
          "--serial|AABC6E065075FF551742193F", "--uid|AABC6E065075FF551742193F",
          "--probe|0483:3748:C2AAC2BC6E065075C3BF551742193F",
          "-c|port=SWD|sn=AABC6E065075FF551742193F" },
        /* 85 6D 01 01 10 13 47 53 38 4C 4E 00, raw: the kernel stops at the 00 */
        { "\xc2\x85m\x01\x01\x10\x13GS8LN", 0x3748, false,
          "-c|adapter serial 856D010110134753384C4E00", "--serial|856D010110134753384C4E00",
          "--uid|856D010110134753384C4E00", "--probe|0483:3748:C2856D010110134753384C4E",
          "-c|port=SWD|sn=856D010110134753384C4E00" },
        /* on every clone, the only one that is plugged in, and beside its like */
        { "000000000001", 0x3748, false, "-c|adapter usb location 1-1.2",
          "--serial|303030303030303030303031", "--uid|303030303030303030303031",
          "--probe|0483:3748:303030303030303030303031", "-c|port=SWD|sn=303030303030303030303031" },
        { "000000000001", 0x3748, true, "-c|adapter usb location 1-1.2", NULL, NULL, NULL, NULL },
        /* where a 00 cut it */
        { "V\xc3\xbfsQ\xc2\x82RP9\xc2\x87", 0x3748, false, "-c|adapter usb location 1-1.2", NULL,
          NULL, NULL, NULL },
        { NULL, 0x3748, false, "-c|adapter usb location 1-1.2", NULL, NULL, NULL, NULL },
        { "0000001", 0x3744, false, "-c|adapter usb location 1-1.2", NULL, NULL, NULL, NULL },
};

static void check_tool(Tool tool, const ToolProbe *probe, const char *expected) {
        ToolSelector selector;
        char said[TOOL_WORDS_MAX * TOOL_WORD_MAX] = "";
        int r = tool_selector_make(tool, probe, &selector);

        if (!expected) {
                ck_assert_msg(r < 0, "%s for %s", tool_to_string(tool), probe->serial);
                return;
        }
        ck_assert_msg(r == 0, "%s for %s: %d", tool_to_string(tool), probe->serial, r);
        for (unsigned i = 0; i < selector.n_words; i++) {
                (void) strcat(said, i > 0 ? "|" : "");
                (void) strcat(said, selector.words[i]);
        }
        ck_assert_str_eq(said, expected);
        ck_assert_int_eq(selector.by_port, strstr(said, "location") != NULL);
}

START_TEST(tools_are_told) {
        char serial[SERIAL_MAX], shown[300];
        ToolProbe probe = { .serial = serial,
                            .reported = shown,
                            .port_path = "1-1.2",
                            .product_id = cases[_i].product_id,
                            .ambiguous = cases[_i].ambiguous };

        (void) serial_canonicalize(cases[_i].reported, serial);
        serial_escape(cases[_i].reported, shown, sizeof(shown));
        check_tool(TOOL_OPENOCD, &probe, cases[_i].openocd);
        check_tool(TOOL_STLINK, &probe, cases[_i].stlink);
        check_tool(TOOL_PYOCD, &probe, cases[_i].pyocd);
        check_tool(TOOL_PROBE_RS, &probe, cases[_i].probe_rs);
        check_tool(TOOL_CUBEPROGRAMMER, &probe, cases[_i].cubeprogrammer);
}
END_TEST

START_TEST(reasons) {
        ToolProbe probe = { .serial = "066DFF504955857567012345",
                            .reported = "066DFF504955857567012345",
                            .port_path = "1-1",
                            .product_id = 0x374B,
                            .ambiguous = true };
        ToolSelector selector;

        ck_assert_int_eq(tool_selector_make(TOOL_STLINK, &probe, &selector), -ENOTUNIQ);
        probe.serial = probe.reported = NULL;
        ck_assert_int_eq(tool_selector_make(TOOL_STLINK, &probe, &selector), -ENODATA);
        ck_assert_int_eq(tool_selector_make(TOOL_PROBE_RS, &probe, &selector), -ENODATA);
        probe.product_id = 0x3744;
        ck_assert_int_eq(tool_selector_make(TOOL_PYOCD, &probe, &selector), -EOPNOTSUPP);
        ck_assert_int_eq(tool_from_string("openocd"), TOOL_OPENOCD);
        ck_assert_int_eq(tool_from_string("gdb"), -EINVAL);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("tool-selector");
        TCase *tcase = tcase_create("tool-selector");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_loop_test(tcase, tools_are_told, 0, ELEMENTSOF(cases));
        tcase_add_test(tcase, reasons);
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
