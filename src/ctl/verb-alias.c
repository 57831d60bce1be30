/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/alias.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

static const Column columns[] = {
        { "alias", "ALIAS", 0 },
        { "means", "MEANS", 0 },
        { "probe", "PROBE", 1 },
};

static const ProbeView *probe_of(const Snapshot *snapshot, const char *key) {
        for (size_t i = 0; i < snapshot->n_probes; i++) {
                const ProbeView *probe = snapshot->probes[i];

                if ((probe->serial && strcasecmp(probe->serial, key) == 0) ||
                    (probe->port_path && strcmp(probe->port_path, key) == 0))
                        return probe;
        }
        return NULL;
}

static ExitCode list(const Options *options) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        _cleanup_(aliases_done) Aliases aliases = {};
        _cleanup_(rows_freep) Rows *rows = rows_new();
        ExitCode code = client_begin(/* with_manager= */ false, &bus, &snapshot);
        int r;

        if (code != EXIT_CODE_OK)
                return code;
        r = aliases_load(&aliases);
        if (r < 0)
                return r == -EBADMSG ? EXIT_CODE_FAILURE : client_report(NULL, r);
        for (size_t i = 0; i < aliases.n; i++) {
                const ProbeView *probe = probe_of(snapshot, aliases.items[i].key);
                Row *row = rows_add(rows);

                row_set_string(row, "alias", aliases.items[i].name);
                row_set_string(row, "means", aliases.items[i].key);
                row_set_string(row, "probe", probe ? probe->id : NULL);
        }
        if (!rows)
                return client_report(NULL, -ENOMEM);
        r = options->json  ? output_json_rows(rows)
            : rows->n == 0 ? 0
                           : output_table(rows, columns, ELEMENTSOF(columns), options->legend);
        return r < 0 ? client_report(NULL, r) : EXIT_CODE_OK;
}

/* By its port if it was named by that, else by its serial, if that is one of its own. */
static const char *key_for(const ProbeView *probe, const char *word) {
        if (probe->port_path && strcmp(probe->port_path, word) == 0)
                return probe->port_path;
        if (probe->serial && !probe->ambiguous && probe->id &&
            strcasecmp(probe->serial, probe->id) == 0)
                return probe->serial;
        client_say("This probe has no serial number of its own, by which it could be known.");
        client_say_more("Name the port instead:  stlinkctl alias NAME %s",
                        probe->port_path ? probe->port_path : "PORT");
        return NULL;
}

/* A name that means a probe already, or may one day, would make that one unreachable. */
static ExitCode check_name(const char *name) {
        if (alias_is_valid(name) && strspn(name, "0123456789abcdefABCDEF") < strlen(name))
                return EXIT_CODE_OK;
        client_say("'%s' cannot be a name: letters, digits, '-', '_' and '.', a letter first, and "
                   "nothing that looks like a serial number.",
                   name);
        return EXIT_CODE_USAGE;
}

int verb_alias(int n, char **words, const Options *options) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        const char *key;
        ProbeView *probe;
        ExitCode code;
        int r;

        if (n == 0)
                return list(options);
        code = check_name(words[0]);
        if (code == EXIT_CODE_OK)
                code = client_begin(/* with_manager= */ false, &bus, &snapshot);
        if (code == EXIT_CODE_OK)
                code = client_select(snapshot, n > 1 ? words[1] : NULL, &probe);
        if (code != EXIT_CODE_OK)
                return code;
        key = key_for(probe, n > 1 ? words[1] : "");
        if (!key)
                return EXIT_CODE_FAILURE;
        r = aliases_set(words[0], key);
        return r >= 0 ? EXIT_CODE_OK : r == -EBADMSG ? EXIT_CODE_FAILURE : client_report(NULL, r);
}

int verb_unalias(int n, char **words, const Options *options) {
        int r = aliases_set(words[0], NULL);

        (void) n;
        (void) options;
        if (r == -ENOENT) {
                client_say("You have no alias '%s'.", words[0]);
                return EXIT_CODE_FAILURE;
        }
        return r >= 0 ? EXIT_CODE_OK : r == -EBADMSG ? EXIT_CODE_FAILURE : client_report(NULL, r);
}
