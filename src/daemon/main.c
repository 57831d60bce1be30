/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "base/log.h"
#include "bus/errors.h"
#include "daemon/capabilities.h"
#include "daemon/config.h"
#include "daemon/connection.h"
#include "daemon/fd-store.h"
#include "daemon/manager.h"

/* Everything that lives as long as the daemon does. */
typedef struct Daemon {
        sd_event *event;
        Connection *connection;
        Config config;
        Manager *manager;
} Daemon;

static void daemon_done(Daemon *daemon) {
        manager_free(daemon->manager);
        connection_free(daemon->connection);
        sd_event_unref(daemon->event);
        config_done(&daemon->config);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        (void) si, (void) userdata;
        (void) sd_notify(0, "STOPPING=1");
        return sd_event_exit(sd_event_source_get_event(source), EXIT_SUCCESS);
}

static int attach(sd_bus *bus, void *userdata) {
        return manager_attach(((Daemon *) userdata)->manager, bus);
}

static void named(sd_bus *bus, void *userdata) {
        (void) bus;
        manager_attached(((Daemon *) userdata)->manager);
}

static void lost(void *userdata) {
        manager_lose_bus(((Daemon *) userdata)->manager);
}

static const ConnectionHooks hooks = { .attach = attach, .named = named, .lost = lost };

/* Each lease takes two descriptors, and there may be many; we do not use select(2). */
static void raise_limit(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &limit);
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
        raise_limit();
        r = load_config(&daemon.config);
        if (r < 0)
                return r;
        r = set_up_event(&daemon);
        if (r < 0)
                return log_error_errno(r, "Cannot set up the event loop");
        r = capabilities_limit();
        if (r < 0)
                log_warning_errno(r, "Cannot give up capabilities");
        r = bus_errors_register();
        if (r < 0)
                return r;
        r = connection_new(daemon.event, &daemon.connection);
        if (r < 0)
                return r;
        r = manager_new(daemon.event, connection_bus(daemon.connection), &daemon.config,
                        worker_path(), &daemon.manager);
        if (r < 0)
                return r;
        r = manager_start(daemon.manager);
        if (r < 0)
                return r;
        fd_store_forget_rest();
        r = connection_serve(daemon.connection, &hooks, &daemon);
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
