/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/world/properties.h"

void properties_done(Properties *properties) {
        free(properties->data);
        *properties = (Properties){};
}

static void add_bytes(Properties *properties, const char *data, size_t size) {
        char *bigger;

        if (properties->error < 0 || size == 0)
                return;
        bigger = realloc(properties->data, properties->size + size);
        if (!bigger) {
                properties->error = -ENOMEM;
                return;
        }
        memcpy(bigger + properties->size, data, size);
        properties->data = bigger;
        properties->size += size;
}

void properties_add(Properties *properties, const char *key, const char *format, ...) {
        _cleanup_free_ char *value = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&value, format, ap);
        va_end(ap);
        if (n < 0) {
                value = NULL;
                properties->error = -ENOMEM;
                return;
        }
        add_bytes(properties, key, strlen(key));
        add_bytes(properties, "=", 1);
        add_bytes(properties, value, (size_t) n + 1);
}

void properties_append(Properties *properties, const Properties *other) {
        if (other->error < 0)
                properties->error = other->error;
        add_bytes(properties, other->data, other->size);
}

const char *properties_get(const Properties *properties, const char *key) {
        size_t n = strlen(key);

        for (const char *line = properties_next(properties, NULL); line;
             line = properties_next(properties, line))
                if (strncmp(line, key, n) == 0 && line[n] == '=')
                        return line + n + 1;
        return NULL;
}

const char *properties_next(const Properties *properties, const char *line) {
        const char *next = line ? line + strlen(line) + 1 : properties->data;

        return next && next < properties->data + properties->size ? next : NULL;
}
