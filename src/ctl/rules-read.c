/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/macro.h"
#include "ctl/rules.h"

/* Those that count more come first (udev(7)). /lib is another one where it is no link. */
static const char *const directories[] = {
        "/etc/udev/rules.d",     "/run/udev/rules.d", "/usr/local/lib/udev/rules.d",
        "/usr/lib/udev/rules.d", "/lib/udev/rules.d",
};

#define FILE_SIZE_MAX (1024 * 1024)

typedef struct RuleFile {
        char name[NAME_MAX + 1];
        size_t directory;
} RuleFile;

typedef struct RuleFiles {
        RuleFile *items;
        size_t n;
} RuleFiles;

static void rule_files_done(RuleFiles *files) {
        free(files->items);
}

static void file_path(const char *root, const RuleFile *file, char *path) {
        (void) snprintf(path, PATH_MAX, "%s%s/%s", root, directories[file->directory], file->name);
}

static int add_file(RuleFiles *files, const char *name, size_t directory) {
        size_t length = strlen(name);
        RuleFile *items;

        if (length <= strlen(".rules") || strcmp(name + length - strlen(".rules"), ".rules") != 0)
                return 0;
        items = reallocarray(files->items, files->n + 1, sizeof(*items));
        if (!items)
                return -ENOMEM;
        files->items = items;
        items[files->n] = (RuleFile){ .directory = directory };
        (void) snprintf(items[files->n++].name, sizeof(items->name), "%s", name);
        return 0;
}

static bool is_other_name_of(const char *root, size_t directory, size_t other) {
        char a[PATH_MAX], b[PATH_MAX];
        struct stat x, y;

        (void) snprintf(a, sizeof(a), "%s%s", root, directories[directory]);
        (void) snprintf(b, sizeof(b), "%s%s", root, directories[other]);
        return stat(a, &x) >= 0 && stat(b, &y) >= 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int list_directory(const char *root, size_t directory, RuleFiles *files) {
        char path[PATH_MAX];
        struct dirent *entry;
        DIR *dir;
        int r = 0;

        for (size_t i = 0; i < directory; i++)
                if (is_other_name_of(root, directory, i))
                        return 0;
        (void) snprintf(path, sizeof(path), "%s%s", root, directories[directory]);
        dir = opendir(path);
        if (!dir)
                return errno == ENOMEM ? -ENOMEM : 0;
        while (r >= 0 && (entry = readdir(dir)))
                r = add_file(files, entry->d_name, directory);
        (void) closedir(dir);
        return r;
}

static int compare_files(const void *a, const void *b) {
        const RuleFile *x = a, *y = b;
        int r = strcmp(x->name, y->name);

        return r ? r : (int) x->directory - (int) y->directory;
}

static void feed_file(RulesState *state, const char *path, RulesReport *report,
                      const char *masked_by) {
        _cleanup_free_ char *text = NULL;

        if (read_file_at(AT_FDCWD, path, FILE_SIZE_MAX, &text, NULL) < 0)
                return;
        if (!masked_by)
                rules_feed(state, path, text);
        else if (rules_mention_st(text))
                rules_add_masked(report, path, masked_by);
}

int rules_read(const char *root, const RulesSubject *subject, RulesReport *ret) {
        _cleanup_(rule_files_done) RuleFiles files = {};
        RulesState state;

        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                int r = list_directory(root, i, &files);

                if (r < 0)
                        return r;
        }
        if (files.n > 0)
                qsort(files.items, files.n, sizeof(*files.items), compare_files);
        rules_begin(&state, subject, ret);
        for (size_t i = 0; i < files.n; i++) {
                char path[PATH_MAX];
                bool masked = i > 0 && strcmp(files.items[i].name, files.items[i - 1].name) == 0;

                file_path(root, &files.items[i], path);
                feed_file(&state, path, ret,
                          masked ? directories[files.items[i - 1].directory] : NULL);
        }
        return 0;
}
