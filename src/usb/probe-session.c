/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "usb/probe-session.h"
#include "usb/transport-libusb.h"

/* For leaving a probe in order when something went wrong before: it answers at once or not. */
#define CLEANUP_TIMEOUT_MS 200

struct ProbeSession {
        Transport *transport;
        Session session;
        int error; /* how the last plan ended */
};

int probe_session_new(Transport *transport, const ProbeSessionOptions *options,
                      ProbeSession **ret) {
        ProbeSession *session = malloc(sizeof(*session));

        if (!session)
                return -ENOMEM;
        *session = (ProbeSession){ .transport = transport };
        session_init(&session->session,
                     &(SessionOptions){ .swd_khz = options->swd_khz,
                                        .may_leave_loader = options->may_leave_loader });
        *ret = session;
        return 0;
}

int probe_session_open(int fd, const ProbeSessionOptions *options, ProbeSession **ret) {
        _cleanup_(transport_freep) Transport *transport = NULL;
        UsbOptions usb = { .timeout_ms = options->timeout_ms, .cancel_fd = options->cancel_fd };
        int r;

        r = transport_libusb_new(fd, &usb, &transport);
        if (r < 0)
                return r;
        r = probe_session_new(transport, options, ret);
        if (r < 0)
                return r;
        transport = NULL; /* the session's now */
        return 0;
}

static int probe_session_run(ProbeSession *session, SessionPlan plan) {
        session_begin(&session->session, plan);
        session->error = transport_run_session(session->transport, &session->session);
        return session->error;
}

int probe_session_connect(ProbeSession *session) {
        return probe_session_run(session, SESSION_ENTER_SWD);
}

int probe_session_identify_target(ProbeSession *session, ProbeTarget *ret) {
        int r;

        if (session->session.mode != PROBE_MODE_DEBUG)
                return -ENOTCONN;
        r = probe_session_run(session, SESSION_IDENTIFY_TARGET);
        if (r >= 0)
                *ret = session->session.target;
        return r;
}

int probe_session_measure_voltage(ProbeSession *session) {
        return probe_session_run(session, SESSION_MEASURE_VOLTAGE);
}

int probe_session_disconnect(ProbeSession *session) {
        if (!session->session.entered)
                return 0;
        return probe_session_run(session, SESSION_LEAVE_SWD);
}

const ProbeInfo *probe_session_info(const ProbeSession *session) {
        return &session->session.info;
}

uint8_t probe_session_status(const ProbeSession *session) {
        return session->session.status;
}

/* Whatever happened: the next program finds an idle probe, and no answer that was meant for us. */
static void probe_session_clean_up(ProbeSession *session) {
        Transport *transport = session->transport;
        bool in_step = session->error == 0 || session->error == -EREMOTEIO;

        if (session->error == -ENODEV)
                return;
        transport->ignore_cancel = true;
        transport->timeout_ms = CLEANUP_TIMEOUT_MS;
        if (!in_step && transport_drain(transport) < 0)
                return;
        (void) probe_session_disconnect(session);
}

ProbeSession *probe_session_free(ProbeSession *session) {
        if (!session)
                return NULL;
        probe_session_clean_up(session);
        transport_free(session->transport);
        free(session);
        return NULL;
}
