/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "base/fd.h"
#include "ctl/agent.h"

#define AGENT "pkttyagent"
/* It says that it is ready by closing a descriptor. */
#define READY_TIMEOUT_MS 10000

/* Whether polkit finds a session for us, to which a desktop's agent may belong. Without one it
 * overlooks agents that are a fallback only. */
static bool has_session(void) {
        return sd_pid_get_session(0, NULL) >= 0 || sd_uid_get_display(getuid(), NULL) >= 0;
}

/* The child's side of the fork. --fallback: only if the desktop has none. */
static _noreturn_ void exec_agent(int ready, bool fallback) {
        char number[16];

        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        (void) fcntl(ready, F_SETFD, 0);
        (void) snprintf(number, sizeof(number), "%d", ready);
        (void) execlp(AGENT, AGENT, "--notify-fd", number, fallback ? "--fallback" : NULL,
                      (char *) NULL);
        _exit(EXIT_FAILURE);
}

/* Returns its pid once it is ready, or 0: then there may be one of the desktop's still. */
static pid_t agent_start(void) {
        _cleanup_close_ int reader = -EBADF, writer = -EBADF;
        struct pollfd poll_fd = { .events = POLLIN };
        bool fallback = has_session();
        int fds[2];
        pid_t pid;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return 0;
        reader = fds[0];
        writer = fds[1];
        pid = fork();
        if (pid == 0)
                exec_agent(writer, fallback);
        writer = safe_close(writer);
        poll_fd.fd = reader;
        if (pid > 0)
                (void) poll(&poll_fd, 1, READY_TIMEOUT_MS);
        return pid > 0 ? pid : 0;
}

static void agent_stop(pid_t pid) {
        if (pid <= 0)
                return;
        /* It may have stopped itself: it reads from the terminal. */
        (void) kill(pid, SIGTERM);
        (void) kill(pid, SIGCONT);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

/* A message that was sent cannot be sent again with another flag. */
static int copy_call(sd_bus *bus, sd_bus_message *call, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *copy = NULL;
        int r = sd_bus_message_new_method_call(
                bus, &copy, sd_bus_message_get_destination(call), sd_bus_message_get_path(call),
                sd_bus_message_get_interface(call), sd_bus_message_get_member(call));

        if (r >= 0)
                r = sd_bus_message_rewind(call, true);
        if (r >= 0)
                r = sd_bus_message_copy(copy, call, true);
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(copy, true);
        if (r >= 0)
                *ret = TAKE_PTR(copy);
        return r;
}

static int call_again(sd_bus *bus, sd_bus_message *call, Usec timeout, sd_bus_error *reterr,
                      sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *copy = NULL;
        int r = copy_call(bus, call, &copy);
        pid_t agent;

        if (r < 0)
                return r;
        agent = agent_start();
        r = sd_bus_call(bus, copy, timeout, reterr, ret);
        agent_stop(agent);
        return r;
}

int agent_call(sd_bus *bus, sd_bus_message *call, Usec timeout, sd_bus_error *reterr,
               sd_bus_message **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_message_set_allow_interactive_authorization(call, false);

        if (r >= 0)
                r = sd_bus_call(bus, call, timeout, &error, ret);
        if (sd_bus_error_has_name(&error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED) &&
            sd_bus_get_allow_interactive_authorization(bus) > 0)
                return call_again(bus, call, timeout, reterr, ret);
        if (reterr && sd_bus_error_is_set(&error))
                (void) sd_bus_error_move(reterr, &error);
        return r;
}
