/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gate/gate.h"

static const char *const gate_seen_table[_GATE_SEEN_MAX] = {
        [GATE_SEEN_OPENING] = "opening",
        [GATE_SEEN_FOUND] = "found",
        [GATE_SEEN_BEFORE] = "before",
};

DEFINE_STRING_TABLE(gate_seen, GateSeen)
