/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>
#include <string.h>

#include "base/macro.h"
#include "ctl/verbs.h"

/* Of the verbs that take a probe. */
#define LEASE_OPTIONS (OPTION_PROBE | OPTION_WAIT | OPTION_REASON | OPTION_NO_ASK_PASSWORD)

/* Of those that talk to the target. */
#define TARGET_OPTIONS (LEASE_OPTIONS | OPTION_SPEED | OPTION_AP)

#define HISTORY_OPTIONS (OPTION_PROBE | OPTION_JSON | OPTION_NO_LEGEND | OPTION_SINCE | OPTION_SVG)
#define RELEASE_OPTIONS                                                                      \
        (OPTION_PROBE | OPTION_REASON | OPTION_NO_ASK_PASSWORD | OPTION_ASK | OPTION_FORCE | \
         OPTION_STALE | OPTION_GRACE)

/* The first is the one without a name. */
static const Verb verbs[] = {
        { "status", 0, -1, OPTION_JSON | OPTION_FULL | OPTION_NO_ASK_PASSWORD, false, verb_status },
        { "list", 0, 0, OPTION_JSON | OPTION_NO_LEGEND, false, verb_list },
        { "monitor", 0, 0, OPTION_JSON, false, verb_monitor },
        { "run", 1, -1,
          LEASE_OPTIONS | OPTION_UNTIL | OPTION_WITH | OPTION_FOR | OPTION_EXPAND | OPTION_DELEGATE,
          true, verb_run },
        { "connect", 0, 1, TARGET_OPTIONS | OPTION_JSON | OPTION_MODE | OPTION_LEAVE, false,
          verb_connect },
        { "reset", 0, 1, TARGET_OPTIONS | OPTION_LEAVE, false, verb_reset },
        { "halt", 0, 1, TARGET_OPTIONS, false, verb_halt },
        { "resume", 0, 1, TARGET_OPTIONS, false, verb_resume },
        { "read", 2, 2, TARGET_OPTIONS | OPTION_OUTPUT, false, verb_read },
        { "write", 2, -1, TARGET_OPTIONS, false, verb_write },
        { "mode", 0, 2, LEASE_OPTIONS, false, verb_mode },
        { "firmware", 0, 1, OPTION_PROBE | OPTION_JSON | OPTION_NO_LEGEND, false, verb_firmware },
        { "selector", 0, 1, OPTION_PROBE | OPTION_FOR | OPTION_JSON | OPTION_NO_LEGEND, false,
          verb_selector },
        { "alias", 0, 2, OPTION_JSON | OPTION_NO_LEGEND, false, verb_alias },
        { "unalias", 1, 1, 0, false, verb_unalias },
        { "lock", 0, 1, LEASE_OPTIONS | OPTION_FOR | OPTION_PID | OPTION_WITH | OPTION_DELEGATE,
          false, verb_lock },
        { "unlock", 0, 1, OPTION_PROBE, false, verb_unlock },
        { "delegate", 1, -1, OPTION_PROBE | OPTION_WITHDRAW, false, verb_delegate },
        { "release", 0, 1, RELEASE_OPTIONS, false, verb_release },
        { "renew", 0, 1, OPTION_PROBE, false, verb_renew },
        { "recover", 0, 1, LEASE_OPTIONS | OPTION_JSON, false, verb_recover },
        { "policy", 0, 1, OPTION_JSON | OPTION_NO_ASK_PASSWORD, false, verb_policy },
        { "tty", 0, 1, OPTION_PROBE, false, verb_tty },
        { "history", 0, 1, HISTORY_OPTIONS, false, verb_history },
        { "leases", 0, 0, OPTION_JSON | OPTION_NO_LEGEND, false, verb_leases },
        { "doctor", 0, 1,
          OPTION_PROBE | OPTION_WAIT | OPTION_NO_ASK_PASSWORD | OPTION_JSON | OPTION_REPORT |
                  OPTION_RESET,
          false, verb_doctor },
        { "explain", 0, -1, OPTION_JSON, false, verb_explain },
};

const Verb *verb_at(size_t index) {
        return index < ELEMENTSOF(verbs) ? &verbs[index] : NULL;
}

const Verb *verb_find(const char *name) {
        if (!name)
                return &verbs[0];
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (strcmp(verbs[i].name, name) == 0)
                        return &verbs[i];
        return NULL;
}

int exit_code_of_wrapper(ExitCode code) {
        switch (code) {
        case EXIT_CODE_OK:
                return EXIT_CODE_OK;
        case EXIT_CODE_USAGE:
        case EXIT_CODE_NO_PROBE:
        case EXIT_CODE_BUSY:
        case EXIT_CODE_DENIED:
        case EXIT_CODE_NO_DAEMON:
                return 119 + (int) code;
        default:
                return 119 + EXIT_CODE_FAILURE;
        }
}
