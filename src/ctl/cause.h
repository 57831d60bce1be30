/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "ctl/facts.h"

/* What may be behind a failure, each checked against what is known of the machine. Pure: facts
 * in, findings out. */

typedef enum Cause {
        CAUSE_HELD,        /* another program uses the probe */
        CAUSE_NOT_PLUGGED, /* there is no probe */
        CAUSE_NO_PERMISSION,
        CAUSE_RULES_DROPPED, /* a udev rule that systemd does not accept */
        CAUSE_WEDGED,
        CAUSE_UNPLUGGED, /* it was there, and is gone or comes and goes */
        CAUSE_RESET_BY_OTHER,
        CAUSE_CABLE, /* cable, hub or port */
        CAUSE_CONTROLLER_FULL,
        CAUSE_NO_DRIVER,
        CAUSE_LOADER, /* the probe is in its boot loader */
        CAUSE_OLD_FIRMWARE,
        CAUSE_SERIAL, /* spelled in another way, or another probe's */
        CAUSE_AMBIGUOUS,
        CAUSE_SEVERAL,
        CAUSE_PID_UNKNOWN,
        CAUSE_ROM_LOADER, /* an STM32's own boot loader was taken for a probe */
        CAUSE_TCP_PORT,
        CAUSE_STLINK_SERVER,
        CAUSE_LAB_PLACE,
        CAUSE_CONTAINER,
        CAUSE_WSL,
        CAUSE_TARGET_POWER,
        CAUSE_TARGET_HIDDEN, /* asleep, or it uses the SWD pins for something else */
        CAUSE_TARGET_SILENT,
        CAUSE_READ_PROTECTED,
        CAUSE_RESET_LINE,
        CAUSE_VOLTAGE_UNMEASURED,
        CAUSE_CHIP_UNKNOWN,
        CAUSE_CHIP_CLONE,
        CAUSE_STALE_DISK,
        CAUSE_MODEM_MANAGER,
        _CAUSE_MAX,
} Cause;

typedef enum Certainty {
        CERTAINTY_SEEN,      /* it is so, on this machine, now */
        CERTAINTY_POSSIBLE,  /* nothing speaks against it, or it takes the probe to find out */
        CERTAINTY_RULED_OUT, /* it is not so, now */
} Certainty;

#define FINDING_TEXT_MAX 512

typedef struct Finding {
        Cause cause;
        Certainty certainty;
        char evidence[FINDING_TEXT_MAX]; /* what was looked at and found; a sentence */
        char next[FINDING_TEXT_MAX];     /* a command to type, or a thing to do; may be "" */
} Finding;

/* "held", "not-plugged" …; NULL for _CAUSE_MAX. */
const char *cause_name(Cause cause);

/* What it is, as a sentence without a full stop. */
const char *cause_title(Cause cause);

void cause_check(Cause cause, const Facts *facts, Finding *ret);

/* Check these causes and order what comes out: what was seen first, what was ruled out last, and
 * else as they are given. */
void causes_check(const Cause *causes, size_t n, const Facts *facts, Finding *findings);
