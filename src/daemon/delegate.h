/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "gate/process.h"

/* Whom a lease's owner lets work under it, beside himself and what descends from him:
 *
 *   uid:NUMBER      all processes of a user
 *   unit:NAME       those of a service, scope or slice of the system's
 *   cgroup:/PATH    those in a control group (cgroup v2), and in the ones below it
 *   pid:NUMBER      a process, and what descends from it */

typedef enum DelegateKind {
        DELEGATE_UID,
        DELEGATE_UNIT,
        DELEGATE_CGROUP,
        DELEGATE_PID,
        _DELEGATE_KIND_MAX
} DelegateKind;

typedef struct LeaseDelegate {
        unsigned number; /* never used twice in a lease; from 1 on */
        DelegateKind kind;
        char *who; /* as it was said */
        uid_t uid;
        uint64_t cgroup;  /* UNIT, CGROUP: number of the group when last looked at; 0: none */
        Process *process; /* PID; NULL: it has ended */
} LeaseDelegate;

typedef struct Delegates {
        LeaseDelegate *items;
        size_t n;
        unsigned last; /* number given away last */
} Delegates;

void delegates_done(Delegates *delegates);

/* Add one, whom the lease does not have yet. -EINVAL when the words say nobody, -ENOENT when there
 * is no such unit at work or no such control group, -EOPNOTSUPP when this machine has no control
 * groups that could be told, -ESRCH when there is no such process, -ENAMETOOLONG for more than
 * LEASE_DELEGATE_MAX bytes, -E2BIG when there are too many, -ENOMEM. */
int delegates_add(Delegates *delegates, const char *who);
void delegates_remove(Delegates *delegates, LeaseDelegate *delegate);

/* By the same words; NULL for none. */
LeaseDelegate *delegates_find(const Delegates *delegates, const char *who);

/* Whether a process is meant, as far as can be read of it. */
bool delegate_matches(const LeaseDelegate *delegate, const Process *process);
bool delegates_match(const Delegates *delegates, const Process *process);

/* A unit that was started anew, or a control group that was made anew, is another one to the
 * kernel. Look again; returns whether it is another one than before. */
bool delegate_look(LeaseDelegate *delegate);

/* As one line without control characters, for the next daemon; and back, without those that make
 * no sense. -ENOMEM. */
int delegates_save(const Delegates *delegates, char **ret);
int delegates_load(Delegates *delegates, const char *text);
