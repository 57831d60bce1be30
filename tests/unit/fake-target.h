/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sim/target/target.h"

/* A target for tests of the firmware above it: a debug port, one page of memory, and answers
 * that the test chooses. */
typedef struct FakeTarget {
        TargetCondition condition;
        TargetCounters counters;
        unsigned millivolts;
        uint32_t dpidr;
        bool powers_up; /* acknowledges power-up requests */
        SwdAck ack;     /* of every access but to DP ABORT */
        bool sticky;    /* an access failed and ABORT was not written yet */
        uint32_t ctrl_stat, select, last_abort;
        unsigned aborts; /* writes to DP ABORT that cleared all errors */
        TargetAccess last_access;
        uint8_t last_ap;
        uint8_t memory[65536]; /* at FAKE_MEMORY */
        uint32_t registers[32];
        uint32_t dcrdr, dhcsr;
        uint64_t instructions;
        bool nrst_low;
} FakeTarget;

#define FAKE_MEMORY UINT32_C(0x20000000)

FakeTarget *fake_target(Target *target);
