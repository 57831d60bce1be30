/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ctl/row.h"

/* Rows as text or as JSON, on stdout. All functions return 0 or a negative errno; what could
 * not be written is noticed by output_finish() alone. */

typedef struct Column {
        const char *key, *title;
        /* On a terminal that is too narrow, columns are left out, those of the highest rank
         * first; rank 0 always stays. */
        unsigned rank;
} Column;

/* One line per row. A cell without a text shows as "-". */
int output_table(const Rows *rows, const Column *columns, size_t n, bool legend);

/* Rows as a JSON array, over several lines. */
int output_json_rows(const Rows *rows);

/* One row as a JSON object, over several lines or in one. */
int output_json_row(const Row *row, bool one_line);

/* A line of the form "   Label: text", wrapped behind the label on a terminal. Without a label
 * the text continues the line above. indent is where the text begins. */
void output_field(const char *label, const char *text, size_t indent);

/* As output_field(), but never wrapped: for commands that people copy. */
void output_command(const char *label, const char *text, size_t indent);

/* Push out what is buffered; -EIO, -EPIPE … when anything written before went wrong. */
int output_finish(void);
