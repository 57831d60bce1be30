/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "bus/errors.h"
#include "daemon/access.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"

/* Taking a lease back: its holder is asked, has some time to finish, and then loses it. */

/* Nobody is asked by the same user more often than that. */
#define ASK_GAP (5 * USEC_PER_SEC)

/* "alice: stlinkctl (pid 33)"; what asks may be gone by now. */
static int describe_caller(const BusCaller *caller, char **ret) {
        _cleanup_(process_freep) Process *process = NULL;
        _cleanup_free_ char *user = NULL;
        char *text;
        int r;

        r = access_user_name(caller->uid, &user);
        if (r < 0)
                return r;
        if (caller->pid > 0 && process_identify(caller->pid, &process) < 0)
                process = NULL;
        if (process)
                r = asprintf(&text, "%s: %s (pid %d)", user, process->command, (int) caller->pid);
        else
                r = asprintf(&text, "%s", user);
        if (r < 0)
                return -ENOMEM;
        *ret = text;
        return 0;
}

static int check_lease(const LeaseEntry *entry, const Lease *lease, const RevokeOptions *options,
                       sd_bus_error *error) {
        if (!entry || !lease)
                return bus_error_setf(error, EOWNERDEAD, "The lease has ended");
        if (lease->state == LEASE_WAITING)
                return bus_error_setf(error, ENOLCK,
                                      "The lease still waits in the queue; only its owner, %s, can "
                                      "end that",
                                      entry->user);
        if (lease->kind == LEASE_FIRMWARE_UPDATE && options->grace != USEC_INFINITY)
                return bus_error_setf(error, EACCES,
                                      "%s updates the probe's firmware (%s, pid %d). To interrupt "
                                      "that may leave it useless, so nobody can; ask, or wait",
                                      entry->user, entry->command,
                                      entry->owner ? (int) entry->owner->pid : 0);
        return 0;
}

static int check_gap(const LeaseEntry *entry, const RevokeOptions *options, const BusCaller *caller,
                     Usec now, sd_bus_error *error) {
        if (options->grace != USEC_INFINITY || entry->asked_at == 0 ||
            entry->asked_uid != caller->uid || now >= usec_add(entry->asked_at, ASK_GAP))
                return 0;
        return bus_error_setf(error, EDQUOT, "You have just asked %s for it; give him a moment",
                              entry->user);
}

static int note_asked(LeaseEntry *entry, const RevokeOptions *options, const BusCaller *caller,
                      Usec now) {
        _cleanup_free_ char *by = NULL, *reason = strdup(options->reason);
        int r = reason ? describe_caller(caller, &by) : -ENOMEM;

        if (r < 0)
                return r;
        free(entry->asked_by);
        free(entry->asked_reason);
        entry->asked_by = TAKE_PTR(by);
        entry->asked_reason = TAKE_PTR(reason);
        entry->asked_uid = caller->uid;
        entry->asked_at = now;
        return 0;
}

int manager_revoke(void *userdata, LeaseId id, const RevokeOptions *options,
                   const BusCaller *caller, sd_bus_message *message, sd_bus_error *error) {
        Manager *manager = userdata;
        LeaseEntry *entry = lease_entry_get(manager, id);
        const Lease *lease = lease_get(manager->leases, id);
        Usec now = now_usec(CLOCK_MONOTONIC);
        int r;

        r = check_lease(entry, lease, options, error);
        if (r >= 0)
                r = check_gap(entry, options, caller, now, error);
        if (r >= 0)
                r = note_asked(entry, options, caller, now);
        if (r < 0)
                return r;
        if (options->grace == 0) {
                journal_log(LOG_NOTICE, MESSAGE_LEASE_ASKED,
                            probe_get(manager->probes, lease->probe), id, 0,
                            "%s takes the lease of %s: %s back%s%s", entry->asked_by, entry->user,
                            entry->command, options->reason[0] ? ", " : "", options->reason);
                lease_entry_end(entry, LEASE_END_REVOKED);
        } else {
                r = lease_revoke(manager->leases, id, options->grace, now, &manager->lease_changes);
                if (r < 0)
                        return r;
                manager_perform(manager);
        }
        return sd_bus_reply_method_return(message, NULL);
}

void lease_entry_asked(LeaseEntry *entry, const Probe *probe, const Lease *lease) {
        char when[FORMAT_USEC_MAX] = "";
        const char *reason = entry->asked_reason ?: "";
        Usec now = now_usec(CLOCK_MONOTONIC);

        if (lease->deadline != USEC_INFINITY)
                format_usec(when, sizeof(when), lease->deadline > now ? lease->deadline - now : 0);
        bus_lease_changed(entry->manager->bus, entry->id,
                          BUS_LEASE_PROPERTY_STATE | BUS_LEASE_PROPERTY_ASKED);
        bus_lease_asked(entry->manager->bus, entry->id, entry->asked_by ?: "", reason,
                        lease->deadline);
        journal_log(LOG_NOTICE, MESSAGE_LEASE_ASKED, probe, entry->id, 0,
                    "%s asks %s: %s to give back probe %s%s%s%s%s", entry->asked_by ?: "Somebody",
                    entry->user, entry->command, probe ? probe->id : "?",
                    when[0] ? ", which is taken in " : "", when, reason[0] ? ": " : "", reason);
}
