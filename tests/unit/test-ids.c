/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <stdlib.h>

#include "core/ids.h"

#define D PROBE_PART_DEBUG
#define V PROBE_PART_VCP
#define M PROBE_PART_MSD
#define B PROBE_PART_BRIDGE

/* stlink-protocol §1.1, written down a second time by hand */
static const struct {
        uint16_t product_id;
        ProbeModel model;
        bool loader;
        unsigned parts;
} expected[] = {
        { 0x3742, PROBE_MODEL_V2_1, false, D },
        { 0x3744, PROBE_MODEL_V1, false, D },
        { 0x3748, PROBE_MODEL_V2, false, D },
        { 0x374a, PROBE_MODEL_V2_1, false, D },
        { 0x374b, PROBE_MODEL_V2_1, false, D | V | M },
        { 0x374d, PROBE_MODEL_V3, true, D },
        { 0x374e, PROBE_MODEL_V3, false, D | V | M },
        { 0x374f, PROBE_MODEL_V3, false, D | V | M | B },
        { 0x3752, PROBE_MODEL_V2_1, false, D | V },
        { 0x3753, PROBE_MODEL_V3, false, D | V | B },
        { 0x3754, PROBE_MODEL_V3, false, D | V },
        { 0x3755, PROBE_MODEL_V3PWR, true, D },
        { 0x3756, PROBE_MODEL_UNKNOWN, false, D },
        { 0x3757, PROBE_MODEL_V3PWR, false, D | V | B },
};

START_TEST(product_is_found) {
        const ProbeProduct *product = probe_product_find(0x0483, expected[_i].product_id);

        ck_assert_ptr_nonnull(product);
        ck_assert_uint_eq(product->product_id, expected[_i].product_id);
        ck_assert_int_eq(product->model, expected[_i].model);
        ck_assert_int_eq(product->loader, expected[_i].loader);
        ck_assert_uint_eq(product->parts, expected[_i].parts);
        ck_assert_ptr_nonnull(product->name);
        ck_assert_uint_gt(strlen(product->name), 0);
}
END_TEST

START_TEST(table_holds_nothing_else) {
        size_t n = 0;

        while (probe_product_at(n))
                n++;
        ck_assert_uint_eq(n, ELEMENTSOF(expected));
        ck_assert_ptr_null(probe_product_at(n + 1));
}
END_TEST

START_TEST(other_devices_are_not_found) {
        ck_assert_ptr_null(probe_product_find(0x0483, 0xdf11)); /* STM32 in its ROM's DFU mode */
        ck_assert_ptr_null(probe_product_find(0x0483, 0x5740)); /* ST's virtual COM port */
        ck_assert_ptr_null(probe_product_find(0x1d6b, 0x3748));
        ck_assert_ptr_null(probe_product_find(0, 0));
}
END_TEST

START_TEST(names_go_both_ways) {
        for (int i = 0; i < _PROBE_MODEL_MAX; i++)
                ck_assert_int_eq(probe_model_from_string(probe_model_to_string(i)), i);
        for (int i = 0; i < _PROBE_MODE_MAX; i++)
                ck_assert_int_eq(probe_mode_from_string(probe_mode_to_string(i)), i);
        for (unsigned part = 1; part < PROBE_PARTS_ALL; part <<= 1)
                ck_assert_uint_eq(probe_part_from_string(probe_part_to_string(part)), part);

        ck_assert_str_eq(probe_model_to_string(PROBE_MODEL_V2_1), "V2-1");
        ck_assert_str_eq(probe_mode_to_string(PROBE_MODE_LOADER), "loader");
        ck_assert_str_eq(probe_part_to_string(PROBE_PART_BRIDGE), "bridge");
        ck_assert_ptr_null(probe_model_to_string(_PROBE_MODEL_MAX));
        ck_assert_ptr_null(probe_mode_to_string(-1));
        ck_assert_int_lt((int) probe_model_from_string("v2-1"), 0);
        ck_assert_int_lt((int) probe_mode_from_string(NULL), 0);
        ck_assert_ptr_null(probe_part_to_string(0));
        ck_assert_ptr_null(probe_part_to_string(D | V));
        ck_assert_ptr_null(probe_part_to_string(1u << 4));
        ck_assert_uint_eq(probe_part_from_string("serial"), 0);
        ck_assert_uint_eq(probe_part_from_string(NULL), 0);
}
END_TEST

START_TEST(mode_from_wire) {
        ck_assert_int_eq(probe_mode_from_wire(0), PROBE_MODE_LOADER);
        ck_assert_int_eq(probe_mode_from_wire(1), PROBE_MODE_MASS);
        ck_assert_int_eq(probe_mode_from_wire(2), PROBE_MODE_DEBUG);
        ck_assert_int_eq(probe_mode_from_wire(3), PROBE_MODE_SWIM);
        ck_assert_int_eq(probe_mode_from_wire(4), PROBE_MODE_UNKNOWN);
        ck_assert_int_eq(probe_mode_from_wire(0xff), PROBE_MODE_UNKNOWN);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("ids");
        TCase *tcase = tcase_create("ids");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_loop_test(tcase, product_is_found, 0, ELEMENTSOF(expected));
        tcase_add_test(tcase, table_holds_nothing_else);
        tcase_add_test(tcase, other_devices_are_not_found);
        tcase_add_test(tcase, names_go_both_ways);
        tcase_add_test(tcase, mode_from_wire);
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
