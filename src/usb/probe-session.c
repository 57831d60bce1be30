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
        int error; /* how the last plan or access ended */
        bool cleaning_up, usable;
};

int probe_session_new(Transport *transport, const ProbeSessionOptions *options,
                      ProbeSession **ret) {
        ProbeSession *session = malloc(sizeof(*session));

        if (!session)
                return -ENOMEM;
        *session = (ProbeSession){ .transport = transport };
        session_init(&session->session,
                     &(SessionOptions){ .swd_khz = options->swd_khz,
                                        .generation = transport->generation,
                                        .may_leave_loader = options->may_leave_loader,
                                        .under_reset = options->under_reset });
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

static int run_access(ProbeSession *session, SwdAccess *access) {
        session->error = transport_run_access(session->transport, access);
        session->session.status = access->status;
        session->session.info.commands += access->commands;
        return session->error;
}

int probe_session_access(ProbeSession *session, SwdAccess *access) {
        if (session->session.mode != PROBE_MODE_DEBUG)
                return -ENOTCONN;
        return run_access(session, access);
}

int probe_session_drive_nrst(ProbeSession *session, bool low) {
        const Firmware *firmware = &session->session.info.firmware;
        Command command = command_drive_nrst(low ? NRST_LOW : NRST_HIGH);
        SwdAccess access;
        int r;

        if (!firmware_supports(firmware, FIRMWARE_NRST))
                return -EOPNOTSUPP;
        swd_access_init(&access, firmware, &command);
        /* Low from the moment we try: the answer may get lost. */
        session->session.nrst_low = true;
        r = run_access(session, &access);
        if (r >= 0)
                session->session.nrst_low = low;
        return r;
}

int probe_session_pause(ProbeSession *session, Usec span) {
        int r = session->transport->ops->pause(session->transport, span);

        if (r < 0)
                session->error = r;
        return r;
}

int probe_session_identify(ProbeSession *session) {
        return probe_session_run(session, SESSION_IDENTIFY);
}

int probe_session_leave_mode(ProbeSession *session) {
        return probe_session_run(session, SESSION_LEAVE_MODE);
}

int probe_session_enter_loader(ProbeSession *session) {
        return probe_session_run(session, SESSION_ENTER_LOADER);
}

void probe_session_keep_attached(ProbeSession *session) {
        session->session.entered = false;
}

int probe_session_disconnect(ProbeSession *session) {
        if (!session->session.entered)
                return 0;
        return probe_session_run(session, SESSION_LEAVE_SWD);
}

ProbeMode probe_session_mode(const ProbeSession *session) {
        return session->session.mode;
}

const ProbeInfo *probe_session_info(const ProbeSession *session) {
        return &session->session.info;
}

uint8_t probe_session_status(const ProbeSession *session) {
        return session->session.status;
}

/* Whatever happened: the next program finds an idle probe, and no answer that was meant for us. */
bool probe_session_begin_clean_up(ProbeSession *session) {
        Transport *transport = session->transport;
        bool in_step = session->error == 0 || session->error == -EREMOTEIO;

        if (session->cleaning_up)
                return session->usable && session->error != -ENODEV;
        session->cleaning_up = true;
        transport->ignore_cancel = true;
        transport->timeout_ms = CLEANUP_TIMEOUT_MS;
        session->usable = session->error != -ENODEV && (in_step || transport_drain(transport) >= 0);
        return session->usable;
}

static void probe_session_clean_up(ProbeSession *session) {
        if (!probe_session_begin_clean_up(session))
                return;
        if (session->session.nrst_low)
                (void) probe_session_drive_nrst(session, /* low= */ false);
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
