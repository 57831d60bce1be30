/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "bus/errors.h"
#include "ctl/row.h"
#include "ctl/snapshot.h"

/* The parts of a probe beside its debug interface: serial ports and disk. */

/* Cells "parts" (with "part", "interface", "device", "link" and "mounts"), "tty" and "disk". */
void parts_describe(Row *row, const ProbeView *probe);

/* Whether it has another part open than the probe's node. */
bool parts_is_beside(const HolderView *holder);

/* The first part of that name for which the kernel made a device, or NULL. */
const PartView *parts_find(const ProbeView *probe, const char *name);

/* Where its device, or a partition of it, is mounted: strings that end with NULL, and the caller
 * frees; NULL without memory. */
char **parts_mounts(const PartView *part);

/* Of "vcp,msd": the mask of ProbePart, with that of the debug interface. -EINVAL. */
int parts_parse(const char *text, unsigned *ret);

/* Before these parts are leased: say who uses them already. A disk that is mounted cannot be had:
 * then EXIT_CODE_BUSY. */
ExitCode parts_check(const ProbeView *probe, unsigned parts);
