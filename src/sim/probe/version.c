/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/probe/version.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static uint8_t *version_field(FirmwareVersion *version, char letter) {
        switch (letter) {
        case 'J':
                return &version->jtag;
        case 'S':
                return &version->swim;
        case 'M':
                return &version->msd;
        case 'B':
                return &version->bridge;
        case 'P':
                return &version->power;
        default:
                return NULL;
        }
}

static int parse_number(const char **text, uint8_t *ret) {
        unsigned value = 0;
        const char *p = *text;

        for (; *p >= '0' && *p <= '9'; p++) {
                value = value * 10 + (unsigned) (*p - '0');
                if (value > UINT8_MAX)
                        return -EINVAL;
        }
        if (p == *text)
                return -EINVAL;
        *text = p;
        *ret = (uint8_t) value;
        return 0;
}

/* V1 and V2 put J into six bits and one of S and M into six more; STM8 probes of type V2-1,
 * without J, put M and S there. */
static bool version_fits_word(const FirmwareVersion *version) {
        if (version->hardware >= 3)
                return version->hardware <= 4;
        if (version->hardware == 0 || version->bridge || version->power)
                return false;
        if (version->jtag > 63 || version->swim > 63 || version->msd > 63)
                return false;
        return !(version->jtag && version->swim && version->msd);
}

int firmware_version_parse(const char *text, FirmwareVersion *ret) {
        FirmwareVersion version = {};
        char seen[8] = "";

        if (*text++ != 'V' || parse_number(&text, &version.hardware) < 0)
                return -EINVAL;
        while (*text) {
                char letter = *text++;
                uint8_t *field = version_field(&version, letter);

                if (!field || strchr(seen, letter) || parse_number(&text, field) < 0)
                        return -EINVAL;
                seen[strlen(seen)] = letter;
        }
        if (!version_fits_word(&version))
                return -EINVAL;
        *ret = version;
        return 0;
}

uint16_t firmware_version_word(const FirmwareVersion *version) {
        unsigned high = version->jtag, low = version->msd ? version->msd : version->swim;

        if (version->hardware >= 3)
                return (uint16_t) (version->hardware << 12);
        if (version->jtag == 0 && version->msd && version->swim) {
                high = version->msd;
                low = version->swim;
        }
        return (uint16_t) (version->hardware << 12 | high << 6 | low);
}
