/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "ctl/alias.h"
#include "ctl/client.h"

#define SYSTEM_FILE "/etc/stlinkd/aliases.conf"
#define SECTION     "Aliases"
#define NAME_MAX_   64

bool alias_is_valid(const char *name) {
        size_t n = strlen(name);

        if (n == 0 || n > NAME_MAX_ || !isalpha((unsigned char) name[0]))
                return false;
        for (size_t i = 0; i < n; i++)
                if (!isalnum((unsigned char) name[i]) && !strchr("-_.", name[i]))
                        return false;
        return true;
}

/* -ENOENT when the environment tells of no home. */
static int own_file(char *path, size_t size) {
        const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
        int n;

        if (config && config[0] == '/')
                n = snprintf(path, size, "%s/stlinkd/aliases.conf", config);
        else if (home && home[0] == '/')
                n = snprintf(path, size, "%s/.config/stlinkd/aliases.conf", home);
        else
                return -ENOENT;
        return n < (int) size ? 0 : -ENAMETOOLONG;
}

void aliases_done(Aliases *aliases) {
        for (size_t i = 0; i < aliases->n; i++) {
                free(aliases->items[i].name);
                free(aliases->items[i].key);
        }
        free(aliases->items);
        *aliases = (Aliases){};
}

static Alias *find(const Aliases *aliases, const char *name) {
        for (size_t i = 0; i < aliases->n; i++)
                if (strcmp(aliases->items[i].name, name) == 0)
                        return &aliases->items[i];
        return NULL;
}

static int append(Aliases *aliases, const char *name, const char *key, bool own) {
        Alias *grown = reallocarray(aliases->items, aliases->n + 1, sizeof(Alias)), *alias;

        if (!grown)
                return -ENOMEM;
        aliases->items = grown;
        alias = &grown[aliases->n];
        *alias = (Alias){ strdup(name), strdup(key), own };
        aliases->n++;
        return alias->name && alias->key ? 0 : -ENOMEM;
}

typedef struct Loading {
        Aliases *aliases;
        bool own;
        int error;
} Loading;

/* For inih: 1 is fine, 0 a line that makes no sense. What stands in the first file, the user's
 * own, holds. */
static int loaded(void *userdata, const char *section, const char *name, const char *value) {
        Loading *loading = userdata;

        if (strcmp(section, SECTION) != 0 || !alias_is_valid(name) || value[0] == '\0')
                return 0;
        if (!find(loading->aliases, name) && loading->error >= 0)
                loading->error = append(loading->aliases, name, value, loading->own);
        return 1;
}

static int load(const char *path, bool own, Aliases *aliases) {
        Loading loading = { .aliases = aliases, .own = own };
        int line;

        /* HOME may be somebody else's, as under runuser. */
        if (access(path, F_OK) < 0)
                return errno == ENOENT || errno == ENOTDIR || (own && errno == EACCES) ? 0 : -errno;
        line = ini_parse(path, loaded, &loading);
        if (line > 0) {
                client_say("%s, line %d, is no alias (try 'bench3 = 066DFF504955857567012345').",
                           path, line);
                return -EBADMSG;
        }
        return line < 0 ? -EIO : loading.error;
}

int aliases_load(Aliases *ret) {
        char path[PATH_MAX];
        int r = own_file(path, sizeof(path));

        *ret = (Aliases){};
        if (r >= 0)
                r = load(path, /* own= */ true, ret);
        if (r >= 0 || r == -ENOENT)
                r = load(SYSTEM_FILE, /* own= */ false, ret);
        if (r < 0)
                aliases_done(ret);
        return r;
}

const char *aliases_find(const Aliases *aliases, const char *name) {
        const Alias *alias = find(aliases, name);

        return alias ? alias->key : NULL;
}

const char *aliases_name(const Aliases *aliases, const ProbeView *probe) {
        for (size_t i = 0; i < aliases->n; i++) {
                const char *key = aliases->items[i].key;

                if ((probe->serial && strcasecmp(probe->serial, key) == 0) ||
                    (probe->port_path && strcmp(probe->port_path, key) == 0))
                        return aliases->items[i].name;
        }
        return NULL;
}

/* The folders above a file, as mkdir -p does. */
static int make_folders(const char *file) {
        char path[PATH_MAX];

        (void) snprintf(path, sizeof(path), "%s", file);
        for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (mkdir(path, 0777) < 0 && errno != EEXIST)
                        return -errno;
                *slash = '/';
        }
        return 0;
}

/* Beside the old one and then in its place, so that nobody ever sees half a file. */
static int save(const Aliases *aliases, const char *path) {
        char temporary[PATH_MAX];
        FILE *file;
        int r;

        if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int) sizeof(temporary))
                return -ENAMETOOLONG;
        r = make_folders(path);
        if (r < 0)
                return r;
        file = fopen(temporary, "we");
        if (!file)
                return -errno;
        (void) fputs("# Names of probes: NAME = SERIAL or PORT. Written by \"stlinkctl alias\".\n"
                     "[" SECTION "]\n",
                     file);
        for (size_t i = 0; i < aliases->n; i++)
                if (aliases->items[i].own)
                        (void) fprintf(file, "%s = %s\n", aliases->items[i].name,
                                       aliases->items[i].key);
        r = ferror(file) ? -EIO : 0;
        if (fclose(file) < 0 && r >= 0)
                r = -errno;
        if (r >= 0 && rename(temporary, path) < 0)
                r = -errno;
        if (r < 0)
                (void) unlink(temporary);
        return r;
}

static int change(Aliases *aliases, const char *name, const char *key) {
        Alias *alias = find(aliases, name);

        if (!key) {
                if (!alias || !alias->own)
                        return -ENOENT;
                alias->own = false;
                return 0;
        }
        if (!alias)
                return append(aliases, name, key, /* own= */ true);
        alias->own = true;
        free(alias->key);
        alias->key = strdup(key);
        return alias->key ? 0 : -ENOMEM;
}

int aliases_set(const char *name, const char *key) {
        _cleanup_(aliases_done) Aliases aliases = {};
        char path[PATH_MAX];
        int r = own_file(path, sizeof(path));

        if (r >= 0)
                r = aliases_load(&aliases);
        if (r >= 0)
                r = change(&aliases, name, key);
        return r < 0 ? r : save(&aliases, path);
}
