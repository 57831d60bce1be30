/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/time.h"

/* Text for a person at a terminal, or at the far end of a pipe. */

/* A copy that is safe to print: text_escape() of base/text.h, and in a locale that is not UTF-8
 * whatever is not ASCII becomes \xNN too. NULL without memory, and for NULL. */
char *text_clean(const char *s);

/* How many columns a printable string takes. */
size_t text_width(const char *s);

/* Whether the locale's characters are UTF-8. */
bool text_is_utf8(void);

/* Columns of the terminal behind stdout, or of $COLUMNS; 0 when there is no limit because
 * stdout is no terminal. */
size_t text_columns(void);

typedef enum Style {
        STYLE_NORMAL,
        STYLE_BOLD,
        STYLE_GOOD,
        STYLE_ATTENTION,
        STYLE_BAD,
        STYLE_DIM,
} Style;

/* The escape sequence that begins a style on stdout; "" unless stdout is a terminal that can
 * show it and $NO_COLOR is not set. STYLE_NORMAL ends any. */
const char *text_style(Style style);

/* The same moment on three clocks, so that times of one can be told in another. */
typedef struct Clocks {
        Usec realtime, monotonic, boottime;
} Clocks;

void clocks_read(Clocks *ret);

/* Write "10:42 (38 min)", with the date when it is not of today, for a moment that lies ago
 * microseconds back; returns buffer. */
char *text_format_since(char *buffer, size_t size, const Clocks *now, Usec ago);
#define TEXT_SINCE_MAX 80

/* Write a moment as RFC 3339 in UTC to the second; returns buffer. */
char *text_format_rfc3339(char *buffer, size_t size, Usec realtime);
#define TEXT_RFC3339_MAX 32
