/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus/names.h"
#include "ctl/properties.h"
#include "ctl/snapshot.h"

static void holder_clear(HolderView *holder) {
        char *strings[] = { holder->user,     holder->command,   holder->exe,
                            holder->cmdline,  holder->unit,      holder->session,
                            holder->terminal, holder->container, holder->parent_command,
                            holder->lease,    holder->part,      holder->device,
                            holder->cgroup,   holder->program,   holder->seen,
                            holder->remote };

        for (size_t i = 0; i < ELEMENTSOF(strings); i++)
                free(strings[i]);
        strings_free(holder->ports);
}

static void holders_free(HolderView *holders, size_t n) {
        for (size_t i = 0; i < n; i++)
                holder_clear(&holders[i]);
        free(holders);
}

static void parts_free(PartView *parts, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(parts[i].part);
                free(parts[i].device);
                free(parts[i].link);
        }
        free(parts);
}

static ProbeView *probe_view_free(ProbeView *probe) {
        char *strings[] = { probe->path,      probe->id,    probe->serial,   probe->serial_reported,
                            probe->model,     probe->node,  probe->firmware, probe->mode,
                            probe->port_path, probe->state, probe->wedge };

        for (size_t i = 0; i < ELEMENTSOF(strings); i++)
                free(strings[i]);
        parts_free(probe->parts, probe->n_parts);
        holders_free(probe->holders, probe->n_holders);
        strings_free(probe->leases);
        free(probe);
        return NULL;
}

static LeaseView *lease_view_free(LeaseView *lease) {
        char *strings[] = { lease->path,     lease->probe,       lease->state,   lease->kind,
                            lease->user,     lease->reason,      lease->command, lease->form,
                            lease->asked_by, lease->asked_reason };

        for (size_t i = 0; i < ELEMENTSOF(strings); i++)
                free(strings[i]);
        strings_free(lease->parts);
        strings_free(lease->delegates);
        free(lease);
        return NULL;
}

int snapshot_new(Snapshot **ret) {
        Snapshot *snapshot = calloc(1, sizeof(Snapshot));

        if (!snapshot)
                return -ENOMEM;
        *ret = snapshot;
        return 0;
}

Snapshot *snapshot_free(Snapshot *snapshot) {
        if (!snapshot)
                return NULL;
        for (size_t i = 0; i < snapshot->n_probes; i++)
                probe_view_free(snapshot->probes[i]);
        for (size_t i = 0; i < snapshot->n_leases; i++)
                lease_view_free(snapshot->leases[i]);
        free(snapshot->probes);
        free(snapshot->leases);
        free(snapshot->manager.version);
        free(snapshot->manager.gate);
        free(snapshot->manager.enforcement);
        free(snapshot->manager.sight);
        free(snapshot);
        return NULL;
}

static int read_ports(sd_bus_message *message, void *member) {
        const uint16_t *ports;
        size_t size = 0, n;
        char **strings;
        int r = sd_bus_message_read_array(message, 'q', (const void **) &ports, &size);

        if (r < 0)
                return r;
        n = size / sizeof(*ports);
        strings = calloc(n + 1, sizeof(*strings));
        for (size_t i = 0; strings && i < n; i++)
                if (asprintf(&strings[i], "%u", ports[i]) < 0) {
                        strings[i] = NULL;
                        strings_free(strings);
                        return -ENOMEM;
                }
        if (!strings)
                return -ENOMEM;
        strings_free(*(char ***) member);
        *(char ***) member = strings;
        return 0;
}

static int read_orphaned(sd_bus_message *message, void *member) {
        int yes, r = sd_bus_message_read_basic(message, 'b', &yes);

        if (r >= 0)
                *(Orphaned *) member = yes ? ORPHANED_YES : ORPHANED_NO;
        return r;
}

static int read_requests(sd_bus_message *message, void *member) {
        Traffic *traffic = container_of((uint64_t *) member, Traffic, requests);

        traffic->known = true;
        return sd_bus_message_read_basic(message, 't', &traffic->requests);
}

static const Property holder_table[] = {
        { "Pid", "u", offsetof(HolderView, pid) },
        { "Started", "t", offsetof(HolderView, started) },
        { "Seen", "s", offsetof(HolderView, seen) },
        { "Cgroup", "s", offsetof(HolderView, cgroup) },
        { "Program", "s", offsetof(HolderView, program) },
        { "Remote", "s", offsetof(HolderView, remote) },
        { "Ports", "aq", offsetof(HolderView, ports), read_ports },
        { "Clients", "u", offsetof(HolderView, clients) },
        { "Orphaned", "b", offsetof(HolderView, orphaned), read_orphaned },
        { "Requests", "t", offsetof(HolderView, traffic.requests), read_requests },
        { "Transfers", "t", offsetof(HolderView, traffic.transfers) },
        { "LastUse", "t", offsetof(HolderView, traffic.last) },
        { "Uid", "u", offsetof(HolderView, uid) },
        { "User", "s", offsetof(HolderView, user) },
        { "Command", "s", offsetof(HolderView, command) },
        { "Since", "t", offsetof(HolderView, since) },
        { "Claimed", "b", offsetof(HolderView, claimed) },
        { "Exe", "s", offsetof(HolderView, exe) },
        { "Cmdline", "s", offsetof(HolderView, cmdline) },
        { "Unit", "s", offsetof(HolderView, unit) },
        { "Session", "s", offsetof(HolderView, session) },
        { "Terminal", "s", offsetof(HolderView, terminal) },
        { "Container", "s", offsetof(HolderView, container) },
        { "ParentCommand", "s", offsetof(HolderView, parent_command) },
        { "Lease", "o", offsetof(HolderView, lease) },
        { "Part", "s", offsetof(HolderView, part) },
        { "Device", "s", offsetof(HolderView, device) },
};

static const Property part_table[] = {
        { "Part", "s", offsetof(PartView, part) },
        { "Interface", "u", offsetof(PartView, interface) },
        { "Device", "s", offsetof(PartView, device) },
        { "Link", "s", offsetof(PartView, link) },
};

static int read_holders(sd_bus_message *message, void *member) {
        ProbeView *probe = container_of((HolderView **) member, ProbeView, holders);
        HolderView *holders = NULL;
        size_t n = 0;
        int r = properties_read_array(message, holder_table, ELEMENTSOF(holder_table),
                                      sizeof(HolderView), (void **) &holders, &n);

        if (r < 0) {
                holders_free(holders, n);
                return r;
        }
        holders_free(probe->holders, probe->n_holders);
        probe->holders = holders;
        probe->n_holders = n;
        return 0;
}

int snapshot_read_holders(ProbeView *probe, sd_bus_message *message) {
        return read_holders(message, &probe->holders);
}

static int read_parts(sd_bus_message *message, void *member) {
        ProbeView *probe = container_of((PartView **) member, ProbeView, parts);
        PartView *parts = NULL;
        size_t n = 0;
        int r = properties_read_array(message, part_table, ELEMENTSOF(part_table), sizeof(PartView),
                                      (void **) &parts, &n);

        if (r < 0) {
                parts_free(parts, n);
                return r;
        }
        parts_free(probe->parts, probe->n_parts);
        probe->parts = parts;
        probe->n_parts = n;
        return 0;
}

static const Property manager_table[] = {
        { "Version", "s", offsetof(ManagerView, version) },
        { "Gate", "s", offsetof(ManagerView, gate) },
        { "Enforcement", "s", offsetof(ManagerView, enforcement) },
        { "Sight", "s", offsetof(ManagerView, sight) },
};

static const Property probe_table[] = {
        { "Id", "s", offsetof(ProbeView, id) },
        { "Serial", "s", offsetof(ProbeView, serial) },
        { "SerialReported", "s", offsetof(ProbeView, serial_reported) },
        { "Ambiguous", "b", offsetof(ProbeView, ambiguous) },
        { "Model", "s", offsetof(ProbeView, model) },
        { "ProductId", "q", offsetof(ProbeView, product_id) },
        { "PortPath", "s", offsetof(ProbeView, port_path) },
        { "Node", "s", offsetof(ProbeView, node) },
        { "Parts", "aa{sv}", offsetof(ProbeView, parts), read_parts },
        { "Firmware", "s", offsetof(ProbeView, firmware) },
        { "Mode", "s", offsetof(ProbeView, mode) },
        { "TargetVoltage", "i", offsetof(ProbeView, target_voltage) },
        { "LoaderSince", "t", offsetof(ProbeView, loader_since) },
        { "ReturnBy", "t", offsetof(ProbeView, return_by) },
        { "State", "s", offsetof(ProbeView, state) },
        { "Wedge", "s", offsetof(ProbeView, wedge) },
        { "Holders", "aa{sv}", offsetof(ProbeView, holders), read_holders },
        { "Leases", "ao", offsetof(ProbeView, leases), properties_read_strings },
};

static const Property lease_table[] = {
        { "Probe", "o", offsetof(LeaseView, probe) },
        { "State", "s", offsetof(LeaseView, state) },
        { "Position", "u", offsetof(LeaseView, position) },
        { "Kind", "s", offsetof(LeaseView, kind) },
        { "Form", "s", offsetof(LeaseView, form) },
        { "Expires", "t", offsetof(LeaseView, expires) },
        { "AskedBy", "s", offsetof(LeaseView, asked_by) },
        { "AskedReason", "s", offsetof(LeaseView, asked_reason) },
        { "Deadline", "t", offsetof(LeaseView, deadline) },
        { "Parts", "as", offsetof(LeaseView, parts), properties_read_strings },
        { "Delegates", "as", offsetof(LeaseView, delegates), properties_read_strings },
        { "Reason", "s", offsetof(LeaseView, reason) },
        { "Uid", "u", offsetof(LeaseView, uid) },
        { "User", "s", offsetof(LeaseView, user) },
        { "Pid", "u", offsetof(LeaseView, pid) },
        { "Command", "s", offsetof(LeaseView, command) },
        { "Requested", "t", offsetof(LeaseView, requested) },
        { "Granted", "t", offsetof(LeaseView, granted) },
};

ProbeView *snapshot_find_probe(const Snapshot *snapshot, const char *path) {
        for (size_t i = 0; i < snapshot->n_probes; i++)
                if (strcmp(snapshot->probes[i]->path, path) == 0)
                        return snapshot->probes[i];
        return NULL;
}

LeaseView *snapshot_find_lease(const Snapshot *snapshot, const char *path) {
        for (size_t i = 0; i < snapshot->n_leases; i++)
                if (strcmp(snapshot->leases[i]->path, path) == 0)
                        return snapshot->leases[i];
        return NULL;
}

/* Make room for one more pointer at the end of an array of them. */
static int grow(void ***array, size_t n) {
        void **grown = reallocarray(*array, n + 1, sizeof(void *));

        if (!grown)
                return -ENOMEM;
        *array = grown;
        return 0;
}

static int add_probe(Snapshot *snapshot, const char *path, ProbeView **ret) {
        ProbeView *probe;

        *ret = snapshot_find_probe(snapshot, path);
        if (*ret)
                return 0;
        probe = calloc(1, sizeof(ProbeView));
        if (!probe)
                return -ENOMEM;
        probe->target_voltage = -1;
        probe->path = strdup(path);
        if (!probe->path || grow((void ***) &snapshot->probes, snapshot->n_probes) < 0) {
                probe_view_free(probe);
                return -ENOMEM;
        }
        *ret = snapshot->probes[snapshot->n_probes++] = probe;
        return 0;
}

static int add_lease(Snapshot *snapshot, const char *path, LeaseView **ret) {
        LeaseView *lease;

        *ret = snapshot_find_lease(snapshot, path);
        if (*ret)
                return 0;
        lease = calloc(1, sizeof(LeaseView));
        if (!lease)
                return -ENOMEM;
        lease->path = strdup(path);
        if (!lease->path || grow((void ***) &snapshot->leases, snapshot->n_leases) < 0) {
                lease_view_free(lease);
                return -ENOMEM;
        }
        *ret = snapshot->leases[snapshot->n_leases++] = lease;
        return 0;
}

static int read_properties_of(Snapshot *snapshot, const char *path, const char *interface,
                              sd_bus_message *message) {
        ProbeView *probe = NULL;
        LeaseView *lease = NULL;
        int r;

        if (strcmp(interface, STLINKD_PROBE_INTERFACE) == 0) {
                r = add_probe(snapshot, path, &probe);
                return r < 0 ? r
                             : properties_read(message, probe_table, ELEMENTSOF(probe_table),
                                               probe);
        }
        if (strcmp(interface, STLINKD_LEASE_INTERFACE) == 0) {
                r = add_lease(snapshot, path, &lease);
                return r < 0 ? r
                             : properties_read(message, lease_table, ELEMENTSOF(lease_table),
                                               lease);
        }
        if (strcmp(interface, STLINKD_MANAGER_INTERFACE) == 0)
                return snapshot_read_manager(snapshot, message);
        return sd_bus_message_skip(message, "a{sv}");
}

int snapshot_read_interfaces(Snapshot *snapshot, const char *path, sd_bus_message *message) {
        const char *interface;
        int r = sd_bus_message_enter_container(message, 'a', "{sa{sv}}");

        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(message, 'e', "sa{sv}")) > 0) {
                r = sd_bus_message_read_basic(message, 's', &interface);
                if (r < 0)
                        return r;
                r = read_properties_of(snapshot, path, interface, message);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(message);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(message);
        return r < 0 ? r : 0;
}

static int compare_probes(const void *a, const void *b) {
        const ProbeView *x = *(const ProbeView *const *) a, *y = *(const ProbeView *const *) b;
        int r = strverscmp(x->port_path ? x->port_path : "", y->port_path ? y->port_path : "");

        return r ? r : strcmp(x->path, y->path);
}

int snapshot_read_objects(Snapshot *snapshot, sd_bus_message *message) {
        const char *path;
        int r = sd_bus_message_enter_container(message, 'a', "{oa{sa{sv}}}");

        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(message, 'e', "oa{sa{sv}}")) > 0) {
                r = sd_bus_message_read_basic(message, 'o', &path);
                if (r < 0)
                        return r;
                r = snapshot_read_interfaces(snapshot, path, message);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(message);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        if (snapshot->n_probes > 1)
                qsort(snapshot->probes, snapshot->n_probes, sizeof(ProbeView *), compare_probes);
        return 0;
}

int snapshot_read_manager(Snapshot *snapshot, sd_bus_message *message) {
        return properties_read(message, manager_table, ELEMENTSOF(manager_table),
                               &snapshot->manager);
}

int snapshot_read_changed(Snapshot *snapshot, const char *path, const char *interface,
                          sd_bus_message *message) {
        if (!snapshot_find_probe(snapshot, path) && !snapshot_find_lease(snapshot, path))
                return 0;
        return read_properties_of(snapshot, path, interface, message);
}

void snapshot_remove(Snapshot *snapshot, const char *path) {
        for (size_t i = 0; i < snapshot->n_probes; i++)
                if (strcmp(snapshot->probes[i]->path, path) == 0) {
                        probe_view_free(snapshot->probes[i]);
                        snapshot->n_probes--;
                        memmove(&snapshot->probes[i], &snapshot->probes[i + 1],
                                (snapshot->n_probes - i) * sizeof(ProbeView *));
                        return;
                }
        for (size_t i = 0; i < snapshot->n_leases; i++)
                if (strcmp(snapshot->leases[i]->path, path) == 0) {
                        lease_view_free(snapshot->leases[i]);
                        snapshot->n_leases--;
                        memmove(&snapshot->leases[i], &snapshot->leases[i + 1],
                                (snapshot->n_leases - i) * sizeof(LeaseView *));
                        return;
                }
}

const LeaseView *snapshot_lease_held(const Snapshot *snapshot, const ProbeView *probe) {
        for (char **path = probe->leases; path && *path; path++) {
                const LeaseView *lease = snapshot_find_lease(snapshot, *path);

                if (lease && lease->state && strcmp(lease->state, "waiting") != 0)
                        return lease;
        }
        return NULL;
}

size_t snapshot_count_waiting(const Snapshot *snapshot, const ProbeView *probe) {
        size_t n = 0;

        for (char **path = probe->leases; path && *path; path++) {
                const LeaseView *lease = snapshot_find_lease(snapshot, *path);

                n += lease && lease->state && strcmp(lease->state, "waiting") == 0;
        }
        return n;
}
