/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/config.h"

static const char *const directories[] = { SYSCONFDIR, "/run", "/usr/local/lib", PREFIX "/lib" };

/* --- values ------------------------------------------------------------------------------- */

static int set_string(char **member, const char *value) {
        char *copy;

        if (!value[0])
                return -EINVAL;
        copy = strdup(value);
        if (!copy)
                return -ENOMEM;
        free(*member);
        *member = copy;
        return 0;
}

static int set_unsigned(unsigned *member, const char *value, unsigned min) {
        char *end;
        unsigned long number;

        errno = 0;
        number = strtoul(value, &end, 10);
        if (errno || end == value || *end || value[0] == '-' || number > UINT_MAX)
                return -EINVAL;
        if (number < min)
                return -ERANGE;
        *member = (unsigned) number;
        return 0;
}

static int set_group(Config *config, const char *value) {
        return set_string(&config->group, value);
}

static int set_runtime_directory(Config *config, const char *value) {
        return value[0] == '/' ? set_string(&config->runtime_directory, value) : -EINVAL;
}

static int set_gate(Config *config, const char *value) {
        int kind = gate_kind_from_string(value);

        if (strcmp(value, "auto") == 0)
                kind = _GATE_KIND_MAX;
        if (kind < 0)
                return -EINVAL;
        config->gate = (GateKind) kind;
        return 0;
}

static int set_state_directory(Config *config, const char *value) {
        return value[0] == '/' ? set_string(&config->state_directory, value) : -EINVAL;
}

static int set_job_timeout(Config *config, const char *value) {
        Usec span = 0;
        int r;

        r = parse_usec(value, &span);
        if (r < 0)
                return r;
        if (span < 100 * USEC_PER_MSEC || span > 3600 * USEC_PER_SEC)
                return -ERANGE;
        config->job_timeout = span;
        return 0;
}

static int set_away_timeout(Config *config, const char *value) {
        Usec span = 0;
        int r;

        r = parse_usec(value, &span);
        if (r < 0)
                return r;
        if (span > 3600 * USEC_PER_SEC)
                return -ERANGE;
        config->away_timeout = span;
        return 0;
}

static int set_jobs_max(Config *config, const char *value) {
        return set_unsigned(&config->jobs_max, value, 1);
}

static int set_held_max(Config *config, const char *value) {
        return set_unsigned(&config->quota.held, value, 0);
}

static int set_waiting_max(Config *config, const char *value) {
        return set_unsigned(&config->quota.waiting, value, 0);
}

static int set_objects_max(Config *config, const char *value) {
        return set_unsigned(&config->quota.objects, value, 0);
}

static const struct {
        const char *section, *key;
        int (*set)(Config *config, const char *value);
} settings[] = {
        { "Access", "Group", set_group },
        { "Daemon", "RuntimeDirectory", set_runtime_directory },
        { "Daemon", "StateDirectory", set_state_directory },
        { "Daemon", "Gate", set_gate },
        { "Probes", "JobTimeout", set_job_timeout },
        { "Probes", "JobsMax", set_jobs_max },
        { "Probes", "AwayTimeout", set_away_timeout },
        { "Leases", "HeldMax", set_held_max },
        { "Leases", "WaitingMax", set_waiting_max },
        { "Leases", "ObjectsMax", set_objects_max },
};

/* --- files -------------------------------------------------------------------------------- */

typedef struct Reader {
        Config *config;
        const char *path;
        int error; /* what must not be ignored */
} Reader;

static int on_setting(void *userdata, const char *section, const char *key, const char *value) {
        Reader *reader = userdata;

        for (size_t i = 0; i < ELEMENTSOF(settings); i++) {
                int r;

                if (strcmp(settings[i].section, section) != 0 || strcmp(settings[i].key, key) != 0)
                        continue;
                r = settings[i].set(reader->config, value);
                if (r == -ENOMEM)
                        reader->error = r;
                else if (r < 0)
                        log_warning_errno(r, "%s: ignoring %s=%s in section [%s]", reader->path,
                                          key, value, section);
                return 1;
        }
        log_warning("%s: ignoring the unknown setting %s= in section [%s]", reader->path, key,
                    section);
        return 1;
}

static int read_file(const char *path, Config *config) {
        Reader reader = { .config = config, .path = path };
        FILE *file = fopen(path, "re");
        int line;

        if (!file)
                return -errno;
        line = ini_parse_file(file, on_setting, &reader);
        (void) fclose(file);
        if (reader.error < 0)
                return reader.error;
        if (line != 0)
                log_warning("%s: line %d makes no sense", path, line);
        return 0;
}

static int read_main_file(const char *root, Config *config) {
        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                char path[PATH_MAX];
                int r;

                (void) snprintf(path, sizeof(path), "%s%s/stlinkd.conf", root, directories[i]);
                r = read_file(path, config);
                if (r != -ENOENT)
                        return r;
        }
        return 0;
}

/* One drop-in: its name, and the directory that decides what is in it. */
typedef struct DropIn {
        char name[NAME_MAX + 1];
        size_t directory;
} DropIn;

static int compare_drop_ins(const void *a, const void *b) {
        return strcmp(((const DropIn *) a)->name, ((const DropIn *) b)->name);
}

typedef struct DropIns {
        DropIn *items;
        size_t n;
} DropIns;

static void drop_ins_done(DropIns *drop_ins) {
        free(drop_ins->items);
}

static int drop_ins_add(DropIns *drop_ins, const char *name, size_t directory) {
        size_t length = strlen(name);
        DropIn *items;

        if (length <= 5 || strcmp(name + length - 5, ".conf") != 0 || name[0] == '.')
                return 0;
        for (size_t i = 0; i < drop_ins->n; i++)
                if (strcmp(drop_ins->items[i].name, name) == 0)
                        return 0;
        items = reallocarray(drop_ins->items, drop_ins->n + 1, sizeof(*items));
        if (!items)
                return -ENOMEM;
        drop_ins->items = items;
        items[drop_ins->n] = (DropIn){ .directory = directory };
        (void) snprintf(items[drop_ins->n].name, sizeof(items->name), "%s", name);
        drop_ins->n++;
        return 0;
}

static int drop_ins_list(const char *root, size_t directory, DropIns *drop_ins) {
        char path[PATH_MAX];
        struct dirent *entry;
        DIR *dir;
        int r = 0;

        (void) snprintf(path, sizeof(path), "%s%s/stlinkd.conf.d", root, directories[directory]);
        dir = opendir(path);
        if (!dir)
                return errno == ENOENT ? 0 : -errno;
        while (r >= 0 && (entry = readdir(dir)))
                r = drop_ins_add(drop_ins, entry->d_name, directory);
        (void) closedir(dir);
        return r;
}

static int read_drop_ins(const char *root, Config *config) {
        _cleanup_(drop_ins_done) DropIns drop_ins = {};
        int r;

        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                r = drop_ins_list(root, i, &drop_ins);
                if (r < 0)
                        return r;
        }
        if (drop_ins.n > 0)
                qsort(drop_ins.items, drop_ins.n, sizeof(*drop_ins.items), compare_drop_ins);
        for (size_t i = 0; i < drop_ins.n; i++) {
                char path[PATH_MAX];

                (void) snprintf(path, sizeof(path), "%s%s/stlinkd.conf.d/%s", root,
                                directories[drop_ins.items[i].directory], drop_ins.items[i].name);
                r = read_file(path, config);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int set_defaults(Config *config) {
        /* The service manager names the directory that it made for us. */
        const char *runtime_directory = getenv("RUNTIME_DIRECTORY");
        const char *state_directory = getenv("STATE_DIRECTORY");

        *config = (Config){
                .group = strdup("stlink"),
                .runtime_directory = strdup(runtime_directory ?: "/run/stlinkd"),
                .state_directory = state_directory ? strdup(state_directory) : NULL,
                .gate = _GATE_KIND_MAX,
                .job_timeout = 5 * USEC_PER_SEC,
                .jobs_max = 8,
                .away_timeout = 5 * USEC_PER_SEC,
                .quota = { .held = 256, .waiting = 1024, .objects = 1024 },
        };
        return config->group && config->runtime_directory &&
                               (config->state_directory || !state_directory)
                       ? 0
                       : -ENOMEM;
}

int config_load(const char *root, Config *ret) {
        _cleanup_config_ Config config = {};
        int r;

        r = set_defaults(&config);
        if (r < 0)
                return r;
        r = read_main_file(root, &config);
        if (r < 0)
                return r;
        r = read_drop_ins(root, &config);
        if (r < 0)
                return r;
        *ret = config;
        config = (Config){};
        return 0;
}

int config_load_file(const char *path, Config *ret) {
        _cleanup_config_ Config config = {};
        int r;

        r = set_defaults(&config);
        if (r < 0)
                return r;
        r = read_file(path, &config);
        if (r < 0)
                return r;
        *ret = config;
        config = (Config){};
        return 0;
}

void config_done(Config *config) {
        free(config->group);
        free(config->runtime_directory);
        free(config->state_directory);
        *config = (Config){};
}
