/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/describe.h"
#include "ctl/parts.h"
#include "ctl/select.h"

/* How much of a serial names a probe in a command line: not less, for what is plugged in next
 * would soon fit too, and not more, for its port is shorter then. */
#define SELECTOR_MIN 8
#define SELECTOR_MAX 12

void listener_init(Listener *listener) {
        clocks_read(&listener->now);
        listener->uid = geteuid();
}

static const char *or_unknown(const char *s) {
        return s ? s : "?";
}

static bool same(const char *a, const char *b) {
        return a && strcmp(a, b) == 0;
}

_printf_(1, 2) static char *make_string(const char *format, ...) {
        va_list args;
        char *s;
        int n;

        va_start(args, format);
        n = vasprintf(&s, format, args);
        va_end(args);
        return n < 0 ? NULL : s;
}

static bool name_fits_only(const Snapshot *snapshot, const char *name) {
        _cleanup_free_ ProbeView **candidates = NULL;
        ProbeView *found;
        size_t n;

        return select_probe(snapshot, name, &found, &candidates, &n) == 0;
}

char *describe_name(const Snapshot *snapshot, const ProbeView *probe) {
        size_t n = probe->serial && !probe->ambiguous ? strlen(probe->serial) : 0;

        for (size_t length = SELECTOR_MIN; length < MIN(n, (size_t) SELECTOR_MAX + 1); length++) {
                _cleanup_free_ char *prefix = strndup(probe->serial, length);

                if (prefix && name_fits_only(snapshot, prefix))
                        return TAKE_PTR(prefix);
        }
        return strdup(probe->port_path ? probe->port_path : or_unknown(probe->id));
}

char *describe_selector(const Snapshot *snapshot, const ProbeView *probe) {
        _cleanup_free_ char *name = NULL;

        if (snapshot->n_probes < 2)
                return strdup("");
        name = describe_name(snapshot, probe);
        return name ? make_string("--probe %s ", name) : NULL;
}

/* The holder that is in the way most: one that has claimed the probe, else the first. Whoever
 * uses the serial port or the disk is in nobody's way. */
static const HolderView *main_holder(const ProbeView *probe) {
        const HolderView *first = NULL;

        for (size_t i = 0; i < probe->n_holders; i++) {
                const HolderView *holder = &probe->holders[i];

                if (holder->claimed)
                        return holder;
                if (!first && !parts_is_beside(holder))
                        first = holder;
        }
        return first;
}

char *describe_user(const Snapshot *snapshot, const ProbeView *probe) {
        const LeaseView *lease = snapshot_lease_held(snapshot, probe);
        const HolderView *holder = main_holder(probe);

        if (lease)
                return make_string("%s (PID %u)", or_unknown(lease->command), lease->pid);
        if (holder)
                return make_string("%s (PID %u)", or_unknown(holder->command), holder->pid);
        return strdup("");
}

/* Whom to name is put in place of %s. */
static const struct {
        const char *state, *words;
} states[] = {
        { "free", "free" },
        { "identifying", "just plugged in, being identified" },
        { "in-use", "in use: %s has it open, but did not claim it" },
        { "claimed", "in use: %s has claimed it" },
        { "leased", "leased to %s" },
        { "switching", "changing its mode, expected back in a few seconds" },
        { "not-answering", "does not answer" },
};

char *describe_state(const Snapshot *snapshot, const ProbeView *probe) {
        _cleanup_free_ char *user = describe_user(snapshot, probe);

        if (!user)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(states); i++) {
                const char *words = states[i].words, *gap = strstr(words, "%s");

                if (!same(probe->state, states[i].state))
                        continue;
                if (!gap)
                        return strdup(words);
                return make_string("%.*s%s%s", (int) (gap - words), words,
                                   user[0] ? user : "somebody", gap + strlen("%s"));
        }
        return strdup(or_unknown(probe->state));
}

static void set_moment(Row *row, const char *key, const Listener *listener, Usec now, Usec then) {
        char stamp[TEXT_RFC3339_MAX], since[TEXT_SINCE_MAX];
        Usec ago;

        if (then == 0 || then > now) {
                row_set_none(row, key);
                return;
        }
        ago = now - then;
        /* To the nearest second, so that it stays the same whenever one asks. */
        text_format_rfc3339(stamp, sizeof(stamp),
                            listener->now.realtime - MIN(ago, listener->now.realtime) +
                                    USEC_PER_SEC / 2);
        row_set_string(row, key, stamp);
        row_set_text(row, key, "since %s",
                     text_format_since(since, sizeof(since), &listener->now, ago));
}

/* Whether the program that started it is gone; a service never has one. */
static bool is_left_behind(const HolderView *holder) {
        const char *suffix = holder->unit ? strrchr(holder->unit, '.') : NULL;

        return !holder->parent_command && !same(suffix, ".service");
}

static void set_holder_texts(Row *row, const HolderView *holder) {
        const char *since = row_get_text(row, "since");
        struct {
                const char *before, *what;
        } details[] = {
                { "terminal ", holder->terminal },   { "started by ", holder->parent_command },
                { "unit ", holder->unit },           { "session ", holder->session },
                { "container ", holder->container },
        };
        char text[1024];
        size_t n = 0;

        row_set_text(row, "line", "%s (PID %u) of %s%s%s%s", or_unknown(holder->command),
                     holder->pid, or_unknown(holder->user), since ? ", " : "", since ? since : "",
                     parts_is_beside(holder) ? ""
                     : holder->lease         ? ", under the lease"
                     : holder->claimed       ? ", claimed"
                                             : ", open only");
        text[0] = '\0';
        for (size_t i = 0; i < ELEMENTSOF(details) && n < sizeof(text); i++)
                if (details[i].what)
                        n += (size_t) snprintf(text + n, sizeof(text) - n, "%s%s%s",
                                               n > 0 ? ", " : "", details[i].before,
                                               details[i].what);
        if (is_left_behind(holder) && n < sizeof(text))
                n += (size_t) snprintf(text + n, sizeof(text) - n, "%s%s", n > 0 ? ", " : "",
                                       "left behind: the program that started it is gone");
        if (n > 0)
                row_set_text(row, "details", "%s", text);
}

static void describe_holder(Rows *rows, const HolderView *holder, const Listener *listener) {
        Row *row = rows_add(rows);

        row_set_integer(row, "pid", holder->pid);
        row_set_integer(row, "uid", holder->uid);
        row_set_string(row, "user", holder->user);
        row_set_string(row, "command", holder->command);
        row_set_string(row, "exe", holder->exe);
        row_set_string(row, "cmdline", holder->cmdline);
        row_set_string(row, "unit", holder->unit);
        row_set_string(row, "session", holder->session);
        row_set_string(row, "terminal", holder->terminal);
        row_set_string(row, "container", holder->container);
        row_set_string(row, "parent_command", holder->parent_command);
        row_set_boolean(row, "claimed", holder->claimed);
        row_set_string(row, "part", holder->part ? holder->part : "debug");
        row_set_string(row, "device", holder->device);
        row_set_string(row, "lease", holder->lease);
        set_moment(row, "since", listener, listener->now.boottime, holder->since);
        set_holder_texts(row, holder);
}

static void describe_lease(Rows *rows, const LeaseView *lease, const Listener *listener) {
        bool waiting = same(lease->state, "waiting");
        Row *row = rows_add(rows);
        const char *since;

        row_set_string(row, "lease", lease->path);
        row_set_string(row, "state", lease->state);
        row_set_string(row, "kind", lease->kind);
        row_set_integer(row, "position", lease->position);
        row_set_string(row, "reason", lease->reason);
        row_set_integer(row, "uid", lease->uid);
        row_set_string(row, "user", lease->user);
        row_set_integer(row, "pid", lease->pid);
        row_set_string(row, "command", lease->command);
        row_set_list(row, "parts", lease->parts);
        set_moment(row, "since", listener, listener->now.monotonic,
                   waiting ? lease->requested : lease->granted);
        since = row_get_text(row, "since");
        row_set_text(row, "line", "%s (PID %u) of %s%s%s%s%s%s", or_unknown(lease->command),
                     lease->pid, or_unknown(lease->user), since ? ", " : "", since ? since : "",
                     lease->reason ? ", for: " : "", lease->reason ? lease->reason : "",
                     same(lease->state, "asked") ? ", was asked to give it back" : "");
}

static void add_next(Rows *next, const char *what, const char *command) {
        Row *row = rows_add(next);

        row_set_string(row, "what", what);
        row_set_string(row, "command", command);
}

static void add_kill(Rows *next, const Listener *listener, uint32_t pid, uint32_t uid) {
        bool mine = listener->uid == 0 || listener->uid == uid;
        char command[64];

        (void) snprintf(command, sizeof(command), "%skill %u", mine ? "" : "sudo ", pid);
        add_next(next, "end that program", command);
}

/* What to do next, for states in which somebody may want to know. */
static void describe_next(Row *row, const Snapshot *snapshot, const ProbeView *probe,
                          const Listener *listener) {
        const LeaseView *lease = snapshot_lease_held(snapshot, probe);
        const HolderView *holder = main_holder(probe);
        _cleanup_free_ char *selector = describe_selector(snapshot, probe), *command = NULL;
        Rows *next = row_set_rows(row, "next");

        if (selector)
                command = make_string("stlinkctl run --wait %s-- COMMAND", selector);
        if (probe->ambiguous)
                add_next(next, "several probes report this serial; name it by its port", NULL);
        if (same(probe->state, "not-answering"))
                add_next(next, "unplug it and plug it in again", NULL);
        if (!lease && !holder)
                return;
        add_next(next, "wait for it", command);
        if (holder && !holder->lease)
                add_kill(next, listener, holder->pid, holder->uid);
        else if (lease)
                add_kill(next, listener, lease->pid, lease->uid);
}

static void describe_voltage(Row *row, int32_t millivolts) {
        if (millivolts < 0) {
                row_set_none(row, "target_millivolts");
                return;
        }
        row_set_integer(row, "target_millivolts", millivolts);
        /* 0 V is what a probe reports too whose VTref pin is not connected. */
        row_set_text(row, "target_millivolts", "%d.%02d V when it was last measured%s",
                     millivolts / 1000, millivolts % 1000 / 10,
                     millivolts == 0 ? " (no power, or VTref is not wired)" : "");
}

static void describe_identity(Row *row, const ProbeView *probe) {
        char product[16];

        (void) snprintf(product, sizeof(product), "0483:%04x", probe->product_id);
        row_set_string(row, "id", probe->id);
        row_set_string(row, "serial", probe->serial);
        row_set_string(row, "serial_reported", probe->serial_reported);
        row_set_boolean(row, "ambiguous", probe->ambiguous);
        row_set_string(row, "model", probe->model);
        row_set_string(row, "product_id", product);
        row_set_string(row, "port", probe->port_path);
        row_set_string(row, "node", probe->node);
        row_set_string(row, "firmware", probe->firmware);
        row_set_string(row, "mode", probe->mode);
        row_set_text(row, "title", "ST-LINK%s%s %s", same(probe->model, "unknown") ? "" : "/",
                     same(probe->model, "unknown") ? "" : or_unknown(probe->model),
                     or_unknown(probe->id));
}

void describe_probe(Rows *rows, const Snapshot *snapshot, const ProbeView *probe,
                    const Listener *listener) {
        Row *row = rows_add(rows);
        _cleanup_free_ char *words = describe_state(snapshot, probe);
        _cleanup_free_ char *user = describe_user(snapshot, probe);
        Rows *holders, *leases;

        describe_identity(row, probe);
        describe_voltage(row, probe->target_voltage);
        row_set_string(row, "state", probe->state);
        row_set_text(row, "words", "%s", words ? words : "");
        row_set_text(row, "user", "%s", user ? user : "");
        parts_describe(row, probe);
        holders = row_set_rows(row, "holders");
        for (size_t i = 0; i < probe->n_holders; i++)
                describe_holder(holders, &probe->holders[i], listener);
        leases = row_set_rows(row, "leases");
        for (char **path = probe->leases; path && *path; path++) {
                const LeaseView *lease = snapshot_find_lease(snapshot, *path);

                if (lease)
                        describe_lease(leases, lease, listener);
        }
        describe_next(row, snapshot, probe, listener);
}
