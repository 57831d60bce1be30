/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"
#include "proto/chips.h"
#include "usb/probe-session.h"

/* What can be done with a target over a session that has entered SWD: its memory and its core.
 * Errors are those of the session (usb/probe-session.h); what the core was made to do is undone
 * by target_link_done() unless target_link_commit() came before. */

typedef struct TargetLink {
        ProbeSession *session; /* the caller's; outlives the link */
        uint8_t ap;
        uint32_t fault_address; /* after -EREMOTEIO from memory: where, as well as it is known */

        /* private */
        bool ap_open;
        bool dhcsr_changed, demcr_changed;
        uint32_t dhcsr; /* as found: C_DEBUGEN, C_HALT and C_MASKINTS */
        uint32_t demcr; /* as found */
} TargetLink;

typedef enum CoreState {
        CORE_UNKNOWN, /* there is no core behind this access port, or it cannot be read */
        CORE_RUNNING,
        CORE_HALTED,
        CORE_SLEEPING,
        CORE_LOCKED_UP,
        CORE_IN_RESET,
} CoreState;

/* "running", "halted", "sleeping", "locked-up", "in-reset"; NULL for unknown. */
const char *core_state_to_string(CoreState state);

/* Use access port ap. Others than 0: -EOPNOTSUPP when this firmware cannot; the link has no session
 * when it could not be opened. */
int target_link_init(TargetLink *link, ProbeSession *session, uint8_t ap);

/* Put the core back to what it was found as, close the access port. */
void target_link_done(TargetLink *link);

/* What was done to the core is to stay. */
void target_link_commit(TargetLink *link);

/* -ERANGE when the range does not fit into 32 bits. */
int target_link_read(TargetLink *link, uint32_t address, uint8_t *data, size_t size);
int target_link_write(TargetLink *link, uint32_t address, const uint8_t *data, size_t size);

int target_link_read_word(TargetLink *link, uint32_t address, uint32_t *ret);
int target_link_write_word(TargetLink *link, uint32_t address, uint32_t value);

/* What there is besides ProbeTarget; none of it is an error when it cannot be read. */
typedef struct TargetDetails {
        uint32_t ap_idr; /* 0: not read */
        CoreState core;
        bool debugged;  /* C_DEBUGEN is set: a debugger was here */
        uint32_t dhcsr; /* as read */
        Rdp rdp;
} TargetDetails;

/* Reads only. Returns an error only when the probe does not answer any more. */
int target_link_examine(TargetLink *link, const ProbeTarget *target, TargetDetails *ret);

/* Halt the core; -ETIME when it does not within half a second. */
int target_link_halt(TargetLink *link);

/* Let the core run. When it stands at a breakpoint it steps over it. Debugging stays enabled
 * when breakpoints are set (*ret_breakpoints of them), else it is switched off, so that the next
 * fault is the program's own affair again. */
int target_link_resume(TargetLink *link, unsigned *ret_breakpoints);

typedef enum ResetLine {
        RESET_NONE,   /* nothing reset it */
        RESET_NRST,   /* the nRST line did */
        RESET_SYSTEM, /* the core itself did, on request (SYSRESETREQ): nRST is not wired, or the
                       * probe has none */
} ResetLine;

/* Reset the target, and with halt stop it at its first instruction. */
int target_link_reset(TargetLink *link, bool halt, ResetLine *ret);

/* After a session that entered SWD under reset: release nRST, and stop the core at its first
 * instruction. -ETIME when it could not be stopped. */
int target_link_catch_reset(TargetLink *link, ResetLine *ret);
