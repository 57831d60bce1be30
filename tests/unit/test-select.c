/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "base/macro.h"
#include "ctl/select.h"

/* Two with serials that begin alike, two clones with the same serial, one whose serial came as
 * raw bytes, one without any. */
static ProbeView probes[] = {
        { .id = (char *) "066EFF303435554157102345",
          .serial = (char *) "066EFF303435554157102345",
          .port_path = (char *) "1-1.2",
          .node = (char *) "/dev/bus/usb/001/004" },
        { .id = (char *) "066EFF493037554157999999",
          .serial = (char *) "066EFF493037554157999999",
          .port_path = (char *) "1-1.20",
          .node = (char *) "/dev/bus/usb/001/005" },
        { .id = (char *) "000000000001@2-1",
          .serial = (char *) "000000000001",
          .ambiguous = true,
          .port_path = (char *) "2-1",
          .node = (char *) "/dev/bus/usb/002/002" },
        { .id = (char *) "000000000001@2-2",
          .serial = (char *) "000000000001",
          .ambiguous = true,
          .port_path = (char *) "2-2",
          .node = (char *) "/dev/bus/usb/002/003" },
        { .id = (char *) "57FF72066E",
          .serial = (char *) "57FF72066E",
          .serial_reported = (char *) "W\\xFFr\\x06n",
          .port_path = (char *) "3-1" },
        { .id = (char *) "usb-4-1", .port_path = (char *) "4-1" },
};
static ProbeView *pointers[ELEMENTSOF(probes)];
static Snapshot all = { .probes = pointers, .n_probes = ELEMENTSOF(probes) };

static const struct {
        const char *name;
        int r;
        size_t which; /* index of the probe; with -ENOTUNIQ how many fit */
} cases[] = {
        { "066EFF303435554157102345", 0, 0 },
        { "066eff303435554157102345", 0, 0 },
        { "066EFF3", 0, 0 },
        { "066eff4", 0, 1 },
        { "066EFF", -ENOTUNIQ, 2 },
        { "066E", -ENOTUNIQ, 2 },
        { "066", -ENOENT, 0 }, /* too short to mean a serial */
        { "", -ENOENT, 0 },
        { "1-1.2", 0, 0 }, /* not the beginning of 1-1.20 */
        { "1-1", -ENOENT, 0 },
        { "1-1.20", 0, 1 },
        { "/dev/bus/usb/001/005", 0, 1 },
        { "/dev/bus/usb/001/00", -ENOENT, 0 },
        { "000000000001", -ENOTUNIQ, 2 },
        { "0000", -ENOTUNIQ, 2 },
        { "000000000001@2-2", 0, 3 },
        { "2-2", 0, 3 },
        { "57ff", 0, 4 },
        { "W\\xFFr\\x06n", 0, 4 },
        { "usb-4-1", 0, 5 },
        { "USB-4-1", 0, 5 },
        { "4-1", 0, 5 },
        { "DEADBEEF", -ENOENT, 0 },
        { NULL, -ENOTUNIQ, ELEMENTSOF(probes) },
};

START_TEST(names_are_found) {
        ProbeView *untouched = &probes[0], *found = untouched;
        _cleanup_free_ ProbeView **candidates = NULL;
        size_t n = 0;
        int r = select_probe(&all, cases[_i].name, &found, &candidates, &n);

        ck_assert_int_eq(r, cases[_i].r);
        if (r == 0)
                ck_assert_ptr_eq(found, &probes[cases[_i].which]);
        else
                ck_assert_ptr_eq(found, untouched);
        if (r == -ENOTUNIQ)
                ck_assert_uint_eq(n, cases[_i].which);
        else
                ck_assert_ptr_null(candidates);
}
END_TEST

START_TEST(the_only_one_needs_no_name) {
        Snapshot one = { .probes = pointers, .n_probes = 1 };
        _cleanup_free_ ProbeView **candidates = NULL;
        ProbeView *found = NULL;
        size_t n = 0;

        ck_assert_int_eq(select_probe(&one, NULL, &found, &candidates, &n), 0);
        ck_assert_ptr_eq(found, &probes[0]);
}
END_TEST

START_TEST(none_is_not_found) {
        Snapshot none = {};
        _cleanup_free_ ProbeView **candidates = NULL;
        ProbeView *found = NULL;
        size_t n = 0;

        ck_assert_int_eq(select_probe(&none, NULL, &found, &candidates, &n), -ENOENT);
        ck_assert_int_eq(select_probe(&none, "066E", &found, &candidates, &n), -ENOENT);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("select");
        TCase *tcase = tcase_create("select");
        SRunner *runner = srunner_create(suite);
        int failed;

        for (size_t i = 0; i < ELEMENTSOF(probes); i++)
                pointers[i] = &probes[i];
        suite_add_tcase(suite, tcase);
        tcase_add_loop_test(tcase, names_are_found, 0, ELEMENTSOF(cases));
        tcase_add_test(tcase, the_only_one_needs_no_name);
        tcase_add_test(tcase, none_is_not_found);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
