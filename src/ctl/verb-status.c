/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/client.h"
#include "ctl/describe.h"
#include "ctl/output.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

#define INDENT 13

static Style state_style(const char *state) {
        static const struct {
                const char *state;
                Style style;
        } styles[] = {
                { "free", STYLE_GOOD },         { "in-use", STYLE_ATTENTION },
                { "claimed", STYLE_ATTENTION }, { "leased", STYLE_ATTENTION },
                { "not-answering", STYLE_BAD },
        };

        for (size_t i = 0; state && i < ELEMENTSOF(styles); i++)
                if (strcmp(styles[i].state, state) == 0)
                        return styles[i].style;
        return STYLE_BOLD;
}

/* Lines of the first cells that have a text, joined by commas. */
static void print_joined(const Row *row, const char *label, const char *const *keys) {
        char line[1024];
        size_t n = 0;

        line[0] = '\0';
        for (; *keys && n < sizeof(line); keys++) {
                const char *text = row_get_text(row, *keys);

                if (text && text[0] != '\0')
                        n += (size_t) snprintf(line + n, sizeof(line) - n, "%s%s",
                                               n > 0 ? ", " : "", text);
        }
        if (n > 0)
                output_field(label, line, INDENT);
}

/* Those who have the probe's node open, or the device of another part. */
static void print_holders(const Row *probe, const char *device, const char *label) {
        const Rows *holders = row_get_rows(probe, "holders");

        for (size_t i = 0; holders && i < holders->n; i++) {
                const Row *row = holders->items[i];
                const char *line = row_get_text(row, "line");
                const char *details = row_get_text(row, "details");

                const char *open = row_get_string(row, "device");
                bool beside = strcmp(row_get_string(row, "part"), "debug") != 0;

                if (beside != (device != NULL) || (beside && !(open && strcmp(open, device) == 0)))
                        continue;
                if (line)
                        output_field(label, line, INDENT);
                if (details)
                        output_field(NULL, details, INDENT);
                label = NULL;
        }
}

/* What there is to say of a serial port or a disk, beside its node. */
static void print_part(const Row *probe, const Row *part, const char *label) {
        const char *const keys[] = { "link", "mounts" };

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                const char *text = row_get_text(part, keys[i]);

                if (!text)
                        continue;
                output_field(label, text, INDENT);
                label = NULL;
        }
        if (row_get_string(part, "device"))
                print_holders(probe, row_get_string(part, "device"), label);
}

static void print_parts(const Row *probe) {
        const Rows *parts = row_get_rows(probe, "parts");

        for (size_t i = 0; parts && i < parts->n; i++) {
                const char *name = row_get_string(parts->items[i], "part");

                if (name && strcmp(name, "vcp") == 0)
                        print_part(probe, parts->items[i], "Serial");
                else if (name && strcmp(name, "msd") == 0)
                        print_part(probe, parts->items[i], "Disk");
        }
}

/* The leases that are held, or those that are waited for. */
static void print_leases(const Row *probe, const char *label, bool waiting) {
        const Rows *leases = row_get_rows(probe, "leases");

        for (size_t i = 0; leases && i < leases->n; i++) {
                const char *state = row_get_string(leases->items[i], "state");
                const char *line = row_get_text(leases->items[i], "line");

                if (!line || (state && strcmp(state, "waiting") == 0) != waiting)
                        continue;
                output_field(label, line, INDENT);
                label = NULL;
        }
}

static void print_next(const Row *probe) {
        const Rows *next = row_get_rows(probe, "next");

        for (size_t i = 0; next && i < next->n; i++) {
                const char *what = row_get_text(next->items[i], "what");
                const char *command = row_get_text(next->items[i], "command");
                char line[512];

                (void) snprintf(line, sizeof(line), "%s%s%s", what ? what : "",
                                command ? ":  " : "", command ? command : "");
                output_command(i == 0 ? "Next" : NULL, line, INDENT);
        }
}

static void print_probe(const Row *row) {
        static const char *const state[] = { "words", NULL };
        static const char *const port[] = { "port", "node", "tty", "disk", NULL };
        static const char *const firmware[] = { "firmware", NULL };
        static const char *const target[] = { "target_millivolts", NULL };
        const char *title = row_get_text(row, "title");

        (void) printf("%s%s%s %s%s%s\n", text_style(state_style(row_get_string(row, "state"))),
                      text_is_utf8() ? "\xe2\x97\x8f" : "*", text_style(STYLE_NORMAL),
                      text_style(STYLE_BOLD), title ? title : "?", text_style(STYLE_NORMAL));
        print_joined(row, "State", state);
        print_leases(row, "Lease", /* waiting= */ false);
        print_holders(row, NULL, "Holder");
        print_leases(row, "Waiting", /* waiting= */ true);
        print_joined(row, "Port", port);
        print_parts(row);
        print_joined(row, "Firmware", firmware);
        print_joined(row, "Target", target);
        print_next(row);
}

static void print_status(const Row *status) {
        const Rows *probes = row_get_rows(status, "probes");
        const char *note = row_get_text(status, "note");

        if (probes->n == 0)
                (void) printf("No probe is plugged in.  What the kernel sees:  lsusb -d 0483:\n");
        for (size_t i = 0; i < probes->n; i++) {
                if (i > 0)
                        (void) putchar('\n');
                print_probe(probes->items[i]);
        }
        if (note)
                (void) printf("\n%s\n", note);
}

/* Whether a lease stops others is of interest only while there is one. */
static void describe_daemon(Row *row, const Snapshot *snapshot) {
        const ManagerView *manager = &snapshot->manager;
        bool leased = false;

        for (size_t i = 0; i < snapshot->n_probes; i++)
                leased |= snapshot_lease_held(snapshot, snapshot->probes[i]) != NULL;
        row_set_string(row, "version", manager->version);
        row_set_string(row, "gate", manager->gate);
        row_set_string(row, "enforcement", manager->enforcement);
        if (leased && manager->enforcement && strcmp(manager->enforcement, "cooperative") == 0)
                row_set_text(row, "note",
                             "Leases are cooperative here: a program that takes none is seen, but "
                             "not stopped.");
}

static ExitCode describe_status(Row *row, const Snapshot *snapshot, int n, char **words) {
        Rows *probes;
        Listener listener;

        listener_init(&listener);
        describe_daemon(row, snapshot);
        probes = row_set_rows(row, "probes");
        for (size_t i = 0; n == 0 && i < snapshot->n_probes; i++)
                describe_probe(probes, snapshot, snapshot->probes[i], &listener);
        for (int i = 0; i < n; i++) {
                ProbeView *probe;
                ExitCode code = client_select(snapshot, words[i], &probe);

                if (code != EXIT_CODE_OK)
                        return code;
                describe_probe(probes, snapshot, probe, &listener);
        }
        return EXIT_CODE_OK;
}

int verb_status(int n, char **words, const Options *options) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        _cleanup_(rows_freep) Rows *rows = rows_new();
        Row *row = rows_add(rows);
        ExitCode code;
        int r = row ? rows_error(rows) : -ENOMEM;

        code = r < 0 ? client_report(NULL, r)
                     : client_begin(/* with_manager= */ true, &bus, &snapshot);
        if (code != EXIT_CODE_OK)
                return code;
        code = describe_status(row, snapshot, n, words);
        if (code != EXIT_CODE_OK)
                return code;
        r = rows_error(rows);
        if (r < 0)
                return client_report(NULL, r);
        if (!options->json)
                print_status(row);
        else
                r = output_json_row(row, /* one_line= */ false);
        return r < 0 ? client_report(NULL, r) : EXIT_CODE_OK;
}
