/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "daemon/job.h"

/* A process that was killed while the kernel waits for a wedged device dies late. After this
 * span its job counts as done, and its place is given to the next one. */
#define KILL_GRACE (1 * USEC_PER_SEC)

struct JobRunner {
        sd_event *event;
        Gate *gate;
        char *worker;
        unsigned max, running;
        List jobs; /* all, in the order of their coming */
};

typedef enum JobState {
        JOB_QUEUED,
        JOB_RUNNING,
        JOB_KILLED,    /* as running, but without hope */
        JOB_LINGERING, /* over for everybody else, the process is still to be waited for */
} JobState;

struct Job {
        List link;
        JobRunner *runner;
        JobState state;
        JobRequest request;
        Usec timeout;
        JobDone done;
        void *userdata;
        JobResult result;
        bool answered;
        int fd; /* to send along; later, what came back */
        int socket;
        pid_t pid;
        sd_event_source *input, *child, *deadline;
};

static void runner_start_jobs(JobRunner *runner);

static Job *job_free(Job *job) {
        if (!job)
                return NULL;
        if (job->state == JOB_RUNNING || job->state == JOB_KILLED)
                job->runner->running--;
        if (job->pid > 0)
                gate_unignore_process(job->runner->gate, job->pid);
        sd_event_source_disable_unref(job->input);
        sd_event_source_disable_unref(job->child);
        sd_event_source_disable_unref(job->deadline);
        safe_close(job->socket);
        safe_close(job->fd);
        list_remove(&job->link);
        free(job);
        return NULL;
}

/* Tell the owner, once. */
static void job_report(Job *job) {
        JobDone done = job->done;

        job->done = NULL;
        if (done)
                done(job, &job->result, &job->fd, job->userdata);
}

static void job_kill(Job *job) {
        /* The child source holds a pidfd, so this reaches our worker or nobody. */
        if (job->child)
                (void) sd_event_source_send_child_signal(job->child, SIGKILL, NULL, 0);
        job->state = JOB_KILLED;
}

/* --- events of a worker ------------------------------------------------------------------- */

static int check_result(JobResult *result, ssize_t size, int fd, JobKind kind) {
        if (size != sizeof(*result))
                return -EPROTO;
        if (result->error > 0 || result->error < -4095 || result->mode >= _PROBE_MODE_MAX ||
            result->millivolts < -1 || result->millivolts > 100000)
                return -EPROTO;
        if (kind == JOB_OPEN && result->error == 0 && fd < 0)
                return -EPROTO;
        return 0;
}

static int on_input(sd_event_source *source, int socket, uint32_t events, void *userdata) {
        Job *job = userdata;
        JobResult result = {};
        int fd = -EBADF;
        ssize_t n;
        int r;

        (void) source, (void) events;
        n = receive_with_fd(socket, &result, sizeof(result), &fd);
        job->input = sd_event_source_disable_unref(job->input);
        if (n == 0)
                return 0; /* the end of the process will say more */
        job->answered = true;
        r = n < 0 ? (int) n : check_result(&result, n, fd, (JobKind) job->request.kind);
        if (r < 0)
                log_warning_errno(r, "Worker %d sent an answer that makes no sense",
                                  (int) job->pid);
        job->result = r < 0 ? (JobResult){ .error = -EIO } : result;
        job->fd = safe_close(job->fd);
        job->fd = fd;
        return 0;
}

static int on_exit_of_child(sd_event_source *source, const siginfo_t *si, void *userdata) {
        Job *job = userdata;
        JobRunner *runner = job->runner;

        (void) source;
        /* The answer may have come in the same turn of the loop. */
        if (job->input)
                (void) on_input(job->input, job->socket, EPOLLIN, job);
        if (job->state == JOB_RUNNING && !job->answered)
                log_warning("Worker %d ended without an answer (%s %d)", (int) job->pid,
                            si->si_code == CLD_EXITED ? "status" : "signal", si->si_status);
        if (job->state == JOB_KILLED && !job->answered && job->result.error == -EIO)
                job->result.error = -ETIMEDOUT;
        job_report(job);
        job_free(job);
        runner_start_jobs(runner);
        /* A hundred probes plugged in at once leave the heap full of holes: give them back. */
        if (list_is_empty(&runner->jobs))
                (void) malloc_trim(0);
        return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        Job *job = userdata;
        JobRunner *runner = job->runner;

        (void) usec;
        if (job->state == JOB_RUNNING) {
                job_kill(job);
                (void) sd_event_source_set_time_relative(source, KILL_GRACE);
                return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        }
        log_warning("Worker %d was killed and does not die, the kernel waits for its device",
                    (int) job->pid);
        if (!job->answered)
                job->result.error = -ETIMEDOUT;
        job_report(job);
        job->state = JOB_LINGERING;
        runner->running--;
        runner_start_jobs(runner);
        return 0;
}

/* --- starting ----------------------------------------------------------------------------- */

static int spawn_worker(const char *path, int socket, pid_t *ret) {
        char *const argv[] = { (char *) "stlinkd-worker", NULL };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none, all;
        int r;

        (void) sigemptyset(&none);
        (void) sigfillset(&all);
        r = posix_spawn_file_actions_init(&actions);
        if (r != 0)
                return -r;
        r = posix_spawnattr_init(&attributes);
        if (r != 0) {
                (void) posix_spawn_file_actions_destroy(&actions);
                return -r;
        }
        r = posix_spawn_file_actions_adddup2(&actions, socket, JOB_FD);
        if (r == 0)
                r = posix_spawnattr_setsigmask(&attributes, &none);
        if (r == 0)
                r = posix_spawnattr_setsigdefault(&attributes, &all);
        if (r == 0)
                r = posix_spawnattr_setflags(&attributes,
                                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        if (r == 0)
                r = posix_spawn(ret, path, &actions, &attributes, argv, environ);
        (void) posix_spawnattr_destroy(&attributes);
        (void) posix_spawn_file_actions_destroy(&actions);
        return -r;
}

static int job_watch(Job *job) {
        sd_event *event = job->runner->event;
        int r;

        r = sd_event_add_child(event, &job->child, job->pid, WEXITED, on_exit_of_child, job);
        if (r < 0)
                return r;
        /* Not just once: a process that dies under a tracer (strace, a leak checker) wakes us
         * before its tracer lets go of it, and then there is nothing to wait for yet. sd-event
         * leaves its epoll entry as it is unless the source is off in between. */
        r = sd_event_source_set_enabled(job->child, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_source_set_enabled(job->child, SD_EVENT_ON);
        if (r < 0)
                return r;
        r = sd_event_add_io(event, &job->input, job->socket, EPOLLIN, on_input, job);
        if (r < 0)
                return r;
        return sd_event_add_time_relative(event, &job->deadline, CLOCK_MONOTONIC, job->timeout,
                                          10 * USEC_PER_MSEC, on_deadline, job);
}

/* Start the worker, tell the gate that it is ours, and only then say what to do. */
static int job_start(Job *job) {
        int pair[2];
        int r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        job->socket = pair[0];
        (void) fcntl(job->socket, F_SETFL, O_NONBLOCK);
        r = spawn_worker(job->runner->worker, pair[1], &job->pid);
        safe_close(pair[1]);
        if (r < 0)
                return r;
        gate_ignore_process(job->runner->gate, job->pid);
        job->state = JOB_RUNNING;
        job->runner->running++;
        r = job_watch(job);
        if (r < 0)
                return r;
        r = send_with_fd(job->socket, &job->request, sizeof(job->request), job->fd);
        job->fd = safe_close(job->fd);
        /* A worker that is gone already is found out by its end. */
        return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}

/* A job that could not be started is reported from the loop, like every other. */
static int on_failed_start(sd_event_source *source, void *userdata) {
        Job *job = userdata;

        (void) source;
        job_report(job);
        job_free(job);
        return 0;
}

static void job_fail_start(Job *job, int error) {
        job->result.error = error;
        if (job->child) {
                job_kill(job);
                return;
        }
        if (job->pid > 0) {
                /* Not reaped yet, so the pid cannot be anybody else's. */
                (void) kill(job->pid, SIGKILL);
                (void) waitpid(job->pid, NULL, 0);
        }
        if (job->state == JOB_RUNNING)
                job->runner->running--;
        job->state = JOB_LINGERING;
        if (sd_event_add_defer(job->runner->event, &job->input, on_failed_start, job) < 0)
                job->input = NULL; /* out of memory: its owner will give it up some day */
}

static void runner_start_jobs(JobRunner *runner) {
        LIST_FOREACH(&runner->jobs, Job, job, link) {
                int r;

                if (runner->running >= runner->max)
                        return;
                if (job->state != JOB_QUEUED)
                        continue;
                r = job_start(job);
                if (r < 0) {
                        log_error_errno(r, "Cannot run %s", runner->worker);
                        job_fail_start(job, r == -ENOENT || r == -EACCES ? -ENOEXEC : r);
                }
        }
}

int job_new(JobRunner *runner, const JobRequest *request, int fd, Usec timeout, JobDone done,
            void *userdata, Job **ret) {
        Job *job = calloc(1, sizeof(*job));

        if (!job)
                return -ENOMEM;
        job->runner = runner;
        job->request = *request;
        job->timeout = timeout;
        job->done = done;
        job->userdata = userdata;
        job->result.error = -EIO;
        job->socket = -EBADF;
        job->fd = -EBADF;
        list_append(&runner->jobs, &job->link);
        if (fd >= 0) {
                job->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                if (job->fd < 0) {
                        int r = -errno;

                        job_free(job);
                        return r;
                }
        }
        runner_start_jobs(runner);
        *ret = job;
        return 0;
}

Job *job_cancel(Job *job) {
        if (!job)
                return NULL;
        job->done = NULL;
        if (job->state == JOB_QUEUED)
                return job_free(job);
        if (job->state == JOB_RUNNING) {
                job_kill(job);
                (void) sd_event_source_set_time_relative(job->deadline, KILL_GRACE);
        }
        return NULL;
}

/* --- runner ------------------------------------------------------------------------------- */

int job_runner_new(sd_event *event, Gate *gate, const char *worker, unsigned max, JobRunner **ret) {
        JobRunner *runner = calloc(1, sizeof(*runner));

        if (!runner)
                return -ENOMEM;
        list_init(&runner->jobs);
        runner->worker = strdup(worker);
        if (!runner->worker) {
                free(runner);
                return -ENOMEM;
        }
        runner->event = sd_event_ref(event);
        runner->gate = gate;
        runner->max = max;
        *ret = runner;
        return 0;
}

JobRunner *job_runner_free(JobRunner *runner) {
        if (!runner)
                return NULL;
        LIST_FOREACH(&runner->jobs, Job, job, link) {
                if (job->child)
                        (void) sd_event_source_send_child_signal(job->child, SIGKILL, NULL, 0);
                job_free(job);
        }
        sd_event_unref(runner->event);
        free(runner->worker);
        free(runner);
        return NULL;
}
