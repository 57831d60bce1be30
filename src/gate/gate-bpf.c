/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "gate/gate-bpf-private.h"

/* The gate with a program in the kernel (gate.bpf.c). Nodes that are no device nodes are left
 * to inotify, and cannot be bound. */

/* How many events are taken in one look: somebody may cause them faster than we read. */
#define EVENTS_MAX 4096

static GateTag to_kernel(GateTag tag) {
        return tag + GATE_TAG_OURS;
}

static GateKey node_gate_key(const GateNode *node) {
        return GATE_KEY(node->key.type, node->key.high, node->key.low);
}

/* Whether a key stands for a bus, and which. */
static bool is_bus(GateKey key, unsigned *ret) {
        *ret = (unsigned) (uint32_t) key;
        return key == GATE_BUS_KEY(*ret);
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

static void node_take_event(GateNode *node, const GateEvent *event) {
        if (event->kind == GATE_EVENT_REFUSED)
                gate_report_refusal(node->gate, node, 0, (pid_t) event->process,
                                    event->time / 1000);
        else if (gate_ignores(node->gate, (pid_t) event->process))
                node_report_ours(node);
        else if (event->kind == GATE_EVENT_CLOSE)
                take_close(node, event);
        else if (event->kind == GATE_EVENT_OPEN || event->kind == GATE_EVENT_USE)
                take_open(node, event);
        if (event->kind == GATE_EVENT_CLAIM)
                gate_expect_claim(node->gate);
}

int gate_bpf_on_event(void *userdata, void *data, size_t size) {
        Gate *gate = userdata;
        GateEvent event;
        unsigned bus;

        if (size < sizeof(event))
                return 0;
        memcpy(&event, data, sizeof(event));
        gate->bpf->works |= event.process == (__u32) getpid();
        LIST_FOREACH(&gate->nodes, GateNode, node, link)
                if (node->marked && node_gate_key(node) == event.node)
                        node_take_event(node, &event);
        if (is_bus(event.node, &bus) && event.kind == GATE_EVENT_REFUSED)
                gate_report_refusal(gate, NULL, bus, (pid_t) event.process, event.time / 1000);
        return ++gate->bpf->taken < EVENTS_MAX ? 0 : -EAGAIN;
}

/* What was refused while the ring had no room is counted all the same. */
static void find_refusals(Gate *gate) {
        int map = gate->bpf->maps[GATE_MAP_REFUSALS];
        GateUser key = {}, *previous = NULL;
        Usec now = now_usec(CLOCK_BOOTTIME);
        unsigned bus;

        for (int i = 0; i < EVENTS_MAX && bpf_map_get_next_key(map, previous, &key) == 0; i++) {
                previous = &key;
                if (is_bus(key.node, &bus))
                        gate_report_refusal(gate, NULL, bus, (pid_t) key.process, now);
                LIST_FOREACH(&gate->nodes, GateNode, node, link)
                        if (node->marked && node_gate_key(node) == key.node)
                                gate_report_refusal(gate, node, 0, (pid_t) key.process, now);
        }
}

static bool events_were_lost(GateBpf *bpf) {
        __u64 n_lost = bpf->n_lost;
        __u32 key = 0;

        (void) bpf_map_lookup_elem(bpf->maps[GATE_MAP_LOST], &key, &n_lost);
        if (n_lost == bpf->n_lost)
                return false;
        bpf->n_lost = n_lost;
        return true;
}

static bool bpf_drain(Gate *gate) {
        GateBpf *bpf = gate->bpf;
        bool full = gate_backend_poll.drain(gate);

        bpf->taken = 0;
        (void) ring_buffer__consume(bpf->ring);
        full |= bpf->full;
        bpf->full = false;
        if (events_were_lost(bpf)) {
                full = true;
                find_refusals(gate);
        }
        (void) sd_event_source_set_enabled(bpf->source, SD_EVENT_ON);
        return full;
}

int gate_bpf_on_ring(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        (void) fd;
        (void) revents;
        /* What else happens until the look waits in the ring: one wake-up for all of it. */
        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        gate_look_soon(userdata, /* full= */ false);
        return 0;
}

/* --- nodes and members -------------------------------------------------------------------- */

/* Whether an earlier gate left the node bound, and nobody has settled that yet. */
static bool is_left_bound(const Gate *gate, GateKey key) {
        GateMark mark = {};

        return gate->bpf->adopted &&
               bpf_map_lookup_elem(gate->bpf->maps[GATE_MAP_NODES], &key, &mark) >= 0 &&
               mark.n_bindings > 0;
}

static int set_mark(Gate *gate, GateKey key, size_t n_bindings) {
        /* Until all is settled there may be some that an earlier gate was told of. */
        GateMark mark = { .n_bindings = (__u32) n_bindings,
                          .n_delegates = (__u32) gate->n_delegates + gate->bpf->adopted };

        if (bpf_map_update_elem(gate->bpf->maps[GATE_MAP_NODES], &key, &mark, BPF_ANY) < 0)
                return errno == E2BIG ? -ENOSPC : -errno;
        return 0;
}

static int update_mark(GateNode *node) {
        GateKey key = node_gate_key(node);

        if (node->n_tags == 0 && is_left_bound(node->gate, key))
                return 0;
        return set_mark(node->gate, key, node->n_tags);
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
        if (!node->marked || node->gate->left)
                return;
        node->marked = false;
        LIST_FOREACH(&node->gate->nodes, GateNode, other, link)
                if (other->marked && node_gate_key(other) == key)
                        return;
        (void) bpf_map_delete_elem(node->gate->bpf->maps[GATE_MAP_NODES], &key);
}

static int add_binding(Gate *gate, GateKey key, GateTag tag) {
        GateBinding binding = { .node = key, .tag = to_kernel(tag) };
        __u32 there = 1;

        if (bpf_map_update_elem(gate->bpf->maps[GATE_MAP_BINDINGS], &binding, &there, BPF_ANY) < 0)
                return errno == E2BIG ? -ENOSPC : -errno;
        return 0;
}

_Static_assert(GATE_DELEGATE_UID == GATE_MEANT_UID, "as the kernel's half knows it");
_Static_assert(GATE_DELEGATE_CGROUP == GATE_MEANT_CGROUP, "as the kernel's half knows it");

static int add_meant(Gate *gate, GateKey key, const Delegate *delegate) {
        GateMeant who = { .node = key, .id = delegate->id, .kind = delegate->kind };
        __u64 tag = to_kernel(delegate->tag);

        if (bpf_map_update_elem(gate->bpf->maps[GATE_MAP_MEANT], &who, &tag, BPF_ANY) < 0)
                return errno == E2BIG ? -ENOSPC : -errno;
        return 0;
}

/* Whoever the tag was delegated to may use the node. */
static int add_delegates(Gate *gate, GateKey key, GateTag tag) {
        int r = 0;

        for (size_t i = 0; i < gate->n_delegates && r >= 0; i++)
                if (gate->delegates[i].tag == tag)
                        r = add_meant(gate, key, &gate->delegates[i]);
        return r;
}

/* Two leases may mean the same user. */
static const Delegate *find_same(const GateNode *node, const Delegate *delegate) {
        for (size_t i = 0; i < node->gate->n_delegates; i++) {
                const Delegate *other = &node->gate->delegates[i];

                for (size_t j = 0; j < node->n_tags; j++)
                        if (other->tag == node->tags[j] && other->kind == delegate->kind &&
                            other->id == delegate->id)
                                return other;
        }
        return NULL;
}

/* They may no longer, but for those whom a tag means that the node is still bound to. */
static void remove_delegates(const GateNode *node, GateTag tag) {
        Gate *gate = node->gate;

        for (size_t i = 0; i < gate->n_delegates; i++) {
                const Delegate *delegate = &gate->delegates[i];
                GateMeant who = { .node = node_gate_key(node),
                                  .id = delegate->id,
                                  .kind = delegate->kind };
                const Delegate *other;

                if (delegate->tag != tag)
                        continue;
                other = find_same(node, delegate);
                if (!other || add_meant(gate, who.node, other) < 0)
                        (void) bpf_map_delete_elem(gate->bpf->maps[GATE_MAP_MEANT], &who);
        }
}

static int bind_node(GateNode *node, GateTag tag) {
        GateKey key = node_gate_key(node);
        int r;

        if (!node->marked)
                return -EOPNOTSUPP;
        r = add_delegates(node->gate, key, tag);
        if (r >= 0)
                r = add_binding(node->gate, key, tag);
        return r < 0 ? r : update_mark(node);
}

static void unbind_node(GateNode *node, GateTag tag) {
        GateBinding binding = { .node = node_gate_key(node), .tag = to_kernel(tag) };

        if (!node->marked || node->gate->left)
                return;
        remove_delegates(node, tag);
        (void) update_mark(node);
        (void) bpf_map_delete_elem(node->gate->bpf->maps[GATE_MAP_BINDINGS], &binding);
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

int gate_bpf_admit(Gate *gate, __u64 tag, int pidfd) {
        int members = gate->bpf->maps[GATE_MAP_MEMBERS];
        GateMember member = {};
        __u64 *place;

        if (bpf_map_lookup_elem(members, &pidfd, &member) < 0 && errno != ENOENT)
                return -errno;
        place = find_place(gate, &member, tag);
        if (!place)
                return -ENOSPC;
        if (*place == tag)
                return 0;
        *place = tag;
        if (bpf_map_update_elem(members, &pidfd, &member, BPF_ANY) >= 0)
                return 1;
        return errno == ENOENT ? -ESRCH : -errno; /* the process has ended */
}

static int admit_process(Gate *gate, GateTag tag, int pidfd) {
        return gate_bpf_admit(gate, to_kernel(tag), pidfd);
}

static int read_traffic(const GateNode *node, const Process *process, GateTraffic *ret) {
        GateUser user = { .node = node_gate_key(node), .process = (__u32) process->pid };
        Usec tick = USEC_PER_SEC / (Usec) sysconf(_SC_CLK_TCK);
        GateUsage usage = {};

        if (!node->marked)
                return -EOPNOTSUPP;
        if (bpf_map_lookup_elem(node->gate->bpf->maps[GATE_MAP_USAGES], &user, &usage) < 0 &&
            errno != ENOENT)
                return -errno;
        /* Not what another process did that had this pid before */
        if (usage.start / 1000 / tick != process->start / tick)
                usage = (GateUsage){};
        *ret = (GateTraffic){ .requests = usage.requests,
                              .transfers = usage.transfers,
                              .last = usage.last / 1000 };
        return 0;
}

/* --- refusals ----------------------------------------------------------------------------- */

static void take_refusal(Gate *gate, const GateNode *node, GateRefusal *refusal) {
        GateUser user = { .node = node ? node_gate_key(node) : GATE_BUS_KEY(refusal->bus),
                          .process = (__u32) refusal->pid };
        GateTries tries = {};

        if (bpf_map_lookup_and_delete_elem(gate->bpf->maps[GATE_MAP_REFUSALS], &user, &tries) < 0)
                return;
        refusal->count = tries.count;
        refusal->last = tries.last / 1000;
        refusal->uid = tries.uid;
        refusal->request = tries.request;
        memcpy(refusal->command, tries.command, sizeof(refusal->command));
        refusal->command[sizeof(refusal->command) - 1] = 0;
}

/* --- buses -------------------------------------------------------------------------------- */

static GateBus read_bus(const Gate *gate, __u32 bus) {
        GateBus value = {};

        (void) bpf_map_lookup_elem(gate->bpf->maps[GATE_MAP_BUSES], &bus, &value);
        return value;
}

static int write_bus(Gate *gate, __u32 bus, const GateBus *value) {
        if (bpf_map_update_elem(gate->bpf->maps[GATE_MAP_BUSES], &bus, value, BPF_ANY) < 0)
                return errno == E2BIG ? -ENOSPC : -errno;
        return 0;
}

static void set_known(Gate *gate, unsigned bus, unsigned device, bool known) {
        GateBus value = read_bus(gate, bus);
        unsigned bit = device - 1;

        if (device == 0 || device > USB_DEVICES_MAX)
                return;
        if (known)
                value.known[bit / 64] |= UINT64_C(1) << bit % 64;
        else
                value.known[bit / 64] &= ~(UINT64_C(1) << bit % 64);
        (void) write_bus(gate, bus, &value);
}

typedef bool (*Keep)(const Gate *gate, const GateBinding *binding, GateKey which);

/* Delete those bindings that are not to be kept. */
static void sweep_bindings(Gate *gate, Keep keep, GateKey which) {
        int map = gate->bpf->maps[GATE_MAP_BINDINGS];
        GateBinding key, next;
        bool more = bpf_map_get_next_key(map, NULL, &next) == 0;

        while (more) {
                key = next;
                more = bpf_map_get_next_key(map, &key, &next) == 0;
                if (!keep(gate, &key, which))
                        (void) bpf_map_delete_elem(map, &key);
        }
}

static bool is_elsewhere(const Gate *gate, const GateBinding *binding, GateKey which) {
        (void) gate;
        return binding->node != which;
}

static bool is_wanted(const Gate *gate, const GateBinding *binding, GateKey which) {
        unsigned bus;

        (void) which;
        if (is_bus(binding->node, &bus))
                return read_bus(gate, bus).until > now_usec(CLOCK_BOOTTIME) * 1000;
        LIST_FOREACH(&gate->nodes, GateNode, node, link)
                if (node->marked && node_gate_key(node) == binding->node)
                        for (size_t i = 0; i < node->n_tags; i++)
                                if (to_kernel(node->tags[i]) == binding->tag)
                                        return true;
        return false;
}

static bool is_meant(const Gate *gate, const GateMeant *who) {
        GateBinding binding = { .node = who->node };

        for (size_t i = 0; i < gate->n_delegates; i++) {
                binding.tag = to_kernel(gate->delegates[i].tag);
                if (gate->delegates[i].id == who->id && gate->delegates[i].kind == who->kind &&
                    is_wanted(gate, &binding, 0))
                        return true;
        }
        return false;
}

/* Delete those that are out of date; or with a key, all of that node. */
static void sweep_meant(Gate *gate, GateKey which) {
        int map = gate->bpf->maps[GATE_MAP_MEANT];
        GateMeant key, next;
        bool more = bpf_map_get_next_key(map, NULL, &next) == 0;

        while (more) {
                key = next;
                more = bpf_map_get_next_key(map, &key, &next) == 0;
                if (which ? key.node == which : !is_meant(gate, &key))
                        (void) bpf_map_delete_elem(map, &key);
        }
}

static int hold_bus(Gate *gate, unsigned bus, Usec span, const GateTag *tags, size_t n) {
        GateBus value = read_bus(gate, bus);
        __u64 now = now_usec(CLOCK_BOOTTIME) * 1000;
        int r = 0;

        /* The members of an earlier hold that is over are members no more. */
        if (value.until <= now) {
                sweep_bindings(gate, is_elsewhere, GATE_BUS_KEY(bus));
                sweep_meant(gate, GATE_BUS_KEY(bus));
        }
        for (size_t i = 0; i < n && r >= 0; i++) {
                r = add_binding(gate, GATE_BUS_KEY(bus), tags[i]);
                if (r >= 0)
                        r = add_delegates(gate, GATE_BUS_KEY(bus), tags[i]);
        }
        if (r >= 0)
                r = set_mark(gate, GATE_BUS_KEY(bus), 1);
        value.until = MAX(value.until, now + span * 1000);
        return r < 0 ? r : write_bus(gate, bus, &value);
}

/* --- what an earlier gate left ------------------------------------------------------------ */

static bool is_watched(const Gate *gate, GateKey key) {
        unsigned bus;

        if (is_bus(key, &bus))
                return true;
        LIST_FOREACH(&gate->nodes, GateNode, node, link)
                if (node->marked && node_gate_key(node) == key)
                        return true;
        return false;
}

static void settle(Gate *gate) {
        int map = gate->bpf->maps[GATE_MAP_NODES];
        GateKey key, next;
        bool more = bpf_map_get_next_key(map, NULL, &next) == 0;

        if (!gate->bpf->adopted)
                return;
        gate->bpf->adopted = false;
        while (more) {
                key = next;
                more = bpf_map_get_next_key(map, &key, &next) == 0;
                if (!is_watched(gate, key))
                        (void) bpf_map_delete_elem(map, &key);
        }
        LIST_FOREACH(&gate->nodes, GateNode, node, link)
                if (node->marked)
                        (void) update_mark(node);
        sweep_bindings(gate, is_wanted, 0);
        sweep_meant(gate, 0);
}

const GateBackend gate_backend_bpf = {
        .kind = GATE_BPF,
        .start = gate_bpf_start,
        .stop = gate_bpf_stop,
        .watch = bpf_watch,
        .unwatch = bpf_unwatch,
        .drain = bpf_drain,
        .bind = bind_node,
        .unbind = unbind_node,
        .admit = admit_process,
        .hold_bus = hold_bus,
        .set_known = set_known,
        .settle = settle,
        .take_refusal = take_refusal,
        .traffic = read_traffic,
};
