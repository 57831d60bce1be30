/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/history.h"

static const char *const kinds[_SPAN_KIND_MAX] = {
        [SPAN_LEASE] = "lease",
        [SPAN_WAIT] = "wait",
        [SPAN_USE] = "use",
        [SPAN_REFUSED] = "refused",
};

const char *span_kind_to_string(SpanKind kind) {
        return kinds[kind];
}

static void span_clear(Span *span) {
        char *strings[] = { span->key,    span->probe,  span->user, span->command,
                            span->reason, span->holder, span->why };

        for (size_t i = 0; i < ELEMENTSOF(strings); i++)
                free(strings[i]);
        *span = (Span){};
}

void history_done(History *history) {
        for (size_t i = 0; i < history->n; i++)
                span_clear(&history->spans[i]);
        free(history->spans);
        free(history->starts);
        *history = (History){};
}

/* --- reading ------------------------------------------------------------------------------ */

static char *get_string(json_object *object, const char *key) {
        json_object *value;

        if (!json_object_object_get_ex(object, key, &value) ||
            !json_object_is_type(value, json_type_string))
                return NULL;
        return strdup(json_object_get_string(value));
}

static int64_t get_number(json_object *object, const char *key) {
        json_object *value;

        if (!json_object_object_get_ex(object, key, &value) ||
            !json_object_is_type(value, json_type_int))
                return 0;
        return json_object_get_int64(value);
}

static Usec get_usec(json_object *object, const char *key) {
        int64_t number = get_number(object, key);

        return number > 0 ? (Usec) number : 0;
}

static int add_start(History *history, json_object *object) {
        Usec *grown = reallocarray(history->starts, history->n_starts + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        history->starts = grown;
        grown[history->n_starts++] = get_usec(object, "since");
        return 0;
}

/* Room is made for many at once, n being a power of two then. */
static int make_room(History *history) {
        size_t n = history->n;
        Span *grown;

        if (n > 0 && (n & (n - 1)) != 0)
                return 0;
        grown = reallocarray(history->spans, n > 0 ? 2 * n : 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        history->spans = grown;
        return 0;
}

static int add_span(History *history, json_object *object, SpanKind kind) {
        Span span = {
                .kind = kind,
                .key = get_string(object, "key"),
                .probe = get_string(object, "probe"),
                .user = get_string(object, "user"),
                .command = get_string(object, "command"),
                .reason = get_string(object, "reason"),
                .holder = get_string(object, "holder"),
                .why = get_string(object, "why"),
                .uid = get_number(object, "uid"),
                .pid = get_number(object, "pid"),
                .since = get_usec(object, "since"),
                .until = get_usec(object, "until"),
                .waited = get_usec(object, "waited"),
                .count = (uint64_t) get_number(object, "count"),
                .line = history->n,
        };

        if (!span.key || !span.probe || span.since == 0) {
                span_clear(&span);
                return 0;
        }
        if (make_room(history) < 0) {
                span_clear(&span);
                return -ENOMEM;
        }
        history->spans[history->n++] = span;
        return 0;
}

static int read_line(History *history, const char *line) {
        json_object *object = json_tokener_parse(line), *event = NULL;
        int r = 0;

        if (json_object_is_type(object, json_type_object) &&
            json_object_object_get_ex(object, "event", &event)) {
                const char *name = json_object_get_string(event);

                if (name && strcmp(name, "start") == 0)
                        r = add_start(history, object);
                for (int kind = 0; name && r >= 0 && kind < _SPAN_KIND_MAX; kind++)
                        if (strcmp(name, kinds[kind]) == 0)
                                r = add_span(history, object, (SpanKind) kind);
        }
        (void) json_object_put(object);
        return r;
}

int history_read(FILE *file, History *history) {
        _cleanup_free_ char *line = NULL;
        size_t size = 0;
        int r = 0;

        while (r >= 0 && getline(&line, &size, file) >= 0)
                r = read_line(history, line);
        return r >= 0 && ferror(file) ? -EIO : r;
}

/* --- putting together --------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b) {
        const Span *x = a, *y = b;
        int r = strcmp(x->key, y->key);

        return r ? r : (x->line > y->line) - (x->line < y->line);
}

static int compare_times(const void *a, const void *b) {
        const Span *x = a, *y = b;

        if (x->since != y->since)
                return x->since < y->since ? -1 : 1;
        return (x->line > y->line) - (x->line < y->line);
}

/* Of what was told several times the last counts, but an end is never forgotten. */
static void merge(History *history) {
        size_t kept = 0;

        for (size_t i = 0; i < history->n; i++) {
                Span *span = &history->spans[i];
                Span *last = kept > 0 ? &history->spans[kept - 1] : NULL;

                if (!last || strcmp(last->key, span->key) != 0) {
                        Span copy = *span;

                        *span = (Span){};
                        history->spans[kept++] = copy;
                } else if (span->until > 0 || last->until == 0) {
                        span_clear(last);
                        *last = *span;
                        *span = (Span){};
                } else {
                        span_clear(span);
                }
        }
        history->n = kept;
}

/* What had begun when stlinkd was started anew, and was not there any more. */
static void close_lost(const History *history, Span *span) {
        for (size_t i = 0; i < history->n_starts; i++) {
                if (history->starts[i] <= span->since)
                        continue;
                span->until = history->starts[i];
                span->lost = true;
                return;
        }
}

void history_finish(History *history, bool (*is_live)(const Span *span, void *userdata),
                    void *userdata) {
        if (history->n > 1)
                qsort(history->spans, history->n, sizeof(Span), compare_keys);
        merge(history);
        for (size_t i = 0; i < history->n; i++)
                if (history->spans[i].until == 0 && !is_live(&history->spans[i], userdata))
                        close_lost(history, &history->spans[i]);
        if (history->n > 1)
                qsort(history->spans, history->n, sizeof(Span), compare_times);
}

void history_keep(History *history, bool (*is_wanted)(const Span *span, void *userdata),
                  void *userdata) {
        size_t kept = 0;

        for (size_t i = 0; i < history->n; i++) {
                Span span = history->spans[i];

                history->spans[i] = (Span){};
                if (is_wanted(&span, userdata))
                        history->spans[kept++] = span;
                else
                        span_clear(&span);
        }
        history->n = kept;
}

/* --- times -------------------------------------------------------------------------------- */

/* Fill in what the text tells; the rest stays as it is today. */
static int parse_moment(const char *text, struct tm *tm) {
        static const char *const formats[] = { "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d",
                                               "%H:%M:%S", "%H:%M" };
        const struct tm today = *tm;
        bool yesterday = strcmp(text, "yesterday") == 0;

        tm->tm_hour = tm->tm_min = 0;
        tm->tm_mday -= yesterday;
        if (yesterday || strcmp(text, "today") == 0)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(formats); i++) {
                const char *end;

                *tm = today;
                tm->tm_hour = tm->tm_min = 0;
                end = strptime(text, formats[i], tm);
                if (end && *end == '\0')
                        return 0;
        }
        return -EINVAL;
}

int history_parse_since(const char *text, Usec now, Usec *ret) {
        time_t seconds = (time_t) (now / USEC_PER_SEC);
        struct tm tm;
        Usec span;

        if (parse_usec(text, &span) == 0) {
                *ret = now - MIN(span, now);
                return 0;
        }
        if (!localtime_r(&seconds, &tm))
                return -EINVAL;
        tm.tm_isdst = -1; /* that of the moment itself */
        tm.tm_sec = 0;
        if (parse_moment(text, &tm) < 0)
                return -EINVAL;
        seconds = mktime(&tm);
        if (seconds < 0)
                return -EINVAL;
        *ret = (Usec) seconds * USEC_PER_SEC;
        return 0;
}
