/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/log.h"
#include "daemon/fd-store.h"
#include "daemon/manager-internal.h"

/* The descriptors of probes' nodes that went out with leases. Only through our duplicate of one can
 * it be taken back, so the service manager has a duplicate too, for the daemon that comes after a
 * crash. */

#define NODE_PREFIX "node-"

static void write_name(LeaseId id, char buffer[static FD_STORE_NAME_MAX]) {
        (void) snprintf(buffer, FD_STORE_NAME_MAX, NODE_PREFIX "%" PRIu64, id);
}

void lease_entry_keep_node(LeaseEntry *entry) {
        char name[FD_STORE_NAME_MAX];
        int r;

        write_name(entry->id, name);
        r = fd_store_push(name, entry->node);
        if (r < 0)
                log_debug_errno(r, "After a crash the probe's node could not be taken back from %s",
                                entry->command);
}

void manager_drop_node(LeaseId id) {
        char name[FD_STORE_NAME_MAX];

        write_name(id, name);
        fd_store_remove(name);
}

static LeaseEntry *find_entry(Manager *manager, LeaseId id) {
        LIST_FOREACH(&manager->returning, LeaseEntry, entry, link)
                if (entry->id == id)
                        return entry;
        return lease_entry_get(manager, id);
}

/* The probe whose node that is, unless it has come back as another device since. The numbers of a
 * USB node are in the kernel's Documentation/admin-guide/devices.txt: 128 to a bus. What is no
 * device, as in the simulator's world, is anybody's. */
static ProbeEntry *find_probe(Manager *manager, int fd, bool *ret_is_device) {
        struct stat st;

        *ret_is_device = fstat(fd, &st) >= 0 && S_ISCHR(st.st_mode);
        if (!*ret_is_device)
                return NULL;
        LIST_FOREACH(&manager->probe_entries, ProbeEntry, probe, link)
                if (probe->node && minor(st.st_rdev) == (probe->bus - 1) * 128 + probe->device - 1)
                        return probe;
        return NULL;
}

static void take(Manager *manager, LeaseId id, int node) {
        _cleanup_close_ int fd = node;
        bool is_device;
        ProbeEntry *probe = find_probe(manager, fd, &is_device);
        LeaseEntry *entry = find_entry(manager, id);

        if (entry && entry->node < 0 && (probe ? probe->number == entry->probe : !is_device)) {
                entry->node = TAKE_FD(fd);
                return;
        }
        /* The probe has another node by now; or its lease ended while we were away, and the node
         * is in its owner's hands still. */
        if (!probe || task_new(probe, JOB_CLOSE, id, fd, NULL) < 0)
                manager_drop_node(id);
        else
                probe_entry_update(probe);
}

void manager_take_nodes(Manager *manager) {
        const char *name;
        LeaseId id;

        while ((name = fd_store_find(NODE_PREFIX))) {
                if (sscanf(name, NODE_PREFIX "%" SCNu64, &id) != 1)
                        id = 0;
                take(manager, id, fd_store_take(name));
        }
}
