/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"
#include "udev-world.h"

/* Also of use outside of a test, where check's own assertions are not */
#define require(condition)                                                                  \
        do {                                                                                \
                if (!(condition)) {                                                         \
                        fprintf(stderr, "%s:%d: %s: %m\n", __FILE__, __LINE__, #condition); \
                        abort();                                                            \
                }                                                                           \
        } while (0)

#define BUS "/sys/devices/pci0000:00/usb1"

static void write_text(const char *path, const char *text) {
        world_write(path, text, strlen(text));
}

static void make_folders(const char *path) {
        char copy[512];

        snprintf(copy, sizeof(copy), "%s", path);
        for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = 0;
                require(mkdir(copy, 0755) == 0 || errno == EEXIST);
                *slash = '/';
        }
}

static int map_ids(void) {
        char line[64];
        unsigned uid = geteuid(), gid = getegid();

        if (unshare(CLONE_NEWUSER) < 0)
                return -errno;
        write_text("/proc/self/setgroups", "deny");
        snprintf(line, sizeof(line), "0 %u 1", uid);
        write_text("/proc/self/uid_map", line);
        snprintf(line, sizeof(line), "0 %u 1", gid);
        write_text("/proc/self/gid_map", line);
        return 0;
}

int world_enter(const char **ret_why) {
        *ret_why = "unshare(CLONE_NEWUSER)";
        if (geteuid() != 0 && map_ids() < 0)
                return -errno;
        *ret_why = "unshare(CLONE_NEWNS | CLONE_NEWNET)";
        if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0)
                return -errno;
        *ret_why = "mount";
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", "/sys", "tmpfs", 0, "mode=755") < 0 ||
            mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0)
                return -errno;
        /* libudev: the tmpfs is no sysfs, and udevd runs */
        setenv("SYSTEMD_DEVICE_VERIFY_SYSFS", "0", 1);
        write_text("/run/udev/control", "");
        make_folders("/sys/bus/usb/devices/");
        make_folders("/sys/class/tty/");
        make_folders("/sys/class/block/");
        return 0;
}

void world_write(const char *path, const void *data, size_t size) {
        _cleanup_close_ int fd = -EBADF;

        make_folders(path);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        require(fd >= 0);
        require(write_full(fd, data, size) == 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        (void) st;
        (void) type;
        (void) ftw;
        return remove(path);
}

void world_remove(const char *path) {
        require(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
}

_printf_(3, 4) static void attribute(const char *folder, const char *name, const char *format,
                                     ...) {
        char path[512], value[512];
        va_list args;

        va_start(args, format);
        vsnprintf(value, sizeof(value), format, args);
        va_end(args);
        snprintf(path, sizeof(path), "%s/%s", folder, name);
        write_text(path, value);
}

static void link_to(const char *target, const char *folder, const char *name) {
        char path[512];

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        (void) unlink(path);
        require(symlink(target, path) == 0);
}

void world_add_device(const char *port, unsigned address, uint16_t vendor, uint16_t product,
                      const char *serial, unsigned n_interfaces) {
        char folder[256];

        snprintf(folder, sizeof(folder), BUS "/%s", port);
        attribute(folder, "uevent",
                  "MAJOR=189\nMINOR=%u\nDEVNAME=bus/usb/001/%03u\nDEVTYPE=usb_device\n"
                  "PRODUCT=%x/%x/100\n",
                  address - 1, address, vendor, product);
        attribute(folder, "busnum", "1\n");
        attribute(folder, "devnum", "%u\n", address);
        attribute(folder, "idVendor", "%04x\n", vendor);
        attribute(folder, "idProduct", "%04x\n", product);
        attribute(folder, "bcdDevice", "0100\n");
        attribute(folder, "bNumInterfaces", "%2u\n", n_interfaces);
        attribute(folder, "product", "STM32 \x1bSTLink\n");
        if (serial)
                attribute(folder, "serial", "%s\n", serial);
        link_to("/sys/bus/usb", folder, "subsystem");
        link_to(folder, "/sys/bus/usb/devices", port);
}

void world_add_interface(const char *port, unsigned number, WorldInterface interface) {
        char folder[256], name[64];

        snprintf(name, sizeof(name), "%s:1.%u", port, number);
        snprintf(folder, sizeof(folder), BUS "/%s/%s", port, name);
        attribute(folder, "uevent", "DEVTYPE=usb_interface\n");
        attribute(folder, "bInterfaceNumber", "%02x\n", number);
        attribute(folder, "bInterfaceClass", "%02x\n", interface.class);
        attribute(folder, "bInterfaceSubClass", "%02x\n", interface.subclass);
        attribute(folder, "bInterfaceProtocol", "%02x\n", interface.protocol);
        link_to("/sys/bus/usb", folder, "subsystem");
        link_to(folder, "/sys/bus/usb/devices", name);
}

void world_add_tty(const char *port, unsigned interface, const char *name) {
        char folder[256];

        snprintf(folder, sizeof(folder), BUS "/%s/%s:1.%u/tty/%s", port, port, interface, name);
        attribute(folder, "uevent", "MAJOR=166\nMINOR=0\nDEVNAME=%s\n", name);
        link_to("/sys/class/tty", folder, "subsystem");
        link_to(folder, "/sys/class/tty", name);
}

void world_add_disk(const char *port, unsigned interface, const char *name) {
        char folder[256];

        snprintf(folder, sizeof(folder), BUS "/%s/%s:1.%u/host0/block/%s", port, port, interface,
                 name);
        attribute(folder, "uevent", "MAJOR=8\nMINOR=0\nDEVNAME=%s\nDEVTYPE=disk\n", name);
        link_to("/sys/class/block", folder, "subsystem");
        link_to(folder, "/sys/class/block", name);
}

void world_remove_device(const char *port) {
        char path[256];

        snprintf(path, sizeof(path), "/sys/bus/usb/devices/%s", port);
        world_remove(path);
        snprintf(path, sizeof(path), BUS "/%s", port);
        world_remove(path);
}

/* MurmurHash2, by which libudev's socket filter knows subsystem and devtype */
static uint32_t hash(const char *text) {
        const uint32_t m = 0x5bd1e995;
        size_t n = strlen(text);
        uint32_t h = (uint32_t) n;

        for (; n >= 4; text += 4, n -= 4) {
                uint32_t k;

                memcpy(&k, text, 4);
                k *= m;
                k ^= k >> 24;
                h = (h * m) ^ (k * m);
        }
        if (n > 0) {
                for (size_t i = n; i-- > 0;)
                        h ^= (uint32_t) (uint8_t) text[i] << (8 * i);
                h *= m;
        }
        h = (h ^ h >> 13) * m;
        return h ^ h >> 15;
}

static size_t add_property(char *buffer, size_t used, const char *name, const char *value) {
        return value ? used + (size_t) sprintf(buffer + used, "%s=%s", name, value) + 1 : used;
}

static void multicast(const char *subsystem, const char *devtype, char *properties, size_t size) {
        struct {
                char prefix[8];
                uint32_t magic, header_size, properties_offset, properties_size;
                uint32_t subsystem_hash, devtype_hash, tags_high, tags_low;
        } header = { "libudev",
                     htonl(0xfeedcafe),
                     sizeof(header),
                     sizeof(header),
                     (uint32_t) size,
                     htonl(hash(subsystem)),
                     devtype ? htonl(hash(devtype)) : 0,
                     0,
                     0 };
        struct sockaddr_nl to = { .nl_family = AF_NETLINK, .nl_groups = 2 };
        struct iovec parts[] = { { &header, sizeof(header) }, { properties, size } };
        struct msghdr message = { &to, sizeof(to), parts, 2, NULL, 0, 0 };
        _cleanup_close_ int fd = -EBADF;

        fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
        require(fd >= 0);
        /* ENOBUFS tells that a listener lost it, ECONNREFUSED that there is none. */
        if (sendmsg(fd, &message, 0) < 0)
                require(errno == ENOBUFS || errno == ECONNREFUSED);
}

void world_send(const char *action, const char *port, unsigned address, const char *path,
                const char *subsystem, const char *devtype) {
        static unsigned sequence = 1;
        char properties[1024], devpath[256], number[16], node[64];
        size_t n = 0;

        snprintf(devpath, sizeof(devpath), "/devices/pci0000:00/usb1/%s%s%s%s", port,
                 *path ? "/" : "", *path ? port : "", path);
        n = add_property(properties, n, "ACTION", action);
        n = add_property(properties, n, "DEVPATH", devpath);
        n = add_property(properties, n, "SUBSYSTEM", subsystem);
        n = add_property(properties, n, "DEVTYPE", devtype);
        snprintf(number, sizeof(number), "%u", sequence++);
        n = add_property(properties, n, "SEQNUM", number);
        if (*path == 0) {
                snprintf(number, sizeof(number), "%u", address - 1);
                snprintf(node, sizeof(node), "/dev/bus/usb/001/%03u", address);
                n = add_property(properties, n, "MAJOR", "189");
                n = add_property(properties, n, "MINOR", number);
                n = add_property(properties, n, "DEVNAME", node);
        } else if (strcmp(subsystem, "usb") != 0) {
                snprintf(node, sizeof(node), "/dev/%s", strrchr(path, '/') + 1);
                n = add_property(properties, n, "MAJOR",
                                 strcmp(subsystem, "tty") == 0 ? "166" : "8");
                n = add_property(properties, n, "MINOR", "0");
                n = add_property(properties, n, "DEVNAME", node);
        }
        multicast(subsystem, devtype, properties, n);
}
