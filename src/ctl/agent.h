/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "base/time.h"

/* Call a method that may need a password. Only when the daemon says that it does, and
 * client_ask_password() lets it be asked for, the call is made a second time with a polkit agent
 * at hand: that of the desktop, or else pkttyagent(1) at this terminal. The message is one that
 * was not sent yet. As sd_bus_call(). */
int agent_call(sd_bus *bus, sd_bus_message *call, Usec timeout, sd_bus_error *reterr,
               sd_bus_message **ret);

/* Somebody may have to type a password, for which the daemon gives him two minutes. */
#define AGENT_TIMEOUT (150 * USEC_PER_SEC)
