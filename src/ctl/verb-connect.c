/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>

#include "ctl/connection.h"
#include "ctl/output.h"
#include "ctl/target.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

#define INDENT 11

/* How long connect --mode=power-up waits for somebody to switch the target on, and how often it
 * looks. */
#define POWER_UP_DEADLINE (60 * USEC_PER_SEC)
#define POWER_UP_INTERVAL (20 * USEC_PER_MSEC)

typedef struct Found {
        ProbeTarget target;
        TargetDetails details;
        ResetLine reset;
} Found;

static void print_connection(const Row *row) {
        static const struct {
                const char *label, *key;
        } fields[] = {
                { "Firmware", "firmware" }, { "Target", "device" },
                { "Core", "core" },         { "State", "core_state" },
                { "Flash", "flash_kib" },   { "Read-out", "rdp" },
                { "DPIDR", "dpidr" },       { "AP IDR", "ap_idr" },
                { "CPUID", "cpuid" },       { "SWD", "swd_khz" },
                { "NRST", "reset" },        { "Voltage", "target_millivolts" },
        };

        (void) printf("%s%s%s\n", text_style(STYLE_BOLD), row_get_text(row, "title"),
                      text_style(STYLE_NORMAL));
        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                const char *text = row_get_text(row, fields[i].key);

                if (text)
                        output_field(fields[i].label, text, INDENT);
        }
}

static ExitCode print(Connection *connection, const Found *found, bool json) {
        _cleanup_(rows_freep) Rows *rows = rows_new();
        const ProbeView *probe = connection->probe;
        Row *row = rows_add(rows);
        int r = row ? 0 : -ENOMEM;

        row_set_string(row, "id", probe->id);
        row_set_text(row, "title", "ST-LINK/%s %s", probe->model ? probe->model : "?",
                     probe->id ? probe->id : "?");
        target_describe(row, probe_session_info(connection->session), &found->target);
        target_describe_details(row, &found->details);
        if (connection->session_options.under_reset)
                target_describe_reset(row, found->reset);
        if (r >= 0)
                r = rows_error(rows);
        if (r >= 0 && json)
                r = output_json_row(row, /* one_line= */ false);
        else if (r >= 0)
                print_connection(row);
        return r < 0 ? client_report(NULL, r) : EXIT_CODE_OK;
}

/* Whether a failure to enter SWD is one that power would cure. */
static bool target_is_silent(const Connection *connection, int r) {
        uint8_t status = r == -EREMOTEIO ? probe_session_status(connection->session) : STATUS_OK;

        return status_is_about_target(status) && !status_is_about_ap(status);
}

/* A target that has just been switched on is stopped at once, before its program can do anything
 * to the SWD pins. */
static int enter_at_power_up(Connection *connection, const Options *options) {
        Usec deadline = usec_add(now_usec(CLOCK_MONOTONIC), POWER_UP_DEADLINE);
        int r = connection_enter(connection, options->ap);

        if (target_is_silent(connection, r))
                client_say("Waiting for the target: switch its power on.");
        while (target_is_silent(connection, r) && now_usec(CLOCK_MONOTONIC) < deadline) {
                int paused = probe_session_pause(connection->session, POWER_UP_INTERVAL);

                if (paused < 0)
                        return paused;
                r = connection_enter(connection, options->ap);
        }
        return r < 0 ? r : target_link_halt(&connection->link);
}

static int enter(Connection *connection, const Options *options, Found *found) {
        int r = connection_open(connection);

        if (r < 0)
                return r;
        if (options->mode == CONNECT_POWER_UP)
                return enter_at_power_up(connection, options);
        r = connection_enter(connection, options->ap);
        if (r >= 0 && options->mode == CONNECT_UNDER_RESET)
                r = target_link_catch_reset(&connection->link, &found->reset);
        return r;
}

/* As the user wants the core to be left; unless he says so, as it was found, and a target that
 * was reset or caught runs. */
static int leave_core(Connection *connection, const Options *options, TargetDetails *details) {
        bool caught = options->mode == CONNECT_UNDER_RESET || options->mode == CONNECT_POWER_UP;
        unsigned breakpoints = 0;
        int r;

        if (options->leave == LEAVE_HALTED) {
                r = target_link_halt(&connection->link);
                details->core = CORE_HALTED;
                details->debugged = true;
                return r;
        }
        if (options->leave != LEAVE_RUNNING && !caught)
                return 0;
        r = target_link_resume(&connection->link, &breakpoints);
        details->core = CORE_RUNNING;
        details->debugged = breakpoints > 0;
        return r;
}

static int leave(Connection *connection, const Options *options, Found *found) {
        int r = leave_core(connection, options, &found->details);

        if (r < 0)
                return r;
        target_link_commit(&connection->link);
        if (options->leave != LEAVE_ATTACHED)
                return connection_leave(connection);
        target_link_done(&connection->link);
        probe_session_keep_attached(connection->session);
        return 0;
}

static int identify(Connection *connection, Found *found) {
        int r = probe_session_identify_target(connection->session, &found->target);

        if (r < 0)
                return r;
        r = target_link_examine(&connection->link, &found->target, &found->details);
        if (r >= 0)
                /* Not every probe can measure it; then there is nothing to show. */
                (void) probe_session_measure_voltage(connection->session);
        return r;
}

static bool has_access_port(const Connection *connection, const Found *found) {
        return found->details.ap_idr != 0 ||
               !firmware_supports(&probe_session_info(connection->session)->firmware,
                                  FIRMWARE_DAP_REGISTERS);
}

static ExitCode check_options(const Options *options) {
        if (options->mode != CONNECT_HOTPLUG || options->leave == LEAVE_AS_FOUND ||
            options->leave == LEAVE_ATTACHED)
                return EXIT_CODE_OK;
        client_say("--mode=hotplug touches nothing; it cannot leave the target %s.",
                   options->leave == LEAVE_HALTED ? "halted" : "running");
        return EXIT_CODE_USAGE;
}

int verb_connect(int n, char **words, const Options *options) {
        _cleanup_(connection_done) Connection connection = CONNECTION_NONE;
        Found found = {};
        ExitCode code = check_options(options);
        int r;

        if (code == EXIT_CODE_OK)
                code = connection_lease(&connection, n > 0 ? words[0] : NULL, options,
                                        "stlinkctl connect");
        if (code != EXIT_CODE_OK)
                return code;
        connection.session_options.swd_khz = options->speed_khz;
        connection.session_options.under_reset = options->mode == CONNECT_UNDER_RESET;
        connection.session_options.may_leave_loader = connection_may_leave_loader(connection.probe);
        r = enter(&connection, options, &found);
        if (r >= 0)
                r = identify(&connection, &found);
        if (r >= 0 && options->ap != 0 && !has_access_port(&connection, &found)) {
                client_say("The target has no access port %u.", options->ap);
                return EXIT_CODE_NO_TARGET;
        }
        if (r >= 0)
                r = leave(&connection, options, &found);
        return r < 0 ? connection_report(&connection, r)
                     : print(&connection, &found, options->json);
}
