/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "sim/control/control.h"
#include "sim/usbip/attach-door.h"
#include "sim/usbip/server.h"
#include "sim/usbip/vhci.h"
#include "sim/verbs.h"
#include "sim/world/command.h"

#define DEFAULT_CONTROL "/run/stlinksim/control"

typedef struct UsbipOptions {
        bool attach;
        const char *listen;
        const char *control;
} UsbipOptions;

static int parse_options(int argc, char *argv[], UsbipOptions *options, Bench *bench) {
        static const struct option known[] = {
                { "probe", required_argument, NULL, 'p' },
                { "attach", no_argument, NULL, 'a' },
                { "listen", required_argument, NULL, 'l' },
                { "control", required_argument, NULL, 'c' },
                {},
        };
        int c, r = 0;

        opterr = 0;
        while (r == 0 && (c = getopt_long(argc, argv, "+p:", known, NULL)) >= 0) {
                if (c == 'p')
                        r = add_probe(bench, optarg, EXIT_USAGE);
                else if (c == 'a')
                        options->attach = true;
                else if (c == 'l')
                        options->listen = optarg;
                else if (c == 'c')
                        options->control = optarg;
                else
                        return complain_usage(EXIT_USAGE,
                                              "\"%s\" is no option, or lacks its argument.",
                                              argv[optind - 1]);
        }
        if (r == 0 && options->attach == (options->listen != NULL))
                return complain_usage(EXIT_USAGE, "Either --attach or --listen is needed.");
        if (r == 0 && list_is_empty(&bench->probes))
                r = add_probe(bench, DEFAULT_SPEC, EXIT_USAGE);
        return r;
}

/* Whether --attach can work; 0, or an exit status. */
static int check_vhci(void) {
        int r = vhci_check();

        if (r == -ENOENT)
                return complain(EXIT_NOT_HERE,
                                "The kernel has no virtual host controller: \"modprobe vhci_hcd\"."
                                " \"stlinksim run\" needs none.");
        if (r < 0)
                return complain(EXIT_NOT_HERE,
                                "Only root may use the kernel's virtual host controller (%s)."
                                " \"stlinksim run\" needs no root rights.",
                                strerror(-r));
        return 0;
}

static int open_control(Bench *bench, const char *path, Control **ret) {
        int r;

        if (!path) {
                path = DEFAULT_CONTROL;
                (void) mkdir("/run/stlinksim", 0755);
        }
        r = control_new(bench, path, 0600, ret);
        if (r < 0)
                return complain(EXIT_FAILURE,
                                "Cannot listen at %s: %s. Another path is chosen by --control.",
                                path, strerror(-r));
        (void) setenv(CONTROL_VARIABLE, path, 1);
        return 0;
}

/* Say that the probes are there, to people and to whoever started us. */
static void announce(const Bench *bench, const UsbipServer *server) {
        unsigned n = 0;

        LIST_FOREACH(&bench->probes, const BenchProbe, probe, link)
                n++;
        if (server)
                printf("stlinksim: serving %u probe%s at port %u\n", n, n == 1 ? "" : "s",
                       usbip_server_port(server));
        else
                printf("stlinksim: plugged in %u probe%s\n", n, n == 1 ? "" : "s");
        (void) fflush(stdout);
        (void) sd_notify(0, "READY=1");
}

static int stop_by_signals(sd_event *event) {
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
        sigset_t set;
        int r = 0;

        (void) sigemptyset(&set);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaddset(&set, signals[i]);
        (void) sigprocmask(SIG_BLOCK, &set, NULL);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(signals); i++)
                r = sd_event_add_signal(event, NULL, signals[i], NULL, NULL);
        return r;
}

/* Serve until the command, if there is one, or we are ended. */
static int serve(sd_event *event, Bench *bench, const UsbipServer *server, char *argv[]) {
        _cleanup_(command_freep) Command *command = NULL;
        int r;

        announce(bench, server);
        r = *argv ? command_start(event, argv, &command) : stop_by_signals(event);
        return r < 0 ? r : sd_event_loop(event);
}

static int start(sd_event *event, Bench *bench, const UsbipOptions *options, char *argv[]) {
        _cleanup_(usbip_server_freep) UsbipServer *server = NULL;
        _cleanup_(control_freep) Control *control = NULL;
        BenchProbe *culprit;
        int r;

        r = open_control(bench, options->control, &control);
        if (r != 0)
                return r;
        if (options->listen) {
                r = usbip_server_new(bench, options->listen, &server);
                if (r < 0)
                        return complain(EXIT_FAILURE, "Cannot listen at %s: %s", options->listen,
                                        strerror(-r));
        }
        r = bench_open(bench, server ? &usbip_server_door : &usbip_attach_door, server, &culprit);
        if (r < 0)
                r = complain(EXIT_FAILURE, "Cannot plug in probe \"%s\": %s", culprit->text,
                             strerror(-r));
        else {
                r = serve(event, bench, server, argv);
                if (r < 0)
                        r = complain(EXIT_FAILURE, "Cannot serve: %s", strerror(-r));
        }
        bench_close(bench);
        return r;
}

int verb_usbip(int argc, char *argv[]) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(bench_freep) Bench *bench = NULL;
        UsbipOptions options = {};
        int r;

        r = sd_event_new(&event);
        if (r >= 0)
                r = bench_new(event, &bench);
        if (r < 0)
                return complain(EXIT_FAILURE, "Cannot start: %s", strerror(-r));
        r = parse_options(argc, argv, &options, bench);
        if (r == 0 && options.attach)
                r = check_vhci();
        return r != 0 ? r : start(event, bench, &options, argv + optind);
}
