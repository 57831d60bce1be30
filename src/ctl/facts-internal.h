/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/facts.h"
#include "udev/watch.h"

/* The parts of facts_gather(). */

/* What sysfs, the node and udev's rules say of one probe. 0 or -ENOMEM. */
int facts_read_probe(const UdevProbe *probe, ProbeFact *fact);
void probe_fact_done(ProbeFact *fact);

/* Who has the nodes open; from stlinkd where it knows, else by looking. 0 or a negative errno. */
int facts_find_holders(Facts *facts);

/* What is not about one probe. */
void facts_read_machine(Facts *facts);

/* "alice", or "1000" */
void facts_user_name(uid_t uid, char *name);
