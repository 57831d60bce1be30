/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>

#include "bus/bus-internal.h"
#include "bus/errors.h"

/* Programs that have a probe's node open. */

/* --- writing ------------------------------------------------------------------------------ */

/* What may be known of a process or not. */
static int append_process_strings(sd_bus_message *reply, const Process *process) {
        const struct {
                const char *key, *value;
        } strings[] = {
                { "User", process->user },
                { "Command", process->command },
                { "Exe", process->exe },
                { "Unit", process->unit },
                { "Cgroup", process->cgroup },
                { "Session", process->session },
                { "Terminal", process->terminal },
                { "Container", process->container },
                { "ParentCommand", process->parent_command },
                { "Program", process->program },
        };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(strings); i++) {
                r = bus_append_string(reply, strings[i].key, strings[i].value);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int append_known(sd_bus_message *reply, const BusHolder *holder) {
        const Process *process = holder->process;
        char lease[LEASE_PATH_MAX];
        int r;

        r = sd_bus_message_append(reply, "{sv}{sv}{sv}{sv}{sv}", "Pid", "u",
                                  (uint32_t) process->pid, "Started", "t", process->start, "Uid",
                                  "u", (uint32_t) process->uid, "Since", "t", holder->since,
                                  "Claimed", "b", (int) holder->claimed);
        if (r >= 0)
                r = bus_append_string(reply, "Seen", holder->seen);
        if (r >= 0)
                r = bus_append_string(reply, "Part", probe_part_to_string(holder->part));
        if (r >= 0)
                r = bus_append_string(reply, "Device", holder->device);
        if (r >= 0)
                r = append_process_strings(reply, process);
        if (r < 0 || !holder->lease)
                return r;
        bus_lease_path(holder->lease, lease);
        return sd_bus_message_append(reply, "{sv}", "Lease", "o", lease);
}

static int append_ports(sd_bus_message *reply, const ProcessDetail *detail) {
        int r = sd_bus_message_open_container(reply, 'e', "sv");

        if (r >= 0)
                r = sd_bus_message_append(reply, "s", "Ports");
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'v', "aq");
        if (r >= 0)
                r = sd_bus_message_append_array(reply, 'q', detail->ports,
                                                detail->n_ports * sizeof(*detail->ports));
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_traffic(sd_bus_message *reply, const BusHolder *holder) {
        if (!holder->counted)
                return 0;
        return sd_bus_message_append(reply, "{sv}{sv}{sv}", "Requests", "t", holder->requests,
                                     "Transfers", "t", holder->transfers, "LastUse", "t",
                                     holder->last);
}

/* What changes all the time, and is looked up for those who ask for it. */
static int append_detail(sd_bus_message *reply, Bus *bus, const BusHolder *holder) {
        _cleanup_(process_detail_done) ProcessDetail detail = {};
        int r = 0;

        if (bus->ops->holder_detail(bus->userdata, holder, &detail) < 0)
                return 0; /* it has just ended */
        if (detail.sockets_known) {
                r = append_ports(reply, &detail);
                if (r >= 0)
                        r = sd_bus_message_append(reply, "{sv}{sv}", "Clients", "u", detail.clients,
                                                  "Orphaned", "b", (int) detail.orphaned);
        }
        return r < 0 ? r : bus_append_string(reply, "Remote", detail.remote);
}

/* caller is NULL for what everybody is told; all is whether he may see every command line. */
static int append_holder(sd_bus_message *reply, Bus *bus, const BusHolder *holder,
                         const BusCaller *caller, bool all) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = append_known(reply, holder);
        if (r >= 0 && caller)
                r = append_traffic(reply, holder);
        if (r >= 0 && caller)
                r = append_detail(reply, bus, holder);
        if (r >= 0 && caller && (all || caller->uid == holder->process->uid))
                r = bus_append_string(reply, "Cmdline", holder->process->cmdline);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_holders(sd_bus_message *reply, Bus *bus, const Probe *probe,
                          const BusCaller *caller, bool all) {
        BusHolder holder;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        if (r < 0)
                return r;
        for (size_t i = 0; bus->ops->holder_at(bus->userdata, probe, i, &holder); i++) {
                r = append_holder(reply, bus, &holder, caller, all);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(reply);
}

int bus_append_holders(sd_bus_message *reply, Bus *bus, const Probe *probe) {
        return append_holders(reply, bus, probe, NULL, false);
}

/* --- methods ------------------------------------------------------------------------------ */

/* An int is what sd-bus reads a boolean into. */
static int read_see_all(sd_bus_message *message, void *options, sd_bus_error *error) {
        (void) error;
        return sd_bus_message_read(message, "b", (int *) options);
}

static const BusOption get_holders_options[] = { { "see-all", "b", read_see_all } };

int bus_get_holders(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        ProbeView *view = userdata;
        int see_all = false;
        BusCaller caller;
        int r;

        r = bus_options_read(message, get_holders_options, ELEMENTSOF(get_holders_options),
                             &see_all, error);
        if (r < 0)
                return r;
        r = bus_caller_read(view->bus, message, &caller, error);
        if (r < 0)
                return r;
        if (see_all) {
                r = bus_authorize(view->bus, message, &caller, BUS_ACTION_SEE_ALL, view->probe,
                                  error);
                if (r <= 0)
                        return r < 0 ? r : 1;
        }
        r = sd_bus_message_new_method_return(message, &reply);
        if (r < 0)
                return r;
        r = append_holders(reply, view->bus, view->probe, &caller, see_all || caller.uid == 0);
        if (r < 0)
                return r;
        return sd_bus_message_send(reply);
}

/* The one that was shown, and no other that has its pid by now. */
static bool find_holder(ProbeView *view, uint32_t pid, uint64_t started, BusHolder *ret) {
        Bus *bus = view->bus;

        for (size_t i = 0; bus->ops->holder_at(bus->userdata, view->probe, i, ret); i++)
                if ((uint32_t) ret->process->pid == pid && ret->process->start == started)
                        return true;
        return false;
}

static int authorize_end(ProbeView *view, sd_bus_message *message, const BusCaller *caller,
                         const Process *process, sd_bus_error *error) {
        char text[HOLDER_TEXT_MAX];

        if (caller->uid == process->uid)
                return 1;
        (void) snprintf(text, sizeof(text), "%s: %s (pid %d)", process->user, process->command,
                        (int) process->pid);
        return bus_authorize_against(view->bus, message, caller, BUS_ACTION_BREAK_LEASE,
                                     view->probe, text, error);
}

int bus_end_holder(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        ProbeView *view = userdata;
        BusHolder holder;
        BusCaller caller;
        uint64_t started;
        uint32_t pid;
        int r;

        r = sd_bus_message_read(message, "ut", &pid, &started);
        if (r >= 0)
                r = bus_options_read(message, NULL, 0, NULL, error);
        if (r >= 0)
                r = bus_caller_read(view->bus, message, &caller, error);
        if (r < 0)
                return r;
        if (!find_holder(view, pid, started, &holder))
                return bus_error_setf(error, ESRCH, "Process %u does not have probe %s open", pid,
                                      view->probe->id);
        r = authorize_end(view, message, &caller, holder.process, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = view->bus->ops->end_holder(view->bus->userdata, view->probe, &holder, &caller, message,
                                       error);
        return r < 0 ? r : 1;
}
