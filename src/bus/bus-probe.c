/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "bus/bus-internal.h"
#include "bus/errors.h"

/* --- finding ------------------------------------------------------------------------------ */

static void view_fill(ProbeView *view, Bus *bus, const Probe *probe) {
        *view = (ProbeView){
                .bus = bus,
                .probe = probe,
                .id = probe->id,
                .serial = probe->serial,
                .reported = probe->reported,
                .model = probe_model_to_string(probe->model),
                .port_path = probe->port_path,
                .node = probe->node,
                .firmware = probe->reading.firmware,
                .mode = probe_mode_to_string(probe->reading.mode),
                .state = probe_state_to_string(probe->state),
                .wedge = probe_wedge_to_string(probe->wedge),
                .ambiguous = probe->ambiguous,
                .product_id = probe->product_id,
                .millivolts = probe->reading.millivolts,
                .loader_since = probe->loader_since,
                .return_by = probe_return_by(probe),
        };
}

int bus_probe_lookup(sd_bus *connection, const char *path, const char *interface, void *userdata,
                     void **ret_found, sd_bus_error *error) {
        _cleanup_free_ char *id = NULL;
        Bus *bus = userdata;
        const Probe *probe;
        int r;

        (void) connection, (void) interface, (void) error;
        r = sd_bus_path_decode(path, STLINKD_PROBE_PATH, &id);
        if (r <= 0)
                return r;
        probe = bus->ops->probe_find(bus->userdata, id);
        if (!probe)
                return 0;
        view_fill(&bus->probe_view, bus, probe);
        *ret_found = &bus->probe_view;
        return 1;
}

static char **strv_free(char **strv) {
        for (char **s = strv; s && *s; s++)
                free(*s);
        free(strv);
        return NULL;
}

int bus_probe_enumerate(sd_bus *connection, const char *prefix, void *userdata, char ***ret_nodes,
                        sd_bus_error *error) {
        Bus *bus = userdata;
        char **nodes;
        size_t n = 0;
        int r;

        (void) connection, (void) prefix, (void) error;
        for (const Probe *p = NULL; (p = bus->ops->probe_next(bus->userdata, p));)
                n++;
        nodes = calloc(n + 1, sizeof(*nodes));
        if (!nodes)
                return -ENOMEM;
        n = 0;
        for (const Probe *p = NULL; (p = bus->ops->probe_next(bus->userdata, p));) {
                r = bus_probe_path(p->id, &nodes[n++]);
                if (r < 0) {
                        strv_free(nodes);
                        return r;
                }
        }
        *ret_nodes = nodes;
        return 0;
}

/* --- properties that are more than one value ---------------------------------------------- */

static int append_part(sd_bus_message *reply, const ProbePartDevice *part) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r < 0)
                return r;
        r = bus_append_string(reply, "Part", probe_part_to_string(part->part));
        if (r < 0)
                return r;
        r = sd_bus_message_append(reply, "{sv}", "Interface", "u", (uint32_t) part->interface);
        if (r < 0)
                return r;
        r = bus_append_string(reply, "Device", part->device);
        if (r < 0)
                return r;
        r = bus_append_string(reply, "Link", part->link);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(reply);
}

static int get_parts(sd_bus *connection, const char *path, const char *interface,
                     const char *property, sd_bus_message *reply, void *userdata,
                     sd_bus_error *error) {
        const Probe *probe = ((ProbeView *) userdata)->probe;
        int r;

        (void) connection, (void) path, (void) interface, (void) property, (void) error;
        r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        if (r < 0)
                return r;
        for (size_t i = 0; i < probe->n_parts; i++) {
                r = append_part(reply, &probe->parts[i]);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(reply);
}

static int get_holders(sd_bus *connection, const char *path, const char *interface,
                       const char *property, sd_bus_message *reply, void *userdata,
                       sd_bus_error *error) {
        ProbeView *view = userdata;

        (void) connection, (void) path, (void) interface, (void) property, (void) error;
        return bus_append_holders(reply, view->bus, view->probe);
}

static int get_leases(sd_bus *connection, const char *path, const char *interface,
                      const char *property, sd_bus_message *reply, void *userdata,
                      sd_bus_error *error) {
        ProbeView *view = userdata;
        Bus *bus = view->bus;
        int r;

        (void) connection, (void) path, (void) interface, (void) property, (void) error;
        r = sd_bus_message_open_container(reply, 'a', "o");
        if (r < 0)
                return r;
        for (LeaseId id = 0; (id = bus->ops->lease_next(bus->userdata, view->probe, id));) {
                char lease[LEASE_PATH_MAX];

                bus_lease_path(id, lease);
                r = sd_bus_message_append(reply, "o", lease);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(reply);
}

/* --- methods ------------------------------------------------------------------------------ */

static int read_wait(sd_bus_message *message, void *options, sd_bus_error *error) {
        (void) error;
        return sd_bus_message_read(message, "t", &((AcquireOptions *) options)->wait);
}

static int read_limit(sd_bus_message *message, void *options, sd_bus_error *error) {
        AcquireOptions *o = options;
        int r;

        r = sd_bus_message_read(message, "t", &o->limit);
        if (r < 0)
                return r;
        return o->limit > 0 ? 0 : bus_error_setf(error, EINVAL, "A limit of 0 is no lease at all");
}

static int read_reason(sd_bus_message *message, void *options, sd_bus_error *error) {
        return bus_read_reason(message, &((AcquireOptions *) options)->reason, error);
}

static int read_kind(sd_bus_message *message, void *options, sd_bus_error *error) {
        AcquireOptions *o = options;
        const char *name;
        int kind;
        int r;

        r = sd_bus_message_read(message, "s", &name);
        if (r < 0)
                return r;
        kind = lease_kind_from_string(name);
        if (kind < 0)
                return bus_error_setf(error, EINVAL, "Unknown kind of lease \"%s\"", name);
        o->kind = (LeaseKind) kind;
        return 0;
}

static int read_parts(sd_bus_message *message, void *options, sd_bus_error *error) {
        AcquireOptions *o = options;
        const char *name;
        int r;

        r = sd_bus_message_enter_container(message, 'a', "s");
        if (r < 0)
                return r;
        o->parts = 0;
        while ((r = sd_bus_message_read(message, "s", &name)) > 0) {
                unsigned part = probe_part_from_string(name);

                if (!part)
                        return bus_error_setf(error, EINVAL, "Unknown part \"%s\"", name);
                o->parts |= part;
        }
        if (r < 0)
                return r;
        if (!o->parts)
                return bus_error_setf(error, EINVAL, "A lease needs at least one part");
        return sd_bus_message_exit_container(message);
}

static int read_recover(sd_bus_message *message, void *options, sd_bus_error *error) {
        int recover, r;

        (void) error;
        r = sd_bus_message_read(message, "b", &recover);
        if (r >= 0)
                ((AcquireOptions *) options)->recover = recover;
        return r;
}

static int read_waiting(sd_bus_message *message, void *options, sd_bus_error *error) {
        AcquireOptions *o = options;
        const char *how;
        int r;

        r = sd_bus_message_read(message, "s", &how);
        if (r < 0)
                return r;
        o->answer_early = strcmp(how, "object") == 0;
        if (!o->answer_early && strcmp(how, "reply") != 0)
                return bus_error_setf(error, EINVAL, "\"waiting\" is \"reply\" or \"object\"");
        return 0;
}

static int read_delegates(sd_bus_message *message, void *options, sd_bus_error *error) {
        AcquireOptions *o = options;
        const char *who;
        int r;

        r = sd_bus_message_enter_container(message, 'a', "s");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(message, "s", &who)) > 0) {
                if (o->n_delegates == LEASE_DELEGATES_MAX)
                        return bus_error_setf(error, EDQUOT,
                                              "A lease can be delegated to %d others at most",
                                              LEASE_DELEGATES_MAX);
                o->delegates[o->n_delegates++] = who;
        }
        return r < 0 ? r : sd_bus_message_exit_container(message);
}

static int read_form(sd_bus_message *message, void *options, sd_bus_error *error) {
        AcquireOptions *o = options;
        const char *name;
        int r;

        r = sd_bus_message_read(message, "s", &name);
        if (r < 0)
                return r;
        r = lease_form_from_string(name);
        if (r < 0 || r == LEASE_FORM_FD)
                return bus_error_setf(error, EINVAL, "\"form\" is \"connection\" or \"process\"");
        o->form = (LeaseForm) r;
        return 0;
}

static int read_pid(sd_bus_message *message, void *options, sd_bus_error *error) {
        uint32_t pid;
        int r;

        r = sd_bus_message_read(message, "u", &pid);
        if (r < 0)
                return r;
        if (pid == 0 || pid > INT32_MAX)
                return bus_error_setf(error, EINVAL, "%u is no pid", pid);
        ((AcquireOptions *) options)->pid = (pid_t) pid;
        return 0;
}

static const BusOption acquire_options[] = {
        { "wait", "t", read_wait },       { "reason", "s", read_reason },
        { "kind", "s", read_kind },       { "parts", "as", read_parts },
        { "limit", "t", read_limit },     { "waiting", "s", read_waiting },
        { "recover", "b", read_recover }, { "delegates", "as", read_delegates },
        { "form", "s", read_form },       { "pid", "u", read_pid },
};
#define N_FD_OPTIONS 8 /* the first ones, which a lease with an fd has */

static int acquire(sd_bus_message *message, ProbeView *view, LeaseForm form, sd_bus_error *error) {
        size_t n_options = form == LEASE_FORM_FD ? N_FD_OPTIONS : ELEMENTSOF(acquire_options);
        Bus *bus = view->bus;
        const Probe *probe = view->probe;
        AcquireOptions options = { .reason = "",
                                   .kind = LEASE_EXCLUSIVE,
                                   .parts = PROBE_PART_DEBUG,
                                   .limit = USEC_INFINITY,
                                   .form = form };
        BusCaller caller;
        int r;

        r = bus_options_read(message, acquire_options, n_options, &options, error);
        if (r < 0)
                return r;
        if (options.pid > 0 && options.form != LEASE_FORM_PROCESS)
                return bus_error_setf(error, EINVAL, "\"pid\" is for the form \"process\"");
        r = bus_caller_read(bus, message, &caller, error);
        if (r < 0)
                return r;
        r = bus_authorize(bus, message, &caller,
                          options.kind == LEASE_FIRMWARE_UPDATE ? BUS_ACTION_FIRMWARE
                                                                : BUS_ACTION_LEASE,
                          probe, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = bus->ops->acquire(bus->userdata, probe, &options, &caller, message, error);
        return r < 0 ? r : 1;
}

static int method_acquire(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return acquire(message, userdata, LEASE_FORM_FD, error);
}

static int method_acquire_bound(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return acquire(message, userdata, LEASE_FORM_CONNECTION, error);
}

static int method_get_conflicts(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        ProbeView *view = userdata;
        int r;

        r = bus_options_read(message, NULL, 0, NULL, error);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_return(message, &reply);
        if (r < 0)
                return r;
        r = bus_append_conflicts(reply, view->bus, view->probe);
        if (r < 0)
                return r;
        return sd_bus_message_send(reply);
}

#define CONSTANT   SD_BUS_VTABLE_PROPERTY_CONST
#define CHANGES    SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define AT(member) offsetof(ProbeView, member)

const sd_bus_vtable bus_probe_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Id", "s", NULL, AT(id), CONSTANT),
        SD_BUS_PROPERTY("Serial", "s", NULL, AT(serial), CHANGES),
        SD_BUS_PROPERTY("SerialReported", "s", NULL, AT(reported), CHANGES),
        SD_BUS_PROPERTY("Ambiguous", "b", NULL, AT(ambiguous), CHANGES),
        SD_BUS_PROPERTY("Model", "s", NULL, AT(model), CHANGES),
        SD_BUS_PROPERTY("ProductId", "q", NULL, AT(product_id), CHANGES),
        SD_BUS_PROPERTY("PortPath", "s", NULL, AT(port_path), CHANGES),
        SD_BUS_PROPERTY("Node", "s", NULL, AT(node), CHANGES),
        SD_BUS_PROPERTY("Parts", "aa{sv}", get_parts, 0, CHANGES),
        SD_BUS_PROPERTY("Firmware", "s", NULL, AT(firmware), CHANGES),
        SD_BUS_PROPERTY("Mode", "s", NULL, AT(mode), CHANGES),
        SD_BUS_PROPERTY("TargetVoltage", "i", NULL, AT(millivolts), CHANGES),
        SD_BUS_PROPERTY("LoaderSince", "t", NULL, AT(loader_since), CHANGES),
        SD_BUS_PROPERTY("ReturnBy", "t", NULL, AT(return_by), CHANGES),
        SD_BUS_PROPERTY("Wedge", "s", NULL, AT(wedge), CHANGES),
        SD_BUS_PROPERTY("State", "s", NULL, AT(state), CHANGES),
        SD_BUS_PROPERTY("Holders", "aa{sv}", get_holders, 0, CHANGES),
        SD_BUS_PROPERTY("Leases", "ao", get_leases, 0, CHANGES),
        SD_BUS_METHOD_WITH_ARGS("Acquire", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("o", lease, "h", fd), method_acquire,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("AcquireBound", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("o", lease), method_acquire_bound,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetHolders", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", holders), bus_get_holders,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("EndHolder", SD_BUS_ARGS("u", pid, "t", started, "a{sv}", options),
                                SD_BUS_NO_RESULT, bus_end_holder, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetConflicts", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", conflicts), method_get_conflicts,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS("Conflict", SD_BUS_ARGS("a{sv}", conflict), 0),
        SD_BUS_VTABLE_END,
};
