/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/probe/firmware-internal.h"

/* Memory blocks. The data phase takes place even when the access fails; 3B and 3E tell. */

/* Most bytes of one read. Writes stream into the target: stlink 1.7.0 sends 32 KiB at once. */
#define READ_MAX 6144

/* Most bytes of one 8-bit access (stlink-protocol §3.2, F2 0C) */
#define BYTES_MAX    64
#define BYTES_MAX_V3 512

typedef struct MemoryCommand {
        uint8_t opcode;
        uint8_t width;
        bool increment;
} MemoryCommand;

static const MemoryCommand memory_commands[] = {
        { 0x07, 4, true }, { 0x08, 4, true }, { 0x0c, 1, true },  { 0x0d, 1, true },
        { 0x47, 2, true }, { 0x48, 2, true }, { 0x50, 4, false }, { 0x54, 4, false },
};

/* Access port and CSW came with V2J32 and V3J2; older firmware uses its own. */
static TargetAccess memory_access(const Firmware *firmware, const uint8_t *command) {
        TargetAccess access = { .width = 1, .address = command_u32(command, 2) };

        for (size_t i = 0; i < ELEMENTSOF(memory_commands); i++)
                if (memory_commands[i].opcode == command[1]) {
                        access.width = memory_commands[i].width;
                        access.increment = memory_commands[i].increment;
                }
        if (firmware_has(firmware, 32, 2)) {
                access.ap = command[8];
                access.csw = command_u32(command, 8) & ~UINT32_C(0xff);
        }
        return access;
}

static uint16_t memory_check(const Firmware *firmware, const TargetAccess *access, size_t size,
                             bool write) {
        size_t limit = write ? UINT16_MAX : READ_MAX;

        if (access->width == 1)
                limit = firmware_has(firmware, FIRMWARE_NEVER, 6) ? BYTES_MAX_V3 : BYTES_MAX;
        if (size > limit)
                return STATUS_COMMAND_ERROR;
        if (size % access->width || access->address % access->width)
                return STATUS_ALIGNMENT_ERROR;
        return STATUS_OK;
}

static void memory_result(Firmware *firmware, uint16_t status, uint32_t fault) {
        firmware->last_status = status;
        firmware->fault_address = status == STATUS_OK ? 0 : fault;
}

void debug_read_memory(Firmware *firmware, const uint8_t *command) {
        TargetAccess access = memory_access(firmware, command);
        size_t size = command_u16(command, 6);
        uint32_t fault = access.address;
        uint8_t *data;

        /* One byte comes with a second one that means nothing (stlink-protocol §3.2, F2 0C). */
        data = answer_data(firmware, access.width == 1 && size == 1 ? 2 : size);
        memory_result(firmware, memory_check(firmware, &access, size, /* write= */ false), fault);
        if (firmware->last_status != STATUS_OK || size == 0)
                return;
        link_clear_errors(firmware);
        memory_result(firmware, status_from_ap(link_read(firmware, &access, data, size, &fault)),
                      fault);
}

static void memory_receive(Firmware *firmware, const uint8_t *data, size_t size) {
        TargetAccess access = memory_access(firmware, firmware->command);
        uint32_t fault = access.address;

        if (size < command_u16(firmware->command, 6))
                memory_result(firmware, STATUS_COMMAND_ERROR, fault);
        if (firmware->last_status != STATUS_OK)
                return;
        link_clear_errors(firmware);
        memory_result(firmware, status_from_ap(link_write(firmware, &access, data, size, &fault)),
                      fault);
}

void debug_write_memory(Firmware *firmware, const uint8_t *command) {
        TargetAccess access = memory_access(firmware, command);
        size_t size = command_u16(command, 6);

        memory_result(firmware, memory_check(firmware, &access, size, /* write= */ true),
                      access.address);
        answer_receive(firmware, size, memory_receive);
}

void debug_last_status(Firmware *firmware, _unused_ const uint8_t *command) {
        answer_status(firmware, firmware->last_status);
}

void debug_last_status2(Firmware *firmware, _unused_ const uint8_t *command) {
        uint8_t *data = answer_with_status(firmware, 12, firmware->last_status);

        put_le32(data + 4, firmware->fault_address);
}

void debug_read_word(Firmware *firmware, const uint8_t *command) {
        uint32_t address = command_u32(command, 2), value = 0;
        uint16_t status = STATUS_ALIGNMENT_ERROR;

        if (address % 4 == 0) {
                link_clear_errors(firmware);
                status = status_from_ap(link_read_word(firmware, address, &value));
        }
        put_le32(answer_with_status(firmware, 8, status) + 4, value);
}

void debug_write_word(Firmware *firmware, const uint8_t *command) {
        uint32_t address = command_u32(command, 2), value = command_u32(command, 6);

        if (address % 4)
                return answer_status(firmware, STATUS_ALIGNMENT_ERROR);
        link_clear_errors(firmware);
        answer_status(firmware, status_from_ap(link_write_word(firmware, address, value)));
}
