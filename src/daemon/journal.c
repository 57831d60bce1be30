/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "daemon/journal.h"

#define FIELD_MAX 160

void journal_log(int level, const char *message_id, const Probe *probe, LeaseId lease, int error,
                 const char *format, ...) {
        char id[FIELD_MAX], serial[FIELD_MAX], port[FIELD_MAX], number[FIELD_MAX];
        const char *fields[5];
        char text[1024];
        size_t n = 0;
        va_list args;

        if (level > log_get_max_level())
                return;
        va_start(args, format);
        (void) vsnprintf(text, sizeof(text), format, args);
        va_end(args);

        (void) snprintf(id, sizeof(id), "MESSAGE_ID=%s", message_id ?: "");
        (void) snprintf(serial, sizeof(serial), "STLINK_SERIAL=%s", probe ? probe->serial : "");
        (void) snprintf(port, sizeof(port), "STLINK_PORT=%s", probe ? probe->port_path : "");
        (void) snprintf(number, sizeof(number), "STLINK_LEASE=%" PRIu64, lease);
        if (message_id)
                fields[n++] = id;
        if (probe && probe->serial[0])
                fields[n++] = serial;
        if (probe)
                fields[n++] = port;
        if (lease)
                fields[n++] = number;
        fields[n] = NULL;
        (void) log_full(level, error, fields, "%s", text);
}
