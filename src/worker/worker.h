/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "proto/job.h"

/* Do what the daemon asks. fd is the descriptor that came with the request, or -EBADF, and stays
 * the caller's. *result is filled in whatever happens; *ret_fd becomes the descriptor to send
 * with it, or -EBADF. cancel_fd: gives up when it is readable or hung up. */
void worker_run(const JobRequest *request, int fd, int cancel_fd, JobResult *result, int *ret_fd);
