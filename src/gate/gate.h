/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "base/macro.h"
#include "base/string-table.h"
#include "base/time.h"
#include "gate/process.h"

/* The gate sees each use of a probe's node and, where the kernel can, decides it. Three
 * implementations stand behind this header; none sends anything to a probe. */

typedef struct Gate Gate;
typedef struct GateNode GateNode;

typedef enum GateKind {
        GATE_POLL,     /* inotify wakes a scan of /proc; needs no right */
        GATE_FANOTIFY, /* the kernel names who opened; needs CAP_SYS_ADMIN */
        GATE_BPF,      /* sees and binds */
        _GATE_KIND_MAX,
} GateKind;

/* "poll", "fanotify", "bpf" */
DECLARE_STRING_TABLE(gate_kind, GateKind);

/* How it is known when a holder opened the node. */
typedef enum GateSeen {
        GATE_SEEN_OPENING, /* the kernel told who opened it, at that moment */
        GATE_SEEN_FOUND,   /* it was found soon after the kernel told that somebody had */
        GATE_SEEN_BEFORE,  /* it had the node open already when that was first looked at */
        _GATE_SEEN_MAX,
} GateSeen;

/* "opening", "found", "before" */
DECLARE_STRING_TABLE(gate_seen, GateSeen);

/* Somebody who has the node open. */
typedef struct GateHolder {
        Process *process;
        GateSeen seen;
        Usec since;   /* when it was first seen, CLOCK_BOOTTIME */
        bool claimed; /* the debug interface is claimed through usbfs and this is the only
                       * process that has the node open; false also when it cannot be told */
} GateHolder;

/* Called from the event loop after the holders of a node, or its claim, changed. Nodes may be
 * added and removed in it. */
typedef void (*GateChanged)(GateNode *node, void *userdata);

/* While nobody has a node open, a gate sleeps until the kernel reports an open. While somebody
 * has, it looks at the claim after 25 ms, then less and less often, at least once a second. */

/* Where descriptors are kept that outlive the process: with them the kernel goes on keeping
 * strangers out while the daemon restarts. As in daemon/fd-store.h. */
typedef struct GateStore {
        int (*push)(const char *name, int fd);
        int (*take)(const char *name);
        const char *(*find)(const char *prefix);
        void (*remove)(const char *name);
} GateStore;

/* Start the best implementation available; wanted limits it to one kind, or is _GATE_KIND_MAX
 * for any. store may be NULL. 0, or a negative errno (with a wanted kind: why it is not to be
 * had). */
int gate_new(sd_event *event, GateKind wanted, const GateStore *store, GateChanged changed,
             void *userdata, Gate **ret);
Gate *gate_free(Gate *gate); /* all nodes must have been removed */
DEFINE_CLEANUP(Gate *, gate_free)
GateKind gate_get_kind(const Gate *gate);

/* Processes that are not to count as holders: ourselves and our workers. */
void gate_ignore_process(Gate *gate, pid_t pid);
void gate_unignore_process(Gate *gate, pid_t pid);

/* Watch a node from now on. Who has it open already is looked up before the loop's next turn,
 * for all nodes added meanwhile in one pass over /proc; changed is called then, even if there
 * is nobody. Asking for the holders before that looks at once: add all nodes first, then ask.
 * interface_path is the sysfs folder of the debug interface, whose "driver" link tells a claim;
 * NULL while the device is not configured, then no claim is seen. -ENOENT when there is no
 * such node. */
int gate_add_node(Gate *gate, const char *node, const char *interface_path, void *node_userdata,
                  GateNode **ret);
GateNode *gate_remove_node(GateNode *node);

void *gate_node_userdata(GateNode *node);

/* The holders now, sorted by since. The array is the gate's, valid until the next event. */
const GateHolder *gate_node_holders(const GateNode *node, size_t *ret_n);

/* Whether some program has claimed the debug interface (its driver is usbfs), other than
 * ignored processes. Without a holder: by somebody whose open files we may not see. */
bool gate_node_is_claimed(const GateNode *node);

/* Whether the debug interface is claimed through usbfs at this moment, by whomever: asks the
 * kernel, and nothing else is looked at. */
bool gate_node_has_claim(const GateNode *node);

/* Take in now what was reported, rather than at the loop's next turn: each open and close of the
 * node that has happened by now is known afterwards. Without any report this looks at no process
 * but the holders. */
int gate_node_check(GateNode *node);

/* Look again now, at all processes, whatever was reported. */
int gate_node_rescan(GateNode *node);

/* --- binding ------------------------------------------------------------------------------
 *
 * A node that is bound to a lease can be opened, and its open descriptors used, by members of
 * that lease only. All others get EBUSY, root too. A node may be bound to several leases, then
 * the members of each are let through; one that is bound to none is open to everybody.
 *
 * Membership is a process's, with all its threads. A child is born with its parent's. Whoever
 * receives a descriptor that a member opened becomes a member too, but for the bus daemon and
 * other mere carriers. What the process that made the gate has started since is never refused.
 *
 * When the process that made the gate ends, nothing is bound any more, unless there is a store.
 * Then everything stays as it was, and the next gate takes it over: until gate_settle() strangers
 * are kept out as before. */

/* A lease's number, from 1 on; one is never used for two leases. */
typedef uint64_t GateTag;

/* 0 when nodes can be bound; else why not:
 *   -EOPNOTSUPP  this gate was not asked to, or stlinkd was built without it
 *   -ENOSYS      the kernel has no BPF LSM, or was started without it (lsm=...,bpf)
 *   -EPERM       CAP_BPF and CAP_PERFMON are missing
 *   any other    loading the program failed */
int gate_binding_error(const Gate *gate);

/* Bind a node to a lease, besides those it is bound to. -EOPNOTSUPP when this gate or this node
 * (one that is no device node) cannot be bound; -ENOSPC, -ENOMEM. */
_check_result_ int gate_node_bind(GateNode *node, GateTag tag);
void gate_node_unbind(GateNode *node, GateTag tag); /* removing the node does so, too */
bool gate_node_is_bound(const GateNode *node);

/* Make a process and all that descend from it members, before or after binding. -EOPNOTSUPP as
 * above, -ESRCH when it is gone, -ENOSPC when it belongs to as many leases as it can. */
_check_result_ int gate_admit(Gate *gate, GateTag tag, const Process *process);

/* A node of a probe that is bound to these leases is gone from a bus, and may come back under any
 * number. For that span, devices on the bus that are not known yet can be opened by members of
 * these leases only. -EOPNOTSUPP, -ENOSPC, -ENOMEM. */
_check_result_ int gate_hold_bus(Gate *gate, unsigned bus, Usec span, const GateTag *tags,
                                 size_t n);
/* This device on the bus is known: to be no such probe, or bound to its lease by now. */
void gate_set_device_known(Gate *gate, unsigned bus, unsigned device, bool known);

/* All leases that there were before the start are bound again: void what else an earlier gate
 * has left. To be called once. */
void gate_settle(Gate *gate);

/* Whether those are members still who became so by an earlier gate. */
bool gate_has_members(const Gate *gate);

/* From now on leave everything as it is for the next gate, if there is a store. */
void gate_leave(Gate *gate);

/* Who else is a member of a lease: all processes of a user, or in a control group (its inode
 * number) and those below it. It counts for nodes that are bound from now on, or bound again, until
 * the lease is bound to none. -EOPNOTSUPP, -ENOMEM. */
typedef enum GateDelegateKind {
        GATE_DELEGATE_UID,
        GATE_DELEGATE_CGROUP,
} GateDelegateKind;
_check_result_ int gate_delegate(Gate *gate, GateTag tag, GateDelegateKind kind, uint64_t id);

/* Somebody was refused. */
typedef struct GateRefusal {
        Process *process; /* NULL when it is gone by now */
        pid_t pid;
        uid_t uid;
        char command[16]; /* comm, as the kernel gave it */
        uint32_t request; /* the ioctl(2) that was refused last, or 0 for an open(2) */
        unsigned bus;     /* where it was kept from what is new there; else 0 */
        uint64_t count;   /* since it was last told of */
        Usec last;        /* CLOCK_BOOTTIME */
} GateRefusal;

/* Called from the event loop, with NULL for a bus. Nodes may be added and removed in it. */
typedef void (*GateRefused)(GateNode *node, const GateRefusal *refusal, void *userdata);
void gate_set_refused(Gate *gate, GateRefused refused, void *userdata);

/* How much a process has asked of a node */
typedef struct GateTraffic {
        uint64_t requests;  /* ioctls */
        uint64_t transfers; /* of them, those that move data */
        Usec last;          /* CLOCK_BOOTTIME; 0: never */
} GateTraffic;

/* -EOPNOTSUPP where only opens are seen; all 0 for a process that was not seen to use it. */
int gate_node_traffic(const GateNode *node, const Process *process, GateTraffic *ret);
