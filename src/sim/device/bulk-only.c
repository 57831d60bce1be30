/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/bytes.h"
#include "sim/device/device-internal.h"

/* USB mass storage, Bulk-Only: what carries the disk of V2-1 and V3, and on V1 the ST-LINK
 * commands too (stlink-protocol §2.2). */

#define CBW_SIZE      31
#define CBW_SIGNATURE UINT32_C(0x43425355)
#define CSW_SIZE      13
#define CSW_SIGNATURE UINT32_C(0x53425355)

/* ST-LINK commands among those of SCSI */
#define OPCODE_FIRST 0xf1
#define OPCODE_LAST  0xfd

/* More data than any disk command has is a host gone mad. */
#define DATA_MAX (FAT_IMAGE_SIZE + FAT_SECTOR_SIZE)

static void send_status(BulkOnly *bot, SimEndpoint *in, size_t moved) {
        uint8_t csw[CSW_SIZE];

        put_le32(csw, CSW_SIGNATURE);
        put_le32(csw + 4, bot->tag);
        put_le32(csw + 8, (uint32_t) (bot->length - MIN(moved, bot->length)));
        csw[12] = bot->failed;
        (void) endpoint_send(in, csw, sizeof(csw));
}

/* Less data than the host wants ends with a short packet, or where that cannot be with a halt. */
static void send_data(SimDevice *device, SimEndpoint *in, const uint8_t *data, size_t size) {
        BulkOnly *bot = &device->bulk_only;
        size_t n = MIN(size, bot->length);

        if (n > 0)
                device_send(device, in, data, n);
        if (n < bot->length && n % in->packet_size == 0)
                (void) endpoint_send_halt(in);
        send_status(bot, in, n);
}

static void from_answer(SimDevice *device, const FirmwareAnswer *answer, ScsiResult *result) {
        *result = (ScsiResult){ .failed = answer->failed };
        if (answer->next == FIRMWARE_SENDS) {
                result->data = answer->data;
                result->size = answer->size;
        } else if (answer->next == FIRMWARE_RECEIVES) {
                result->wants = answer->size;
        } else if (answer->next == FIRMWARE_RESTARTS) {
                device_leave(device, /* replug= */ true);
        }
}

static void execute(SimDevice *device, const uint8_t cdb[16], ScsiResult *result) {
        BulkOnly *bot = &device->bulk_only;

        bot->is_stlink = cdb[0] >= OPCODE_FIRST && cdb[0] <= OPCODE_LAST &&
                         product_function(device->product, FUNCTION_V1);
        if (bot->is_stlink)
                from_answer(device, firmware_command(device->firmware, cdb), result);
        else
                disk_command(&device->disk, cdb, result);
}

/* Data that nobody wants is taken all the same. */
static void begin_receive(SimDevice *device, SimEndpoint *in, size_t wants) {
        BulkOnly *bot = &device->bulk_only;

        bot->wanted = MIN(wants, bot->length);
        bot->got = 0;
        bot->data = malloc(MAX(bot->wanted, (size_t) 1));
        if (!bot->data) {
                bot->failed = true;
                send_status(bot, in, 0);
        }
}

static bool command_is_valid(const uint8_t *cbw, size_t size) {
        return size == CBW_SIZE && get_le32(cbw) == CBW_SIGNATURE && cbw[14] >= 1 &&
               cbw[14] <= 16 && get_le32(cbw + 8) <= DATA_MAX;
}

static void begin_command(SimDevice *device, SimEndpoint *out, SimEndpoint *in, const uint8_t *cbw,
                          size_t size) {
        BulkOnly *bot = &device->bulk_only;
        uint8_t cdb[16] = {};
        ScsiResult result;

        if (!command_is_valid(cbw, size)) {
                /* Both directions stop until the host recovers (Bulk-Only §6.6.1). */
                (void) endpoint_send_halt(in);
                out->halted = true;
                return;
        }
        bot->tag = get_le32(cbw + 4);
        bot->length = get_le32(cbw + 8);
        memcpy(cdb, cbw + 15, cbw[14]);
        execute(device, cdb, &result);
        bot->failed = result.failed;
        if (bot->length > 0 && !(cbw[12] & 0x80))
                begin_receive(device, in, result.wants);
        else
                send_data(device, in, result.data, result.size);
}

static void end_receive(SimDevice *device, SimEndpoint *in) {
        BulkOnly *bot = &device->bulk_only;
        size_t taken = bot->wanted;
        ScsiResult result;

        if (bot->is_stlink)
                from_answer(device, firmware_receive(device->firmware, bot->data, taken), &result);
        else
                disk_receive(&device->disk, bot->data, taken, &result);
        bot->failed |= result.failed;
        send_status(bot, in, taken);
        bulk_only_reset(bot);
}

static void receive(SimDevice *device, SimEndpoint *out, SimEndpoint *in, const uint8_t *packet,
                    size_t size) {
        BulkOnly *bot = &device->bulk_only;
        size_t room = bot->got < bot->wanted ? bot->wanted - bot->got : 0;

        if (size > 0)
                memcpy(bot->data + bot->wanted - room, packet, MIN(size, room));
        bot->got += size;
        if (bot->got >= bot->length || size < out->packet_size) {
                bot->wanted = MIN(bot->wanted, bot->got);
                end_receive(device, in);
        }
}

void bulk_only_packet(SimDevice *device, SimEndpoint *out, SimEndpoint *in, const uint8_t *packet,
                      size_t size) {
        if (device->bulk_only.data)
                return receive(device, out, in, packet, size);
        begin_command(device, out, in, packet, size);
}

void bulk_only_reset(BulkOnly *bot) {
        free(bot->data);
        *bot = (BulkOnly){};
}
