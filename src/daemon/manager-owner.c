/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "bus/errors.h"
#include "daemon/access.h"
#include "daemon/manager-internal.h"

/* What a lease hangs on. A request hangs on its owner's name on the bus; once it is held, the
 * lease hangs on what its form says. */

static void on_closed(LeaseFd *fd, void *userdata) {
        LeaseEntry *entry = userdata;
        const Lease *lease = lease_get(entry->manager->leases, entry->id);

        (void) fd;
        lease_entry_end(entry, lease && lease->state == LEASE_WAITING ? LEASE_END_CANCELLED
                                                                      : LEASE_END_RELEASED);
}

/* --- the descriptor of a lease ------------------------------------------------------------ */

/* A FIFO costs more than all else that a grant does, so the next one is made while its user is not
 * waiting for it. */
static int make_spare_fd(Manager *manager) {
        return lease_fd_new(manager->event, manager->config->runtime_directory, ++manager->last_fd,
                            on_closed, NULL, &manager->spare_fd, &manager->spare_owner_fd);
}

void manager_drop_spare_fd(Manager *manager) {
        manager->spare_maker = sd_event_source_disable_unref(manager->spare_maker);
        manager->spare_owner_fd = safe_close(manager->spare_owner_fd);
        manager->spare_fd = lease_fd_free(manager->spare_fd);
}

/* Whether there is room for one is told to who needs it. */
static int on_idle(sd_event_source *source, void *userdata) {
        Manager *manager = userdata;

        (void) source;
        if (!manager->spare_fd)
                (void) make_spare_fd(manager);
        return 0;
}

static int order_spare_fd(Manager *manager) {
        int r;

        if (manager->spare_maker)
                return sd_event_source_set_enabled(manager->spare_maker, SD_EVENT_ONESHOT);
        r = sd_event_add_defer(manager->event, &manager->spare_maker, on_idle, manager);
        if (r < 0)
                return r;
        return sd_event_source_set_priority(manager->spare_maker, SD_EVENT_PRIORITY_IDLE);
}

static int take_fd(LeaseEntry *entry) {
        Manager *manager = entry->manager;
        int r = manager->spare_fd ? 0 : make_spare_fd(manager);

        if (r < 0)
                return r;
        entry->fd_number = manager->last_fd;
        entry->fd = TAKE_PTR(manager->spare_fd);
        entry->owner_fd = TAKE_FD(manager->spare_owner_fd);
        lease_fd_set_closed(entry->fd, on_closed, entry);
        (void) order_spare_fd(manager); /* without it the next one takes longer */
        return 0;
}

/* --- the process of a lease --------------------------------------------------------------- */

static int on_process_end(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        (void) source, (void) fd, (void) events;
        lease_entry_end(userdata, LEASE_END_OWNER_GONE);
        return 0;
}

/* A pid comes from outside: what it means is settled by the pidfd that process_identify() opens,
 * and whose process that is by what was read under that pidfd. */
static int find_process(LeaseEntry *entry, const AcquireOptions *options, const BusCaller *caller,
                        sd_bus_error *error) {
        pid_t pid = options->pid > 0 ? options->pid : caller->pid;
        int r;

        r = pid > 0 ? process_identify(pid, &entry->owner) : -ESRCH;
        if (r < 0)
                return bus_error_setf(error, EINVAL, "There is no process %d", (int) pid);
        if (caller->uid != 0 && caller->uid != entry->owner->uid)
                return bus_error_setf(error, EACCES,
                                      "Process %d is %s's; a lease can be bound to a process of "
                                      "your own only",
                                      (int) pid, entry->owner->user);
        return entry->owner->pidfd < 0 ? -EOPNOTSUPP : 0;
}

static int watch_process(LeaseEntry *entry) {
        int r;

        r = sd_event_add_io(entry->manager->event, &entry->process_end, entry->owner->pidfd,
                            EPOLLIN, on_process_end, entry);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(entry->process_end, SD_EVENT_ONESHOT);
}

/* The user whose lease it is. Of a process of his we know his name already. */
static int find_user(LeaseEntry *entry, uid_t uid) {
        if (!entry->owner || (entry->form != LEASE_FORM_PROCESS && entry->owner->uid != uid))
                return access_user_name(uid, &entry->user);
        entry->user = strdup(entry->owner->user);
        return entry->user ? 0 : -ENOMEM;
}

void manager_forget_caller(Manager *manager) {
        manager->last_process_end = sd_event_source_disable_unref(manager->last_process_end);
        manager->last_process = process_free(manager->last_process);
        free(manager->last_name);
        manager->last_name = NULL;
}

static int on_caller_end(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        (void) source, (void) fd, (void) events;
        manager_forget_caller(userdata);
        return 0;
}

static void remember_caller(Manager *manager, const char *name, Process *process) {
        manager_forget_caller(manager);
        if (process->pidfd < 0 ||
            sd_event_add_io(manager->event, &manager->last_process_end, process->pidfd, EPOLLIN,
                            on_caller_end, manager) < 0)
                return;
        manager->last_process = process_ref(process);
        manager->last_name = strdup(name);
        if (!manager->last_name)
                manager_forget_caller(manager);
}

/* NULL when the bus does not know it, or it has ended: a caller in another pid namespace has no pid
 * that says anything to us. A script may take one lease after the other; the bus gives no name to
 * two connections, and an exec ends a connection, so that what was read once is still true. */
static Process *find_caller(Manager *manager, const BusCaller *caller) {
        Process *process = manager->last_process;

        if (process && strcmp(manager->last_name, caller->name) == 0)
                return process_is_alive(process) ? process_ref(process) : NULL;
        if (caller->pid <= 0 || process_identify(caller->pid, &process) < 0)
                return NULL;
        remember_caller(manager, caller->name, process);
        return process;
}

static int set_owner(LeaseEntry *entry, const AcquireOptions *options, const BusCaller *caller,
                     sd_bus_error *error) {
        int r = 0;

        entry->owner_name = strdup(caller->name);
        if (!entry->owner_name)
                return -ENOMEM;
        if (entry->form == LEASE_FORM_PROCESS)
                r = find_process(entry, options, caller, error);
        else
                entry->owner = find_caller(entry->manager, caller);
        if (r >= 0)
                r = find_user(entry, caller->uid);
        if (r < 0)
                return r;
        entry->command = strdup(entry->owner ? entry->owner->command : "?");
        return entry->command ? 0 : -ENOMEM;
}

int lease_entry_bind(LeaseEntry *entry, const AcquireOptions *options, const BusCaller *caller,
                     sd_bus_error *error) {
        Manager *manager = entry->manager;
        int r;

        entry->form = options->form;
        r = set_owner(entry, options, caller, error);
        if (r < 0)
                return r;
        if (entry->form == LEASE_FORM_FD)
                r = take_fd(entry);
        if (r == -ENOSPC)
                return sd_bus_error_set_errnof(error, ENOSPC,
                                               "%s is full, there is no room for a lease. See what "
                                               "fills it:  df -hi %s",
                                               manager->config->runtime_directory,
                                               manager->config->runtime_directory);
        if (r >= 0 && entry->form == LEASE_FORM_PROCESS)
                r = watch_process(entry);
        return r;
}

/* The pid counts with its start time; the owner of a descriptor may be gone, and that live on. */
static void find_process_again(LeaseEntry *entry, pid_t pid, Usec start) {
        if (pid <= 0 || process_identify(pid, &entry->owner) < 0)
                return;
        if (entry->owner->start != start)
                entry->owner = process_free(entry->owner);
}

/* Of the same bus, a name that is there is still his. Who waits must be there himself, unless the
 * bus was another one, and could not know him. */
static int find_name_again(LeaseEntry *entry, bool waits) {
        if (entry->form != LEASE_FORM_CONNECTION && !(waits && entry->owner_name[0]))
                return 0;
        return entry->owner_name[0] ? lease_entry_watch_name(entry) : -ESRCH;
}

int lease_entry_bind_again(LeaseEntry *entry, pid_t pid, Usec start) {
        Manager *manager = entry->manager;
        int r = 0;

        find_process_again(entry, pid, start);
        if (entry->form == LEASE_FORM_FD)
                r = lease_fd_reopen(manager->event, manager->config->runtime_directory,
                                    entry->fd_number, on_closed, entry, &entry->fd);
        if (entry->form == LEASE_FORM_PROCESS)
                r = entry->owner && entry->owner->pidfd >= 0 ? watch_process(entry) : -ESRCH;
        if (r >= 0)
                r = find_name_again(entry, entry->returning->lease.state == LEASE_WAITING);
        return r == -EPIPE || r == -ENOENT ? -ESRCH : r;
}

/* One that is granted at once by a descriptor or a process never hangs on the name. */
void lease_entry_begun(LeaseEntry *entry) {
        const Lease *lease = lease_get(entry->manager->leases, entry->id);
        int r = 0;

        if (lease->state == LEASE_WAITING || entry->form == LEASE_FORM_CONNECTION)
                r = lease_entry_watch_name(entry);
        if (r < 0)
                lease_entry_end(entry, LEASE_END_OWNER_GONE);
}

void lease_entry_held(LeaseEntry *entry) {
        if (entry->form != LEASE_FORM_CONNECTION)
                lease_entry_unwatch_name(entry);
}
