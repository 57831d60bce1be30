/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "base/fd.h"
#include "ctl/connection.h"
#include "ctl/obtain.h"
#include "ctl/text.h"
#include "usb/node.h"

#define DEFAULT_WAIT    (5 * USEC_PER_SEC)
#define RETURN_DEADLINE (5 * USEC_PER_SEC) /* for a probe that leaves its boot loader */
#define RETURN_INTERVAL 100                /* ms */

#define DEPARTURE_DEADLINE (3 * USEC_PER_SEC)
#define DEPARTURE_INTERVAL 20 /* ms */

/* A probe that has just come back in its boot loader is about to be updated by somebody. */
#define UPDATE_TIME (60 * USEC_PER_SEC)

void connection_close(Connection *connection) {
        target_link_done(&connection->link);
        connection->link = (TargetLink){};
        connection->session = probe_session_free(connection->session);
        connection->node_fd = safe_close(connection->node_fd);
}

void connection_done(Connection *connection) {
        connection_close(connection);
        safe_close(connection->cancel_fd);
        client_lease_free(connection->lease);
        sd_bus_error_free(&connection->error);
        snapshot_free(connection->snapshot);
        sd_bus_flush_close_unref(connection->bus);
}

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

bool connection_may_leave_loader(const ProbeView *probe) {
        return probe->loader_since == 0 ||
               now_usec(CLOCK_MONOTONIC) >= usec_add(probe->loader_since, UPDATE_TIME);
}

ExitCode connection_lease(Connection *connection, const char *name, const Options *options,
                          const char *reason) {
        ClientRequest request = {
                .wait = options->given & OPTION_WAIT ? options->wait : DEFAULT_WAIT,
                .reason = options->reason ? options->reason : reason,
        };
        ExitCode code =
                client_begin(/* with_manager= */ false, &connection->bus, &connection->snapshot);

        if (code == EXIT_CODE_OK)
                code = client_select(connection->snapshot, name ? name : options->probe,
                                     &connection->probe);
        if (code != EXIT_CODE_OK)
                return code;
        client_ask_password(connection->bus, !options->no_ask_password);
        return obtain_lease(connection->bus, connection->probe, &request, &connection->lease);
}

static int open_session(Connection *connection) {
        connection->session_options.cancel_fd = connection->cancel_fd;
        return probe_session_open(connection->node_fd, &connection->session_options,
                                  &connection->session);
}

int connection_open(Connection *connection) {
        int r;

        if (connection->cancel_fd < 0) {
                r = open_cancel_fd();
                if (r < 0)
                        return r;
                connection->cancel_fd = r;
        }
        r = client_lease_open(connection->lease, &connection->error, &connection->node_fd);
        return r < 0 ? r : open_session(connection);
}

static bool is_cancelled(const Connection *connection, int wait_ms) {
        struct pollfd cancel = { .fd = connection->cancel_fd, .events = POLLIN };

        return poll(&cancel, 1, wait_ms) > 0;
}

/* A probe that was told to go is there a little longer: its firmware takes its time, and a hub
 * tells of it when it is asked next. */
static int await_departure(const Connection *connection, Usec deadline) {
        uint8_t ignored;

        while (connection->node_fd >= 0 &&
               node_get_device(connection->node_fd, &ignored) != -ENODEV &&
               now_usec(CLOCK_MONOTONIC) < deadline)
                if (is_cancelled(connection, DEPARTURE_INTERVAL))
                        return -ECANCELED;
        return 0;
}

/* Until the daemon has heard of it too, it hands out the node that is gone. */
static int open_again(Connection *connection) {
        int r;

        connection_close(connection);
        sd_bus_error_free(&connection->error);
        r = client_lease_open(connection->lease, &connection->error, &connection->node_fd);
        return r < 0 ? r : open_session(connection);
}

int connection_reopen(Connection *connection, Usec deadline) {
        int r = await_departure(connection,
                                usec_add(now_usec(CLOCK_MONOTONIC), DEPARTURE_DEADLINE));

        if (r < 0)
                return r;
        do {
                if (is_cancelled(connection, RETURN_INTERVAL))
                        return -ECANCELED;
                r = open_again(connection);
        } while (r < 0 && r != -EOWNERDEAD && now_usec(CLOCK_MONOTONIC) < deadline);
        return r;
}

int connection_enter(Connection *connection, uint8_t ap) {
        int r = probe_session_connect(connection->session);

        /* A probe that was told to leave its boot loader re-enumerates; the lease stays, its node
         * is another one. */
        if (r == -ENODEV && probe_session_info(connection->session)->left_loader) {
                r = connection_reopen(connection,
                                      usec_add(now_usec(CLOCK_MONOTONIC), RETURN_DEADLINE));
                if (r >= 0)
                        r = probe_session_connect(connection->session);
        }
        return r < 0 ? r : target_link_init(&connection->link, connection->session, ap);
}

int connection_leave(Connection *connection) {
        target_link_commit(&connection->link);
        target_link_done(&connection->link);
        return probe_session_disconnect(connection->session);
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
        { ETIME, EXIT_CODE_NO_TARGET, "The target's core does not do what it is asked to.",
          "Try it under reset:  stlinkctl connect --mode=under-reset" },
};

static ExitCode report_unsupported(const Connection *connection) {
        const ProbeInfo *info = probe_session_info(connection->session);
        char name[FIRMWARE_NAME_MAX];

        (void) firmware_name(&info->firmware, name, sizeof(name));
        if (info->firmware.jtag == 0) {
                client_say("The probe's firmware (%s) has no SWD.", name);
                client_say_more("It is made for boards with an STM8, which have SWIM.");
        } else if (connection->session_options.under_reset &&
                   !firmware_supports(&info->firmware, FIRMWARE_NRST)) {
                client_say("This probe (%s) cannot hold a target in reset.", name);
                client_say_more("No version of its firmware can; use a V2 or later.");
        } else {
                client_say("The probe's firmware (%s) is too old for that.", name);
                client_say_more("Update it with ST's own tool.");
        }
        return EXIT_CODE_FAILURE;
}

static ExitCode report_status(const Connection *connection) {
        uint8_t status = probe_session_status(connection->session);

        if (status_class(status) == STATUS_CLASS_PROBE ||
            status_class(status) == STATUS_CLASS_INVALID) {
                client_say("The probe reports a failure: %s.", status_text(status));
                return EXIT_CODE_NOT_ANSWERING;
        }
        if (status_is_about_ap(status)) {
                client_say("Access port %u: %s.", connection->link.ap, status_text(status));
                return EXIT_CODE_NO_TARGET;
        }
        if (connection->link.session) {
                client_say("At 0x%08x: %s.", connection->link.fault_address, status_text(status));
                return EXIT_CODE_NO_TARGET;
        }
        client_say("The probe is fine, its target does not answer: %s.", status_text(status));
        client_say_more(connection->session_options.under_reset
                                ? "Is it powered, and are SWDIO, SWCLK, NRST and GND connected?"
                                : "Is it powered, awake, and are SWDIO, SWCLK and GND connected?");
        return EXIT_CODE_NO_TARGET;
}

ExitCode connection_report(Connection *connection, int r) {
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
        if (r == -EOPNOTSUPP && connection->session)
                return report_unsupported(connection);
        if (r == -EREMOTEIO && connection->session)
                return report_status(connection);
        return client_report(NULL, r);
}

ExitCode connection_begin(Connection *connection, const char *name, const Options *options,
                          const char *reason) {
        ExitCode code = connection_lease(connection, name, options, reason);
        int r;

        if (code != EXIT_CODE_OK)
                return code;
        connection->session_options.swd_khz = options->speed_khz;
        connection->session_options.may_leave_loader =
                connection_may_leave_loader(connection->probe);
        r = connection_open(connection);
        if (r >= 0)
                r = connection_enter(connection, options->ap);
        return r < 0 ? connection_report(connection, r) : EXIT_CODE_OK;
}
