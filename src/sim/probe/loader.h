/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

/* The boot loader's update machine: a DFU of ST's own over bulk transfers (stlink-protocol
 * §9.2), and the flash in which the application lives. It takes images as they come; the
 * encryption of real ones is not modelled. */

#define LOADER_BUFFER_SIZE 2048 /* stlink-protocol §9.2: the receive buffer of V2-1 */
#define LOADER_CONFIG_SIZE 64

typedef struct LoaderGeometry {
        uint32_t flash_kib;
        uint32_t application; /* first address of the application, from 0x08000000 */
        bool sectors;         /* erased by sector number, as the F723 of V3 is, not by page */
        bool overwrites;      /* words that are not blank can be programmed again */
} LoaderGeometry;

typedef struct Loader {
        const LoaderGeometry *geometry;
        uint8_t *flash; /* whole flash of the probe's chip */
        uint8_t status; /* DFU bStatus */
        uint8_t state;  /* DFU bState */
        uint32_t address;
        Usec busy_until;
        uint8_t poll_timeout; /* ms, of the operation under way */
        bool announced;       /* the host was told that it is busy */
} Loader;
