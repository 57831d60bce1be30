/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl/describe.h"
#include "ctl/parts.h"

/* One program that has a probe, or the device of one of its parts, open. */

static const char *or_unknown(const char *s) {
        return s ? s : "?";
}

static bool same(const char *a, const char *b) {
        return a && b && strcmp(a, b) == 0;
}

/* Clauses, joined by commas */
typedef struct Clauses {
        char text[1024];
        size_t n;
} Clauses;

_printf_(2, 3) static void add(Clauses *clauses, const char *format, ...) {
        size_t left = sizeof(clauses->text) - clauses->n;
        va_list args;
        int n;

        if (clauses->n > 0)
                clauses->n += (size_t) snprintf(clauses->text + clauses->n, left, ", ");
        clauses->n = MIN(clauses->n, sizeof(clauses->text) - 1);
        left = sizeof(clauses->text) - clauses->n;
        va_start(args, format);
        n = vsnprintf(clauses->text + clauses->n, left, format, args);
        va_end(args);
        if (n > 0)
                clauses->n = MIN(clauses->n + (size_t) n, sizeof(clauses->text) - 1);
}

static void add_origin(Clauses *clauses, const HolderView *holder) {
        bool farther = holder->program && !same(holder->program, holder->parent_command);

        if (holder->terminal)
                add(clauses, "terminal %s", holder->terminal);
        if (holder->parent_command)
                add(clauses, "started by %s%s%s", holder->parent_command, farther ? " in " : "",
                    farther ? holder->program : "");
        if (holder->unit)
                add(clauses, "unit %s", holder->unit);
        if (holder->session)
                add(clauses, "session %s%s%s", holder->session, holder->remote ? " from " : "",
                    holder->remote ? holder->remote : "");
        if (holder->container)
                add(clauses, "container %s", holder->container);
}

static void add_ports(Clauses *clauses, const HolderView *holder) {
        bool first = true;

        for (char **port = holder->ports; port && *port; port++, first = false)
                add(clauses, "%s%s", first ? "port " : "", *port);
        if (!first && holder->clients > 0)
                add(clauses, "%u connected", holder->clients);
        else if (!first)
                add(clauses, "nobody connected");
}

/* Who talks to the probe, and who only has it open */
static void add_traffic(Clauses *clauses, const HolderView *holder, const Listener *listener) {
        const Traffic *traffic = &holder->traffic;
        char ago[FORMAT_USEC_MAX];

        if (!traffic->known || parts_is_beside(holder))
                return;
        if (traffic->transfers == 0) {
                add(clauses, "has not talked to it");
                return;
        }
        format_usec(ago, sizeof(ago),
                    listener->now.boottime > traffic->last ? listener->now.boottime - traffic->last
                                                           : 0);
        add(clauses, "%" PRIu64 " transfer%s, the last %s ago", traffic->transfers,
            traffic->transfers == 1 ? "" : "s", ago);
}

static void set_texts(Row *row, const HolderView *holder, const Listener *listener) {
        const char *since = row_get_text(row, "since");
        Clauses clauses = {};

        row_set_text(row, "line", "%s (PID %u) of %s%s%s%s%s", or_unknown(holder->command),
                     holder->pid, or_unknown(holder->user), since ? ", " : "", since ? since : "",
                     since && same(holder->seen, "before") ? " or earlier" : "",
                     parts_is_beside(holder) ? ""
                     : holder->lease         ? ", under the lease"
                     : holder->claimed       ? ", claimed"
                                             : ", open only");
        add_traffic(&clauses, holder, listener);
        add_origin(&clauses, holder);
        add_ports(&clauses, holder);
        if (holder->orphaned == ORPHANED_YES)
                add(&clauses, "left behind: the program that started it is gone");
        if (clauses.n > 0)
                row_set_text(row, "details", "%s", clauses.text);
}

static void set_verdict(Row *row, const HolderView *holder) {
        if (holder->orphaned == ORPHANED_UNKNOWN) {
                row_set_none(row, "ports");
                row_set_none(row, "clients");
                row_set_none(row, "orphaned");
                return;
        }
        row_set_list(row, "ports", holder->ports);
        row_set_integer(row, "clients", holder->clients);
        row_set_boolean(row, "orphaned", holder->orphaned == ORPHANED_YES);
}

static void set_traffic(Row *row, const HolderView *holder, const Listener *listener) {
        if (!holder->traffic.known) {
                row_set_none(row, "requests");
                row_set_none(row, "transfers");
                row_set_none(row, "last_use");
                return;
        }
        row_set_integer(row, "requests", (int64_t) holder->traffic.requests);
        row_set_integer(row, "transfers", (int64_t) holder->traffic.transfers);
        describe_moment(row, "last_use", listener, listener->now.boottime, holder->traffic.last);
}

void describe_holder(Rows *rows, const HolderView *holder, const Listener *listener) {
        Row *row = rows_add(rows);

        row_set_integer(row, "pid", holder->pid);
        describe_moment(row, "started", listener, listener->now.boottime, holder->started);
        row_set_integer(row, "uid", holder->uid);
        row_set_string(row, "user", holder->user);
        row_set_string(row, "command", holder->command);
        row_set_string(row, "exe", holder->exe);
        row_set_string(row, "cmdline", holder->cmdline);
        row_set_string(row, "unit", holder->unit);
        row_set_string(row, "cgroup", holder->cgroup);
        row_set_string(row, "session", holder->session);
        row_set_string(row, "remote", holder->remote);
        row_set_string(row, "terminal", holder->terminal);
        row_set_string(row, "container", holder->container);
        row_set_string(row, "parent_command", holder->parent_command);
        row_set_string(row, "program", holder->program);
        row_set_boolean(row, "claimed", holder->claimed);
        row_set_string(row, "part", holder->part ? holder->part : "debug");
        row_set_string(row, "device", holder->device);
        row_set_string(row, "lease", holder->lease);
        row_set_string(row, "seen", holder->seen);
        describe_moment(row, "since", listener, listener->now.boottime, holder->since);
        set_verdict(row, holder);
        set_traffic(row, holder, listener);
        set_texts(row, holder, listener);
        if (listener->full)
                row_set_text(row, "full", "called as: %s",
                             holder->cmdline ? holder->cmdline : "(not for you to see)");
}
