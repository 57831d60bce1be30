/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
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

static const char *map_name(const struct bpf_map *map, char *buffer) {
        (void) snprintf(buffer, NAME_MAX_KEPT, "gate-map-%d-%s", GATE_LAYOUT, bpf_map__name(map));
        return buffer;
}

static void adopt_maps(Gate *gate) {
        char name[NAME_MAX_KEPT];
        struct bpf_map *map;

        if (!gate->store)
                return;
        bpf_object__for_each_map(map, gate->bpf->program->obj) {
                _cleanup_close_ int fd = -EBADF;

                if (bpf_map__is_internal(map))
                        continue;
                fd = gate->store->take(map_name(map, name));
                if (fd >= 0 && bpf_map__reuse_fd(map, fd) >= 0)
                        gate->bpf->adopted = true;
                else if (fd >= 0)
                        gate->store->remove(name);
        }
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

static void keep_all(Gate *gate) {
        const struct bpf_object_skeleton *skeleton = gate->bpf->program->skeleton;
        Usec now = now_usec(CLOCK_BOOTTIME);
        char name[NAME_MAX_KEPT];
        struct bpf_map *map;

        if (!gate->store)
                return;
        bpf_object__for_each_map(map, gate->bpf->program->obj) if (!bpf_map__is_internal(map))(void)
                gate->store->push(map_name(map, name), bpf_map__fd(map));
        for (int i = 0; i < skeleton->prog_cnt; i++) {
                struct bpf_link *link = *skeleton->progs[i].link;

                if (!link)
                        continue;
                (void) snprintf(name, sizeof(name), LINKS_PREFIX "%" PRIx64 "-%s", now,
                                skeleton->progs[i].name);
                (void) gate->store->push(name, bpf_link__fd(link));
        }
}

/* --- loading ------------------------------------------------------------------------------ */

static int check_pid_namespace(void) {
        struct stat st;

        if (stat("/proc/self/ns/pid", &st) < 0)
                return -errno;
        return st.st_ino == INITIAL_PID_NAMESPACE ? 0 : -EXDEV;
}

/* Hooks that not every kernel has. Without the first, 32-bit programs go through the same hook
 * as others; without the second, closes are noticed later. */
static void drop_missing(struct gate_bpf *program) {
        struct bpf_program *optional[] = { program->progs.on_ioctl_compat,
                                           program->progs.on_close };
        static const char *const hooks[] = { "bpf_lsm_file_ioctl_compat",
                                             "bpf_lsm_file_free_security" };
        struct btf *kernel = btf__load_vmlinux_btf();

        if (!kernel)
                return; /* then nothing can be loaded, which says why */
        for (size_t i = 0; i < ELEMENTSOF(hooks); i++)
                if (btf__find_by_name_kind(kernel, hooks[i], BTF_KIND_FUNC) < 0)
                        (void) bpf_program__set_autoload(optional[i], false);
        btf__free(kernel);
}

/* What the kernel answers when it has no BPF LSM, or does not describe itself (BTF) */
static int explain(int error) {
        switch (error) {
        case -ENOENT:
        case -ESRCH:
        case -EINVAL:
        case -ENOSYS:
        case -524: /* ENOTSUPP, of the kernel's own: no trampolines on this machine */
                return -ENOSYS;
        default:
                return error;
        }
}

static int load(Gate *gate) {
        GateBpf *bpf = gate->bpf;
        int r;

        bpf->program = gate_bpf__open();
        if (!bpf->program)
                return -errno;
        drop_missing(bpf->program);
        adopt_maps(gate);
        r = gate_bpf__load(bpf->program);
        if (r >= 0)
                r = gate_bpf__attach(bpf->program);
        return r < 0 ? explain(r) : 0;
}

/* A kernel that has BPF LSM, but was started without it, takes the program and never calls it.
 * So open something and see. */
static int self_test(Gate *gate) {
        GateKey key = GATE_KEY(S_IFCHR, 1, 3);
        int nodes = bpf_map__fd(gate->bpf->program->maps.nodes);
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

        (void) libbpf_set_print(NULL);
        r = load(gate);
        /* libbpf has read the types of the whole kernel and freed them again: some 10 MiB. */
        (void) malloc_trim(0);
        if (r < 0)
                return r;
        bpf->ring = ring_buffer__new(bpf_map__fd(bpf->program->maps.events), gate_bpf_on_event,
                                     gate, NULL);
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
        take_old_links(gate, &old);
        r = start(gate);
        if (r >= 0)
                keep_all(gate);
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
        gate_bpf__destroy(bpf->program);
        free(bpf);
}
