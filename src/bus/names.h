/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The names under which stlinkd is found on the bus. What stands behind each of them is said in
 * dbus/io.github.stlinkd1.xml. */

#define STLINKD_BUS_NAME "io.github.stlinkd1"

#define STLINKD_PATH       "/io/github/stlinkd1"
#define STLINKD_PROBE_PATH STLINKD_PATH "/probe"
#define STLINKD_LEASE_PATH STLINKD_PATH "/lease"

#define STLINKD_MANAGER_INTERFACE STLINKD_BUS_NAME ".Manager"
#define STLINKD_PROBE_INTERFACE   STLINKD_BUS_NAME ".Probe"
#define STLINKD_LEASE_INTERFACE   STLINKD_BUS_NAME ".Lease"

/* stlinkd-admin, see dbus/io.github.stlinkd1.Admin.xml */
#define STLINKD_ADMIN_NAME      STLINKD_BUS_NAME ".Admin"
#define STLINKD_ADMIN_PATH      STLINKD_PATH "/admin"
#define STLINKD_ADMIN_INTERFACE STLINKD_BUS_NAME ".Admin"

#define STLINKD_ERROR_PREFIX         STLINKD_BUS_NAME ".Error."
#define STLINKD_ERROR_BUSY           STLINKD_ERROR_PREFIX "Busy"
#define STLINKD_ERROR_NO_SUCH_PROBE  STLINKD_ERROR_PREFIX "NoSuchProbe"
#define STLINKD_ERROR_NO_SUCH_HOLDER STLINKD_ERROR_PREFIX "NoSuchHolder"
#define STLINKD_ERROR_UNPLUGGED      STLINKD_ERROR_PREFIX "Unplugged"
#define STLINKD_ERROR_TIMEOUT        STLINKD_ERROR_PREFIX "Timeout"
#define STLINKD_ERROR_NOT_LEASED     STLINKD_ERROR_PREFIX "NotLeased"
#define STLINKD_ERROR_LEASE_LOST     STLINKD_ERROR_PREFIX "LeaseLost"
#define STLINKD_ERROR_NOT_ANSWERING  STLINKD_ERROR_PREFIX "NotAnswering"
#define STLINKD_ERROR_QUOTA_EXCEEDED STLINKD_ERROR_PREFIX "QuotaExceeded"

/* What polkit is asked, in systemd/io.github.stlinkd1.policy. */
#define STLINKD_ACTION_LEASE       STLINKD_BUS_NAME ".lease"
#define STLINKD_ACTION_USE         STLINKD_BUS_NAME ".use"
#define STLINKD_ACTION_MODE_SWITCH STLINKD_BUS_NAME ".mode-switch"
#define STLINKD_ACTION_FIRMWARE    STLINKD_BUS_NAME ".firmware"
#define STLINKD_ACTION_BREAK_LEASE STLINKD_BUS_NAME ".break-lease"
#define STLINKD_ACTION_REPLUG      STLINKD_BUS_NAME ".replug"
#define STLINKD_ACTION_SET_POLICY  STLINKD_BUS_NAME ".set-policy"
#define STLINKD_ACTION_SEE_ALL     STLINKD_BUS_NAME ".see-all"

/* Interfaces that others defined. */
#define LOG_CONTROL_PATH      "/org/freedesktop/LogControl1"
#define LOG_CONTROL_INTERFACE "org.freedesktop.LogControl1"
