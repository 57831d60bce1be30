/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/bus-internal.h"

/* --- finding ------------------------------------------------------------------------------ */

static int view_fill(LeaseView *view, Bus *bus, const BusLease *found) {
        _cleanup_free_ char *probe_path = NULL;
        const Lease *lease = found->lease;
        int r;

        r = bus_probe_path(found->probe->id, &probe_path);
        if (r < 0)
                return r;
        *view = (LeaseView){
                .bus = bus,
                .id = lease->id,
                .lease = lease,
                .state = lease_state_to_string(lease->state),
                .kind = lease_kind_to_string(lease->kind),
                .form = lease_form_to_string(found->form),
                .reason = found->reason,
                .asked_by = found->asked_by,
                .asked_reason = found->asked_reason,
                .user = found->user,
                .command = found->command,
                .position = found->position,
                .uid = (uint32_t) lease->uid,
                .pid = (uint32_t) found->pid,
                .requested = lease->requested,
                .granted = lease->granted,
                .expires = lease->expires,
                .deadline = lease->state == LEASE_ASKED ? lease->deadline : USEC_INFINITY,
        };
        (void) snprintf(view->probe_path, sizeof(view->probe_path), "%s", probe_path);
        view->probe = view->probe_path;
        return 0;
}

/* Only the one way of writing a number is a path: no sign, no leading zero. */
static bool path_to_id(const char *path, LeaseId *ret) {
        char again[LEASE_PATH_MAX];
        unsigned long long id;

        if (sscanf(path, STLINKD_LEASE_PATH "/%llu", &id) != 1)
                return false;
        bus_lease_path(id, again);
        if (strcmp(path, again) != 0)
                return false;
        *ret = id;
        return true;
}

int bus_lease_lookup(sd_bus *connection, const char *path, const char *interface, void *userdata,
                     void **ret_found, sd_bus_error *error) {
        Bus *bus = userdata;
        BusLease found;
        LeaseId id;
        int r;

        (void) connection, (void) interface, (void) error;
        if (!path_to_id(path, &id) || !bus->ops->lease_find(bus->userdata, id, &found))
                return 0;
        r = view_fill(&bus->lease_view, bus, &found);
        if (r < 0)
                return r;
        *ret_found = &bus->lease_view;
        return 1;
}

static size_t count_leases(Bus *bus) {
        size_t n = 0;

        for (const Probe *p = NULL; (p = bus->ops->probe_next(bus->userdata, p));)
                for (LeaseId id = 0; (id = bus->ops->lease_next(bus->userdata, p, id));)
                        n++;
        return n;
}

int bus_lease_enumerate(sd_bus *connection, const char *prefix, void *userdata, char ***ret_nodes,
                        sd_bus_error *error) {
        Bus *bus = userdata;
        size_t n = 0;
        char **nodes;

        (void) connection, (void) prefix, (void) error;
        nodes = calloc(count_leases(bus) + 1, sizeof(*nodes));
        if (!nodes)
                return -ENOMEM;
        for (const Probe *p = NULL; (p = bus->ops->probe_next(bus->userdata, p));)
                for (LeaseId id = 0; (id = bus->ops->lease_next(bus->userdata, p, id));) {
                        char path[LEASE_PATH_MAX];

                        bus_lease_path(id, path);
                        nodes[n] = strdup(path);
                        n += nodes[n] != NULL;
                }
        *ret_nodes = nodes;
        return 0;
}

/* How long a holder has to finish before force is used */
#define REVOKE_GRACE_DEFAULT (10 * USEC_PER_SEC)

/* --- members ------------------------------------------------------------------------------ */

static int get_parts(sd_bus *connection, const char *path, const char *interface,
                     const char *property, sd_bus_message *reply, void *userdata,
                     sd_bus_error *error) {
        unsigned parts = ((LeaseView *) userdata)->lease->parts;
        int r;

        (void) connection, (void) path, (void) interface, (void) property, (void) error;
        r = sd_bus_message_open_container(reply, 'a', "s");
        if (r < 0)
                return r;
        for (unsigned part = 1; part & PROBE_PARTS_ALL; part <<= 1) {
                if (!(parts & part))
                        continue;
                r = sd_bus_message_append(reply, "s", probe_part_to_string(part));
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(reply);
}

static int get_delegates(sd_bus *connection, const char *path, const char *interface,
                         const char *property, sd_bus_message *reply, void *userdata,
                         sd_bus_error *error) {
        const LeaseView *view = userdata;
        const Bus *bus = view->bus;
        const char *who;
        int r;

        (void) connection, (void) path, (void) interface, (void) property, (void) error;
        r = sd_bus_message_open_container(reply, 'a', "s");
        for (size_t i = 0; r >= 0 && (who = bus->ops->delegate_at(bus->userdata, view->id, i)); i++)
                r = sd_bus_message_append(reply, "s", who);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

typedef int (*LeaseOperation)(void *userdata, LeaseId id, const BusCaller *caller,
                              sd_bus_message *message, sd_bus_error *error);

static int call(Bus *bus, LeaseOperation operation, LeaseId id, sd_bus_message *message,
                sd_bus_error *error) {
        BusCaller caller;
        int r;

        r = bus_options_read(message, NULL, 0, NULL, error);
        if (r < 0)
                return r;
        r = bus_caller_read(bus, message, &caller, error);
        if (r < 0)
                return r;
        r = operation(bus->userdata, id, &caller, message, error);
        return r < 0 ? r : 1;
}

static int method_release(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        LeaseView *view = userdata;

        return call(view->bus, view->bus->ops->release, view->id, message, error);
}

static int method_renew(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        LeaseView *view = userdata;

        return call(view->bus, view->bus->ops->renew, view->id, message, error);
}

static int method_open(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        LeaseView *view = userdata;

        return call(view->bus, view->bus->ops->open, view->id, message, error);
}

typedef int (*WordOperation)(void *userdata, LeaseId id, const char *word, const BusCaller *caller,
                             sd_bus_message *message, sd_bus_error *error);

/* The same of methods that take one word. */
static int call_with_word(Bus *bus, WordOperation operation, LeaseId id, sd_bus_message *message,
                          sd_bus_error *error) {
        BusCaller caller;
        const char *word;
        int r;

        r = sd_bus_message_read(message, "s", &word);
        if (r >= 0)
                r = bus_options_read(message, NULL, 0, NULL, error);
        if (r >= 0)
                r = bus_caller_read(bus, message, &caller, error);
        if (r >= 0)
                r = operation(bus->userdata, id, word, &caller, message, error);
        return r < 0 ? r : 1;
}

static int method_recover(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        LeaseView *view = userdata;

        return call_with_word(view->bus, view->bus->ops->recover, view->id, message, error);
}

static int method_delegate(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        LeaseView *view = userdata;

        return call_with_word(view->bus, view->bus->ops->delegate, view->id, message, error);
}

static int method_withdraw(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        LeaseView *view = userdata;

        return call_with_word(view->bus, view->bus->ops->withdraw, view->id, message, error);
}

static int read_reason(sd_bus_message *message, void *options, sd_bus_error *error) {
        return bus_read_reason(message, &((RevokeOptions *) options)->reason, error);
}

static int read_grace(sd_bus_message *message, void *options, sd_bus_error *error) {
        (void) error;
        return sd_bus_message_read(message, "t", &((RevokeOptions *) options)->grace);
}

static const BusOption revoke_options[] = {
        { "reason", "s", read_reason },
        { "grace", "t", read_grace },
};
#define N_ASK_OPTIONS 1 /* the first, which asking has */

/* For one's own lease nobody is asked. */
static int authorize_revoke(LeaseView *view, sd_bus_message *message, const BusCaller *caller,
                            BusAction action, sd_bus_error *error) {
        char text[HOLDER_TEXT_MAX];
        BusLease found;

        if (caller->uid == view->uid)
                return 1;
        if (!view->bus->ops->lease_find(view->bus->userdata, view->id, &found))
                return -EBADR;
        (void) snprintf(text, sizeof(text), "%s: %s (pid %d)", found.user, found.command,
                        (int) found.pid);
        return bus_authorize_against(view->bus, message, caller, action, found.probe, text, error);
}

static int take_back(sd_bus_message *message, LeaseView *view, bool force, sd_bus_error *error) {
        RevokeOptions options = { .reason = "",
                                  .grace = force ? REVOKE_GRACE_DEFAULT : USEC_INFINITY };
        LeaseId id = view->id;
        Bus *bus = view->bus;
        BusCaller caller;
        int r;

        r = bus_options_read(message, revoke_options,
                             force ? ELEMENTSOF(revoke_options) : N_ASK_OPTIONS, &options, error);
        if (r >= 0)
                r = bus_caller_read(bus, message, &caller, error);
        if (r < 0)
                return r;
        /* Who may wish for the probe may say so. */
        r = authorize_revoke(view, message, &caller,
                             force ? BUS_ACTION_BREAK_LEASE : BUS_ACTION_LEASE, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = bus->ops->revoke(bus->userdata, id, &options, &caller, message, error);
        return r < 0 ? r : 1;
}

static int method_ask(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return take_back(message, userdata, /* force= */ false, error);
}

static int method_revoke(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return take_back(message, userdata, /* force= */ true, error);
}

#define CONSTANT   SD_BUS_VTABLE_PROPERTY_CONST
#define CHANGES    SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define AT(member) offsetof(LeaseView, member)

const sd_bus_vtable bus_lease_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Probe", "o", NULL, AT(probe), CHANGES),
        SD_BUS_PROPERTY("State", "s", NULL, AT(state), CHANGES),
        SD_BUS_PROPERTY("Position", "u", NULL, AT(position), CHANGES),
        SD_BUS_PROPERTY("Kind", "s", NULL, AT(kind), CONSTANT),
        SD_BUS_PROPERTY("Parts", "as", get_parts, 0, CONSTANT),
        SD_BUS_PROPERTY("Form", "s", NULL, AT(form), CONSTANT),
        SD_BUS_PROPERTY("Reason", "s", NULL, AT(reason), CONSTANT),
        SD_BUS_PROPERTY("Uid", "u", NULL, AT(uid), CONSTANT),
        SD_BUS_PROPERTY("User", "s", NULL, AT(user), CONSTANT),
        SD_BUS_PROPERTY("Pid", "u", NULL, AT(pid), CONSTANT),
        SD_BUS_PROPERTY("Command", "s", NULL, AT(command), CONSTANT),
        SD_BUS_PROPERTY("Requested", "t", NULL, AT(requested), CONSTANT),
        SD_BUS_PROPERTY("Granted", "t", NULL, AT(granted), CHANGES),
        SD_BUS_PROPERTY("Expires", "t", NULL, AT(expires), CHANGES),
        SD_BUS_PROPERTY("AskedBy", "s", NULL, AT(asked_by), CHANGES),
        SD_BUS_PROPERTY("AskedReason", "s", NULL, AT(asked_reason), CHANGES),
        SD_BUS_PROPERTY("Deadline", "t", NULL, AT(deadline), CHANGES),
        SD_BUS_PROPERTY("Delegates", "as", get_delegates, 0, CHANGES),
        SD_BUS_METHOD_WITH_ARGS("Release", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT,
                                method_release, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Ask", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT, method_ask,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Revoke", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT,
                                method_revoke, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Renew", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT,
                                method_renew, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Open", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("h", node),
                                method_open, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Delegate", SD_BUS_ARGS("s", who, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_delegate, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Withdraw", SD_BUS_ARGS("s", who, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_withdraw, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Recover", SD_BUS_ARGS("s", step, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", outcome), method_recover,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS("Asked", SD_BUS_ARGS("s", by, "s", reason, "t", deadline), 0),
        SD_BUS_SIGNAL_WITH_ARGS("Ended", SD_BUS_ARGS("s", reason), 0),
        SD_BUS_VTABLE_END,
};
