/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>

#include "ctl/client.h"
#include "ctl/describe.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

static const Column columns[] = {
        { "id", "ID", 0 },     { "model", "MODEL", 2 }, { "firmware", "FIRMWARE", 4 },
        { "port", "PORT", 3 }, { "state", "STATE", 0 }, { "user", "HOLDER", 1 },
        { "tty", "TTY", 5 },   { "disk", "DISK", 6 },
};

int verb_list(int n, char **words, const Options *options) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        _cleanup_(rows_freep) Rows *rows = rows_new();
        Listener listener;
        ExitCode code;
        int r;

        (void) n;
        (void) words;
        code = client_begin(/* with_manager= */ false, &bus, &snapshot);
        if (code != EXIT_CODE_OK)
                return code;
        listener_init(&listener);
        for (size_t i = 0; i < snapshot->n_probes; i++)
                describe_probe(rows, snapshot, snapshot->probes[i], &listener);
        if (!rows)
                return client_report(NULL, -ENOMEM);

        if (rows->n == 0 && options->legend && !options->json)
                (void) puts("No probe is plugged in.");
        if (options->json)
                r = output_json_rows(rows);
        else if (rows->n == 0)
                r = 0;
        else
                r = output_table(rows, columns, ELEMENTSOF(columns), options->legend);
        return r < 0 ? client_report(NULL, r) : EXIT_CODE_OK;
}
