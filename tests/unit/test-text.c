/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/text.h"

static const struct {
        const char *text;
        size_t size;
        const char *shown;
} cases[] = {
        { "openocd", 64, "openocd" },
        { "a b\\c", 64, "a b\\c" },
        { "a\nb\tc", 64, "a\\x0Ab\\x09c" },
        { "\x1b[2J", 64, "\\x1B[2J" },
        { "\x7f", 64, "\\x7F" },
        { "gr\xc3\xbc\xc3\x9f", 64, "gr\xc3\xbc\xc3\x9f" },
        { "\xc2\x9b", 64, "\\xC2\\x9B" },                   /* C1: another way to say ESC [ */
        { "\xe2\x80\xae", 64, "\\xE2\\x80\\xAE" },          /* right-to-left override */
        { "\xe2\x80\xa8", 64, "\\xE2\\x80\\xA8" },          /* line separator */
        { "\xef\xbb\xbf", 64, "\\xEF\\xBB\\xBF" },          /* byte order mark */
        { "\xf0\x9f\x94\x8c", 64, "\xf0\x9f\x94\x8c" },     /* a plug */
        { "\xc0\xaf", 64, "\\xC0\\xAF" },                   /* overlong */
        { "\xed\xa0\x80", 64, "\\xED\\xA0\\x80" },          /* surrogate */
        { "\xf4\x90\x80\x80", 64, "\\xF4\\x90\\x80\\x80" }, /* beyond Unicode */
        { "\xe2\x82", 64, "\\xE2\\x82" },                   /* cut short */
        { "abc", 4, "abc" },
        { "abc", 3, "ab" },
        { "a\xc3\xbc", 3, "a" },
        { "a\n", 6, "a\\x0A" },
        { "a\n", 5, "a" },
        { "abc", 1, "" },
};

START_TEST(text_is_escaped) {
        char buffer[64];
        size_t n;

        memset(buffer, 'x', sizeof(buffer));
        n = text_escape(cases[_i].text, strlen(cases[_i].text), buffer, cases[_i].size);
        ck_assert_str_eq(buffer, cases[_i].shown);
        ck_assert_uint_eq(n, strlen(cases[_i].shown));
}
END_TEST

START_TEST(nul_inside_and_no_room) {
        char buffer[8] = "old";

        ck_assert_uint_eq(text_escape("a\0b", 3, buffer, sizeof(buffer)), 6);
        ck_assert_str_eq(buffer, "a\\x00b");
        ck_assert_uint_eq(text_escape("abc", 3, buffer, 0), 0);
        ck_assert_str_eq(buffer, "a\\x00b");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("text");
        TCase *tcase = tcase_create("text");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_loop_test(tcase, text_is_escaped, 0, ELEMENTSOF(cases));
        tcase_add_test(tcase, nul_inside_and_no_room);
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
