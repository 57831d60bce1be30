/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/macro.h"

/* The descriptor that a lease is: the write end of a FIFO, which dup, exec and fork carry along.
 * The daemon has the read end and sees when the last copy is closed; whoever has a copy sees
 * (POLLERR) when the daemon gave the lease up. */

typedef struct LeaseFd LeaseFd;

/* Called once from the event loop; the LeaseFd may be freed from within. */
typedef void (*LeaseFdClosed)(LeaseFd *lease_fd, void *userdata);

/* Make a FIFO of mode 0600 in a directory, under a number that no other one there has. The caller
 * owns *ret, and *ret_fd, which is what the lease's owner gets. 0 or a negative errno. */
int lease_fd_new(sd_event *event, const char *directory, uint64_t number, LeaseFdClosed closed,
                 void *userdata, LeaseFd **ret, int *ret_fd);

/* Who is called instead, for one that was made ahead of its use. */
void lease_fd_set_closed(LeaseFd *lease_fd, LeaseFdClosed closed, void *userdata);

/* Take over one that an earlier daemon made. -EPIPE when nobody has a copy of its descriptor any
 * more, -ENOENT when it is gone, -EBADF when that is no FIFO of ours. */
int lease_fd_reopen(sd_event *event, const char *directory, uint64_t number, LeaseFdClosed closed,
                    void *userdata, LeaseFd **ret);

/* Leave the FIFO to the next daemon. */
LeaseFd *lease_fd_leave(LeaseFd *lease_fd);

/* Give the lease up, and remove the FIFO. */
LeaseFd *lease_fd_free(LeaseFd *lease_fd);
DEFINE_CLEANUP(LeaseFd *, lease_fd_free)

/* Make the directory if need be, and remove the FIFOs in it but those of the n numbers. 0 or a
 * negative errno. */
int lease_fd_prepare(const char *directory, const uint64_t *keep, size_t n);
