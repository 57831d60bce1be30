/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"
#include "base/time.h"
#include "gate/gate.h"
#include "proto/job.h"

/* Jobs: whatever touches a probe runs in a worker process of its own, which answers before its
 * deadline or is killed. A limited number of workers runs at the same time, the other jobs wait
 * for their turn; a job's deadline counts from the start of its worker. */

typedef struct JobRunner JobRunner;
typedef struct Job Job;

/* Called once from the event loop, when the worker has ended and with it all its claims. The
 * job is gone afterwards. result->error is -ETIMEDOUT for a worker that had to be killed, -EIO
 * for one that broke down; no more is believed of an answer than proto/job.h allows. *fd is
 * the descriptor that came with it, or -EBADF; whoever wants it takes it. */
typedef void (*JobDone)(Job *job, const JobResult *result, int *fd, void *userdata);

/* worker is the path of the program. The gate is told which processes are ours. SIGCHLD must
 * be blocked. */
int job_runner_new(sd_event *event, Gate *gate, const char *worker, unsigned max, JobRunner **ret);
JobRunner *job_runner_free(JobRunner *runner); /* kills what runs; nothing is called any more */
DEFINE_CLEANUP(JobRunner *, job_runner_free)

/* Start a job, or queue it. fd (-EBADF: none) goes along; the job keeps a copy of it. */
int job_new(JobRunner *runner, const JobRequest *request, int fd, Usec timeout, JobDone done,
            void *userdata, Job **ret);

/* Kill it, if it runs; done is not called. Returns NULL. */
Job *job_cancel(Job *job);
