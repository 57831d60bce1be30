/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "base/macro.h"

/* A list of "KEY=VALUE" strings, each ended by a NUL, as uevents carry them. */
typedef struct Properties {
        char *data;
        size_t size;
        int error; /* -ENOMEM once something did not fit into memory */
} Properties;

void properties_done(Properties *properties);
#define _cleanup_properties_ _cleanup_(properties_done)

void properties_add(Properties *properties, const char *key, const char *format, ...)
        _printf_(3, 4);
void properties_append(Properties *properties, const Properties *other);

/* The value of a key, or NULL. */
const char *properties_get(const Properties *properties, const char *key);

/* for (const char *line = properties_next(p, NULL); line; line = properties_next(p, line)) */
const char *properties_next(const Properties *properties, const char *line);
