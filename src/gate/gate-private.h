/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/list.h"
#include "gate/gate.h"
#include "gate/scan.h"

/* What the files of the gate share. A backend reports that something happened; the look that
 * follows finds out what, so a lost or merged event does no harm. */

typedef struct GateBackend {
        GateKind kind;
        int (*start)(Gate *gate);
        void (*stop)(Gate *gate);
        /* Have opens and closes of the node reported. */
        int (*watch)(GateNode *node);
        void (*unwatch)(GateNode *node);
        /* Take in what was reported. Called at the start of a look, with reports held back
         * since the first one. Returns whether all processes have to be looked at. */
        bool (*drain)(Gate *gate);

        /* The rest is NULL where the kernel only lets us see. Tags are those of gate.h. */
        int (*bind)(GateNode *node, GateTag tag);
        void (*unbind)(GateNode *node, GateTag tag);
        int (*admit)(Gate *gate, GateTag tag, int pidfd);
        int (*hold_bus)(Gate *gate, unsigned bus, Usec span, const GateTag *tags, size_t n);
        void (*set_known)(Gate *gate, unsigned bus, unsigned device, bool known);
        void (*settle)(Gate *gate);
        /* Fill in what the kernel counted for pid, and bus if node is NULL; count is 0 when it
         * did not. */
        void (*take_refusal)(Gate *gate, const GateNode *node, GateRefusal *refusal);
        int (*traffic)(const GateNode *node, const Process *process, GateTraffic *ret);
} GateBackend;

extern const GateBackend gate_backend_poll;
extern const GateBackend gate_backend_fanotify;
#if HAVE_BPF
extern const GateBackend gate_backend_bpf;
#endif

typedef struct GateHandle GateHandle; /* how fanotify names a node */

/* What is kept for a holder beside what is shown of it */
typedef struct GateWatch {
        sd_event_source *death; /* its pidfd */
        int fd;                 /* where it had the node when last seen; -1 if we cannot see */
} GateWatch;

/* A refusal that waits to be told of */
typedef struct Refusal {
        GateNode *node;
        GateRefusal told;
} Refusal;

typedef struct Delegate {
        GateTag tag;
        GateDelegateKind kind;
        uint64_t id;
} Delegate;

typedef struct GateBpf GateBpf; /* gate-bpf.c */

struct GateNode {
        Gate *gate;
        List link;
        void *userdata;
        char *path;
        char *driver_path; /* NULL: no claim can be seen */
        NodeKey key;

        GateHolder *holders; /* as shown */
        GateWatch *watches;  /* the same holders */
        size_t n_holders;

        bool looked;        /* holders is not just a beginning */
        bool changed;       /* to be told of */
        bool claimed;       /* as shown */
        bool linked;        /* the driver was usbfs when last read */
        bool ours;          /* an ignored process has it open */
        bool opened;        /* the last thing reported was an open */
        Usec suspect_until; /* until then an opener whom we cannot see may claim it */

        int inotify;        /* watch descriptor, or -1 */
        GateHandle *handle; /* with fanotify, unless the file system has none */

        bool marked;      /* in the map of the BPF program, by its device number */
        unsigned opening; /* opens reported whose descriptors were not there yet */
        GateTag *tags;    /* the leases that it is bound to */
        size_t n_tags;
};

struct Gate {
        sd_event *event;
        const GateBackend *backend;
        GateChanged callback;
        void *userdata;
        List nodes;

        pid_t *ignored;
        size_t n_ignored;

        sd_event_source *look_timer; /* the next look, when one is due */
        sd_event_source *tick_timer; /* the next reading of claims, while somebody holds a node */
        sd_event_source *notifier;
        sd_event_source *refusal_timer; /* while there are refusals to be told of */
        bool full;                      /* the next look is at all processes */
        Usec last_look;                 /* when the last one ended */
        Usec look_cost;                 /* how long it took */
        Usec tick;                      /* span to the next tick */

        sd_event_source *inotify_source;
        sd_event_source *fanotify_source;
        GateBpf *bpf;
        const GateStore *store; /* NULL: none */
        bool left;              /* what is in the kernel stays as it is */
        bool has_members;       /* who was one by an earlier gate is one still */
        int bpf_error;          /* why there is no binding */

        Delegate *delegates;
        size_t n_delegates;

        GateRefused refused;
        void *refused_userdata;
        Refusal *refusals; /* to be told of */
        size_t n_refusals;
};

/* Something was reported: look soon. full: at all processes. */
void gate_look_soon(Gate *gate, bool full);

/* Look now. */
int gate_look(Gate *gate);

bool gate_ignores(const Gate *gate, pid_t pid);

/* Look at the claims again, and at the holders that are known. */
void gate_tick(Gate *gate);

/* Add a process that was seen with the node open, unless it is known. fd as in GateWatch.
 * Returns 1 when it was added, 0, or a negative errno. */
int node_add_holder(GateNode *node, pid_t pid, int fd, GateSeen seen);
ssize_t node_find_holder(const GateNode *node, pid_t pid); /* its index, or -1 */
void node_remove_holder(GateNode *node, size_t index);
void node_set_changed(GateNode *node);

/* Whether each holder still has the descriptor it was seen with. One that gave it to a child
 * and closed it sent no event. */
bool node_holders_are_there(const GateNode *node);

/* Somebody is about to claim the node, or to give it up: look at the claim often for a while. */
void gate_expect_claim(Gate *gate);

/* report.c: an event says that pid opened the node. pidfd (or a negative number) tells whether
 * it still is that process. Returns 1 when it is a holder now, 0 when it has no such descriptor
 * (yet, or any more), or a negative errno: then all processes have to be looked at. */
int node_report_open(GateNode *node, pid_t pid, int pidfd);
void node_report_close(GateNode *node, pid_t pid);
/* An ignored process opened or closed it. */
void node_report_ours(GateNode *node);

/* refusal.c: a process was kept from the node, or with NULL from what is new on a bus, at that time
 * (CLOCK_BOOTTIME). */
void gate_report_refusal(Gate *gate, GateNode *node, unsigned bus, pid_t pid, Usec time);
int gate_on_refusals(sd_event_source *source, uint64_t usec, void *userdata);
void gate_forget_refusals(Gate *gate, const GateNode *node); /* NULL: all */
bool gate_has_tag(const Gate *gate, GateTag tag);
