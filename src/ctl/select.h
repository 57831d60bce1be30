/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "ctl/snapshot.h"

/* Which probe somebody means. A probe is named by its id, its serial (as it is, or as the
 * descriptor reports it), the beginning of its serial from SELECT_PREFIX_MIN characters on, its
 * port path, or its node. Upper and lower case are the same in serials and ids. */

#define SELECT_PREFIX_MIN 4

/* Find the probe of that name; a NULL name means the only one there is. What names a probe
 * exactly goes before the beginning of another's serial.
 *   0          *ret is the probe
 *   -ENOENT    no probe has this name, or without a name: there is none
 *   -ENOTUNIQ  several have; *ret_candidates and *ret_n are those, the array is the caller's
 *   -ENOMEM */
int select_probe(const Snapshot *snapshot, const char *name, ProbeView **ret,
                 ProbeView ***ret_candidates, size_t *ret_n);
