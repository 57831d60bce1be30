/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "admin/admin.h"
#include "admin/policy.h"
#include "base/log.h"
#include "base/time.h"
#include "bus/errors.h"

/* stlinkd-admin: the few things that take root. Started by the bus when it is called, gone when
 * nobody calls any more. */

/* As long as somebody may take to type a password, and a bit. */
#define IDLE_TIME (150 * USEC_PER_SEC)

typedef struct Service {
        sd_event *event;
        sd_bus *bus;
        Admin *admin;
        sd_event_source *idle;
} Service;

static void service_done(Service *service) {
        admin_free(service->admin);
        sd_event_source_disable_unref(service->idle);
        sd_bus_flush_close_unref(service->bus);
        sd_event_unref(service->event);
}

static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Service *service = userdata;

        (void) message, (void) error;
        (void) sd_event_source_set_time_relative(service->idle, IDLE_TIME);
        return 0;
}

/* Give the name up first: whoever calls from now on has the bus start another one. */
static int on_idle(sd_event_source *source, uint64_t usec, void *userdata) {
        Service *service = userdata;

        (void) source, (void) usec;
        (void) sd_notify(0, "STOPPING=1");
        (void) sd_bus_release_name(service->bus, STLINKD_ADMIN_NAME);
        while (sd_bus_process(service->bus, NULL) > 0)
                ;
        return sd_event_exit(service->event, EXIT_SUCCESS);
}

static int set_up(Service *service) {
        sigset_t mask;
        int r = bus_errors_register();

        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigaddset(&mask, SIGINT);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        if (r >= 0)
                r = sd_event_new(&service->event);
        if (r >= 0)
                r = sd_event_add_signal(service->event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(service->event, NULL, SIGINT, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_time_relative(service->event, &service->idle, CLOCK_MONOTONIC,
                                               IDLE_TIME, USEC_PER_SEC, on_idle, service);
        if (r >= 0)
                r = sd_bus_open_system(&service->bus);
        if (r >= 0)
                r = sd_bus_attach_event(service->bus, service->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_add_filter(service->bus, NULL, on_message, service);
        if (r >= 0)
                r = admin_new(service->bus, &service->admin);
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(service->bus, true);
        return r;
}

static int run(void) {
        _cleanup_(service_done) Service service = {};
        int r = set_up(&service);

        if (r >= 0)
                r = sd_bus_request_name(service.bus, STLINKD_ADMIN_NAME, 0);
        if (r < 0)
                return log_error_errno(r, "Cannot serve %s on the system bus", STLINKD_ADMIN_NAME);
        (void) sd_notify(0, "READY=1");
        return sd_event_loop(service.event);
}

/* What the rules of the policy "strict" have udev run. */
static int seal(const char *node) {
        _cleanup_device_ AdminDevice device = { .dirfd = -EBADF };
        int r = device_find_node(node, &device);

        if (r >= 0)
                r = grant_apply(&device);
        return r < 0 ? log_error_errno(r, "Cannot close %s to others", node) : 0;
}

static int help(void) {
        printf("stlinkd-admin [OPTION...]\n\n"
               "Do for stlinkctl what takes root. Started by the system bus.\n\n"
               "     --seal=NODE    Close the node of an ST-LINK to all but root and whom a lease\n"
               "                    grants it; for udev\n"
               "     --forget=NODE  Forget what was granted on a node that is gone; for udev\n"
               "  -h --help         Show this help\n"
               "     --version      Show the version\n");
        return EXIT_SUCCESS;
}

int main(int argc, char *argv[]) {
        static const struct option options[] = {
                { "seal", required_argument, NULL, 's' },
                { "forget", required_argument, NULL, 'f' },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'v' },
                {},
        };
        int c = getopt_long(argc, argv, "h", options, NULL), r;

        switch (c) {
        case 's':
                return seal(optarg) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        case 'f':
                return grant_forget(optarg) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        case 'h':
                return help();
        case 'v':
                printf("stlinkd-admin %s\n", PACKAGE_VERSION);
                return EXIT_SUCCESS;
        case -1:
                break;
        default:
                return EXIT_CODE_USAGE;
        }
        if (optind < argc) {
                log_error("stlinkd-admin takes no arguments; see stlinkd-admin --help");
                return EXIT_CODE_USAGE;
        }
        r = run();
        return r < 0 ? EXIT_FAILURE : r;
}
