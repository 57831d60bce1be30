/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "target-bench.h"

#include "base/bytes.h"

#define POWER_UP  0x50000000u
#define CLEAR_ALL 0x1Eu

Target *bench_target;

Target *bench_start(const char *chip) {
        ck_assert_int_eq(target_new(chip, &bench_target), 0);
        bench_connect();
        return bench_target;
}

void bench_connect(void) {
        uint32_t value;

        ck_assert_int_eq(target_swd_connect(bench_target, &value), SWD_ACK_OK);
        ck_assert_int_eq(target_dp_write(bench_target, DP_ABORT, CLEAR_ALL), SWD_ACK_OK);
        ck_assert_int_eq(target_dp_write(bench_target, DP_SELECT, 0), SWD_ACK_OK);
        ck_assert_int_eq(target_dp_write(bench_target, DP_CTRL, POWER_UP), SWD_ACK_OK);
        ck_assert_int_eq(target_dp_read(bench_target, DP_CTRL, &value), SWD_ACK_OK);
        ck_assert_uint_eq(value >> 28, 0xF);
}

void bench_stop(void) {
        bench_target = target_free(bench_target);
}

static void recover(SwdAck ack) {
        if (ack == SWD_ACK_FAULT)
                ck_assert_int_eq(target_dp_write(bench_target, DP_ABORT, CLEAR_ALL), SWD_ACK_OK);
}

static SwdAck transfer_in(uint32_t address, unsigned width, uint32_t *ret, uint32_t *ret_fault) {
        TargetAccess access = { .width = (uint8_t) width, .increment = true, .address = address };
        uint8_t data[4] = {};
        SwdAck ack = target_read_memory(bench_target, &access, data, width, ret_fault);

        recover(ack);
        *ret = get_le32(data);
        return ack;
}

SwdAck bench_try_read(uint32_t address, unsigned width, uint32_t *ret_fault) {
        uint32_t value;
        return transfer_in(address, width, &value, ret_fault);
}

SwdAck bench_try_write(uint32_t address, unsigned width, uint32_t value, uint32_t *ret_fault) {
        TargetAccess access = { .width = (uint8_t) width, .increment = true, .address = address };
        uint8_t data[4];
        SwdAck ack;

        put_le32(data, value);
        ack = target_write_memory(bench_target, &access, data, width, ret_fault);
        recover(ack);
        return ack;
}

uint32_t bench_read_width(uint32_t address, unsigned width) {
        uint32_t value, fault;
        SwdAck ack = transfer_in(address, width, &value, &fault);

        ck_assert_msg(ack == SWD_ACK_OK, "read of %08x: %d", address, (int) ack);
        return value;
}

uint32_t bench_read(uint32_t address) {
        return bench_read_width(address, 4);
}

void bench_write_width(uint32_t address, unsigned width, uint32_t value) {
        uint32_t fault;
        SwdAck ack = bench_try_write(address, width, value, &fault);

        ck_assert_msg(ack == SWD_ACK_OK, "write of %08x: %d", address, (int) ack);
}

void bench_write(uint32_t address, uint32_t value) {
        bench_write_width(address, 4, value);
}

uint32_t bench_get_register(unsigned select) {
        bench_write(DCRSR, select);
        return bench_read(DCRDR);
}

void bench_set_register(unsigned select, uint32_t value) {
        bench_write(DCRDR, value);
        bench_write(DCRSR, select | 1u << 16);
}

void bench_load_code(uint32_t address, const uint16_t *code, size_t n) {
        for (size_t i = 0; i < n; i++) {
                uint8_t data[2];
                put_le16(data, code[i]);
                ck_assert_int_eq(
                        target_load(bench_target, address + (uint32_t) i * 2, data, sizeof(data)),
                        0);
        }
}

void bench_run(uint32_t pc, unsigned instructions) {
        bench_write(DHCSR, HALT);
        bench_set_register(REG_SP, RAM + 0x2000);
        bench_set_register(REG_XPSR, 1u << 24);
        bench_set_register(REG_PC, pc);
        bench_write(DHCSR, RUN);
        target_run(bench_target, instructions);
}

void bench_load_vectors(uint32_t sp, uint32_t reset) {
        uint8_t vectors[64] = {};
        static const uint8_t loop[2] = { 0xFE, 0xE7 };

        put_le32(vectors, sp);
        put_le32(vectors + 4, reset | 1);
        put_le32(vectors + 12, 0x08000F01);
        ck_assert_int_eq(target_load(bench_target, 0x08000000, vectors, sizeof(vectors)), 0);
        ck_assert_int_eq(target_load(bench_target, 0x08000F00, loop, sizeof(loop)), 0);
}

void bench_expect_state(uint32_t state) {
        uint32_t mask = S_HALT | S_SLEEP | S_LOCKUP;
        ck_assert_uint_eq(bench_read(DHCSR) & mask, state);
}
