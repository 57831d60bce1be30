/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macro.h"
#include "base/string-table.h"
#include "base/time.h"

/* Who may use a probe, and who is next.
 *
 * A LeaseTable decides and does nothing else: events and the time go in, a list of changes
 * comes out, and whoever called performs them. It does no I/O, reads no clock, logs nothing.
 *
 * A request is granted at once or waits. Waiting requests of a probe form one queue in the
 * order of arrival; nobody overtakes an earlier waiter whom he would keep waiting. A lease
 * covers parts of a probe: two leases exclude each other when they share a part, unless both
 * are of kind shared. While a probe is obstructed (somebody without a lease uses it) nothing
 * new is granted on it.
 */

typedef uint64_t LeaseId;    /* never 0, never used twice */
typedef uint32_t LeaseProbe; /* the caller's number for a probe */

typedef enum LeaseKind {
        LEASE_EXCLUSIVE,
        LEASE_SHARED,
        LEASE_FIRMWARE_UPDATE, /* exclusive on all parts, never taken back by force */
        _LEASE_KIND_MAX,
} LeaseKind;

/* "exclusive", "shared", "firmware-update" */
DECLARE_STRING_TABLE(lease_kind, LeaseKind);

typedef enum LeaseState {
        LEASE_WAITING,
        LEASE_HELD,
        LEASE_ASKED, /* held, and the holder was asked to give it back */
        _LEASE_STATE_MAX,
} LeaseState;

/* "waiting", "held", "asked" */
DECLARE_STRING_TABLE(lease_state, LeaseState);

/* Why a lease, or the wait for one, ended. */
typedef enum LeaseEnd {
        LEASE_END_RELEASED,   /* its owner gave it back, or closed the last copy of its fd */
        LEASE_END_OWNER_GONE, /* its owner left the bus, or the process ended */
        LEASE_END_EXPIRED,    /* its time limit passed without renewal */
        LEASE_END_REVOKED,    /* taken back */
        LEASE_END_UNPLUGGED,  /* the probe went away for good */
        LEASE_END_TIMEOUT,    /* it waited until its deadline */
        LEASE_END_CANCELLED,  /* the owner stopped waiting */
        _LEASE_END_MAX,
} LeaseEnd;

/* "released", "owner-gone", "expired", "revoked", "unplugged", "timeout", "cancelled" */
DECLARE_STRING_TABLE(lease_end, LeaseEnd);

/* What a lease hangs on, once it is held. A table has no use for it. */
typedef enum LeaseForm {
        LEASE_FORM_FD,         /* a descriptor: ends when its last copy is closed */
        LEASE_FORM_CONNECTION, /* the owner's name on the bus */
        LEASE_FORM_PROCESS,    /* a process */
        _LEASE_FORM_MAX,
} LeaseForm;

/* "fd", "connection", "process" */
DECLARE_STRING_TABLE(lease_form, LeaseForm);

typedef struct LeaseRequest {
        LeaseProbe probe;
        uid_t uid; /* whom quotas are charged to */
        LeaseKind kind;
        unsigned parts; /* mask of ProbePart, not 0; ignored for firmware-update */
        Usec deadline;  /* when to stop waiting; 0: do not wait; USEC_INFINITY: for ever */
        Usec limit; /* how long it may be held without renewal, not 0; USEC_INFINITY: no limit */
} LeaseRequest;

typedef struct Lease {
        LeaseId id;
        LeaseProbe probe;
        uid_t uid;
        LeaseKind kind;
        LeaseState state;
        unsigned parts;
        Usec requested; /* when it was asked for */
        Usec granted;   /* when it was granted; 0 while waiting */
        Usec deadline;  /* waiting: when the wait ends. asked: when force is used */
        Usec limit;     /* the span given with the request */
        Usec expires;   /* when the limit passes; USEC_INFINITY for none */
} Lease;

typedef enum LeaseChangeType {
        LEASE_CHANGE_QUEUED,  /* a new request waits */
        LEASE_CHANGE_GRANTED, /* at once or after waiting */
        LEASE_CHANGE_ASKED,   /* tell the holder that somebody wants it back */
        LEASE_CHANGE_ENDED,   /* the lease or the wait is over, the table has forgotten it */
} LeaseChangeType;

typedef struct LeaseChange {
        LeaseChangeType type;
        LeaseEnd end; /* with ENDED */
        Lease lease;  /* as it is after the change; as it last was with ENDED */
} LeaseChange;

typedef struct LeaseChanges {
        LeaseChange *items;
        size_t n, allocated;
} LeaseChanges;

/* Free what the list holds; the list is empty and usable afterwards. */
void lease_changes_clear(LeaseChanges *changes);
#define _cleanup_changes_ _cleanup_(lease_changes_clear)

/* What one uid may have; 0 counts as no quota. */
typedef struct LeaseQuota {
        unsigned held;
        unsigned waiting;
        unsigned objects; /* both together, since each is an object on the bus */
} LeaseQuota;

typedef struct LeaseTable LeaseTable;

int lease_table_new(const LeaseQuota *quota, LeaseTable **ret);
LeaseTable *lease_table_free(LeaseTable *table);
DEFINE_CLEANUP(LeaseTable *, lease_table_free)

/* All functions below that take changes append to it and return 0 or a negative errno. With
 * an error the table and the list are as before the call. */

/* Ask for a lease; *ret_id is its number whether it was granted or waits (see the changes).
 *   -EBUSY    it cannot be granted now and the request does not wait
 *   -EDQUOT   the uid's quota is used up
 *   -EINVAL   no parts, an unknown kind, or a limit of 0
 *   -ENOMEM */
_check_result_ int lease_request(LeaseTable *table, const LeaseRequest *request, Usec now,
                                 LeaseChanges *changes, LeaseId *ret_id);

/* Put back a lease or a request that an earlier table knew, with all that is known of it and in
 * its place; nothing is reported. A time that has passed meanwhile is for lease_elapse(), and what
 * can be granted is once lease_set_obstructed() is told how the probe stands. Its owner's quota was
 * looked at when it was new.
 *   -EINVAL  its members contradict each other
 *   -EEXIST  there is one of that number
 *   -EBUSY   it is held, and excludes one that is
 *   -ENOMEM */
_check_result_ int lease_restore(LeaseTable *table, const Lease *lease);

/* The number that was given last, and: give none up to this one to a new request. */
LeaseId lease_last_id(const LeaseTable *table);
void lease_skip_ids(LeaseTable *table, LeaseId last);

/* End a lease or a wait for the given reason; -ENOENT when there is none of that number. */
_check_result_ int lease_end(LeaseTable *table, LeaseId id, LeaseEnd reason, Usec now,
                             LeaseChanges *changes);

/* Start the time limit of a held lease anew; -ENOENT, -EINVAL while it waits. */
_check_result_ int lease_renew(LeaseTable *table, LeaseId id, Usec now);

/* Take a lease back: ask its holder, and end it (revoked) once grace has passed. Asking again
 * can only bring the end nearer. grace USEC_INFINITY asks and never forces, 0 ends it at once.
 *   -ENOENT  no such lease, or it waits
 *   -EPERM   a firmware-update lease, with any grace but USEC_INFINITY */
_check_result_ int lease_revoke(LeaseTable *table, LeaseId id, Usec grace, Usec now,
                                LeaseChanges *changes);

/* Somebody without a lease uses the probe (or no longer does): hold back grants meanwhile. */
_check_result_ int lease_set_obstructed(LeaseTable *table, LeaseProbe probe, bool obstructed,
                                        Usec now, LeaseChanges *changes);

/* The probe went away for good: everything on it ends. */
_check_result_ int lease_probe_gone(LeaseTable *table, LeaseProbe probe, LeaseChanges *changes);

/* When lease_elapse() has something to do next; USEC_INFINITY for never. */
Usec lease_next_event(const LeaseTable *table);

/* Let time pass: expire limits, end waits, use force. */
_check_result_ int lease_elapse(LeaseTable *table, Usec now, LeaseChanges *changes);

/* Looking. The pointers are valid until the next call that takes the table writable. */
const Lease *lease_get(const LeaseTable *table, LeaseId id);

/* Walk a probe's leases, holders in the order of their grants, then waiters in the order of
 * the queue. previous is NULL to start; NULL at the end. */
const Lease *lease_next(const LeaseTable *table, LeaseProbe probe, const Lease *previous);

/* Place in the queue from 1 on; 0 when the lease does not wait or does not exist. */
size_t lease_position(const LeaseTable *table, LeaseId id);
