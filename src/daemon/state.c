/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "daemon/state.h"

#define STATE_FILE    "state"
#define STATE_HEADER  "stlinkd-state "
#define STATE_VERSION 2
#define STATE_MAX     (16 << 20)
#define LINE_SIZE     4096        /* several times what our own limits let get into one */
#define LINES_MIN     256         /* so many are never too many */
#define ROOM          (128 << 10) /* set aside for them */

struct State {
        char path[PATH_MAX], new_path[PATH_MAX];
        int fd;          /* the log */
        int new_fd;      /* its successor, between begin and commit */
        bool failed;     /* the log lacks something, and its last line may have been cut off */
        bool new_failed; /* so does its successor */
        size_t n_lines;  /* in the log, or in its successor */
};

/* The strings of a lease, in the order of the file. */
enum {
        SERIAL,
        PORT,
        BUS,
        OWNER,
        USER,
        COMMAND,
        REASON,
        DELEGATES,
        N_STRINGS
};

int state_new(const char *directory, State **ret) {
        State *state = calloc(1, sizeof(*state));

        if (!state)
                return -ENOMEM;
        state->fd = state->new_fd = -EBADF;
        state->failed = true; /* there is nothing to add to */
        if (snprintf(state->new_path, sizeof(state->new_path), "%s/" STATE_FILE ".new",
                     directory) >= PATH_MAX) {
                free(state);
                return -ENAMETOOLONG;
        }
        (void) snprintf(state->path, sizeof(state->path), "%s/" STATE_FILE, directory);
        *ret = state;
        return 0;
}

State *state_free(State *state) {
        if (!state)
                return NULL;
        safe_close(state->fd);
        safe_close(state->new_fd);
        free(state);
        return NULL;
}

/* --- writing ------------------------------------------------------------------------------ */

/* In one call, so that a kill leaves the whole line or none of it. */
static int append(State *state, const char *line, size_t size) {
        bool *failed = state->new_fd >= 0 ? &state->new_failed : &state->failed;
        int r;

        if (*failed)
                return -EIO;
        r = write_full(state->new_fd >= 0 ? state->new_fd : state->fd, line, size);
        if (r < 0)
                *failed = true;
        else
                state->n_lines++;
        return r;
}

/* One line in the making. It is written before a request is answered, so nothing is allocated. */
typedef struct Line {
        char text[LINE_SIZE];
        size_t n; /* LINE_SIZE: it did not fit */
} Line;

static void _printf_(2, 3) line_add(Line *line, const char *format, ...) {
        size_t rest = LINE_SIZE - line->n;
        va_list args;
        int n;

        va_start(args, format);
        n = vsnprintf(line->text + line->n, rest, format, args);
        va_end(args);
        line->n = n < 0 || (size_t) n >= rest ? LINE_SIZE : line->n + (size_t) n;
}

/* None has a tab or a newline in it by rights; if it has, the line would be another. */
static void line_add_string(Line *line, const char *string) {
        size_t begin = line->n + 1;

        line_add(line, "\t%s", string);
        for (size_t i = begin; i < line->n && i < LINE_SIZE; i++)
                if ((unsigned char) line->text[i] < ' ')
                        line->text[i] = '?';
}

static void line_add_lease(Line *line, const StateLease *s) {
        const Lease *lease = &s->lease;
        const char *const strings[N_STRINGS] = {
                [SERIAL] = s->serial, [PORT] = s->port,           [BUS] = s->bus,
                [OWNER] = s->owner,   [USER] = s->user,           [COMMAND] = s->command,
                [REASON] = s->reason, [DELEGATES] = s->delegates,
        };

        line_add(line,
                 "lease %" PRIu64 " %s %s %s %u %u %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
                 " %" PRIu64 " %" PRIu64 " %d %" PRIu64,
                 lease->id, lease_form_to_string(s->form), lease_kind_to_string(lease->kind),
                 lease_state_to_string(lease->state), lease->parts, (unsigned) lease->uid,
                 lease->requested, lease->granted, lease->deadline, lease->limit, lease->expires,
                 s->fd_number, (int) s->pid, s->start);
        for (size_t i = 0; i < N_STRINGS; i++)
                line_add_string(line, strings[i]);
        /* A line that ends like this is whole. */
        line_add(line, "\t.\n");
}

int state_put(State *state, const StateLease *lease) {
        Line line;

        line.n = 0; /* the rest is not looked at */
        line_add_lease(&line, lease);
        return line.n < LINE_SIZE ? append(state, line.text, line.n) : -E2BIG;
}

int state_drop(State *state, LeaseId id) {
        char line[64];
        int n = snprintf(line, sizeof(line), "end %" PRIu64 " .\n", id);

        return append(state, line, (size_t) n);
}

int state_skip(State *state, LeaseId last) {
        char line[64];
        int n = snprintf(line, sizeof(line), "last %" PRIu64 " .\n", last);

        return append(state, line, (size_t) n);
}

bool state_is_due(const State *state, size_t n) {
        return state->failed || state->n_lines > 4 * n + LINES_MIN;
}

int state_begin(State *state, LeaseId last) {
        char line[64];
        int n, r;

        state->new_fd =
                open(state->new_path,
                     O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (state->new_fd < 0)
                return -errno;
        /* When the file system is full later, there shall be room to note what ends. */
        (void) fallocate(state->new_fd, FALLOC_FL_KEEP_SIZE, 0, ROOM);
        state->new_failed = false;
        state->n_lines = 0;
        n = snprintf(line, sizeof(line), STATE_HEADER "%d\n", STATE_VERSION);
        r = append(state, line, (size_t) n);
        return r < 0 ? r : state_skip(state, last);
}

int state_commit(State *state) {
        int fd = state->new_fd;

        state->new_fd = -EBADF;
        if (fd < 0)
                return -EBADF;
        if (state->new_failed || rename(state->new_path, state->path) < 0) {
                safe_close(fd);
                (void) unlink(state->new_path);
                return -EIO;
        }
        safe_close(state->fd);
        state->fd = fd;
        state->failed = false;
        return 0;
}

/* --- reading ------------------------------------------------------------------------------ */

static bool split(char *line, char **ret_strings) {
        for (size_t i = 0; i <= N_STRINGS; i++) {
                line = strchr(line, '\t');
                if (!line)
                        return false;
                *line++ = 0;
                ret_strings[i] = line;
        }
        return strcmp(ret_strings[N_STRINGS], ".") == 0;
}

static bool parse_numbers(const char *line, StateLease *ret) {
        char form[16], kind[32], state[16];
        Lease *lease = &ret->lease;
        int f, k, s, pid, end = 0;
        unsigned uid;

        if (sscanf(line,
                   "lease %" SCNu64 " %15s %31s %15s %u %u %" SCNu64 " %" SCNu64 " %" SCNu64
                   " %" SCNu64 " %" SCNu64 " %" SCNu64 " %d %" SCNu64 "%n",
                   &lease->id, form, kind, state, &lease->parts, &uid, &lease->requested,
                   &lease->granted, &lease->deadline, &lease->limit, &lease->expires,
                   &ret->fd_number, &pid, &ret->start, &end) != 14 ||
            line[end] != 0)
                return false;
        f = lease_form_from_string(form);
        k = lease_kind_from_string(kind);
        s = lease_state_from_string(state);
        if (f < 0 || k < 0 || s < 0 || pid < 0)
                return false;
        ret->form = (LeaseForm) f;
        lease->kind = (LeaseKind) k;
        lease->state = (LeaseState) s;
        lease->uid = uid;
        ret->pid = pid;
        return true;
}

static bool parse_lease(char *line, StateLease *ret) {
        char *strings[N_STRINGS + 1];

        *ret = (StateLease){};
        if (!split(line, strings) || !parse_numbers(line, ret))
                return false;
        ret->serial = strings[SERIAL];
        ret->port = strings[PORT];
        ret->bus = strings[BUS];
        ret->owner = strings[OWNER];
        ret->user = strings[USER];
        ret->command = strings[COMMAND];
        ret->reason = strings[REASON];
        ret->delegates = strings[DELEGATES];
        return true;
}

typedef struct Reader {
        StateLease *leases;
        size_t n, allocated, bad;
        LeaseId last;
} Reader;

static int reader_put(Reader *reader, const StateLease *lease) {
        size_t allocated = MAX(reader->allocated * 2, (size_t) 64);
        StateLease *leases;

        reader->last = MAX(reader->last, lease->lease.id);
        for (size_t i = 0; i < reader->n; i++)
                if (reader->leases[i].lease.id == lease->lease.id) {
                        reader->leases[i] = *lease;
                        return 0;
                }
        if (reader->n == reader->allocated) {
                leases = reallocarray(reader->leases, allocated, sizeof(*leases));
                if (!leases)
                        return -ENOMEM;
                reader->leases = leases;
                reader->allocated = allocated;
        }
        reader->leases[reader->n++] = *lease;
        return 0;
}

static void reader_drop(Reader *reader, LeaseId id) {
        for (size_t i = 0; i < reader->n; i++)
                if (reader->leases[i].lease.id == id) {
                        reader->leases[i] = reader->leases[--reader->n];
                        return;
                }
}

static int read_line(Reader *reader, char *line) {
        StateLease lease;
        LeaseId id;
        int end = 0;

        if (!*line)
                return 0;
        if (sscanf(line, "last %" SCNu64 " .%n", &id, &end) == 1 && end > 0 && !line[end])
                reader->last = MAX(reader->last, id);
        else if (sscanf(line, "end %" SCNu64 " .%n", &id, &end) == 1 && end > 0 && !line[end])
                reader_drop(reader, id);
        else if (parse_lease(line, &lease))
                return reader_put(reader, &lease);
        else
                reader->bad++;
        return 0;
}

static int check_header(const char *line) {
        int version, end = 0;

        if (sscanf(line, STATE_HEADER "%d%n", &version, &end) != 1 || line[end] || version < 1)
                return -EBADMSG;
        return version == STATE_VERSION ? 0 : -ENOTSUP;
}

int state_load(State *state, StateFound found, void *userdata, LeaseId *ret_last, size_t *ret_bad) {
        _cleanup_free_ char *text = NULL;
        char *rest, *line;
        Reader reader = {};
        int r;

        r = read_file_at(AT_FDCWD, state->path, STATE_MAX, &text, NULL);
        if (r < 0)
                return r;
        rest = text;
        r = check_header(strsep(&rest, "\n"));
        while (r >= 0 && (line = strsep(&rest, "\n")))
                r = read_line(&reader, line);
        for (size_t i = 0; r >= 0 && i < reader.n; i++)
                found(&reader.leases[i], userdata);
        free(reader.leases);
        if (r < 0)
                return r;
        *ret_last = reader.last;
        *ret_bad = reader.bad;
        return 0;
}
