/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/time.h"
#include "sim/world/command.h"

#define ASK_TIME  USEC_PER_SEC         /* from SIGTERM to SIGKILL */
#define GIVE_UP   (5 * USEC_PER_SEC)   /* for what even SIGKILL does not end */
#define LOOK_TIME (20 * USEC_PER_MSEC) /* between looks at who is left */

static const int passed_on[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };

struct Command {
        pid_t pid;
        int status; /* exit status once it ended, before that -1 */
        Usec ended;
        sd_event_source *child_source;
        sd_event_source *signal_sources[ELEMENTSOF(passed_on)];
        sd_event_source *timer;
};

static _noreturn_ void execute(char *const argv[], const sigset_t *mask, pid_t parent) {
        /* Should the simulator be killed, the command has no bus to speak to any more. */
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(128 + SIGKILL);
        (void) sigprocmask(SIG_SETMASK, mask, NULL);
        (void) execvp(argv[0], argv);
        fprintf(stderr, "stlinksim: cannot run %s: %s\n", argv[0], strerror(errno));
        _exit(errno == ENOENT ? 127 : 126);
}

static bool parent_is(const char *pid, pid_t parent) {
        char path[64], line[512];
        const char *p;
        int found;

        snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
        if (read_line_at(-1, path, line, sizeof(line)) < 0)
                return false;
        p = strrchr(line, ')'); /* a name may hold anything */
        return p && sscanf(p + 1, " %*c %d", &found) == 1 && found == parent;
}

/* Send a signal to our children. Orphans of the world are ours, as we are the subreaper, so
 * this reaches everybody in time. */
static void signal_children(int signal) {
        DIR *proc = opendir("/proc");

        if (!proc)
                return;
        for (struct dirent *entry = readdir(proc); entry; entry = readdir(proc)) {
                if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
                    !parent_is(entry->d_name, getpid()))
                        continue;
                (void) kill((pid_t) strtol(entry->d_name, NULL, 10), signal);
        }
        (void) closedir(proc);
}

/* Collect who has ended; false when nobody is left. */
static bool reap(Command *command) {
        int status;
        pid_t pid;

        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
                if (pid == command->pid)
                        command->status =
                                WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        return pid == 0;
}

/* The command has ended: see that nobody stays behind. */
static int clean_up(Command *command, sd_event *event) {
        bool left = reap(command);
        Usec now = now_usec(CLOCK_MONOTONIC);
        bool first = command->ended == 0;

        if (first)
                command->ended = now;
        if (!left || now >= command->ended + GIVE_UP)
                return sd_event_exit(event, command->status);
        if (first) {
                signal_children(SIGTERM);
                signal_children(SIGCONT);
        } else if (now >= command->ended + ASK_TIME)
                signal_children(SIGKILL);
        return sd_event_source_set_time_relative(command->timer, LOOK_TIME) < 0 ||
                               sd_event_source_set_enabled(command->timer, SD_EVENT_ONESHOT) < 0
                       ? sd_event_exit(event, command->status)
                       : 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) usec;
        return clean_up(userdata, sd_event_source_get_event(source));
}

static int on_child(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Command *command = userdata;

        (void) info;
        (void) reap(command);
        if (command->status < 0)
                return 0;
        return clean_up(command, sd_event_source_get_event(source));
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        const Command *command = userdata;

        (void) source;
        /* What the terminal sent (Ctrl-C) it sent to the command as well. */
        if (info->ssi_code != SI_KERNEL && command->status < 0)
                (void) kill(command->pid, (int) info->ssi_signo);
        return 0;
}

static int watch(sd_event *event, Command *command) {
        int r;

        r = sd_event_add_signal(event, &command->child_source, SIGCHLD, on_child, command);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(passed_on); i++)
                r = sd_event_add_signal(event, &command->signal_sources[i], passed_on[i], on_signal,
                                        command);
        if (r < 0)
                return r;
        r = sd_event_add_time(event, &command->timer, CLOCK_MONOTONIC, USEC_INFINITY, 1, on_timer,
                              command);
        return r < 0 ? r : sd_event_source_set_enabled(command->timer, SD_EVENT_OFF);
}

int command_start(sd_event *event, char *const argv[], Command **ret) {
        _cleanup_(command_freep) Command *command = calloc(1, sizeof(Command));
        sigset_t block, mask;
        pid_t parent = getpid();
        int r;

        if (!command)
                return -ENOMEM;
        command->status = -1;
        (void) sigemptyset(&block);
        (void) sigaddset(&block, SIGCHLD);
        for (size_t i = 0; i < ELEMENTSOF(passed_on); i++)
                (void) sigaddset(&block, passed_on[i]);
        if (sigprocmask(SIG_BLOCK, &block, &mask) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
                return -errno;
        r = watch(event, command);
        if (r < 0)
                return r;
        command->pid = fork();
        if (command->pid < 0)
                return -errno;
        if (command->pid == 0)
                execute(argv, &mask, parent);
        *ret = TAKE_PTR(command);
        return 0;
}

Command *command_free(Command *command) {
        if (!command)
                return NULL;
        sd_event_source_disable_unref(command->child_source);
        for (size_t i = 0; i < ELEMENTSOF(passed_on); i++)
                sd_event_source_disable_unref(command->signal_sources[i]);
        sd_event_source_disable_unref(command->timer);
        free(command);
        return NULL;
}
