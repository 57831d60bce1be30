/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

static const Column columns[] = {
        { "lease", "LEASE", 0 }, { "id", "PROBE", 0 },       { "state", "STATE", 0 },
        { "user", "USER", 1 },   { "command", "BY", 0 },     { "form", "FORM", 4 },
        { "ends", "ENDS", 3 },   { "delegates", "ALSO", 2 }, { "reason", "FOR", 2 },
};

static const char *number_of(const LeaseView *lease) {
        return strrchr(lease->path, '/') + 1;
}

static void describe_ends(Row *row, const LeaseView *lease, const Clocks *now) {
        char moment[TEXT_RFC3339_MAX], span[FORMAT_USEC_MAX];
        Usec rest;

        if (lease->expires == 0 || lease->expires == USEC_INFINITY) {
                row_set_none(row, "ends");
                return;
        }
        rest = lease->expires > now->monotonic ? lease->expires - now->monotonic : 0;
        row_set_string(row, "ends",
                       text_format_rfc3339(moment, sizeof(moment), now->realtime + rest));
        row_set_text(row, "ends", "in %s", format_usec(span, sizeof(span), rest));
}

static void describe_delegates(Row *row, const LeaseView *lease) {
        char text[1024] = "";
        size_t used = 0;

        row_set_list(row, "delegates", lease->delegates);
        for (char **who = lease->delegates; who && *who && used < sizeof(text); who++)
                used += (size_t) snprintf(text + used, sizeof(text) - used, "%s%s",
                                          used > 0 ? ", " : "", *who);
        if (used > 0)
                row_set_text(row, "delegates", "%s", text);
}

static void describe(Rows *rows, const Snapshot *snapshot, const LeaseView *lease,
                     const Clocks *now) {
        const ProbeView *probe = lease->probe ? snapshot_find_probe(snapshot, lease->probe) : NULL;
        bool waiting = lease->state && strcmp(lease->state, "waiting") == 0;
        Row *row = rows_add(rows);

        row_set_string(row, "lease", number_of(lease));
        row_set_string(row, "id", probe ? probe->id : NULL);
        row_set_string(row, "state", lease->state);
        if (waiting)
                row_set_text(row, "state", "waiting, place %u", lease->position);
        row_set_integer(row, "position", lease->position);
        row_set_string(row, "kind", lease->kind);
        row_set_string(row, "form", lease->form);
        row_set_list(row, "parts", lease->parts);
        row_set_string(row, "user", lease->user);
        row_set_integer(row, "uid", lease->uid);
        row_set_integer(row, "pid", lease->pid);
        row_set_string(row, "command", lease->command);
        row_set_text(row, "command", "%s (PID %u)", lease->command ? lease->command : "?",
                     lease->pid);
        row_set_string(row, "reason", lease->reason);
        describe_delegates(row, lease);
        describe_ends(row, lease, now);
}

/* Probe by probe in the order of the queue, which is the daemon's. */
static void describe_all(Rows *rows, const Snapshot *snapshot) {
        Clocks now;

        clocks_read(&now);
        for (size_t i = 0; i < snapshot->n_probes; i++)
                for (char **path = snapshot->probes[i]->leases; path && *path; path++) {
                        const LeaseView *lease = snapshot_find_lease(snapshot, *path);

                        if (lease)
                                describe(rows, snapshot, lease, &now);
                }
}

int verb_leases(int n, char **words, const Options *options) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        _cleanup_(rows_freep) Rows *rows = rows_new();
        ExitCode code;
        int r = 0;

        (void) n;
        (void) words;
        code = client_begin(/* with_manager= */ false, &bus, &snapshot);
        if (code != EXIT_CODE_OK)
                return code;
        if (!rows)
                return client_report(NULL, -ENOMEM);
        describe_all(rows, snapshot);
        if (options->json)
                r = output_json_rows(rows);
        else if (rows->n > 0)
                r = output_table(rows, columns, ELEMENTSOF(columns), options->legend);
        else if (options->legend)
                (void) puts("Nobody holds a lease.");
        return r < 0 ? client_report(NULL, r) : EXIT_CODE_OK;
}
