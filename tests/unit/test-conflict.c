/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/conflict.h"

static ConflictTable *table;
static Usec now;

static void begin(void) {
        ck_assert_int_eq(conflict_table_new(&table), 0);
        now = 1000 * USEC_PER_SEC;
}

static void end(void) {
        table = conflict_table_free(table);
}

static void note(LeaseProbe probe, uid_t uid, const char *command, LeaseId lease) {
        Conflict what = { .kind = CONFLICT_KEPT_OUT, .probe = probe };

        what.wanted.uid = uid;
        (void) snprintf(what.wanted.command, sizeof(what.wanted.command), "%s", command);
        what.holder.lease = lease;
        ck_assert_int_eq(conflict_note(table, &what, now), 0);
}

static size_t count(LeaseProbe probe) {
        const Conflict *conflict = NULL;
        size_t n = 0;

        while ((conflict = conflict_next(table, probe, conflict ? conflict->number : 0)))
                n++;
        return n;
}

static uint64_t sum(void) {
        uint64_t all = 0;

        for (LeaseProbe probe = 0; probe < 4; probe++)
                for (const Conflict *c = NULL;
                     (c = conflict_next(table, probe, c ? c->number : 0));)
                        all += c->count;
        return all;
}

static size_t take_all(void) {
        size_t n = 0;

        while (conflict_take(table, now))
                n++;
        return n;
}

START_TEST(one_is_told_at_once) {
        const Conflict *told;

        ck_assert_uint_eq(conflict_next_event(table), USEC_INFINITY);
        ck_assert_ptr_null(conflict_take(table, now));
        note(1, 1000, "openocd", 7);
        ck_assert_uint_le(conflict_next_event(table), now);
        told = conflict_take(table, now);
        ck_assert_ptr_nonnull(told);
        ck_assert_uint_eq(told->number, 1);
        ck_assert_uint_eq(told->count, 1);
        ck_assert_uint_eq(told->first, now);
        ck_assert(!told->several);
        ck_assert_ptr_null(conflict_take(table, now));
        ck_assert_uint_eq(conflict_next_event(table), USEC_INFINITY);
}
END_TEST

/* Twenty a second for an hour: all are counted, and few are told of. */
START_TEST(what_goes_on_is_told_seldom) {
        size_t told = 0;

        for (int i = 0; i < 3600 * 20; i++) {
                now += USEC_PER_SEC / 20;
                note(1, 1000, "openocd", 7);
                told += take_all();
        }
        ck_assert_uint_eq(count(1), 1);
        ck_assert_uint_eq(sum(), 3600 * 20);
        ck_assert_uint_le(told, 8 + 3600 / 64);
        ck_assert_uint_ge(told, 3600 / 64);
        now = conflict_next_event(table);
        ck_assert_uint_eq(take_all(), 1); /* the last word */
        ck_assert_uint_eq(conflict_next_event(table), USEC_INFINITY);
}
END_TEST

START_TEST(what_differs_is_told_apart) {
        note(1, 1000, "openocd", 7);
        note(1, 1000, "openocd", 7);
        note(1, 1000, "st-info", 7);
        note(1, 1001, "openocd", 7);
        note(1, 1000, "openocd", 8);
        note(2, 1000, "openocd", 7);
        ck_assert_uint_eq(count(1), 4);
        ck_assert_uint_eq(count(2), 1);
        ck_assert_uint_eq(take_all(), 5);
}
END_TEST

START_TEST(much_later_is_another_one) {
        note(1, 1000, "openocd", 7);
        now += 59 * USEC_PER_SEC;
        note(1, 1000, "openocd", 7);
        now += 61 * USEC_PER_SEC;
        note(1, 1000, "openocd", 7);
        ck_assert_uint_eq(count(1), 2);
}
END_TEST

/* Other names, other leases: the user is the same. */
START_TEST(one_user_does_not_fill_it) {
        char name[32];
        size_t told = 0;

        note(1, 1001, "st-info", 7);
        for (unsigned i = 0; i < 100000; i++) {
                now += USEC_PER_MSEC;
                (void) snprintf(name, sizeof(name), "stranger%u", i);
                note(1, 1000, name, i);
                told += take_all();
        }
        ck_assert_uint_le(count(1), 1 + 2 * 8); /* 8 in each minute begun */
        ck_assert_uint_eq(sum(), 100001);
        ck_assert_uint_le(told, 60);
        ck_assert_uint_eq(conflict_next(table, 1, 0)->wanted.uid, 1001);
        ck_assert(conflict_next(table, 1, 8)->several);
}
END_TEST

START_TEST(it_is_bounded_and_fair) {
        note(1, 1001, "st-info", 7);
        for (unsigned i = 0; i < 10 * CONFLICTS_MAX; i++) {
                now += 100 * USEC_PER_SEC;
                note(1, 1000, "openocd", i);
        }
        ck_assert_uint_eq(count(1), CONFLICTS_MAX);
        ck_assert_uint_eq(conflict_next(table, 1, 0)->wanted.uid, 1001);
        for (unsigned uid = 2000; uid < 2000 + 10 * CONFLICTS_MAX; uid++)
                note(1, uid, "openocd", 7);
        ck_assert_uint_eq(count(1), CONFLICTS_MAX);
}
END_TEST

START_TEST(kinds_have_names) {
        for (int kind = 0; kind < _CONFLICT_KIND_MAX; kind++)
                ck_assert_int_eq(conflict_kind_from_string(conflict_kind_to_string(kind)), kind);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("conflict");
        TCase *tests = tcase_create("table");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_checked_fixture(tests, begin, end);
        tcase_set_timeout(tests, 60);
        tcase_add_test(tests, one_is_told_at_once);
        tcase_add_test(tests, what_goes_on_is_told_seldom);
        tcase_add_test(tests, what_differs_is_told_apart);
        tcase_add_test(tests, much_later_is_another_one);
        tcase_add_test(tests, one_user_does_not_fill_it);
        tcase_add_test(tests, it_is_bounded_and_fair);
        tcase_add_test(tests, kinds_have_names);
        suite_add_tcase(suite, tests);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
