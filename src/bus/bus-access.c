/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "bus/bus-internal.h"
#include "bus/errors.h"

/* What helps, by the rule that we ship */
#define JOIN_GROUP                                                                             \
        ". Members of group stlink may from anywhere: run \"sudo usermod -aG stlink $USER\", " \
        "then log in again"

static const struct {
        const char *name, *what, *help;
} actions[_BUS_ACTION_MAX] = {
        [BUS_ACTION_LEASE] = { STLINKD_ACTION_LEASE, "take a lease", JOIN_GROUP },
        [BUS_ACTION_USE] = { STLINKD_ACTION_USE, "use the target", JOIN_GROUP },
        [BUS_ACTION_MODE_SWITCH] = { STLINKD_ACTION_MODE_SWITCH, "change the probe's mode",
                                     JOIN_GROUP },
        [BUS_ACTION_FIRMWARE] = { STLINKD_ACTION_FIRMWARE, "update the probe's firmware", "" },
        [BUS_ACTION_BREAK_LEASE] = { STLINKD_ACTION_BREAK_LEASE, "take the probe from another user",
                                     "" },
        [BUS_ACTION_SEE_ALL] = { STLINKD_ACTION_SEE_ALL, "see other users' command lines", "" },
};

static int refuse_challenge(sd_bus_message *message, BusAction action, sd_bus_error *error) {
        bool asked = sd_bus_message_get_allow_interactive_authorization(message) > 0;

        return bus_error_setf(error, asked ? EACCES : ENOKEY,
                              "You may %s only with an administrator's password (polkit action "
                              "%s)%s%s",
                              actions[action].what, actions[action].name,
                              asked ? ", and no polkit agent is there to ask for it" : "",
                              actions[action].help);
}

static int decide(Bus *bus, sd_bus_message *message, const BusCaller *caller, BusAction action,
                  const Probe *probe, const char *holder, sd_bus_error *error) {
        /* Nothing that may change while polkit is asked, but the probe and the holder. */
        const PolkitDetail details[] = {
                { "probe.name", probe->id },
                { "probe.serial", probe->serial },
                { "holder", holder },
        };
        int r;

        r = polkit_check(bus->polkit, message, caller, actions[action].name, details,
                         ELEMENTSOF(details) - (holder ? 0 : 1), error);
        switch (r) {
        case POLKIT_YES:
                return 1;
        case POLKIT_PENDING:
                return 0;
        case POLKIT_ABSENT:
                r = bus->ops->allow(bus->userdata, action, caller, error);
                return r < 0 ? r : 1;
        case POLKIT_CHALLENGE:
                return refuse_challenge(message, action, error);
        case POLKIT_NO:
                return bus_error_setf(error, EACCES, "polkit does not let you %s (action %s)%s",
                                      actions[action].what, actions[action].name,
                                      actions[action].help);
        default:
                return r;
        }
}

int bus_authorize_against(Bus *bus, sd_bus_message *message, const BusCaller *caller,
                          BusAction action, const Probe *probe, const char *holder,
                          sd_bus_error *error) {
        int r = decide(bus, message, caller, action, probe, holder, error);

        /* Who may not look wanted nothing that anybody holds. */
        if (r == -EACCES && action != BUS_ACTION_SEE_ALL)
                bus->ops->denied(bus->userdata, probe, caller);
        return r;
}

int bus_authorize(Bus *bus, sd_bus_message *message, const BusCaller *caller, BusAction action,
                  const Probe *probe, sd_bus_error *error) {
        return bus_authorize_against(bus, message, caller, action, probe, NULL, error);
}
