/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"
#include "ctl/options.h"
#include "ctl/verbs.h"

START_TEST(verbs_are_found_by_name) {
        const Verb *verb;

        ck_assert_ptr_eq(verb_find(NULL), verb_find("status"));
        ck_assert_ptr_null(verb_find(""));
        ck_assert_ptr_null(verb_find("stat"));
        for (size_t i = 0; (verb = verb_at(i)); i++) {
                ck_assert_ptr_eq(verb_find(verb->name), verb);
                ck_assert_ptr_nonnull(verb->run);
        }
}
END_TEST

START_TEST(own_failures_of_a_wrapper) {
        ck_assert_int_eq(exit_code_of_wrapper(EXIT_CODE_OK), 0);
        for (int code = EXIT_CODE_FAILURE; code <= EXIT_CODE_LEASE_LOST; code++) {
                int own = exit_code_of_wrapper((ExitCode) code);

                ck_assert_int_ge(own, 120);
                ck_assert_int_lt(own, WRAPPER_CODE_CANNOT_RUN);
        }
        for (int code = EXIT_CODE_FAILURE; code < EXIT_CODE_NO_DAEMON; code++)
                ck_assert_int_lt(exit_code_of_wrapper((ExitCode) code),
                                 exit_code_of_wrapper((ExitCode) (code + 1)));
}
END_TEST

#define WORDS_MAX 8
static const struct {
        const char *words[WORDS_MAX]; /* behind the verb */
        bool in_order;
        int r; /* index of the first word that is no option; -EINVAL */
        Options expected;
} cases[] = {
        { { NULL }, false, 1, { .legend = true } },
        { { "--json" }, false, 2, { .given = OPTION_JSON, .json = true, .legend = true } },
        { { "--no-legend" }, false, 2, { .given = OPTION_NO_LEGEND } },
        { { "x", "--json" }, false, 2, { .given = OPTION_JSON, .json = true, .legend = true } },
        { { "x", "--json" }, true, 1, { .legend = true } },
        { { "--", "--json" }, false, 2, { .legend = true } },
        { { "-p", "a" }, true, 3, { .given = OPTION_PROBE, .legend = true, .probe = "a" } },
        { { "--probe=a" }, true, 2, { .given = OPTION_PROBE, .legend = true, .probe = "a" } },
        { { "--wait", "x" },
          true,
          2,
          { .given = OPTION_WAIT, .legend = true, .wait = USEC_INFINITY } },
        { { "--wait=0" }, true, 2, { .given = OPTION_WAIT, .legend = true } },
        { { "--wait=5" },
          true,
          2,
          { .given = OPTION_WAIT, .legend = true, .wait = 5 * USEC_PER_SEC } },
        { { "--wait=infinity" },
          true,
          2,
          { .given = OPTION_WAIT, .legend = true, .wait = USEC_INFINITY } },
        { { "--until=main" },
          true,
          2,
          { .given = OPTION_UNTIL, .legend = true, .until = UNTIL_MAIN } },
        { { "--until", "tree" }, true, 3, { .given = OPTION_UNTIL, .legend = true } },
        { { "--reason=a b" },
          true,
          2,
          { .given = OPTION_REASON, .legend = true, .reason = "a b" } },
        { { "--no-ask-password" },
          true,
          2,
          { .given = OPTION_NO_ASK_PASSWORD, .legend = true, .no_ask_password = true } },
        { { "--wait=soon" }, true, -EINVAL, {} },
        { { "--wait=-1" }, true, -EINVAL, {} },
        { { "--wait=" }, true, -EINVAL, {} },
        { { "--until=never" }, true, -EINVAL, {} },
        { { "--probe" }, true, -EINVAL, {} },
        { { "-p" }, true, -EINVAL, {} },
        { { "--json=1" }, true, -EINVAL, {} },
        { { "--nonsense" }, true, -EINVAL, {} },
        { { "-x" }, true, -EINVAL, {} },
        { { "-@" }, true, -EINVAL, {} }, /* 64, not to be taken for a bit of Option */
};

START_TEST(options_are_parsed) {
        char *argv[WORDS_MAX + 2] = { (char *) "verb" };
        const Options *expected = &cases[_i].expected;
        Options options;
        int argc = 1;

        for (size_t i = 0; i < WORDS_MAX && cases[_i].words[i]; i++)
                argv[argc++] = (char *) cases[_i].words[i];
        options_init(&options);
        ck_assert_int_eq(options_parse(&options, argc, argv, cases[_i].in_order), cases[_i].r);
        if (cases[_i].r < 0)
                return;
        ck_assert_uint_eq(options.given, expected->given);
        ck_assert_int_eq(options.json, expected->json);
        ck_assert_int_eq(options.legend, expected->legend);
        ck_assert_pstr_eq(options.probe, expected->probe);
        ck_assert_pstr_eq(options.reason, expected->reason);
        ck_assert_uint_eq(options.wait, expected->wait);
        ck_assert_int_eq(options.until, expected->until);
}
END_TEST

START_TEST(reason_has_a_limit) {
        char word[300] = "--reason=";
        char *argv[] = { (char *) "run", word, NULL };
        size_t n = strlen(word);
        Options options;

        memset(word + n, 'r', 256);
        options_init(&options);
        ck_assert_int_eq(options_parse(&options, 2, argv, true), 2);
        word[n + 256] = 'r';
        ck_assert_int_eq(options_parse(&options, 2, argv, true), -EINVAL);
}
END_TEST

START_TEST(options_have_names) {
        for (unsigned option = OPTION_JSON; option <= OPTION_VERSION; option <<= 1)
                ck_assert_ptr_nonnull(option_name((Option) option));
        ck_assert_str_eq(option_name(OPTION_WAIT), "wait");
        ck_assert_ptr_null(option_name((Option) 'p'));
}
END_TEST

int main(void) {
        Suite *suite = suite_create("verbs");
        TCase *tcase = tcase_create("verbs");
        SRunner *runner = srunner_create(suite);
        int failed;

        suite_add_tcase(suite, tcase);
        tcase_add_test(tcase, verbs_are_found_by_name);
        tcase_add_test(tcase, own_failures_of_a_wrapper);
        tcase_add_loop_test(tcase, options_are_parsed, 0, ELEMENTSOF(cases));
        tcase_add_test(tcase, reason_has_a_limit);
        tcase_add_test(tcase, options_have_names);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
