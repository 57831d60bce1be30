/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/probe/firmware-internal.h"

/* The SWIM family (stlink-protocol §3.3). No STM8 hangs on the simulated SWIM pin, so what
 * needs one fails, as it does on a probe with nothing but an STM32 attached. */

enum {
        SWIM_ENTER = 0x00,
        SWIM_EXIT = 0x01,
        SWIM_READ_CAP = 0x02,
        SWIM_SPEED = 0x03,
        SWIM_ENTER_SEQ = 0x04,
        SWIM_GEN_RST = 0x05,
        SWIM_RESET = 0x06,
        SWIM_ASSERT_RESET = 0x07,
        SWIM_DEASSERT_RESET = 0x08,
        SWIM_READSTATUS = 0x09,
        SWIM_WRITEMEM = 0x0a,
        SWIM_READMEM = 0x0b,
        SWIM_READBUF = 0x0c,
};

#define SWIM_OK          0x00
#define SWIM_NO_RESPONSE 0x04 /* "no answer from the target"; the value is unverified */

#define SWIM_DATA_MAX      6144
#define SWIM_DATA_INLINE   8 /* bytes of WRITEMEM that fit into the command */
#define SWIM_DATA_INLINE_1 2 /* and in V1's command, which has ten bytes (unverified) */

static void swim_enter(Firmware *firmware) {
        if (firmware->mode == FIRMWARE_MODE_DEBUG)
                return;
        firmware->mode = FIRMWARE_MODE_SWIM;
        firmware->swim_status = SWIM_OK;
}

static void swim_exit(Firmware *firmware) {
        if (firmware->mode == FIRMWARE_MODE_SWIM)
                firmware->mode = FIRMWARE_MODE_MASS;
}

static void swim_receive(Firmware *firmware, _unused_ const uint8_t *data, _unused_ size_t size) {
        firmware->swim_status = SWIM_NO_RESPONSE;
}

static void swim_write(Firmware *firmware, const uint8_t *command) {
        size_t size = get_be16(command + 2);
        size_t here = firmware->setup.model == FIRMWARE_V1 ? SWIM_DATA_INLINE_1 : SWIM_DATA_INLINE;

        firmware->swim_status = SWIM_NO_RESPONSE;
        if (size > here)
                answer_receive(firmware, size - here, swim_receive);
}

static void swim_capabilities(Firmware *firmware) {
        static const uint8_t capabilities[] = { 0, 1, 2, 6 };
        uint8_t *data = answer_data(firmware, 8);

        for (size_t i = 0; i < sizeof(capabilities); i++)
                data[i] = capabilities[i];
}

/* The length of a read is not in READBUF but in the READMEM before it, which failed: nothing
 * is in the buffer, and as always the host gets the bytes it waits for. */
static void swim_read(Firmware *firmware, const uint8_t *command) {
        firmware->swim_size = MIN((size_t) get_be16(command + 2), (size_t) SWIM_DATA_MAX);
        firmware->swim_status = SWIM_NO_RESPONSE;
}

void firmware_swim(Firmware *firmware, const uint8_t *command) {
        if (firmware->setup.version.swim == 0)
                return answer_unknown(firmware);
        answer_nothing(firmware);
        switch (command[1]) {
        case SWIM_ENTER:
                return swim_enter(firmware);
        case SWIM_EXIT:
                return swim_exit(firmware);
        case SWIM_READ_CAP:
                return swim_capabilities(firmware);
        case SWIM_ASSERT_RESET:
                return target_set_nrst(firmware->target, /* low= */ true);
        case SWIM_DEASSERT_RESET:
                return target_set_nrst(firmware->target, /* low= */ false);
        case SWIM_SPEED:
        case SWIM_GEN_RST:
                firmware->swim_status = SWIM_OK;
                return;
        case SWIM_ENTER_SEQ:
        case SWIM_RESET:
                firmware->swim_status = SWIM_NO_RESPONSE;
                return;
        case SWIM_READSTATUS:
                answer_data(firmware, 4)[0] = firmware->swim_status;
                return;
        case SWIM_WRITEMEM:
                return swim_write(firmware, command);
        case SWIM_READMEM:
                return swim_read(firmware, command);
        case SWIM_READBUF:
                (void) answer_data(firmware, firmware->swim_size);
                return;
        default:
                return answer_unknown(firmware);
        }
}
