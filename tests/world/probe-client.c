/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/time.h"
#include "proto/job.h"
#include "usb/node.h"
#include "usb/probe-session.h"
#include "usb/transport-libusb.h"

/* usage: probe-client VERB NODE
 *
 * Uses stlinkd-worker and probe sessions as stlinkd and stlinkctl do, and prints what came of it,
 * one NAME=VALUE a line; for tests in the private world. */

#define TIMEOUT_MS 500

static void print_error(const char *what, int error) {
        printf("%s=%s\n", what, error < 0 ? strerrorname_np(-error) : "0");
}

/* Start a worker and give it a job; returns our end of its socket. */
static int start_job(const JobRequest *request, int fd, pid_t *ret_pid) {
        const char *top = getenv("TOP_BUILDDIR");
        char path[4096];
        int pair[2];
        pid_t pid;

        (void) snprintf(path, sizeof(path), "%s/stlinkd-worker", top ? top : ".");
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                exit(EXIT_FAILURE);
        pid = fork();
        if (pid == 0) {
                if (pair[1] != JOB_FD)
                        (void) dup2(pair[1], JOB_FD);
                else
                        (void) fcntl(JOB_FD, F_SETFD, 0);
                (void) execl(path, path, (char *) NULL);
                _exit(127);
        }
        safe_close(pair[1]);
        if (send_with_fd(pair[0], request, sizeof(*request), fd) < 0)
                exit(EXIT_FAILURE);
        *ret_pid = pid;
        return pair[0];
}

static JobRequest make_request(JobKind kind, const char *node) {
        JobRequest request = { .kind = kind, .timeout_ms = TIMEOUT_MS };

        (void) snprintf(request.node, sizeof(request.node), "%s", node);
        (void) sscanf(node, "/dev/bus/usb/%hhu/%hhu", &request.bus, &request.device);
        return request;
}

/* One job in a worker of its own. */
static JobResult run_job(JobKind kind, const char *node, int fd, int *ret_fd) {
        JobRequest request = make_request(kind, node);
        JobResult result = { .error = -ECONNRESET };
        pid_t pid;
        int socket = start_job(&request, fd, &pid);

        *ret_fd = -EBADF;
        (void) receive_with_fd(socket, &result, sizeof(result), ret_fd);
        safe_close(socket);
        (void) waitpid(pid, NULL, 0);
        return result;
}

/* A daemon that goes away before its worker begins. */
static void desert(const char *node) {
        JobRequest request = make_request(JOB_IDENTIFY, node);
        pid_t pid;
        int socket = start_job(&request, -EBADF, &pid);

        safe_close(socket);
        (void) waitpid(pid, NULL, 0);
}

/* A daemon that goes away in the middle of a job. */
static void abandon(const char *node) {
        JobRequest request = make_request(JOB_IDENTIFY, node);
        Usec start = now_usec(CLOCK_MONOTONIC);
        int socket, status;
        pid_t pid;

        request.timeout_ms = 60000;
        socket = start_job(&request, -EBADF, &pid);
        (void) usleep(100000);
        safe_close(socket);
        (void) waitpid(pid, &status, 0);
        printf("exited=%d\n", WIFEXITED(status));
        printf("ms=%u\n", (unsigned) ((now_usec(CLOCK_MONOTONIC) - start) / USEC_PER_MSEC));
}

static void identify(const char *node) {
        Usec start = now_usec(CLOCK_MONOTONIC);
        char name[FIRMWARE_NAME_MAX];
        int fd;
        JobResult result = run_job(JOB_IDENTIFY, node, -EBADF, &fd);
        Firmware firmware = { .major = result.major,
                              .jtag = result.jtag,
                              .swim = result.swim,
                              .msd = result.msd,
                              .bridge = result.bridge,
                              .power = result.power,
                              .has_swim = result.has_swim,
                              .has_msd = result.has_msd };

        print_error("error", result.error);
        printf("firmware=%s\n", firmware_name(&firmware, name, sizeof(name)));
        printf("mode=%s\n", probe_mode_to_string(result.mode));
        printf("millivolts=%" PRId32 "\n", result.millivolts);
        printf("commands=%" PRIu32 "\n", result.commands);
        printf("claimed_us=%" PRIu32 "\n", result.claimed_us);
        printf("ms=%u\n", (unsigned) ((now_usec(CLOCK_MONOTONIC) - start) / USEC_PER_MSEC));
}

static void print_target(const ProbeTarget *target) {
        printf("dpidr=%08" PRIX32 "\n", target->dpidr);
        printf("cpuid=%08" PRIX32 "\n", target->cpuid);
        printf("idcode=%08" PRIX32 "\n", target->idcode);
        printf("chip=%s\n", target->chip ? target->chip->name : "");
        printf("flash_kib=%u\n", target->flash_kib);
}

static int connect_session(ProbeSession *session) {
        ProbeTarget target;
        int r = probe_session_connect(session);

        if (r < 0)
                return r;
        printf("commands_to_swd=%u\n", probe_session_info(session)->commands);
        r = probe_session_identify_target(session, &target);
        if (r < 0)
                return r;
        printf("commands_to_identity=%u\n", probe_session_info(session)->commands);
        print_target(&target);
        r = probe_session_measure_voltage(session);
        if (r < 0 && r != -EOPNOTSUPP)
                return r;
        printf("millivolts=%d\n", probe_session_info(session)->millivolts);
        return probe_session_disconnect(session);
}

static void connect_fd(int fd, int cancel_fd) {
        _cleanup_(probe_session_freep) ProbeSession *session = NULL;
        ProbeSessionOptions options = { .timeout_ms = cancel_fd >= 0 ? 60000 : TIMEOUT_MS,
                                        .may_leave_loader = true,
                                        .cancel_fd = cancel_fd };
        int r = probe_session_open(fd, &options, &session);

        if (r >= 0)
                r = connect_session(session);
        print_error("error", r);
        if (r == -EREMOTEIO)
                printf("status=%s\n", status_name(probe_session_status(session)));
}

/* As stlinkctl: on a descriptor that came with a lease. */
static void lease(const char *node) {
        _cleanup_close_ int fd = -EBADF;
        int ignored;
        JobResult result = run_job(JOB_OPEN, node, -EBADF, &fd);

        print_error("open", result.error);
        if (result.error < 0)
                return;
        connect_fd(fd, -EBADF);
        print_error("claim_other", node_claim(fd, 1));
        print_error("claim", node_claim(fd, 0));
        result = run_job(JOB_CLOSE, node, fd, &ignored);
        print_error("close", result.error);
        print_error("claim_after", node_claim(fd, 0));
}

/* As a tool that sits on the probe until it is killed. */
static void hold(int fd) {
        print_error("claim", node_claim(fd, 0));
        for (;;)
                (void) pause();
}

/* As a tool that is killed before it could fetch an answer. */
static void litter(int fd) {
        Transport *transport = NULL;
        UsbOptions options = { .timeout_ms = TIMEOUT_MS, .cancel_fd = -EBADF };
        Command command = command_get_version();
        size_t ignored;
        int r = transport_libusb_new(fd, &options, &transport);

        if (r >= 0)
                r = transport->ops->bulk_out(transport, command.bytes, sizeof(command.bytes),
                                             TIMEOUT_MS, &ignored);
        print_error("litter", r);
        (void) fflush(stdout);
        _exit(EXIT_SUCCESS);
}

int main(int argc, char **argv) {
        _cleanup_close_ int fd = -EBADF;
        int ignored;

        if (argc != 3) {
                fprintf(stderr,
                        "usage: %s abandon|desert|identify|connect|cancel|lease|take|hold|litter "
                        "NODE\n",
                        argv[0]);
                return EXIT_FAILURE;
        }
        if (strcmp(argv[1], "identify") == 0) {
                identify(argv[2]);
                return EXIT_SUCCESS;
        }
        if (strcmp(argv[1], "desert") == 0) {
                desert(argv[2]);
                return EXIT_SUCCESS;
        }
        if (strcmp(argv[1], "abandon") == 0) {
                abandon(argv[2]);
                return EXIT_SUCCESS;
        }
        if (strcmp(argv[1], "lease") == 0) {
                lease(argv[2]);
                return EXIT_SUCCESS;
        }
        if (strcmp(argv[1], "take") == 0) {
                print_error("close", run_job(JOB_CLOSE, argv[2], -EBADF, &ignored).error);
                return EXIT_SUCCESS;
        }
        fd = open(argv[2], O_RDWR | O_CLOEXEC);
        if (fd < 0) {
                print_error("error", -errno);
                return EXIT_SUCCESS;
        }
        if (strcmp(argv[1], "hold") == 0)
                hold(fd);
        if (strcmp(argv[1], "litter") == 0)
                litter(fd);
        /* What is on standard input cancels: a pipe that the test closes. */
        connect_fd(fd, strcmp(argv[1], "cancel") == 0 ? STDIN_FILENO : -EBADF);
        return EXIT_SUCCESS;
}
