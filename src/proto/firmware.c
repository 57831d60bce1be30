/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "proto/firmware.h"

#define NEVER  0xFF
#define ALWAYS 0

/* The first J that has it, by major version (stlink-protocol §5). The V3PWR, major 4, can all
 * that a V3 can. */
static const struct {
        uint8_t v1, v2, v3;
} features[_FIRMWARE_FEATURE_MAX] = {
        [FIRMWARE_API_V2] = { 11, ALWAYS, ALWAYS }, /* §2.2; tools disagree about V1J11 itself */
        [FIRMWARE_TARGET_VOLTAGE] = { NEVER, 13, ALWAYS },
        [FIRMWARE_RW_STATUS2] = { NEVER, 15, ALWAYS },
        [FIRMWARE_SWD_DIVISOR] = { NEVER, 22, NEVER },
        [FIRMWARE_SWD_KHZ] = { NEVER, NEVER, ALWAYS },
        [FIRMWARE_DAP_REGISTERS] = { NEVER, 24, ALWAYS },
        [FIRMWARE_MEMORY_16] = { NEVER, 26, ALWAYS },
        [FIRMWARE_ACCESS_PORTS] = { NEVER, 28, ALWAYS },
        [FIRMWARE_MEMORY_AP] = { NEVER, 32, 2 },
        [FIRMWARE_NRST] = { NEVER, ALWAYS, ALWAYS },
        [FIRMWARE_VERSION_EX] = { NEVER, NEVER, ALWAYS },
};

bool firmware_supports(const Firmware *firmware, FirmwareFeature feature) {
        uint8_t since = NEVER;

        if ((unsigned) feature >= _FIRMWARE_FEATURE_MAX)
                return false;
        if (firmware->major == 1)
                since = features[feature].v1;
        else if (firmware->major == 2)
                since = features[feature].v2;
        else if (firmware->major == 3)
                since = features[feature].v3;
        else if (firmware->major == 4)
                since = features[feature].v3 == NEVER ? NEVER : ALWAYS;
        return since != NEVER && firmware->jtag >= since;
}

_printf_(3, 4) static void append(char *buffer, size_t size, const char *format, ...) {
        size_t used = strlen(buffer);
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(buffer + used, size - used, format, ap);
        va_end(ap);
}

char *firmware_name(const Firmware *firmware, char *buffer, size_t size) {
        buffer[0] = '\0';
        if (firmware->major == 0)
                return buffer;

        append(buffer, size, "V%u", firmware->major);
        if (firmware->jtag > 0)
                append(buffer, size, "J%u", firmware->jtag);
        if (firmware->has_msd)
                append(buffer, size, "M%u", firmware->msd);
        if (firmware->bridge > 0)
                append(buffer, size, "B%u", firmware->bridge);
        if (firmware->has_swim)
                append(buffer, size, "S%u", firmware->swim);
        if (firmware->power > 0)
                append(buffer, size, "P%u", firmware->power);
        return buffer;
}

static uint8_t *firmware_field(Firmware *firmware, char letter) {
        switch (letter) {
        case 'V':
                return &firmware->major;
        case 'J':
                return &firmware->jtag;
        case 'S':
                firmware->has_swim = true;
                return &firmware->swim;
        case 'M':
                firmware->has_msd = true;
                return &firmware->msd;
        case 'B':
                return &firmware->bridge;
        case 'P':
                return &firmware->power;
        default:
                return NULL;
        }
}

int firmware_parse(const char *name, Firmware *ret) {
        Firmware firmware = {};

        if (name[0] != 'V')
                return -EINVAL;
        while (*name) {
                uint8_t *field = firmware_field(&firmware, *name++);
                char *end;
                unsigned long value = strtoul(name, &end, 10);

                if (!field || *name < '0' || *name > '9' || value > UINT8_MAX)
                        return -EINVAL;
                *field = (uint8_t) value;
                name = end;
        }
        if (firmware.major < 1 || firmware.major > 4)
                return -EINVAL;
        *ret = firmware;
        return 0;
}
