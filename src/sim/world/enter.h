/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* A private world: mount and network namespaces (in a user namespace, where root's rights are
 * missing) in which /dev, /run and the device folders of /sys are our own. Nothing of it is seen
 * outside, and it goes with the last process in it.
 *
 *   /dev           what any program needs (null, pts, shm …), and an empty bus/usb
 *   /run           the host's entries, save udev, dbus, stlinkd and stlinksim, which are empty
 *   /sys           sysfs; its bus, class, dev and devices are empty but for devices/system
 *   network        a loopback interface only, which is up */

typedef enum WorldStep {
        WORLD_STEP_NONE,
        WORLD_STEP_NAMESPACES,
        WORLD_STEP_MAP,
        WORLD_STEP_DEV,
        WORLD_STEP_RUN,
        WORLD_STEP_SYS,
        WORLD_STEP_FUSE,
        WORLD_STEP_NETWORK,
} WorldStep;

/* Move the calling process, which must have one thread, into a world of its own; with as_root
 * an ordinary user sees himself as root in it. On success *ret_fuse_fd serves /dev/bus/usb.
 * On failure the process is in no state to go on, and *ret_step says where it failed. */
int world_enter(bool as_root, int *ret_fuse_fd, WorldStep *ret_step);

/* Why that step failed and what would help, for people: several lines, owned by the caller.
 * NULL when out of memory. */
char *world_explain(WorldStep step, int error);
