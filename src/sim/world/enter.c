/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "sim/world/enter.h"
#include "sim/world/mounts.h"
#include "usbfs/usbfs.h"

DEFINE_CLEANUP(cap_t, cap_free)

/* Mount, send uevents and bring lo up, read the memory of programs that run in the world. */
static bool is_privileged(void) {
        static const cap_value_t needed[] = { CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_SYS_PTRACE,
                                              CAP_DAC_OVERRIDE };
        _cleanup_(cap_freep) cap_t capabilities = cap_get_proc();

        for (size_t i = 0; i < ELEMENTSOF(needed); i++) {
                cap_flag_value_t value = CAP_CLEAR;

                if (!capabilities ||
                    cap_get_flag(capabilities, needed[i], CAP_EFFECTIVE, &value) < 0 ||
                    value == CAP_CLEAR)
                        return false;
        }
        return true;
}

static int write_text(const char *path, const char *text) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        return write_full(fd, text, strlen(text));
}

static int map_user(uid_t uid, gid_t gid, bool as_root) {
        char map[64];
        int r;

        /* Without this an ordinary user may not map a group (user_namespaces(7)). */
        r = write_text("/proc/self/setgroups", "deny");
        if (r < 0)
                return r;
        snprintf(map, sizeof(map), "%u %u 1", as_root ? 0 : uid, uid);
        r = write_text("/proc/self/uid_map", map);
        if (r < 0)
                return r;
        snprintf(map, sizeof(map), "%u %u 1", as_root ? 0 : gid, gid);
        return write_text("/proc/self/gid_map", map);
}

static int bring_loopback_up(void) {
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };

        if (fd < 0)
                return -errno;
        return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

static int enter_namespaces(bool as_root, WorldStep *step) {
        uid_t uid = geteuid();
        gid_t gid = getegid();
        bool privileged = is_privileged();

        *step = WORLD_STEP_NAMESPACES;
        if (unshare((privileged ? 0 : CLONE_NEWUSER) | CLONE_NEWNS | CLONE_NEWNET) < 0)
                return -errno;
        *step = WORLD_STEP_MAP;
        return privileged ? 0 : map_user(uid, gid, as_root);
}

int world_enter(bool as_root, int *ret_fuse_fd, WorldStep *ret_step) {
        WorldStep step;
        int r;

        r = enter_namespaces(as_root, &step);
        if (r == 0) {
                step = WORLD_STEP_DEV;
                r = mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? -errno : mounts_dev();
        }
        if (r == 0) {
                step = WORLD_STEP_RUN;
                r = mounts_run();
        }
        if (r == 0) {
                step = WORLD_STEP_SYS;
                r = mounts_sys();
        }
        if (r == 0) {
                step = WORLD_STEP_NETWORK;
                r = bring_loopback_up();
        }
        if (r == 0) {
                step = WORLD_STEP_FUSE;
                r = usbfs_mount("/dev/bus/usb", ret_fuse_fd);
        }
        if (r < 0)
                *ret_step = step;
        return r;
}
