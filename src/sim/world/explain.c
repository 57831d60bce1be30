/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/macro.h"
#include "sim/world/enter.h"

static const char *const step_names[] = {
        [WORLD_STEP_NONE] = "enter the private world",
        [WORLD_STEP_NAMESPACES] = "make namespaces",
        [WORLD_STEP_MAP] = "map the user into a new user namespace",
        [WORLD_STEP_DEV] = "make a private /dev",
        [WORLD_STEP_RUN] = "make a private /run",
        [WORLD_STEP_SYS] = "cover the device folders of /sys",
        [WORLD_STEP_FUSE] = "serve /dev/bus/usb through FUSE",
        [WORLD_STEP_NETWORK] = "bring the private loopback interface up",
};

static bool sysctl_is(const char *path, const char *value) {
        char line[32];

        return read_line_at(AT_FDCWD, path, line, sizeof(line)) >= 0 && strcmp(line, value) == 0;
}

static bool in_container(void) {
        return access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0 ||
               getenv("container");
}

static void explain_fuse(FILE *out, int error) {
        if (in_container())
                fputs("  In a container: start it with \"--device /dev/fuse --cap-add SYS_ADMIN"
                      " --security-opt apparmor=unconfined\".\n",
                      out);
        else if (error == ENOENT || error == ENODEV)
                fputs("  The kernel has no FUSE, or it is not loaded: \"modprobe fuse\".\n", out);
        else
                fputs("  /dev/fuse must be readable and writable for you: \"ls -l /dev/fuse\"; most"
                      " systems have it 0666.\n",
                      out);
}

static void explain_namespaces(FILE *out) {
        bool known = false;

        if (sysctl_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1")) {
                fputs("  AppArmor forbids user namespaces to ordinary users (Ubuntu 23.10 and"
                      " later): \"sysctl -w kernel.apparmor_restrict_unprivileged_userns=0\".\n",
                      out);
                known = true;
        }
        if (sysctl_is("/proc/sys/kernel/unprivileged_userns_clone", "0")) {
                fputs("  User namespaces are off for ordinary users:"
                      " \"sysctl -w kernel.unprivileged_userns_clone=1\".\n",
                      out);
                known = true;
        }
        if (sysctl_is("/proc/sys/user/max_user_namespaces", "0")) {
                fputs("  User namespaces are off: \"sysctl -w user.max_user_namespaces=15000\".\n",
                      out);
                known = true;
        }
        if (in_container()) {
                fputs("  In a container: start it with \"--device /dev/fuse --cap-add SYS_ADMIN"
                      " --security-opt apparmor=unconfined\" (or with \"--privileged\").\n",
                      out);
                known = true;
        }
        if (!known && geteuid() != 0)
                fputs("  A security policy (seccomp, SELinux, AppArmor) may forbid it to you.\n",
                      out);
        if (geteuid() != 0)
                fputs("  Or run it as root (sudo), which needs no user namespace.\n", out);
}

char *world_explain(WorldStep step, int error) {
        size_t size;
        char *text = NULL;
        FILE *out = open_memstream(&text, &size);

        if (!out)
                return NULL;
        fprintf(out, "cannot %s: %s\n", step_names[step], strerror(abs(error)));
        if (step == WORLD_STEP_FUSE && abs(error) != EPERM)
                explain_fuse(out, abs(error));
        else if (step == WORLD_STEP_DEV && abs(error) == EINVAL)
                fputs("  Its root is no mount point, as in a plain chroot: \"mount --bind DIR DIR\""
                      " before \"chroot DIR\".\n",
                      out);
        else
                explain_namespaces(out);
        fputs("  The USB/IP door (\"stlinksim usbip\") needs no namespaces, but a kernel with"
              " vhci_hcd.\n",
              out);
        if (fclose(out) != 0) {
                free(text);
                return NULL;
        }
        return text;
}
