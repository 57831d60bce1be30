/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/fd.h"
#include "usb/node.h"

static int node_ioctl(int fd, unsigned long request, void *argument) {
        int r;

        do
                r = ioctl(fd, request, argument);
        while (r < 0 && errno == EINTR);
        return r < 0 ? -errno : 0;
}

int node_get_device(int fd, uint8_t *ret_device) {
        struct usbdevfs_connectinfo info = {};
        int r = node_ioctl(fd, USBDEVFS_CONNECTINFO, &info);

        if (r < 0)
                return r;
        *ret_device = (uint8_t) info.devnum;
        return 0;
}

int node_open(const char *path, uint8_t bus, uint8_t device, int *ret_fd) {
        _cleanup_close_ int fd = -EBADF;
        char expected[32];
        uint8_t actual;
        int r;

        (void) snprintf(expected, sizeof(expected), "/dev/bus/usb/%03u/%03u", bus, device);
        if (strcmp(path, expected) != 0)
                return -EINVAL;
        fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
        if (fd < 0)
                return errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;

        r = node_get_device(fd, &actual);
        if (r < 0)
                return r;
        if (actual != device)
                return -ENODEV;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int node_get_driver(int fd, unsigned interface, char *driver) {
        struct usbdevfs_getdriver argument = { .interface = interface };
        int r = node_ioctl(fd, USBDEVFS_GETDRIVER, &argument);

        if (r < 0)
                return r;
        argument.driver[sizeof(argument.driver) - 1] = '\0';
        memcpy(driver, argument.driver, sizeof(argument.driver));
        return 0;
}

int node_detach(int fd, unsigned interface) {
        struct usbdevfs_ioctl argument = { .ifno = (int) interface,
                                           .ioctl_code = USBDEVFS_DISCONNECT };
        int r = node_ioctl(fd, USBDEVFS_IOCTL, &argument);

        return r == -ENODATA ? 0 : r; /* nobody had it */
}

int node_attach(int fd, unsigned interface) {
        struct usbdevfs_ioctl argument = { .ifno = (int) interface,
                                           .ioctl_code = USBDEVFS_CONNECT };
        int r = node_ioctl(fd, USBDEVFS_IOCTL, &argument);

        return r == -EBUSY ? 0 : r; /* it has a driver */
}

int node_claim(int fd, unsigned interface) {
        return node_ioctl(fd, USBDEVFS_CLAIMINTERFACE, &interface);
}

int node_release(int fd, unsigned interface) {
        int r = node_ioctl(fd, USBDEVFS_RELEASEINTERFACE, &interface);

        return r == -EINVAL ? 0 : r; /* not claimed by this file */
}

int node_set_up(int fd, unsigned interface) {
        struct usbdevfs_setinterface argument = { .interface = interface };

        return node_ioctl(fd, USBDEVFS_SETINTERFACE, &argument);
}

int node_reset(int fd) {
        return node_ioctl(fd, USBDEVFS_RESET, NULL);
}

int node_limit(int fd, uint32_t mask) {
        return node_ioctl(fd, USBDEVFS_DROP_PRIVILEGES, &mask);
}
