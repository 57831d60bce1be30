/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"
#include "worker/worker.h"

/* stlinkd-worker: touches one probe for stlinkd, once. Started with a socket as JOB_FD; never by
 * people. What goes wrong stands in the answer; the exit status is about the socket only. */
int main(void) {
        _cleanup_close_ int fd = -EBADF, answer_fd = -EBADF;
        JobRequest request;
        JobResult result = { .error = -EBADMSG, .millivolts = -1 };
        ssize_t n;

        n = receive_with_fd(JOB_FD, &request, sizeof(request), &fd);
        if (n == 0 || (n < 0 && n != -EMSGSIZE))
                return EXIT_FAILURE;
        if (n == (ssize_t) sizeof(request))
                worker_run(&request, fd, JOB_FD, &result, &answer_fd);
        return send_with_fd(JOB_FD, &result, sizeof(result), answer_fd) < 0 ? EXIT_FAILURE
                                                                            : EXIT_SUCCESS;
}
