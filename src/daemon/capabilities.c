/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <sys/capability.h>
#include <sys/pidfd.h>

#include "base/macro.h"
#include "daemon/capabilities.h"

/* What the gate needs: to enter other users' /proc/PID/fd (a folder that only they may read) and
 * follow what is in there, fanotify with process ids, and BPF. */
static const cap_value_t needed[] = { CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_BPF,
                                      CAP_PERFMON };

/* What is needed to end another user's program that was left behind: in effect for that moment
 * only. */
static const cap_value_t occasional = CAP_KILL;

/* What the workers need. */
static const cap_value_t inherited = CAP_DAC_OVERRIDE;

static void caps_freep(cap_t *caps) {
        if (*caps)
                (void) cap_free(*caps);
}

/* Keep value in some of the sets if it is permitted now. */
static int keep(cap_t from, cap_t to, cap_value_t value, const cap_flag_t *flags, size_t n) {
        cap_flag_value_t permitted = CAP_CLEAR;

        if (cap_get_flag(from, value, CAP_PERMITTED, &permitted) < 0)
                return 0; /* this kernel does not know it */
        if (permitted != CAP_SET)
                return 0;
        for (size_t i = 0; i < n; i++)
                if (cap_set_flag(to, flags[i], 1, &value, CAP_SET) < 0)
                        return -errno;
        return 0;
}

int capabilities_limit(void) {
        static const cap_flag_t used[] = { CAP_PERMITTED, CAP_EFFECTIVE };
        static const cap_flag_t passed[] = { CAP_PERMITTED, CAP_INHERITABLE };
        _cleanup_(caps_freep) cap_t now = cap_get_proc();
        _cleanup_(caps_freep) cap_t then = cap_init();
        cap_flag_value_t permitted = CAP_CLEAR;
        int r;

        if (!now || !then)
                return -errno;
        for (size_t i = 0; i < ELEMENTSOF(needed); i++) {
                r = keep(now, then, needed[i], used, ELEMENTSOF(used));
                if (r < 0)
                        return r;
        }
        r = keep(now, then, occasional, used, 1);
        if (r < 0)
                return r;
        r = keep(now, then, inherited, passed, ELEMENTSOF(passed));
        if (r < 0)
                return r;
        if (cap_set_proc(then) < 0)
                return -errno;
        if (cap_get_flag(then, inherited, CAP_PERMITTED, &permitted) < 0 || permitted != CAP_SET)
                return 0;
        return cap_set_ambient(inherited, CAP_SET) < 0 ? -errno : 0;
}

static int set_effective(cap_value_t value, cap_flag_value_t wanted) {
        _cleanup_(caps_freep) cap_t caps = cap_get_proc();

        if (!caps || cap_set_flag(caps, CAP_EFFECTIVE, 1, &value, wanted) < 0 ||
            cap_set_proc(caps) < 0)
                return -errno;
        return 0;
}

int capabilities_signal(int pidfd, int signal) {
        /* Without the capability it still works for programs of the same user. */
        bool raised = set_effective(occasional, CAP_SET) >= 0;
        int r = pidfd_send_signal(pidfd, signal, NULL, 0) < 0 ? -errno : 0;

        if (raised)
                (void) set_effective(occasional, CAP_CLEAR);
        return r;
}
