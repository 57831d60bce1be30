/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "proto/session.h"
#include "usb/node.h"
#include "usb/transport-libusb.h"
#include "worker/worker.h"

#define DEBUG_INTERFACE 0
#define DEBUG_MASK      (UINT32_C(1) << DEBUG_INTERFACE)

/* The design's limit is 50 ms at a stretch; the rest is for the way back from the kernel. */
#define CLAIM_BUDGET (40 * USEC_PER_MSEC)

static int worker_open_node(const JobRequest *request, int *ret_fd) {
        if (!memchr(request->node, '\0', sizeof(request->node)) ||
            request->timeout_ms > JOB_TRANSFER_TIMEOUT_MAX_MS)
                return -EINVAL;
        return node_open(request->node, request->bus, request->device, ret_fd);
}

static void worker_report(const ProbeInfo *info, ProbeMode mode, JobResult *result) {
        const Firmware *firmware = &info->firmware;

        result->mode = (uint8_t) mode;
        result->major = firmware->major;
        result->jtag = firmware->jtag;
        result->swim = firmware->swim;
        result->msd = firmware->msd;
        result->bridge = firmware->bridge;
        result->power = firmware->power;
        result->has_swim = firmware->has_swim;
        result->has_msd = firmware->has_msd;
        result->millivolts = info->millivolts;
        result->commands = info->commands;
}

/* Ask the probe what it is, through a transport that was just made. */
static int worker_ask(Transport *transport, JobResult *result) {
        Session session;
        int r;

        session_init(&session, &(SessionOptions){});
        session_begin(&session, SESSION_IDENTIFY);
        r = transport_run_session(transport, &session);
        worker_report(&session.info, session.mode, result);
        if (r < 0 && r != -ENODEV) {
                /* An answer that comes late is not to end up with the next program. */
                transport->ignore_cancel = true;
                (void) transport_drain(transport);
        }
        result->claimed_us = (uint32_t) MIN(transport_libusb_longest_claim(transport), UINT32_MAX);
        return r;
}

static int worker_identify(const JobRequest *request, int cancel_fd, JobResult *result) {
        _cleanup_(transport_freep) Transport *transport = NULL;
        _cleanup_close_ int fd = -EBADF;
        UsbOptions options = { .timeout_ms = request->timeout_ms,
                               .cancel_fd = cancel_fd,
                               .claim_budget = CLAIM_BUDGET };
        int r;

        r = worker_open_node(request, &fd);
        if (r < 0)
                return r;
        r = transport_libusb_new(fd, &options, &transport);
        return r < 0 ? r : worker_ask(transport, result);
}

/* Take the debug interface from a kernel driver, which is no use to anybody who debugs; but not
 * from a program. */
static int worker_evict_driver(int fd) {
        char driver[NODE_DRIVER_MAX];
        int r = node_get_driver(fd, DEBUG_INTERFACE, driver);

        if (r == -ENODATA)
                return 0;
        if (r < 0)
                return r;
        if (strcmp(driver, "usbfs") == 0)
                return -EBUSY;
        return node_detach(fd, DEBUG_INTERFACE);
}

/* --- recovery ----------------------------------------------------------------------------- */

/* What a rung does to the node, before the debug interface is claimed. */
static int rung_before_claim(int fd, uint32_t rung) {
        int r = 0;

        if (rung == JOB_RUNG_CLAIM || rung == JOB_RUNG_RESET)
                r = node_detach(fd, DEBUG_INTERFACE);
        if (r >= 0 && rung == JOB_RUNG_RESET)
                r = node_reset(fd);
        return r;
}

/* What it does through the claim. A probe that is beyond this does not answer afterwards either,
 * which is what counts. */
static void rung_after_claim(Transport *transport, int fd, uint32_t rung) {
        if (rung == JOB_RUNG_CLAIM)
                (void) node_set_up(fd, DEBUG_INTERFACE);
        if (rung < JOB_RUNG_DRAIN)
                return;
        (void) transport->ops->clear_halt(transport, /* in= */ false);
        (void) transport->ops->clear_halt(transport, /* in= */ true);
        (void) transport_drain(transport);
}

static int climb_rung(const JobRequest *request, int fd, int cancel_fd, JobResult *result) {
        _cleanup_(transport_freep) Transport *transport = NULL;
        UsbOptions options = { .timeout_ms = request->timeout_ms, .cancel_fd = cancel_fd };
        int r;

        r = rung_before_claim(fd, request->rung);
        if (r >= 0)
                r = worker_evict_driver(fd); /* a reset gives the kernel's driver back */
        if (r >= 0)
                r = transport_libusb_new(fd, &options, &transport);
        if (r < 0)
                return r;
        rung_after_claim(transport, fd, request->rung);
        return worker_ask(transport, result);
}

static int worker_recover(const JobRequest *request, int cancel_fd, JobResult *result) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (request->rung >= _JOB_RUNG_MAX)
                return -EINVAL;
        r = worker_open_node(request, &fd);
        if (r < 0)
                return r;
        r = climb_rung(request, fd, cancel_fd, result);
        (void) node_attach(fd, DEBUG_INTERFACE);
        return r;
}

static int worker_open(const JobRequest *request, int *ret_fd) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = worker_open_node(request, &fd);
        if (r < 0)
                return r;
        r = worker_evict_driver(fd);
        if (r < 0)
                return r;
        r = node_limit(fd, DEBUG_MASK);
        if (r < 0) {
                (void) node_attach(fd, DEBUG_INTERFACE);
                return r;
        }
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* First the rights, then the claim: the other way round, the client could claim again between
 * the two. */
static int worker_disarm(int fd) {
        int r = node_limit(fd, 0);

        return r < 0 ? r : node_release(fd, DEBUG_INTERFACE);
}

static int worker_close(const JobRequest *request, int lease_fd) {
        _cleanup_close_ int fd = -EBADF;
        int r = 0, q;

        if (lease_fd >= 0)
                r = worker_disarm(lease_fd);
        /* The drivers can be given back only through a file that still has its rights, and even
         * if the client's one is beyond our reach. */
        q = worker_open_node(request, &fd);
        if (q >= 0 && lease_fd < 0)
                q = node_detach(fd, DEBUG_INTERFACE);
        if (q >= 0)
                q = node_attach(fd, DEBUG_INTERFACE);
        return r < 0 ? r : q;
}

void worker_run(const JobRequest *request, int fd, int cancel_fd, JobResult *result, int *ret_fd) {
        *result = (JobResult){ .millivolts = -1 };
        *ret_fd = -EBADF;

        switch (request->kind) {
        case JOB_IDENTIFY:
                result->error = worker_identify(request, cancel_fd, result);
                break;
        case JOB_OPEN:
                result->error = worker_open(request, ret_fd);
                break;
        case JOB_CLOSE:
                result->error = worker_close(request, fd);
                break;
        case JOB_RECOVER:
                result->error = worker_recover(request, cancel_fd, result);
                break;
        default:
                result->error = -EINVAL;
                break;
        }
}
