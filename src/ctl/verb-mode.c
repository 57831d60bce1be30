/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/connection.h"
#include "ctl/verbs.h"

/* How long a probe may take to come back as another device. Tools wait two seconds and look again
 * (stlink-protocol §9.1), and clones are said to take longer. */
#define SWITCH_DEADLINE (20 * USEC_PER_SEC)

static ExitCode print_mode(const char *name, const Options *options) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        ProbeView *probe;
        ExitCode code = client_begin(/* with_manager= */ false, &bus, &snapshot);

        if (code == EXIT_CODE_OK)
                code = client_select(snapshot, name ? name : options->probe, &probe);
        if (code == EXIT_CODE_OK)
                (void) puts(probe->mode ? probe->mode : "unknown");
        return code;
}

/* After the probe was told to go: whether it came back, and in which mode. */
static int come_back(Connection *connection, ProbeMode expected) {
        int r;

        client_say("Switching, expected back within %d s.", (int) (SWITCH_DEADLINE / USEC_PER_SEC));
        r = connection_reopen(connection, usec_add(now_usec(CLOCK_MONOTONIC), SWITCH_DEADLINE));
        if (r >= 0)
                r = probe_session_identify(connection->session);
        if (r < 0)
                return r;
        if (expected == PROBE_MODE_LOADER)
                return probe_session_mode(connection->session) == PROBE_MODE_LOADER ? 0 : -ECHILD;
        return probe_session_mode(connection->session) == PROBE_MODE_LOADER ? -EIO : 0;
}

static int go_to_loader(Connection *connection) {
        int r = probe_session_enter_loader(connection->session);

        if (r < 0 || probe_session_mode(connection->session) == PROBE_MODE_LOADER)
                return r;
        return come_back(connection, PROBE_MODE_LOADER);
}

static int go_to_idle(Connection *connection) {
        int r = probe_session_leave_mode(connection->session);

        if (r == -ENODEV && probe_session_info(connection->session)->left_loader)
                return come_back(connection, PROBE_MODE_MASS);
        return r;
}

static ExitCode report(Connection *connection, int r) {
        uint8_t status = connection->session ? probe_session_status(connection->session) : 0;

        if (r == -EREMOTEIO &&
            (status == STATUS_LOADER_NOT_AVAILABLE || status == STATUS_UNKNOWN_COMMAND)) {
                client_say("This probe cannot be sent into its boot loader by a command.");
                client_say_more("An ST-LINK/V2 is in it after it was plugged in.");
                return EXIT_CODE_FAILURE;
        }
        if (r == -ECHILD) {
                client_say("The probe came back, but not in its boot loader.");
                return EXIT_CODE_FAILURE;
        }
        if (r == -EIO) {
                client_say("The probe stays in its boot loader: it may have no valid firmware.");
                client_say_more("Update it with ST's own tool:  stlinkctl run "
                                "--for=firmware-update -- COMMAND");
                return EXIT_CODE_FAILURE;
        }
        return connection_report(connection, r);
}

static ExitCode switch_mode(const char *name, bool to_loader, const Options *options) {
        _cleanup_(connection_done) Connection connection = CONNECTION_NONE;
        ExitCode code =
                connection_lease(&connection, name, options,
                                 to_loader ? "stlinkctl mode loader" : "stlinkctl mode idle");
        int r;

        if (code != EXIT_CODE_OK)
                return code;
        /* Whoever names the mode has asked for it. */
        connection.session_options.may_leave_loader = true;
        r = connection_open(&connection);
        if (r >= 0)
                r = to_loader ? go_to_loader(&connection) : go_to_idle(&connection);
        return r < 0 ? report(&connection, r) : EXIT_CODE_OK;
}

int verb_mode(int n, char **words, const Options *options) {
        const char *last = n > 0 ? words[n - 1] : "";
        bool to_loader = strcmp(last, "loader") == 0;

        if (to_loader || strcmp(last, "idle") == 0)
                return switch_mode(n > 1 ? words[0] : NULL, to_loader, options);
        if (n > 1) {
                client_say("A mode to switch to is 'idle' or 'loader', not '%s'.", last);
                return EXIT_CODE_USAGE;
        }
        return print_mode(n > 0 ? words[0] : NULL, options);
}
