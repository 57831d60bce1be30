/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/number.h"

/* Without a sign and without blanks, which strtoull() would take. */
static int parse_u64(const char *text, uint64_t *ret, const char **ret_end) {
        char *end;

        if (!isdigit((unsigned char) text[0]))
                return -EINVAL;
        errno = 0;
        *ret = strtoull(text, &end, strncasecmp(text, "0x", 2) == 0 ? 16 : 10);
        *ret_end = end;
        return errno > 0 ? -errno : 0;
}

int parse_u32(const char *text, uint32_t *ret) {
        const char *end;
        uint64_t value;
        int r = parse_u64(text, &value, &end);

        if (r < 0)
                return r;
        if (*end != '\0')
                return -EINVAL;
        if (value > UINT32_MAX)
                return -ERANGE;
        *ret = (uint32_t) value;
        return 0;
}

int parse_size(const char *text, uint64_t *ret) {
        const char *end;
        unsigned shift = 0;
        uint64_t value;
        int r = parse_u64(text, &value, &end);

        if (r < 0)
                return r;
        if (*end == 'K' || *end == 'k')
                shift = 10;
        else if (*end == 'M' || *end == 'm')
                shift = 20;
        if (shift > 0)
                end++;
        if (*end != '\0' || value == 0)
                return -EINVAL;
        if (value > (UINT64_C(1) << 32) >> shift)
                return -ERANGE;
        *ret = value << shift;
        return 0;
}

static int parse_value(const char *text, uint8_t *buffer, size_t size, size_t *used) {
        size_t digits = strlen(text + 2), bytes = digits <= 2 ? 1 : digits <= 4 ? 2 : 4;
        uint32_t value;
        int r = digits > 8 ? -ERANGE : parse_u32(text, &value);

        if (r < 0)
                return r;
        if (bytes > size - *used)
                return -ENOBUFS;
        for (size_t i = 0; i < bytes; i++)
                buffer[(*used)++] = (uint8_t) (value >> 8 * i);
        return 0;
}

static int hex_digit(char c) {
        static const char digits[] = "0123456789abcdef";
        const char *found = c ? strchr(digits, tolower((unsigned char) c)) : NULL;

        return found ? (int) (found - digits) : -EINVAL;
}

int parse_data(const char *text, uint8_t *buffer, size_t size, size_t *used) {
        size_t n = strlen(text);

        if (strncasecmp(text, "0x", 2) == 0)
                return parse_value(text, buffer, size, used);
        if (n == 0 || n % 2 != 0)
                return -EINVAL;
        if (n / 2 > size - *used)
                return -ENOBUFS;
        for (size_t i = 0; i < n; i += 2) {
                int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);

                if (high < 0 || low < 0)
                        return -EINVAL;
                buffer[(*used)++] = (uint8_t) (high << 4 | low);
        }
        return 0;
}
