/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/device/fat.h"

/* The SCSI disk behind a mass storage interface. */
typedef struct Disk {
        bool has_medium;
        char vendor[9], product[17];
        char label[12];
        char details[256], page[256];
        uint8_t *image; /* comes into being when somebody reads it */
        uint8_t sense_key, sense_code;
        uint32_t write_sector;
        uint8_t reply[64];
} Disk;

/* What a SCSI command leads to. data is the disk's, valid until the next call. */
typedef struct ScsiResult {
        const uint8_t *data;
        size_t size;
        size_t wants; /* bytes from the host */
        bool failed;
} ScsiResult;

void disk_command(Disk *disk, const uint8_t cdb[16], ScsiResult *result);

/* The data that it wanted, or less. */
void disk_receive(Disk *disk, const uint8_t *data, size_t size, ScsiResult *result);

void disk_clear(Disk *disk);
