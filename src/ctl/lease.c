/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "bus/names.h"
#include "core/ids.h"
#include "ctl/agent.h"
#include "ctl/client.h"
#include "ctl/lease-private.h"
#include "ctl/properties.h"

#define CHECK_TIMEOUT   (30 * USEC_PER_SEC) /* of one question: a probe that is silent takes long */
#define CHECK_PATIENCE  (5 * USEC_PER_SEC)  /* with a daemon that went meanwhile, or is busy */
#define RELEASE_TIMEOUT (2 * USEC_PER_SEC)

bool client_lease_is_held(const ClientLease *lease) {
        return !lease->ended && lease->state && strcmp(lease->state, "waiting") != 0;
}

unsigned client_lease_position(const ClientLease *lease) {
        return lease->position;
}

const char *client_lease_ended(const ClientLease *lease) {
        return lease->ended;
}

void client_lease_watch(ClientLease *lease, ClientLeaseChanged changed, void *userdata) {
        lease->changed = changed;
        lease->userdata = userdata;
}

void client_lease_asked_done(ClientLeaseAsked *asked) {
        free(asked->by);
        free(asked->reason);
        *asked = (ClientLeaseAsked){};
}

bool client_lease_take_asked(ClientLease *lease, ClientLeaseAsked *ret) {
        if (!lease->asked.by || !lease->asked.reason)
                return false;
        *ret = lease->asked;
        lease->asked = (ClientLeaseAsked){};
        return true;
}

static int append_words(sd_bus_message *call, const char *option, const char *const *words,
                        size_t n) {
        int r = sd_bus_message_open_container(call, 'e', "sv");

        if (r >= 0)
                r = sd_bus_message_append(call, "s", option);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "s");
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = sd_bus_message_append(call, "s", words[i]);
        for (int i = 0; r >= 0 && i < 3; i++)
                r = sd_bus_message_close_container(call);
        return r;
}

static int append_parts(sd_bus_message *call, unsigned parts) {
        const char *words[sizeof(parts) * 8];
        size_t n = 0;

        for (unsigned part = 1; part & PROBE_PARTS_ALL; part <<= 1)
                if (parts & part)
                        words[n++] = probe_part_to_string(part);
        return append_words(call, "parts", words, n);
}

static int make_call(sd_bus *bus, const char *probe, const ClientRequest *request,
                     sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r = sd_bus_message_new_method_call(bus, &call, STLINKD_BUS_NAME, probe,
                                               STLINKD_PROBE_INTERFACE,
                                               request->pid > 0 ? "AcquireBound" : "Acquire");

        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && request->reason)
                r = sd_bus_message_append(call, "{sv}", "reason", "s", request->reason);
        if (r >= 0 && request->wait > 0)
                r = sd_bus_message_append(call, "{sv}{sv}", "wait", "t", request->wait, "waiting",
                                          "s", "object");
        if (r >= 0 && request->parts)
                r = append_parts(call, request->parts);
        if (r >= 0 && request->n_delegates > 0)
                r = append_words(call, "delegates", request->delegates, request->n_delegates);
        if (r >= 0 && request->recover)
                r = sd_bus_message_append(call, "{sv}", "recover", "b", 1);
        if (r >= 0 && request->kind)
                r = sd_bus_message_append(call, "{sv}", "kind", "s", request->kind);
        if (r >= 0 && request->limit > 0)
                r = sd_bus_message_append(call, "{sv}", "limit", "t", request->limit);
        if (r >= 0 && request->pid > 0)
                r = sd_bus_message_append(call, "{sv}{sv}", "form", "s", "process", "pid", "u",
                                          (uint32_t) request->pid);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        if (r >= 0)
                *ret = TAKE_PTR(call);
        return r;
}

static int take_answer(ClientLease *lease, sd_bus_message *answer) {
        const char *path;
        int fd = -EBADF, r = sd_bus_message_read_basic(answer, 'o', &path);

        if (r >= 0 && sd_bus_message_has_signature(answer, "oh"))
                r = sd_bus_message_read_basic(answer, 'h', &fd);
        if (r < 0)
                return r;
        lease->path = strdup(path);
        lease->daemon = strdup(sd_bus_message_get_sender(answer));
        if (!lease->path || !lease->daemon)
                return -ENOMEM;
        if (fd < 0)
                return 0;
        lease->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return lease->fd < 0 ? -errno : 0;
}

/* Whether it waits, and where. It may also have ended already, or the daemon may have: who follows
 * the lease will know. */
static int read_state(ClientLease *lease) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        int r = sd_bus_call_method(lease->bus, lease->daemon, lease->path,
                                   "org.freedesktop.DBus.Properties", "GetAll", NULL, &answer, "s",
                                   STLINKD_LEASE_INTERFACE);

        return r < 0 ? 0 : client_lease_read(lease, answer);
}

int client_lease_acquire(sd_bus *bus, const char *probe, const ClientRequest *request,
                         sd_bus_error *reterr, ClientLease **ret) {
        _cleanup_(client_lease_freep) ClientLease *lease = calloc(1, sizeof(ClientLease));
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *answer = NULL;
        int r;

        if (!lease)
                return -ENOMEM;
        lease->fd = -EBADF;
        lease->bus = sd_bus_ref(bus);
        r = make_call(bus, probe, request, &call);
        if (r >= 0)
                r = agent_call(bus, call, AGENT_TIMEOUT, reterr, &answer);
        if (r >= 0)
                r = take_answer(lease, answer);
        if (r >= 0)
                r = client_lease_follow(lease);
        if (r < 0)
                return r;
        if (request->wait > 0)
                r = read_state(lease);
        else if (!(lease->state = strdup("held")))
                r = -ENOMEM;
        if (r < 0)
                return r;
        *ret = TAKE_PTR(lease);
        return 0;
}

/* Closing the descriptor would do, but only some time later: whoever looks next shall find the
 * probe free. */
static void release(ClientLease *lease) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r = sd_bus_message_new_method_call(lease->bus, &call, STLINKD_BUS_NAME, lease->path,
                                               STLINKD_LEASE_INTERFACE, "Release");

        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 0);
        if (r >= 0)
                (void) sd_bus_call(lease->bus, call, RELEASE_TIMEOUT, NULL, NULL);
}

ClientLease *client_lease_free(ClientLease *lease) {
        if (!lease)
                return NULL;
        if (lease->event)
                client_lease_detach(lease);
        if (lease->path && !lease->ended && !lease->keep)
                release(lease);
        safe_close(lease->fd);
        sd_bus_slot_unref(lease->lease_slot);
        sd_bus_slot_unref(lease->daemon_slot);
        sd_bus_slot_unref(lease->local_slot);
        sd_bus_slot_unref(lease->call);
        sd_bus_unref(lease->bus);
        free(lease->path);
        free(lease->daemon);
        free(lease->state);
        free(lease->ended);
        client_lease_asked_done(&lease->asked);
        free(lease);
        return NULL;
}

void client_lease_keep(ClientLease *lease) {
        lease->keep = true;
}

const char *client_lease_path(const ClientLease *lease) {
        return lease->path;
}

static int check_once(ClientLease *lease, sd_bus_error *reterr, bool *ret_answers) {
        static const Property table[] = { { "Answers", "b", 0 } };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *answer = NULL;
        int r = sd_bus_message_new_method_call(lease->bus, &call, STLINKD_BUS_NAME, lease->path,
                                               STLINKD_LEASE_INTERFACE, "Recover");

        if (r >= 0)
                r = sd_bus_message_append(call, "sa{sv}", "check", 0);
        if (r >= 0)
                r = sd_bus_call(lease->bus, call, CHECK_TIMEOUT, reterr, &answer);
        return r < 0 ? r : properties_read(answer, table, ELEMENTSOF(table), ret_answers);
}

/* The daemon ended meanwhile, or somebody is not quite off the probe: the daemon's own worker, too,
 * which goes on for a moment when the daemon has been killed. */
static bool is_passing(const sd_bus_error *error) {
        return sd_bus_error_has_names(error, SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_SERVICE_UNKNOWN,
                                      SD_BUS_ERROR_NAME_HAS_NO_OWNER, STLINKD_ERROR_BUSY);
}

int client_lease_check(ClientLease *lease, bool *ret_answers) {
        const struct timespec pause = { .tv_nsec = 200000000 };
        Usec end = usec_add(now_usec(CLOCK_MONOTONIC), CHECK_PATIENCE);

        for (;;) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                int r = check_once(lease, &error, ret_answers);

                if (r >= 0 || !is_passing(&error) || now_usec(CLOCK_MONOTONIC) >= end)
                        return r;
                (void) nanosleep(&pause, NULL);
        }
}

int client_lease_open(ClientLease *lease, sd_bus_error *reterr, int *ret_fd) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        int fd, r;

        r = sd_bus_call_method(lease->bus, STLINKD_BUS_NAME, lease->path, STLINKD_LEASE_INTERFACE,
                               "Open", reterr, &answer, "a{sv}", 0);
        if (r >= 0)
                r = sd_bus_message_read_basic(answer, 'h', &fd);
        if (r < 0)
                return r;
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}
