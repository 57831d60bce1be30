/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/time.h"

/* What was asked for on the command line. */

typedef enum Until {
        UNTIL_TREE, /* the command and everything it started are gone */
        UNTIL_MAIN, /* the command itself has ended */
} Until;

/* How to get hold of a target. */
typedef enum ConnectMode {
        CONNECT_NORMAL,      /* as it is */
        CONNECT_UNDER_RESET, /* held in reset meanwhile, then stopped at its first instruction */
        CONNECT_HOTPLUG,     /* as it is, and nothing but reading */
        CONNECT_POWER_UP,    /* when it is switched on, and stopped then */
} ConnectMode;

/* How to leave it. */
typedef enum Leave {
        LEAVE_AS_FOUND,
        LEAVE_ATTACHED, /* the same, the probe stays in SWD */
        LEAVE_HALTED,
        LEAVE_RUNNING,
} Leave;

/* Each option once, as a bit: which ones a verb takes, and which ones were given. The values are
 * no characters that anybody types, so that they can stand beside short options. */
typedef enum Option {
        OPTION_FULL = 1 << 0,
        OPTION_EXPAND = 1 << 1,
        OPTION_SINCE = 1 << 2,
        OPTION_SVG = 1 << 3,
        OPTION_DELEGATE = 1 << 4,
        OPTION_WITHDRAW = 1 << 7,
        OPTION_JSON = 1 << 8,
        OPTION_NO_LEGEND = 1 << 9,
        OPTION_PROBE = 1 << 10,
        OPTION_WAIT = 1 << 11,
        OPTION_REASON = 1 << 12,
        OPTION_UNTIL = 1 << 13,
        OPTION_HELP = 1 << 14,
        OPTION_VERSION = 1 << 15,
        OPTION_NO_ASK_PASSWORD = 1 << 16,
        OPTION_FOR = 1 << 17,
        OPTION_PID = 1 << 18,
        OPTION_WITH = 1 << 19,
        OPTION_ASK = 1 << 20,
        OPTION_FORCE = 1 << 21,
        OPTION_STALE = 1 << 22,
        OPTION_GRACE = 1 << 23,
        OPTION_MODE = 1 << 24,
        OPTION_SPEED = 1 << 25,
        OPTION_AP = 1 << 26,
        OPTION_LEAVE = 1 << 27,
        OPTION_OUTPUT = 1 << 28,
        OPTION_REPORT = 1 << 29,
        OPTION_RESET = 1 << 30,
} Option;

/* To how many others a lease may be delegated, as the daemon's interface says */
#define DELEGATES_MAX 8

typedef struct Options {
        unsigned given; /* mask of Option */
        bool json;
        bool legend;
        bool no_ask_password;
        const char *probe; /* NULL: the only one there is */
        Usec wait;         /* 0: not at all; USEC_INFINITY: without end */
        const char *reason;
        const char *report; /* file to write; NULL: none */
        bool reset;         /* the target may be reset */
        Until until;
        Usec limit;              /* 0: none */
        pid_t pid;               /* 0: not given */
        Usec grace;              /* before force is used */
        const char *since, *svg; /* NULL: not given */
        const char *delegates[DELEGATES_MAX];
        size_t n_delegates;
        unsigned parts; /* mask of ProbePart; 0: the debug interface alone */
        ConnectMode mode;
        unsigned speed_khz; /* 0: not given */
        uint8_t ap;
        Leave leave;
        const char *output;  /* NULL: not given */
        const char *purpose; /* what --for says if that is no time; NULL: nothing */
        bool expand;
} Options;

void options_init(Options *options);

/* Parse the options in argv[1] …; argv[0] is skipped. With in_order, parsing stops at the first
 * word that is no option, else options may stand anywhere before a "--". Returns the index of
 * the first word that is none (the others follow it), or -EINVAL after saying what is wrong. */
int options_parse(Options *options, int argc, char **argv, bool in_order);

/* What --for may say to verbs that take a lease: a time, which is in limit, or a kind of lease.
 * -EINVAL after saying that it is neither. */
int options_check_purpose(const Options *options, const char **ret_kind);

/* The name of a single option, "wait". */
const char *option_name(Option option);
