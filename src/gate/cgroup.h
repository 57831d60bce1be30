/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where a process runs, told from its control group (cgroups(7)). An unconfined process can
 * imitate all of it: good for showing, not for granting. */

typedef struct CgroupPlace {
        char *path;      /* of the control group; NULL when it cannot be told */
        char *unit;      /* "openocd.service", "session-5.scope"; NULL for none */
        char *session;   /* "5"; NULL for none */
        char *container; /* "docker:0123456789ab"; NULL for none */
} CgroupPlace;

/* Read the contents of a /proc/PID/cgroup file. Names are made printable. Returns 0, with
 * nothing in *ret when there is nothing to be told, or -ENOMEM. */
int cgroup_parse(const char *text, CgroupPlace *ret);
void cgroup_place_done(CgroupPlace *place);
