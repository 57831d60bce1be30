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
        listener->full = false;
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
        Usec now = now_usec(CLOCK_MONOTONIC);

        if (!user)
                return NULL;
        if (same(probe->state, "switching") && probe->return_by > now)
                return make_string(
                        "switching, expected back in at most %llu s",
                        (unsigned long long) ((probe->return_by - now) / USEC_PER_SEC + 1));
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

void describe_moment(Row *row, const char *key, const Listener *listener, Usec now, Usec then) {
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
        row_set_string(row, "asked_by", lease->asked_by);
        row_set_string(row, "asked_reason", lease->asked_reason);
        describe_moment(row, "since", listener, listener->now.monotonic,
                        waiting ? lease->requested : lease->granted);
        since = row_get_text(row, "since");
        row_set_text(row, "line", "%s (PID %u) of %s%s%s%s%s%s%s", or_unknown(lease->command),
                     lease->pid, or_unknown(lease->user), since ? ", " : "", since ? since : "",
                     lease->reason ? ", for: " : "", lease->reason ? lease->reason : "",
                     same(lease->state, "asked") ? ", was asked to give it back by " : "",
                     same(lease->state, "asked") ? or_unknown(lease->asked_by) : "");
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

static void add_release(Rows *next, const Snapshot *snapshot, const ProbeView *probe,
                        const char *what, const char *how) {
        _cleanup_free_ char *name =
                snapshot->n_probes < 2 ? strdup("") : describe_name(snapshot, probe);
        _cleanup_free_ char *command = NULL;

        if (name)
                command = make_string("stlinkctl release %s%s%s", name, name[0] ? " " : "", how);
        add_next(next, what, command);
}

/* What was left behind nobody misses; anything else whoever reads this has to judge. */
static void add_end(Rows *next, const Snapshot *snapshot, const ProbeView *probe,
                    const HolderView *holder, const Listener *listener) {
        if (holder->orphaned == ORPHANED_YES)
                add_release(next, snapshot, probe, "end what was left behind", "--stale");
        else
                add_kill(next, listener, holder->pid, holder->uid);
}

static void add_ask(Rows *next, const Snapshot *snapshot, const ProbeView *probe,
                    const LeaseView *lease, const Listener *listener) {
        if (same(lease->form, "process") && listener->uid == lease->uid)
                add_release(next, snapshot, probe, "give it back", "");
        else
                add_release(next, snapshot, probe, "ask for it", "--ask");
}

static void add_recovery(Rows *next, const Snapshot *snapshot, const ProbeView *probe) {
        _cleanup_free_ char *name = describe_name(snapshot, probe), *command = NULL;

        if (name && !same(probe->wedge, "needs-replug"))
                command = make_string("stlinkctl recover%s%s", snapshot->n_probes > 1 ? " " : "",
                                      snapshot->n_probes > 1 ? name : "");
        if (command)
                add_next(next, "bring it back", command);
        add_next(next, "unplug it and plug it in again", NULL);
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
                add_recovery(next, snapshot, probe);
        if (!lease && !holder)
                return;
        add_next(next, "wait for it", command);
        if (holder && !holder->lease)
                add_end(next, snapshot, probe, holder, listener);
        else if (lease)
                add_ask(next, snapshot, probe, lease, listener);
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
        row_set_string(row, "wedge", probe->wedge ? probe->wedge : "none");
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
