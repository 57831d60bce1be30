/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/probe/firmware-internal.h"

/* Core registers and the commands of API v1 that steer the core. */

/* ARMv7-M ARM, C1.6 and B3.2.6 */
#define DHCSR         UINT32_C(0xe000edf0)
#define DCRSR         UINT32_C(0xe000edf4)
#define DCRDR         UINT32_C(0xe000edf8)
#define AIRCR         UINT32_C(0xe000ed0c)
#define FP_CTRL       UINT32_C(0xe0002000)
#define FP_COMP0      UINT32_C(0xe0002008)
#define DHCSR_KEY     UINT32_C(0xa05f0000)
#define DHCSR_DEBUGEN 0x1
#define DHCSR_HALT    0x2
#define DHCSR_STEP    0x4
#define DHCSR_REGRDY  (1u << 16)
#define DHCSR_HALTED  (1u << 17)
#define DCRSR_WRITE   (1u << 16)
#define AIRCR_RESET   UINT32_C(0x05fa0004) /* VECTKEY, SYSRESETREQ */

#define REGISTER_FPU   0x21 /* FPSCR, and S0 from 0x40 on */
#define REGISTER_TRIES 10

static SwdAck register_wait(Firmware *firmware) {
        for (unsigned i = 0; i < REGISTER_TRIES; i++) {
                uint32_t value = 0;
                SwdAck ack = link_read_word(firmware, DHCSR, &value);

                if (ack != SWD_ACK_OK || value & DHCSR_REGRDY)
                        return ack;
        }
        return SWD_ACK_WAIT;
}

static SwdAck register_read(Firmware *firmware, uint8_t number, uint32_t *ret) {
        SwdAck ack = link_write_word(firmware, DCRSR, number);

        if (ack == SWD_ACK_OK)
                ack = register_wait(firmware);
        return ack == SWD_ACK_OK ? link_read_word(firmware, DCRDR, ret) : ack;
}

static SwdAck register_write(Firmware *firmware, uint8_t number, uint32_t value) {
        SwdAck ack = link_write_word(firmware, DCRDR, value);

        if (ack == SWD_ACK_OK)
                ack = link_write_word(firmware, DCRSR, number | DCRSR_WRITE);
        return ack == SWD_ACK_OK ? register_wait(firmware) : ack;
}

/* The registers of the FPU came with V2J15. */
static bool register_is_known(const Firmware *firmware, uint8_t number) {
        return number < REGISTER_FPU || firmware_has(firmware, 15, 0);
}

void debug_read_register(Firmware *firmware, const uint8_t *command) {
        uint16_t status = STATUS_COMMAND_ERROR;
        uint32_t value = 0;

        link_clear_errors(firmware);
        if (register_is_known(firmware, command[2]))
                status = status_from_ap(register_read(firmware, command[2], &value));
        if (command[1] == 0x05)
                put_le32(answer_data(firmware, 4), value);
        else
                put_le32(answer_with_status(firmware, 8, status) + 4, value);
}

void debug_write_register(Firmware *firmware, const uint8_t *command) {
        uint32_t value = command_u32(command, 3);

        if (!register_is_known(firmware, command[2]))
                return answer_status(firmware, STATUS_COMMAND_ERROR);
        link_clear_errors(firmware);
        answer_status(firmware, status_from_ap(register_write(firmware, command[2], value)));
}

/* R0 to R15, xPSR, MSP, PSP, and two more words: that the first of them holds CONTROL and the
 * masks (register 20) is unverified. */
void debug_read_all_registers(Firmware *firmware, const uint8_t *command) {
        static const uint8_t numbers[] = { 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,
                                           10, 11, 12, 13, 14, 15, 16, 17, 18, 20 };
        size_t offset = command[1] == 0x04 ? 0 : 4;
        uint8_t *data = answer_data(firmware, offset + 4 * 21);
        uint16_t status = STATUS_OK;

        link_clear_errors(firmware);
        for (size_t i = 0; i < ELEMENTSOF(numbers) && status == STATUS_OK; i++) {
                uint32_t value = 0;

                status = status_from_ap(register_read(firmware, numbers[i], &value));
                put_le32(data + offset + 4 * i, value);
        }
        if (offset)
                put_le16(data, status);
}

void debug_get_status(Firmware *firmware, _unused_ const uint8_t *command) {
        uint32_t value = 0;
        SwdAck ack;

        link_clear_errors(firmware);
        ack = link_read_word(firmware, DHCSR, &value);
        if (ack == SWD_ACK_OK && value & DHCSR_HALTED)
                return answer_status(firmware, STATUS_HALTED);
        answer_status(firmware, status_from_ap(ack));
}

/* FORCEDEBUG, RUNCORE and STEPCORE */
void debug_core_control(Firmware *firmware, const uint8_t *command) {
        uint32_t value = DHCSR_KEY | DHCSR_DEBUGEN;

        if (command[1] == 0x02)
                value |= DHCSR_HALT;
        else if (command[1] == 0x0a)
                value |= DHCSR_STEP;
        link_clear_errors(firmware);
        answer_status(firmware, status_from_ap(link_write_word(firmware, DHCSR, value)));
}

void debug_reset_system(Firmware *firmware, _unused_ const uint8_t *command) {
        link_clear_errors(firmware);
        answer_status(firmware, status_from_ap(link_write_word(firmware, AIRCR, AIRCR_RESET)));
}

/* SETFP and CLEARFP: comparator in [2], address in [3..6]. A version 1 comparator matches the
 * lower or the upper half-word of a word (ARMv7-M ARM, C1.11.5). */
void debug_comparator(Firmware *firmware, const uint8_t *command) {
        uint32_t address = command_u32(command, 3), value = 0;
        SwdAck ack;

        if (command[2] >= 8)
                return answer_status(firmware, STATUS_COMMAND_ERROR);
        if (command[1] == 0x0b)
                value = (address & UINT32_C(0x1ffffffc)) | (address & 2 ? 2u : 1u) << 30 | 1;
        link_clear_errors(firmware);
        ack = link_write_word(firmware, FP_COMP0 + 4u * command[2], value);
        if (ack == SWD_ACK_OK && value)
                ack = link_write_word(firmware, FP_CTRL, /* KEY, ENABLE= */ 3);
        answer_status(firmware, status_from_ap(ack));
}
