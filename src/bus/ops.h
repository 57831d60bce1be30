/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "base/time.h"
#include "core/conflict.h"
#include "core/lease.h"
#include "core/probe.h"
#include "gate/detail.h"
#include "gate/process.h"

/* What the bus asks of the daemon. The files of this folder read messages, check their form,
 * call one of these, and write what comes back; they decide nothing. All pointers that an
 * operation hands out are borrowed, and valid until control returns to the event loop. */

#define OBSTACLE_MAX     1024
#define LEASE_REASON_MAX 256 /* bytes, without the NUL */
/* To how many others a lease may be delegated */
#define LEASE_DELEGATES_MAX 8
#define LEASE_DELEGATE_MAX  320 /* bytes of each: what is noted of a lease has its limit */

/* One program that has a probe's node open, or the device of another part. */
typedef struct BusHolder {
        unsigned part; /* one ProbePart */
        const char *device;
        const Process *process;
        Usec since;       /* CLOCK_BOOTTIME */
        const char *seen; /* how that is known: name of a GateSeen */
        bool claimed;
        LeaseId lease; /* the lease it works under; 0 for none */
        bool counted;  /* the gate sees what it asks of the node */
        uint64_t requests, transfers;
        Usec last; /* CLOCK_BOOTTIME; 0: it has asked nothing */
} BusHolder;

/* One lease with what the lease table does not know of it. */
typedef struct BusLease {
        const Lease *lease;
        const Probe *probe;
        const char *user, *command, *reason;
        const char *asked_by, *asked_reason; /* who asked for it last; "" for nobody */
        LeaseForm form;
        pid_t pid;
        uint32_t position;
} BusLease;

typedef struct AcquireOptions {
        Usec wait; /* span */
        const char *reason;
        LeaseKind kind;
        unsigned parts;
        Usec limit;        /* span; USEC_INFINITY: none */
        bool recover;      /* the caller knows that the probe may not answer */
        bool answer_early; /* answer also while the request waits */
        LeaseForm form;
        pid_t pid;                                  /* with LEASE_FORM_PROCESS; 0: the caller */
        const char *delegates[LEASE_DELEGATES_MAX]; /* as Lease.Delegate takes them */
        size_t n_delegates;
} AcquireOptions;

/* Taking a lease back */
typedef struct RevokeOptions {
        const char *reason; /* why, for its holder */
        Usec grace;         /* span until force is used; USEC_INFINITY: only ask */
} RevokeOptions;

/* Who sent a message, as the bus daemon says. */
typedef struct BusCaller {
        uid_t uid;
        pid_t pid;        /* 0 when the bus does not know */
        const char *name; /* unique bus name */
} BusCaller;

/* What not everybody may do. */
typedef enum BusAction {
        BUS_ACTION_LEASE,       /* take a lease */
        BUS_ACTION_USE,         /* have the daemon reset the target and the like */
        BUS_ACTION_MODE_SWITCH, /* have it change the probe's mode */
        BUS_ACTION_FIRMWARE,    /* take a lease for a firmware update */
        BUS_ACTION_BREAK_LEASE, /* take a lease back that another user holds */
        BUS_ACTION_SEE_ALL,     /* see other users' command lines */
        _BUS_ACTION_MAX,
} BusAction;

typedef struct BusOps {
        const char *(*gate)(void *userdata);
        const char *(*enforcement)(void *userdata);
        const char *(*sight)(void *userdata); /* name of a ProcfsSight */

        /* A descriptor of the journal of use, which the caller closes; or a negative errno with
         * error filled in. */
        int (*history)(void *userdata, int *ret_fd, sd_bus_error *error);

        /* Whom that client, by his unique name and uid, would disturb by plugging the probe on a
         * port in anew: in words, or "" for nobody. */
        void (*obstacle)(void *userdata, const char *port, const BusCaller *client, char *text,
                         size_t size);

        /* The probe shown under that id; walk all of them, from NULL to NULL. */
        const Probe *(*probe_find)(void *userdata, const char *id);
        const Probe *(*probe_next)(void *userdata, const Probe *previous);

        /* The index-th holder of a probe; false at the end. */
        bool (*holder_at)(void *userdata, const Probe *probe, size_t index, BusHolder *ret);

        /* What is looked up anew each time; -ESRCH when the holder is gone. */
        int (*holder_detail)(void *userdata, const BusHolder *holder, ProcessDetail *ret);

        /* Walk the leases of a probe, holders first, from 0 to 0. */
        LeaseId (*lease_next)(void *userdata, const Probe *probe, LeaseId previous);
        bool (*lease_find)(void *userdata, LeaseId id, BusLease *ret);
        /* The index-th of those whom it is delegated to; NULL at the end. */
        const char *(*delegate_at)(void *userdata, LeaseId id, size_t index);

        /* Walk the conflicts of a probe by number, from 0 to NULL, and say one in a sentence. */
        const Conflict *(*conflict_next)(void *userdata, const Probe *probe, uint64_t previous);
        const char *(*conflict_text)(void *userdata, const Conflict *conflict, char *buffer,
                                     size_t size);

        /* On a machine without polkit: 0 when the caller may, or a negative errno with error
         * filled in that says who may. */
        int (*allow)(void *userdata, BusAction action, const BusCaller *caller,
                     sd_bus_error *error);
        /* The caller may not do to that probe what he wanted: for the record. */
        void (*denied)(void *userdata, const Probe *probe, const BusCaller *caller);

        /* The caller may, that is settled before. These answer the message themselves, now or
         * later, and return 0; or they return a negative errno, with error filled in, and nothing
         * has happened. */
        int (*acquire)(void *userdata, const Probe *probe, const AcquireOptions *options,
                       const BusCaller *caller, sd_bus_message *message, sd_bus_error *error);
        int (*release)(void *userdata, LeaseId id, const BusCaller *caller, sd_bus_message *message,
                       sd_bus_error *error);
        int (*revoke)(void *userdata, LeaseId id, const RevokeOptions *options,
                      const BusCaller *caller, sd_bus_message *message, sd_bus_error *error);
        int (*end_holder)(void *userdata, const Probe *probe, const BusHolder *holder,
                          const BusCaller *caller, sd_bus_message *message, sd_bus_error *error);
        int (*renew)(void *userdata, LeaseId id, const BusCaller *caller, sd_bus_message *message,
                     sd_bus_error *error);
        int (*delegate)(void *userdata, LeaseId id, const char *who, const BusCaller *caller,
                        sd_bus_message *message, sd_bus_error *error);
        int (*withdraw)(void *userdata, LeaseId id, const char *who, const BusCaller *caller,
                        sd_bus_message *message, sd_bus_error *error);
        int (*recover)(void *userdata, LeaseId id, const char *step, const BusCaller *caller,
                       sd_bus_message *message, sd_bus_error *error);
        int (*open)(void *userdata, LeaseId id, const BusCaller *caller, sd_bus_message *message,
                    sd_bus_error *error);
} BusOps;
