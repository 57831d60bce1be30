/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/text.h"
#include "gate/cgroup.h"

#define NAME_MAX_SHOWN 1024
/* Enough of a container's ID to find it; docker and podman show as many digits. */
#define ID_DIGITS 12

/* How container managers name their groups: prefix, the container, suffix; or a child of a
 * folder of their own. cut ends the name at that character, the last one in it or the first. */
static const struct {
        const char *prefix, *suffix, *kind;
        char cut_last, cut_first;
} container_units[] = {
        { "docker-", ".scope", "docker", 0, 0 },
        { "libpod-", ".scope", "podman", 0, 0 },
        { "cri-containerd-", ".scope", "containerd", 0, 0 },
        { "nerdctl-", ".scope", "containerd", 0, 0 },
        { "crio-", ".scope", "crio", 0, 0 },
        { "lxc.payload.", "", "lxc", 0, 0 },
        { "machine-qemu\\x2d", ".scope", "libvirt", 0, 0 },
        { "machine-", ".scope", "nspawn", 0, 0 },
        { "systemd-nspawn@", ".service", "nspawn", 0, 0 },
        { "app-flatpak-", ".scope", "flatpak", '-', 0 },
        { "snap.", ".scope", "snap", 0, '.' },
        { "snap.", ".service", "snap", 0, '.' },
}, container_folders[] = {
        { "docker", "", "docker", 0, 0 },
        { "lxc", "", "lxc", 0, 0 },
        { "lxc.payload", "", "lxc", 0, 0 },
};

static bool has_prefix(const char *text, const char *prefix) {
        return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool has_suffix(const char *text, const char *suffix) {
        size_t n = strlen(text), m = strlen(suffix);

        return n > m && strcmp(text + n - m, suffix) == 0;
}

/* systemd writes unusual characters of a name as \xNN. */
static void unescape(char *text) {
        char *to = text;

        for (const char *from = text; *from; to++) {
                unsigned byte;

                if (from[0] == '\\' && from[1] == 'x' && isxdigit((unsigned char) from[2]) &&
                    isxdigit((unsigned char) from[3]) && sscanf(from + 2, "%2x", &byte) == 1 &&
                    byte != 0) {
                        *to = (char) byte;
                        from += 4;
                } else
                        *to = *from++;
        }
        *to = 0;
}

static char *printable(const char *text) {
        char buffer[NAME_MAX_SHOWN];

        (void) text_escape(text, strlen(text), buffer, sizeof(buffer));
        return strdup(buffer);
}

static bool is_long_id(const char *text) {
        size_t digits = strspn(text, "0123456789abcdef");

        return digits > ID_DIGITS && text[digits] == 0;
}

static int name_container(CgroupPlace *place, const char *kind, const char *name, size_t length,
                          char cut_last, char cut_first) {
        _cleanup_free_ char *copy = strndup(name, length), *label = NULL;
        char *cut;

        if (!copy)
                return -ENOMEM;
        cut = cut_last ? strrchr(copy, cut_last) : cut_first ? strchr(copy, cut_first) : NULL;
        if (cut && cut != copy)
                *cut = 0;
        if (is_long_id(copy))
                copy[ID_DIGITS] = 0;
        unescape(copy);
        if (asprintf(&label, "%s:%s", kind, copy) < 0)
                return -ENOMEM;
        place->container = printable(label);
        return place->container ? 0 : -ENOMEM;
}

static int find_container(CgroupPlace *place, const char *parent, const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(container_units); i++) {
                size_t skip = strlen(container_units[i].prefix);

                if (has_prefix(name, container_units[i].prefix) &&
                    !has_prefix(name, "libpod-conmon-") &&
                    has_suffix(name + skip, container_units[i].suffix))
                        return name_container(
                                place, container_units[i].kind, name + skip,
                                strlen(name + skip) - strlen(container_units[i].suffix),
                                container_units[i].cut_last, container_units[i].cut_first);
        }
        for (size_t i = 0; i < ELEMENTSOF(container_folders); i++)
                if (strcmp(parent, container_folders[i].prefix) == 0)
                        return name_container(place, container_folders[i].kind, name, strlen(name),
                                              0, 0);
        /* Kubernetes without systemd: the ID alone, below a folder for the pod */
        if (has_prefix(parent, "pod") && is_long_id(name))
                return name_container(place, "kubernetes", name, strlen(name), 0, 0);
        return 0;
}

static bool is_unit(const char *name) {
        return has_suffix(name, ".service") || has_suffix(name, ".scope");
}

static bool is_user_manager(const char *unit) {
        return has_prefix(unit, "user@") && has_suffix(unit, ".service");
}

/* The outermost unit counts, except that a user's manager gives way to what it runs. */
static int find_unit(CgroupPlace *place, const char *name) {
        char *unit;

        if (!is_unit(name) || (place->unit && !is_user_manager(place->unit)))
                return 0;
        unit = printable(name);
        if (!unit)
                return -ENOMEM;
        free(place->unit);
        place->unit = unit;
        return 0;
}

static int find_session(CgroupPlace *place, const char *parent, const char *name) {
        static const char prefix[] = "session-";
        size_t length = strlen(name);
        _cleanup_free_ char *id = NULL;

        if (place->session || !has_prefix(parent, "user-") || !has_prefix(name, prefix) ||
            !has_suffix(name, ".scope"))
                return 0;
        id = strndup(name + strlen(prefix), length - strlen(prefix) - strlen(".scope"));
        if (!id)
                return -ENOMEM;
        place->session = printable(id);
        return place->session ? 0 : -ENOMEM;
}

static int walk(char *path, CgroupPlace *place) {
        const char *parent = "";
        char *rest = path, *name;
        int r = 0;

        while (r == 0 && (name = strsep(&rest, "/"))) {
                /* A name that looks like one of the kernel's own files gets a '_' in front. */
                name += *name == '_';
                if (*name == 0)
                        continue;
                r = find_unit(place, name);
                if (r == 0)
                        r = find_session(place, parent, name);
                if (r == 0 && !place->container)
                        r = find_container(place, parent, name);
                parent = name;
        }
        return r;
}

/* The line of systemd's own hierarchy where there is one (cgroup v1 and hybrid), else the one
 * of cgroup v2. */
static const char *find_path(const char *text) {
        const char *named = strstr(text, ":name=systemd:"), *unified = strstr(text, "0::");

        if (named)
                return named + strlen(":name=systemd:");
        if (unified && (unified == text || unified[-1] == '\n'))
                return unified + strlen("0::");
        return NULL;
}

int cgroup_parse(const char *text, CgroupPlace *ret) {
        CgroupPlace place = {};
        const char *found = find_path(text);
        _cleanup_free_ char *path = NULL;
        int r;

        if (!found) {
                *ret = place;
                return 0;
        }
        path = strndup(found, strcspn(found, "\n"));
        place.path = path ? printable(path) : NULL;
        r = place.path ? walk(path, &place) : -ENOMEM;
        if (r < 0) {
                cgroup_place_done(&place);
                return r;
        }
        *ret = place;
        return 0;
}

void cgroup_place_done(CgroupPlace *place) {
        free(place->path);
        free(place->unit);
        free(place->session);
        free(place->container);
        *place = (CgroupPlace){};
}
