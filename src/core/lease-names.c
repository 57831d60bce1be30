/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "core/lease.h"

static const char *const lease_kind_table[_LEASE_KIND_MAX] = {
        [LEASE_EXCLUSIVE] = "exclusive",
        [LEASE_SHARED] = "shared",
        [LEASE_FIRMWARE_UPDATE] = "firmware-update",
};
DEFINE_STRING_TABLE(lease_kind, LeaseKind)

static const char *const lease_state_table[_LEASE_STATE_MAX] = {
        [LEASE_WAITING] = "waiting",
        [LEASE_HELD] = "held",
        [LEASE_ASKED] = "asked",
};
DEFINE_STRING_TABLE(lease_state, LeaseState)

static const char *const lease_end_table[_LEASE_END_MAX] = {
        [LEASE_END_RELEASED] = "released",   [LEASE_END_OWNER_GONE] = "owner-gone",
        [LEASE_END_EXPIRED] = "expired",     [LEASE_END_REVOKED] = "revoked",
        [LEASE_END_UNPLUGGED] = "unplugged", [LEASE_END_TIMEOUT] = "timeout",
        [LEASE_END_CANCELLED] = "cancelled",
};
DEFINE_STRING_TABLE(lease_end, LeaseEnd)

static const char *const lease_form_table[_LEASE_FORM_MAX] = {
        [LEASE_FORM_FD] = "fd",
        [LEASE_FORM_CONNECTION] = "connection",
        [LEASE_FORM_PROCESS] = "process",
};
DEFINE_STRING_TABLE(lease_form, LeaseForm)
