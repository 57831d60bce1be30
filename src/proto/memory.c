/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/memory.h"
#include "base/macro.h"

/* The largest block of 32-bit accesses (stlink-protocol §3.2). */
#define BLOCK_MAX 6144

/* Access ports must count their address up within 1 KiB only (ADIv5.2 §C2.2.2). That the firmware
 * of V2 and later sets it anew at such boundaries follows from what stlink-org (6144 bytes a
 * read since 2011) and probe-rs do all the time on all cores; of V1 nothing is known, whose users
 * all had pages of 1 KiB. */
#define TAR_BLOCK 1024

/* A word takes 46 clocks of SWD (ADIv5.2, chapter B4: request, turnarounds, acknowledge, data,
 * parity). With a slow clock, a block is no more than takes a quarter of a second: the answer to it
 * is waited for as long as to any other command. */
static uint32_t block_of_clock(unsigned swd_khz) {
        uint32_t bytes = (uint32_t) ((uint64_t) swd_khz * 250 / 46 * 4);

        return swd_khz == 0 || bytes > BLOCK_MAX ? BLOCK_MAX : MAX(bytes, UINT32_C(4));
}

static uint32_t block_size(const Firmware *firmware, unsigned swd_khz, uint32_t address,
                           uint32_t size) {
        uint32_t max = block_of_clock(swd_khz);

        if (firmware->major < 2)
                max = MIN(max, TAR_BLOCK - address % TAR_BLOCK);
        return MIN(size & ~UINT32_C(3), max);
}

MemoryAccess memory_next_access(const Firmware *firmware, unsigned swd_khz, uint8_t ap,
                                uint32_t address, uint32_t size) {
        MemoryAccess access = { .address = address, .ap = ap, .width = 4 };

        if (address % 4 == 0 && size >= 4)
                access.size = (uint16_t) block_size(firmware, swd_khz, address, size);
        else if (address % 2 == 0 && size >= 2) {
                access.width = firmware_supports(firmware, FIRMWARE_MEMORY_16) ? 2 : 1;
                access.size = 2;
        } else
                access.size = access.width = 1;
        return access;
}
