/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <stdio.h>

#include "base/macro.h"
#include "base/text.h"

size_t utf8_decode(const char *text, size_t length, uint32_t *ret) {
        static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
        const uint8_t *p = (const uint8_t *) text;
        uint32_t point;
        size_t n;

        if (length == 0)
                return 0;
        n = p[0] < 0x80         ? 1
            : p[0] >> 5 == 0x06 ? 2
            : p[0] >> 4 == 0x0e ? 3
            : p[0] >> 3 == 0x1e ? 4
                                : 0;
        if (n == 0 || n > length)
                return 0;
        point = n == 1 ? p[0] : p[0] & (0x7fu >> n);
        for (size_t i = 1; i < n; i++) {
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
                point = point << 6 | (p[i] & 0x3f);
        }
        /* Longer forms than needed, surrogates and what lies beyond Unicode */
        if (point < smallest[n] || (point >= 0xd800 && point <= 0xdfff) || point > 0x10ffff)
                return 0;
        *ret = point;
        return n;
}

static bool point_is_printable(uint32_t point) {
        static const struct {
                uint32_t first, last;
        } hidden[] = {
                { 0x0000, 0x001f }, /* C0 */
                { 0x007f, 0x009f }, /* DEL, C1 */
                { 0x00ad, 0x00ad }, /* soft hyphen */
                { 0x061c, 0x061c }, /* Arabic letter mark */
                { 0x200b, 0x200f }, /* zero width, left-to-right and right-to-left marks */
                { 0x2028, 0x202e }, /* line and paragraph separator, direction embedding */
                { 0x2060, 0x206f }, /* invisible operators, direction isolates */
                { 0xfeff, 0xfeff }, /* byte order mark */
                { 0xfff9, 0xfffb }, /* interlinear annotation */
        };

        for (size_t i = 0; i < ELEMENTSOF(hidden); i++)
                if (point >= hidden[i].first && point <= hidden[i].last)
                        return false;
        return true;
}

/* Put n bytes as they are, or as \xNN each; false when they and a NUL do not fit. */
static bool put_bytes(const char *bytes, size_t n, bool escape, char *buffer, size_t size,
                      size_t *at) {
        if (size - *at <= (escape ? n * 4 : n))
                return false;
        for (size_t i = 0; i < n; i++)
                if (escape)
                        *at += (size_t) snprintf(buffer + *at, sizeof("\\xNN"), "\\x%02X",
                                                 (uint8_t) bytes[i]);
                else
                        buffer[(*at)++] = bytes[i];
        return true;
}

size_t text_escape(const char *text, size_t length, char *buffer, size_t size) {
        size_t at = 0;

        if (size == 0)
                return 0;
        for (size_t i = 0; i < length;) {
                uint32_t point = 0;
                size_t n = utf8_decode(text + i, length - i, &point);

                bool escape = n == 0 || !point_is_printable(point);

                n = MAX(n, (size_t) 1);
                if (!put_bytes(text + i, n, escape, buffer, size, &at))
                        break;
                i += n;
        }
        buffer[at] = 0;
        return at;
}
