/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "bus/errors.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"

/* A probe that does not answer may be brought back, rung by rung. Who does that holds a lease, so
 * that nobody is disturbed, and says how far to go; each rung ends by asking the probe what it
 * is, for nothing else proves that it helped. */

static const char *const rungs[_JOB_RUNG_MAX] = {
        [JOB_RUNG_CHECK] = "check",
        [JOB_RUNG_DRAIN] = "drain",
        [JOB_RUNG_CLAIM] = "claim",
        [JOB_RUNG_RESET] = "reset",
};

static int find_rung(const char *step) {
        for (int i = 0; i < _JOB_RUNG_MAX; i++)
                if (strcmp(rungs[i], step) == 0)
                        return i;
        return -EINVAL;
}

int refuse_wedged(const Probe *probe, sd_bus_error *error) {
        if (probe->wedge == PROBE_WEDGE_REPLUG)
                return bus_error_setf(error, EREMOTEIO,
                                      "Probe %s does not answer, and nothing but a re-plug helps: "
                                      "unplug it from port %s and plug it in again",
                                      probe->id, probe->port_path);
        return bus_error_setf(error, EREMOTEIO,
                              "Probe %s does not answer. Try \"stlinkctl recover %s\", or unplug "
                              "it and plug it in again",
                              probe->id, probe->id);
}

/* Whoever has it open without a lease would be disturbed. */
static int check_no_stranger(ProbeEntry *entry, const Probe *probe, sd_bus_error *error) {
        const GateHolder *holders;
        size_t n = 0;

        (void) gate_node_rescan(entry->node);
        probe_entry_update(entry);
        holders = gate_node_holders(entry->node, &n);
        for (size_t i = 0; i < n && i < entry->n_members; i++)
                if (entry->members[i].lease == 0)
                        return bus_error_setf(error, EBUSY,
                                              "Probe %s is open in %s (pid %d) of %s, who has no "
                                              "lease. End that program first",
                                              probe->id, holders[i].process->command,
                                              (int) holders[i].process->pid,
                                              holders[i].process->user);
        return 0;
}

static int give_up(ProbeEntry *entry, const Probe *probe, sd_bus_message *message) {
        int r;

        r = probe_give_up(entry->manager->probes, entry->number, &entry->manager->probe_changes);
        if (r < 0)
                return r;
        if (probe->wedge == PROBE_WEDGE_REPLUG)
                journal_log(LOG_WARNING, MESSAGE_PROBE_NOT_ANSWERING, probe, 0, 0,
                            "Probe %s does not answer, whatever was tried; unplug it from port %s "
                            "and plug it in again",
                            probe->id, probe->port_path);
        r = bus_reply_recover(message, probe->wedge == PROBE_WEDGE_NONE, probe->reading.firmware,
                              NULL);
        manager_perform(entry->manager);
        return r;
}

static int climb(ProbeEntry *entry, const Probe *probe, LeaseId id, JobRung rung,
                 sd_bus_message *message, sd_bus_error *error) {
        int r = 0;

        if (!entry->node)
                return bus_error_setf(error, ENODEV, "The probe is not plugged in just now");
        if (task_is_recovering(entry))
                return bus_error_setf(error, EBUSY, "A step of the recovery is under way already");
        if (rung > JOB_RUNG_CHECK)
                r = check_no_stranger(entry, probe, error);
        if (r >= 0)
                r = task_new_recover(entry, rung, id, message);
        probe_entry_update(entry);
        manager_perform(entry->manager);
        return r;
}

int manager_recover(void *userdata, LeaseId id, const char *step, const BusCaller *caller,
                    sd_bus_message *message, sd_bus_error *error) {
        Manager *manager = userdata;
        int rung = find_rung(step);
        ProbeEntry *entry;
        const Probe *probe;
        int r;

        if (rung < 0 && strcmp(step, "give-up") != 0)
                return bus_error_setf(error, EINVAL, "Unknown step \"%s\"", step);
        r = manager_check_debug_lease(manager, id, caller, error);
        if (r < 0)
                return r;
        entry = probe_entry_get(manager, lease_get(manager->leases, id)->probe);
        probe = entry ? probe_get(manager->probes, entry->number) : NULL;
        if (!probe)
                return bus_error_setf(error, ENODEV, "The probe is not plugged in just now");
        return rung < 0 ? give_up(entry, probe, message)
                        : climb(entry, probe, id, (JobRung) rung, message, error);
}

static const char *problem_text(int error) {
        switch (error) {
        case -ETIMEDOUT:
                return "no answer";
        case -EPROTO:
                return "its answer makes no sense";
        case -EIO:
                return "the transfer failed";
        default:
                return strerror(-error);
        }
}

/* It may answer very well, to whoever has claimed it; that may be somebody who is just leaving, and
 * no user any more. */
static void tell_claimed(const Task *task, const Probe *probe) {
        const GateHolder *holders = NULL;
        size_t n = 0;

        if (task->probe->node)
                holders = gate_node_holders(task->probe->node, &n);
        if (n == 0)
                (void) sd_bus_reply_method_errorf(task->message, STLINKD_ERROR_BUSY,
                                                  "Probe %s was claimed just now, so it could not "
                                                  "be asked. Try again",
                                                  probe->id);
        else
                (void) sd_bus_reply_method_errorf(
                        task->message, STLINKD_ERROR_BUSY,
                        "Probe %s is used by %s (pid %d) of %s, so it cannot be asked. End that "
                        "program first",
                        probe->id, holders[0].process->command, (int) holders[0].process->pid,
                        holders[0].process->user);
}

static void log_recovery(const Task *task, const Probe *probe, int error) {
        const char *what = error == 0 ? "it answers" : problem_text(error);

        /* run asks each time, and is told what it expects. */
        if (task->rung == JOB_RUNG_CHECK && error == 0) {
                log_debug("Probe %s was asked: it answers", probe->id);
                return;
        }
        journal_log(LOG_NOTICE, MESSAGE_PROBE_RECOVERY, probe, task->lease, 0,
                    "Recovery of probe %s, step %s: %s", probe->id, rungs[task->rung], what);
}

void manager_recovered(const Task *task, const JobResult *result) {
        Manager *manager = task->probe->manager;
        const Probe *probe = probe_get(manager->probes, task->probe->number);
        ProbeReading reading;
        int r;

        if (result->error == -ENODEV) {
                (void) sd_bus_reply_method_errorf(task->message, STLINKD_ERROR_UNPLUGGED,
                                                  "Probe %s left its port", probe->id);
                return;
        }
        if (result->error == -EBUSY) {
                tell_claimed(task, probe);
                return;
        }
        reading_from_result(result, &reading);
        r = probe_checked(manager->probes, probe->number, result->error, &reading,
                          &manager->probe_changes);
        if (r < 0)
                log_error_errno(r, "Cannot note what became of a probe");
        log_recovery(task, probe, result->error);
        (void) bus_reply_recover(task->message, result->error == 0, reading.firmware,
                                 result->error == 0 ? NULL : problem_text(result->error));
}

/* --- for stlinkd-admin -------------------------------------------------------------------- */

static const Probe *find_on_port(Manager *manager, const char *port) {
        for (const Probe *p = NULL; (p = probe_next(manager->probes, p));)
                if (strcmp(p->port_path, port) == 0)
                        return p;
        return NULL;
}

void manager_obstacle(void *userdata, const char *port, const BusCaller *client, char *text,
                      size_t size) {
        Manager *manager = userdata;
        const Probe *probe = find_on_port(manager, port);
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        ProbeEntry *entry = probe ? probe_entry_get(manager, probe->number) : NULL;
        const Lease *lease = NULL;

        text[0] = '\0';
        if (!entry)
                return;
        while ((lease = lease_next(manager->leases, entry->number, lease))) {
                const LeaseEntry *holder = lease_entry_get(manager, lease->id);

                if (lease->state == LEASE_WAITING || !holder || manager_owns(holder, lease, client))
                        continue;
                text_busy(manager, probe, text, size);
                return;
        }
        if (entry->node && check_no_stranger(entry, probe, &error) < 0 && error.message)
                (void) snprintf(text, size, "%s", error.message);
        manager_perform(manager);
}
