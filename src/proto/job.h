/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/ids.h"

/* The messages between stlinkd and stlinkd-worker, on a SOCK_SEQPACKET pair whose far end is
 * the worker's JOB_FD. One request, one answer, then the worker exits. The worker parses what
 * the device says; the daemon believes no more than the ranges given here.
 *
 * When the daemon hangs up, the worker gives up cleanly. A probe that takes commands and never
 * answers costs two transfers' time and some 50 ms; a deadline should be longer than that. */

#define JOB_FD 3

/* The longest that one USB transfer may be given. */
#define JOB_TRANSFER_TIMEOUT_MAX_MS 60000

typedef enum JobKind {
        JOB_IDENTIFY, /* F1, F5, then FB and F7 where they are allowed; nothing else */
        JOB_OPEN,     /* open the node, take the debug interface from a kernel driver, limit the fd
                       * to that interface and send it; -EBUSY when a program has claimed it */
        JOB_CLOSE,    /* with an fd: take all rights from that open file and end its claim, nobody
                       * else's. Without: take the debug interface from whoever has claimed it.
                       * Then give the kernel drivers back */
        JOB_RECOVER,  /* a rung, then what JOB_IDENTIFY sends, which is the proof that it helped */
        _JOB_KIND_MAX,
} JobKind;

/* What can be done through its node to a probe that does not answer, from the gentlest on. */
typedef enum JobRung {
        JOB_RUNG_CHECK, /* nothing: see whether it answers */
        JOB_RUNG_DRAIN, /* end the halts of its pipes and throw away what waits in them */
        JOB_RUNG_CLAIM, /* take the debug interface from whoever has it, then set it up anew */
        JOB_RUNG_RESET, /* reset its port. With -ENODEV it re-enumerates */
        _JOB_RUNG_MAX,
} JobRung;

typedef struct JobRequest {
        uint32_t kind;       /* JobKind */
        uint32_t rung;       /* JobRung, with JOB_RECOVER */
        uint32_t timeout_ms; /* for one USB transfer, up to 60000; 0: 1000 */
        uint16_t product_id; /* as udev said */
        uint8_t bus, device; /* numbers of the node */
        char node[64];       /* its path, NUL-terminated: /dev/bus/usb/BBB/DDD with these numbers */
} JobRequest;

typedef struct JobResult {
        int32_t error; /* 0 or a negative errno: -EBUSY somebody has it claimed, -EACCES,
                        * -ENODEV unplugged, -ETIMEDOUT the probe does not answer, -EPROTO its
                        * answer makes no sense or is refused, -EIO the transfer failed,
                        * -EINVAL or -EBADMSG a bad request */
        uint8_t mode;  /* ProbeMode */
        uint8_t major, jtag, swim, msd, bridge, power; /* firmware V, J, S, M, B, P; 0: none */
        uint8_t has_swim, has_msd; /* whether S or M is part of the version's name */
        int32_t millivolts;        /* target voltage; -1: not measured */
        uint32_t commands;         /* ST-LINK commands that were sent */
        uint32_t claimed_us; /* the longest time that the interface was claimed at a stretch */
} JobResult;
