/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/device/fat.h"

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"

/* Layout: boot sector, two copies of the FAT, root directory, one sector per cluster (Microsoft's
 * FAT specification of 2000, for the fields below) */
#define FAT_COPY_SECTORS 2
#define ROOT_ENTRIES     64
#define ROOT_START       (1 + 2 * FAT_COPY_SECTORS)
#define DATA_START       (ROOT_START + ROOT_ENTRIES * 32 / FAT_SECTOR_SIZE)
#define FIRST_CLUSTER    2

#define MEDIA_FIXED         0xf8
#define ATTRIBUTE_READ_ONLY 0x01
#define ATTRIBUTE_LABEL     0x08
#define END_OF_FILE         0xfff

/* 1 January 2013, 0:00: directories need a date. */
#define FILE_DATE ((2013 - 1980) << 9 | 1 << 5 | 1)

typedef struct Builder {
        uint8_t *image;
        unsigned entry;   /* next in the root directory */
        unsigned cluster; /* next free one */
} Builder;

static void put_padded(uint8_t *field, const char *text, size_t size) {
        memset(field, ' ', size);
        memcpy(field, text, strnlen(text, size));
}

static void format_boot_sector(const FatVolume *volume, uint8_t *s) {
        static const uint8_t jump[] = { 0xeb, 0x3c, 0x90 };

        memcpy(s, jump, sizeof(jump));
        put_padded(s + 3, "STLINK", 8);
        put_le16(s + 11, FAT_SECTOR_SIZE);
        s[13] = 1; /* sectors per cluster */
        put_le16(s + 14, 1);
        s[16] = 2;
        put_le16(s + 17, ROOT_ENTRIES);
        put_le16(s + 19, FAT_SECTORS);
        s[21] = MEDIA_FIXED;
        put_le16(s + 22, FAT_COPY_SECTORS);
        put_le16(s + 24, 63); /* geometry, for nobody */
        put_le16(s + 26, 255);
        s[36] = 0x80;
        s[38] = 0x29; /* the next three fields are there */
        put_le32(s + 39, volume->serial);
        put_padded(s + 43, volume->label, 11);
        put_padded(s + 54, "FAT12", 8);
        put_le16(s + 510, 0xaa55);
}

/* Twelve bits each: two entries share three bytes. */
static void fat_set(Builder *builder, unsigned cluster, unsigned value) {
        for (unsigned copy = 0; copy < 2; copy++) {
                uint8_t *p = builder->image + FAT_SECTOR_SIZE * (1 + copy * FAT_COPY_SECTORS) +
                             cluster * 3 / 2;
                unsigned old = get_le16(p);

                put_le16(p, (uint16_t) (cluster & 1 ? (old & 0x000f) | value << 4
                                                    : (old & 0xf000) | value));
        }
}

static uint8_t *add_entry(Builder *builder, const char *name, uint8_t attributes) {
        uint8_t *entry =
                builder->image + FAT_SECTOR_SIZE * ROOT_START + 32 * (size_t) builder->entry++;

        put_padded(entry, name, 11);
        entry[11] = attributes;
        put_le16(entry + 24, FILE_DATE);
        return entry;
}

static void add_file(Builder *builder, const char *name, const char *text) {
        size_t size = strlen(text);
        uint8_t *entry = add_entry(builder, name, ATTRIBUTE_READ_ONLY);
        unsigned n = (unsigned) ((size + FAT_SECTOR_SIZE - 1) / FAT_SECTOR_SIZE);
        unsigned first = builder->cluster;

        put_le32(entry + 28, (uint32_t) size);
        if (n == 0)
                return;
        put_le16(entry + 26, (uint16_t) first);
        memcpy(builder->image + FAT_SECTOR_SIZE * (DATA_START + first - FIRST_CLUSTER), text, size);
        for (unsigned i = 0; i < n; i++)
                fat_set(builder, first + i, i + 1 < n ? first + i + 1 : END_OF_FILE);
        builder->cluster += n;
}

void fat_format(const FatVolume *volume, uint8_t *image) {
        Builder builder = { .image = image, .cluster = FIRST_CLUSTER };

        memset(image, 0, FAT_IMAGE_SIZE);
        format_boot_sector(volume, image);
        fat_set(&builder, 0, 0xf00 | MEDIA_FIXED);
        fat_set(&builder, 1, END_OF_FILE);
        (void) add_entry(&builder, volume->label, ATTRIBUTE_LABEL);
        add_file(&builder, "DETAILS TXT", volume->details);
        add_file(&builder, "MBED    HTM", volume->page);
}
