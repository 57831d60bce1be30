/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/fd.h"
#include "ctl/alias.h"
#include "ctl/client.h"
#include "ctl/history.h"
#include "ctl/output.h"
#include "ctl/select.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

/* Who had which probe from when to when. */

/* Two clocks, read one after the other, tell the same moment up to that. */
#define CLOCK_SLACK (5 * USEC_PER_SEC)

static const Column columns[] = {
        { "since", "SINCE", 0 },   { "lasted", "LASTED", 1 }, { "probe", "PROBE", 0 },
        { "event", "WHAT", 0 },    { "user", "USER", 2 },     { "command", "BY", 0 },
        { "remark", "REMARK", 3 },
};

/* --- getting it --------------------------------------------------------------------------- */

static int fetch(sd_bus *bus, History *history, sd_bus_error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        FILE *file;
        int fd, r;

        r = sd_bus_call_method(bus, STLINKD_BUS_NAME, STLINKD_PATH, STLINKD_MANAGER_INTERFACE,
                               "GetHistory", reterr, &answer, "a{sv}", 0);
        if (r >= 0)
                r = sd_bus_message_read_basic(answer, 'h', &fd);
        if (r < 0)
                return r;
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                return -errno;
        file = fdopen(fd, "r");
        if (!file) {
                safe_close(fd);
                return -ENOMEM;
        }
        r = history_read(file, history);
        (void) fclose(file);
        return r;
}

typedef struct Live {
        const Snapshot *snapshot;
        Clocks now;
} Live;

/* Whether a lease of which only the beginning is known is held still. */
static bool is_live(const Span *span, void *userdata) {
        const Live *live = userdata;

        for (size_t i = 0; span->kind == SPAN_LEASE && i < live->snapshot->n_leases; i++) {
                const LeaseView *lease = live->snapshot->leases[i];
                Usec ago = live->now.monotonic - MIN(lease->granted, live->now.monotonic);
                Usec granted = live->now.realtime - MIN(ago, live->now.realtime);

                if (lease->granted > 0 && lease->pid == span->pid &&
                    granted < span->since + CLOCK_SLACK && span->since < granted + CLOCK_SLACK)
                        return true;
        }
        return false;
}

/* --- choosing ----------------------------------------------------------------------------- */

typedef struct Wish {
        const Snapshot *snapshot;
        const char *word; /* NULL: any probe */
        Usec since;
        bool known; /* the journal has something of it */
} Wish;

/* An alias stands for its serial or port, whether the probe is there or not. */
static int resolve_alias(Aliases *aliases, Wish *wish) {
        const char *key;
        int r;

        if (!wish->word || !alias_is_valid(wish->word))
                return 0;
        r = aliases_load(aliases);
        if (r < 0)
                return r;
        key = aliases_find(aliases, wish->word);
        if (key)
                wish->word = key;
        return 0;
}

static ProbeView *find_probe(const Wish *wish) {
        _cleanup_free_ ProbeView **candidates = NULL;
        ProbeView *probe = NULL;
        size_t n = 0;

        return select_probe(wish->snapshot, wish->word, &probe, &candidates, &n) >= 0 ? probe
                                                                                      : NULL;
}

/* A probe that is there, by any of its names, or one of the journal by the beginning of its id. */
static bool is_meant(const Wish *wish, const Span *span) {
        const ProbeView *probe = find_probe(wish);
        size_t length = strlen(wish->word);

        if (probe && probe->id)
                return strcasecmp(probe->id, span->probe) == 0;
        return length >= SELECT_PREFIX_MIN && strncasecmp(span->probe, wish->word, length) == 0;
}

static bool is_wanted(const Span *span, void *userdata) {
        Wish *wish = userdata;

        if (wish->word && !is_meant(wish, span))
                return false;
        wish->known = true;
        return span->until == 0 || span->until >= wish->since;
}

/* --- showing ------------------------------------------------------------------------------ */

static void set_time(Row *row, const char *key, Usec moment) {
        time_t seconds = (time_t) (moment / USEC_PER_SEC);
        char stamp[TEXT_RFC3339_MAX], text[32] = "";
        struct tm tm;

        if (moment == 0) {
                row_set_none(row, key);
                return;
        }
        row_set_string(row, key, text_format_rfc3339(stamp, sizeof(stamp), moment));
        if (localtime_r(&seconds, &tm))
                (void) strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
        row_set_text(row, key, "%s", text);
}

static void set_lasted(Row *row, const Span *span, Usec now) {
        Usec end = span->until > 0 ? span->until : now;
        Usec lasted = end > span->since ? end - span->since : 0;
        char text[FORMAT_USEC_MAX];

        row_set_integer(row, "seconds", (int64_t) (lasted / USEC_PER_SEC));
        if (span->kind == SPAN_REFUSED && span->count <= 1)
                row_set_text(row, "lasted", "-");
        else
                row_set_text(row, "lasted", "%s%s%s", span->lost ? "at most " : "",
                             format_usec(text, sizeof(text), lasted),
                             span->until == 0 ? " so far" : "");
}

static const char *words_of(const Span *span) {
        switch (span->kind) {
        case SPAN_LEASE:
                return "leased";
        case SPAN_USE:
                return "used without a lease";
        case SPAN_WAIT:
                return span->until == 0 ? "waits" : "waited in vain";
        default:
                return "refused";
        }
}

/* Ends that nobody has to be told of */
static bool is_plain_end(const char *why) {
        return strcmp(why, "released") == 0 || strcmp(why, "owner-gone") == 0 ||
               strcmp(why, "closed") == 0 || strcmp(why, "busy") == 0;
}

static void set_remark(Row *row, const Span *span) {
        char times[32] = "", end[64] = "";

        if (span->count > 1)
                (void) snprintf(times, sizeof(times), "%llu times",
                                (unsigned long long) span->count);
        if (span->why && !is_plain_end(span->why))
                (void) snprintf(end, sizeof(end), "%s", span->why);
        row_set_text(row, "remark", "%s%s%s%s%s%s%s", span->reason ? span->reason : "",
                     span->reason && (span->holder || times[0] || end[0]) ? ", " : "",
                     span->holder ? "for " : "", span->holder ? span->holder : "",
                     span->holder && (times[0] || end[0]) ? ", " : "", times,
                     times[0] && end[0] ? ", " : "");
        if (end[0]) {
                const char *before = row_get_text(row, "remark");
                _cleanup_free_ char *copy = strdup(before ? before : "");

                row_set_text(row, "remark", "%s%s", copy ? copy : "", end);
        }
}

static void describe(Rows *rows, const Span *span, Usec now) {
        Row *row = rows_add(rows);

        row_set_string(row, "event", span_kind_to_string(span->kind));
        row_set_text(row, "event", "%s", words_of(span));
        row_set_string(row, "probe", span->probe);
        set_time(row, "since", span->since);
        set_time(row, "until", span->until);
        set_lasted(row, span, now);
        row_set_boolean(row, "ongoing", span->until == 0);
        row_set_boolean(row, "end_unseen", span->lost);
        row_set_integer(row, "waited_seconds", (int64_t) (span->waited / USEC_PER_SEC));
        row_set_string(row, "user", span->user);
        row_set_integer(row, "uid", span->uid);
        row_set_integer(row, "pid", span->pid);
        row_set_string(row, "command", span->command);
        if (span->pid > 0)
                row_set_text(row, "command", "%s (PID %lld)", span->command ? span->command : "?",
                             (long long) span->pid);
        row_set_string(row, "reason", span->reason);
        row_set_string(row, "holder", span->holder);
        row_set_string(row, "why", span->why);
        row_set_integer(row, "count", span->count > 0 ? (int64_t) span->count : 1);
        set_remark(row, span);
}

static int show(const History *history, Usec now, const Options *options) {
        _cleanup_(rows_freep) Rows *rows = rows_new();

        if (!rows)
                return -ENOMEM;
        for (size_t i = 0; i < history->n; i++)
                describe(rows, &history->spans[i], now);
        if (options->json)
                return output_json_rows(rows);
        if (rows->n > 0)
                return output_table(rows, columns, ELEMENTSOF(columns), options->legend);
        if (options->legend)
                (void) puts("Nothing is in the journal of use.");
        return 0;
}

static ExitCode draw(const History *history, Usec since, Usec now, const char *path) {
        Usec from = since > 0 ? since : history->n > 0 ? history->spans[0].since : now;
        FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
        int error;

        if (!file) {
                client_say("Cannot write %s: %s", path, strerror(errno));
                return EXIT_CODE_FAILURE;
        }
        history_draw(file, history, from, now);
        if (file == stdout)
                return EXIT_CODE_OK;
        error = ferror(file) ? EIO : 0;
        if (fclose(file) != 0)
                error = errno;
        if (error != 0) {
                client_say("Cannot write %s: %s", path, strerror(error));
                return EXIT_CODE_FAILURE;
        }
        return EXIT_CODE_OK;
}

int verb_history(int n, char **words, const Options *options) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        _cleanup_(history_done) History history = {};
        _cleanup_(aliases_done) Aliases aliases = {};
        Wish wish = { .word = n > 0 ? words[0] : options->probe };
        ExitCode code;
        Live live;
        int r;

        code = client_begin(/* with_manager= */ false, &bus, &snapshot);
        if (code != EXIT_CODE_OK)
                return code;
        clocks_read(&live.now);
        live.snapshot = wish.snapshot = snapshot;
        if (options->since &&
            history_parse_since(options->since, live.now.realtime, &wish.since) < 0) {
                client_say("Not a time: '%s' (try --since=2h, --since=10:30, --since=yesterday).",
                           options->since);
                return EXIT_CODE_USAGE;
        }
        r = resolve_alias(&aliases, &wish);
        if (r == -EBADMSG)
                return EXIT_CODE_FAILURE;
        if (r >= 0)
                r = fetch(bus, &history, &error);
        if (r < 0)
                return client_report(&error, r);
        history_finish(&history, is_live, &live);
        history_keep(&history, is_wanted, &wish);
        if (wish.word && !wish.known && !find_probe(&wish)) {
                client_say("No probe, and nothing in the journal of use, is called '%s'.",
                           wish.word);
                client_say_more("See what there is:  stlinkctl history");
                return EXIT_CODE_NO_PROBE;
        }
        if (options->svg)
                return draw(&history, wish.since, live.now.realtime, options->svg);
        r = show(&history, live.now.realtime, options);
        return r < 0 ? client_report(NULL, r) : EXIT_CODE_OK;
}
