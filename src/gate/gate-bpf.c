/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "gate/gate-bpf.h"
#include "gate/gate-private.h"
#include "gate/gate.skel.h"

/* The gate with a program in the kernel (gate.bpf.c). Nodes that are no device nodes are left
 * to inotify, and cannot be bound. */

/* How many events are taken in one look: somebody may cause them faster than we read. */
#define EVENTS_MAX 4096
/* The kernel's PROC_PID_INIT_INO: of the pid namespace whose pids the events have */
#define INITIAL_PID_NAMESPACE 0xEFFFFFFC

struct GateBpf {
        struct gate_bpf *program;
        struct ring_buffer *ring;
        sd_event_source *source;
        __u64 n_lost;   /* as last seen */
        unsigned taken; /* events in this look */
        bool full;      /* all processes have to be looked at */
        bool works;     /* seen during the self-test */
};

static GateTag to_kernel(GateTag tag) {
        return tag + GATE_TAG_OURS;
}

static GateKey node_gate_key(const GateNode *node) {
        return GATE_KEY(node->key.type, node->key.high, node->key.low);
}

/* --- events ------------------------------------------------------------------------------- */

/* A pidfd of the process that did it, or a negative errno when that is gone. */
static int open_process(const GateEvent *event) {
        _cleanup_close_ int pidfd = pidfd_open((pid_t) event->process, 0);
        pid_t parent;
        Usec start;
        int r;

        if (pidfd < 0)
                return -errno;
        r = process_read_parent((pid_t) event->process, &parent, &start);
        if (r < 0)
                return r;
        return start > event->time / 1000 ? -ESRCH : TAKE_FD(pidfd);
}

static void take_open(GateNode *node, const GateEvent *event) {
        _cleanup_close_ int pidfd = -EBADF;
        int r;

        node->opened = true;
        if (event->kind == GATE_EVENT_USE && node_find_holder(node, (pid_t) event->process) >= 0)
                return;
        pidfd = open_process(event);
        r = pidfd < 0 ? -ESRCH : node_report_open(node, (pid_t) event->process, pidfd);
        if (r < 0)
                node->gate->bpf->full = true;
        else if (r == 0 && event->kind == GATE_EVENT_OPEN)
                node->opening++;
}

/* Whose descriptor it was is not always who closed it: a kernel thread may have done it for
 * him, and of several that shared the open file only the last one is seen. */
static void take_close(GateNode *node, const GateEvent *event) {
        node->suspect_until = 0;
        if (node->opening > 0)
                node->opening--;
        node_report_close(node, (pid_t) event->process);
        if (!node_holders_are_there(node))
                node->gate->bpf->full = true;
}

static void take_refused(GateNode *node, const GateEvent *event) {
        GateRefusal refusal = {
                .pid = (pid_t) event->process,
                .uid = event->uid,
                .request = event->request,
                .last = event->time / 1000,
        };

        memcpy(refusal.command, event->command, sizeof(refusal.command));
        refusal.command[sizeof(refusal.command) - 1] = 0;
        node_report_refusal(node, &refusal);
}

static void node_take_event(GateNode *node, const GateEvent *event) {
        if (event->kind == GATE_EVENT_REFUSED)
                take_refused(node, event);
        else if (gate_ignores(node->gate, (pid_t) event->process))
                node_report_ours(node);
        else if (event->kind == GATE_EVENT_CLOSE)
                take_close(node, event);
        else if (event->kind == GATE_EVENT_OPEN || event->kind == GATE_EVENT_USE)
                take_open(node, event);
        if (event->kind == GATE_EVENT_CLAIM)
                gate_expect_claim(node->gate);
}

static int on_event(void *userdata, void *data, size_t size) {
        Gate *gate = userdata;
        GateEvent event;

        if (size < sizeof(event))
                return 0;
        memcpy(&event, data, sizeof(event));
        gate->bpf->works |= event.process == (__u32) getpid();
        LIST_FOREACH(&gate->nodes, GateNode, node, link)
                if (node->marked && node_gate_key(node) == event.node)
                        node_take_event(node, &event);
        return ++gate->bpf->taken < EVENTS_MAX ? 0 : -EAGAIN;
}

static bool bpf_drain(Gate *gate) {
        GateBpf *bpf = gate->bpf;
        bool full = gate_backend_poll.drain(gate);

        bpf->taken = 0;
        (void) ring_buffer__consume(bpf->ring);
        full |= bpf->full;
        bpf->full = false;
        if (bpf->n_lost != bpf->program->bss->n_lost) {
                bpf->n_lost = bpf->program->bss->n_lost;
                full = true;
        }
        (void) sd_event_source_set_enabled(bpf->source, SD_EVENT_ON);
        return full;
}

static int on_ring(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        (void) fd;
        (void) revents;
        /* What else happens until the look waits in the ring: one wake-up for all of it. */
        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        gate_look_soon(userdata, /* full= */ false);
        return 0;
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

static int load(GateBpf *bpf) {
        int r;

        bpf->program = gate_bpf__open();
        if (!bpf->program)
                return -errno;
        drop_missing(bpf->program);
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

static int admit(Gate *gate, GateTag tag, int pidfd);

static int admit_ourselves(Gate *gate) {
        _cleanup_close_ int pidfd = pidfd_open(getpid(), 0);

        return pidfd < 0 ? -errno : admit(gate, GATE_TAG_OURS, pidfd);
}

static int bpf_start(Gate *gate) {
        GateBpf *bpf;
        int r;

        r = check_pid_namespace();
        if (r < 0)
                return r;
        gate->bpf = bpf = calloc(1, sizeof(*bpf));
        if (!bpf)
                return -ENOMEM;
        (void) libbpf_set_print(NULL);
        r = load(bpf);
        /* libbpf has read the types of the whole kernel and freed them again: some 10 MiB. */
        (void) malloc_trim(0);
        if (r < 0)
                return r;
        bpf->ring = ring_buffer__new(bpf_map__fd(bpf->program->maps.events), on_event, gate, NULL);
        if (!bpf->ring)
                return -errno;
        r = self_test(gate);
        if (r >= 0)
                r = admit_ourselves(gate);
        if (r >= 0)
                r = sd_event_add_io(gate->event, &bpf->source, ring_buffer__epoll_fd(bpf->ring),
                                    EPOLLIN, on_ring, gate);
        return r < 0 ? r : gate_backend_poll.start(gate);
}

static void bpf_stop(Gate *gate) {
        GateBpf *bpf = TAKE_PTR(gate->bpf);

        gate_backend_poll.stop(gate);
        if (!bpf)
                return;
        sd_event_source_disable_unref(bpf->source);
        ring_buffer__free(bpf->ring);
        gate_bpf__destroy(bpf->program);
        free(bpf);
}

/* --- nodes and members -------------------------------------------------------------------- */

static int update_mark(GateNode *node) {
        GateKey key = node_gate_key(node);
        GateMark mark = { .n_bindings = (__u32) node->n_tags };

        if (bpf_map_update_elem(bpf_map__fd(node->gate->bpf->program->maps.nodes), &key, &mark,
                                BPF_ANY) < 0)
                return errno == E2BIG ? -ENOSPC : -errno;
        return 0;
}

static int bpf_watch(GateNode *node) {
        int r;

        if (node->key.type != S_IFCHR && node->key.type != S_IFBLK)
                return gate_backend_poll.watch(node);
        r = update_mark(node);
        node->marked = r >= 0;
        return r;
}

static void bpf_unwatch(GateNode *node) {
        GateKey key = node_gate_key(node);

        gate_backend_poll.unwatch(node);
        if (!node->marked)
                return;
        node->marked = false;
        LIST_FOREACH(&node->gate->nodes, GateNode, other, link)
                if (other->marked && node_gate_key(other) == key)
                        return;
        (void) bpf_map_delete_elem(bpf_map__fd(node->gate->bpf->program->maps.nodes), &key);
}

static int bind_node(GateNode *node, GateTag tag) {
        GateBinding binding = { .node = node_gate_key(node), .tag = to_kernel(tag) };
        __u32 there = 1;

        if (!node->marked)
                return -EOPNOTSUPP;
        if (bpf_map_update_elem(bpf_map__fd(node->gate->bpf->program->maps.bindings), &binding,
                                &there, BPF_ANY) < 0)
                return errno == E2BIG ? -ENOSPC : -errno;
        return update_mark(node);
}

static void unbind_node(GateNode *node, GateTag tag) {
        GateBinding binding = { .node = node_gate_key(node), .tag = to_kernel(tag) };

        if (!node->marked)
                return;
        (void) update_mark(node);
        (void) bpf_map_delete_elem(bpf_map__fd(node->gate->bpf->program->maps.bindings), &binding);
}

/* Where to put a tag: a place that is free, else that of a lease that has ended. */
static __u64 *find_place(const Gate *gate, GateMember *member, __u64 tag) {
        __u64 *place = NULL;

        for (size_t i = 0; i < GATE_MEMBER_TAGS; i++) {
                __u64 *candidate = &member->tags[i];

                if (*candidate == tag)
                        return candidate;
                if (*candidate == 0 && (!place || *place != 0))
                        place = candidate;
                else if (!place && *candidate > GATE_TAG_OURS &&
                         !gate_has_tag(gate, *candidate - GATE_TAG_OURS))
                        place = candidate;
        }
        return place;
}

static int admit(Gate *gate, GateTag tag, int pidfd) {
        int members = bpf_map__fd(gate->bpf->program->maps.members);
        GateMember member = {};
        __u64 *place;

        if (bpf_map_lookup_elem(members, &pidfd, &member) < 0 && errno != ENOENT)
                return -errno;
        place = find_place(gate, &member, tag);
        if (!place)
                return -ENOSPC;
        *place = tag;
        return bpf_map_update_elem(members, &pidfd, &member, BPF_ANY) < 0 ? -errno : 0;
}

static int admit_process(Gate *gate, GateTag tag, int pidfd) {
        return admit(gate, to_kernel(tag), pidfd);
}

static int read_traffic(const GateNode *node, const Process *process, GateTraffic *ret) {
        GateUser user = { .node = node_gate_key(node), .process = (__u32) process->pid };
        Usec tick = USEC_PER_SEC / (Usec) sysconf(_SC_CLK_TCK);
        GateUsage usage = {};

        if (!node->marked)
                return -EOPNOTSUPP;
        if (bpf_map_lookup_elem(bpf_map__fd(node->gate->bpf->program->maps.usages), &user, &usage) <
                    0 &&
            errno != ENOENT)
                return -errno;
        /* Not what another process did that had this pid before */
        if (usage.start / 1000 / tick != process->start / tick)
                usage = (GateUsage){};
        *ret = (GateTraffic){ .requests = usage.requests, .transfers = usage.transfers };
        return 0;
}

const GateBackend gate_backend_bpf = {
        .kind = GATE_BPF,
        .start = bpf_start,
        .stop = bpf_stop,
        .watch = bpf_watch,
        .unwatch = bpf_unwatch,
        .drain = bpf_drain,
        .bind = bind_node,
        .unbind = unbind_node,
        .admit = admit_process,
        .traffic = read_traffic,
};
