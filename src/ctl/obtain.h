/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus/errors.h"
#include "ctl/lease.h"
#include "ctl/snapshot.h"

/* Get a lease for a verb, telling on stderr who is in the way for as long as somebody is.
 * Whatever prevents it is reported; then the exit code is not EXIT_CODE_OK and *ret untouched. */
ExitCode obtain_lease(sd_bus *bus, const ProbeView *probe, const ClientRequest *request,
                      ClientLease **ret);

/* Why a lease ended, as a clause: "it was taken back". */
const char *obtain_end_text(const char *ended);
