/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

/* What a verb has to say: rows of named cells. Text for people and JSON for programs are both
 * made from the same rows (ctl/output.h), so neither can know more than the other.
 *
 * A cell has a value, which JSON shows, and a text, which people read; the text is the value
 * unless it was set. Texts are made printable when they are set. Keys are not copied.
 *
 * The functions that fill a row return nothing: running out of memory is remembered, and
 * rows_error() tells. A row that could not be made is NULL, and filling it does nothing. */

typedef struct Rows Rows;

typedef enum CellType {
        CELL_NONE, /* JSON null, no text */
        CELL_STRING,
        CELL_INTEGER,
        CELL_BOOLEAN,
        CELL_LIST, /* strings */
        CELL_ROWS,
        CELL_TEXT, /* for people only; JSON leaves it out */
} CellType;

typedef struct Cell {
        const char *key;
        CellType type;
        char *text;   /* NULL: none */
        char *string; /* STRING */
        int64_t integer;
        bool boolean;
        char **list; /* LIST, ends with NULL */
        Rows *rows;  /* ROWS */
} Cell;

typedef struct Row {
        Rows *owner;
        Cell *cells;
        size_t n;
} Row;

struct Rows {
        Row **items;
        size_t n;
        int error;
};

Rows *rows_new(void); /* NULL without memory */
Rows *rows_free(Rows *rows);
DEFINE_CLEANUP(Rows *, rows_free)

/* 0, or -ENOMEM when something is missing from the rows or from rows inside them. */
int rows_error(const Rows *rows);

/* Append an empty row. */
Row *rows_add(Rows *rows);

/* Set a cell; an earlier one of that key is replaced. A NULL string, list or text is none. */
void row_set_none(Row *row, const char *key);
void row_set_string(Row *row, const char *key, const char *value);
void row_set_integer(Row *row, const char *key, int64_t value);
void row_set_boolean(Row *row, const char *key, bool value);
void row_set_list(Row *row, const char *key, char *const *strings);

/* Put empty rows into a cell and return them; they belong to the row. */
Rows *row_set_rows(Row *row, const char *key);

/* Set the text of a cell; without such a cell, one of type CELL_TEXT is added. */
void row_set_text(Row *row, const char *key, const char *format, ...) _printf_(3, 4);

/* NULL when there is none. */
const Cell *row_get(const Row *row, const char *key);
const char *row_get_text(const Row *row, const char *key);
const char *row_get_string(const Row *row, const char *key);
const Rows *row_get_rows(const Row *row, const char *key);
