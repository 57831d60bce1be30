/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/string-table.h"
#include "ctl/client.h"
#include "ctl/number.h"
#include "ctl/options.h"
#include "ctl/parts.h"

#define GRACE_DEFAULT (10 * USEC_PER_SEC)
#define REASON_MAX    256 /* as the daemon's interface says */

static const struct option table[] = {
        { "json", no_argument, NULL, OPTION_JSON },
        { "no-legend", no_argument, NULL, OPTION_NO_LEGEND },
        { "probe", required_argument, NULL, OPTION_PROBE },
        { "wait", optional_argument, NULL, OPTION_WAIT },
        { "reason", required_argument, NULL, OPTION_REASON },
        { "until", required_argument, NULL, OPTION_UNTIL },
        { "for", required_argument, NULL, OPTION_FOR },
        { "pid", required_argument, NULL, OPTION_PID },
        { "with", required_argument, NULL, OPTION_WITH },
        { "delegate", required_argument, NULL, OPTION_DELEGATE },
        { "withdraw", no_argument, NULL, OPTION_WITHDRAW },
        { "mode", required_argument, NULL, OPTION_MODE },
        { "speed", required_argument, NULL, OPTION_SPEED },
        { "ap", required_argument, NULL, OPTION_AP },
        { "leave", required_argument, NULL, OPTION_LEAVE },
        { "output", required_argument, NULL, OPTION_OUTPUT },
        { "ask", no_argument, NULL, OPTION_ASK },
        { "force", no_argument, NULL, OPTION_FORCE },
        { "stale", no_argument, NULL, OPTION_STALE },
        { "grace", required_argument, NULL, OPTION_GRACE },
        { "full", no_argument, NULL, OPTION_FULL },
        { "expand", no_argument, NULL, OPTION_EXPAND },
        { "since", required_argument, NULL, OPTION_SINCE },
        { "svg", required_argument, NULL, OPTION_SVG },
        { "no-ask-password", no_argument, NULL, OPTION_NO_ASK_PASSWORD },
        { "report", required_argument, NULL, OPTION_REPORT },
        { "reset", no_argument, NULL, OPTION_RESET },
        { "help", no_argument, NULL, OPTION_HELP },
        { "version", no_argument, NULL, OPTION_VERSION },
        {},
};

void options_init(Options *options) {
        *options = (Options){ .legend = true, .grace = GRACE_DEFAULT };
}

const char *option_name(Option option) {
        for (const struct option *o = table; o->name; o++)
                if (o->val == (int) option)
                        return o->name;
        return NULL;
}

static int set_wait(Options *options, const char *text) {
        if (!text)
                options->wait = USEC_INFINITY;
        else if (parse_usec(text, &options->wait) < 0) {
                client_say("Not a time: '%s' (try --wait=30s, --wait=5min, or --wait alone).",
                           text);
                return -EINVAL;
        }
        return 0;
}

static int set_until(Options *options, const char *text) {
        if (strcmp(text, "tree") == 0)
                options->until = UNTIL_TREE;
        else if (strcmp(text, "main") == 0)
                options->until = UNTIL_MAIN;
        else {
                client_say("--until is 'tree' or 'main', not '%s'.", text);
                return -EINVAL;
        }
        return 0;
}

/* What it may be, the verb knows: see options_check_purpose(). */
static void set_purpose(Options *options, const char *text) {
        Usec limit;

        if (parse_usec(text, &limit) >= 0 && limit > 0)
                options->limit = limit;
        else
                options->purpose = text;
}

int options_check_purpose(const Options *options, const char **ret_kind) {
        *ret_kind = NULL;
        if (!options->purpose)
                return 0;
        if (strcmp(options->purpose, "firmware-update") == 0) {
                *ret_kind = options->purpose;
                return 0;
        }
        client_say("Not a time to hold it for: '%s' (try --for=10min, or "
                   "--for=firmware-update).",
                   options->purpose);
        return -EINVAL;
}

static int set_grace(Options *options, const char *text) {
        if (parse_usec(text, &options->grace) < 0 || options->grace == USEC_INFINITY) {
                client_say("Not a time to give: '%s' (try --grace=30s, or --grace=0).", text);
                return -EINVAL;
        }
        return 0;
}

static int set_pid(Options *options, const char *text) {
        char *end;
        long pid;

        errno = 0;
        pid = strtol(text, &end, 10);
        if (errno != 0 || *end != '\0' || pid <= 0 || pid > INT_MAX) {
                client_say("Not a process: '%s' (try --pid=$$).", text);
                return -EINVAL;
        }
        options->pid = (pid_t) pid;
        return 0;
}

static int set_parts(Options *options, const char *text) {
        if (parts_parse(text, &options->parts) < 0) {
                client_say("Not parts of a probe: '%s' (try --with=vcp,msd).", text);
                return -EINVAL;
        }
        return 0;
}

/* What it may be, the daemon knows. */
static int add_delegate(Options *options, const char *text) {
        if (options->n_delegates == DELEGATES_MAX) {
                client_say("A lease can be delegated to %d others at most.", DELEGATES_MAX);
                return -EINVAL;
        }
        options->delegates[options->n_delegates++] = text;
        return 0;
}

static const char *const connect_mode_table[] = {
        [CONNECT_NORMAL] = "normal",
        [CONNECT_UNDER_RESET] = "under-reset",
        [CONNECT_HOTPLUG] = "hotplug",
        [CONNECT_POWER_UP] = "power-up",
};
static const char *const leave_table[] = {
        [LEAVE_ATTACHED] = "attached",
        [LEAVE_HALTED] = "halted",
        [LEAVE_RUNNING] = "running",
};
DECLARE_STRING_TABLE(connect_mode, ConnectMode);
DECLARE_STRING_TABLE(leave, Leave);
DEFINE_STRING_TABLE(connect_mode, ConnectMode)
DEFINE_STRING_TABLE(leave, Leave)

static int set_mode(Options *options, const char *text) {
        int mode = connect_mode_from_string(text);

        if (mode < 0) {
                client_say("--mode is 'normal', 'under-reset', 'hotplug' or 'power-up', not '%s'.",
                           text);
                return -EINVAL;
        }
        options->mode = (ConnectMode) mode;
        return 0;
}

static int set_leave(Options *options, const char *text) {
        int leave = leave_from_string(text);

        if (leave < 0) {
                client_say("--leave is 'attached', 'halted' or 'running', not '%s'.", text);
                return -EINVAL;
        }
        options->leave = (Leave) leave;
        return 0;
}

static int set_number(const char *option, const char *text, uint32_t min, uint32_t max,
                      uint32_t *ret) {
        uint32_t value;

        if (parse_u32(text, &value) < 0 || value < min || value > max) {
                client_say("--%s is a number from %u to %u, not '%s'.", option, min, max, text);
                return -EINVAL;
        }
        *ret = value;
        return 0;
}

static int set_ap(Options *options, const char *text) {
        uint32_t ap;
        int r = set_number("ap", text, 0, UINT8_MAX, &ap);

        if (r >= 0)
                options->ap = (uint8_t) ap;
        return r;
}

/* Options that need no look at their value; false for any other. */
static bool set_plain(Options *options, int option, const char *value) {
        switch (option) {
        case OPTION_JSON:
                options->json = true;
                return true;
        case OPTION_NO_LEGEND:
                options->legend = false;
                return true;
        case OPTION_PROBE:
                options->probe = value;
                return true;
        case OPTION_REPORT:
                options->report = value;
                return true;
        case OPTION_RESET:
                options->reset = true;
                return true;
        case OPTION_NO_ASK_PASSWORD:
                options->no_ask_password = true;
                return true;
        case OPTION_EXPAND:
                options->expand = true;
                return true;
        case OPTION_SINCE:
                options->since = value;
                return true;
        case OPTION_SVG:
                options->svg = value;
                return true;
        case OPTION_OUTPUT:
                options->output = value;
                return true;
        default:
                return false;
        }
}

static int set_option(Options *options, int option, const char *value) {
        options->given |= (unsigned) option;
        if (set_plain(options, option, value))
                return 0;
        switch (option) {
        case OPTION_WAIT:
                return set_wait(options, value);
        case OPTION_REASON:
                if (strlen(value) > REASON_MAX) {
                        client_say("The reason is longer than %d bytes.", REASON_MAX);
                        return -EINVAL;
                }
                options->reason = value;
                break;
        case OPTION_FOR:
                set_purpose(options, value);
                break;
        case OPTION_PID:
                return set_pid(options, value);
        case OPTION_GRACE:
                return set_grace(options, value);
        case OPTION_WITH:
                return set_parts(options, value);
        case OPTION_DELEGATE:
                return add_delegate(options, value);
        case OPTION_UNTIL:
                return set_until(options, value);
        case OPTION_MODE:
                return set_mode(options, value);
        case OPTION_SPEED:
                return set_number("speed", value, 1, 100000, &options->speed_khz);
        case OPTION_AP:
                return set_ap(options, value);
        case OPTION_LEAVE:
                return set_leave(options, value);
        }
        return 0;
}

/* getopt_long() tells what went wrong by '?' or ':' and in optopt. */
static int complain(int c, const char *word) {
        const char *name = option_name((Option) optopt);

        if (c == ':')
                client_say("Option '%s%s' needs a value.", name ? "--" : "", name ? name : word);
        else if (name)
                client_say("Option '--%s' takes no value.", name);
        else if (strncmp(word, "--", 2) == 0)
                client_say("Unknown option '%s'.", word);
        else
                client_say("Unknown option '-%c'.", optopt);
        return -EINVAL;
}

int options_parse(Options *options, int argc, char **argv, bool in_order) {
        int c, r;

        optind = 0; /* start anew, also inside getopt's own state */
        opterr = 0;
        while ((c = getopt_long(argc, argv, in_order ? "+:hp:o:" : ":hp:o:", table, NULL)) != -1) {
                if (c == 'h')
                        c = OPTION_HELP;
                else if (c == 'p')
                        c = OPTION_PROBE;
                else if (c == 'o')
                        c = OPTION_OUTPUT;
                else if (c == '?' || c == ':')
                        return complain(c, argv[optind - 1]);
                r = set_option(options, c, optarg);
                if (r < 0)
                        return r;
        }
        return optind;
}
