/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/ids.h"
#include "proto/chips.h"
#include "proto/firmware.h"
#include "proto/step.h"
#include "proto/swd.h"

/* What has to be said to a probe, in which order, to get something done. A step machine (see
 * proto/step.h): it decides, others send. One session goes through several plans, one after the
 * other, and remembers what it learned. */

typedef enum SessionPlan {
        SESSION_IDENTIFY,        /* F1, F5, and FB and F7 where they are allowed; nothing else */
        SESSION_ENTER_SWD,       /* from whatever mode the probe is in */
        SESSION_IDENTIFY_TARGET, /* after SESSION_ENTER_SWD */
        SESSION_MEASURE_VOLTAGE, /* after the version is known */
        SESSION_LEAVE_SWD,
        SESSION_LEAVE_MODE,   /* whatever it is, the probe is idle afterwards */
        SESSION_ENTER_LOADER, /* from whatever mode; its application ends without an answer */
        _SESSION_PLAN_MAX,
} SessionPlan;

typedef struct SessionOptions {
        unsigned swd_khz;      /* SWD clock, at most; 0: SWD_KHZ_DEFAULT */
        uint8_t generation;    /* of the hardware, as the product ID tells it: Firmware.major; 0
                                * when it does not */
        bool may_leave_loader; /* a probe found in its boot loader may be told to start its
                                * application, if the boot loader is idle */
        bool under_reset;      /* hold the target in reset while SWD is entered, and after it */
} SessionOptions;

#define SWD_KHZ_DEFAULT 1800

/* What was learned about the probe. */
typedef struct ProbeInfo {
        Firmware firmware;
        ProbeMode mode;    /* as found, before anything was sent to change it */
        bool left_loader;  /* it was told to leave its boot loader. When -ENODEV follows, it
                            * re-enumerates: wait for it and open it anew */
        unsigned swd_khz;  /* clock that was chosen; 0 before, or when it cannot be set */
        int millivolts;    /* of the target; -1: not read, or not measurable */
        unsigned commands; /* ST-LINK commands sent so far */
} ProbeInfo;

/* What was learned about the target. */
typedef struct ProbeTarget {
        uint32_t dpidr;
        uint32_t cpuid;     /* 0: could not be read */
        uint32_t idcode;    /* DBGMCU_IDCODE; 0: could not be read */
        const Chip *chip;   /* NULL: not in our table */
        unsigned flash_kib; /* 0: could not be read, or the chip is not known */
        uint8_t status;     /* Status: of the last access that failed, or STATUS_OK */
} ProbeTarget;

typedef struct Session {
        SessionOptions options;
        ProbeInfo info;
        ProbeTarget target;
        ProbeMode mode; /* now */
        uint8_t status; /* Status: what the probe reported with the last -EREMOTEIO */
        bool entered;   /* SWD was entered, or tried to be, and not left since */
        bool nrst_low;  /* nRST was pulled low; whoever runs the session releases it */

        /* private */
        SessionPlan plan;
        unsigned phase;
        int error;
        bool resynced, drain, in_access;
        size_t candidate;
        SwdAccess access;
} Session;

void session_init(Session *session, const SessionOptions *options);

/* Start a plan; whatever was going on is forgotten. */
void session_begin(Session *session, SessionPlan plan);

/* 1: *ret is to be done. 0: the plan is done. Errors:
 *   -EPROTO       an answer makes no sense, even after the pipes were drained; a stall counts too
 *   -ETIMEDOUT    no answer
 *   -EPERM        the probe is in its boot loader, and the options say to leave it there
 *   -EINPROGRESS  likewise, and the boot loader is in the middle of something
 *   -EIO          it was told to start its application and is still in its boot loader: there
 *                 may be no valid application
 *   -EOPNOTSUPP   the firmware cannot do it
 *   -EREMOTEIO    the probe reported session->status
 *   and others that were fed */
int session_next(Session *session, Step *ret);
void session_feed(Session *session, int error, const uint8_t *reply, size_t size);
