/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/string-table.h"

/* What a USB product ID says about a probe. The table itself is made at build time from
 * udev/70-stlinkd.hwdb, the one place where products are listed. */

#define STLINK_VENDOR_ID 0x0483

typedef enum ProbeModel {
        PROBE_MODEL_UNKNOWN,
        PROBE_MODEL_V1,
        PROBE_MODEL_V2,
        PROBE_MODEL_V2_1,
        PROBE_MODEL_V3,
        PROBE_MODEL_V3PWR,
        _PROBE_MODEL_MAX,
} ProbeModel;

/* "unknown", "V1", "V2", "V2-1", "V3", "V3PWR" */
DECLARE_STRING_TABLE(probe_model, ProbeModel);

/* The parts of a probe, as a bit mask. */
typedef enum ProbePart {
        PROBE_PART_DEBUG = 1 << 0,  /* interface 0 */
        PROBE_PART_VCP = 1 << 1,    /* virtual COM port, a ttyACM */
        PROBE_PART_MSD = 1 << 2,    /* mass storage, a block device */
        PROBE_PART_BRIDGE = 1 << 3, /* SPI/I2C/CAN/GPIO bridge */
} ProbePart;
#define PROBE_PARTS_ALL 0xfu

/* "debug", "vcp", "msd" or "bridge" for a single part, else NULL; and back, 0 if unknown. */
const char *probe_part_to_string(unsigned part);
unsigned probe_part_from_string(const char *name);

typedef enum ProbeMode {
        PROBE_MODE_UNKNOWN, /* not read yet, or not readable */
        PROBE_MODE_LOADER,  /* F5 says 00: boot loader */
        PROBE_MODE_MASS,    /* 01: idle */
        PROBE_MODE_DEBUG,   /* 02: SWD or JTAG */
        PROBE_MODE_SWIM,    /* 03 */
        _PROBE_MODE_MAX,
} ProbeMode;

/* "unknown", "loader", "mass", "debug", "swim" */
DECLARE_STRING_TABLE(probe_mode, ProbeMode);

/* The mode that byte 0 of the answer to command F5 stands for. */
ProbeMode probe_mode_from_wire(uint8_t byte);

typedef struct ProbeProduct {
        uint16_t product_id;
        ProbeModel model;
        bool loader;      /* this ID is used by the boot loader only */
        unsigned parts;   /* mask of ProbePart */
        const char *name; /* "ST-LINK/V2-1" */
} ProbeProduct;

/* NULL when this is not a known ST-LINK. */
const ProbeProduct *probe_product_find(uint16_t vendor_id, uint16_t product_id);

/* Whether a probe that was seen as the first product shows its boot loader with the second. A V2
 * has one ID for both, so nothing can be told of it. */
bool product_is_loader_of(uint16_t application, uint16_t product_id);

/* Walk the table: index from 0 until NULL. */
const ProbeProduct *probe_product_at(size_t index);
