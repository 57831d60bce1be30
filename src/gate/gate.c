/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gate/gate-private.h"

/* An open comes with others: wait that long before looking. */
#define COALESCE (5 * USEC_PER_MSEC)
/* Looks take at most a tenth of the time, and never come closer than LOOK_GAP; but one is
 * never put off by more than LOOK_GAP_MAX. */
#define LOOK_GAP     (50 * USEC_PER_MSEC)
#define LOOK_GAP_MAX (500 * USEC_PER_MSEC)
#define LOOK_SHARE   10

static const char *const gate_kind_table[_GATE_KIND_MAX] = {
        [GATE_POLL] = "poll",
        [GATE_FANOTIFY] = "fanotify",
        [GATE_BPF] = "bpf",
};

DEFINE_STRING_TABLE(gate_kind, GateKind)

/* From the best to the one that works everywhere */
static const GateBackend *const backends[] = {
#if HAVE_BPF
        &gate_backend_bpf,
#endif
        &gate_backend_fanotify,
        &gate_backend_poll,
};

static int on_look(sd_event_source *source, uint64_t usec, void *userdata) {
        Gate *gate = userdata;

        (void) source;
        (void) usec;
        /* Not for want of trying: what is wrong now may be right in a while. */
        if (gate_look(gate) < 0)
                gate_look_soon(gate, /* full= */ true);
        return 0;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) source;
        (void) usec;
        gate_tick(userdata);
        return 0;
}

static GateNode *next_changed(Gate *gate) {
        LIST_FOREACH(&gate->nodes, GateNode, node, link)
                if (node->changed)
                        return node;
        return NULL;
}

static int on_notify(sd_event_source *source, void *userdata) {
        Gate *gate = userdata;
        GateNode *node;

        (void) source;
        while ((node = next_changed(gate))) {
                node->changed = false;
                gate->callback(node, gate->userdata);
        }
        return 0;
}

static int gate_add_sources(Gate *gate) {
        int r;

        r = sd_event_add_time(gate->event, &gate->look_timer, CLOCK_MONOTONIC, 0, USEC_PER_MSEC,
                              on_look, gate);
        if (r >= 0)
                r = sd_event_source_set_enabled(gate->look_timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(gate->event, &gate->tick_timer, CLOCK_MONOTONIC, 0,
                                      USEC_PER_MSEC, on_tick, gate);
        if (r >= 0)
                r = sd_event_source_set_enabled(gate->tick_timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(gate->event, &gate->notifier, on_notify, gate);
        if (r >= 0)
                r = sd_event_source_set_enabled(gate->notifier, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(gate->event, &gate->refusal_timer, CLOCK_MONOTONIC, 0,
                                      USEC_PER_MSEC, gate_on_refusals, gate);
        if (r >= 0)
                r = sd_event_source_set_enabled(gate->refusal_timer, SD_EVENT_OFF);
        return r;
}

static int gate_start(Gate *gate, GateKind wanted) {
        int r = -EOPNOTSUPP;

        for (size_t i = 0; i < ELEMENTSOF(backends); i++) {
                if (wanted != _GATE_KIND_MAX && wanted != backends[i]->kind)
                        continue;
                gate->backend = backends[i];
                r = gate->backend->start(gate);
                if (r >= 0)
                        return 0;
                gate->backend->stop(gate);
                gate->backend = NULL;
                if (backends[i]->kind == GATE_BPF)
                        gate->bpf_error = r;
        }
        return r;
}

int gate_new(sd_event *event, GateKind wanted, const GateStore *store, GateChanged changed,
             void *userdata, Gate **ret) {
        _cleanup_(gate_freep) Gate *gate = NULL;
        int r;

        gate = calloc(1, sizeof(*gate));
        if (!gate)
                return -ENOMEM;
        list_init(&gate->nodes);
        gate->event = sd_event_ref(event);
        gate->callback = changed;
        gate->store = store;
        gate->userdata = userdata;
        gate->bpf_error = -EOPNOTSUPP;
        gate_ignore_process(gate, getpid());
        r = gate_add_sources(gate);
        if (r < 0)
                return r;
        r = gate_start(gate, wanted);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(gate);
        return 0;
}

Gate *gate_free(Gate *gate) {
        if (!gate)
                return NULL;
        assert(list_is_empty(&gate->nodes));
        if (gate->backend)
                gate->backend->stop(gate);
        sd_event_source_disable_unref(gate->look_timer);
        sd_event_source_disable_unref(gate->tick_timer);
        sd_event_source_disable_unref(gate->notifier);
        sd_event_source_disable_unref(gate->refusal_timer);
        sd_event_unref(gate->event);
        gate_forget_refusals(gate, NULL);
        free(gate->refusals);
        free(gate->delegates);
        free(gate->ignored);
        free(gate);
        return NULL;
}

GateKind gate_get_kind(const Gate *gate) {
        return gate->backend->kind;
}

void gate_ignore_process(Gate *gate, pid_t pid) {
        pid_t *ignored;

        if (gate_ignores(gate, pid))
                return;
        ignored = reallocarray(gate->ignored, gate->n_ignored + 1, sizeof(*ignored));
        if (!ignored)
                return;
        gate->ignored = ignored;
        ignored[gate->n_ignored++] = pid;
}

void gate_unignore_process(Gate *gate, pid_t pid) {
        for (size_t i = 0; i < gate->n_ignored; i++)
                if (gate->ignored[i] == pid) {
                        gate->ignored[i] = gate->ignored[--gate->n_ignored];
                        return;
                }
}

bool gate_ignores(const Gate *gate, pid_t pid) {
        for (size_t i = 0; i < gate->n_ignored; i++)
                if (gate->ignored[i] == pid)
                        return true;
        return false;
}

/* Let a timer fire at due, unless it fires earlier anyway. */
static void timer_bring_forward(sd_event_source *timer, Usec due) {
        uint64_t at;
        int enabled;

        if (sd_event_source_get_enabled(timer, &enabled) > 0 &&
            sd_event_source_get_time(timer, &at) >= 0 && at <= due)
                return;
        (void) sd_event_source_set_time(timer, due);
        (void) sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

static bool has_new_node(const Gate *gate) {
        return !list_is_empty(&gate->nodes) &&
               !container_of(gate->nodes.previous, GateNode, link)->looked;
}

void gate_look_soon(Gate *gate, bool full) {
        Usec now = now_usec(CLOCK_MONOTONIC);
        Usec gap = MAX(gate->look_cost * LOOK_SHARE, LOOK_GAP), due;

        gate->full = gate->full || full;
        gap = MIN(gap, LOOK_GAP_MAX);
        /* Nobody should have to wait for a probe that was just plugged in. */
        if (has_new_node(gate))
                due = MAX(now, gate->last_look + gate->look_cost);
        else
                due = MAX(now + COALESCE, gate->last_look + gap);
        timer_bring_forward(gate->look_timer, due);
}

static int node_new(Gate *gate, const char *path, const char *interface_path, GateNode **ret) {
        GateNode *node;
        int r;

        node = calloc(1, sizeof(*node));
        if (!node)
                return -ENOMEM;
        node->gate = gate;
        node->inotify = -1;
        list_init(&node->link);
        *ret = node; /* whatever happens now, the caller removes it */
        node->path = strdup(path);
        if (!node->path)
                return -ENOMEM;
        if (interface_path && asprintf(&node->driver_path, "%s/driver", interface_path) < 0) {
                node->driver_path = NULL;
                return -ENOMEM;
        }
        r = node_key_read(AT_FDCWD, path, &node->key);
        if (r < 0)
                return r;
        return gate->backend->watch(node);
}

int gate_add_node(Gate *gate, const char *path, const char *interface_path, void *node_userdata,
                  GateNode **ret) {
        GateNode *node = NULL;
        int r;

        r = node_new(gate, path, interface_path, &node);
        if (r < 0) {
                gate_remove_node(node);
                return r;
        }
        node->userdata = node_userdata;
        list_append(&gate->nodes, &node->link);
        gate_look_soon(gate, /* full= */ true);
        *ret = node;
        return 0;
}

GateNode *gate_remove_node(GateNode *node) {
        if (!node)
                return NULL;
        list_remove(&node->link);
        gate_forget_refusals(node->gate, node);
        while (node->n_tags > 0)
                gate_node_unbind(node, node->tags[node->n_tags - 1]);
        node->gate->backend->unwatch(node);
        while (node->n_holders > 0)
                node_remove_holder(node, node->n_holders - 1);
        free(node->holders);
        free(node->watches);
        free(node->tags);
        free(node->path);
        free(node->driver_path);
        free(node);
        return NULL;
}

void *gate_node_userdata(GateNode *node) {
        return node->userdata;
}

const GateHolder *gate_node_holders(const GateNode *node, size_t *ret_n) {
        if (!node->looked)
                (void) gate_look(node->gate);
        *ret_n = node->n_holders;
        return node->holders;
}

bool gate_node_is_claimed(const GateNode *node) {
        if (!node->looked)
                (void) gate_look(node->gate);
        return node->claimed;
}

int gate_node_check(GateNode *node) {
        if (!node->looked || !node_holders_are_there(node))
                node->gate->full = true;
        return gate_look(node->gate);
}

int gate_node_rescan(GateNode *node) {
        node->gate->full = true;
        return gate_look(node->gate);
}

void gate_settle(Gate *gate) {
        if (gate->backend->settle)
                gate->backend->settle(gate);
}

bool gate_has_members(const Gate *gate) {
        return gate->has_members;
}

void gate_leave(Gate *gate) {
        gate->left = gate->store != NULL;
}
