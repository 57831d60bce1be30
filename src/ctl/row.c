/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/properties.h"
#include "ctl/row.h"
#include "ctl/text.h"

static void cell_clear(Cell *cell) {
        free(cell->text);
        free(cell->string);
        strings_free(cell->list);
        rows_free(cell->rows);
        *cell = (Cell){ .key = cell->key };
}

static Row *row_free(Row *row) {
        for (size_t i = 0; i < row->n; i++)
                cell_clear(&row->cells[i]);
        free(row->cells);
        free(row);
        return NULL;
}

Rows *rows_new(void) {
        return calloc(1, sizeof(Rows));
}

Rows *rows_free(Rows *rows) {
        if (!rows)
                return NULL;
        for (size_t i = 0; i < rows->n; i++)
                row_free(rows->items[i]);
        free(rows->items);
        free(rows);
        return NULL;
}

static int row_error(const Row *row) {
        for (size_t i = 0; i < row->n; i++)
                if (row->cells[i].rows && rows_error(row->cells[i].rows) < 0)
                        return -ENOMEM;
        return 0;
}

int rows_error(const Rows *rows) {
        int r = rows->error;

        for (size_t i = 0; i < rows->n && r == 0; i++)
                r = row_error(rows->items[i]);
        return r;
}

Row *rows_add(Rows *rows) {
        Row **grown, *row;

        if (!rows)
                return NULL;
        grown = reallocarray(rows->items, rows->n + 1, sizeof(Row *));
        if (grown)
                rows->items = grown;
        row = grown ? calloc(1, sizeof(Row)) : NULL;
        if (!row) {
                rows->error = -ENOMEM;
                return NULL;
        }
        row->owner = rows;
        rows->items[rows->n++] = row;
        return row;
}

static Cell *find_cell(const Row *row, const char *key) {
        for (size_t i = 0; row && i < row->n; i++)
                if (strcmp(row->cells[i].key, key) == 0)
                        return &row->cells[i];
        return NULL;
}

/* An empty cell of that key and type, or NULL. */
static Cell *make_cell(Row *row, const char *key, CellType type) {
        Cell *cell = find_cell(row, key);

        if (!row)
                return NULL;
        if (!cell) {
                Cell *grown = reallocarray(row->cells, row->n + 1, sizeof(Cell));

                if (!grown) {
                        row->owner->error = -ENOMEM;
                        return NULL;
                }
                row->cells = grown;
                cell = &grown[row->n++];
                *cell = (Cell){ .key = key };
        }
        cell_clear(cell);
        cell->type = type;
        return cell;
}

/* Keep a pointer that is NULL only when there was no memory. */
static void *check_memory(Row *row, void *pointer) {
        if (!pointer)
                row->owner->error = -ENOMEM;
        return pointer;
}

void row_set_none(Row *row, const char *key) {
        (void) make_cell(row, key, CELL_NONE);
}

void row_set_string(Row *row, const char *key, const char *value) {
        Cell *cell = make_cell(row, key, value ? CELL_STRING : CELL_NONE);

        if (!cell || !value)
                return;
        cell->string = check_memory(row, strdup(value));
        cell->text = check_memory(row, text_clean(value));
}

void row_set_integer(Row *row, const char *key, int64_t value) {
        Cell *cell = make_cell(row, key, CELL_INTEGER);
        char text[32];

        if (!cell)
                return;
        (void) snprintf(text, sizeof(text), "%" PRId64, value);
        cell->integer = value;
        cell->text = check_memory(row, strdup(text));
}

void row_set_boolean(Row *row, const char *key, bool value) {
        Cell *cell = make_cell(row, key, CELL_BOOLEAN);

        if (!cell)
                return;
        cell->boolean = value;
        cell->text = check_memory(row, strdup(value ? "yes" : "no"));
}

static char **copy_strings(char *const *strings) {
        size_t n = 0;
        char **copy;

        while (strings && strings[n])
                n++;
        copy = calloc(n + 1, sizeof(char *));
        for (size_t i = 0; copy && i < n; i++) {
                copy[i] = strdup(strings[i]);
                if (!copy[i])
                        return strings_free(copy);
        }
        return copy;
}

static char *join_strings(char *const *strings) {
        size_t size = 1;
        char *joined, *out;

        for (char *const *s = strings; s && *s; s++)
                size += strlen(*s) + strlen(", ");
        joined = out = calloc(size, 1);
        for (char *const *s = strings; joined && s && *s; s++)
                out = stpcpy(stpcpy(out, s == strings ? "" : ", "), *s);
        return joined;
}

void row_set_list(Row *row, const char *key, char *const *strings) {
        Cell *cell = make_cell(row, key, CELL_LIST);
        _cleanup_free_ char *joined = NULL;

        if (!cell)
                return;
        cell->list = check_memory(row, copy_strings(strings));
        joined = check_memory(row, join_strings(strings));
        if (joined && joined[0] != '\0')
                cell->text = check_memory(row, text_clean(joined));
}

Rows *row_set_rows(Row *row, const char *key) {
        Cell *cell = make_cell(row, key, CELL_ROWS);

        if (!cell)
                return NULL;
        cell->rows = check_memory(row, rows_new());
        return cell->rows;
}

void row_set_text(Row *row, const char *key, const char *format, ...) {
        _cleanup_free_ char *raw = NULL;
        Cell *cell = find_cell(row, key);
        va_list args;
        int n;

        if (!cell)
                cell = make_cell(row, key, CELL_TEXT);
        if (!cell)
                return;
        va_start(args, format);
        n = vasprintf(&raw, format, args);
        va_end(args);
        if (n < 0)
                raw = NULL;
        free(cell->text);
        cell->text = check_memory(row, text_clean(check_memory(row, raw)));
}

const Cell *row_get(const Row *row, const char *key) {
        return find_cell(row, key);
}

const char *row_get_text(const Row *row, const char *key) {
        const Cell *cell = find_cell(row, key);

        return cell ? cell->text : NULL;
}

const char *row_get_string(const Row *row, const char *key) {
        const Cell *cell = find_cell(row, key);

        return cell ? cell->string : NULL;
}

const Rows *row_get_rows(const Row *row, const char *key) {
        const Cell *cell = find_cell(row, key);

        return cell ? cell->rows : NULL;
}
