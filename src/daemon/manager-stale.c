/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "bus/errors.h"
#include "daemon/access.h"
#include "daemon/capabilities.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"

/* Ending a program that was left behind with a probe: told to, then made to. Signals go through
 * the pidfd that the gate opened when it saw the program, so they can reach no other. */

#define TERM_GRACE (5 * USEC_PER_SEC)
/* One that is not gone by then hangs in the kernel. */
#define KILL_GRACE (10 * USEC_PER_SEC)

typedef struct Ending {
        List link;
        Manager *manager;
        int pidfd;
        pid_t pid;
        Usec start;
        bool killed;
        char *command;
        sd_event_source *death, *timer;
        sd_bus_message *message; /* to be answered when it is gone */
} Ending;

static Ending *ending_free(Ending *ending) {
        if (!ending)
                return NULL;
        list_remove(&ending->link);
        sd_event_source_disable_unref(ending->death);
        sd_event_source_disable_unref(ending->timer);
        sd_bus_message_unref(ending->message);
        safe_close(ending->pidfd);
        free(ending->command);
        free(ending);
        return NULL;
}

void manager_drop_endings(Manager *manager) {
        LIST_FOREACH(&manager->endings, Ending, ending, link)
                ending_free(ending);
}

static int on_death(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Ending *ending = userdata;
        int r;

        (void) source, (void) fd, (void) events;
        r = sd_bus_reply_method_return(ending->message, NULL);
        if (r < 0)
                log_debug_errno(r, "Cannot say that %s has ended", ending->command);
        ending_free(ending);
        return 0;
}

static int on_patience_over(sd_event_source *source, uint64_t usec, void *userdata) {
        Ending *ending = userdata;
        int r;

        (void) source, (void) usec;
        if (!ending->killed) {
                ending->killed = true;
                r = capabilities_signal(ending->pidfd, SIGKILL);
                if (r >= 0)
                        r = sd_event_source_set_time_relative(ending->timer, KILL_GRACE);
                if (r >= 0)
                        r = sd_event_source_set_enabled(ending->timer, SD_EVENT_ONESHOT);
                if (r >= 0)
                        return 0;
        }
        (void) sd_bus_reply_method_errorf(
                ending->message, STLINKD_ERROR_TIMEOUT,
                "%s (pid %d) does not end: it hangs in the kernel. Unplug "
                "the probe",
                ending->command, (int) ending->pid);
        ending_free(ending);
        return 0;
}

static int watch(Ending *ending) {
        sd_event *event = ending->manager->event;
        int r;

        r = sd_event_add_io(event, &ending->death, ending->pidfd, EPOLLIN, on_death, ending);
        if (r < 0)
                return r;
        return sd_event_add_time_relative(event, &ending->timer, CLOCK_MONOTONIC, TERM_GRACE, 0,
                                          on_patience_over, ending);
}

static int ending_new(Manager *manager, const Process *process, sd_bus_message *message,
                      Ending **ret) {
        Ending *ending = calloc(1, sizeof(*ending));
        int r;

        if (!ending)
                return -ENOMEM;
        list_init(&ending->link);
        ending->manager = manager;
        ending->pid = process->pid;
        ending->start = process->start;
        ending->message = sd_bus_message_ref(message);
        ending->command = strdup(process->command);
        ending->pidfd = fcntl(process->pidfd, F_DUPFD_CLOEXEC, 3);
        r = !ending->command ? -ENOMEM : ending->pidfd < 0 ? -errno : watch(ending);
        if (r < 0) {
                ending_free(ending);
                return r;
        }
        list_append(&manager->endings, &ending->link);
        *ret = ending;
        return 0;
}

/* Only what was left behind, and still is: the verdict that was shown may be old. */
static int check_stale(Manager *manager, const BusHolder *holder, sd_bus_error *error) {
        _cleanup_(process_detail_done) ProcessDetail detail = {};
        const Process *process = holder->process;
        int r = process_detail_read(process, &detail);

        LIST_FOREACH(&manager->endings, Ending, ending, link)
                if (ending->pid == process->pid && ending->start == process->start)
                        return bus_error_setf(error, EBUSY, "%s (pid %d) is being ended already",
                                              process->command, (int) process->pid);
        if (r < 0 || process->pidfd < 0)
                return bus_error_setf(error, ESRCH, "%s (pid %d) has just ended by itself",
                                      process->command, (int) process->pid);
        if (holder->lease)
                return bus_error_setf(error, EBUSY,
                                      "%s (pid %d) works under a lease; take that back instead",
                                      process->command, (int) process->pid);
        if (detail.orphaned)
                return 0;
        return bus_error_setf(
                error, EBUSY,
                "%s (pid %d) was not left behind: %s, so it is not ended. If you know "
                "better: kill %d",
                process->command, (int) process->pid,
                !detail.sockets_known ? "what it does cannot be seen"
                : detail.clients > 0  ? "somebody is connected to it"
                                      : "the program that started it is there",
                (int) process->pid);
}

int manager_end_holder(void *userdata, const Probe *probe, const BusHolder *holder,
                       const BusCaller *caller, sd_bus_message *message, sd_bus_error *error) {
        const Process *process = holder->process;
        _cleanup_free_ char *user = NULL;
        Manager *manager = userdata;
        Ending *ending = NULL;
        int r;

        r = check_stale(manager, holder, error);
        if (r >= 0)
                r = access_user_name(caller->uid, &user);
        if (r >= 0)
                r = ending_new(manager, process, message, &ending);
        if (r < 0)
                return r;
        r = capabilities_signal(ending->pidfd, SIGTERM);
        if (r < 0) {
                ending_free(ending);
                return r == -EPERM ? bus_error_setf(error, EACCES,
                                                    "stlinkd has no right to end %s (pid %d) of "
                                                    "%s. Do it as him or as root: kill %d",
                                                    process->command, (int) process->pid,
                                                    process->user, (int) process->pid)
                                   : r;
        }
        journal_log(LOG_NOTICE, MESSAGE_HOLDER_ENDED, probe, 0, 0,
                    "For %s, %s (pid %d) of %s is ended, which was left behind with probe %s", user,
                    process->command, (int) process->pid, process->user, probe->id);
        return 0;
}
