/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "daemon/access.h"

/* Entries of the user database are read into a buffer of this size; a group may be large. */
#define BUFFER_SIZE (256 * 1024)

static int find_user(uid_t uid, char *buffer, struct passwd *ret) {
        struct passwd *found = NULL;
        int r;

        r = getpwuid_r(uid, ret, buffer, BUFFER_SIZE, &found);
        if (r != 0)
                return -r;
        return found ? 0 : -ENOENT;
}

static int find_group(const char *name, gid_t *ret) {
        _cleanup_free_ char *buffer = malloc(BUFFER_SIZE);
        struct group *found = NULL;
        struct group group;
        int r;

        if (!buffer)
                return -ENOMEM;
        r = getgrnam_r(name, &group, buffer, BUFFER_SIZE, &found);
        if (r != 0)
                return -r;
        if (!found)
                return -ENOENT;
        *ret = group.gr_gid;
        return 0;
}

static int is_member(const struct passwd *user, gid_t gid) {
        _cleanup_free_ gid_t *groups = NULL;
        int n = 0;

        (void) getgrouplist(user->pw_name, user->pw_gid, NULL, &n);
        groups = calloc((size_t) n + 1, sizeof(*groups));
        if (!groups)
                return -ENOMEM;
        if (getgrouplist(user->pw_name, user->pw_gid, groups, &n) < 0)
                return -EACCES; /* it grew meanwhile; let him try again */
        for (int i = 0; i < n; i++)
                if (groups[i] == gid)
                        return 0;
        return -EACCES;
}

int access_check(uid_t uid, const char *group) {
        _cleanup_free_ char *buffer = NULL;
        struct passwd user;
        gid_t gid = 0;
        int r;

        if (uid == 0)
                return 0;
        buffer = malloc(BUFFER_SIZE);
        if (!buffer)
                return -ENOMEM;
        r = find_group(group, &gid);
        if (r == 0)
                r = find_user(uid, buffer, &user);
        if (r == -ENOENT)
                return -EACCES;
        if (r < 0)
                return r;
        return is_member(&user, gid);
}

int access_user_name(uid_t uid, char **ret) {
        _cleanup_free_ char *buffer = malloc(BUFFER_SIZE);
        struct passwd user;
        char *name = NULL;

        if (!buffer)
                return -ENOMEM;
        if (find_user(uid, buffer, &user) == 0)
                name = strdup(user.pw_name);
        else if (asprintf(&name, "%u", (unsigned) uid) < 0)
                name = NULL;
        if (!name)
                return -ENOMEM;
        *ret = name;
        return 0;
}
