/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gate/gate-private.h"

/* Claims send no event. They come some milliseconds after an open, or minutes: look often at
 * first, then once a second for as long as somebody has the node. */
#define TICK_FIRST (25 * USEC_PER_MSEC)
#define TICK_LAST  USEC_PER_SEC
/* How long an open by somebody whom we cannot see is followed up */
#define SUSPECT_TIME (30 * USEC_PER_SEC)

void node_set_changed(GateNode *node) {
        node->changed = true;
        (void) sd_event_source_set_enabled(node->gate->notifier, SD_EVENT_ONESHOT);
}

static bool read_driver_is_usbfs(const GateNode *node) {
        char target[PATH_MAX];
        const char *name;
        ssize_t n;

        if (!node->driver_path)
                return false;
        n = readlink(node->driver_path, target, sizeof(target) - 1);
        if (n < 0)
                return false;
        target[n] = 0;
        name = strrchr(target, '/');
        return strcmp(name ? name + 1 : target, "usbfs") == 0;
}

bool gate_node_has_claim(const GateNode *node) {
        return read_driver_is_usbfs(node);
}

/* Show the claim as it is now. before: what the link said before the processes were looked at;
 * a claim that somebody made and gave up meanwhile is not one by an invisible holder. */
static void node_update_claim(GateNode *node, bool before) {
        bool claimed, only;

        node->linked = read_driver_is_usbfs(node);
        claimed = node->linked && (node->n_holders > 0 || (before && !node->ours));
        only = claimed && node->n_holders == 1 && !node->ours;
        for (size_t i = 0; i < node->n_holders; i++)
                if (node->holders[i].claimed != only) {
                        node->holders[i].claimed = only;
                        node_set_changed(node);
                }
        if (node->claimed != claimed) {
                node->claimed = claimed;
                node_set_changed(node);
        }
}

static int on_death(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        GateNode *node = userdata;

        (void) source;
        (void) fd;
        (void) revents;
        /* The look removes it, and finds whoever inherited its descriptors. */
        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        gate_look_soon(node->gate, /* full= */ true);
        return 0;
}

static int node_reserve(GateNode *node, size_t n) {
        GateHolder *holders = reallocarray(node->holders, n, sizeof(*holders));
        GateWatch *watches;

        if (!holders)
                return -ENOMEM;
        node->holders = holders;
        watches = reallocarray(node->watches, n, sizeof(*watches));
        if (!watches)
                return -ENOMEM;
        node->watches = watches;
        return 0;
}

ssize_t node_find_holder(const GateNode *node, pid_t pid) {
        for (size_t i = 0; i < node->n_holders; i++)
                if (node->holders[i].process->pid == pid)
                        return (ssize_t) i;
        return -1;
}

static int append_holder(GateNode *node, Process *process, int fd, GateSeen seen) {
        sd_event_source *death = NULL;
        int r;

        r = node_reserve(node, node->n_holders + 1);
        if (r < 0)
                return r;
        if (process->pidfd >= 0) {
                r = sd_event_add_io(node->gate->event, &death, process->pidfd, EPOLLIN, on_death,
                                    node);
                if (r < 0)
                        return r;
        }
        node->watches[node->n_holders] = (GateWatch){ .death = death, .fd = fd };
        node->holders[node->n_holders++] =
                (GateHolder){ .process = process, .seen = seen, .since = now_usec(CLOCK_BOOTTIME) };
        node->gate->tick = TICK_FIRST;
        node_set_changed(node);
        return 0;
}

int node_add_holder(GateNode *node, pid_t pid, int fd, GateSeen seen) {
        _cleanup_(process_freep) Process *process = NULL;
        ssize_t known = node_find_holder(node, pid);
        int r;

        if (known >= 0 && process_is_alive(node->holders[known].process)) {
                if (fd >= 0)
                        node->watches[known].fd = fd;
                return 0;
        }
        if (known >= 0)
                node_remove_holder(node, (size_t) known);
        r = process_new(pid, &process);
        if (r == -ESRCH) {
                /* A child that it had after it was seen may have the descriptor, and no event
                 * will tell. */
                gate_look_soon(node->gate, /* full= */ true);
                return 0;
        }
        if (r < 0)
                return r;
        /* The pid may belong to another process than the one whose descriptor was seen. */
        if (fd >= 0 && !scan_descriptor_is(pid, fd, &node->key)) {
                gate_look_soon(node->gate, /* full= */ true);
                return 0;
        }
        r = append_holder(node, process, fd, seen);
        if (r < 0)
                return r;
        process = NULL; /* the list has it now */
        return 1;
}

void node_remove_holder(GateNode *node, size_t index) {
        size_t rest = node->n_holders - index - 1;

        sd_event_source_disable_unref(node->watches[index].death);
        process_free(node->holders[index].process);
        memmove(node->holders + index, node->holders + index + 1, rest * sizeof(GateHolder));
        memmove(node->watches + index, node->watches + index + 1, rest * sizeof(GateWatch));
        node->n_holders--;
        node_set_changed(node);
}

static bool was_hit(const GateNode *node, pid_t pid, const ScanHits *hits) {
        for (size_t i = 0; i < hits->n; i++)
                if (hits->items[i].owner == node && hits->items[i].pid == pid)
                        return true;
        return false;
}

/* Make the holders what a pass over all processes has found. */
static int node_reconcile(GateNode *node, const ScanHits *hits) {
        int r = 0;

        node->ours = false;
        for (size_t i = node->n_holders; i-- > 0;) {
                pid_t pid = node->holders[i].process->pid;
                bool keep = node->watches[i].fd < 0 || was_hit(node, pid, hits);

                if (!keep || gate_ignores(node->gate, pid) ||
                    !process_is_alive(node->holders[i].process))
                        node_remove_holder(node, i);
        }
        for (size_t i = 0; i < hits->n && r >= 0; i++) {
                if (hits->items[i].owner != node)
                        continue;
                if (gate_ignores(node->gate, hits->items[i].pid))
                        node->ours = true;
                else
                        r = node_add_holder(node, hits->items[i].pid, hits->items[i].fd,
                                            node->looked ? GATE_SEEN_FOUND : GATE_SEEN_BEFORE);
        }
        return r < 0 ? r : 0;
}

static void node_suspect(GateNode *node) {
        if (!node->opened)
                return;
        node->opened = false;
        node->gate->tick = TICK_FIRST;
        if (node->n_holders == 0 && !node->ours)
                node->suspect_until = usec_add(now_usec(CLOCK_MONOTONIC), SUSPECT_TIME);
}

static size_t count_nodes(const Gate *gate) {
        size_t n = 0;

        LIST_FOREACH(&gate->nodes, GateNode, node, link)
                n++;
        return n;
}

static int look_at_processes(Gate *gate, ScanHits *hits) {
        _cleanup_free_ ScanTarget *targets = NULL;
        size_t n = count_nodes(gate), i = 0;
        int r;

        if (n == 0)
                return 0;
        targets = calloc(n, sizeof(*targets));
        if (!targets)
                return -ENOMEM;
        LIST_FOREACH(&gate->nodes, GateNode, node, link) {
                node->linked = read_driver_is_usbfs(node);
                targets[i++] = (ScanTarget){ node->key, node };
        }
        scan_targets_sort(targets, n);
        r = scan_processes(targets, n, hits);
        if (r < 0)
                return r;
        LIST_FOREACH(&gate->nodes, GateNode, node, link) {
                r = node_reconcile(node, hits);
                if (r < 0)
                        return r;
                if (!node->looked) {
                        node->looked = true;
                        node_set_changed(node);
                }
        }
        return 0;
}

static void arm_tick(Gate *gate) {
        Usec now = now_usec(CLOCK_MONOTONIC);
        bool active = false;

        LIST_FOREACH(&gate->nodes, GateNode, node, link)
                active = active || node->n_holders > 0 || node->claimed || node->opening > 0 ||
                         now < node->suspect_until;
        if (!active) {
                (void) sd_event_source_set_enabled(gate->tick_timer, SD_EVENT_OFF);
                gate->tick = TICK_FIRST;
                return;
        }
        (void) sd_event_source_set_time(gate->tick_timer, now + gate->tick);
        (void) sd_event_source_set_enabled(gate->tick_timer, SD_EVENT_ONESHOT);
}

int gate_look(Gate *gate) {
        Usec start = now_usec(CLOCK_MONOTONIC);
        ScanHits hits = {};
        int r = 0;

        (void) sd_event_source_set_enabled(gate->look_timer, SD_EVENT_OFF);
        if (gate->backend->drain(gate))
                gate->full = true;
        if (gate->full) {
                gate->full = false; /* until somebody wants another one, from now on */
                r = look_at_processes(gate, &hits);
                gate->full |= r < 0;
        }
        scan_hits_clear(&hits);
        LIST_FOREACH(&gate->nodes, GateNode, node, link) {
                node_update_claim(node, node->linked);
                node_suspect(node);
        }
        arm_tick(gate);
        gate->last_look = now_usec(CLOCK_MONOTONIC);
        gate->look_cost = gate->last_look - start;
        return r;
}

bool node_holders_are_there(const GateNode *node) {
        for (size_t i = 0; i < node->n_holders; i++)
                if (node->watches[i].fd >= 0 &&
                    !scan_descriptor_is(node->holders[i].process->pid, node->watches[i].fd,
                                        &node->key))
                        return false;
        return true;
}

/* A shell opens, then becomes the tool. */
static void refresh_processes(GateNode *node) {
        for (size_t i = 0; i < node->n_holders; i++)
                if (process_refresh(node->holders[i].process))
                        node_set_changed(node);
}

void gate_expect_claim(Gate *gate) {
        gate->tick = TICK_FIRST;
}

void gate_tick(Gate *gate) {
        LIST_FOREACH(&gate->nodes, GateNode, node, link) {
                bool before = node->linked;

                node_update_claim(node, node->claimed);
                if ((node->linked && !before && node->n_holders == 0) || node->opening > 0 ||
                    !node_holders_are_there(node))
                        gate_look_soon(gate, /* full= */ true);
                node->opening = 0;
                refresh_processes(node);
        }
        gate->tick = MIN(gate->tick * 2, TICK_LAST);
        arm_tick(gate);
}
