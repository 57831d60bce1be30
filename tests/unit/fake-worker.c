/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "proto/job.h"

/* A worker that touches nothing. What it does is said by the name of the node, and each job is
 * noted as a line in the file $FAKE_WORKER_LOG. */

/* Killed while it looks for leaks at its end, a process stays a zombie that nobody is told of. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
        return "detect_leaks=0";
}

static const char *const kinds[] = {
        [JOB_IDENTIFY] = "identify",
        [JOB_OPEN] = "open",
        [JOB_CLOSE] = "close",
        [JOB_RECOVER] = "recover",
};

static void note(const JobRequest *request, const char *what) {
        const char *path = getenv("FAKE_WORKER_LOG");
        _cleanup_close_ int fd = -EBADF;
        char line[128];

        fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -EBADF;
        if (fd < 0)
                return;
        (void) snprintf(line, sizeof(line), "%s %s %s\n", kinds[request->kind], request->node,
                        what);
        (void) write_full(fd, line, strlen(line));
}

static bool is(const JobRequest *request, const char *word) {
        return strstr(request->node, word) != NULL;
}

int main(void) {
        _cleanup_close_ int fd = -EBADF;
        JobRequest request = {};
        JobResult result = { .mode = PROBE_MODE_MASS,
                             .major = 2,
                             .jtag = 37,
                             .msd = 26,
                             .has_msd = 1,
                             .millivolts = 3300,
                             .commands = 3 };

        if (receive_with_fd(JOB_FD, &request, sizeof(request), &fd) != sizeof(request) ||
            request.kind >= ELEMENTSOF(kinds) || !kinds[request.kind])
                return EXIT_FAILURE;
        note(&request, "begins");
        if (is(&request, "wedged") ||
            (is(&request, "sticky") && (request.kind == JOB_OPEN || request.kind == JOB_RECOVER)))
                for (;;)
                        (void) pause();
        if (is(&request, "crash"))
                abort();
        if (is(&request, "slow"))
                (void) usleep(250000);
        if (is(&request, "busy"))
                result.error = -EBUSY;
        if (is(&request, "closed"))
                result.error = -EACCES;
        if (is(&request, "odd"))
                result.mode = _PROBE_MODE_MAX;
        if (request.kind == JOB_OPEN && !is(&request, "empty"))
                fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (request.kind == JOB_CLOSE && fd < 0)
                result.error = -EBADF;
        note(&request, "ends");
        return send_with_fd(JOB_FD, &result, is(&request, "short") ? 5 : sizeof(result),
                            request.kind == JOB_OPEN ? fd : -EBADF) < 0;
}
