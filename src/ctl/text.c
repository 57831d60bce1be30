/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "base/macro.h"
#include "base/text.h"
#include "ctl/text.h"

/* In place of characters that the locale cannot show. */
static char *escape_non_ascii(const char *s) {
        char *copy = malloc(4 * strlen(s) + 1), *out = copy;

        for (; copy && *s; s++)
                if ((unsigned char) *s < 0x80)
                        *out++ = *s;
                else
                        out += sprintf(out, "\\x%02X", (unsigned char) *s);
        if (copy)
                *out = '\0';
        return copy;
}

char *text_clean(const char *s) {
        _cleanup_free_ char *clean = NULL;
        size_t length = s ? strlen(s) : 0;

        clean = s ? malloc(4 * length + 1) : NULL;
        if (!clean)
                return NULL;
        text_escape(s, length, clean, 4 * length + 1);
        return text_is_utf8() ? TAKE_PTR(clean) : escape_non_ascii(clean);
}

size_t text_width(const char *s) {
        size_t width = 0;

        for (size_t left = strlen(s); left > 0;) {
                mbstate_t state = {};
                wchar_t wc;
                size_t n = mbrtowc(&wc, s, left, &state);

                if (n == 0 || n > left) {
                        n = 1;
                        width++;
                } else
                        width += (size_t) MAX(wcwidth(wc), 0);
                s += n;
                left -= n;
        }
        return width;
}

bool text_is_utf8(void) {
        return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

size_t text_columns(void) {
        const char *columns = getenv("COLUMNS");
        struct winsize size;

        if (!isatty(STDOUT_FILENO))
                return 0;
        if (columns && atoi(columns) > 0)
                return (size_t) atoi(columns);
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
                return 80;
        return size.ws_col;
}

static bool has_colour(void) {
        static int cached = -1;
        const char *no_color, *term;

        if (cached < 0) {
                no_color = getenv("NO_COLOR"); /* https://no-color.org: not empty means no */
                term = getenv("TERM");
                cached = isatty(STDOUT_FILENO) && !(no_color && *no_color) && term &&
                         strcmp(term, "dumb") != 0;
        }
        return cached;
}

const char *text_style(Style style) {
        static const char *const sequences[] = {
                [STYLE_NORMAL] = "\x1b[0m", [STYLE_BOLD] = "\x1b[1m",
                [STYLE_GOOD] = "\x1b[32m",  [STYLE_ATTENTION] = "\x1b[33m",
                [STYLE_BAD] = "\x1b[1;31m", [STYLE_DIM] = "\x1b[2m",
        };

        return has_colour() ? sequences[style] : "";
}

void clocks_read(Clocks *ret) {
        ret->realtime = now_usec(CLOCK_REALTIME);
        ret->monotonic = now_usec(CLOCK_MONOTONIC);
        ret->boottime = now_usec(CLOCK_BOOTTIME);
}

char *text_format_since(char *buffer, size_t size, const Clocks *now, Usec ago) {
        time_t then_s = (time_t) ((now->realtime - MIN(ago, now->realtime)) / USEC_PER_SEC);
        time_t now_s = (time_t) (now->realtime / USEC_PER_SEC);
        char clock[32], span[FORMAT_USEC_MAX];
        struct tm then_tm, now_tm;
        bool today;

        if (!localtime_r(&then_s, &then_tm) || !localtime_r(&now_s, &now_tm)) {
                (void) snprintf(buffer, size, "an unknown time");
                return buffer;
        }
        today = then_tm.tm_year == now_tm.tm_year && then_tm.tm_yday == now_tm.tm_yday;
        (void) strftime(clock, sizeof(clock), today ? "%H:%M:%S" : "%Y-%m-%d %H:%M", &then_tm);
        format_usec(span, sizeof(span), ago - ago % USEC_PER_SEC);
        (void) snprintf(buffer, size, "%s (%s)", clock, ago < USEC_PER_SEC ? "just now" : span);
        return buffer;
}

char *text_format_rfc3339(char *buffer, size_t size, Usec realtime) {
        time_t seconds = (time_t) (realtime / USEC_PER_SEC);
        struct tm tm;

        if (!gmtime_r(&seconds, &tm) || strftime(buffer, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
                buffer[0] = '\0';
        return buffer;
}
