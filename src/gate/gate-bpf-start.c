/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "gate/gate-bpf-private.h"

/* The kernel's PROC_PID_INIT_INO: of the pid namespace whose pids the events have */
#define INITIAL_PID_NAMESPACE 0xEFFFFFFC

/* --- what outlives us --------------------------------------------------------------------- */

/* The maps of an earlier gate are used on, with all that is in them. Its links stay until ours are
 * there, so that nobody slips through between the two. */

#define NAME_MAX_KEPT 128
#define LINKS_PREFIX  "gate-link-"

typedef struct OldLink {
        char name[NAME_MAX_KEPT];
        int fd;
} OldLink;

typedef struct OldLinks {
        OldLink items[64];
        size_t n;
} OldLinks;

static const char *map_name(GateMap map, char *buffer) {
        (void) snprintf(buffer, NAME_MAX_KEPT, "gate-map-%d-%s", GATE_LAYOUT,
                        gate_map_to_string(map));
        return buffer;
}

static void take_old_maps(Gate *gate) {
        char name[NAME_MAX_KEPT];

        for (GateMap i = 0; i < _GATE_MAP_MAX; i++)
                gate->bpf->maps[i] = gate->store ? gate->store->take(map_name(i, name)) : -EBADF;
}

static void take_old_links(Gate *gate, OldLinks *old) {
        const char *name;

        while (gate->store && old->n < ELEMENTSOF(old->items) &&
               (name = gate->store->find(LINKS_PREFIX))) {
                OldLink *link = &old->items[old->n];

                (void) snprintf(link->name, sizeof(link->name), "%s", name);
                link->fd = gate->store->take(link->name);
                if (link->fd < 0)
                        return;
                old->n++;
        }
}

static void drop_old_links(Gate *gate, OldLinks *old) {
        for (size_t i = 0; i < old->n; i++) {
                gate->store->remove(old->items[i].name);
                close(old->items[i].fd);
        }
}

static void keep_maps(Gate *gate) {
        const GateBpf *bpf = gate->bpf;
        char name[NAME_MAX_KEPT];

        for (GateMap i = 0; i < _GATE_MAP_MAX; i++) {
                if (bpf->reused[i])
                        continue;
                /* One of that name that was there did not fit. */
                gate->store->remove(map_name(i, name));
                (void) gate->store->push(name, bpf->maps[i]);
        }
}

static void keep_links(Gate *gate) {
        Usec now = now_usec(CLOCK_BOOTTIME);
        char name[NAME_MAX_KEPT];

        for (size_t i = 0; i < gate->bpf->n_links; i++) {
                (void) snprintf(name, sizeof(name), LINKS_PREFIX "%" PRIx64 "-%zu", now, i);
                (void) gate->store->push(name, gate->bpf->links[i]);
        }
}

/* --- into force --------------------------------------------------------------------------- */

static int check_pid_namespace(void) {
        struct stat st;

        if (stat("/proc/self/ns/pid", &st) < 0)
                return -errno;
        return st.st_ino == INITIAL_PID_NAMESPACE ? 0 : -EXDEV;
}

/* A kernel that has BPF LSM, but was started without it, takes the program and never calls it.
 * So open something and see. */
static int self_test(Gate *gate) {
        GateKey key = GATE_KEY(S_IFCHR, 1, 3);
        int nodes = gate->bpf->maps[GATE_MAP_NODES];
        _cleanup_close_ int fd = -EBADF;
        GateMark mark = {};

        if (bpf_map_update_elem(nodes, &key, &mark, BPF_ANY) < 0)
                return -errno;
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        (void) bpf_map_delete_elem(nodes, &key);
        if (fd < 0)
                return -errno;
        (void) ring_buffer__consume(gate->bpf->ring);
        return gate->bpf->works ? 0 : -ENOSYS;
}

static int admit_ourselves(Gate *gate) {
        _cleanup_close_ int pidfd = pidfd_open(getpid(), 0);

        return pidfd < 0 ? -errno : gate_bpf_admit(gate, GATE_TAG_OURS, pidfd);
}

static int start(Gate *gate) {
        GateBpf *bpf = gate->bpf;
        int r;

        r = gate_bpf_load(bpf);
        if (r < 0)
                return r;
        for (GateMap i = 0; i < _GATE_MAP_MAX; i++)
                bpf->adopted |= bpf->reused[i];
        gate->has_members = bpf->reused[GATE_MAP_MEMBERS];
        (void) libbpf_set_print(NULL);
        bpf->ring = ring_buffer__new(bpf->maps[GATE_MAP_EVENTS], gate_bpf_on_event, gate, NULL);
        if (!bpf->ring)
                return -errno;
        r = self_test(gate);
        if (r >= 0)
                r = admit_ourselves(gate);
        if (r >= 0)
                r = sd_event_add_io(gate->event, &bpf->source, ring_buffer__epoll_fd(bpf->ring),
                                    EPOLLIN, gate_bpf_on_ring, gate);
        return r < 0 ? r : gate_backend_poll.start(gate);
}

int gate_bpf_start(Gate *gate) {
        OldLinks old = {};
        int r;

        r = check_pid_namespace();
        if (r < 0)
                return r;
        gate->bpf = calloc(1, sizeof(*gate->bpf));
        if (!gate->bpf)
                return -ENOMEM;
        take_old_maps(gate);
        take_old_links(gate, &old);
        r = start(gate);
        if (r >= 0 && gate->store) {
                keep_maps(gate);
                keep_links(gate);
        }
        /* The new ones are in force; or nobody could tell the old ones any more what to do. */
        drop_old_links(gate, &old);
        return r;
}

void gate_bpf_stop(Gate *gate) {
        GateBpf *bpf = TAKE_PTR(gate->bpf);

        gate_backend_poll.stop(gate);
        if (!bpf)
                return;
        sd_event_source_disable_unref(bpf->source);
        ring_buffer__free(bpf->ring);
        for (size_t i = 0; i < bpf->n_links; i++)
                safe_close(bpf->links[i]);
        for (GateMap i = 0; i < _GATE_MAP_MAX; i++)
                safe_close(bpf->maps[i]);
        free(bpf);
}
