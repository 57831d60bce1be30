/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "daemon/history.h"

/* Some ten thousand entries; the older half goes when it is full. */
#define SIZE_MAX_KEPT (4 * 1024 * 1024)

struct History {
        char *path, *new_path;
        int fd;
        off_t size;
        bool failing;
};

static const char *const events[_HISTORY_EVENT_MAX] = {
        [HISTORY_LEASE] = "lease",     [HISTORY_WAIT] = "wait",   [HISTORY_USE] = "use",
        [HISTORY_REFUSED] = "refused", [HISTORY_START] = "start",
};

static int open_file(History *history) {
        struct stat st;

        history->fd =
                open(history->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (history->fd < 0)
                return -errno;
        if (fstat(history->fd, &st) < 0)
                return -errno;
        history->size = st.st_size;
        return 0;
}

int history_new(const char *directory, History **ret) {
        _cleanup_(history_freep) History *history = calloc(1, sizeof(*history));
        int r = 0;

        if (!history)
                return -ENOMEM;
        history->fd = -EBADF;
        if (directory && (asprintf(&history->path, "%s/history", directory) < 0 ||
                          asprintf(&history->new_path, "%s/history.new", directory) < 0))
                return -ENOMEM;
        if (directory)
                r = open_file(history);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(history);
        return 0;
}

History *history_free(History *history) {
        if (!history)
                return NULL;
        safe_close(history->fd);
        free(history->path);
        free(history->new_path);
        free(history);
        return NULL;
}

/* --- size --------------------------------------------------------------------------------- */

/* Copy what follows the first whole line after that place. */
static int copy_rest(const History *history, off_t from, int fd) {
        size_t size = (size_t) (history->size - from);
        _cleanup_free_ char *buffer = malloc(size + 1);
        const char *line;
        ssize_t n;

        if (!buffer)
                return -ENOMEM;
        n = pread(history->fd, buffer, size, from);
        if (n < 0)
                return -errno;
        buffer[n] = 0;
        line = memchr(buffer, '\n', (size_t) n);
        return line ? write_full(fd, line + 1, (size_t) (buffer + n - line) - 1) : 0;
}

static int drop_older_half(History *history) {
        _cleanup_close_ int fd = open(history->new_path,
                                      O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        int r = fd < 0 ? -errno : copy_rest(history, history->size - SIZE_MAX_KEPT / 2, fd);

        if (r >= 0 && rename(history->new_path, history->path) < 0)
                r = -errno;
        if (r < 0)
                return r;
        history->fd = safe_close(history->fd);
        return open_file(history);
}

/* --- writing ------------------------------------------------------------------------------ */

static void add_string(json_object *object, const char *key, const char *value) {
        if (value && value[0])
                (void) json_object_object_add(object, key, json_object_new_string(value));
}

static void add_number(json_object *object, const char *key, uint64_t value) {
        if (value > 0)
                (void) json_object_object_add(object, key, json_object_new_int64((int64_t) value));
}

static json_object *make_object(const HistoryRecord *record) {
        json_object *object = json_object_new_object();

        if (!object)
                return NULL;
        add_string(object, "event", events[record->event]);
        add_string(object, "key", record->key);
        add_string(object, "probe", record->probe);
        add_string(object, "user", record->user);
        if (record->user)
                (void) json_object_object_add(object, "uid", json_object_new_int64(record->uid));
        add_string(object, "command", record->command);
        add_number(object, "pid", (uint64_t) record->pid);
        add_string(object, "reason", record->reason);
        add_string(object, "holder", record->holder);
        add_number(object, "since", record->since);
        add_number(object, "until", record->until);
        add_number(object, "waited", record->waited);
        add_number(object, "count", record->count);
        add_string(object, "why", record->why);
        return object;
}

/* A line that a crash has cut short must not swallow the next. */
static bool ends_in_a_line(const History *history) {
        char last;

        return history->size == 0 ||
               (pread(history->fd, &last, 1, history->size - 1) == 1 && last == '\n');
}

static int write_line(History *history, const char *text) {
        _cleanup_free_ char *line = NULL;
        int n, r;

        n = asprintf(&line, "%s%s\n", ends_in_a_line(history) ? "" : "\n", text);
        if (n < 0)
                return -ENOMEM;
        r = write_full(history->fd, line, (size_t) n);
        if (r >= 0)
                history->size += n;
        if (r >= 0 && history->size > SIZE_MAX_KEPT)
                r = drop_older_half(history);
        return r;
}

void history_add(History *history, const HistoryRecord *record) {
        json_object *object;
        const char *text;
        int r;

        if (history->fd < 0)
                return;
        object = make_object(record);
        text = object ? json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN) : NULL;
        r = text ? write_line(history, text) : -ENOMEM;
        (void) json_object_put(object);
        if (r < 0 && !history->failing)
                log_warning_errno(r, "Cannot write the journal of use %s", history->path);
        history->failing = r < 0;
}

int history_open(const History *history) {
        int fd;

        if (history->fd < 0)
                return -ENOENT;
        fd = open(history->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        return fd < 0 ? -errno : fd;
}
