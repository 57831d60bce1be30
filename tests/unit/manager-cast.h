/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager-world.h"

/* The usual cast: one world, one probe, three clients. */

#define ID    "066DFF495177514867161616"
#define PORT  "1-1"
#define NODE  "/dev/bus/usb/001/002"
#define WAIT  "wait", "t"
#define NEVER ((uint64_t) -1)

extern World world;
extern Client alice, bob, carol;

/* Fixtures. The second is the first after the test has begun the world itself. */
void cast_begin(void);
void cast_enter(void);
void cast_end(void);

/* State of a probe, "" when there is none, and of the lease that was acquired; wait until a
 * probe has that state. */
const char *state(const char *id);
void wait_state(const char *id, const char *wanted);
const char *lease_state(const Answer *answer);

/* Wait until so many leases are held or waited for. */
void wait_leases(unsigned n);

/* Plug the probe in and wait until it is free. */
void plug(const char *node);

/* Wait for an answer with this error, "" for none. */
void wait_for(Answer *answer, const char *error);

/* What the workers did so far, without the node's name: "identify-begins identify-ends". */
const char *worker_log(void);

/* Wait until that has appeared in it. */
void wait_worker(const char *what);
