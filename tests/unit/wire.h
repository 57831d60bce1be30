/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"

/* Bytes written as hex text, with spaces wherever they help; for tests. */
_unused_ static size_t wire_parse(const char *hex, uint8_t *buffer, size_t size) {
        size_t n = 0;
        unsigned byte;
        int used;

        while (n < size && sscanf(hex, " %2x%n", &byte, &used) == 1) {
                buffer[n++] = (uint8_t) byte;
                hex += used;
        }
        return n;
}
