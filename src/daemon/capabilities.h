/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Give up every capability that stlinkd has no use for. CAP_DAC_OVERRIDE is kept for the workers
 * that open nodes, out of effect in the daemon itself. It is no error to have none to begin
 * with. 0 or a negative errno. */
int capabilities_limit(void);
