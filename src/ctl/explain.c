/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "ctl/explain.h"

static const Explanation explanations[] = {
#include "ctl/explain-table.inc"
};

const Explanation *explanation_at(size_t index) {
        return index < ELEMENTSOF(explanations) ? &explanations[index] : NULL;
}

/* A line as it is compared: small letters, blanks in a row as one, no other control characters,
 * and quotation marks of any kind as '. What does not fit is cut off: no tool's message is that
 * long. */
#define LINE_MAX_SIZE 2048

static bool is_blank(char c) {
        return (unsigned char) c <= ' ' || c == 0x7f;
}

/* The typographic quotation marks U+2018 to U+201F in UTF-8 */
static bool is_curly_quote(const char *s, size_t left) {
        return left >= 3 && memcmp(s, "\xE2\x80", 2) == 0 && (unsigned char) s[2] >= 0x98 &&
               (unsigned char) s[2] <= 0x9F;
}

static size_t normalize(const char *text, size_t size, char *line) {
        size_t n = 0;

        for (size_t i = 0; i < size && n < LINE_MAX_SIZE - 1; i++) {
                if (is_blank(text[i])) {
                        if (n > 0 && line[n - 1] != ' ')
                                line[n++] = ' ';
                } else if (is_curly_quote(text + i, size - i)) {
                        line[n++] = '\'';
                        i += 2;
                } else if (text[i] == '"' || text[i] == '`')
                        line[n++] = '\'';
                else
                        line[n++] = (char) tolower((unsigned char) text[i]);
        }
        if (n > 0 && line[n - 1] == ' ')
                n--;
        line[n] = '\0';
        return n;
}

static bool is_word(char c) {
        return isalnum((unsigned char) c) || c == '_';
}

/* A piece of a pattern, between two "*". An end that is not open must not be within a word. */
typedef struct Piece {
        const char *text;
        size_t n;
        bool open_start, open_end;
} Piece;

static bool stands_alone(const char *line, const char *found, const Piece *piece) {
        const char *end = found + piece->n;

        if (!piece->open_start && found > line && is_word(found[0]) && is_word(found[-1]))
                return false;
        return piece->open_end || !is_word(end[-1]) || !is_word(end[0]);
}

static const char *find_piece(const char *line, const char *from, const Piece *piece) {
        for (; *from; from++)
                if (strncmp(from, piece->text, piece->n) == 0 && stands_alone(line, from, piece))
                        return from;
        return NULL;
}

/* Whether the line has all pieces of the pattern, which is normalized too, in their order. */
static bool matches(const char *line, const char *pattern) {
        const char *start = pattern, *from = line;

        for (;;) {
                Piece piece;
                size_t n;

                pattern += strspn(pattern, "* ");
                if (*pattern == '\0')
                        return true;
                piece = (Piece){ .text = pattern,
                                 .open_start = pattern > start && pattern[-1] == '*' };
                n = piece.n = strcspn(pattern, "*");
                while (pattern[piece.n - 1] == ' ')
                        piece.n--;
                piece.open_end = pattern[piece.n] == '*';
                from = find_piece(line, from, &piece);
                if (!from)
                        return false;
                from += piece.n;
                pattern += n;
        }
}

/* Whether a hit comes before another: what goes wrong first is nearer to the cause, and of one line
 * the words that say more. */
static bool comes_before(const ExplainHit *a, const ExplainHit *b) {
        if (a->line != b->line)
                return a->line < b->line;
        return strlen(a->text) > strlen(b->text);
}

static size_t add_hit(ExplainHit *hits, size_t n, const ExplainHit *hit) {
        size_t at = 0;

        for (size_t i = 0; i < n; i++)
                if (hits[i].explanation == hit->explanation) {
                        if (!comes_before(hit, &hits[i]))
                                return n;
                        memmove(&hits[i], &hits[i + 1], (n - i - 1) * sizeof(*hits));
                        n--;
                        break;
                }
        while (at < n && !comes_before(hit, &hits[at]))
                at++;
        if (at == EXPLAIN_HITS_MAX)
                return n;
        n = MIN(n, (size_t) EXPLAIN_HITS_MAX - 1);
        memmove(&hits[at + 1], &hits[at], (n - at) * sizeof(*hits));
        hits[at] = *hit;
        return n + 1;
}

static size_t try_text(const Explanation *explanation, const char *text, const char *line,
                       size_t number, ExplainHit *hits, size_t n) {
        char pattern[LINE_MAX_SIZE];

        if (normalize(text, strlen(text), pattern) == 0 || !matches(line, pattern))
                return n;
        return add_hit(hits, n, &(ExplainHit){ explanation, text, number });
}

static size_t find_in_line(const char *line, size_t number, bool last, ExplainHit *hits, size_t n) {
        for (size_t i = 0; i < ELEMENTSOF(explanations); i++) {
                const Explanation *explanation = &explanations[i];

                for (const char *const *text = explanation->texts; !last && *text; text++)
                        n = try_text(explanation, *text, line, number, hits, n);
                if (last)
                        n = try_text(explanation, explanation->last, line, number, hits, n);
        }
        return n;
}

size_t explain_find(const char *text, size_t size, ExplainHit *hits) {
        char line[LINE_MAX_SIZE], last[LINE_MAX_SIZE] = "";
        size_t n = 0, number = 0, last_number = 0;

        while (size > 0) {
                const char *end = memchr(text, '\n', size);
                size_t length = end ? (size_t) (end - text) : size;

                if (normalize(text, length, line) > 0) {
                        n = find_in_line(line, number, /* last= */ false, hits, n);
                        memcpy(last, line, sizeof(last));
                        last_number = number;
                }
                number++;
                length += end ? 1 : 0;
                text += length;
                size -= length;
        }
        return find_in_line(last, last_number, /* last= */ true, hits, n);
}

size_t explain_causes(const ExplainHit *hits, size_t n, Cause *causes) {
        bool seen[_CAUSE_MAX] = {};
        size_t count = 0;

        /* First the likeliest of each, then the second, and so on. */
        for (size_t rank = 0; rank < EXPLAIN_CAUSES_MAX; rank++)
                for (size_t i = 0; i < n; i++) {
                        const Cause *list = hits[i].explanation->causes;
                        size_t length = 0;

                        while (list[length] != _CAUSE_MAX)
                                length++;
                        if (rank >= length || seen[list[rank]])
                                continue;
                        seen[list[rank]] = true;
                        causes[count++] = list[rank];
                }
        return count;
}
