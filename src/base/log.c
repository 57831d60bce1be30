/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/log.h"

#define MAX_FIELDS 16

static int max_level = LOG_INFO;

void log_set_max_level(int level) {
        max_level = level;
}

int log_get_max_level(void) {
        return max_level;
}

/* $JOURNAL_STREAM holds the device and inode of the stream that the service manager connected.
 * It is inherited, so only a stderr that still is that stream counts (systemd.exec(5)). */
static bool stderr_is_journal(void) {
        static int cached = -1;
        const char *stream;
        unsigned long long device, inode;
        struct stat st;

        if (cached >= 0)
                return cached;
        stream = getenv("JOURNAL_STREAM");
        cached = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
                 fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
        return cached;
}

static bool send_to_journal(int level, const char *text, const char *const *fields) {
        char message[1024 + 8], priority[16];
        struct iovec iov[MAX_FIELDS + 2];
        int n = 0;

        (void) snprintf(message, sizeof(message), "MESSAGE=%s", text);
        (void) snprintf(priority, sizeof(priority), "PRIORITY=%d", level);
        iov[n++] = (struct iovec){ message, strlen(message) };
        iov[n++] = (struct iovec){ priority, strlen(priority) };
        for (; fields && *fields && n < MAX_FIELDS + 2; fields++)
                iov[n++] = (struct iovec){ (void *) *fields, strlen(*fields) };
        return sd_journal_sendv(iov, n) >= 0;
}

int log_full(int level, int error, const char *const *fields, const char *format, ...) {
        char text[1024];
        va_list args;
        int n;

        error = abs(error);
        if (level > max_level)
                return -error;

        va_start(args, format);
        n = vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        if (error && n >= 0 && (size_t) n < sizeof(text))
                (void) snprintf(text + n, sizeof(text) - (size_t) n, ": %s", strerror(error));

        if (!stderr_is_journal() || !send_to_journal(level, text, fields))
                (void) fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
        return -error;
}
