/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "ctl/client.h"
#include "ctl/parts.h"
#include "ctl/verbs.h"

/* For scripts: "minicom -D $(stlinkctl tty PROBE)". Nothing but the path on stdout. */
int verb_tty(int n, char **words, const Options *options) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        const PartView *tty;
        ProbeView *probe;
        ExitCode code;

        code = client_begin(/* with_manager= */ false, &bus, &snapshot);
        if (code == EXIT_CODE_OK)
                code = client_select(snapshot, n > 0 ? words[0] : options->probe, &probe);
        if (code != EXIT_CODE_OK)
                return code;
        tty = parts_find(probe, "vcp");
        if (!tty) {
                client_say("Probe %s has no serial port%s.", probe->id,
                           probe->node ? "" : " just now: it is changing its mode");
                return EXIT_CODE_NO_PROBE;
        }
        (void) printf("%s\n", tty->device);
        return EXIT_CODE_OK;
}
