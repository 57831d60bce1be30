/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/macro.h"
#include "base/time.h"
#include "core/lease.h"
#include "gate/gate.h"

/* stlinkd.conf. */

typedef struct Config {
        char *group;             /* [Access] Group: who may take leases without polkit */
        char *runtime_directory; /* [Daemon] RuntimeDirectory */
        char *state_directory;   /* [Daemon] StateDirectory; NULL: nothing is kept */
        GateKind gate;           /* [Daemon] Gate; _GATE_KIND_MAX: the best there is */
        Usec job_timeout;        /* [Probes] JobTimeout: for one worker, from its start */
        unsigned jobs_max;       /* [Probes] JobsMax: workers at the same time */
        Usec away_timeout;       /* [Probes] AwayTimeout: how long a probe is expected back */
        LeaseQuota quota;        /* [Leases] HeldMax, WaitingMax, ObjectsMax: per user */
} Config;

/* Read the defaults, then stlinkd.conf from the first of /etc, /run, /usr/local/lib and the
 * prefix's lib that has it, then the files stlinkd.conf.d/NAME.conf of all four in the order of
 * their names; of files with the same name only the first counts. root is put before each path, ""
 * for none. What makes no sense in a file is logged and left out. 0 or a negative errno. */
int config_load(const char *root, Config *ret);

/* The same from that one file, which must exist. */
int config_load_file(const char *path, Config *ret);

void config_done(Config *config);
#define _cleanup_config_ _cleanup_(config_done)
