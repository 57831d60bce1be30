/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/tool-selector.h"
#include "ctl/snapshot.h"

/* How a command that is run learns which probe it is to use. */

/* What tool_selector_make() needs to know. */
ToolProbe expand_tool_probe(const ProbeView *probe);

/* Why a tool cannot be told, as a clause; r is what tool_selector_make() returned. */
const char *expand_problem(int r);

/* Put it into the environment: STLINKD_PROBE, STLINKD_SERIAL, STLINKD_PORT, STLINKD_NODE, and
 * what tools look for themselves. What is not known is unset. */
int expand_environment(const ProbeView *probe);

/* A copy of a command line in which {id}, {serial}, {usbpath}, {node}, {tty} and {disk} are
 * replaced, and a word {openocd}, {stlink}, {pyocd}, {probe-rs} or {cubeprogrammer} by the words
 * that this tool wants. Other braces stay. What cannot be replaced is reported: -ENODATA. The
 * caller frees it with strings_free(). */
int expand_command(const ProbeView *probe, char *const *command, char ***ret);
