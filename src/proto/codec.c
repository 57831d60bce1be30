/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/macro.h"
#include "proto/codec.h"
#include "proto/status.h"

/* stlink-protocol §3.1 to §3.3 */
enum {
        OP_GET_VERSION = 0xF1,
        OP_DEBUG = 0xF2,
        OP_LOADER = 0xF3,
        OP_SWIM = 0xF4,
        OP_GET_MODE = 0xF5,
        OP_GET_VOLTAGE = 0xF7,
        OP_BOOT_LOADER = 0xF9,
        OP_GET_VERSION_EX = 0xFB,

        LOADER_GET_STATE = 0x03,
        LOADER_EXIT = 0x07,

        BOOT_LOADER_QUERY = 0x00,
        BOOT_LOADER_ENTER = 0x01,

        SWIM_EXIT = 0x01,

        API_V1_RESET_TARGET = 0x03,
        API_V1_READ_REGISTER = 0x05,
        API_V1_WRITE_REGISTER = 0x06,
        API_V1_WRITE_WORD = 0x0F,
        API_V1_ENTER = 0x20,
        API_V1_READ_IDCODE = 0x22,

        DEBUG_READ_MEMORY_32 = 0x07,
        DEBUG_WRITE_MEMORY_32 = 0x08,
        DEBUG_READ_MEMORY_8 = 0x0C,
        DEBUG_WRITE_MEMORY_8 = 0x0D,
        DEBUG_EXIT = 0x21,
        DEBUG_ENTER = 0x30,
        DEBUG_READ_IDCODES = 0x31,
        DEBUG_RESET_TARGET = 0x32,
        DEBUG_READ_REGISTER = 0x33,
        DEBUG_WRITE_REGISTER = 0x34,
        DEBUG_WRITE_WORD = 0x35,
        DEBUG_READ_WORD = 0x36,
        DEBUG_GET_RW_STATUS = 0x3B,
        DEBUG_DRIVE_NRST = 0x3C,
        DEBUG_GET_RW_STATUS_2 = 0x3E,
        DEBUG_SET_SWD_DIVISOR = 0x43,
        DEBUG_READ_DAP = 0x45,
        DEBUG_WRITE_DAP = 0x46,
        DEBUG_READ_MEMORY_16 = 0x47,
        DEBUG_WRITE_MEMORY_16 = 0x48,
        DEBUG_OPEN_AP = 0x4B,
        DEBUG_CLOSE_AP = 0x4C,
        DEBUG_SET_KHZ = 0x61,
        DEBUG_GET_KHZ = 0x62,

        ENTER_SWD_NO_RESET = 0xA3,
        KHZ_SWD = 0,
};

enum {
        SIZE_STATUS = 2,
        SIZE_WORD = 4,
        SIZE_VERSION = 6,
        SIZE_VALUE = 8,
        SIZE_VOLTAGE = 8,
        SIZE_IDCODES = 12,
        SIZE_RW_STATUS_2 = 12,
        SIZE_VERSION_EX = 12,
        SIZE_KHZ = 52,
};

#define MEMORY_MAX      6144 /* of 2 and 4 bytes at a time */
#define MEMORY_8_MAX    64
#define MEMORY_8_MAX_V3 512
#define MILLIVOLTS_SANE 20000 /* no target that a probe survives has more */

static Command command_make(uint8_t op, uint8_t sub, uint8_t used, uint16_t in_size) {
        return (Command){ .bytes = { op, sub }, .used = used, .in_size = in_size };
}

static Command command_debug(uint8_t sub, uint8_t used, uint16_t in_size) {
        return command_make(OP_DEBUG, sub, used, in_size);
}

Command command_get_version(void) {
        return command_make(OP_GET_VERSION, 0, 1, SIZE_VERSION);
}

Command command_get_mode(void) {
        return command_make(OP_GET_MODE, 0, 1, SIZE_STATUS);
}

Command command_get_voltage(void) {
        return command_make(OP_GET_VOLTAGE, 0, 1, SIZE_VOLTAGE);
}

Command command_get_version_ex(void) {
        return command_make(OP_GET_VERSION_EX, 0, 1, SIZE_VERSION_EX);
}

Command command_loader_get_state(void) {
        return command_make(OP_LOADER, LOADER_GET_STATE, 2, SIZE_VERSION);
}

Command command_loader_exit(void) {
        return command_make(OP_LOADER, LOADER_EXIT, 2, 0);
}

Command command_loader_query(void) {
        return command_make(OP_BOOT_LOADER, BOOT_LOADER_QUERY, 2, SIZE_STATUS);
}

Command command_loader_enter(void) {
        return command_make(OP_BOOT_LOADER, BOOT_LOADER_ENTER, 2, 0);
}

Command command_swim_exit(void) {
        return command_make(OP_SWIM, SWIM_EXIT, 2, 0);
}

Command command_enter_swd(void) {
        Command c = command_debug(DEBUG_ENTER, 4, SIZE_STATUS);

        c.bytes[2] = ENTER_SWD_NO_RESET;
        return c;
}

Command command_exit_debug(void) {
        return command_debug(DEBUG_EXIT, 2, 0);
}

Command command_read_idcodes(void) {
        return command_debug(DEBUG_READ_IDCODES, 2, SIZE_IDCODES);
}

Command command_reset_target(void) {
        return command_debug(DEBUG_RESET_TARGET, 2, SIZE_STATUS);
}

Command command_read_word(uint32_t address) {
        Command c = command_debug(DEBUG_READ_WORD, 6, SIZE_VALUE);

        put_le32(c.bytes + 2, address);
        return c;
}

Command command_write_word(uint32_t address, uint32_t value) {
        Command c = command_debug(DEBUG_WRITE_WORD, 10, SIZE_STATUS);

        put_le32(c.bytes + 2, address);
        put_le32(c.bytes + 6, value);
        return c;
}

Command command_read_core_register(uint8_t number) {
        Command c = command_debug(DEBUG_READ_REGISTER, 3, SIZE_VALUE);

        c.bytes[2] = number;
        return c;
}

Command command_write_core_register(uint8_t number, uint32_t value) {
        Command c = command_debug(DEBUG_WRITE_REGISTER, 7, SIZE_STATUS);

        c.bytes[2] = number;
        put_le32(c.bytes + 3, value);
        return c;
}

Command command_read_dap(uint16_t port, uint16_t address) {
        Command c = command_debug(DEBUG_READ_DAP, 6, SIZE_VALUE);

        put_le16(c.bytes + 2, port);
        put_le16(c.bytes + 4, address);
        return c;
}

Command command_write_dap(uint16_t port, uint16_t address, uint32_t value) {
        Command c = command_debug(DEBUG_WRITE_DAP, 10, SIZE_STATUS);

        put_le16(c.bytes + 2, port);
        put_le16(c.bytes + 4, address);
        put_le32(c.bytes + 6, value);
        return c;
}

Command command_open_ap(uint8_t ap) {
        Command c = command_debug(DEBUG_OPEN_AP, 4, SIZE_STATUS);

        c.bytes[2] = ap;
        return c;
}

Command command_close_ap(uint8_t ap) {
        Command c = command_debug(DEBUG_CLOSE_AP, 3, SIZE_STATUS);

        c.bytes[2] = ap;
        return c;
}

Command command_set_swd_divisor(uint16_t divisor) {
        Command c = command_debug(DEBUG_SET_SWD_DIVISOR, 4, SIZE_STATUS);

        put_le16(c.bytes + 2, divisor);
        return c;
}

Command command_get_swd_khz(void) {
        Command c = command_debug(DEBUG_GET_KHZ, 3, SIZE_KHZ);

        c.bytes[2] = KHZ_SWD;
        return c;
}

Command command_set_swd_khz(uint32_t khz) {
        Command c = command_debug(DEBUG_SET_KHZ, 8, SIZE_VALUE);

        c.bytes[2] = KHZ_SWD;
        put_le32(c.bytes + 4, khz);
        return c;
}

Command command_drive_nrst(NrstAction action) {
        Command c = command_debug(DEBUG_DRIVE_NRST, 3, SIZE_STATUS);

        c.bytes[2] = (uint8_t) action;
        return c;
}

static bool memory_access_is_valid(const Firmware *firmware, const MemoryAccess *access) {
        unsigned max = MEMORY_MAX;

        if (access->width == 1)
                max = firmware->major > 3 || (firmware->major == 3 && firmware->jtag >= 6)
                              ? MEMORY_8_MAX_V3
                              : MEMORY_8_MAX;
        else if (access->width == 2 && !firmware_supports(firmware, FIRMWARE_MEMORY_16))
                return false;
        else if (access->width != 2 && access->width != 4)
                return false;
        if (access->size == 0 || access->size > max)
                return false;
        if (access->size % access->width != 0 || access->address % access->width != 0)
                return false;
        if (access->address > UINT32_MAX - (access->size - 1u))
                return false;
        if (access->csw & 0xFF)
                return false;
        return (access->ap == 0 && access->csw == 0) ||
               firmware_supports(firmware, FIRMWARE_MEMORY_AP);
}

static Command command_memory(uint8_t sub, const MemoryAccess *access) {
        Command c = command_debug(sub, 12, 0);

        put_le32(c.bytes + 2, access->address);
        put_le16(c.bytes + 6, access->size);
        c.bytes[8] = access->ap;
        c.bytes[9] = (uint8_t) (access->csw >> 8);
        c.bytes[10] = (uint8_t) (access->csw >> 16);
        c.bytes[11] = (uint8_t) (access->csw >> 24);
        return c;
}

int command_read_memory(const Firmware *firmware, const MemoryAccess *access, Command *ret) {
        Command c;

        if (!memory_access_is_valid(firmware, access))
                return -EINVAL;

        c = command_memory(access->width == 1   ? DEBUG_READ_MEMORY_8
                           : access->width == 2 ? DEBUG_READ_MEMORY_16
                                                : DEBUG_READ_MEMORY_32,
                           access);
        /* A read of one byte is answered with two (§3.2). */
        c.in_size = access->size == 1 ? 2 : access->size;
        *ret = c;
        return 0;
}

int command_write_memory(const Firmware *firmware, const MemoryAccess *access, Command *ret) {
        Command c;

        if (!memory_access_is_valid(firmware, access))
                return -EINVAL;

        c = command_memory(access->width == 1   ? DEBUG_WRITE_MEMORY_8
                           : access->width == 2 ? DEBUG_WRITE_MEMORY_16
                                                : DEBUG_WRITE_MEMORY_32,
                           access);
        c.out_size = access->size;
        *ret = c;
        return 0;
}

Command command_get_rw_status(const Firmware *firmware) {
        if (firmware_supports(firmware, FIRMWARE_RW_STATUS2))
                return command_debug(DEBUG_GET_RW_STATUS_2, 2, SIZE_RW_STATUS_2);
        return command_debug(DEBUG_GET_RW_STATUS, 2, SIZE_STATUS);
}

int command_to_api_v1(Command *command) {
        /* Where the two differ; what is answered with a word has no status then (§3.2). */
        static const struct {
                uint8_t v2, v1;
                uint16_t in_size;
        } table[] = {
                { DEBUG_ENTER, API_V1_ENTER, 0 },
                { DEBUG_READ_IDCODES, API_V1_READ_IDCODE, SIZE_WORD },
                { DEBUG_RESET_TARGET, API_V1_RESET_TARGET, SIZE_STATUS },
                { DEBUG_READ_REGISTER, API_V1_READ_REGISTER, SIZE_WORD },
                { DEBUG_WRITE_REGISTER, API_V1_WRITE_REGISTER, SIZE_STATUS },
                { DEBUG_WRITE_WORD, API_V1_WRITE_WORD, SIZE_STATUS },
                { DEBUG_READ_WORD, DEBUG_READ_MEMORY_32, SIZE_WORD },
        };

        if (command->bytes[0] != OP_DEBUG)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                if (command->bytes[1] != table[i].v2)
                        continue;
                command->bytes[1] = table[i].v1;
                command->in_size = table[i].in_size;
                if (table[i].v1 == DEBUG_READ_MEMORY_32) {
                        put_le16(command->bytes + 6, SIZE_WORD);
                        command->used = 8;
                }
                return 0;
        }
        return -EOPNOTSUPP;
}

/* The PIDs under which a V2-1 application runs, for which M stands where a V2 has S. */
static bool product_has_msd_field(uint16_t product_id) {
        return product_id == 0x374A || product_id == 0x374B || product_id == 0x3752;
}

int decode_version(const uint8_t *reply, size_t size, Firmware *ret) {
        Firmware f = {};
        uint8_t x, y;
        uint16_t word;

        if (size != SIZE_VERSION || get_le16(reply + 2) != STLINK_VENDOR_ID)
                return -EPROTO;

        word = get_be16(reply);
        f.major = (uint8_t) (word >> 12);
        f.product_id = get_le16(reply + 4);
        if (f.major < 1 || f.major > 4)
                return -EPROTO;

        x = word >> 6 & 0x3F;
        y = word & 0x3F;
        if (product_has_msd_field(f.product_id)) {
                /* Boards with an STM8 put M first and S second, and have no J (§5). */
                bool stm8 = (x <= 22 && y == 7) || (x >= 25 && y >= 7 && y <= 12);

                f.jtag = stm8 ? 0 : x;
                f.msd = stm8 ? x : y;
                f.swim = stm8 ? y : 0;
                f.has_msd = true;
                f.has_swim = stm8;
        } else {
                f.jtag = x;
                f.swim = y;
                f.has_swim = f.major <= 2;
        }

        *ret = f;
        return 0;
}

int decode_version_ex(const uint8_t *reply, size_t size, Firmware *firmware) {
        if (size != SIZE_VERSION_EX || reply[0] != firmware->major ||
            get_le16(reply + 8) != STLINK_VENDOR_ID)
                return -EPROTO;

        firmware->swim = reply[1];
        firmware->jtag = reply[2];
        firmware->msd = reply[3];
        firmware->bridge = reply[4];
        firmware->power = reply[5];
        firmware->has_swim = firmware->swim > 0;
        firmware->has_msd = firmware->msd > 0;
        firmware->product_id = get_le16(reply + 10);
        return 0;
}

int decode_mode(const uint8_t *reply, size_t size, ProbeMode *ret, uint8_t *ret_loader_version) {
        ProbeMode mode;

        if (size != SIZE_STATUS)
                return -EPROTO;
        mode = probe_mode_from_wire(reply[0]);
        if (mode == PROBE_MODE_UNKNOWN)
                return -EPROTO;

        *ret = mode;
        if (ret_loader_version)
                *ret_loader_version = reply[1];
        return 0;
}

int decode_voltage(const uint8_t *reply, size_t size, int *ret_millivolts) {
        uint64_t reference, half, millivolts;

        if (size != SIZE_VOLTAGE)
                return -EPROTO;

        /* Both are readings of the same converter: one of a 1.2 V reference, the other of half
         * the target's voltage. */
        reference = get_le32(reply);
        half = get_le32(reply + 4);
        if (reference == 0)
                return -ENODATA;
        millivolts = 2 * half * 1200 / reference;
        if (millivolts > MILLIVOLTS_SANE)
                return -EPROTO;

        *ret_millivolts = (int) millivolts;
        return 0;
}

int decode_loader_state(const uint8_t *reply, size_t size, bool *ret_idle) {
        enum {
                STATE_APP_IDLE = 0,
                STATE_DFU_IDLE = 2,
                STATE_MAX = 10, /* dfuERROR, the last state of USB DFU 1.1 §6.1.2 */
        };

        if (size != SIZE_VERSION || reply[4] > STATE_MAX)
                return -EPROTO;
        *ret_idle = reply[4] == STATE_APP_IDLE || reply[4] == STATE_DFU_IDLE;
        return 0;
}

int decode_status(const uint8_t *reply, size_t size, uint8_t *ret_status) {
        if (size < SIZE_STATUS || status_class(reply[0]) == STATUS_CLASS_INVALID)
                return -EPROTO;
        *ret_status = reply[0];
        return 0;
}

int decode_value(const uint8_t *reply, size_t size, uint8_t *ret_status, uint32_t *ret_value) {
        int r;

        if (size != SIZE_VALUE)
                return -EPROTO;
        r = decode_status(reply, size, ret_status);
        if (r < 0)
                return r;
        *ret_value = get_le32(reply + 4);
        return 0;
}

int decode_idcodes(const uint8_t *reply, size_t size, uint8_t *ret_status, uint32_t *ret_dpidr) {
        int r;

        if (size != SIZE_IDCODES)
                return -EPROTO;
        r = decode_status(reply, size, ret_status);
        if (r < 0)
                return r;
        *ret_dpidr = get_le32(reply + 4);
        return 0;
}

int decode_rw_status(const uint8_t *reply, size_t size, uint8_t *ret_status,
                     uint32_t *ret_fault_address) {
        int r;

        if (size != SIZE_STATUS && size != SIZE_RW_STATUS_2)
                return -EPROTO;
        r = decode_status(reply, size, ret_status);
        if (r < 0)
                return r;
        *ret_fault_address = size == SIZE_RW_STATUS_2 ? get_le32(reply + 4) : 0;
        return 0;
}

int decode_swd_khz(const uint8_t *reply, size_t size, uint8_t *ret_status, SwdFrequencies *ret) {
        SwdFrequencies f = {};
        int r;

        if (size != SIZE_KHZ || reply[8] > SWD_KHZ_MAX)
                return -EPROTO;
        r = decode_status(reply, size, ret_status);
        if (r < 0)
                return r;

        f.current = get_le32(reply + 4);
        f.n = reply[8];
        for (size_t i = 0; i < f.n; i++)
                f.khz[i] = get_le32(reply + 12 + 4 * i);
        *ret = f;
        return 0;
}

uint16_t swd_divisor(unsigned khz, unsigned *ret_khz) {
        /* stlink-protocol §3.2, OpenOCD's column */
        static const struct {
                uint16_t khz, divisor;
        } table[] = {
                { 4000, 0 }, { 1800, 1 }, { 1200, 2 }, { 950, 3 },  { 480, 7 },  { 240, 15 },
                { 125, 31 }, { 100, 40 }, { 50, 79 },  { 25, 158 }, { 15, 265 }, { 5, 798 },
        };
        size_t i = 0;

        while (i < ELEMENTSOF(table) - 1 && table[i].khz > khz)
                i++;
        *ret_khz = table[i].khz;
        return table[i].divisor;
}

uint32_t swd_frequency(const SwdFrequencies *frequencies, unsigned khz) {
        uint32_t best = 0, slowest = 0;

        for (size_t i = 0; i < frequencies->n; i++) {
                uint32_t f = frequencies->khz[i];

                if (f == 0)
                        continue;
                if (slowest == 0 || f < slowest)
                        slowest = f;
                if (f <= khz && f > best)
                        best = f;
        }
        return best > 0 ? best : slowest;
}
