/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Give up every capability that stlinkd has no use for. CAP_DAC_OVERRIDE is kept for the workers
 * that open nodes, and CAP_KILL for capabilities_signal(), both out of effect. It is no error to
 * have none to begin with. 0 or a negative errno. */
int capabilities_limit(void);

/* Send a signal to another user's process. 0 or a negative errno; -EPERM without CAP_KILL. */
int capabilities_signal(int pidfd, int signal);
