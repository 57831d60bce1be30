/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"
#include "proto/session.h"
#include "proto/status.h"
#include "usb/transport.h"

/* Work with a probe over the descriptor of its node: claim it, enter SWD, see what chip is
 * there, leave everything as it should be. Blocks; at most a few seconds (timeout_ms is for one
 * USB transfer), and cancel_fd ends it at any time.
 *
 *     _cleanup_(probe_session_freep) ProbeSession *session = NULL;
 *     ProbeTarget target;
 *
 *     r = probe_session_open(fd, &options, &session);
 *     if (r >= 0)
 *             r = probe_session_connect(session);
 *     if (r >= 0)
 *             r = probe_session_identify_target(session, &target);
 *
 * Everything that fails returns a negative errno:
 *   -EBUSY        the debug interface is claimed by some other program
 *   -EACCES       no permission for it
 *   -ENODEV       the probe is unplugged
 *   -ETIMEDOUT    the probe does not answer
 *   -EPROTO       its answer makes no sense or is refused (stall), also after the pipe was drained
 *   -EINPROGRESS  it is in its boot loader and in the middle of an update
 *   -EPERM        it is in its boot loader, and may_leave_loader is false
 *   -EIO          it was told to start its application and is still in its boot loader; or the
 *                 USB transfer failed
 *   -EOPNOTSUPP   its firmware has no SWD (J = 0) or no nRST (V1)
 *   -EREMOTEIO    the probe answers well, but reports a failure: probe_session_status() says
 *                 which; status_class() of it tells whether it is about the target
 *   -ECANCELED    cancel_fd became readable
 *   -ENOMEM */

typedef struct ProbeSession ProbeSession;

typedef struct ProbeSessionOptions {
        unsigned timeout_ms;   /* for one USB transfer; 0: 1000 */
        unsigned swd_khz;      /* SWD clock, at most; 0: 1800 */
        bool may_leave_loader; /* a probe found in its boot loader may be told to start its
                                * application (design: not while a firmware-update lease exists
                                * and not within 60 s after it came from an application) */
        bool under_reset;      /* hold the target in reset from before SWD is entered on */
        int cancel_fd;         /* gives up when this is readable; -EBADF: none */
} ProbeSessionOptions;

/* Take fd, which stays the caller's and must stay open, and claim the debug interface. Sends no
 * ST-LINK command. */
int probe_session_open(int fd, const ProbeSessionOptions *options, ProbeSession **ret);

/* Likewise over any transport, which becomes the session's on success; options->timeout_ms and
 * cancel_fd are the transport's own affair. */
int probe_session_new(Transport *transport, const ProbeSessionOptions *options, ProbeSession **ret);

/* Enter SWD from whatever mode the probe is in. */
int probe_session_connect(ProbeSession *session);

/* Find out what target is there; -ENOTCONN unless SWD was entered. With -EREMOTEIO nothing could be
 * read at all; a chip that we only half know is no error. */
int probe_session_identify_target(ProbeSession *session, ProbeTarget *ret);

/* Measure the target's voltage into the info; -EOPNOTSUPP when this firmware cannot. */
int probe_session_measure_voltage(ProbeSession *session);

/* Carry an access to the target through; -ENOTCONN unless SWD was entered. */
int probe_session_access(ProbeSession *session, SwdAccess *access);

/* How long to pull nRST for a reset: there are capacitors on it. */
#define NRST_TIME (10 * USEC_PER_MSEC)

/* Pull nRST low or release it; -EOPNOTSUPP when this firmware cannot. Free releases it. */
int probe_session_drive_nrst(ProbeSession *session, bool low);

/* Let time pass; 0 or -ECANCELED. */
int probe_session_pause(ProbeSession *session, Usec span);

/* Read version, mode and, where that is allowed, voltage; see SESSION_IDENTIFY. */
int probe_session_identify(ProbeSession *session);

/* Whatever mode it is in, make the probe idle. */
int probe_session_leave_mode(ProbeSession *session);

/* Have the probe start its boot loader, in which it comes back as another device (its mode is
 * PROBE_MODE_LOADER without that when it was there already); -EREMOTEIO when it cannot. */
int probe_session_enter_loader(ProbeSession *session);

/* Let free leave the probe in SWD, for a program that comes after this one. */
void probe_session_keep_attached(ProbeSession *session);

/* From now on, whatever was cancelled and whatever happened before, only what puts things in
 * order is to follow: true when the probe takes commands for that. Done by free too. */
bool probe_session_begin_clean_up(ProbeSession *session);

/* Leave SWD: the probe is idle afterwards. Done by free too, as well as that is possible, also
 * after errors and cancellation. */
int probe_session_disconnect(ProbeSession *session);

/* The mode it is in now. */
ProbeMode probe_session_mode(const ProbeSession *session);

const ProbeInfo *probe_session_info(const ProbeSession *session);

/* The status byte (Status) of the last -EREMOTEIO. */
uint8_t probe_session_status(const ProbeSession *session);

ProbeSession *probe_session_free(ProbeSession *session);
DEFINE_CLEANUP(ProbeSession *, probe_session_free)
