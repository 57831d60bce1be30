/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

/* Processes for tests: each runs a function, says that it is ready, then waits to be told to go
 * on or to be killed. All die with the test. */

typedef struct Child {
        pid_t pid;
        int tell; /* write a byte to let it go on; close it to end it */
        int hear; /* it writes a byte when it is ready */
} Child;

/* What a child does; it may call child_ready() and child_wait() in turn, and ends on return. */
typedef void (*ChildFunction)(void *data);

Child child_start(ChildFunction function, void *data); /* returns when the child is ready */
void child_continue(Child *child);                     /* returns when it is ready again */
void child_end(Child *child);                          /* let it return, and reap it */
void child_kill(Child *child);                         /* SIGKILL, and reap it */

/* One that does nothing until it is ended. */
pid_t child_idle(void);
void child_idle_end(pid_t pid);

/* In the child */
void child_ready(void);
void child_wait(void);
