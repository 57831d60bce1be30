/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "bus/errors.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"
#include "proto/firmware.h"

/* A probe that answers at all does so within milliseconds, but a bus with a hundred of them, or
 * a machine that is busy, takes its time. A worker gives up after two transfers without an
 * answer, which has to fit into its deadline with room for the rest. */
static uint32_t transfer_timeout_ms(const Config *config) {
        Usec timeout = config->job_timeout * 2 / 5;

        return (uint32_t) MIN(timeout / USEC_PER_MSEC, (Usec) JOB_TRANSFER_TIMEOUT_MAX_MS);
}

/* What a rung of recovery may take beside that: the kernel gives a control request to a probe that
 * does not answer five seconds, and tries a reset several times. */
#define RECOVERY_TIMEOUT (30 * USEC_PER_SEC)

static void task_start(Task *task);

static Task *task_free(Task *task) {
        if (task->kind == JOB_CLOSE)
                manager_drop_node(task->lease);
        list_remove(&task->link);
        safe_close(task->fd);
        sd_bus_message_unref(task->message);
        free(task);
        return NULL;
}

bool task_is_running(const ProbeEntry *probe) {
        return !list_is_empty(&probe->tasks);
}

static const Probe *task_probe(const Task *task) {
        return probe_get(task->probe->manager->probes, task->probe->number);
}

/* --- what came of it ---------------------------------------------------------------------- */

static void log_not_identified(const Probe *probe, int error) {
        switch (error) {
        case -EBUSY:
                journal_log(LOG_INFO, NULL, probe, 0, 0,
                            "Probe %s was taken by somebody before it could be read", probe->id);
                return;
        case -ENODEV:
                return; /* its going is told by udev */
        case -EACCES:
        case -EPERM:
                journal_log(LOG_ERR, NULL, probe, 0, error,
                            "Cannot open %s, so probe %s stays unread; check that stlinkd's udev "
                            "rules are installed and plug the probe in again",
                            probe->node, probe->id);
                return;
        case -ETIMEDOUT:
        case -EPROTO:
        case -EIO:
                journal_log(LOG_WARNING, MESSAGE_PROBE_NOT_ANSWERING, probe, 0, error,
                            "Probe %s on port %s does not answer; try \"stlinkctl recover\", or "
                            "unplug it and plug it in again",
                            probe->id, probe->port_path);
                return;
        default:
                journal_log(LOG_ERR, NULL, probe, 0, error, "Cannot read probe %s", probe->id);
        }
}

void reading_from_result(const JobResult *result, ProbeReading *ret) {
        Firmware firmware = {
                .major = result->major,
                .jtag = result->jtag,
                .swim = result->swim,
                .msd = result->msd,
                .bridge = result->bridge,
                .power = result->power,
                .has_swim = result->has_swim,
                .has_msd = result->has_msd,
        };

        *ret = (ProbeReading){ .mode = (ProbeMode) result->mode, .millivolts = result->millivolts };
        firmware_name(&firmware, ret->firmware, sizeof(ret->firmware));
}

static void identify_done(Task *task, const JobResult *result) {
        Manager *manager = task->probe->manager;
        ProbeReading reading;
        int r;

        reading_from_result(result, &reading);
        if (result->error < 0)
                log_not_identified(task_probe(task), result->error);
        r = probe_identified(manager->probes, task->probe->number, result->error, &reading,
                             &manager->probe_changes);
        if (r < 0)
                log_error_errno(r, "Cannot note what was read from a probe");
}

static void reply_not_opened(Task *task, int error) {
        const Probe *probe = task_probe(task);
        char text[TEXT_MAX];

        switch (error) {
        case -EBUSY:
                text_busy(task->probe->manager, probe, text, sizeof(text));
                (void) sd_bus_reply_method_errorf(task->message, STLINKD_ERROR_BUSY, "%s", text);
                return;
        case -ENODEV:
                (void) sd_bus_reply_method_errorf(task->message, STLINKD_ERROR_UNPLUGGED,
                                                  "Probe %s was unplugged", probe->id);
                return;
        case -ETIMEDOUT:
        case -EPROTO:
        case -EIO:
                (void) sd_bus_reply_method_errorf(
                        task->message, STLINKD_ERROR_NOT_ANSWERING,
                        "Probe %s does not answer; try \"stlinkctl recover %s\"", probe->id,
                        probe->id);
                return;
        case -EACCES:
        case -EPERM:
                (void) sd_bus_reply_method_errorf(
                        task->message, SD_BUS_ERROR_ACCESS_DENIED,
                        "stlinkd itself may not open %s; check that its udev rules are "
                        "installed and plug the probe in again",
                        probe->node);
                return;
        default:
                (void) sd_bus_reply_method_errorf(task->message, SD_BUS_ERROR_FAILED,
                                                  "Cannot open probe %s: %s", probe->id,
                                                  strerror(-error));
        }
}

static void open_done(Task *task, const JobResult *result, int *fd) {
        Manager *manager = task->probe->manager;
        LeaseEntry *entry = lease_entry_get(manager, task->lease);

        if (entry)
                entry->opening = false;
        if (entry && result->error == 0) {
                entry->node = TAKE_FD(*fd);
                lease_entry_keep_node(entry);
                (void) bus_reply_open(task->message, entry->node);
                return;
        }
        if (entry) {
                reply_not_opened(task, result->error);
                return;
        }
        (void) sd_bus_reply_method_errorf(task->message, STLINKD_ERROR_LEASE_LOST,
                                          "The lease ended while the probe was being opened");
        if (*fd >= 0)
                (void) task_new(task->probe, JOB_CLOSE, task->lease, *fd, NULL);
}

static void close_done(Task *task, const JobResult *result) {
        LeaseEntry *entry = lease_entry_get(task->probe->manager, task->lease);

        if (result->error < 0 && result->error != -ENODEV)
                journal_log(LOG_WARNING, NULL, task_probe(task), task->lease, result->error,
                            "Cannot take back the descriptor of a lease that ended");
        if (entry && entry->clearing)
                lease_entry_hand_over(entry);
}

static LeaseEntry *find_impatient(ProbeEntry *probe) {
        Manager *manager = probe->manager;

        LIST_FOREACH(&manager->lease_entries, LeaseEntry, entry, link) {
                const Lease *lease = lease_get(manager->leases, entry->id);

                if (entry->probe == probe->number && entry->impatient && lease &&
                    lease->state == LEASE_WAITING)
                        return entry;
        }
        return NULL;
}

/* Requests that would only have waited for our own worker are not kept waiting for others. */
static void end_impatient(ProbeEntry *probe) {
        LeaseEntry *entry;

        while ((entry = find_impatient(probe)))
                lease_entry_end(entry, LEASE_END_TIMEOUT);
}

static void task_finish(Task *task, const JobResult *result, int *fd) {
        ProbeEntry *probe = task->probe;

        task->job = NULL;
        /* By whom is what everybody wants to know. */
        if (result->error == -EBUSY && probe->node) {
                (void) gate_node_rescan(probe->node);
                probe_entry_update(probe);
        }
        if (task->kind == JOB_IDENTIFY)
                identify_done(task, result);
        else if (task->kind == JOB_OPEN)
                open_done(task, result, fd);
        else if (task->kind == JOB_RECOVER)
                manager_recovered(task, result);
        else
                close_done(task, result);
        task_free(task);

        if (task_is_running(probe)) {
                task_start(LIST_FIRST(&probe->tasks, Task, link));
        } else {
                /* Our worker's claim is gone; do not mistake it for somebody else's. */
                if (probe->node)
                        (void) gate_node_rescan(probe->node);
                probe_entry_update(probe);
                end_impatient(probe);
        }
        manager_perform(probe->manager);
}

/* --- running ------------------------------------------------------------------------------ */

static void on_job_done(Job *job, const JobResult *result, int *fd, void *userdata) {
        (void) job;
        task_finish(userdata, result, fd);
}

static void task_start(Task *task) {
        Manager *manager = task->probe->manager;
        const Probe *probe = task_probe(task);
        Usec timeout = manager->config->job_timeout;
        JobRequest request = {
                .kind = task->kind,
                .rung = task->rung,
                .timeout_ms = transfer_timeout_ms(manager->config),
                .product_id = probe->product_id,
                .bus = (uint8_t) task->probe->bus,
                .device = (uint8_t) task->probe->device,
        };
        int r;

        (void) snprintf(request.node, sizeof(request.node), "%s", probe->node);
        if (task->kind == JOB_RECOVER)
                timeout = usec_add(timeout, RECOVERY_TIMEOUT);
        r = job_new(manager->jobs, &request, task->fd, timeout, on_job_done, task, &task->job);
        if (r < 0) {
                JobResult result = { .error = r };
                int none = -EBADF;

                task_finish(task, &result, &none);
        }
}

bool task_is_recovering(ProbeEntry *probe) {
        LIST_FOREACH(&probe->tasks, Task, task, link)
                if (task->kind == JOB_RECOVER)
                        return true;
        return false;
}

static void task_queue(ProbeEntry *probe, Task *task, sd_bus_message *message) {
        bool first = !task_is_running(probe);

        task->message = sd_bus_message_ref(message);
        list_append(&probe->tasks, &task->link);
        if (first)
                task_start(task);
}

int task_new(ProbeEntry *probe, JobKind kind, LeaseId lease, int fd, sd_bus_message *message) {
        Task *task = calloc(1, sizeof(*task));

        if (!task)
                return -ENOMEM;
        *task = (Task){ .probe = probe, .kind = kind, .lease = lease, .fd = -EBADF };
        if (fd >= 0) {
                task->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                if (task->fd < 0) {
                        free(task);
                        return -errno;
                }
        }
        task_queue(probe, task, message);
        return 0;
}

int task_new_recover(ProbeEntry *probe, JobRung rung, LeaseId lease, sd_bus_message *message) {
        Task *task = calloc(1, sizeof(*task));

        if (!task)
                return -ENOMEM;
        *task = (Task){
                .probe = probe, .kind = JOB_RECOVER, .rung = rung, .lease = lease, .fd = -EBADF
        };
        task_queue(probe, task, message);
        return 0;
}

void tasks_abort(ProbeEntry *probe) {
        LIST_FOREACH(&probe->tasks, Task, task, link) {
                LeaseEntry *entry = lease_entry_get(probe->manager, task->lease);

                task->job = job_cancel(task->job);
                if (entry && task->kind == JOB_OPEN)
                        entry->opening = false;
                if (entry && entry->clearing)
                        lease_entry_hand_over(entry);
                if (task->message)
                        (void) sd_bus_reply_method_errorf(task->message, STLINKD_ERROR_UNPLUGGED,
                                                          "The probe was unplugged");
                task_free(task);
        }
}
