/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ctl/connection.h"
#include "ctl/verbs.h"

/* What is done to the target's core: reset, halt, resume. */

static ExitCode finish(Connection *connection, int r) {
        if (r >= 0)
                r = connection_leave(connection);
        return r < 0 ? connection_report(connection, r) : EXIT_CODE_OK;
}

int verb_halt(int n, char **words, const Options *options) {
        _cleanup_(connection_done) Connection connection = CONNECTION_NONE;
        ExitCode code =
                connection_begin(&connection, n > 0 ? words[0] : NULL, options, "stlinkctl halt");

        if (code != EXIT_CODE_OK)
                return code;
        return finish(&connection, target_link_halt(&connection.link));
}

int verb_resume(int n, char **words, const Options *options) {
        _cleanup_(connection_done) Connection connection = CONNECTION_NONE;
        ExitCode code =
                connection_begin(&connection, n > 0 ? words[0] : NULL, options, "stlinkctl resume");
        unsigned breakpoints = 0;

        if (code != EXIT_CODE_OK)
                return code;
        code = finish(&connection, target_link_resume(&connection.link, &breakpoints));
        if (code == EXIT_CODE_OK && breakpoints > 0)
                client_say("Breakpoints are set (%u); the core halts when it comes to one.",
                           breakpoints);
        return code;
}

/* A target that SWD does not reach can still have its nRST pulled. */
static ExitCode reset_blindly(Connection *connection, ExitCode failed) {
        int r;

        if (failed != EXIT_CODE_NO_TARGET || !connection->session)
                return failed;
        r = probe_session_drive_nrst(connection->session, /* low= */ true);
        if (r >= 0)
                r = probe_session_pause(connection->session, NRST_TIME);
        if (r >= 0)
                r = probe_session_drive_nrst(connection->session, /* low= */ false);
        if (r >= 0)
                client_say_more("nRST was pulled all the same; whether that did anything cannot "
                                "be seen.");
        return failed;
}

int verb_reset(int n, char **words, const Options *options) {
        _cleanup_(connection_done) Connection connection = CONNECTION_NONE;
        ExitCode code =
                connection_begin(&connection, n > 0 ? words[0] : NULL, options, "stlinkctl reset");
        bool halt = options->leave == LEAVE_HALTED;
        ResetLine line = RESET_NONE;
        unsigned breakpoints;
        int r;

        if (code != EXIT_CODE_OK)
                return reset_blindly(&connection, code);
        r = target_link_reset(&connection.link, halt, &line);
        if (r < 0)
                return connection_report(&connection, r);
        if (line == RESET_NONE) {
                client_say("The target was not reset: neither nRST nor a request to its core did "
                           "anything.");
                return EXIT_CODE_NO_TARGET;
        }
        if (line == RESET_SYSTEM &&
            firmware_supports(&probe_session_info(connection.session)->firmware, FIRMWARE_NRST))
                client_say("nRST does not reach the target; its core was asked to reset it.");
        /* It may have been halted before, which it would still be. */
        return finish(&connection, halt ? 0 : target_link_resume(&connection.link, &breakpoints));
}
