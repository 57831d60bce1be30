/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/history.h"
#include "ctl/text.h"

/* The journal of use as a picture: one bar for each probe, time to the right. It needs nothing but
 * itself, and follows the reader's choice of light or dark. */

#define WIDTH   1000
#define LEFT    236 /* where time begins */
#define RIGHT   24
#define TOP     64
#define BAR     22
#define PITCH   40 /* from one bar to the next */
#define BOTTOM  60
#define COLOURS 7
/* What is left of an id that is too long */
#define NAME_HEAD  13
#define NAME_TAIL  11
#define NOTE_WIDTH 420
#define TICKS      8 /* at most */
/* What is shorter is drawn as long as that, to be seen. */
#define BAR_MIN 1.5

typedef struct Picture {
        FILE *file;
        const History *history;
        Usec from, to;
        const char **probes; /* by id */
        size_t n_probes;
        const char *users[COLOURS]; /* the last one stands for all others */
        size_t n_users;
} Picture;

/* --- text --------------------------------------------------------------------------------- */

/* Whatever a user may have called his program */
static void put_text(FILE *file, const char *text) {
        _cleanup_free_ char *clean = text_clean(text);

        for (const char *c = clean ? clean : ""; *c; c++)
                switch (*c) {
                case '<':
                        (void) fputs("&lt;", file);
                        break;
                case '>':
                        (void) fputs("&gt;", file);
                        break;
                case '&':
                        (void) fputs("&amp;", file);
                        break;
                default:
                        (void) fputc(*c, file);
                }
}

static const char *or_unknown(const char *text) {
        return text ? text : "?";
}

typedef enum TimeStyle {
        TIME_SECOND,
        TIME_MINUTE,
        TIME_CLOCK,
        TIME_DAY,
} TimeStyle;

static void put_time(FILE *file, TimeStyle style, Usec moment) {
        time_t seconds = (time_t) (moment / USEC_PER_SEC);
        char text[64] = "";
        struct tm tm;

        if (!localtime_r(&seconds, &tm))
                return;
        if (style == TIME_SECOND)
                (void) strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
        else if (style == TIME_MINUTE)
                (void) strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm);
        else if (style == TIME_CLOCK)
                (void) strftime(text, sizeof(text), "%H:%M", &tm);
        else
                (void) strftime(text, sizeof(text), "%e %b", &tm);
        (void) fputs(text, file);
}

/* --- what is in it ------------------------------------------------------------------------ */

static Usec end_of(const Picture *picture, const Span *span) {
        return span->until > 0 ? span->until : picture->to;
}

static bool is_shown(const Picture *picture, const Span *span) {
        return span->since <= picture->to && end_of(picture, span) >= picture->from;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static void collect_probes(Picture *picture) {
        const History *history = picture->history;
        size_t n = 0;

        for (size_t i = 0; i < history->n; i++)
                if (is_shown(picture, &history->spans[i]))
                        picture->probes[n++] = history->spans[i].probe;
        if (n > 1)
                qsort(picture->probes, n, sizeof(*picture->probes), compare_names);
        for (size_t i = 0; i < n; i++)
                if (i == 0 || strcmp(picture->probes[i], picture->probes[i - 1]) != 0)
                        picture->probes[picture->n_probes++] = picture->probes[i];
}

static size_t colour_of(const Picture *picture, const Span *span) {
        for (size_t i = 0; i < picture->n_users; i++)
                if (strcmp(picture->users[i], or_unknown(span->user)) == 0)
                        return i;
        return COLOURS - 1;
}

static void collect_users(Picture *picture) {
        const History *history = picture->history;

        for (size_t i = 0; i < history->n && picture->n_users < COLOURS; i++) {
                const Span *span = &history->spans[i];

                if (!is_shown(picture, span) || span->kind == SPAN_REFUSED ||
                    (picture->n_users > 0 && strcmp(picture->users[colour_of(picture, span)] ?: "",
                                                    or_unknown(span->user)) == 0))
                        continue;
                picture->users[picture->n_users++] = or_unknown(span->user);
        }
}

static double x_of(const Picture *picture, Usec moment) {
        double width = WIDTH - LEFT - RIGHT, span = (double) (picture->to - picture->from);

        moment = MIN(moment, picture->to);
        moment = MAX(moment, picture->from);
        return LEFT + width * (double) (moment - picture->from) / (span > 0 ? span : 1);
}

/* --- drawing ------------------------------------------------------------------------------ */

/* Spelled out for both: not every program that shows pictures knows variables. */
typedef struct Palette {
        const char *ground, *ink, *faint, *line, *track, *bad;
        const char *users[COLOURS];
} Palette;

static const Palette light = { "#ffffff",
                               "#1c1e21",
                               "#63676e",
                               "#e2e4e8",
                               "#f2f3f5",
                               "#c0262d",
                               { "#3b75c4", "#d9822b", "#2f8f6b", "#8a56b8", "#b5892f", "#c4527e",
                                 "#7b838f" } },
                     dark = { "#16181c",
                              "#e8eaed",
                              "#a0a6b0",
                              "#30343b",
                              "#22252b",
                              "#ff6b6b",
                              { "#6ba4ee", "#f0a455", "#58bd96", "#b78ae0", "#d9b45a", "#ea84a9",
                                "#9aa2ae" } };

static void put_palette(FILE *file, const Palette *palette) {
        (void) fprintf(file,
                       "text { fill: %s; } text.faint { fill: %s; } .ground { fill: %s; } "
                       ".track { fill: %s; } .tick { stroke: %s; } .refused { fill: %s; }\n",
                       palette->ink, palette->faint, palette->ground, palette->track, palette->line,
                       palette->bad);
        for (int i = 0; i < COLOURS; i++)
                (void) fprintf(file, ".c%d { fill: %s; stroke: %s; } ", i, palette->users[i],
                               palette->users[i]);
        (void) fputs("rect.lease, rect.wait { stroke: none; }\n", file);
}

static void put_style(FILE *file) {
        (void) fputs("<style>\n"
                     "text { font-family: system-ui, \"DejaVu Sans\", sans-serif; "
                     "font-size: 13px; }\n"
                     "text.title { font-size: 17px; font-weight: 600; } "
                     "text.faint { font-size: 12px; }\n"
                     ".use { fill-opacity: .35; stroke-width: 1; }\n",
                     file);
        put_palette(file, &light);
        (void) fputs("@media (prefers-color-scheme: dark) {\n", file);
        put_palette(file, &dark);
        (void) fputs("}\n</style>\n", file);
}

static void put_tooltip(const Picture *picture, const Span *span) {
        char span_text[FORMAT_USEC_MAX];
        FILE *file = picture->file;
        Usec end = end_of(picture, span);

        (void) fprintf(file, "<title>");
        put_time(file, TIME_SECOND, span->since);
        (void) fprintf(file, ", %s%s: ", span->until == 0 ? "up to now " : "",
                       format_usec(span_text, sizeof(span_text),
                                   end > span->since ? end - span->since : 0));
        put_text(file, or_unknown(span->user));
        (void) fputs(", ", file);
        put_text(file, or_unknown(span->command));
        if (span->reason) {
                (void) fputs(" for ", file);
                put_text(file, span->reason);
        }
        if (span->kind == SPAN_USE)
                (void) fputs(", without a lease", file);
        else if (span->kind == SPAN_WAIT)
                (void) fputs(", waited in vain", file);
        else if (span->kind == SPAN_REFUSED)
                (void) fputs(", refused", file);
        if (span->count > 1)
                (void) fprintf(file, ", %llu times", (unsigned long long) span->count);
        if (span->holder) {
                (void) fputs(" for ", file);
                put_text(file, span->holder);
        }
        (void) fprintf(file, "</title>");
}

static void put_refused(const Picture *picture, const Span *span, double y) {
        double x = x_of(picture, span->since);

        (void) fprintf(picture->file, "<path class=\"refused\" d=\"M%.1f %.1fl-4 -7h8z\">", x,
                       y - 1);
        put_tooltip(picture, span);
        (void) fputs("</path>\n", picture->file);
}

static void put_span(const Picture *picture, const Span *span, double y) {
        double x = x_of(picture, span->since);
        double width = MAX(x_of(picture, end_of(picture, span)) - x, BAR_MIN);
        bool wait = span->kind == SPAN_WAIT, use = span->kind == SPAN_USE;

        (void) fprintf(picture->file,
                       "<rect class=\"%s c%zu\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                       "height=\"%d\" rx=\"%s\">",
                       span_kind_to_string(span->kind), colour_of(picture, span), x,
                       wait  ? y + BAR + 2
                       : use ? y + .5
                             : y,
                       width, wait ? 4 : BAR - use, width > 6 && !wait ? "3" : "0");
        put_tooltip(picture, span);
        (void) fputs("</rect>\n", picture->file);
}

/* Two probes with one serial differ in the end of their ids. */
static void put_name(FILE *file, const char *probe, double y) {
        size_t length = strlen(probe);
        char cut[64];

        (void) snprintf(cut, sizeof(cut), "%.*s\xe2\x80\xa6%s", NAME_HEAD, probe,
                        length > NAME_TAIL ? probe + length - NAME_TAIL : "");
        (void) fprintf(file, "<text x=\"20\" y=\"%.1f\">", y);
        put_text(file, length > NAME_HEAD + NAME_TAIL + 1 ? cut : probe);
        (void) fputs("<title>", file);
        put_text(file, probe);
        (void) fputs("</title></text>\n", file);
}

static void put_probe(const Picture *picture, size_t index) {
        const char *probe = picture->probes[index];
        const History *history = picture->history;
        double y = TOP + (double) index * PITCH;
        FILE *file = picture->file;

        put_name(file, probe, y + 15);
        (void) fprintf(file,
                       "<rect class=\"track\" x=\"%d\" y=\"%.1f\" width=\"%d\" "
                       "height=\"%d\" rx=\"3\"/>\n",
                       LEFT, y, WIDTH - LEFT - RIGHT, BAR);
        for (size_t i = 0; i < history->n; i++) {
                const Span *span = &history->spans[i];

                if (strcmp(span->probe, probe) != 0 || !is_shown(picture, span))
                        continue;
                if (span->kind == SPAN_REFUSED)
                        put_refused(picture, span, y);
                else
                        put_span(picture, span, y);
        }
}

/* From one mark to the next: the shortest that leaves room for the writing. */
static Usec find_step(const Picture *picture) {
        static const unsigned minutes[] = { 1,   2,   5,   10,   15,   30,    60,    120,
                                            180, 360, 720, 1440, 2880, 10080, 20160, 43200 };
        Usec span = picture->to - picture->from;

        for (size_t i = 0; i < ELEMENTSOF(minutes); i++)
                if (span / (minutes[i] * 60 * USEC_PER_SEC) < TICKS)
                        return minutes[i] * 60 * USEC_PER_SEC;
        return span / TICKS;
}

static Usec zone_offset(Usec moment) {
        time_t seconds = (time_t) (moment / USEC_PER_SEC);
        struct tm tm;

        /* As a number modulo days: what lies west is the rest of the day. */
        return localtime_r(&seconds, &tm) ? (Usec) ((tm.tm_gmtoff + 86400) % 86400) * USEC_PER_SEC
                                          : 0;
}

static void put_axis(const Picture *picture) {
        Usec step = find_step(picture), offset = zone_offset(picture->from);
        double bottom = TOP + (double) picture->n_probes * PITCH - 8;
        bool days = step >= 86400 * USEC_PER_SEC;
        FILE *file = picture->file;
        Usec first = picture->from + step - (picture->from + offset) % step;

        for (Usec t = first; t <= picture->to; t += step) {
                double x = x_of(picture, t);

                (void) fprintf(file,
                               "<path class=\"tick\" d=\"M%.1f %d V%.1f\"/>"
                               "<text class=\"faint\" x=\"%.1f\" y=\"%.1f\" "
                               "text-anchor=\"middle\">",
                               x, TOP - 8, bottom, x, bottom + 16);
                put_time(file, days ? TIME_DAY : TIME_CLOCK, t);
                (void) fputs("</text>\n", file);
        }
}

static void put_legend(const Picture *picture) {
        double y = TOP + (double) picture->n_probes * PITCH + 32, x = LEFT;
        FILE *file = picture->file;

        for (size_t i = 0; i < picture->n_users; i++) {
                bool others = i == COLOURS - 1;

                (void) fprintf(file,
                               "<rect class=\"lease c%zu\" x=\"%.1f\" y=\"%.1f\" width=\"12\" "
                               "height=\"12\" rx=\"3\"/><text class=\"faint\" x=\"%.1f\" "
                               "y=\"%.1f\">",
                               i, x, y - 10, x + 17, y);
                put_text(file, others ? "others" : picture->users[i]);
                (void) fputs("</text>\n", file);
                x += 34 + 8 * (double) text_width(others ? "others" : picture->users[i]);
        }
        (void) fprintf(file,
                       "<text class=\"faint\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">"
                       "pale: without a lease \xc2\xb7 line below: waited in vain \xc2\xb7 "
                       "triangle: refused</text>\n",
                       WIDTH - RIGHT, x > WIDTH - RIGHT - NOTE_WIDTH ? y + 18 : y);
}

static void put_heading(const Picture *picture) {
        FILE *file = picture->file;

        (void) fprintf(file,
                       "<text class=\"title\" x=\"20\" y=\"32\">Who had which probe</text>\n"
                       "<text class=\"faint\" x=\"%d\" y=\"32\" text-anchor=\"end\">",
                       WIDTH - RIGHT);
        put_time(file, TIME_MINUTE, picture->from);
        (void) fputs(" to ", file);
        put_time(file, TIME_MINUTE, picture->to);
        (void) fputs("</text>\n", file);
}

void history_draw(FILE *file, const History *history, Usec from, Usec to) {
        _cleanup_free_ const char **probes = calloc(history->n + 1, sizeof(*probes));
        Picture picture = {
                .file = file, .history = history, .from = MIN(from, to), .to = to, .probes = probes
        };
        int height;

        if (!probes)
                return;
        collect_probes(&picture);
        collect_users(&picture);
        height = TOP + (int) picture.n_probes * PITCH + BOTTOM;
        (void) fprintf(file,
                       "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
                       "width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"Who had which "
                       "probe\">\n",
                       WIDTH, height, WIDTH, height);
        put_style(file);
        (void) fprintf(file, "<rect class=\"ground\" width=\"%d\" height=\"%d\"/>\n", WIDTH,
                       height);
        put_heading(&picture);
        put_axis(&picture);
        for (size_t i = 0; i < picture.n_probes; i++)
                put_probe(&picture, i);
        put_legend(&picture);
        (void) fputs("</svg>\n", file);
}
