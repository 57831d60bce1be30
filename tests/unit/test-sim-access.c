/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <string.h>

#include "base/bytes.h"
#include "firmware-bench.h"

/* How the firmware's debug commands reach a target, and which status becomes of what. */

static const uint8_t *read_memory(uint8_t opcode, uint32_t address, uint16_t size) {
        char command[16] = { (char) 0xf2, (char) opcode };

        put_le32((uint8_t *) command + 2, address);
        put_le16((uint8_t *) command + 6, size);
        return ask(command, sizeof(command));
}

static void write_memory(uint8_t opcode, uint32_t address, const void *data, uint16_t size) {
        char command[16] = { (char) 0xf2, (char) opcode };

        put_le32((uint8_t *) command + 2, address);
        put_le16((uint8_t *) command + 6, size);
        ck_assert_ptr_null(ask(command, sizeof(command)));
        ck_assert_int_eq(bench.answer->next, FIRMWARE_RECEIVES);
        ck_assert_uint_eq(bench.answer->size, size);
        bench.answer = firmware_receive(bench.firmware, data, size);
        ck_assert_int_eq(bench.answer->next, FIRMWARE_DONE);
}

static uint16_t last_status(uint32_t *ret_address) {
        const uint8_t *data = ASK("\xf2\x3e");

        ck_assert_uint_eq(bench.answer->size, 12);
        *ret_address = get_le32(data + 4);
        ck_assert_uint_eq(STATUS("\xf2\x3b"), get_le16(data));
        return get_le16(data);
}

START_TEST(test_memory) {
        static uint8_t large[32768];
        uint8_t data[600];
        uint32_t fault;

        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (uint8_t) (i * 7);
        for (size_t i = 0; i < sizeof(large); i++)
                large[i] = (uint8_t) (i * 11);
        start_debug("V2J37S7");
        write_memory(0x08, FAKE_MEMORY, data, 600);
        ck_assert_uint_eq(last_status(&fault), 0x80);
        ck_assert_mem_eq(bench.fake->memory, data, 600);
        write_memory(0x08, FAKE_MEMORY, large, sizeof(large)); /* as st-flash does */
        ck_assert_uint_eq(last_status(&fault), 0x80);
        ck_assert_mem_eq(bench.fake->memory, large, sizeof(large));
        write_memory(0x08, FAKE_MEMORY, data, 600);
        ck_assert_mem_eq(read_memory(0x07, FAKE_MEMORY, 600), data, 600);
        ck_assert_uint_eq(bench.fake->last_access.width, 4);
        ck_assert(bench.fake->last_access.increment);
        write_memory(0x48, FAKE_MEMORY + 2, data, 6);
        ck_assert_uint_eq(bench.fake->last_access.width, 2);
        ck_assert_mem_eq(read_memory(0x47, FAKE_MEMORY + 2, 6), data, 6);
        write_memory(0x0d, FAKE_MEMORY + 1, data + 9, 3);
        ck_assert_uint_eq(bench.fake->last_access.width, 1);
        ck_assert_mem_eq(read_memory(0x0c, FAKE_MEMORY + 1, 3), data + 9, 3);
        (void) read_memory(0x54, FAKE_MEMORY, 8);
        ck_assert(!bench.fake->last_access.increment);
        write_memory(0x50, FAKE_MEMORY, data, 8);
        ck_assert(!bench.fake->last_access.increment);
        ck_assert_uint_eq(read_memory(0x0c, FAKE_MEMORY + 1, 1)[0], data[1]);
        ck_assert_uint_eq(bench.answer->size, 2); /* the quirk */
        stop();
}
END_TEST

static const struct {
        const char *version;
        uint8_t opcode;
        uint32_t address;
        uint16_t size;
        uint16_t status;
} memory_limits[] = {
        { "V2J37S7", 0x07, FAKE_MEMORY, 6144, 0x80 },  { "V2J37S7", 0x07, FAKE_MEMORY, 6148, 0x08 },
        { "V2J37S7", 0x07, FAKE_MEMORY + 1, 4, 0x0a }, { "V2J37S7", 0x07, FAKE_MEMORY, 5, 0x0a },
        { "V2J37S7", 0x47, FAKE_MEMORY + 1, 4, 0x0a }, { "V2J37S7", 0x47, FAKE_MEMORY, 3, 0x0a },
        { "V2J37S7", 0x0c, FAKE_MEMORY, 64, 0x80 },    { "V2J37S7", 0x0c, FAKE_MEMORY, 65, 0x08 },
        { "V3J6", 0x0c, FAKE_MEMORY, 512, 0x80 },      { "V3J6", 0x0c, FAKE_MEMORY, 513, 0x08 },
        { "V3J5", 0x0c, FAKE_MEMORY, 65, 0x08 },       { "V2J37S7", 0x07, 0x40000000, 4, 0x11 },
};

START_TEST(test_memory_limits) {
        uint32_t fault;

        start(memory_limits[_i].version[1] == '3' ? FIRMWARE_V3 : FIRMWARE_V2_1,
              memory_limits[_i].version);
        ck_assert_uint_eq(STATUS("\xf2\x30\xa3"), 0x80);
        /* Data comes whatever became of the access. */
        ck_assert_ptr_nonnull(read_memory(memory_limits[_i].opcode, memory_limits[_i].address,
                                          memory_limits[_i].size));
        ck_assert_uint_eq(bench.answer->size, memory_limits[_i].size);
        ck_assert_uint_eq(last_status(&fault), memory_limits[_i].status);
        ck_assert_uint_eq(fault, memory_limits[_i].status == 0x80 ? 0 : memory_limits[_i].address);
        stop();
}
END_TEST

/* Access port and CSW travel with memory commands since J32. */
START_TEST(test_memory_ap) {
        static const char command[] = "\xf2\x07\0\0\0\x20\x04\0\x03\x11\x22\x33";

        start_debug("V2J32S7");
        ASK(command);
        ck_assert_uint_eq(bench.fake->last_access.ap, 3);
        ck_assert_uint_eq(bench.fake->last_access.csw, 0x33221100);
        stop();
        start_debug("V2J31S7");
        ASK(command);
        ck_assert_uint_eq(bench.fake->last_access.ap, 0);
        ck_assert_uint_eq(bench.fake->last_access.csw, 0);
        stop();
}
END_TEST

/* The firmware clears what a failed memory access left; a DAP register access does not. */
START_TEST(test_sticky_errors) {
        uint32_t fault;

        start_debug("V2J37S7");
        (void) read_memory(0x07, 0x40000000, 4);
        ck_assert_uint_eq(last_status(&fault), 0x11);
        ck_assert(bench.fake->sticky);
        ck_assert_uint_eq(STATUS("\xf2\x45\0\0\xfc"), 0x11);
        ck_assert(bench.fake->sticky);
        ck_assert_uint_eq(STATUS("\xf2\x46\xff\xff\0\0\x1e\0\0\0"), 0x80); /* the host does */
        ck_assert(!bench.fake->sticky);
        ck_assert_uint_eq(STATUS("\xf2\x45\0\0\xfc"), 0x80);
        (void) read_memory(0x07, 0x40000000, 4);
        (void) read_memory(0x07, FAKE_MEMORY, 4);
        ck_assert_uint_eq(last_status(&fault), 0x80);
        stop();
}
END_TEST

static const struct {
        SwdAck ack;
        uint16_t dp, ap;
} acks[] = {
        { SWD_ACK_OK, 0x80, 0x80 },
        { SWD_ACK_WAIT, 0x14, 0x10 },
        { SWD_ACK_FAULT, 0x15, 0x11 },
        { SWD_ACK_NONE, 0x16, 0x12 },
};

START_TEST(test_acks) {
        uint32_t fault;

        start_debug("V2J37S7");
        bench.fake->ack = acks[_i].ack;
        ck_assert_uint_eq(STATUS("\xf2\x45\xff\xff\x04"), acks[_i].dp);
        ck_assert_uint_eq(STATUS("\xf2\x46\xff\xff\x08"), acks[_i].dp);
        ck_assert_uint_eq(STATUS("\xf2\x31"), acks[_i].dp);
        ck_assert_uint_eq(STATUS("\xf2\x45\0\0\xfc"), acks[_i].ap);
        ck_assert_uint_eq(STATUS("\xf2\x46\0\0\x04"), acks[_i].ap);
        ck_assert_uint_eq(STATUS("\xf2\x36\0\0\0\x20"), acks[_i].ap);
        ck_assert_uint_eq(STATUS("\xf2\x35\0\0\0\x20"), acks[_i].ap);
        ck_assert_uint_eq(STATUS("\xf2\x33\x01"), acks[_i].ap);
        ck_assert_uint_eq(STATUS("\xf2\x34\x01"), acks[_i].ap);
        ck_assert_uint_eq(STATUS("\xf2\x3a"), acks[_i].ap);
        ck_assert_uint_eq(STATUS("\xf2\x32"), acks[_i].ap);
        (void) read_memory(0x07, FAKE_MEMORY, 4);
        ck_assert_uint_eq(last_status(&fault), acks[_i].ap);
        write_memory(0x08, FAKE_MEMORY, "abcd", 4);
        ck_assert_uint_eq(last_status(&fault), acks[_i].ap);
        stop();
}
END_TEST

START_TEST(test_waits) {
        uint32_t fault;

        start_debug("V2J37S7");
        firmware_tuning(bench.firmware)->waits = 2;
        (void) read_memory(0x07, FAKE_MEMORY, 4);
        ck_assert_uint_eq(last_status(&fault), 0x10);
        ck_assert_uint_eq(STATUS("\xf2\x45\xff\xff\x04"), 0x14);
        (void) read_memory(0x07, FAKE_MEMORY, 4);
        ck_assert_uint_eq(last_status(&fault), 0x80);
        stop();
}
END_TEST

START_TEST(test_outside_debug_mode) {
        uint32_t fault;

        start(FIRMWARE_V2_1, "V2J37S7");
        ck_assert_uint_eq(STATUS("\xf2\x45\xff\xff\x04"), 0x16);
        ck_assert_uint_eq(STATUS("\xf2\x36\0\0\0\x20"), 0x12);
        ck_assert_ptr_nonnull(read_memory(0x07, FAKE_MEMORY, 4));
        ck_assert_uint_eq(last_status(&fault), 0x12);
        ck_assert_uint_eq(STATUS("\xf2\x40\0\x10\x40\x42\x0f"), 0x20);
        /* nRST and speeds work at any time. */
        ck_assert_uint_eq(STATUS("\xf2\x43\x01"), 0x80);
        ck_assert_uint_eq(STATUS("\xf2\x3c\x00"), 0x80);
        ck_assert(bench.fake->nrst_low);
        ck_assert_uint_eq(STATUS("\xf2\x3c\x01"), 0x80);
        ck_assert_uint_eq(bench.fake->counters.resets, 1);
        ck_assert_uint_eq(STATUS("\xf2\x3c\x02"), 0x80);
        ck_assert_uint_eq(bench.fake->counters.resets, 2);
        ck_assert(!bench.fake->nrst_low);
        ck_assert_uint_eq(STATUS("\xf2\x3c\x03"), 0x08);
        stop();
}
END_TEST

START_TEST(test_registers) {
        const uint8_t *data;

        start_debug("V2J37S7");
        ck_assert_uint_eq(STATUS("\xf2\x34\x05\xef\xbe\xad\xde"), 0x80);
        data = ASK("\xf2\x33\x05");
        ck_assert_uint_eq(bench.answer->size, 8);
        ck_assert_uint_eq(get_le32(data + 4), 0xdeadbeef);
        data = ASK("\xf2\x3a");
        ck_assert_uint_eq(bench.answer->size, 88);
        ck_assert_uint_eq(get_le32(data + 4 + 4 * 5), 0xdeadbeef);
        ck_assert_uint_eq(STATUS("\xf2\x33\x40"), 0x80); /* S0 */
        ck_assert_uint_eq(STATUS("\xf2\x32"), 0x80);
        ck_assert_uint_eq(bench.fake->counters.resets, 1);
        stop();
        start_debug("V2J14S1");
        ck_assert_uint_eq(STATUS("\xf2\x33\x40"), 0x08);
        ck_assert_uint_eq(STATUS("\xf2\x34\x21"), 0x08);
        stop();
}
END_TEST

START_TEST(test_dp_banks) {
        const uint8_t *data;

        start_debug("V2J32S7");
        ck_assert_uint_eq(STATUS("\xf2\x46\xff\xff\x08\0\0\0\0\x01"), 0x80);
        data = ASK("\xf2\x45\xff\xff\x24"); /* bank 2 */
        ck_assert_uint_eq(get_le32(data + 4), 0xb0000002);
        ck_assert_uint_eq(bench.fake->select, 0x01000002); /* AP as the host chose */
        data = ASK("\xf2\x45\xff\xff\x04");
        ck_assert_uint_eq(get_le32(data + 4), 0xf0000000);
        stop();
        start_debug("V2J31S7");
        data = ASK("\xf2\x45\xff\xff\x24");
        ck_assert_uint_eq(get_le32(data + 4), 0xf0000000); /* no banks yet */
        stop();
}
END_TEST

START_TEST(test_access_ports) {
        start_debug("V2J37S7");
        ck_assert_uint_eq(STATUS("\xf2\x4b\x09"), 0x80);
        ck_assert_uint_eq(STATUS("\xf2\x45\x00\x01\xfc"), 0x1d); /* there is no AP 256 */
        ck_assert_uint_eq(STATUS("\xf2\x4c\x00"), 0x80);
        stop();
        start(FIRMWARE_V3, "V3J10M3");
        ck_assert_uint_eq(STATUS("\xf2\x30\xa3"), 0x80);
        ck_assert_uint_eq(STATUS("\xf2\x4b\x08"), 0x80);
        ck_assert_uint_eq(STATUS("\xf2\x4b\x09"), 0x1d);
        ck_assert_uint_eq(STATUS("\xf2\x45\x09\0\xfc"), 0x1d);
        ck_assert_uint_eq(STATUS("\xf2\x46\x09\0\xfc"), 0x1d);
        ck_assert_uint_eq(STATUS("\xf2\x4c\x09"), 0x1d);
        stop();
}
END_TEST

/* Select AP 2, set an address, write there, read it back; an unknown and a failing item. */
START_TEST(test_rw_misc) {
        static const uint8_t list[] = { 5, 1, 2, 3, 9, 3, 0, 0,  2, 0, 0, 0, 8, 0, 0, 32,
                                        4, 3, 2, 1, 8, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 64 };
        const uint8_t *data;

        start_debug("V2J32S7");
        ck_assert_uint_eq(STATUS("\xf2\x52"), 0x08); /* nothing yet */
        ASK("\xf2\x51\x06");
        ck_assert_int_eq(bench.answer->next, FIRMWARE_RECEIVES);
        ck_assert_uint_eq(bench.answer->size, sizeof(list));
        (void) firmware_receive(bench.firmware, list, sizeof(list));
        ck_assert_uint_eq(bench.fake->last_access.ap, 2);
        data = ASK("\xf2\x52");
        ck_assert_uint_eq(bench.answer->size, 48);
        ck_assert_uint_eq(get_le32(data + 4 * 3), 0x01020304);
        for (size_t i = 0; i < 4; i++)
                ck_assert_uint_eq(get_le32(data + 24 + 4 * i), 0x80);
        ck_assert_uint_eq(get_le32(data + 24 + 4 * 4), 0x42);
        ck_assert_uint_eq(get_le32(data + 24 + 4 * 5), 0x11);
        ASK("\xf2\x51\x41"); /* more than fits */
        ck_assert_uint_eq(bench.answer->size, 68 + 4 * 65);
        (void) firmware_receive(bench.firmware, (const uint8_t[68 + 4 * 65]){}, 68 + 4 * 65);
        ck_assert_uint_eq(STATUS("\xf2\x52"), 0x08);
        stop();
}
END_TEST

int main(void) {
        Suite *suite = suite_create("sim-access");
        TCase *tcase = tcase_create("firmware");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, test_memory);
        tcase_add_loop_test(tcase, test_memory_limits, 0, ELEMENTSOF(memory_limits));
        tcase_add_test(tcase, test_memory_ap);
        tcase_add_test(tcase, test_sticky_errors);
        tcase_add_loop_test(tcase, test_acks, 0, ELEMENTSOF(acks));
        tcase_add_test(tcase, test_waits);
        tcase_add_test(tcase, test_outside_debug_mode);
        tcase_add_test(tcase, test_registers);
        tcase_add_test(tcase, test_dp_banks);
        tcase_add_test(tcase, test_access_ports);
        tcase_add_test(tcase, test_rw_misc);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
