/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/device/disk.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/macro.h"

/* Commands (SPC-2, SBC) */
enum {
        TEST_UNIT_READY = 0x00,
        REQUEST_SENSE = 0x03,
        INQUIRY = 0x12,
        MODE_SENSE_6 = 0x1a,
        START_STOP_UNIT = 0x1b,
        PREVENT_REMOVAL = 0x1e,
        READ_FORMAT_CAPACITIES = 0x23,
        READ_CAPACITY = 0x25,
        READ_10 = 0x28,
        WRITE_10 = 0x2a,
        VERIFY_10 = 0x2f,
        SYNCHRONIZE_CACHE = 0x35,
        MODE_SENSE_10 = 0x5a,
};

/* Sense keys, and additional codes */
enum {
        KEY_NOT_READY = 0x02,
        KEY_HARDWARE_ERROR = 0x04,
        KEY_ILLEGAL_REQUEST = 0x05,
        CODE_INVALID_COMMAND = 0x20,
        CODE_OUT_OF_RANGE = 0x21,
        CODE_NO_MEDIUM = 0x3a,
        CODE_INTERNAL = 0x44,
};

static void fail(Disk *disk, uint8_t key, uint8_t code, ScsiResult *result) {
        disk->sense_key = key;
        disk->sense_code = code;
        result->failed = true;
}

static uint8_t *reply(Disk *disk, size_t size, size_t allowed, ScsiResult *result) {
        memset(disk->reply, 0, sizeof(disk->reply));
        result->data = disk->reply;
        result->size = MIN(size, allowed);
        return disk->reply;
}

static void request_sense(Disk *disk, const uint8_t *cdb, ScsiResult *result) {
        uint8_t *data = reply(disk, 18, cdb[4], result);

        data[0] = 0x70;
        data[2] = disk->sense_key;
        data[7] = 10;
        data[12] = disk->sense_code;
        disk->sense_key = disk->sense_code = 0;
}

static void inquiry(Disk *disk, const uint8_t *cdb, ScsiResult *result) {
        uint8_t *data;

        if (cdb[1] & 1) /* vital product data: has none */
                return fail(disk, KEY_ILLEGAL_REQUEST, CODE_INVALID_COMMAND, result);
        data = reply(disk, 36, cdb[4], result);
        data[1] = 0x80; /* removable */
        data[2] = 2;    /* SCSI-2 */
        data[3] = 2;
        data[4] = 31;
        memset(data + 8, ' ', 24);
        memcpy(data + 8, disk->vendor, strlen(disk->vendor));
        memcpy(data + 16, disk->product, strlen(disk->product));
        memcpy(data + 32, "1.0 ", 4);
}

static void read_capacity(Disk *disk, ScsiResult *result) {
        uint8_t *data = reply(disk, 8, 8, result);

        put_be32(data, FAT_SECTORS - 1);
        put_be32(data + 4, FAT_SECTOR_SIZE);
}

static void read_format_capacities(Disk *disk, const uint8_t *cdb, ScsiResult *result) {
        uint8_t *data = reply(disk, 12, get_be16(cdb + 7), result);

        data[3] = 8;
        put_be32(data + 4, FAT_SECTORS);
        put_be32(data + 8, 2u << 24 | FAT_SECTOR_SIZE); /* formatted */
}

static bool disk_open(Disk *disk) {
        FatVolume volume = { disk->label, 0x20130101, disk->details, disk->page };

        if (!disk->image) {
                disk->image = malloc(FAT_IMAGE_SIZE);
                if (!disk->image)
                        return false;
                fat_format(&volume, disk->image);
        }
        return true;
}

/* Sector and count of READ and WRITE; false when the command has failed. */
static bool read_range(Disk *disk, const uint8_t *cdb, uint32_t *ret_sector, uint32_t *ret_count,
                       ScsiResult *result) {
        uint32_t sector = get_be32(cdb + 2), count = get_be16(cdb + 7);

        if (sector > FAT_SECTORS || count > FAT_SECTORS - sector)
                fail(disk, KEY_ILLEGAL_REQUEST, CODE_OUT_OF_RANGE, result);
        else if (!disk_open(disk))
                fail(disk, KEY_HARDWARE_ERROR, CODE_INTERNAL, result);
        *ret_sector = sector;
        *ret_count = count;
        return !result->failed;
}

static void read_sectors(Disk *disk, const uint8_t *cdb, ScsiResult *result) {
        uint32_t sector, count;

        if (!read_range(disk, cdb, &sector, &count, result))
                return;
        result->data = disk->image + (size_t) sector * FAT_SECTOR_SIZE;
        result->size = (size_t) count * FAT_SECTOR_SIZE;
}

static void write_sectors(Disk *disk, const uint8_t *cdb, ScsiResult *result) {
        uint32_t count;

        if (read_range(disk, cdb, &disk->write_sector, &count, result))
                result->wants = (size_t) count * FAT_SECTOR_SIZE;
}

static void medium_command(Disk *disk, const uint8_t *cdb, ScsiResult *result) {
        if (!disk->has_medium)
                return fail(disk, KEY_NOT_READY, CODE_NO_MEDIUM, result);
        switch (cdb[0]) {
        case TEST_UNIT_READY:
        case START_STOP_UNIT:
        case VERIFY_10:
        case SYNCHRONIZE_CACHE:
                return;
        case READ_FORMAT_CAPACITIES:
                return read_format_capacities(disk, cdb, result);
        case READ_CAPACITY:
                return read_capacity(disk, result);
        case READ_10:
                return read_sectors(disk, cdb, result);
        case WRITE_10:
                return write_sectors(disk, cdb, result);
        default:
                return fail(disk, KEY_ILLEGAL_REQUEST, CODE_INVALID_COMMAND, result);
        }
}

void disk_command(Disk *disk, const uint8_t cdb[16], ScsiResult *result) {
        *result = (ScsiResult){};
        switch (cdb[0]) {
        case REQUEST_SENSE:
                return request_sense(disk, cdb, result);
        case INQUIRY:
                return inquiry(disk, cdb, result);
        case MODE_SENSE_6: /* nothing but the header */
                reply(disk, 4, cdb[4], result)[0] = 3;
                return;
        case MODE_SENSE_10:
                reply(disk, 8, get_be16(cdb + 7), result)[1] = 6;
                return;
        case PREVENT_REMOVAL:
                return;
        default:
                return medium_command(disk, cdb, result);
        }
}

void disk_receive(Disk *disk, const uint8_t *data, size_t size, ScsiResult *result) {
        size_t start = (size_t) disk->write_sector * FAT_SECTOR_SIZE;

        *result = (ScsiResult){};
        if (!disk->image || start > FAT_IMAGE_SIZE)
                return;
        memcpy(disk->image + start, data, MIN(size, FAT_IMAGE_SIZE - start));
}

void disk_clear(Disk *disk) {
        free(disk->image);
        disk->image = NULL;
}
