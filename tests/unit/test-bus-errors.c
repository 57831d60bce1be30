/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus/errors.h"

/* Every row can be reached both ways, so no two rows share a name or an errno. */
START_TEST(test_table_both_ways) {
        size_t n = 0;

        for (const BusError *e; (e = bus_error_at(n)); n++) {
                ck_assert_int_gt(e->error, 0);
                ck_assert_str_eq(bus_error_from_errno(e->error), e->name);
                ck_assert_str_eq(bus_error_from_errno(-e->error), e->name);
                ck_assert_int_eq(bus_error_to_errno(e->name), e->error);
                ck_assert_int_eq(exit_code_from_errno(-e->error), e->exit_code);
                ck_assert_int_eq(exit_code_from_bus_error(e->name), e->exit_code);
                ck_assert_int_ne(e->exit_code, EXIT_CODE_OK);
        }
        ck_assert_uint_gt(n, 8);
}
END_TEST

START_TEST(test_unknown) {
        ck_assert_ptr_null(bus_error_from_errno(EXDEV));
        ck_assert_int_eq(bus_error_to_errno("org.example.Nothing"), EIO);
        ck_assert_int_eq(bus_error_to_errno(NULL), 0);
        ck_assert_int_eq(exit_code_from_errno(EXDEV), EXIT_CODE_FAILURE);
        ck_assert_int_eq(exit_code_from_errno(0), EXIT_CODE_OK);
        ck_assert_int_eq(exit_code_from_bus_error("org.example.Nothing"), EXIT_CODE_FAILURE);
        ck_assert_int_eq(exit_code_from_bus_error(NULL), EXIT_CODE_OK);
}
END_TEST

START_TEST(test_sd_bus_knows_the_names) {
        ck_assert_int_eq(bus_errors_register(), 0);
        for (size_t i = 0; bus_error_at(i); i++) {
                sd_bus_error error = SD_BUS_ERROR_NULL;

                (void) sd_bus_error_set(&error, bus_error_at(i)->name, "text");
                ck_assert_int_eq(sd_bus_error_get_errno(&error), bus_error_at(i)->error);
                sd_bus_error_free(&error);
        }
}
END_TEST

START_TEST(test_setf) {
        sd_bus_error error = SD_BUS_ERROR_NULL;

        ck_assert_int_eq(bus_error_setf(&error, EBUSY, "held by %s", "alice"), -EBUSY);
        ck_assert_str_eq(error.name, STLINKD_ERROR_BUSY);
        ck_assert_str_eq(error.message, "held by alice");
        sd_bus_error_free(&error);
        ck_assert_int_eq(bus_error_setf(&error, -EXDEV, "odd"), -EXDEV);
        ck_assert_str_eq(error.name, SD_BUS_ERROR_FAILED);
        sd_bus_error_free(&error);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("bus-errors");
        TCase *tcase = tcase_create("errors");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, test_table_both_ways);
        tcase_add_test(tcase, test_unknown);
        tcase_add_test(tcase, test_sd_bus_knows_the_names);
        tcase_add_test(tcase, test_setf);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
