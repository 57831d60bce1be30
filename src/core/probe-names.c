/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/probe.h"

/* The words of core/probe.h, for programs that do not decide anything themselves. */

static const char *const probe_state_table[] = {
        [PROBE_IDENTIFYING] = "identifying",
        [PROBE_FREE] = "free",
        [PROBE_IN_USE] = "in-use",
        [PROBE_CLAIMED] = "claimed",
        [PROBE_LEASED] = "leased",
        [PROBE_SWITCHING] = "switching",
        [PROBE_NOT_ANSWERING] = "not-answering",
};
DEFINE_STRING_TABLE(probe_state, ProbeState)

static const char *const probe_wedge_table[] = {
        [PROBE_WEDGE_NONE] = "none",
        [PROBE_WEDGE_SILENT] = "silent",
        [PROBE_WEDGE_REPLUG] = "needs-replug",
};
DEFINE_STRING_TABLE(probe_wedge, ProbeWedge)
