/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "admin/device.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/macro.h"
#include "base/time.h"
#include "bus/errors.h"
#include "core/ids.h"
#include "gate/process.h"
#include "gate/scan.h"
#include "udev/descriptors.h"

#define DEVICES   "/sys/bus/usb/devices"
#define USB_MAJOR 189 /* Linux's list of device numbers */

/* Long enough for a hub to see that nothing is there, and shorter than stlinkd waits for a probe
 * that is away. */
#define OFF_TIME (1 * USEC_PER_SEC)

void device_done(AdminDevice *device) {
        device->dirfd = safe_close(device->dirfd);
}

static int read_number(int dirfd, const char *attribute, int base, unsigned *ret) {
        char line[32], *end;
        int r = read_line_at(dirfd, attribute, line, sizeof(line));

        if (r < 0)
                return r == -ENOENT ? -ENODEV : r;
        *ret = (unsigned) strtoul(line, &end, base);
        return end == line || *end ? -EINVAL : 0;
}

static bool looks_like_stlink(int dirfd) {
        _cleanup_free_ char *data = NULL;
        size_t size;

        return read_file_at(dirfd, "descriptors", 64 * 1024, &data, &size) >= 0 &&
               descriptors_look_like_stlink((const uint8_t *) data, size);
}

/* 0, or -EINVAL when it is another device. The decision is that of the daemon. */
static int check_is_stlink(int dirfd) {
        unsigned vendor, product;
        int r = read_number(dirfd, "idVendor", 16, &vendor);

        if (r >= 0)
                r = read_number(dirfd, "idProduct", 16, &product);
        if (r < 0)
                return r;
        if (vendor != STLINK_VENDOR_ID || product > UINT16_MAX)
                return -EINVAL;
        if (probe_product_find(STLINK_VENDOR_ID, (uint16_t) product) ||
            (product_id_is_in_range((uint16_t) product) && looks_like_stlink(dirfd)))
                return 0;
        return -EINVAL;
}

/* "1-1.2": a bus and ports, and so no way out of the folder. */
static bool is_port(const char *port) {
        size_t bus = strspn(port, "0123456789"), rest;

        if (bus == 0 || port[bus] != '-' || strlen(port) >= DEVICE_PORT_MAX)
                return false;
        rest = strspn(port + bus + 1, "0123456789.");
        return rest > 0 && port[bus + 1] != '.' && port[bus + 1 + rest] == '\0' &&
               !strstr(port, "..");
}

static int device_open(const char *port, AdminDevice *ret) {
        _cleanup_device_ AdminDevice device = { .dirfd = -EBADF };
        char path[sizeof(DEVICES) + DEVICE_PORT_MAX + 1];
        unsigned bus, address;
        int r;

        if (!is_port(port))
                return -EINVAL;
        (void) snprintf(path, sizeof(path), DEVICES "/%s", port);
        device.dirfd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (device.dirfd < 0)
                return errno == ENOENT ? -ENODEV : -errno;
        r = check_is_stlink(device.dirfd);
        if (r >= 0)
                r = read_number(device.dirfd, "busnum", 10, &bus);
        if (r >= 0)
                r = read_number(device.dirfd, "devnum", 10, &address);
        if (r < 0)
                return r;
        (void) snprintf(device.port, sizeof(device.port), "%s", port);
        (void) snprintf(device.node, sizeof(device.node), "/dev/bus/usb/%03u/%03u", bus % 1000,
                        address % 1000);
        *ret = device;
        device.dirfd = -EBADF;
        return 0;
}

int device_find(const char *port, const char *node, AdminDevice *ret, sd_bus_error *error) {
        int r = device_open(port, ret);

        if (r == -EINVAL)
                return bus_error_setf(error, EINVAL, "There is no ST-LINK on port \"%s\"", port);
        if (r == -ENODEV)
                return bus_error_setf(error, ENODEV, "Nothing is plugged into port %s", port);
        if (r < 0)
                return r;
        if (strcmp(ret->node, node) == 0)
                return 0;
        device_done(ret);
        return bus_error_setf(error, ENODEV, "Another device is plugged into port %s by now", port);
}

int device_find_node(const char *node, AdminDevice *ret) {
        char link[64], path[PATH_MAX];
        struct stat st;
        ssize_t n;
        int r;

        if (strncmp(node, "/dev/bus/usb/", strlen("/dev/bus/usb/")) != 0 || strstr(node, ".."))
                return -EINVAL;
        if (lstat(node, &st) < 0)
                return errno == ENOENT ? -ENODEV : -errno;
        if (!S_ISCHR(st.st_mode) || major(st.st_rdev) != USB_MAJOR)
                return -EINVAL;
        (void) snprintf(link, sizeof(link), "/sys/dev/char/%u:%u", major(st.st_rdev),
                        minor(st.st_rdev));
        n = readlink(link, path, sizeof(path) - 1);
        if (n < 0)
                return errno == ENOENT ? -ENODEV : -errno;
        path[n] = '\0';
        r = device_open(strrchr(path, '/') ? strrchr(path, '/') + 1 : path, ret);
        if (r >= 0 && strcmp(ret->node, node) != 0) {
                device_done(ret);
                r = -ENODEV;
        }
        return r;
}

int device_for_each(int (*each)(const AdminDevice *device, void *userdata), void *userdata) {
        _cleanup_(closedirp) DIR *dir = opendir(DEVICES);
        struct dirent *entry;

        if (!dir)
                return errno == ENOENT ? 0 : -errno;
        while ((entry = readdir(dir))) {
                _cleanup_device_ AdminDevice device = { .dirfd = -EBADF };
                int r;

                if (device_open(entry->d_name, &device) < 0)
                        continue;
                r = each(&device, userdata);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- who uses it -------------------------------------------------------------------------- */

static int refuse_user(const AdminDevice *device, pid_t pid, sd_bus_error *error) {
        _cleanup_(process_freep) Process *process = NULL;

        if (process_new(pid, &process) < 0)
                return 0; /* gone meanwhile */
        return bus_error_setf(error, EBUSY,
                              "The probe on port %s is open in %s (pid %d) of %s. End that program "
                              "first",
                              device->port, process->command, (int) pid, process->user);
}

static bool is_among(pid_t pid, const pid_t *pids, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (pids[i] == pid)
                        return true;
        return false;
}

int device_check_unused(const AdminDevice *device, const pid_t *allowed, size_t n,
                        sd_bus_error *error) {
        ScanTarget target = {};
        ScanHits hits = {};
        int r = node_key_read(AT_FDCWD, device->node, &target.key);

        if (r >= 0)
                r = scan_processes(&target, 1, &hits);
        for (size_t i = 0; i < hits.n && r >= 0; i++)
                if (!is_among(hits.items[i].pid, allowed, n))
                        r = refuse_user(device, hits.items[i].pid, error);
        scan_hits_clear(&hits);
        return r;
}

/* --- what it is here for ------------------------------------------------------------------ */

static int write_switch(int fd, const char *value) {
        return pwrite(fd, value, 1, 0) == 1 ? 0 : -errno;
}

/* Off and on again, whatever comes of the first. */
static int toggle(int dirfd, const char *attribute, const char *off, const char *on, Usec span) {
        _cleanup_close_ int fd = openat(dirfd, attribute, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        int r, q;

        if (fd < 0)
                return -errno;
        r = write_switch(fd, off);
        (void) usleep((useconds_t) span);
        q = write_switch(fd, on);
        return r < 0 ? r : q;
}

int device_reauthorize(const AdminDevice *device) {
        return toggle(device->dirfd, "authorized", "0", "1", USEC_PER_SEC / 2);
}

int device_power_cycle(const AdminDevice *device) {
        /* Since Linux 6.0, see Documentation/ABI/testing/sysfs-bus-usb */
        int r = toggle(device->dirfd, "port/disable", "1", "0", OFF_TIME);

        return r == -ENOENT || r == -ENOTDIR ? -EOPNOTSUPP : r;
}
