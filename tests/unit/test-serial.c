/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "core/serial.h"

/* What Linux shows in sysfs, from users.md (rank 9) and stlink-protocol §1.2 where they quote
 * one, else in the form they describe */
static const struct {
        const char *what;
        const char *reported;
        SerialKind kind;
        const char *canonical;
} cases[] = {
        { "24 digits", "066DFF504955857567012345", SERIAL_GOOD, "066DFF504955857567012345" },
        { "24 digits, lower case", "066dff504955857567012345", SERIAL_GOOD,
          "066DFF504955857567012345" },
        { "padded UID", "856D010110134753384C4E00", SERIAL_GOOD, "856D010110134753384C4E00" },
        { "padded UID", "1521090032124353354B4E00", SERIAL_GOOD, "1521090032124353354B4E00" },
        { "where libusb's helper put 3F", "573F72064966534938431567", SERIAL_GOOD,
          "573F72064966534938431567" },
        { "24 digits and spaces", "066DFF504955857567012345  ", SERIAL_GOOD,
          "066DFF504955857567012345" },

        /* 57 FF 72 06 49 66 53 49 38 43 15 67: the descriptor has 26 bytes */
        { "raw bytes", "W\xc3\xbfr\x06IfSI8C\x15g", SERIAL_RAW, "57FF72064966534938431567" },
        { "raw bytes, all plain", "WaterUnit367", SERIAL_RAW, "5761746572556E6974333637" },
        { "raw bytes with a newline", "W\xc3\xbfr\nIfSI8C\x15\n", SERIAL_RAW,
          "57FF720A496653493843150A" },
        { "raw bytes, last one a space", "W\xc3\xbfr\x06IfSI8C\x15 ", SERIAL_RAW,
          "57FF72064966534938431520" },
        { "raw bytes, first ones spaces", "  r\x06IfSI8C\x15g", SERIAL_RAW,
          "202072064966534938431567" },
        { "raw bytes, real question marks", "W?r\x06IfSI8C\x15g", SERIAL_RAW,
          "573F72064966534938431567" },
        /* 85 6D 01 01 10 13 47 53 38 4C 4E 00: the kernel stops at the 00 */
        { "raw bytes, last one 00", "\xc2\x85m\x01\x01\x10\x13GS8LN", SERIAL_RAW,
          "856D010110134753384C4E00" },
        { "raw bytes that are no UTF-8", "W\xffr\x06IfSI8C\x15g", SERIAL_RAW,
          "57FF72064966534938431567" },

        /* dmesg in stlink-org/stlink#835, where control characters had got lost */
        { "rest of raw bytes", "V\xc3\xbfsQ\xc2\x82RP9\xc2\x87", SERIAL_ODD,
          "x56FF73518252503987" },
        { "raw bytes cut by a 00 inside", "W\xc3\xbfr", SERIAL_ODD, "x57FF72" },

        { "clone", "000000000001", SERIAL_SHARED, "000000000001" },
        { "clone, in hexadecimal", "303030303030303030303031", SERIAL_SHARED, "000000000001" },
        { "V1", "0000001", SERIAL_SHARED, "0000001" },
        { "zeros", "000000000000000000000000", SERIAL_SHARED, "000000000000000000000000" },
        { "erased", "FFFFFFFFFFFFFFFFFFFFFFFF", SERIAL_SHARED, "FFFFFFFFFFFFFFFFFFFFFFFF" },
        { "erased, raw",
          "\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf"
          "\xc3\xbf",
          SERIAL_SHARED, "FFFFFFFFFFFFFFFFFFFFFFFF" },

        { "none", NULL, SERIAL_MISSING, "" },
        { "empty", "", SERIAL_MISSING, "" },
        { "spaces", "   ", SERIAL_MISSING, "" },
        { "twelve spaces", "            ", SERIAL_MISSING, "" },

        { "text", "BENCH-3_a.b", SERIAL_ODD, "BENCH-3_a.b" },
        { "text keeps its case", "Lab7", SERIAL_ODD, "Lab7" },
        { "text with a slash", "a/b@c", SERIAL_ODD, "x612F624063" },
        { "six characters that are no text", "a/b@ d", SERIAL_ODD, "x612F62402064" },
        { "23 digits", "066DFF50495585756701234", SERIAL_ODD, "066DFF50495585756701234" },
        { "24 characters, one no digit", "066DFF50495585756701234G", SERIAL_ODD,
          "066DFF50495585756701234G" },
        { "beyond a byte",
          "\xe2\x82\xac"
          "bcdefghijkl",
          SERIAL_ODD, "xAC62636465666768696A6B6C" },
        { "64 characters", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
          SERIAL_ODD, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" },
        { "65 characters", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbc",
          SERIAL_ODD, "x61616161616161616161616161616161616161616161616161616161616161" },
};

START_TEST(serial_is_canonical) {
        char canonical[SERIAL_MAX];
        SerialKind kind;

        memset(canonical, 'x', sizeof(canonical));
        kind = serial_canonicalize(cases[_i].reported, canonical);
        ck_assert_msg(kind == cases[_i].kind, "%s: kind %d", cases[_i].what, kind);
        ck_assert_msg(strcmp(canonical, cases[_i].canonical) == 0, "%s: %s", cases[_i].what,
                      canonical);
}
END_TEST

/* A canonical serial is its own canonical form, or a user could not select by it. */
START_TEST(canonical_is_stable) {
        char again[SERIAL_MAX];
        SerialKind kind;

        if (strlen(cases[_i].canonical) == 12) /* would be raw, were it not shared */
                ck_assert_int_eq(cases[_i].kind, SERIAL_SHARED);
        kind = serial_canonicalize(cases[_i].canonical, again);
        ck_assert_str_eq(again, cases[_i].canonical);
        if (cases[_i].kind == SERIAL_RAW)
                ck_assert_int_eq(kind, SERIAL_GOOD);
}
END_TEST

static bool all_between(const char *text, const char *without) {
        for (; *text; text++)
                if ((unsigned char) *text < ' ' || *text == 0x7f || strchr(without, *text))
                        return false;
        return true;
}

START_TEST(any_bytes_are_survived) {
        char reported[300], canonical[SERIAL_MAX], shown[64];

        srand(483);
        for (int round = 0; round < 5000; round++) {
                size_t n = (size_t) rand() % sizeof(reported);

                for (size_t i = 0; i < n; i++)
                        reported[i] = (char) rand();
                reported[n ? n - 1 : 0] = 0;
                (void) serial_canonicalize(reported, canonical);
                serial_escape(reported, shown, sizeof(shown));
                if (strlen(canonical) >= SERIAL_MAX || !all_between(canonical, " /@") ||
                    !all_between(shown, ""))
                        ck_abort_msg("round %d: %s, %s", round, canonical, shown);
        }
}
END_TEST

START_TEST(escaped_for_people) {
        char shown[64];

        serial_escape("W\xc3\xbfr\x06\x1b[31m\xff", shown, sizeof(shown));
        ck_assert_str_eq(shown, "W\xc3\xbfr\\x06\\x1B[31m\\xFF");
        serial_escape(NULL, shown, sizeof(shown));
        ck_assert_str_eq(shown, "");
        serial_escape("abc\n", shown, 6);
        ck_assert_str_eq(shown, "abc");
}
END_TEST

static const struct {
        const char *canonical;
        SerialKind kind;
        bool ambiguous;
        const char *port, *id;
} ids[] = {
        { "066DFF504955857567012345", SERIAL_GOOD, false, "1-1.2", "066DFF504955857567012345" },
        { "57FF72064966534938431567", SERIAL_RAW, false, "1-1.2", "57FF72064966534938431567" },
        { "066DFF504955857567012345", SERIAL_GOOD, true, "1-1.2",
          "066DFF504955857567012345@1-1.2" },
        { "000000000001", SERIAL_SHARED, false, "1-1.2", "000000000001@1-1.2" },
        { "Lab7", SERIAL_ODD, false, "2-1.4.3", "Lab7@2-1.4.3" },
        { "", SERIAL_MISSING, false, "1-1.2", "usb-1-1.2" },
};

START_TEST(id_is_made) {
        char id[PROBE_ID_MAX];

        probe_id_make(ids[_i].canonical, ids[_i].kind, ids[_i].ambiguous, ids[_i].port, id);
        ck_assert_str_eq(id, ids[_i].id);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("serial");
        TCase *tcase = tcase_create("serial");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_loop_test(tcase, serial_is_canonical, 0, ELEMENTSOF(cases));
        tcase_add_loop_test(tcase, canonical_is_stable, 0, ELEMENTSOF(cases));
        tcase_add_loop_test(tcase, id_is_made, 0, ELEMENTSOF(ids));
        tcase_add_test(tcase, any_bytes_are_survived);
        tcase_add_test(tcase, escaped_for_people);
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
