/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "ctl/row.h"
#include "usb/probe-session.h"
#include "usb/target-link.h"

/* Put what a session found into a row:
 *   firmware mode swd_khz commands target_millivolts
 *   dpidr cpuid idcode (strings, "0x2ba01477") core device family flash_kib */
void target_describe(Row *row, const ProbeInfo *info, const ProbeTarget *target);

/* Likewise what was read beyond that: ap_idr core_state debugged rdp. */
void target_describe_details(Row *row, const TargetDetails *details);

/* And which line reset the target: reset ("nrst", "system"). */
void target_describe_reset(Row *row, ResetLine line);

/* The name of the core that a CPUID stands for; NULL for one that we do not know. */
const char *target_core_name(uint32_t cpuid);
