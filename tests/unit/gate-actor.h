/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

/* Processes that do to a node what a gate is to see or to refuse. Each is there, with a second
 * thread and a child of its own, from its start on, and dies with the test. */

#define ACTOR_OFTEN  20000
#define ACTOR_NOBODY 65534

typedef enum ActorDeed {
        ACTOR_OPEN,           /* open the node, and keep the descriptor */
        ACTOR_CLOSE,          /* close it */
        ACTOR_USE,            /* an ioctl on it */
        ACTOR_USE_IN_THREAD,  /* by the thread that is there from the start */
        ACTOR_USE_32,         /* as a 32-bit program would; ENOSYS where that cannot be */
        ACTOR_CHILD_OPEN,     /* the child from the start opens the node, and closes it */
        ACTOR_NEW_CHILD_OPEN, /* a child made now does */
        ACTOR_EXEC_OPEN,      /* a child made now, after one of its threads executed a program */
        ACTOR_SEND,           /* send the descriptor to the test */
        ACTOR_RECEIVE,        /* receive one from the test */
        ACTOR_RENAME,         /* be called dbus-daemon */
        ACTOR_BECOME_NOBODY,  /* be user ACTOR_NOBODY, if it was root */
        ACTOR_OPEN_OFTEN,     /* open and close it 6,000 times */
        ACTOR_TRY_OFTEN,      /* try to open it ACTOR_OFTEN times, whatever comes of it */
} ActorDeed;

typedef struct Actor {
        pid_t pid;
        int socket;
} Actor;

Actor actor_start(const char *node);
void actor_end(Actor *actor); /* kill it, and reap it */

/* Returns 0, or the errno that the deed failed with (positive). */
int actor_do(Actor *actor, ActorDeed deed);

/* ACTOR_SEND on one, ACTOR_RECEIVE on the other */
void actor_pass(Actor *from, Actor *to);
