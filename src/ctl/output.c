/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <json-c/json.h>
#include <libsmartcols.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ctl/output.h"
#include "ctl/text.h"

#define COLUMNS_MAX 32
#define GAP         1 /* blanks between columns, as libsmartcols puts them */

static const char *cell_text(const Row *row, const char *key) {
        const char *text = row_get_text(row, key);

        return text && text[0] != '\0' ? text : "-";
}

static size_t column_width(const Rows *rows, const Column *column, bool legend) {
        size_t width = legend ? text_width(column->title) : 0;

        for (size_t i = 0; i < rows->n; i++)
                width = MAX(width, text_width(cell_text(rows->items[i], column->key)));
        return width;
}

/* Decide which columns are shown, so that what is left fits the terminal if it can. */
static void choose_columns(const Rows *rows, const Column *columns, size_t n, bool legend,
                           bool *shown) {
        size_t limit = text_columns(), width[COLUMNS_MAX], total = 0;

        for (size_t i = 0; i < n; i++) {
                width[i] = column_width(rows, &columns[i], legend) + GAP;
                total += width[i];
                shown[i] = true;
        }
        while (limit > 0 && total > limit + GAP) {
                size_t worst = 0;

                for (size_t i = 1; i < n; i++)
                        if (shown[i] && (!shown[worst] || columns[i].rank > columns[worst].rank))
                                worst = i;
                if (!shown[worst] || columns[worst].rank == 0)
                        break;
                shown[worst] = false;
                total -= width[worst];
        }
}

static int fill_table(struct libscols_table *table, const Rows *rows, const Column *columns,
                      size_t n, const bool *shown) {
        for (size_t i = 0; i < n; i++)
                if (shown[i] && !scols_table_new_column(table, columns[i].title, 0, 0))
                        return -ENOMEM;
        for (size_t i = 0; i < rows->n; i++) {
                struct libscols_line *line = scols_table_new_line(table, NULL);
                size_t k = 0;

                if (!line)
                        return -ENOMEM;
                for (size_t j = 0; j < n; j++) {
                        int r;

                        if (!shown[j])
                                continue;
                        r = scols_line_set_data(line, k++,
                                                cell_text(rows->items[i], columns[j].key));
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

int output_table(const Rows *rows, const Column *columns, size_t n, bool legend) {
        bool shown[COLUMNS_MAX];
        struct libscols_table *table;
        int r = rows_error(rows);

        if (r < 0)
                return r;
        if (n > COLUMNS_MAX)
                return -EINVAL;
        table = scols_new_table();
        if (!table)
                return -ENOMEM;
        choose_columns(rows, columns, n, legend, shown);
        scols_table_enable_noheadings(table, !legend);
        scols_table_enable_noencoding(table, 1); /* the texts are printable already */
        /* The width was dealt with above; a cut serial would be of no use to anybody. */
        scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
        r = fill_table(table, rows, columns, n, shown);
        if (r >= 0)
                r = scols_print_table(table);
        scols_unref_table(table);
        return r;
}

static json_object *row_to_json(const Row *row);

static json_object *rows_to_json(const Rows *rows) {
        json_object *array = json_object_new_array_ext((int) rows->n);

        for (size_t i = 0; array && i < rows->n; i++) {
                json_object *item = row_to_json(rows->items[i]);

                if (!item || json_object_array_add(array, item) < 0) {
                        json_object_put(item);
                        json_object_put(array);
                        return NULL;
                }
        }
        return array;
}

static json_object *list_to_json(char *const *list) {
        json_object *array = json_object_new_array();

        for (char *const *s = list; array && s && *s; s++) {
                json_object *item = json_object_new_string(*s);

                if (!item || json_object_array_add(array, item) < 0) {
                        json_object_put(item);
                        json_object_put(array);
                        return NULL;
                }
        }
        return array;
}

/* NULL without memory; a cell without a value is dealt with by the caller. */
static json_object *cell_to_json(const Cell *cell) {
        switch (cell->type) {
        case CELL_STRING:
                return json_object_new_string(cell->string);
        case CELL_INTEGER:
                return json_object_new_int64(cell->integer);
        case CELL_BOOLEAN:
                return json_object_new_boolean(cell->boolean);
        case CELL_LIST:
                return list_to_json(cell->list);
        case CELL_ROWS:
                return rows_to_json(cell->rows);
        case CELL_NONE:
        case CELL_TEXT:
                break;
        }
        return NULL;
}

static json_object *row_to_json(const Row *row) {
        json_object *object = json_object_new_object();

        for (size_t i = 0; object && i < row->n; i++) {
                const Cell *cell = &row->cells[i];
                json_object *value;

                if (cell->type == CELL_TEXT)
                        continue;
                value = cell->type == CELL_NONE ? NULL : cell_to_json(cell); /* NULL is null */
                if ((!value && cell->type != CELL_NONE) ||
                    json_object_object_add(object, cell->key, value) < 0) {
                        json_object_put(value);
                        json_object_put(object);
                        return NULL;
                }
        }
        return object;
}

/* JSON lets DEL, the C1 controls and characters that turn the direction of writing stand as they
 * are, and a terminal obeys them. They occur only within strings, where the escaped form means
 * the same. */
static void print_json_safely(const char *s) {
        for (size_t left = strlen(s); left > 0;) {
                uint32_t point = 0;
                size_t n = utf8_decode(s, left, &point);
                char shown[16];

                if (n == 0 || *s == '\n' || text_escape(s, n, shown, sizeof(shown)) == n) {
                        n = MAX(n, (size_t) 1);
                        (void) fwrite(s, n, 1, stdout);
                } else
                        (void) printf("\\u%04x", point); /* none of them is beyond */
                s += n;
                left -= n;
        }
        (void) putchar('\n');
}

static int print_json(json_object *object, bool one_line) {
        int flags = JSON_C_TO_STRING_NOSLASHESCAPE;
        const char *text;

        flags |= one_line ? JSON_C_TO_STRING_PLAIN
                          : JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_PRETTY;
        text = object ? json_object_to_json_string_ext(object, flags) : NULL;
        if (text)
                print_json_safely(text);
        json_object_put(object);
        return text ? 0 : -ENOMEM;
}

int output_json_rows(const Rows *rows) {
        int r = rows_error(rows);

        return r < 0 ? r : print_json(rows_to_json(rows), /* one_line= */ false);
}

int output_json_row(const Row *row, bool one_line) {
        int r = rows_error(row->owner);

        return r < 0 ? r : print_json(row_to_json(row), one_line);
}

/* How many bytes of text to put on a line of the given width: up to the last blank that fits,
 * or up to the first blank when nothing does. */
static size_t break_line(const char *text, size_t width) {
        size_t best = 0;

        for (size_t end = strcspn(text, " ");; end += 1 + strcspn(text + end + 1, " ")) {
                char line[1024];

                (void) snprintf(line, sizeof(line), "%.*s", (int) end, text);
                if (best > 0 && text_width(line) > width)
                        return best;
                best = end;
                if (text[end] == '\0')
                        return best;
        }
}

void output_command(const char *label, const char *text, size_t indent) {
        if (label)
                (void) printf("%s%*s:%s ", text_style(STYLE_DIM), (int) indent - 2, label,
                              text_style(STYLE_NORMAL));
        else
                (void) printf("%*s", (int) indent, "");
        (void) printf("%s\n", text);
}

void output_field(const char *label, const char *text, size_t indent) {
        size_t columns = text_columns();
        size_t width = columns > indent + 16 ? columns - indent : SIZE_MAX;

        do {
                size_t n = width == SIZE_MAX ? strlen(text) : break_line(text, width);
                char line[1024];

                if (n < sizeof(line)) {
                        (void) snprintf(line, sizeof(line), "%.*s", (int) n, text);
                        output_command(label, line, indent);
                } else
                        output_command(label, text, indent);
                label = NULL;
                text += n < sizeof(line) ? n : strlen(text);
                text += strspn(text, " ");
        } while (*text);
}

int output_finish(void) {
        if (fflush(stdout) == EOF)
                return -errno;
        return ferror(stdout) ? -EIO : 0;
}
