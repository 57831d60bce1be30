/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "gate/process.h"

/* Whether a process is an ancestor's own or descends from it. A process whose parent died has
 * lost its line of descent, so remember the answer of the time when it was first seen. */
bool process_descends_from(const Process *process, const Process *ancestor);
