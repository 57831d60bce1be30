/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "bus/ops.h"
#include "daemon/delegate.h"
#include "daemon/member.h"

/* Slices in slices; nobody nests them deeper. */
#define DEPTH_MAX 16
/* So many can be told apart over the life of a lease. */
#define NUMBER_MAX 0x7fff

static const char *const prefixes[_DELEGATE_KIND_MAX] = {
        [DELEGATE_UID] = "uid:",
        [DELEGATE_UNIT] = "unit:",
        [DELEGATE_CGROUP] = "cgroup:",
        [DELEGATE_PID] = "pid:",
};

/* What comes behind the colon */
static const char *value_of(const LeaseDelegate *delegate) {
        return delegate->who + strlen(prefixes[delegate->kind]);
}

/* --- control groups ----------------------------------------------------------------------- */

/* Where cgroup v2 is: alone, or beside the old ones. NULL for nowhere. */
static const char *cgroup_root(void) {
        static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
        struct statfs fs;

        for (size_t i = 0; i < ELEMENTSOF(places); i++)
                if (statfs(places[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
                        return places[i];
        return NULL;
}

static bool ends_with(const char *text, const char *suffix) {
        size_t n = strlen(text), m = strlen(suffix);

        return n > m && strcmp(text + n - m, suffix) == 0;
}

static bool is_unit(const char *name) {
        return !strchr(name, '/') && (ends_with(name, ".service") || ends_with(name, ".scope") ||
                                      ends_with(name, ".slice"));
}

static bool is_path(const char *path) {
        return path[0] == '/' && !strstr(path, "/../") && !ends_with(path, "/..") &&
               strcmp(path, "/..") != 0;
}

/* The number of a control group, by which the kernel knows it, is that of its directory. */
static int read_number(const char *path, uint64_t *ret) {
        struct stat st;

        if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
                return -ENOENT;
        *ret = st.st_ino;
        return 0;
}

static int find_cgroup(const char *root, const char *path, uint64_t *ret) {
        char full[PATH_MAX];

        if ((size_t) snprintf(full, sizeof(full), "%s%s", root, path) >= sizeof(full))
                return -EINVAL;
        return read_number(full, ret);
}

/* Slices hold units, and other units hold none of the system's: what a user's manager calls so is
 * not meant. */
static int find_unit(const char *folder, const char *unit, unsigned depth, uint64_t *ret) {
        _cleanup_(closedirp) DIR *dir = opendir(folder);
        struct dirent *entry;
        char path[PATH_MAX];

        if (!dir || depth == DEPTH_MAX)
                return -ENOENT;
        while ((entry = readdir(dir))) {
                if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
                    (size_t) snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) >=
                            sizeof(path))
                        continue;
                if (strcmp(entry->d_name, unit) == 0)
                        return read_number(path, ret);
                if (ends_with(entry->d_name, ".slice") &&
                    find_unit(path, unit, depth + 1, ret) == 0)
                        return 0;
        }
        return -ENOENT;
}

static int look(const LeaseDelegate *delegate, uint64_t *ret) {
        const char *root = cgroup_root();

        if (!root)
                return -EOPNOTSUPP;
        if (delegate->kind == DELEGATE_UNIT)
                return find_unit(root, value_of(delegate), 0, ret);
        return find_cgroup(root, value_of(delegate), ret);
}

bool delegate_look(LeaseDelegate *delegate) {
        uint64_t before = delegate->cgroup;

        if (delegate->kind != DELEGATE_UNIT && delegate->kind != DELEGATE_CGROUP)
                return false;
        if (look(delegate, &delegate->cgroup) < 0)
                delegate->cgroup = 0;
        return delegate->cgroup != before;
}

/* --- reading ------------------------------------------------------------------------------ */

static int read_id(const char *text, uint32_t max, uint32_t *ret) {
        unsigned long value;
        char *end;

        /* One spelling, so that nobody is told of twice. */
        if (!isdigit((unsigned char) *text) || (text[0] == '0' && text[1]))
                return -EINVAL;
        errno = 0;
        value = strtoul(text, &end, 10);
        if (errno != 0 || *end || value > max)
                return -EINVAL;
        *ret = (uint32_t) value;
        return 0;
}

static int find_process(const char *text, Process **ret) {
        uint32_t pid;
        int r = read_id(text, INT32_MAX, &pid);

        if (r < 0 || pid == 0)
                return -EINVAL;
        return process_identify((pid_t) pid, ret) < 0 ? -ESRCH : 0;
}

static int read_value(LeaseDelegate *delegate) {
        const char *value = value_of(delegate);

        switch (delegate->kind) {
        case DELEGATE_UID:
                return read_id(value, UINT32_MAX - 1, &delegate->uid); /* (uid_t) -1: nobody */
        case DELEGATE_UNIT:
                return is_unit(value) ? look(delegate, &delegate->cgroup) : -EINVAL;
        case DELEGATE_CGROUP:
                return is_path(value) ? look(delegate, &delegate->cgroup) : -EINVAL;
        default:
                return find_process(value, &delegate->process);
        }
}

/* Also keeps what is saved, and what is shown, in one word. */
static bool is_word(const char *text) {
        for (; *text; text++)
                if (!isgraph((unsigned char) *text))
                        return false;
        return true;
}

static int read_kind(const char *who, DelegateKind *ret) {
        for (int kind = 0; kind < _DELEGATE_KIND_MAX; kind++)
                if (strncmp(who, prefixes[kind], strlen(prefixes[kind])) == 0 && is_word(who)) {
                        *ret = (DelegateKind) kind;
                        return 0;
                }
        return -EINVAL;
}

/* --- the list ----------------------------------------------------------------------------- */

static void delegate_done(LeaseDelegate *delegate) {
        free(delegate->who);
        process_free(delegate->process);
}

void delegates_done(Delegates *delegates) {
        for (size_t i = 0; i < delegates->n; i++)
                delegate_done(&delegates->items[i]);
        free(delegates->items);
        *delegates = (Delegates){};
}

/* Takes over what it holds; -ENOMEM. */
static int append(Delegates *delegates, const LeaseDelegate *delegate) {
        LeaseDelegate *items =
                reallocarray(delegates->items, delegates->n + 1, sizeof(*delegates->items));

        if (!items)
                return -ENOMEM;
        delegates->items = items;
        items[delegates->n++] = *delegate;
        delegates->last = MAX(delegates->last, delegate->number);
        return 0;
}

int delegates_add(Delegates *delegates, const char *who) {
        LeaseDelegate delegate = { .number = delegates->last + 1 };
        int r;

        r = read_kind(who, &delegate.kind);
        if (r < 0)
                return r;
        if (strlen(who) > LEASE_DELEGATE_MAX)
                return -ENAMETOOLONG;
        if (delegates->n >= LEASE_DELEGATES_MAX || delegate.number > NUMBER_MAX)
                return -E2BIG;
        delegate.who = strdup(who);
        r = delegate.who ? read_value(&delegate) : -ENOMEM;
        if (r >= 0)
                r = append(delegates, &delegate);
        if (r < 0)
                delegate_done(&delegate);
        return r;
}

void delegates_remove(Delegates *delegates, LeaseDelegate *delegate) {
        size_t rest = delegates->n - 1 - (size_t) (delegate - delegates->items);

        delegate_done(delegate);
        memmove(delegate, delegate + 1, rest * sizeof(*delegate));
        delegates->n--;
}

LeaseDelegate *delegates_find(const Delegates *delegates, const char *who) {
        for (size_t i = 0; i < delegates->n; i++)
                if (strcmp(delegates->items[i].who, who) == 0)
                        return &delegates->items[i];
        return NULL;
}

/* --- who is meant ------------------------------------------------------------------------- */

static bool is_below(const char *path, const char *top) {
        size_t n = strlen(top);

        while (n > 0 && top[n - 1] == '/')
                n--;
        return path && strncmp(path, top, n) == 0 && (path[n] == '/' || path[n] == 0);
}

/* As find_unit() finds it. */
static bool is_in_unit(const char *path, const char *unit) {
        size_t wanted = strlen(unit), n;

        for (; path && *path; path += n) {
                path += strspn(path, "/");
                n = strcspn(path, "/");
                if (n == wanted && strncmp(path, unit, n) == 0)
                        return true;
                if (n < strlen(".slice") ||
                    strncmp(path + n - strlen(".slice"), ".slice", strlen(".slice")) != 0)
                        return false;
        }
        return false;
}

bool delegate_matches(const LeaseDelegate *delegate, const Process *process) {
        switch (delegate->kind) {
        case DELEGATE_UID:
                return process->uid == delegate->uid;
        case DELEGATE_UNIT:
                return is_in_unit(process->cgroup, value_of(delegate));
        case DELEGATE_CGROUP:
                return is_below(process->cgroup, value_of(delegate));
        default:
                return delegate->process && process_descends_from(process, delegate->process);
        }
}

bool delegates_match(const Delegates *delegates, const Process *process) {
        for (size_t i = 0; i < delegates->n; i++)
                if (delegate_matches(&delegates->items[i], process))
                        return true;
        return false;
}

/* --- over a restart ----------------------------------------------------------------------- */

/* "2 1/uid:1000 2/pid:77/123456": the last number given away, and a process with its start time.
 * Nobody to be noted is an empty line. */
int delegates_save(const Delegates *delegates, char **ret) {
        char *text = NULL;
        size_t size = 0;
        FILE *file = open_memstream(&text, &size);

        if (!file)
                return -ENOMEM;
        if (delegates->last > 0)
                (void) fprintf(file, "%u", delegates->last);
        for (size_t i = 0; i < delegates->n; i++) {
                const LeaseDelegate *delegate = &delegates->items[i];

                (void) fprintf(file, " %u/%s", delegate->number, delegate->who);
                if (delegate->kind == DELEGATE_PID)
                        (void) fprintf(file, "/%" PRIu64,
                                       delegate->process ? delegate->process->start : 0);
        }
        if (fclose(file) != 0) {
                free(text);
                return -ENOMEM;
        }
        *ret = text;
        return 0;
}

/* What it started may go on without it. */
static int load_process(LeaseDelegate *delegate) {
        char *start = strchr(delegate->who, '/');
        Usec wanted;

        if (!start || sscanf(start, "/%" SCNu64, &wanted) != 1)
                return -EINVAL;
        *start = 0;
        if (find_process(value_of(delegate), &delegate->process) == -EINVAL)
                return -EINVAL;
        if (delegate->process && delegate->process->start != wanted)
                delegate->process = process_free(delegate->process);
        return 0;
}

static int load_one(Delegates *delegates, const char *word) {
        LeaseDelegate delegate = {};
        int r, end = 0;

        if (sscanf(word, "%u/%n", &delegate.number, &end) != 1 || end == 0 ||
            delegate.number == 0 || delegate.number > NUMBER_MAX ||
            delegates->n >= LEASE_DELEGATES_MAX || read_kind(word + end, &delegate.kind) < 0)
                return -EINVAL;
        delegate.who = strdup(word + end);
        if (!delegate.who)
                return -ENOMEM;
        r = delegate.kind == DELEGATE_PID ? load_process(&delegate) : read_value(&delegate);
        /* A unit may be at work again later. */
        if (r == -ENOENT || r == -EOPNOTSUPP)
                r = 0;
        if (r >= 0)
                r = append(delegates, &delegate);
        if (r < 0)
                delegate_done(&delegate);
        return r;
}

int delegates_load(Delegates *delegates, const char *text) {
        _cleanup_free_ char *copy = strdup(text);
        char *rest = copy, *word;
        int r = copy ? 0 : -ENOMEM;

        if (copy)
                delegates->last = (unsigned) strtoul(strsep(&rest, " "), NULL, 10);
        while (r != -ENOMEM && (word = strsep(&rest, " ")))
                if (*word)
                        r = load_one(delegates, word);
        return r == -ENOMEM ? r : 0;
}
