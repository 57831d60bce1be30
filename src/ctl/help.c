/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>
#include <stdio.h>

#include "base/macro.h"
#include "bus/errors.h"
#include "ctl/help.h"
#include "ctl/text.h"

typedef struct Line {
        const char *left, *right; /* no right: a heading */
} Line;

/* Not wider than 80 columns. */
static const Line lines[] = {
        { "See who has what:", NULL },
        { "status [PROBE...]", "What each probe does, who uses it, what to do next" },
        { "list", "One line per probe" },
        { "monitor", "One line per change, until interrupted" },
        { "leases", "One line per lease, and per request that waits" },
        { "history [PROBE]", "Who had which probe from when to when" },

        { "Take turns:", NULL },
        { "run [--] COMMAND...", "Run a command while no other may use the probe" },
        { "lock [PROBE]", "Take a lease for the shell, until it ends or unlocks" },
        { "unlock [PROBE|LEASE]", "Give such a lease back" },
        { "delegate [LEASE] WHO...", "Let others work under such a lease, too" },
        { "renew [PROBE|LEASE]", "Start its time limit anew" },
        { "release [PROBE]", "Give it back, or get it back from somebody" },

        { "Work on the target:", NULL },
        { "connect [PROBE]", "Enter SWD and show which chip is there" },
        { "reset [PROBE]", "Reset the target" },
        { "halt [PROBE]", "Stop the target's core" },
        { "resume [PROBE]", "Let it run" },
        { "read ADDRESS LENGTH", "Read the target's memory" },
        { "write ADDRESS DATA", "Write to it: 0x1234abcd, cdab3412 or @FILE" },

        { "Find out what is wrong, and mend it:", NULL },
        { "doctor [PROBE]", "Examine a probe and its target, and say what is wrong" },
        { "explain [TEXT|-]", "What a tool's message means, here and now" },
        { "recover [PROBE]", "Bring a probe back that does not answer" },
        { "firmware [PROBE]", "Its firmware, and what other tools need" },
        { "mode [PROBE] [MODE]", "Its mode, or switch it: idle, loader" },

        { "Names and settings:", NULL },
        { "alias [NAME [PROBE]]", "Give a probe a name; list the names" },
        { "unalias NAME", "Forget a name" },
        { "selector [PROBE]", "How other tools are told which probe to use" },
        { "tty [PROBE]", "Print the device of its serial port" },
        { "policy [strict|open]", "Show or choose who may open the nodes of probes" },

        { "Options:", NULL },
        { "   --json", "Print JSON (verbs that show something)" },
        { "   --no-legend", "Print no headings (list, leases)" },
        { "   --full", "Show command lines, too (status)" },
        { "   --since=TIME", "From then on: 2h, 10:30, yesterday (history)" },
        { "   --svg=FILE", "Draw it, a bar for each probe (history)" },
        { "-p --probe=PROBE", "Which probe (run, connect, lock, recover, ...)" },
        { "   --wait[=TIME]", "Wait for it, at most so long (run, connect, lock)" },
        { "   --reason=TEXT", "Tell others what you use it for (run, connect, lock)" },
        { "   --with=PARTS", "Its serial port and disk too: vcp,msd (run, lock)" },
        { "   --delegate=WHO", "Let others work under it: uid:1000, unit:ci.service," },
        { "", "cgroup:/PATH, pid:PID (run, lock)" },
        { "   --withdraw", "Let them no longer (delegate)" },
        { "   --until=tree|main", "Keep the lease until all that COMMAND started has" },
        { "", "ended (tree, the default), or COMMAND itself (run)" },
        { "   --expand", "Replace {serial}, {usbpath}, {openocd} ... (run)" },
        { "   --for=TIME", "Hold it no longer than that without renew (run, lock)" },
        { "   --for=firmware-update", "Nobody can take it back; it may restart (run, lock)" },
        { "   --for=TOOL", "Only what that tool wants (selector)" },
        { "   --pid=PID", "The process to hold it for (lock; default: the shell)" },
        { "   --ask", "Ask whoever holds it to give it back (release)" },
        { "   --force", "Take it back from whoever holds it (release)" },
        { "   --grace=TIME", "Leave him that long first (release --force; 10 s)" },
        { "   --stale", "End the program left behind with it (release)" },
        { "   --mode=MODE", "normal, under-reset, hotplug or power-up (connect)" },
        { "   --leave=STATE", "attached, halted or running (connect, reset)" },
        { "   --speed=KHZ", "SWD clock, at most (connect, reset, halt, ...)" },
        { "   --ap=N", "Access port of the target (connect, read, write, ...)" },
        { "-o --output=FILE", "Where to put the bytes (read)" },
        { "   --reset", "Try nRST too, which resets the target (doctor)" },
        { "   --report=FILE", "Write the findings as a page to pass on (doctor)" },
        { "   --no-ask-password", "Do not ask for a password (run, connect, lock)" },
        { "-h --help", "Show this help" },
        { "   --version", "Show the version" },
};

static void print_line(const Line *line) {
        if (!line->right) {
                (void) printf("\n%s%s%s\n", text_style(STYLE_BOLD), line->left,
                              text_style(STYLE_NORMAL));
                return;
        }
        (void) printf("  %-25s%s\n", line->left, line->right);
}

int help_print(void) {
        (void) printf("stlinkctl [OPTIONS] [VERB]\n\n"
                      "%sSay who uses which ST-LINK debug probe, and take turns.%s\n",
                      text_style(STYLE_BOLD), text_style(STYLE_NORMAL));
        for (size_t i = 0; i < ELEMENTSOF(lines); i++)
                print_line(&lines[i]);
        (void) printf("\nA PROBE is named by its id, its serial or the first four or more "
                      "characters of\nit, its port (1-1.2), or its node "
                      "(/dev/bus/usb/001/004). See stlinkctl(1).\n");
        return EXIT_CODE_OK;
}

int help_print_version(void) {
        (void) printf("stlinkctl %s\n", PACKAGE_VERSION);
        return EXIT_CODE_OK;
}
