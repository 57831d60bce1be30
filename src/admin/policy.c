/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/policy.h"
#include "base/log.h"
#include "base/macro.h"

/* udev reads rules by the order of their names, and here beside its own folders only. The first
 * sorts before all packages' rules and so has the last word on the mode; the second comes after
 * the one that gives the seat's user access, and takes that back. */
#define RULES_FOLDER "/etc/udev/rules.d"
static const char *const rules[] = { "48-stlinkd-strict.rules", "99-stlinkd-strict.rules" };
#define RULE_PATH_MAX 128

static void rule_path(size_t i, char path[static RULE_PATH_MAX]) {
        (void) snprintf(path, RULE_PATH_MAX, RULES_FOLDER "/%s", rules[i]);
}

bool policy_is_strict(void) {
        char path[RULE_PATH_MAX];
        struct stat st;

        rule_path(0, path);
        return lstat(path, &st) >= 0;
}

/* A link: what it leads to comes with the package, and is updated with it. */
static int rules_link(void) {
        char path[RULE_PATH_MAX];
        int r = 0;

        if (mkdir(RULES_FOLDER, 0755) < 0 && errno != EEXIST)
                return -errno;
        for (size_t i = 0; i < ELEMENTSOF(rules) && r >= 0; i++) {
                _cleanup_free_ char *target = NULL;

                if (asprintf(&target, PKGDATADIR "/strict/%s", rules[i]) < 0) {
                        target = NULL;
                        return -ENOMEM;
                }
                rule_path(i, path);
                if (symlink(target, path) < 0 && errno != EEXIST)
                        r = -errno;
        }
        return r;
}

static int rules_unlink(void) {
        char path[RULE_PATH_MAX];
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(rules); i++) {
                rule_path(i, path);
                if (unlink(path) < 0 && errno != ENOENT)
                        r = -errno;
        }
        return r;
}

static int run_udevadm(const char *const *argv) {
        int status, r;
        pid_t pid;

        r = posix_spawnp(&pid, "udevadm", NULL, NULL, (char *const *) argv, environ);
        if (r != 0)
                return -r;
        if (waitpid(pid, &status, 0) < 0)
                return -errno;
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

static int reload_rules(void) {
        const char *const argv[] = { "udevadm", "control", "--reload", "--timeout=10", NULL };

        return run_udevadm(argv);
}

static int trigger(const AdminDevice *device, void *userdata) {
        _cleanup_free_ char *path = NULL;
        int r;

        (void) userdata;
        if (asprintf(&path, "/sys/bus/usb/devices/%s", device->port) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        r = run_udevadm((const char *const[]){ "udevadm", "trigger", "--action=change", "--settle",
                                               path, NULL });
        if (r < 0)
                log_warning_errno(r, "udev did not act on the probe on port %s", device->port);
        return 0;
}

static int drop(const AdminDevice *device, void *userdata) {
        (void) userdata;
        return grant_drop(device);
}

int policy_set(bool strict) {
        int r = strict ? rules_link() : rules_unlink();

        if (r >= 0)
                r = reload_rules();
        if (r >= 0 && !strict)
                r = device_for_each(drop, NULL);
        return r < 0 ? r : device_for_each(trigger, NULL);
}
