/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/ids.h"

/* The messages between stlinkd and stlinkd-worker, on a SOCK_SEQPACKET pair whose far end is
 * the worker's JOB_FD. One request, one answer, then the worker exits. The worker parses what
 * the device says; the daemon believes no more than the ranges given here. */

#define JOB_FD 3

typedef enum JobKind {
        JOB_IDENTIFY, /* F1, F5, then FB and F7 where they are allowed; nothing else */
        JOB_OPEN,     /* open the node, limit it to the debug interface, send the fd */
        JOB_CLOSE,    /* detach interface 0 from usbfs, take all rights from the fd sent along,
                       * give the kernel drivers back */
        _JOB_KIND_MAX,
} JobKind;

typedef struct JobRequest {
        uint32_t kind;       /* JobKind */
        uint32_t timeout_ms; /* for one USB transfer */
        uint16_t product_id; /* as udev said */
        uint8_t bus, device; /* numbers of the node */
        char node[64];       /* path of the node, NUL-terminated */
} JobRequest;

typedef struct JobResult {
        int32_t error; /* 0 or a negative errno: -EBUSY somebody has it claimed, -EACCES,
                        * -ENODEV unplugged, -ETIMEDOUT the probe does not answer, -EPROTO its
                        * answer makes no sense */
        uint8_t mode;  /* ProbeMode */
        uint8_t major, jtag, swim, msd, bridge, power; /* firmware V, J, S, M, B, P; 0: none */
        uint8_t has_swim, has_msd; /* whether S or M is part of the version's name */
        int32_t millivolts;        /* target voltage; -1: not measured */
        uint32_t commands;         /* ST-LINK commands that were sent */
} JobResult;
