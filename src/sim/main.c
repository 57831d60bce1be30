/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "sim/device/sim-device.h"
#include "sim/verbs.h"

static const char help[] =
        "Usage: stlinksim run [-p SPEC]... [OPTIONS] -- COMMAND...\n"
        "       stlinksim ctl [--json] VERB [ARGUMENTS]\n"
        "       stlinksim usbip [-p SPEC]... --attach | --listen [ADDRESS:]PORT [-- COMMAND...]\n"
        "       stlinksim help | --help | --version\n"
        "\n"
        "A simulated ST-LINK debug probe with a target behind it, for tests without hardware.\n"
        "\n"
        "run    starts COMMAND in a private world: a /dev/bus/usb, /sys, /run/udev and network of\n"
        "       its own, where the simulated probes are plugged in and nothing else is. "
        "Unmodified\n"
        "       programs (OpenOCD, st-flash, pyOCD, lsusb) work in it. It needs no root rights, "
        "no\n"
        "       kernel module and no preloaded library, and leaves nothing behind: what COMMAND\n"
        "       left running is ended with it.\n"
        "         -p, --probe SPEC    a probe; may be repeated (default: v2:target=f103)\n"
        "         --control PATH      also show the control socket there, outside of the world\n"
        "         --as-root           an ordinary user is root in the world, for daemons that\n"
        "                             insist\n"
        "         --node-mode MODE    permissions of new nodes, in octal (0664)\n"
        "\n"
        "ctl    changes things while programs run. It speaks to the socket in\n"
        "       $STLINKSIM_CONTROL, which is set for COMMAND, or to the one given by\n"
        "       --control PATH. PROBE is a number (the first -p is 1), a port or a serial.\n"
        "         list                          the probes, and what is plugged in where\n"
        "         plug PROBE                    plug it in again\n"
        "         unplug PROBE                  pull it out\n"
        "         set PROBE KEY=VALUE...        change states; see below\n"
        "         add SPEC                      one more probe\n"
        "         counters [PROBE]              transfers, commands, target resets and halts ...\n"
        "         reset-counters [PROBE]        all of them to 0\n"
        "       --json prints one line of JSON instead of lines of text. Other languages may "
        "speak\n"
        "       to the socket directly: a line "
        "{\"verb\":\"set\",\"probe\":\"1\",\"key\":\"state\",\n"
        "       \"value\":\"wedged\"} is answered by a line {\"probes\":[...]}, "
        "{\"counters\":[...]}\n"
        "       or {\"error\":\"...\",\"code\":\"...\"}.\n"
        "\n"
        "usbip  serves the probes to a real kernel over USB/IP, until it is interrupted.\n"
        "         -p, --probe SPEC         a probe; may be repeated\n"
        "         --attach                 plug them into this machine (needs root and the\n"
        "                                  kernel's vhci_hcd module)\n"
        "         --listen [ADDRESS:]PORT  wait for \"usbip attach\" from elsewhere "
        "(127.0.0.1:3240\n"
        "                                  unless told otherwise); whoever reaches it may use "
        "them\n"
        "         --control PATH           the control socket\n"
        "                                  (default: /run/stlinksim/control)\n"
        "         -- COMMAND...            run it while the probes are there, and end with it\n"
        "\n"
        "Exit status\n"
        "  run, usbip -- COMMAND  that of COMMAND; 128+N if signal N ended it; 126 and 127 if it\n"
        "                         cannot be run or is not there\n"
        "  run by itself          120 bad usage or SPEC, 121 this machine does not allow a "
        "private\n"
        "                         world (the message says which setting would), 122 failure\n"
        "  ctl, usbip             0 done, 1 failure, 2 bad usage or SPEC, 3 no such probe,\n"
        "                         4 no simulator to speak to, 5 no usable vhci_hcd here\n"
        "\n"
        "In a continuous integration job\n"
        "  stlinksim run -p v2-1:target=f411 -- sh -c 'openocd ... && ./my-test'\n"
        "  stlinksim run -- sh -c './my-tool & sleep 1; stlinksim ctl unplug 1; wait'\n"
        "In Docker add: --device /dev/fuse --cap-add SYS_ADMIN --security-opt apparmor=unconfined\n"
        "\n";

static int verb_help(int argc, char *argv[]) {
        (void) argc;
        (void) argv;
        fputs(help, stdout);
        fputs(sim_spec_help(), stdout);
        return 0;
}

static int verb_version(int argc, char *argv[]) {
        (void) argc;
        (void) argv;
        puts("stlinksim " PACKAGE_VERSION);
        return 0;
}

_printf_(1, 0) static void say(const char *format, va_list ap) {
        fputs("stlinksim: ", stderr);
        vfprintf(stderr, format, ap);
        fputc('\n', stderr);
}

int complain(int status, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        say(format, ap);
        va_end(ap);
        return status;
}

int complain_usage(int status, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        say(format, ap);
        va_end(ap);
        fputs("See \"stlinksim --help\".\n", stderr);
        return status;
}

int add_probe(Bench *bench, const char *text, int status) {
        _cleanup_free_ char *error = NULL;
        BenchProbe *probe;
        int r = bench_add(bench, text, &probe, &error);

        if (r == 0)
                return 0;
        return complain_usage(status, "Probe \"%s\": %s", text, error ? error : strerror(-r));
}

int main(int argc, char *argv[]) {
        static const struct {
                const char *name;
                int (*run)(int argc, char *argv[]);
        } verbs[] = {
                { "run", verb_run },           { "ctl", verb_ctl },     { "usbip", verb_usbip },
                { "help", verb_help },         { "--help", verb_help }, { "-h", verb_help },
                { "--version", verb_version },
        };

        if (argc < 2)
                return complain_usage(EXIT_USAGE, "What to do? There are run, ctl, usbip, help.");
        if (argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0))
                return verb_help(argc, argv);
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (strcmp(argv[1], verbs[i].name) == 0)
                        return verbs[i].run(argc - 1, argv + 1);
        return complain_usage(EXIT_USAGE, "Unknown verb \"%s\".", argv[1]);
}
