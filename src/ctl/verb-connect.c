/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/fd.h"
#include "ctl/client.h"
#include "ctl/describe.h"
#include "ctl/obtain.h"
#include "ctl/output.h"
#include "ctl/target.h"
#include "ctl/verbs.h"
#include "usb/probe-session.h"

#define INDENT          11
#define DEFAULT_WAIT    (5 * USEC_PER_SEC)
#define RETURN_DEADLINE (5 * USEC_PER_SEC) /* for a probe that leaves its boot loader */
#define RETURN_INTERVAL 100                /* ms */

/* What stops us while the probe is being talked to, so that it is left as it should be. */
static int open_cancel_fd(void) {
        sigset_t set;
        int fd;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGINT);
        (void) sigaddset(&set, SIGTERM);
        (void) sigaddset(&set, SIGHUP);
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (fd < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0) {
                safe_close(fd);
                return -errno;
        }
        return fd;
}

/* A probe that was told to leave its boot loader re-enumerates; the lease stays, its node is
 * another one. */
static int reopen(ClientLease *lease, int cancel_fd, sd_bus_error *reterr, int *ret_fd) {
        Usec deadline = usec_add(now_usec(CLOCK_MONOTONIC), RETURN_DEADLINE);
        int r;

        do {
                struct pollfd cancel = { .fd = cancel_fd, .events = POLLIN };

                if (poll(&cancel, 1, RETURN_INTERVAL) > 0)
                        return -ECANCELED;
                sd_bus_error_free(reterr);
                r = client_lease_open(lease, reterr, ret_fd);
        } while (r < 0 && r != -EOWNERDEAD && now_usec(CLOCK_MONOTONIC) < deadline);
        return r;
}

/* A probe that has just come back in its boot loader is about to be updated by somebody. */
#define UPDATE_TIME (60 * USEC_PER_SEC)

typedef struct Connection {
        ClientLease *lease;
        int node_fd, cancel_fd;
        bool may_leave_loader;
        ProbeSession *session;
        sd_bus_error error; /* when the daemon refused */
} Connection;

static void connection_done(Connection *connection) {
        probe_session_free(connection->session);
        safe_close(connection->node_fd);
        safe_close(connection->cancel_fd);
        client_lease_free(connection->lease);
        sd_bus_error_free(&connection->error);
}

static int open_session(Connection *connection) {
        ProbeSessionOptions options = { .may_leave_loader = connection->may_leave_loader,
                                        .cancel_fd = connection->cancel_fd };

        return probe_session_open(connection->node_fd, &options, &connection->session);
}

static int enter_swd(Connection *connection) {
        int r = client_lease_open(connection->lease, &connection->error, &connection->node_fd);

        if (r >= 0)
                r = open_session(connection);
        if (r >= 0)
                r = probe_session_connect(connection->session);
        if (r != -ENODEV || !connection->session ||
            !probe_session_info(connection->session)->left_loader)
                return r;

        connection->session = probe_session_free(connection->session);
        connection->node_fd = safe_close(connection->node_fd);
        r = reopen(connection->lease, connection->cancel_fd, &connection->error,
                   &connection->node_fd);
        if (r >= 0)
                r = open_session(connection);
        return r < 0 ? r : probe_session_connect(connection->session);
}

static const struct {
        int error;
        ExitCode code;
        const char *text, *next;
} failures[] = {
        { EBUSY, EXIT_CODE_BUSY, "Another program has claimed the probe.",
          "See which:  stlinkctl status" },
        { EACCES, EXIT_CODE_DENIED, "The probe's debug interface may not be used.", NULL },
        { ENODEV, EXIT_CODE_NO_PROBE, "The probe was unplugged.", NULL },
        { ETIMEDOUT, EXIT_CODE_NOT_ANSWERING, "The probe does not answer.",
          "Unplug it and plug it in again." },
        { EPROTO, EXIT_CODE_NOT_ANSWERING, "The probe's answers make no sense.",
          "Unplug it and plug it in again." },
        { EINPROGRESS, EXIT_CODE_BUSY,
          "The probe is in its boot loader, in the middle of a firmware update.",
          "Let the update finish first." },
        { EPERM, EXIT_CODE_FAILURE,
          "The probe has just entered its boot loader, as for a firmware update.",
          "Let the update finish; after a minute without one, try again." },
        { EOPNOTSUPP, EXIT_CODE_FAILURE, "The probe's firmware is too old for SWD.",
          "Update it with ST's own tool." },
};

static ExitCode report_session(Connection *connection, int r) {
        uint8_t status;

        if (connection->error.name)
                return client_report(&connection->error, r);
        if (r == -ECANCELED)
                return (ExitCode) (128 + SIGINT);
        for (size_t i = 0; i < ELEMENTSOF(failures); i++) {
                if (failures[i].error != -r)
                        continue;
                client_say("%s", failures[i].text);
                if (failures[i].next)
                        client_say_more("%s", failures[i].next);
                return failures[i].code;
        }
        if (r != -EREMOTEIO)
                return client_report(NULL, r);

        status = probe_session_status(connection->session);
        if (status_class(status) == STATUS_CLASS_PROBE ||
            status_class(status) == STATUS_CLASS_INVALID) {
                client_say("The probe reports a failure: %s.", status_text(status));
                return EXIT_CODE_NOT_ANSWERING;
        }
        client_say("The probe is fine, its target does not answer: %s.", status_text(status));
        client_say_more("Is it powered, awake, and are SWDIO, SWCLK and GND connected?");
        return EXIT_CODE_NO_TARGET;
}

static void print_connection(const Row *row) {
        static const struct {
                const char *label, *key;
        } fields[] = {
                { "Firmware", "firmware" },         { "Target", "device" }, { "Core", "core" },
                { "Flash", "flash_kib" },           { "DPIDR", "dpidr" },   { "CPUID", "cpuid" },
                { "Voltage", "target_millivolts" },
        };

        (void) printf("%s%s%s\n", text_style(STYLE_BOLD), row_get_text(row, "title"),
                      text_style(STYLE_NORMAL));
        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                const char *text = row_get_text(row, fields[i].key);

                if (text)
                        output_field(fields[i].label, text, INDENT);
        }
}

static ExitCode print(Connection *connection, const ProbeView *probe, const ProbeTarget *target,
                      bool json) {
        _cleanup_(rows_freep) Rows *rows = rows_new();
        Row *row = rows_add(rows);
        int r = row ? 0 : -ENOMEM;

        row_set_string(row, "id", probe->id);
        row_set_text(row, "title", "ST-LINK/%s %s", probe->model ? probe->model : "?",
                     probe->id ? probe->id : "?");
        target_describe(row, probe_session_info(connection->session), target);
        if (r >= 0)
                r = rows_error(rows);
        if (r >= 0 && json)
                r = output_json_row(row, /* one_line= */ false);
        else if (r >= 0)
                print_connection(row);
        return r < 0 ? client_report(NULL, r) : EXIT_CODE_OK;
}

static ExitCode connect_target(Connection *connection, const ProbeView *probe, bool json) {
        ProbeTarget target;
        int r = open_cancel_fd();

        if (r < 0)
                return client_report(NULL, r);
        connection->cancel_fd = r;
        connection->may_leave_loader =
                probe->loader_since == 0 ||
                now_usec(CLOCK_MONOTONIC) >= usec_add(probe->loader_since, UPDATE_TIME);
        r = enter_swd(connection);
        if (r >= 0)
                r = probe_session_identify_target(connection->session, &target);
        if (r < 0)
                return report_session(connection, r);
        /* Not every probe can measure it; then there is nothing to show. */
        (void) probe_session_measure_voltage(connection->session);
        r = probe_session_disconnect(connection->session);
        return r < 0 ? report_session(connection, r) : print(connection, probe, &target, json);
}

int verb_connect(int n, char **words, const Options *options) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        _cleanup_(connection_done)
                Connection connection = { .node_fd = -EBADF, .cancel_fd = -EBADF };
        ClientRequest request = {
                .wait = options->given & OPTION_WAIT ? options->wait : DEFAULT_WAIT,
                .reason = options->reason ? options->reason : "stlinkctl connect",
        };
        ProbeView *probe;
        ExitCode code;

        code = client_begin(/* with_manager= */ false, &bus, &snapshot);
        if (code == EXIT_CODE_OK)
                code = client_select(snapshot, n > 0 ? words[0] : options->probe, &probe);
        if (code == EXIT_CODE_OK) {
                client_ask_password(bus, !options->no_ask_password);
                code = obtain_lease(bus, probe, &request, &connection.lease);
        }
        return code == EXIT_CODE_OK ? connect_target(&connection, probe, options->json) : code;
}
