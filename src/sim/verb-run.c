/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/control/control.h"
#include "sim/verbs.h"
#include "sim/world/command.h"
#include "sim/world/enter.h"
#include "sim/world/world-door.h"

#define WORLD_CONTROL "/run/stlinksim/control"

typedef struct RunOptions {
        const char *control;
        bool as_root;
        mode_t node_mode;
} RunOptions;

static int parse_mode(const char *text, mode_t *ret) {
        char *end;
        unsigned long mode = strtoul(text, &end, 8);

        if (*text < '0' || *text > '7' || *end || mode > 0777)
                return complain_usage(EXIT_RUN_USAGE, "\"%s\" is no mode such as 0664.", text);
        *ret = (mode_t) mode;
        return 0;
}

/* Options go to options, probes to the bench. 0, or an exit status. */
static int parse_options(int argc, char *argv[], RunOptions *options, Bench *bench) {
        static const struct option known[] = {
                { "probe", required_argument, NULL, 'p' },
                { "control", required_argument, NULL, 'c' },
                { "as-root", no_argument, NULL, 'r' },
                { "node-mode", required_argument, NULL, 'm' },
                {},
        };
        int c, r = 0;

        opterr = 0;
        while (r == 0 && (c = getopt_long(argc, argv, "+p:", known, NULL)) >= 0) {
                if (c == 'p')
                        r = add_probe(bench, optarg, EXIT_RUN_USAGE);
                else if (c == 'c')
                        options->control = optarg;
                else if (c == 'r')
                        options->as_root = true;
                else if (c == 'm')
                        r = parse_mode(optarg, &options->node_mode);
                else
                        return complain_usage(EXIT_RUN_USAGE,
                                              "\"%s\" is no option, or lacks its argument.",
                                              argv[optind - 1]);
        }
        if (r == 0 && optind >= argc)
                return complain_usage(EXIT_RUN_USAGE, "Which command is to be run?");
        if (r == 0 && list_is_empty(&bench->probes))
                r = add_probe(bench, DEFAULT_SPEC, EXIT_RUN_USAGE);
        return r;
}

static int enter(const RunOptions *options, int *ret_fuse_fd) {
        _cleanup_free_ char *text = NULL;
        WorldStep step;
        int r = world_enter(options->as_root, ret_fuse_fd, &step);

        if (r == 0)
                return 0;
        text = world_explain(step, r);
        fprintf(stderr, "stlinksim: %s", text ? text : "Out of memory\n");
        return EXIT_RUN_NO_WORLD;
}

static int run(sd_event *event, Bench *bench, const RunOptions *options, char *argv[]) {
        _cleanup_(world_freep) World *world = NULL;
        _cleanup_(control_freep) Control *inside = NULL;
        _cleanup_(command_freep) Command *command = NULL;
        BenchProbe *culprit;
        int fuse_fd, r;

        r = enter(options, &fuse_fd);
        if (r != 0)
                return r;
        r = world_new(event, fuse_fd, options->node_mode, &world);
        if (r < 0)
                return complain(EXIT_RUN_FAILED, "Cannot set the world up: %s", strerror(-r));
        /* Whoever is in the world may: there are other users in it, if root made it. */
        r = control_new(bench, WORLD_CONTROL, 0666, &inside);
        if (r < 0)
                return complain(EXIT_RUN_FAILED, "Cannot listen at %s: %s", WORLD_CONTROL,
                                strerror(-r));
        r = bench_open(bench, &world_door, world, &culprit);
        if (r < 0) {
                r = complain(EXIT_RUN_USAGE, "Cannot plug in probe \"%s\": %s", culprit->text,
                             strerror(-r));
                bench_close(bench);
                return r;
        }
        (void) setenv(CONTROL_VARIABLE, WORLD_CONTROL, 1);
        /* libudev would not believe a sysfs that is none. */
        (void) setenv("SYSTEMD_DEVICE_VERIFY_SYSFS", "0", 1);
        r = command_start(event, argv, &command);
        if (r < 0)
                r = complain(EXIT_RUN_FAILED, "Cannot start %s: %s", argv[0], strerror(-r));
        else
                r = sd_event_loop(event);
        bench_close(bench);
        return r < 0 ? complain(EXIT_RUN_FAILED, "The event loop failed: %s", strerror(-r)) : r;
}

int verb_run(int argc, char *argv[]) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(bench_freep) Bench *bench = NULL;
        _cleanup_(control_freep) Control *outside = NULL;
        RunOptions options = { .node_mode = 0664 };
        int r;

        r = sd_event_new(&event);
        if (r >= 0)
                r = bench_new(event, &bench);
        if (r < 0)
                return complain(EXIT_RUN_FAILED, "Cannot start: %s", strerror(-r));
        r = parse_options(argc, argv, &options, bench);
        if (r != 0)
                return r;
        if (options.control) {
                r = control_new(bench, options.control, 0600, &outside);
                if (r < 0)
                        return complain(EXIT_RUN_FAILED, "Cannot listen at %s: %s", options.control,
                                        strerror(-r));
        }
        return run(event, bench, &options, argv + optind);
}
