/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/fd.h"
#include "ctl/children.h"
#include "ctl/client.h"
#include "ctl/obtain.h"
#include "ctl/verbs.h"
#include "ctl/wrapper.h"

/* What ends by itself right after the command is not worth a word. */
#define LEFTOVERS_PATIENCE (1 * USEC_PER_SEC)

/* For a program to tidy up when it is told to end; st-flash may wait for itself for ever then. */
#define STOP_PATIENCE (10 * USEC_PER_SEC)

/* Those that people and service managers use to end a program. */
static const int forwarded[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };

typedef struct Wrapper {
        sd_event *event;
        ClientLease *lease;
        const char *command;
        Until until;
        pid_t pid; /* 0 once it has ended */
        int status;
        bool interrupted, done;
} Wrapper;

static int kill_tree(sd_event_source *source, uint64_t usec, void *userdata) {
        char names[512];

        (void) source;
        (void) usec;
        (void) userdata;
        children_describe(names, sizeof(names));
        client_say("Not ended by SIGTERM: %s. Killing it.", names);
        children_signal(SIGKILL);
        return 0;
}

static void stop_tree(Wrapper *wrapper) {
        int r;

        client_say("Ending %s.", wrapper->command);
        children_signal(SIGTERM);
        r = sd_event_add_time_relative(wrapper->event, NULL, CLOCK_MONOTONIC, STOP_PATIENCE, 0,
                                       kill_tree, wrapper);
        if (r < 0)
                (void) client_report(NULL, r);
}

/* It is for whoever runs the command to decide; this is where he looks. */
static void tell_asked(const Wrapper *wrapper, const ClientLeaseAsked *asked) {
        Usec now = now_usec(CLOCK_MONOTONIC);
        char span[FORMAT_USEC_MAX];

        client_say("%s asks for the probe%s%s.", asked->by, asked->reason[0] ? ": " : "",
                   asked->reason);
        if (asked->deadline == USEC_INFINITY)
                client_say_more("To give it back, end %s.", wrapper->command);
        else
                client_say_more("It is taken back in %s, and %s ended.",
                                format_usec(span, sizeof(span),
                                            asked->deadline > now ? asked->deadline - now : 0),
                                wrapper->command);
}

/* A lease that was lost to time or to somebody else's need must not be used any further; a
 * probe that is gone the command notices by itself, and a daemon that stops does not mean that
 * anybody else wants the probe. */
static void lease_changed(ClientLease *lease, void *userdata) {
        const char *ended = client_lease_ended(lease);
        Wrapper *wrapper = userdata;
        ClientLeaseAsked asked;

        if (client_lease_take_asked(lease, &asked)) {
                tell_asked(wrapper, &asked);
                client_lease_asked_done(&asked);
        }
        if (!ended)
                return;
        client_say("The lease is lost: %s.", obtain_end_text(ended));
        if (strcmp(ended, "expired") == 0 || strcmp(ended, "revoked") == 0)
                stop_tree(wrapper);
        else
                client_say("%s goes on without it.", wrapper->command);
}

static int tell_leftovers(sd_event_source *source, uint64_t usec, void *userdata) {
        Wrapper *wrapper = userdata;
        char names[512];

        (void) source;
        (void) usec;
        children_describe(names, sizeof(names));
        if (names[0] != '\0')
                client_say("%s has ended, but left behind: %s. The lease is kept until that has "
                           "ended too; Ctrl-C gives it back now.",
                           wrapper->command, names);
        return 0;
}

static int command_ended(Wrapper *wrapper, const siginfo_t *info) {
        wrapper->pid = 0;
        wrapper->status = info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status;
        wrapper->interrupted = info->si_code != CLD_EXITED && info->si_status == SIGINT;
        if (wrapper->until == UNTIL_MAIN) {
                wrapper->done = true;
                return 0;
        }
        return sd_event_add_time_relative(wrapper->event, NULL, CLOCK_MONOTONIC, LEFTOVERS_PATIENCE,
                                          0, tell_leftovers, wrapper);
}

/* Being the subreaper, we are the parent of whatever the tree leaves behind, so it is gone when
 * we have no children any more. */
static int child_ended(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        Wrapper *wrapper = userdata;
        siginfo_t info = {};
        int r = 0;

        (void) source;
        (void) si;
        while (r >= 0 && waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0) {
                if (info.si_pid == wrapper->pid)
                        r = command_ended(wrapper, &info);
                info.si_pid = 0;
        }
        if (r >= 0 && waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD)
                wrapper->done = true;
        return r;
}

/* The terminal sends what is typed to the whole process group, the command included; what a program
 * sends reaches only us, and is passed on. So is a hang-up: if we lead the session, it is the
 * leader alone who hears of it. */
static int was_signalled(sd_event_source *source, const struct signalfd_siginfo *si,
                         void *userdata) {
        Wrapper *wrapper = userdata;
        int signal = (int) si->ssi_signo;

        (void) source;
        if (wrapper->pid > 0) {
                if (si->ssi_code != SI_KERNEL || signal == SIGHUP)
                        (void) kill(wrapper->pid, signal);
                return 0;
        }
        if (signal == SIGTERM || signal == SIGHUP) {
                children_signal(signal);
                return 0;
        }
        wrapper->done = true;
        return 0;
}

/* The child's side of the fork. */
static _noreturn_ void exec_command(char **command, const sigset_t *mask, int error_fd) {
        int error;

        (void) sigprocmask(SIG_SETMASK, mask, NULL);
        (void) execvp(command[0], command);
        error = errno;
        (void) write_full(error_fd, &error, sizeof(error));
        _exit(WRAPPER_CODE_CANNOT_RUN);
}

/* Fork and exec; returns when that is done, so that a failure is known. */
static int start(Wrapper *wrapper, char **command, const sigset_t *mask) {
        int fds[2], error = 0;
        ssize_t n;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        wrapper->pid = fork();
        if (wrapper->pid == 0)
                exec_command(command, mask, fds[1]);
        safe_close(fds[1]);
        if (wrapper->pid < 0)
                error = errno;
        else {
                n = read_full(fds[0], &error, sizeof(error));
                if (n != sizeof(error))
                        error = 0; /* closed by exec */
        }
        safe_close(fds[0]);
        return -error;
}

static int watch_signals(Wrapper *wrapper, sigset_t *ret_mask) {
        sigset_t blocked;
        int r;

        (void) sigemptyset(&blocked);
        (void) sigaddset(&blocked, SIGCHLD);
        for (size_t i = 0; i < ELEMENTSOF(forwarded); i++)
                (void) sigaddset(&blocked, forwarded[i]);
        /* Were it ignored, as we may have inherited it, children would vanish unseen. */
        if (signal(SIGCHLD, SIG_DFL) == SIG_ERR || sigprocmask(SIG_BLOCK, &blocked, ret_mask) < 0)
                return -errno;
        r = sd_event_add_signal(wrapper->event, NULL, SIGCHLD, child_ended, wrapper);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(forwarded); i++)
                r = sd_event_add_signal(wrapper->event, NULL, forwarded[i], was_signalled, wrapper);
        return r;
}

static int prepare(Wrapper *wrapper, sigset_t *ret_mask) {
        int r = sd_event_new(&wrapper->event);

        if (r >= 0)
                r = client_lease_attach(wrapper->lease, wrapper->event);
        if (r >= 0)
                r = watch_signals(wrapper, ret_mask);
        if (r >= 0 && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
                r = -errno;
        return r;
}

static void tell_what_remains(const Wrapper *wrapper) {
        char names[512];

        children_describe(names, sizeof(names));
        if (names[0] != '\0')
                client_say("%s left behind, without a lease: %s.", wrapper->command, names);
}

/* To somebody who sees the command's own message, on a terminal. */
static void offer_explanation(const Wrapper *wrapper) {
        if (wrapper->status > 0 && wrapper->status < 128 && isatty(STDERR_FILENO))
                client_say_more("%s failed. What its message means:  stlinkctl explain 'MESSAGE'",
                                wrapper->command);
}

int wrapper_run(ClientLease *lease, char **command, Until until, bool *ret_interrupted) {
        Wrapper wrapper = { .lease = lease, .command = command[0], .until = until };
        sigset_t mask;
        int r = prepare(&wrapper, &mask);

        if (r >= 0) {
                r = start(&wrapper, command, &mask);
                if (r < 0) {
                        client_say("Cannot run %s: %s", command[0], strerror(-r));
                        sd_event_unref(wrapper.event);
                        return WRAPPER_CODE_CANNOT_RUN;
                }
                client_lease_watch(lease, lease_changed, &wrapper);
                /* Not sd_event_loop(): its end would close the bus before the lease is back. */
                while (r >= 0 && !wrapper.done)
                        r = sd_event_run(wrapper.event, UINT64_MAX);
                client_lease_watch(lease, NULL, NULL);
        }
        client_lease_detach(lease);
        sd_event_unref(wrapper.event);
        if (r < 0)
                return exit_code_of_wrapper(client_report(NULL, r));
        tell_what_remains(&wrapper);
        offer_explanation(&wrapper);
        *ret_interrupted = wrapper.interrupted;
        return wrapper.status;
}
