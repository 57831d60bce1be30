/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "base/log.h"
#include "bus/errors.h"
#include "bus/log-control.h"
#include "daemon/capabilities.h"
#include "daemon/config.h"
#include "daemon/fd-store.h"
#include "daemon/manager.h"

/* Everything that lives as long as the daemon does. */
typedef struct Daemon {
        sd_event *event;
        sd_bus *bus;
        sd_bus_slot *log_control, *disconnected;
        Config config;
        Manager *manager;
} Daemon;

static void daemon_done(Daemon *daemon) {
        manager_free(daemon->manager);
        sd_bus_slot_unref(daemon->log_control);
        sd_bus_slot_unref(daemon->disconnected);
        sd_bus_flush_close_unref(daemon->bus);
        sd_event_unref(daemon->event);
        config_done(&daemon->config);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        (void) si, (void) userdata;
        (void) sd_notify(0, "STOPPING=1");
        return sd_event_exit(sd_event_source_get_event(source), EXIT_SUCCESS);
}

/* Every lease hung on the bus. The service manager starts us again when the bus is back. */
static int on_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Daemon *daemon = userdata;

        (void) message, (void) error;
        log_error("The bus went away, so all leases have ended; stopping");
        return sd_event_exit(daemon->event, EXIT_FAILURE);
}

static int set_up_event(Daemon *daemon) {
        sigset_t mask;
        int r;

        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigaddset(&mask, SIGINT);
        (void) sigaddset(&mask, SIGCHLD);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        r = sd_event_new(&daemon->event);
        if (r < 0)
                return r;
        r = sd_event_add_signal(daemon->event, NULL, SIGTERM, on_signal, NULL);
        if (r < 0)
                return r;
        r = sd_event_add_signal(daemon->event, NULL, SIGINT, on_signal, NULL);
        if (r < 0)
                return r;
        r = sd_event_set_watchdog(daemon->event, true);
        return r < 0 ? r : 0;
}

static int set_up_bus(Daemon *daemon) {
        int r;

        r = bus_errors_register();
        if (r < 0)
                return r;
        r = sd_bus_open_system(&daemon->bus);
        if (r < 0)
                return log_error_errno(r, "Cannot connect to the system bus");
        r = sd_bus_match_signal(daemon->bus, &daemon->disconnected, NULL,
                                "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                                "Disconnected", on_disconnected, daemon);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(daemon->bus, daemon->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        return log_control_add(daemon->bus, &daemon->log_control);
}

static int request_name(Daemon *daemon) {
        int r;

        r = sd_bus_request_name(daemon->bus, STLINKD_BUS_NAME, 0);
        if (r == -EEXIST || r == -EALREADY)
                return log_error_errno(r, "Another stlinkd is running on this bus already");
        if (r < 0)
                return log_error_errno(r,
                                       "Cannot take the bus name %s; check that stlinkd's D-Bus "
                                       "policy is installed",
                                       STLINKD_BUS_NAME);
        return 0;
}

/* Tests and the demo run a worker that is not installed, with a configuration of their own. */
static const char *worker_path(void) {
        return getenv("STLINKD_WORKER") ?: PKGLIBEXECDIR "/stlinkd-worker";
}

static int load_config(Config *ret) {
        const char *file = getenv("STLINKD_CONFIG");
        int r;

        r = file ? config_load_file(file, ret) : config_load("", ret);
        if (r < 0)
                return log_error_errno(r, "Cannot read the configuration%s%s", file ? " " : "",
                                       file ?: "");
        return 0;
}

static int run(void) {
        _cleanup_(daemon_done) Daemon daemon = {};
        int r;

        r = fd_store_load();
        if (r < 0)
                log_warning_errno(r, "Cannot find what an earlier stlinkd left");
        r = load_config(&daemon.config);
        if (r < 0)
                return r;
        r = set_up_event(&daemon);
        if (r < 0)
                return log_error_errno(r, "Cannot set up the event loop");
        r = capabilities_limit();
        if (r < 0)
                log_warning_errno(r, "Cannot give up capabilities");
        r = set_up_bus(&daemon);
        if (r < 0)
                return r;
        r = manager_new(daemon.event, daemon.bus, &daemon.config, worker_path(), &daemon.manager);
        if (r < 0)
                return r;
        r = manager_start(daemon.manager);
        if (r < 0)
                return r;
        fd_store_forget_rest();
        r = request_name(&daemon);
        if (r < 0)
                return r;
        (void) sd_notify(0, "READY=1");
        return sd_event_loop(daemon.event);
}

static int help(void) {
        printf("stlinkd [OPTION...]\n\n"
               "Arbitrate the use of ST-LINK debug probes. Started by systemd; see stlinkctl(1)\n"
               "for the command line.\n\n"
               "  -h --help     Show this help\n"
               "     --version  Show the version\n");
        return EXIT_SUCCESS;
}

int main(int argc, char *argv[]) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'v' },
                {},
        };
        int c, r;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
                if (c == 'h')
                        return help();
                if (c == 'v') {
                        printf("stlinkd %s\n", PACKAGE_VERSION);
                        return EXIT_SUCCESS;
                }
                return EXIT_CODE_USAGE;
        }
        if (optind < argc) {
                log_error("stlinkd takes no arguments; see stlinkd --help");
                return EXIT_CODE_USAGE;
        }
        r = run();
        return r < 0 ? EXIT_FAILURE : r;
}
