/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/list.h"
#include "bus/bus.h"
#include "core/conflict.h"
#include "core/lease.h"
#include "core/probe.h"
#include "daemon/delegate.h"
#include "daemon/history.h"
#include "daemon/job.h"
#include "daemon/lease-fd.h"
#include "daemon/manager.h"
#include "daemon/state.h"
#include "gate/gate.h"
#include "gate/procfs.h"
#include "udev/watch.h"

/* Shared by the files of the manager. The tables of core/ know what is; an entry here holds
 * what goes with it: descriptors, processes, messages that wait for an answer. */

struct Manager {
        sd_event *event;
        sd_bus *connection;
        const Config *config;
        Bus *bus;
        Gate *gate;
        ProcfsSight sight; /* how much of other users' programs is seen */
        UdevWatch *watch;
        JobRunner *jobs;
        ProbeTable *probes;
        LeaseTable *leases;
        ConflictTable *conflicts;
        ProbeChanges probe_changes; /* decided, and not performed yet */
        LeaseChanges lease_changes;
        List probe_entries, lease_entries;
        History *history;
        List short_uses; /* manager-history.c: of each probe one that may be followed by more */
        size_t n_short_uses;
        List endings;          /* of programs that were left behind */
        void *leases_by_id;    /* tsearch(3) tree of LeaseEntry */
        char *last_name;       /* of the connection that made a request last */
        Process *last_process; /* and whose it is, while that lives */
        sd_event_source *last_process_end;
        size_t n_lease_entries;
        const UdevProbe *arriving; /* whose event is being handled */
        sd_event_source *timer;
        sd_bus_slot *policy; /* tells of another one */
        bool performing;
        uint64_t last_fd;  /* number of the last lease fd */
        LeaseFd *spare_fd; /* NULL, or the last one, made ahead for the next lease */
        int spare_owner_fd;
        sd_event_source *spare_maker;
        List returning; /* entries of an earlier daemon whose probe has not been seen yet */
        sd_event_source *return_timer;
        bool gave_up; /* on those that are not being updated */
        State *state;
        sd_bus_slot *name_signals; /* while something hangs on a name */
        size_t n_names;
        bool unsaved;    /* the state lacks something */
        char bus_id[33]; /* of the bus that we are on; empty when it does not say */
        char *status;    /* as the service manager last heard */
        sd_event_source *status_timer;
};

/* A process that has a probe's node open, and the lease it works under. */
typedef struct Member {
        pid_t pid;
        Usec start;
        LeaseId lease; /* 0: none */
} Member;

/* A device that the kernel made of one of a probe's parts */
typedef struct PartNode {
        unsigned part; /* one ProbePart */
        char *device;
        GateNode *node; /* NULL when it cannot be watched */
} PartNode;

typedef struct ProbeEntry {
        List link;
        Manager *manager;
        uint32_t number;
        GateNode *node;  /* NULL while it is away */
        PartNode *parts; /* the other devices: serial port, disk */
        size_t n_parts;
        unsigned bus, device; /* numbers of the node */
        List uses;            /* manager-history.c */
        List tasks;           /* what workers do on it, one at a time */
        Member *members;
        size_t n_members;
        bool shut;        /* nobody but us may use it, until what we do there is done */
        bool obstructed;  /* as the lease table was told */
        bool held;        /* somebody was logged as using it */
        bool queue_moved; /* waiters may have another place */
} ProbeEntry;

/* Of a lease that an earlier daemon had granted, until its probe is there. */
typedef struct Returning {
        Lease lease;
        char *serial, *port;
} Returning;

typedef struct LeaseEntry {
        LeaseId id; /* first, it is what they are found by */
        List link;
        Manager *manager;
        uint32_t probe;
        char *user, *command, *reason;
        Delegates delegates;
        Process *owner;   /* NULL when the bus does not know his process */
        char *owner_name; /* unique name on the bus; empty when it was another bus */
        LeaseForm form;
        bool name_counts;             /* it hangs on the owner's name */
        sd_bus_slot *lookup;          /* of that name, until it has shown whether it is there */
        sd_event_source *process_end; /* of a lease that hangs on its owner's process */
        LeaseFd *fd;
        uint64_t fd_number;
        Returning *returning;    /* NULL unless it waits for its probe */
        int owner_fd;            /* the owner's end, until he got it */
        sd_bus_message *request; /* Acquire, while it waits for its answer */
        sd_bus_message *release; /* Release, likewise */
        int node;                /* copy of the node fd that the owner got */
        bool granting;           /* it waits for its user to be let at the node */
        bool granted_node;
        bool opening;      /* a task for it is under way */
        bool clearing;     /* what a stranger has claimed is being taken from him first */
        bool ending;       /* it is about to end: its members are strangers by now */
        bool impatient;    /* it does not wait for others, only for our own worker */
        bool answer_early; /* Acquire is answered even while the request waits */
        bool lasting;      /* its owner knows of it: it outlives this daemon */
        bool shown;        /* it has an object on the bus */
        bool admitted;     /* the gate knows its members */
        uint32_t position; /* in the queue */
        uint32_t told;     /* the position that was told last */
        /* Who asked for it last, and when; NULL and 0 for nobody. */
        char *asked_by, *asked_reason;
        uid_t asked_uid;
        Usec asked_at;
} LeaseEntry;

/* Something a worker does on a probe. */
typedef struct Task {
        List link;
        ProbeEntry *probe;
        JobKind kind;
        JobRung rung; /* JOB_RECOVER */
        LeaseId lease;
        int fd;                  /* JOB_CLOSE: the descriptor to take back */
        sd_bus_message *message; /* JOB_OPEN, JOB_RECOVER: to be answered */
        Job *job;                /* while it runs */
} Task;

/* manager.c: perform what the tables decided, unless that is under way already. */
void manager_perform(Manager *manager);
void manager_arm_timer(Manager *manager); /* what is due next may have changed */

/* manager-probe.c */
ProbeEntry *probe_entry_get(Manager *manager, uint32_t number);
ProbeEntry *probe_entry_free(ProbeEntry *entry);
void probe_entry_update(ProbeEntry *entry);
void probe_entry_doubt(Manager *manager, uint32_t number); /* it counts as used until the next: */
void probe_entry_refresh(Manager *manager, uint32_t number);
/* Whether our own worker is on the probe, or is about to be. */
bool probe_entry_is_being_read(const ProbeEntry *entry);
/* Whether a descriptor of the node was given out that is to be taken back. */
bool probe_entry_has_open_lease(const ProbeEntry *entry);
void manager_perform_probe(Manager *manager, const ProbeChange *change);
void manager_on_udev(const UdevProbe *probe, UdevEvent event, void *userdata);
void manager_on_holders(GateNode *node, void *userdata);

/* manager-parts.c: who uses the devices beside the node. */
void probe_entry_watch_parts(ProbeEntry *entry, const Probe *probe); /* NULL: none */
bool probe_entry_part_holder(const ProbeEntry *entry, size_t index, BusHolder *ret);
void probe_entry_bind(ProbeEntry *entry, LeaseEntry *lease, unsigned parts);
void probe_entry_unbind(ProbeEntry *entry, GateTag tag);

/* manager-lease.c */
LeaseEntry *lease_entry_get(Manager *manager, LeaseId id);
int lease_entry_register(LeaseEntry *entry); /* from now on it is found; -ENOMEM */
LeaseEntry *lease_entry_free(LeaseEntry *entry);
void lease_entry_end(LeaseEntry *entry, LeaseEnd reason);
void lease_entry_hand_over(LeaseEntry *entry); /* it is held, and nobody is in its way */
void manager_perform_lease(Manager *manager, const LeaseChange *change);
int manager_elapse_leases(Manager *manager, Usec now);
void manager_tell_leased(Manager *manager, uint32_t number);
void manager_show_leases(Manager *manager, uint32_t number); /* that have no object yet */
void manager_update_positions(Manager *manager, uint32_t number);

/* manager-owner.c: what a lease hangs on. */
int lease_entry_bind(LeaseEntry *entry, const AcquireOptions *options, const BusCaller *caller,
                     sd_bus_error *error);
void lease_entry_begun(LeaseEntry *entry); /* the table has it now */
void lease_entry_held(LeaseEntry *entry);  /* no longer on what the request hung on */
void manager_forget_caller(Manager *manager);
void manager_drop_spare_fd(Manager *manager);

/* manager-gate.c: leases that bind, where the kernel can. */
void manager_set_up_gate(Manager *manager);
void manager_hold_buses(Manager *manager); /* when a leased probe leaves one */
void manager_leave_gate(Manager *manager); /* as it is, for the daemon that comes after us */
void lease_entry_arm(LeaseEntry *entry);   /* from now on only its members use the probe */
void lease_entry_disarm(LeaseEntry *entry);
void probe_entry_shut(ProbeEntry *entry); /* to everybody, until its tasks are done */
void probe_entry_open(ProbeEntry *entry); /* if they are */
/* With the gate set, take the debug interface from a stranger who was quicker. Returns whether
 * that is under way; lease_entry_hand_over() follows. */
bool lease_entry_clear(LeaseEntry *entry);
/* Whether a program that works under the lease has the debug interface claimed. */
bool lease_entry_has_claim(const LeaseEntry *entry);
void probe_entry_arm(ProbeEntry *entry); /* to all its leases: it has a new node */

/* manager-delegate.c: who else works under a lease. */
int lease_entry_delegate(LeaseEntry *entry, const char *who, const BusCaller *caller,
                         sd_bus_error *error);
void lease_entry_bind_delegates(LeaseEntry *entry, GateNode *node);
void lease_entry_unbind_delegates(LeaseEntry *entry);
size_t lease_entry_list_tags(const LeaseEntry *entry, GateTag *tags, size_t max);
/* Whether a process that was refused is of a unit that was started since the gate was told of it.
 * If so the gate is told anew. */
bool lease_entry_follow_unit(LeaseEntry *entry, const Process *process);
int manager_delegate(void *userdata, LeaseId id, const char *who, const BusCaller *caller,
                     sd_bus_message *message, sd_bus_error *error);
int manager_withdraw(void *userdata, LeaseId id, const char *who, const BusCaller *caller,
                     sd_bus_message *message, sd_bus_error *error);

/* manager-history.c: the journal of use. */
int manager_start_history(Manager *manager);
void manager_flush_uses(Manager *manager);
int manager_get_history(void *userdata, int *ret_fd, sd_bus_error *error);
void manager_note_refusal(Manager *manager, const Conflict *conflict);
void lease_entry_note_granted(const LeaseEntry *entry, const Probe *probe, const Lease *lease);
void lease_entry_note_ended(const LeaseEntry *entry, const Probe *probe, const Lease *lease,
                            LeaseEnd end);
void probe_entry_note_uses(ProbeEntry *entry);
void probe_entry_end_uses(ProbeEntry *entry, const char *why);

/* manager-revoke.c: taking leases back. */
int manager_revoke(void *userdata, LeaseId id, const RevokeOptions *options,
                   const BusCaller *caller, sd_bus_message *message, sd_bus_error *error);
void lease_entry_asked(LeaseEntry *entry, const Probe *probe, const Lease *lease);

/* manager-stale.c: ending programs that were left behind. */
void manager_drop_endings(Manager *manager);
int manager_end_holder(void *userdata, const Probe *probe, const BusHolder *holder,
                       const BusCaller *caller, sd_bus_message *message, sd_bus_error *error);

/* To what an earlier daemon knew; -ESRCH when that has ended meanwhile. */
int lease_entry_bind_again(LeaseEntry *entry, pid_t pid, Usec start);

/* manager-names.c: names on the bus that a lease or a request hangs on. */
int lease_entry_watch_name(LeaseEntry *entry);
void lease_entry_unwatch_name(LeaseEntry *entry);
void manager_lose_names(Manager *manager); /* the bus is gone */

/* manager-node.c: descriptors of nodes that went out with leases, over a restart. */
void lease_entry_keep_node(LeaseEntry *entry);
void manager_drop_node(LeaseId id);
void manager_take_nodes(Manager *manager);

/* manager-state.c: what the next daemon will know. */
void lease_entry_save(LeaseEntry *entry);
void manager_forget(Manager *manager, LeaseId id);
void manager_save_all(Manager *manager);
void manager_tidy_state(Manager *manager);
int manager_load(Manager *manager);
/* A probe is there: put back what was held on it. by_port: only if it is where it was. */
void manager_put_back(Manager *manager, const Probe *probe, bool by_port);
Returning *returning_free(Returning *returning);

/* manager-request.c: what clients ask for. */
int manager_allow(void *userdata, BusAction action, const BusCaller *caller, sd_bus_error *error);
int manager_acquire(void *userdata, const Probe *probe, const AcquireOptions *options,
                    const BusCaller *caller, sd_bus_message *message, sd_bus_error *error);
int manager_release(void *userdata, LeaseId id, const BusCaller *caller, sd_bus_message *message,
                    sd_bus_error *error);
int manager_renew(void *userdata, LeaseId id, const BusCaller *caller, sd_bus_message *message,
                  sd_bus_error *error);
bool manager_owns(const LeaseEntry *entry, const Lease *lease, const BusCaller *caller);
/* The lease if the caller owns it, else a negative errno with error filled in. */
int manager_find_own(Manager *manager, LeaseId id, const BusCaller *caller, sd_bus_error *error,
                     LeaseEntry **ret_entry, const Lease **ret_lease);
/* Whether the caller owns this lease, it is held, and for the debug interface. */
int manager_check_debug_lease(Manager *manager, LeaseId id, const BusCaller *caller,
                              sd_bus_error *error);
int manager_open(void *userdata, LeaseId id, const BusCaller *caller, sd_bus_message *message,
                 sd_bus_error *error);

/* manager-strict.c: leases that bind users, by the access rights of the node. */
bool manager_is_strict(void);
int manager_watch_policy(Manager *manager);
void probe_entry_grant(ProbeEntry *entry); /* say anew who may open it */
bool lease_entry_grant(LeaseEntry *entry); /* true: lease_entry_hand_over() is called afterwards */

/* manager-recover.c */
int manager_recover(void *userdata, LeaseId id, const char *step, const BusCaller *caller,
                    sd_bus_message *message, sd_bus_error *error);
void manager_obstacle(void *userdata, const char *port, const BusCaller *client, char *text,
                      size_t size);
void manager_recovered(const Task *task, const JobResult *result);
void reading_from_result(const JobResult *result, ProbeReading *ret); /* task.c */
int refuse_wedged(const Probe *probe, sd_bus_error *error);

/* manager-view.c: what clients see. */
extern const BusOps manager_ops;

/* manager-conflict.c: who wanted what somebody else holds. */
void conflict_party_set_process(ConflictParty *party, const Process *process);
void conflict_party_set_lease(ConflictParty *party, const LeaseEntry *entry);
/* Note one that just happened on a probe; kind, wanted and what is special to the kind are filled
 * in. Without a holder it is whoever holds or uses the probe now. */
void manager_note_conflict(Manager *manager, const Probe *probe, Conflict *conflict);
void lease_entry_note_conflict(const LeaseEntry *entry, const Probe *probe, ConflictKind kind);
void manager_note_denied(void *userdata, const Probe *probe, const BusCaller *caller);
void manager_tell_conflicts(Manager *manager); /* those that are due */
/* One sentence for people; returns buffer. */
char *text_conflict(const Conflict *conflict, char *buffer, size_t size);

/* manager-text.c: who is in the way, in a sentence that says what to do next. */
/* The lease that excludes others, and in *ret what the table knows of it; NULL: none. */
const LeaseEntry *text_find_held(Manager *manager, const Probe *probe, const Lease **ret);
/* The program that has it claimed, or else has had it open for longest; NULL: none. */
const GateHolder *text_find_observed(Manager *manager, const Probe *probe);
char *text_busy(Manager *manager, const Probe *probe, char *buffer, size_t size);
#define TEXT_MAX 768

/* task.c */
int task_new(ProbeEntry *probe, JobKind kind, LeaseId lease, int fd, sd_bus_message *message);
void tasks_abort(ProbeEntry *probe); /* the probe is gone */
bool task_is_running(const ProbeEntry *probe);
bool task_is_recovering(ProbeEntry *probe); /* or is about to */
int task_new_recover(ProbeEntry *probe, JobRung rung, LeaseId lease, sd_bus_message *message);
