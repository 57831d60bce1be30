/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "firmware-bench.h"

#include <check.h>
#include <string.h>

#include "base/bytes.h"

Bench bench;

void start(FirmwareModel model, const char *version) {
        FirmwareSetup setup = { .model = model, .product_id = 0x374b, .loader_product_id = 0x3748 };

        ck_assert_int_eq(firmware_version_parse(version, &setup.version), 0);
        memcpy(setup.board_id, "0740", 4);
        ck_assert_int_eq(target_new("f103", &bench.target), 0);
        ck_assert_int_eq(firmware_new(&setup, bench.target, &bench.firmware), 0);
        bench.fake = fake_target(bench.target);
}

void stop(void) {
        bench.firmware = firmware_free(bench.firmware);
        bench.target = target_free(bench.target);
}

const uint8_t *ask(const char *command, size_t n) {
        uint8_t block[FIRMWARE_COMMAND_SIZE] = {};

        memcpy(block, command, n);
        bench.answer = firmware_command(bench.firmware, block);
        return bench.answer->next == FIRMWARE_SENDS ? bench.answer->data : NULL;
}

uint16_t ask_status(const char *command, size_t n) {
        const uint8_t *data = ask(command, n);

        ck_assert_ptr_nonnull(data);
        return get_le16(data);
}

void expect_mode(FirmwareMode mode) {
        const uint8_t *data = ASK("\xf5");

        ck_assert_ptr_nonnull(data);
        ck_assert_uint_eq(bench.answer->size, 2);
        ck_assert_uint_eq(data[0], mode);
}

void start_debug(const char *version) {
        start(FIRMWARE_V2_1, version);
        ck_assert_uint_eq(STATUS("\xf2\x30\xa3"), 0x80);
}
