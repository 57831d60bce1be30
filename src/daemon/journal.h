/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/macro.h"
#include "core/conflict.h"
#include "core/lease.h"
#include "core/probe.h"

/* What an administrator may search the journal for; systemd/stlinkd.catalog explains each. Every
 * entry about a probe or a lease has the fields STLINK_SERIAL=, STLINK_PORT= and STLINK_LEASE=, as
 * far as they are known. */

#define MESSAGE_PROBE_ADDED         "3bcee85ede324c75acf889b0f48afa55"
#define MESSAGE_PROBE_REMOVED       "eeaed8ca484a45faa762b320dd0c4964"
#define MESSAGE_PROBE_NOT_ANSWERING "02f406cb33594f8c84aeac01f7f30924"
#define MESSAGE_PROBE_RECOVERY      "12761e1d21414e36bbcfee4bc7c3c811"
#define MESSAGE_PROBE_HELD          "27e0016ff7db4ad1b5055c53cb3a72ca"
#define MESSAGE_LEASE_GRANTED       "dbd662eafeec4366bc478295972522ee"
#define MESSAGE_LEASE_ENDED         "b3b2bd00f90144b082c7172a3192c9b9"
#define MESSAGE_LEASE_ASKED         "0e60076a587e4971b3ce6fd4a1843dc3"
#define MESSAGE_HOLDER_ENDED        "e9356b1eb3694b06a86516dd8d2996bf"
#define MESSAGE_SHORT_SIGHT         "b025553c3c894038a97e02e03275a07a"
#define MESSAGE_CONFLICT            "b122d3cea70b4a4fb843dba95ac0d1f8"
#define MESSAGE_NOT_BINDING         "efd8e7a8139947d299bdc3f68c094e65"

/* Log one. probe may be NULL, lease 0, error 0; message_id may be NULL for what nobody has to
 * search for. */
void journal_log(int level, const char *message_id, const Probe *probe, LeaseId lease, int error,
                 const char *format, ...) _printf_(6, 7);

/* Log a conflict, as that sentence, with both sides in fields: STLINK_CONFLICT= (its kind),
 * STLINK_COUNT=, and STLINK_WANTED_ and STLINK_HOLDER_ with USER=, UID=, PID=, COMMAND= and
 * REASON= each. probe may be NULL. */
void journal_conflict(const Probe *probe, const Conflict *conflict, const char *text);
