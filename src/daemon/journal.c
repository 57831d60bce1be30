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

/* The fields of one message, built one after the other */
typedef struct Fields {
        char text[4096];
        size_t used;
        const char *list[32];
        size_t n;
} Fields;

static void _printf_(2, 3) add(Fields *fields, const char *format, ...) {
        size_t rest = sizeof(fields->text) - fields->used;
        va_list args;
        int length;

        if (fields->n + 1 >= ELEMENTSOF(fields->list))
                return;
        va_start(args, format);
        length = vsnprintf(fields->text + fields->used, rest, format, args);
        va_end(args);
        if (length < 0 || (size_t) length >= rest)
                return; /* no room: better no field than half of one */
        fields->list[fields->n++] = fields->text + fields->used;
        fields->used += (size_t) length + 1;
}

static void add_party(Fields *fields, const char *side, const ConflictParty *party) {
        if (!party->user[0])
                return;
        add(fields, "STLINK_%s_USER=%s", side, party->user);
        add(fields, "STLINK_%s_UID=%u", side, (unsigned) party->uid);
        if (party->pid > 0)
                add(fields, "STLINK_%s_PID=%d", side, (int) party->pid);
        if (party->command[0])
                add(fields, "STLINK_%s_COMMAND=%s", side, party->command);
        if (party->reason[0])
                add(fields, "STLINK_%s_REASON=%s", side, party->reason);
}

void journal_conflict(const Probe *probe, const Conflict *conflict, const char *text) {
        Fields fields = {};

        add(&fields, "MESSAGE_ID=%s", MESSAGE_CONFLICT);
        add(&fields, "STLINK_CONFLICT=%s", conflict_kind_to_string(conflict->kind));
        add(&fields, "STLINK_COUNT=%" PRIu64, conflict->count);
        if (probe && probe->serial[0])
                add(&fields, "STLINK_SERIAL=%s", probe->serial);
        if (probe)
                add(&fields, "STLINK_PORT=%s", probe->port_path);
        if (conflict->holder.lease)
                add(&fields, "STLINK_LEASE=%" PRIu64, conflict->holder.lease);
        add_party(&fields, "WANTED", &conflict->wanted);
        add_party(&fields, "HOLDER", &conflict->holder);
        (void) log_full(LOG_NOTICE, 0, fields.list, "%s", text);
}
