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
                if (row_get_text(row, "full"))
                        output_field(NULL, row_get_text(row, "full"), INDENT);
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

/* Whether some probe is claimed by a program that the daemon cannot see. */
static bool has_unseen_holder(const Snapshot *snapshot) {
        for (size_t i = 0; i < snapshot->n_probes; i++) {
                const ProbeView *probe = snapshot->probes[i];

                if (probe->state && strcmp(probe->state, "claimed") == 0 && probe->n_holders == 0)
                        return true;
        }
        return false;
}

static const char *short_sight(const ManagerView *manager) {
        if (manager->sight && strcmp(manager->sight, "hidden") == 0)
                return "stlinkd does not see other users' programs here: /proc is mounted with "
                       "hidepid.";
        if (manager->sight && strcmp(manager->sight, "own") == 0)
                return "stlinkd has no right here to see what other users' programs have open.";
        return NULL;
}

/* Whether a lease stops others is of interest only while there is one; likewise whom the daemon
 * cannot see. */
static void describe_daemon(Row *row, const Snapshot *snapshot) {
        const ManagerView *manager = &snapshot->manager;
        const char *sight = has_unseen_holder(snapshot) ? short_sight(manager) : NULL;
        bool leased = false;

        for (size_t i = 0; i < snapshot->n_probes; i++)
                leased |= snapshot_lease_held(snapshot, snapshot->probes[i]) != NULL;
        row_set_string(row, "sight", manager->sight);
        row_set_string(row, "version", manager->version);
        row_set_string(row, "gate", manager->gate);
        row_set_string(row, "enforcement", manager->enforcement);
        if (leased && manager->enforcement && strcmp(manager->enforcement, "cooperative") == 0)
                row_set_text(row, "note",
                             "Leases are cooperative here: a program that takes none is seen, but "
                             "not stopped. See stlinkctl policy.");
        if (sight)
                row_set_text(row, "note", "%s", sight);
}

/* What costs a question more is told of the probes that are shown. */
static void look_closer(sd_bus *bus, ProbeView *probe, const Options *options) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        bool full = options->given & OPTION_FULL;
        int r = 0;

        if (probe->n_holders == 0)
                return;
        r = client_look_closer(bus, probe, full, &error);
        if (r >= 0 || !full)
                return; /* else what the property says has to do */
        (void) client_report(&error, r);
        (void) client_look_closer(bus, probe, /* see_all= */ false, NULL);
}

/* The probes that are named, or all. They are the snapshot's, the array is the caller's. */
static ExitCode choose(const Snapshot *snapshot, int n, char **words, ProbeView ***ret,
                       size_t *ret_n) {
        size_t count = n > 0 ? (size_t) n : snapshot->n_probes;
        _cleanup_free_ ProbeView **chosen = calloc(count + 1, sizeof(*chosen));

        if (!chosen)
                return client_report(NULL, -ENOMEM);
        for (size_t i = 0; i < count; i++) {
                ExitCode code = EXIT_CODE_OK;

                if (n > 0)
                        code = client_select(snapshot, words[i], &chosen[i]);
                else
                        chosen[i] = snapshot->probes[i];
                if (code != EXIT_CODE_OK)
                        return code;
        }
        *ret = TAKE_PTR(chosen);
        *ret_n = count;
        return EXIT_CODE_OK;
}

static ExitCode describe_status(Row *row, sd_bus *bus, const Snapshot *snapshot, int n,
                                char **words, const Options *options) {
        _cleanup_free_ ProbeView **chosen = NULL;
        Rows *probes;
        Listener listener;
        size_t count = 0;
        ExitCode code = choose(snapshot, n, words, &chosen, &count);

        if (code != EXIT_CODE_OK)
                return code;
        for (size_t i = 0; i < count; i++)
                look_closer(bus, chosen[i], options);
        listener_init(&listener);
        listener.full = options->given & OPTION_FULL;
        describe_daemon(row, snapshot);
        probes = row_set_rows(row, "probes");
        for (size_t i = 0; i < count; i++)
                describe_probe(probes, snapshot, chosen[i], &listener);
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
        client_ask_password(bus, !options->no_ask_password);
        code = describe_status(row, bus, snapshot, n, words, options);
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
