/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"

/* What a daemon leaves to the next one, however it ends: one file in the runtime directory, which
 * is replaced as a whole. A line for the bus, one for the numbers that were used up, one per
 * lease that is held, in the order of the grants. Nothing in it is believed that can be looked
 * at: whether a descriptor, a process or a name on the bus is still there. */

#define STATE_FILE   "state"
#define STATE_HEADER "stlinkd-state 1"
#define STATE_MAX    (1 << 20)
#define RESERVE      1000 /* numbers at a time */

enum {
        SERIAL,
        PORT,
        OWNER,
        USER,
        COMMAND,
        REASON,
        N_STRINGS
};

Returning *returning_free(Returning *returning) {
        if (!returning)
                return NULL;
        free(returning->serial);
        free(returning->port);
        free(returning);
        return NULL;
}

/* --- saving ------------------------------------------------------------------------------- */

/* None has a tab or a newline in it by rights; if it has, the line would be another. */
static void write_string(FILE *file, const char *string) {
        (void) fputc('\t', file);
        for (; *string; string++)
                (void) fputc((unsigned char) *string < ' ' ? '?' : *string, file);
}

static void write_lease(FILE *file, const LeaseEntry *entry, const Lease *lease, const char *serial,
                        const char *port) {
        const char *const strings[N_STRINGS] = {
                [SERIAL] = serial,           [PORT] = port,
                [OWNER] = entry->owner_name, [USER] = entry->user,
                [COMMAND] = entry->command,  [REASON] = entry->reason,
        };

        (void) fprintf(file,
                       "lease %" PRIu64 " %s %s %s %u %u %" PRIu64 " %" PRIu64 " %" PRIu64
                       " %" PRIu64 " %" PRIu64 " %" PRIu64 " %d %" PRIu64,
                       lease->id, lease_form_to_string(entry->form),
                       lease_kind_to_string(lease->kind), lease_state_to_string(lease->state),
                       lease->parts, (unsigned) lease->uid, lease->requested, lease->granted,
                       lease->deadline, lease->limit, lease->expires, entry->fd_number,
                       entry->owner ? (int) entry->owner->pid : 0,
                       entry->owner ? entry->owner->start : 0);
        for (size_t i = 0; i < N_STRINGS; i++)
                write_string(file, strings[i]);
        (void) fputc('\n', file);
}

static void write_state(Manager *manager, FILE *file) {
        sd_id128_t bus = {};

        (void) sd_bus_get_bus_id(manager->connection, &bus);
        (void) fprintf(file, STATE_HEADER "\nbus " SD_ID128_FORMAT_STR "\nlast %" PRIu64 "\n",
                       SD_ID128_FORMAT_VAL(bus), manager->reserved);
        LIST_FOREACH(&manager->probe_entries, ProbeEntry, entry, link) {
                const Probe *probe = probe_get(manager->probes, entry->number);
                const Lease *lease = NULL;

                while (probe && (lease = lease_next(manager->leases, entry->number, lease))) {
                        const LeaseEntry *holder = lease_entry_get(manager, lease->id);

                        if (holder && lease->state != LEASE_WAITING)
                                write_lease(file, holder, lease, probe->serial, probe->port_path);
                }
        }
        LIST_FOREACH(&manager->returning, LeaseEntry, entry, link)
        write_lease(file, entry, &entry->returning->lease, entry->returning->serial,
                    entry->returning->port);
}

static int replace_state(Manager *manager) {
        const char *directory = manager->config->runtime_directory;
        char path[PATH_MAX], new_path[PATH_MAX];
        FILE *file;
        bool failed;

        if (snprintf(new_path, sizeof(new_path), "%s/" STATE_FILE ".new", directory) >= PATH_MAX)
                return -ENAMETOOLONG;
        (void) snprintf(path, sizeof(path), "%s/" STATE_FILE, directory);
        file = fopen(new_path, "we");
        if (!file)
                return -errno;
        write_state(manager, file);
        failed = ferror(file);
        if (fclose(file) != 0 || failed)
                return -EIO;
        return rename(new_path, path) < 0 ? -errno : 0;
}

void manager_save(Manager *manager) {
        int r;

        LIST_FOREACH(&manager->lease_entries, LeaseEntry, entry, link)
        if (entry->id >= manager->reserved)
                manager->reserved = entry->id + RESERVE;
        r = replace_state(manager);
        if (r < 0)
                log_warning_errno(r, "Cannot save who holds which lease, so a restart of stlinkd "
                                     "would end them");
        manager->state_changed = false;
}

/* --- loading ------------------------------------------------------------------------------ */

typedef struct Record {
        Lease lease;
        LeaseForm form;
        uint64_t fd_number;
        pid_t pid;
        Usec start;
        char *strings[N_STRINGS]; /* in the line */
} Record;

static bool parse_strings(char *line, Record *ret) {
        for (size_t i = 0; i < N_STRINGS; i++) {
                line = strchr(line, '\t');
                if (!line)
                        return false;
                *line++ = 0;
                ret->strings[i] = line;
        }
        return true;
}

static bool parse_lease(char *line, Usec now, Record *ret) {
        char form[16], kind[32], state[16];
        Lease *lease = &ret->lease;
        int f, k, s, pid, end = 0;
        unsigned uid;

        *ret = (Record){};
        if (!parse_strings(line, ret))
                return false;
        if (sscanf(line,
                   "lease %" SCNu64 " %15s %31s %15s %u %u %" SCNu64 " %" SCNu64 " %" SCNu64
                   " %" SCNu64 " %" SCNu64 " %" SCNu64 " %d %" SCNu64 "%n",
                   &lease->id, form, kind, state, &lease->parts, &uid, &lease->requested,
                   &lease->granted, &lease->deadline, &lease->limit, &lease->expires,
                   &ret->fd_number, &pid, &ret->start, &end) != 14 ||
            line[end] != 0)
                return false;
        f = lease_form_from_string(form);
        k = lease_kind_from_string(kind);
        s = lease_state_from_string(state);
        if (f < 0 || k < 0 || s < 0 || lease->granted > now)
                return false;
        ret->form = (LeaseForm) f;
        lease->kind = (LeaseKind) k;
        lease->state = (LeaseState) s;
        lease->uid = uid;
        ret->pid = pid;
        return true;
}

static int copy(const char *string, char **ret) {
        *ret = strdup(string);
        return *ret ? 0 : -ENOMEM;
}

static int fill_entry(LeaseEntry *entry, const Record *record, bool same_bus) {
        char *const *strings = record->strings;
        int r;

        entry->returning = calloc(1, sizeof(*entry->returning));
        if (!entry->returning)
                return -ENOMEM;
        entry->returning->lease = record->lease;
        r = copy(strings[SERIAL], &entry->returning->serial);
        if (r >= 0)
                r = copy(strings[PORT], &entry->returning->port);
        /* A name of another bus may be anybody's on this one. */
        if (r >= 0)
                r = copy(same_bus ? strings[OWNER] : "", &entry->owner_name);
        if (r >= 0)
                r = copy(strings[USER], &entry->user);
        if (r >= 0)
                r = copy(strings[COMMAND], &entry->command);
        if (r >= 0)
                r = copy(strings[REASON], &entry->reason);
        return r;
}

static void take_over(Manager *manager, const Record *record, bool same_bus) {
        LeaseEntry *entry = calloc(1, sizeof(*entry));
        int r = entry ? 0 : -ENOMEM;

        if (entry) {
                list_init(&entry->link);
                entry->manager = manager;
                entry->id = record->lease.id;
                entry->owner_fd = entry->node = -EBADF;
                entry->form = record->form;
                entry->fd_number = record->fd_number;
                manager->last_fd = MAX(manager->last_fd, record->fd_number);
                r = fill_entry(entry, record, same_bus);
        }
        if (r >= 0)
                r = lease_entry_bind_again(entry, record->pid, record->start, same_bus);
        if (r >= 0) {
                list_append(&manager->returning, &entry->link);
                return;
        }
        lease_entry_free(entry);
        journal_log(LOG_INFO, MESSAGE_LEASE_ENDED, NULL, record->lease.id, r == -ESRCH ? 0 : r,
                    "The lease of %s: %s ended while stlinkd was away", record->strings[USER],
                    record->strings[COMMAND]);
}

static void parse_state(Manager *manager, char *text) {
        Usec now = now_usec(CLOCK_MONOTONIC);
        char *line = strsep(&text, "\n");
        bool same_bus = false;
        sd_id128_t bus, saved;
        char id[40];

        if (strcmp(line, STATE_HEADER) != 0)
                return;
        while ((line = strsep(&text, "\n"))) {
                Record record;

                if (sscanf(line, "bus %39s", id) == 1)
                        same_bus = sd_id128_from_string(id, &saved) >= 0 &&
                                   sd_bus_get_bus_id(manager->connection, &bus) >= 0 &&
                                   sd_id128_equal(bus, saved);
                else if (sscanf(line, "last %" SCNu64, &manager->reserved) == 1)
                        lease_skip_ids(manager->leases, manager->reserved);
                else if (parse_lease(line, now, &record))
                        take_over(manager, &record, same_bus);
                else if (*line)
                        log_warning("A line of the saved state makes no sense, so it is skipped");
        }
}

/* Probes that were away when we began have had time to come back. */
static int give_up(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *manager = userdata;

        (void) source, (void) usec;
        LIST_FOREACH(&manager->returning, LeaseEntry, entry, link)
        lease_entry_end(entry, LEASE_END_UNPLUGGED);
        return 0;
}

static int remove_other_fds(Manager *manager) {
        _cleanup_free_ uint64_t *keep = NULL;
        size_t n = 0;

        LIST_FOREACH(&manager->returning, LeaseEntry, entry, link)
        n++;
        keep = calloc(n + 1, sizeof(*keep));
        if (!keep)
                return -ENOMEM;
        n = 0;
        LIST_FOREACH(&manager->returning, LeaseEntry, entry, link)
        if (entry->form == LEASE_FORM_FD)
                keep[n++] = entry->fd_number;
        return lease_fd_prepare(manager->config->runtime_directory, keep, n);
}

int manager_load(Manager *manager) {
        _cleanup_free_ char *text = NULL;
        char path[PATH_MAX];
        int r;

        r = snprintf(path, sizeof(path), "%s/" STATE_FILE, manager->config->runtime_directory);
        if ((size_t) r >= sizeof(path))
                return -ENAMETOOLONG;
        r = read_file_at(AT_FDCWD, path, STATE_MAX, &text, NULL);
        if (r >= 0)
                parse_state(manager, text);
        else if (r != -ENOENT)
                log_warning_errno(r, "Cannot read who held which lease");
        r = remove_other_fds(manager);
        if (r < 0 || list_is_empty(&manager->returning))
                return r;
        return sd_event_add_time_relative(manager->event, &manager->return_timer, CLOCK_MONOTONIC,
                                          manager->config->away_timeout, 0, give_up, manager);
}

/* --- putting back ------------------------------------------------------------------------- */

static bool is_probe_of(const Returning *returning, const Probe *probe, bool by_port) {
        if (!probe->plugged || strcmp(returning->serial, probe->serial) != 0)
                return false;
        if (strcmp(returning->port, probe->port_path) == 0)
                return true;
        return !by_port && probe->serial[0] && !probe->ambiguous;
}

static void put_back(LeaseEntry *entry, const Probe *probe) {
        Manager *manager = entry->manager;
        int r;

        entry->returning->lease.probe = entry->probe = probe->number;
        r = lease_restore(manager->leases, &entry->returning->lease);
        if (r < 0) {
                journal_log(LOG_ERR, NULL, probe, entry->id, r, "Cannot put a lease back");
                lease_entry_free(entry);
                return;
        }
        entry->returning = returning_free(entry->returning);
        list_remove(&entry->link);
        list_append(&manager->lease_entries, &entry->link);
        entry->shown = true;
        bus_lease_added(manager->bus, entry->id);
        lease_entry_arm(entry); /* or else when the probe's node is known */
        journal_log(LOG_INFO, NULL, probe, entry->id, 0, "Probe %s is still leased to %s: %s",
                    probe->id, entry->user, entry->command);
}

void manager_put_back(Manager *manager, const Probe *probe, bool by_port) {
        uint32_t number = probe->number;
        bool any = false;

        LIST_FOREACH(&manager->returning, LeaseEntry, entry, link) {
                if (!is_probe_of(entry->returning, probe, by_port))
                        continue;
                put_back(entry, probe);
                any = true;
        }
        if (!any)
                return;
        manager_tell_leased(manager, number);
        manager->state_changed = true;
}
