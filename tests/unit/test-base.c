/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/string-table.h"
#include "base/time.h"

START_TEST(test_bytes_at_any_alignment) {
        uint8_t buffer[16];

        for (size_t at = 0; at < 4; at++) {
                static const uint8_t le[] = { 0xef, 0xbe, 0xad, 0xde };
                static const uint8_t be[] = { 0xde, 0xad, 0xbe, 0xef };

                put_le32(buffer + at, UINT32_C(0xdeadbeef));
                ck_assert_mem_eq(buffer + at, le, 4);
                ck_assert_uint_eq(get_le32(buffer + at), UINT32_C(0xdeadbeef));
                ck_assert_uint_eq(get_le16(buffer + at), 0xbeef);
                put_be32(buffer + at, UINT32_C(0xdeadbeef));
                ck_assert_mem_eq(buffer + at, be, 4);
                ck_assert_uint_eq(get_be32(buffer + at), UINT32_C(0xdeadbeef));
                ck_assert_uint_eq(get_be16(buffer + at), 0xdead);
                put_le16(buffer + at, 0x1234);
                put_be16(buffer + at + 2, 0x5678);
                ck_assert_uint_eq(get_be32(buffer + at), UINT32_C(0x34125678));
        }
}
END_TEST

typedef struct Item {
        int number;
        List link;
} Item;

static int list_digits(const List *list) {
        int digits = 0;

        LIST_FOREACH(list, Item, item, link)
                digits = digits * 10 + item->number;
        return digits;
}

START_TEST(test_list) {
        Item items[] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };
        List list;

        list_init(&list);
        ck_assert(list_is_empty(&list));
        ck_assert_ptr_null(LIST_FIRST(&list, Item, link));
        ck_assert_int_eq(list_digits(&list), 0);
        for (size_t i = 0; i < ELEMENTSOF(items); i++)
                list_append(&list, &items[i].link);
        ck_assert_int_eq(list_digits(&list), 123);
        ck_assert_ptr_eq(LIST_FIRST(&list, Item, link), &items[0]);

        list_remove(&items[1].link);
        ck_assert_int_eq(list_digits(&list), 13);
        list_remove(&items[1].link); /* harmless on a link that is in no list */
        ck_assert_int_eq(list_digits(&list), 13);
        list_append(&list, &items[1].link);
        ck_assert_int_eq(list_digits(&list), 132);
}
END_TEST

START_TEST(test_list_members_may_leave_within_the_loop) {
        Item items[] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };
        int seen = 0;
        List list;

        list_init(&list);
        for (size_t i = 0; i < ELEMENTSOF(items); i++)
                list_append(&list, &items[i].link);
        LIST_FOREACH(&list, Item, item, link) {
                seen = seen * 10 + item->number;
                list_remove(&item->link);
        }
        ck_assert_int_eq(seen, 123);
        ck_assert(list_is_empty(&list));
}
END_TEST

typedef enum Fruit {
        FRUIT_APPLE,
        FRUIT_NAMELESS,
        FRUIT_PEAR,
} Fruit;

static const char *const fruit_table[] = {
        [FRUIT_APPLE] = "apple",
        [FRUIT_PEAR] = "pear",
};

DECLARE_STRING_TABLE(fruit, Fruit);
DEFINE_STRING_TABLE(fruit, Fruit)

START_TEST(test_string_table) {
        ck_assert_str_eq(fruit_to_string(FRUIT_APPLE), "apple");
        ck_assert_str_eq(fruit_to_string(FRUIT_PEAR), "pear");
        ck_assert_ptr_null(fruit_to_string(FRUIT_NAMELESS));
        ck_assert_ptr_null(fruit_to_string((Fruit) -1));
        ck_assert_ptr_null(fruit_to_string((Fruit) 3));
        ck_assert_int_eq((int) fruit_from_string("pear"), FRUIT_PEAR);
        ck_assert_int_eq((int) fruit_from_string("apple"), FRUIT_APPLE);
        ck_assert_int_eq((int) fruit_from_string("pea"), -EINVAL);
        ck_assert_int_eq((int) fruit_from_string("pears"), -EINVAL);
        ck_assert_int_eq((int) fruit_from_string(""), -EINVAL);
        ck_assert_int_eq((int) fruit_from_string(NULL), -EINVAL);
}
END_TEST

static const struct {
        const char *text;
        int result;
        Usec span;
} spans[] = {
        { "0", 0, 0 },
        { "7", 0, 7 * USEC_PER_SEC },
        { "7s", 0, 7 * USEC_PER_SEC },
        { " 7 sec ", 0, 7 * USEC_PER_SEC },
        { "250ms", 0, 250 * USEC_PER_MSEC },
        { "3us", 0, 3 },
        { "2m", 0, 120 * USEC_PER_SEC },
        { "1min 30s", 0, 90 * USEC_PER_SEC },
        { "1min30s", 0, 90 * USEC_PER_SEC },
        { "1h 1 min", 0, 3660 * USEC_PER_SEC },
        { "2d", 0, 2 * 86400 * USEC_PER_SEC },
        { "infinity", 0, USEC_INFINITY },
        { "18446744073709551614us", 0, USEC_INFINITY - 1 },
        { "", -EINVAL, 0 },
        { " ", -EINVAL, 0 },
        { "s", -EINVAL, 0 },
        { "-1", -EINVAL, 0 },
        { "+1", -EINVAL, 0 },
        { "1.5s", -EINVAL, 0 },
        { "1 fortnight", -EINVAL, 0 },
        { "1S", -EINVAL, 0 },
        { "infinity s", -EINVAL, 0 },
        { "1s forever", -EINVAL, 0 },
        { "18446744073709551615us", -ERANGE, 0 }, /* would mean infinity */
        { "18446744073709551616us", -ERANGE, 0 },
        { "18446744073709551615", -ERANGE, 0 },
        { "18446744073709551614us 2us", -ERANGE, 0 },
        { "300000000000000d", -ERANGE, 0 },
};

START_TEST(test_parse_span) {
        const Usec untouched = 4711;
        Usec got = untouched;

        ck_assert_int_eq(parse_usec(spans[_i].text, &got), spans[_i].result);
        ck_assert_uint_eq(got, spans[_i].result == 0 ? spans[_i].span : untouched);
}
END_TEST

static const struct {
        Usec span;
        const char *text;
} formats[] = {
        { 0, "0 us" },
        { 999, "999 us" },
        { 1000, "1 ms" },
        { 999999, "999 ms" },
        { USEC_PER_SEC, "1 s" },
        { 59999999, "59 s" },
        { 60 * USEC_PER_SEC, "1 min 0 s" },
        { 90 * USEC_PER_SEC, "1 min 30 s" },
        { 3599 * USEC_PER_SEC, "59 min 59 s" },
        { 3660 * USEC_PER_SEC, "1 h 1 min" },
        { 86400 * USEC_PER_SEC, "1 d 0 h" },
        { USEC_INFINITY, "infinity" },
        { USEC_INFINITY - 1, "213503982 d 8 h" },
};

START_TEST(test_format_span) {
        char buffer[FORMAT_USEC_MAX], tight[4];

        ck_assert_ptr_eq(format_usec(buffer, sizeof(buffer), formats[_i].span), buffer);
        ck_assert_str_eq(buffer, formats[_i].text);
        (void) format_usec(tight, sizeof(tight), formats[_i].span);
        ck_assert_uint_lt(strlen(tight), sizeof(tight));
}
END_TEST

START_TEST(test_time_is_added_without_wrapping) {
        Usec a, b;

        ck_assert_uint_eq(usec_add(1, 2), 3);
        ck_assert_uint_eq(usec_add(USEC_INFINITY, 0), USEC_INFINITY);
        ck_assert_uint_eq(usec_add(5, USEC_INFINITY), USEC_INFINITY);
        ck_assert_uint_eq(usec_add(USEC_INFINITY - 1, 2), USEC_INFINITY);
        a = now_usec(CLOCK_MONOTONIC);
        b = now_usec(CLOCK_MONOTONIC);
        ck_assert_uint_gt(a, 0);
        ck_assert_uint_ge(b, a);
        ck_assert_uint_lt(b - a, 60 * USEC_PER_SEC);
}
END_TEST

/* Take all links out; they have to come by time, then by rank. */
static void drain(Heap *heap, size_t n) {
        Usec when = 0;
        uint64_t rank = 0;

        for (size_t i = 0; i < n; i++) {
                HeapLink *first = heap_first(heap);

                ck_assert_ptr_nonnull(first);
                ck_assert(first->when > when || (first->when == when && first->rank >= rank));
                when = first->when;
                rank = first->rank;
                heap_set(heap, first, USEC_INFINITY);
                ck_assert_uint_eq(first->position, 0);
        }
        ck_assert_ptr_null(heap_first(heap));
}

START_TEST(test_heap_orders) {
        HeapLink links[200] = {};
        Heap heap = {};

        ck_assert_int_eq(heap_reserve(&heap, ELEMENTSOF(links)), 0);
        srand((unsigned) _i);
        for (size_t i = 0; i < ELEMENTSOF(links); i++) {
                links[i].rank = i;
                heap_set(&heap, &links[i], (Usec) (rand() % 50));
        }
        for (size_t i = 0; i < ELEMENTSOF(links); i += 3)
                heap_set(&heap, &links[i], (Usec) (rand() % 50)); /* moved either way */
        for (size_t i = 1; i < ELEMENTSOF(links); i += 50)
                heap_set(&heap, &links[i], USEC_INFINITY); /* from the middle */
        heap_set(&heap, &links[1], USEC_INFINITY);         /* is not in any more */
        drain(&heap, ELEMENTSOF(links) - 4);
        heap_done(&heap);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("base");
        TCase *tests = tcase_create("all");
        SRunner *runner = srunner_create(suite);
        int failed;

        suite_add_tcase(suite, tests);
        tcase_add_test(tests, test_bytes_at_any_alignment);
        tcase_add_test(tests, test_list);
        tcase_add_test(tests, test_list_members_may_leave_within_the_loop);
        tcase_add_test(tests, test_string_table);
        tcase_add_loop_test(tests, test_parse_span, 0, (int) ELEMENTSOF(spans));
        tcase_add_loop_test(tests, test_format_span, 0, (int) ELEMENTSOF(formats));
        tcase_add_test(tests, test_time_is_added_without_wrapping);
        tcase_add_loop_test(tests, test_heap_orders, 0, 20);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
