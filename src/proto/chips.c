/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/macro.h"
#include "proto/chips.h"

/* Where a family keeps DBGMCU_IDCODE */
#define IDCODE_M3  0xE0042000u /* F1, F2, F3, F4, F7, L1, L4, G4, WB, WL */
#define IDCODE_M0  0x40015800u /* F0, L0, G0, C0, U0 */
#define IDCODE_M33 0xE0044000u /* L5, U5, H5, WBA */
#define IDCODE_H7  0x5C001000u

/* CPUID.PARTNO */
enum {
        CORE_M0 = 0xC20,
        CORE_M0P = 0xC60,
        CORE_M3 = 0xC23,
        CORE_M4 = 0xC24,
        CORE_M7 = 0xC27,
        CORE_M33 = 0xD21,
};

/* Device ids and flash size registers stand in the sections "MCU device ID code" and "Flash
 * size data register" of the reference manuals named above each family; they were compared with
 * what OpenOCD and stlink-org know (stlink-protocol §8.3). None was read from a chip by us. */
static const Chip chips[] = {
        /* device id, name, family, DBGMCU_IDCODE, flash size register, core */

        /* RM0008, RM0041 */
        { 0x412, "STM32F10x low density", "STM32F1", IDCODE_M3, 0x1FFFF7E0, CORE_M3 },
        { 0x410, "STM32F10x medium density", "STM32F1", IDCODE_M3, 0x1FFFF7E0, CORE_M3 },
        { 0x414, "STM32F10x high density", "STM32F1", IDCODE_M3, 0x1FFFF7E0, CORE_M3 },
        { 0x430, "STM32F10x XL density", "STM32F1", IDCODE_M3, 0x1FFFF7E0, CORE_M3 },
        { 0x418, "STM32F105/F107", "STM32F1", IDCODE_M3, 0x1FFFF7E0, CORE_M3 },
        { 0x420, "STM32F100 low/medium density", "STM32F1", IDCODE_M3, 0x1FFFF7E0, CORE_M3 },
        { 0x428, "STM32F100 high density", "STM32F1", IDCODE_M3, 0x1FFFF7E0, CORE_M3 },

        /* RM0033 */
        { 0x411, "STM32F2xx", "STM32F2", IDCODE_M3, 0x1FFF7A22, CORE_M3 },

        /* RM0090, RM0386, RM0368, RM0383, RM0390, RM0402, RM0401, RM0430 */
        { 0x413, "STM32F405/407/415/417", "STM32F4", IDCODE_M3, 0x1FFF7A22, CORE_M4 },
        { 0x419, "STM32F42x/F43x", "STM32F4", IDCODE_M3, 0x1FFF7A22, CORE_M4 },
        { 0x434, "STM32F469/F479", "STM32F4", IDCODE_M3, 0x1FFF7A22, CORE_M4 },
        { 0x423, "STM32F401xB/xC", "STM32F4", IDCODE_M3, 0x1FFF7A22, CORE_M4 },
        { 0x433, "STM32F401xD/xE", "STM32F4", IDCODE_M3, 0x1FFF7A22, CORE_M4 },
        { 0x431, "STM32F411", "STM32F4", IDCODE_M3, 0x1FFF7A22, CORE_M4 },
        { 0x421, "STM32F446", "STM32F4", IDCODE_M3, 0x1FFF7A22, CORE_M4 },
        { 0x441, "STM32F412", "STM32F4", IDCODE_M3, 0x1FFF7A22, CORE_M4 },
        { 0x458, "STM32F410", "STM32F4", IDCODE_M3, 0x1FFF7A22, CORE_M4 },
        { 0x463, "STM32F413/F423", "STM32F4", IDCODE_M3, 0x1FFF7A22, CORE_M4 },

        /* RM0316, RM0313, RM0364, RM0366 */
        { 0x422, "STM32F302/303xB/xC, F358", "STM32F3", IDCODE_M3, 0x1FFFF7CC, CORE_M4 },
        { 0x432, "STM32F37x", "STM32F3", IDCODE_M3, 0x1FFFF7CC, CORE_M4 },
        { 0x438, "STM32F303x6/x8, F328/334", "STM32F3", IDCODE_M3, 0x1FFFF7CC, CORE_M4 },
        { 0x439, "STM32F301, F302x6/x8, F318", "STM32F3", IDCODE_M3, 0x1FFFF7CC, CORE_M4 },
        { 0x446, "STM32F302/303xD/xE, F398", "STM32F3", IDCODE_M3, 0x1FFFF7CC, CORE_M4 },

        /* RM0091 */
        { 0x440, "STM32F05x, F030x8", "STM32F0", IDCODE_M0, 0x1FFFF7CC, CORE_M0 },
        { 0x442, "STM32F09x, F030xC", "STM32F0", IDCODE_M0, 0x1FFFF7CC, CORE_M0 },
        { 0x444, "STM32F03x", "STM32F0", IDCODE_M0, 0x1FFFF7CC, CORE_M0 },
        { 0x445, "STM32F04x, F070x6", "STM32F0", IDCODE_M0, 0x1FFFF7CC, CORE_M0 },
        { 0x448, "STM32F07x", "STM32F0", IDCODE_M0, 0x1FFFF7CC, CORE_M0 },

        /* RM0385, RM0410, RM0431 */
        { 0x449, "STM32F74x/F75x", "STM32F7", IDCODE_M3, 0x1FF0F442, CORE_M7 },
        { 0x451, "STM32F76x/F77x", "STM32F7", IDCODE_M3, 0x1FF0F442, CORE_M7 },
        { 0x452, "STM32F72x/F73x", "STM32F7", IDCODE_M3, 0x1FF07A22, CORE_M7 },

        /* RM0433, RM0455, RM0468 */
        { 0x450, "STM32H74x/H75x", "STM32H7", IDCODE_H7, 0x1FF1E880, CORE_M7 },
        { 0x480, "STM32H7Ax/H7Bx", "STM32H7", IDCODE_H7, 0x08FFF80C, CORE_M7 },
        { 0x483, "STM32H72x/H73x", "STM32H7", IDCODE_H7, 0x1FF1E880, CORE_M7 },

        /* RM0038 */
        { 0x416, "STM32L1xx category 1", "STM32L1", IDCODE_M3, 0x1FF8004C, CORE_M3 },
        { 0x429, "STM32L1xx category 2", "STM32L1", IDCODE_M3, 0x1FF8004C, CORE_M3 },
        { 0x427, "STM32L1xx category 3", "STM32L1", IDCODE_M3, 0x1FF800CC, CORE_M3 },
        { 0x436, "STM32L1xx category 3/4", "STM32L1", IDCODE_M3, 0x1FF800CC, CORE_M3 },
        { 0x437, "STM32L1xx category 5/6", "STM32L1", IDCODE_M3, 0x1FF800CC, CORE_M3 },

        /* RM0377, RM0367 */
        { 0x457, "STM32L0xx category 1", "STM32L0", IDCODE_M0, 0x1FF8007C, CORE_M0P },
        { 0x425, "STM32L0xx category 2", "STM32L0", IDCODE_M0, 0x1FF8007C, CORE_M0P },
        { 0x417, "STM32L0xx category 3", "STM32L0", IDCODE_M0, 0x1FF8007C, CORE_M0P },
        { 0x447, "STM32L0xx category 5", "STM32L0", IDCODE_M0, 0x1FF8007C, CORE_M0P },

        /* RM0351, RM0394 */
        { 0x415, "STM32L47x/L48x", "STM32L4", IDCODE_M3, 0x1FFF75E0, CORE_M4 },
        { 0x461, "STM32L49x/L4Ax", "STM32L4", IDCODE_M3, 0x1FFF75E0, CORE_M4 },
        { 0x435, "STM32L43x/L44x", "STM32L4", IDCODE_M3, 0x1FFF75E0, CORE_M4 },
        { 0x462, "STM32L45x/L46x", "STM32L4", IDCODE_M3, 0x1FFF75E0, CORE_M4 },
        { 0x464, "STM32L41x/L42x", "STM32L4", IDCODE_M3, 0x1FFF75E0, CORE_M4 },

        /* RM0432 */
        { 0x470, "STM32L4Rx/L4Sx", "STM32L4+", IDCODE_M3, 0x1FFF75E0, CORE_M4 },
        { 0x471, "STM32L4Px/L4Qx", "STM32L4+", IDCODE_M3, 0x1FFF75E0, CORE_M4 },

        /* RM0440 */
        { 0x468, "STM32G43x/G44x", "STM32G4", IDCODE_M3, 0x1FFF75E0, CORE_M4 },
        { 0x469, "STM32G47x/G48x", "STM32G4", IDCODE_M3, 0x1FFF75E0, CORE_M4 },
        { 0x479, "STM32G49x/G4Ax", "STM32G4", IDCODE_M3, 0x1FFF75E0, CORE_M4 },

        /* RM0444 */
        { 0x460, "STM32G07x/G08x", "STM32G0", IDCODE_M0, 0x1FFF75E0, CORE_M0P },
        { 0x466, "STM32G03x/G04x", "STM32G0", IDCODE_M0, 0x1FFF75E0, CORE_M0P },
        { 0x456, "STM32G05x/G06x", "STM32G0", IDCODE_M0, 0x1FFF75E0, CORE_M0P },
        { 0x467, "STM32G0Bx/G0Cx", "STM32G0", IDCODE_M0, 0x1FFF75E0, CORE_M0P },

        /* RM0490 */
        { 0x443, "STM32C011", "STM32C0", IDCODE_M0, 0x1FFF75A0, CORE_M0P },
        { 0x453, "STM32C031", "STM32C0", IDCODE_M0, 0x1FFF75A0, CORE_M0P },

        /* RM0503; 489: id unverified */
        { 0x489, "STM32U073/U083", "STM32U0", IDCODE_M0, 0x1FFF6EA0, CORE_M0P },

        /* RM0434, RM0473 */
        { 0x495, "STM32WB5x", "STM32WB", IDCODE_M3, 0x1FFF75E0, CORE_M4 },
        { 0x496, "STM32WB3x", "STM32WB", IDCODE_M3, 0x1FFF75E0, CORE_M4 },
        { 0x494, "STM32WB1x", "STM32WB", IDCODE_M3, 0x1FFF75E0, CORE_M4 },

        /* RM0461 */
        { 0x497, "STM32WL5x/WLEx", "STM32WL", IDCODE_M3, 0x1FFF75E0, CORE_M4 },

        /* RM0438 */
        { 0x472, "STM32L552/L562", "STM32L5", IDCODE_M33, 0x0BFA05E0, CORE_M33 },

        /* RM0456 */
        { 0x455, "STM32U535/U545", "STM32U5", IDCODE_M33, 0x0BFA07A0, CORE_M33 },
        { 0x482, "STM32U575/U585", "STM32U5", IDCODE_M33, 0x0BFA07A0, CORE_M33 },
        { 0x481, "STM32U59x/U5Ax", "STM32U5", IDCODE_M33, 0x0BFA07A0, CORE_M33 },
        { 0x476, "STM32U5Fx/U5Gx", "STM32U5", IDCODE_M33, 0x0BFA07A0, CORE_M33 },

        /* RM0481; 484: place of IDCODE unverified */
        { 0x484, "STM32H56x/H573", "STM32H5", IDCODE_M33, 0x08FFF80C, CORE_M33 },

        /* RM0493 */
        { 0x492, "STM32WBA5x", "STM32WBA", IDCODE_M33, 0x0FF907A0, CORE_M33 },
};

const Chip *chip_find(uint32_t idcode) {
        for (size_t i = 0; i < ELEMENTSOF(chips); i++)
                if (chips[i].device_id == (idcode & 0xFFF))
                        return &chips[i];
        return NULL;
}

const Chip *chip_at(size_t index) {
        return index < ELEMENTSOF(chips) ? &chips[index] : NULL;
}

unsigned chip_flash_kib(const Chip *chip, uint16_t flash_size) {
        enum {
                L1_CATEGORY_1 = 0x416,
                L1_CATEGORY_2 = 0x429,
                L1_CATEGORY_4 = 0x436,
                KIB_MAX = 4096, /* the largest STM32 there is, U5F */
        };

        /* RM0038 §31.1.1: two categories use only the low byte, and one has a code. */
        if (chip->device_id == L1_CATEGORY_4 && flash_size <= 1)
                return flash_size == 0 ? 384 : 256;
        if (chip->device_id == L1_CATEGORY_1 || chip->device_id == L1_CATEGORY_2)
                flash_size &= 0xFF;
        return flash_size <= KIB_MAX ? flash_size : 0;
}

uint32_t chip_idcode_address(uint32_t cpuid, uint32_t dpidr, size_t index) {
        /* F7 and H7 have the same core, but not the same debug port (stlink-protocol §8.3). */
        static const uint32_t f7[] = { IDCODE_M3, IDCODE_H7 }, h7[] = { IDCODE_H7, IDCODE_M3 };
        uint16_t core = cpuid >> 4 & 0xFFF;

        if (core == CORE_M7) {
                if (index >= ELEMENTSOF(h7))
                        return 0;
                return dpidr == 0x6BA02477 ? h7[index] : f7[index];
        }
        for (size_t i = 0; i < ELEMENTSOF(chips); i++)
                if (chips[i].core == core)
                        return index == 0 ? chips[i].idcode : 0;
        return 0;
}

typedef enum RdpCoding {
        RDP_BIT_1,    /* F1: RDPRT */
        RDP_BITS_2_1, /* F0, F3: RDPRT[1:0], both bits mean level 2 */
        RDP_BYTE_0,   /* AA, CC, anything else */
        RDP_BYTE_1,
} RdpCoding;

/* stlink-protocol §8.3; what is not there is not known, as with U0, H5 and WBA. Level 0.5, byte
 * 55, of L5 and U5: "RDP level 0.5" in RM0438 and RM0456. */
static const struct {
        const char *family;
        uint32_t address;
        RdpCoding coding;
} protections[] = {
        { "STM32F0", 0x4002201C, RDP_BITS_2_1 }, { "STM32F1", 0x4002201C, RDP_BIT_1 },
        { "STM32F2", 0x40023C14, RDP_BYTE_1 },   { "STM32F3", 0x4002201C, RDP_BITS_2_1 },
        { "STM32F4", 0x40023C14, RDP_BYTE_1 },   { "STM32F7", 0x40023C14, RDP_BYTE_1 },
        { "STM32G0", 0x40022020, RDP_BYTE_0 },   { "STM32G4", 0x40022020, RDP_BYTE_0 },
        { "STM32H7", 0x5200201C, RDP_BYTE_1 },   { "STM32L0", 0x4002201C, RDP_BYTE_0 },
        { "STM32L1", 0x40023C1C, RDP_BYTE_0 },   { "STM32L4", 0x40022020, RDP_BYTE_0 },
        { "STM32L4+", 0x40022020, RDP_BYTE_0 },  { "STM32L5", 0x40022040, RDP_BYTE_0 },
        { "STM32U5", 0x40022040, RDP_BYTE_0 },   { "STM32WB", 0x58004020, RDP_BYTE_0 },
        { "STM32WL", 0x58004020, RDP_BYTE_0 },
};

static size_t protection_find(const Chip *chip) {
        size_t i = 0;

        while (i < ELEMENTSOF(protections) && strcmp(protections[i].family, chip->family) != 0)
                i++;
        return i;
}

uint32_t chip_rdp_address(const Chip *chip) {
        size_t i = protection_find(chip);

        return i < ELEMENTSOF(protections) ? protections[i].address : 0;
}

static Rdp rdp_from_byte(uint8_t byte, bool has_half) {
        if (byte == 0xAA)
                return RDP_LEVEL_0;
        if (byte == 0xCC)
                return RDP_LEVEL_2;
        return byte == 0x55 && has_half ? RDP_LEVEL_HALF : RDP_LEVEL_1;
}

Rdp chip_rdp(const Chip *chip, uint32_t value) {
        size_t i = protection_find(chip);

        if (i == ELEMENTSOF(protections))
                return RDP_UNKNOWN;
        switch (protections[i].coding) {
        case RDP_BIT_1:
                return value & 2 ? RDP_LEVEL_1 : RDP_LEVEL_0;
        case RDP_BITS_2_1:
                if ((value & 6) == 6)
                        return RDP_LEVEL_2;
                return value & 6 ? RDP_LEVEL_1 : RDP_LEVEL_0;
        case RDP_BYTE_0:
                return rdp_from_byte((uint8_t) value, protections[i].address == 0x40022040);
        case RDP_BYTE_1:
                return rdp_from_byte((uint8_t) (value >> 8), /* has_half= */ false);
        }
        return RDP_UNKNOWN;
}

const char *rdp_to_string(Rdp rdp) {
        static const char *const names[] = { [RDP_LEVEL_0] = "0",
                                             [RDP_LEVEL_HALF] = "0.5",
                                             [RDP_LEVEL_1] = "1",
                                             [RDP_LEVEL_2] = "2" };

        return (size_t) rdp < ELEMENTSOF(names) ? names[rdp] : NULL;
}
