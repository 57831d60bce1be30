/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* The volume that an ST-LINK with mass storage shows: a small FAT12 with two files. */

#define FAT_SECTOR_SIZE 512
#define FAT_SECTORS     512
#define FAT_IMAGE_SIZE  (FAT_SECTOR_SIZE * FAT_SECTORS)

typedef struct FatVolume {
        const char *label; /* up to 11 characters, upper case */
        uint32_t serial;
        const char *details; /* text of DETAILS.TXT */
        const char *page;    /* text of MBED.HTM */
} FatVolume;

/* Build the volume in image, FAT_IMAGE_SIZE bytes. Each text has to fit into 8 KiB. */
void fat_format(const FatVolume *volume, uint8_t *image);
