/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/string-table.h"

/* How each debug tool wants to be told which probe to use. */

typedef enum Tool {
        TOOL_OPENOCD,
        TOOL_STLINK, /* st-flash, st-info, st-util */
        TOOL_PYOCD,
        TOOL_PROBE_RS,
        TOOL_CUBEPROGRAMMER,
        _TOOL_MAX,
} Tool;

/* "openocd", "stlink", "pyocd", "probe-rs", "cubeprogrammer" */
DECLARE_STRING_TABLE(tool, Tool);

typedef struct ToolProbe {
        const char *serial;   /* canonical; may be NULL */
        const char *reported; /* as the descriptor says it, printable; may be NULL */
        const char *port_path;
        uint16_t product_id;
        bool ambiguous; /* another probe that is plugged in has the same serial */
} ToolProbe;

#define TOOL_WORDS_MAX 3
#define TOOL_WORD_MAX  160
typedef struct ToolSelector {
        char words[TOOL_WORDS_MAX][TOOL_WORD_MAX]; /* for its command line, n_words of them */
        unsigned n_words;
        const char *variable; /* of the environment, set to the last word; NULL: it reads none */
        bool by_port;         /* good for as long as the probe stays on its port */
} ToolSelector;

/* 0, or why this tool cannot be told:
 *   -ENOTUNIQ    it goes by serial, and another probe has the same one
 *   -ENODATA     it goes by serial, and the probe has none that it takes
 *   -EOPNOTSUPP  it does not work with such probes at all */
int tool_selector_make(Tool tool, const ToolProbe *probe, ToolSelector *ret);
