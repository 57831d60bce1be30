/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "udev/descriptors.h"
#include "udev/probe.h"

/* The kernel shows a string descriptor as at most 126 units of at most 3 bytes. */
#define STRING_MAX 400
/* More interfaces than that on one device are no ST-LINK. */
#define INTERFACES_MAX 32
#define CHILDREN_MAX   64

/* Read an unsigned number in the given base; -ENODEV when the attribute is gone, -EINVAL. */
static int read_number_at(int dirfd, const char *attribute, int base, unsigned max, unsigned *ret) {
        char line[32], *end;
        unsigned long value;
        int r;

        r = read_line_at(dirfd, attribute, line, sizeof(line));
        if (r < 0)
                return r == -ENOENT ? -ENODEV : r;
        errno = 0;
        value = strtoul(line, &end, base);
        if (errno || end == line || end[strspn(end, " ")] != 0 || value > max)
                return -EINVAL;
        *ret = (unsigned) value;
        return 0;
}

/* A serial may hold newlines of its own: only the one that the kernel adds is taken away. */
static int read_string_at(int dirfd, const char *attribute, char **ret) {
        char *text;
        size_t size;
        int r;

        r = read_file_at(dirfd, attribute, STRING_MAX, &text, &size);
        if (r == -ENOENT) {
                *ret = NULL;
                return 0;
        }
        if (r < 0)
                return r;
        if (size > 0 && text[size - 1] == '\n')
                text[size - 1] = 0;
        *ret = text;
        return 0;
}

static int read_printable_at(int dirfd, const char *attribute, char **ret) {
        _cleanup_free_ char *text = NULL;
        char printable[STRING_MAX];
        int r;

        r = read_string_at(dirfd, attribute, &text);
        if (r < 0)
                return r;
        if (!text) {
                *ret = NULL;
                return 0;
        }
        (void) text_escape(text, strlen(text), printable, sizeof(printable));
        *ret = strdup(printable);
        return *ret ? 0 : -ENOMEM;
}

static bool looks_like_stlink(int dirfd) {
        _cleanup_free_ char *data = NULL;
        size_t size;

        if (read_file_at(dirfd, "descriptors", 64 * 1024, &data, &size) < 0)
                return false;
        return descriptors_look_like_stlink((const uint8_t *) data, size);
}

/* Returns 1 for an ST-LINK, 0 for any other device. */
static int read_ids(int dirfd, UdevProbe *probe) {
        unsigned vendor, product, release;
        int r;

        r = read_number_at(dirfd, "idVendor", 16, UINT16_MAX, &vendor);
        if (r < 0)
                return r;
        if (vendor != STLINK_VENDOR_ID)
                return 0;
        r = read_number_at(dirfd, "idProduct", 16, UINT16_MAX, &product);
        if (r < 0)
                return r;
        probe->vendor_id = (uint16_t) vendor;
        probe->product_id = (uint16_t) product;
        if (read_number_at(dirfd, "bcdDevice", 16, UINT16_MAX, &release) == 0)
                probe->release = (uint16_t) release;
        probe->product = probe_product_find(probe->vendor_id, probe->product_id);
        if (probe->product)
                return 1;
        return product_id_is_in_range(probe->product_id) && looks_like_stlink(dirfd);
}

static int read_address(int dirfd, UdevProbe *probe) {
        int r;

        r = read_number_at(dirfd, "busnum", 10, UINT16_MAX, &probe->bus);
        if (r < 0)
                return r;
        return read_number_at(dirfd, "devnum", 10, UINT16_MAX, &probe->address);
}

static int open_folder(const char *path) {
        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return errno == ENOENT ? -ENODEV : -errno;
        return fd;
}

int udev_probe_read(struct udev_device *device, UdevProbe **ret) {
        _cleanup_(udev_probe_freep) UdevProbe *probe = NULL;
        _cleanup_close_ int dirfd = -EBADF;
        const char *node;
        int r;

        dirfd = open_folder(udev_device_get_syspath(device));
        if (dirfd < 0)
                return dirfd;
        probe = calloc(1, sizeof(*probe));
        if (!probe)
                return -ENOMEM;
        r = read_ids(dirfd, probe);
        if (r < 0)
                return r;
        node = udev_device_get_devnode(device);
        if (r == 0 || !node) {
                *ret = NULL;
                return 0;
        }
        r = read_address(dirfd, probe);
        if (r < 0)
                return r;
        probe->port_path = strdup(udev_device_get_sysname(device));
        probe->path = strdup(udev_device_get_syspath(device));
        probe->node = strdup(node);
        if (!probe->port_path || !probe->path || !probe->node)
                return -ENOMEM;
        probe->number = udev_device_get_devnum(device);
        r = read_string_at(dirfd, "serial", &probe->serial);
        if (r < 0)
                return r;
        r = read_printable_at(dirfd, "product", &probe->product_text);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(probe);
        return 0;
}

static void interfaces_free(UdevInterface *interfaces, size_t n) {
        for (size_t i = 0; i < n; i++)
                free(interfaces[i].path);
        free(interfaces);
}

static void child_done(UdevChild *child) {
        free(child->path);
        free(child->name);
        free(child->node);
        free(child->link);
}

UdevProbe *udev_probe_free(UdevProbe *probe) {
        if (!probe)
                return NULL;
        for (size_t i = 0; i < probe->n_children; i++)
                child_done(&probe->children[i]);
        free(probe->children);
        interfaces_free(probe->interfaces, probe->n_interfaces);
        free(probe->port_path);
        free(probe->path);
        free(probe->node);
        free(probe->serial);
        free(probe->product_text);
        free(probe);
        return NULL;
}

bool udev_probe_is_complete(const UdevProbe *probe) {
        _cleanup_close_ int dirfd = open_folder(probe->path);
        unsigned n;

        if (dirfd < 0 || !probe->debug)
                return false;
        /* Empty while there is no configuration */
        return read_number_at(dirfd, "bNumInterfaces", 10, UINT8_MAX, &n) < 0 ||
               probe->n_interfaces >= n;
}

bool udev_probe_is_present(const UdevProbe *probe) {
        _cleanup_close_ int dirfd = open_folder(probe->path);
        UdevProbe now = {};

        return dirfd >= 0 && read_address(dirfd, &now) == 0 && now.bus == probe->bus &&
               now.address == probe->address;
}

static unsigned part_of(const UdevInterface *interface) {
        if (interface->number == 0)
                return PROBE_PART_DEBUG;
        switch (interface->class) {
        case 0x02: /* CDC control */
        case 0x0a: /* CDC data */
                return PROBE_PART_VCP;
        case 0x08:
                return PROBE_PART_MSD;
        case 0xff:
                return PROBE_PART_BRIDGE;
        default:
                return 0;
        }
}

static int interface_read(int dirfd, const char *folder, const char *name, UdevInterface *ret) {
        static const char *const attributes[] = { "bInterfaceNumber", "bInterfaceClass",
                                                  "bInterfaceSubClass", "bInterfaceProtocol" };
        _cleanup_close_ int fd = -EBADF;
        unsigned values[ELEMENTSOF(attributes)];

        fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? -ENODEV : -errno;
        for (size_t i = 0; i < ELEMENTSOF(attributes); i++) {
                int r = read_number_at(fd, attributes[i], 16, UINT8_MAX, &values[i]);

                if (r < 0)
                        return r;
        }
        *ret = (UdevInterface){ .number = (uint8_t) values[0],
                                .class = (uint8_t) values[1],
                                .subclass = (uint8_t) values[2],
                                .protocol = (uint8_t) values[3] };
        ret->part = part_of(ret);
        return asprintf(&ret->path, "%s/%s", folder, name) < 0 ? -ENOMEM : 0;
}

static int compare_interfaces(const void *a, const void *b) {
        return ((const UdevInterface *) a)->number - ((const UdevInterface *) b)->number;
}

/* Interfaces are the folders that are named after the device: "1-1.2:1.0". One that vanishes
 * while it is read does not count; its own event follows. */
static int list_interfaces(const UdevProbe *probe, DIR *dir, UdevInterface *list, size_t *n) {
        size_t length = strlen(probe->port_path);
        struct dirent *entry;

        while (errno = 0, (entry = readdir(dir))) {
                int r;

                if (strncmp(entry->d_name, probe->port_path, length) != 0 ||
                    entry->d_name[length] != ':')
                        continue;
                if (*n >= INTERFACES_MAX)
                        return -E2BIG;
                r = interface_read(dirfd(dir), probe->path, entry->d_name, &list[*n]);
                if (r == 0)
                        (*n)++;
                else if (r != -ENODEV && r != -EINVAL)
                        return r;
        }
        return -errno;
}

static bool interfaces_equal(const UdevProbe *probe, const UdevInterface *list, size_t n) {
        if (probe->n_interfaces != n)
                return false;
        for (size_t i = 0; i < n; i++) {
                const UdevInterface *a = &probe->interfaces[i], *b = &list[i];

                if (a->number != b->number || a->class != b->class || a->subclass != b->subclass ||
                    a->protocol != b->protocol)
                        return false;
        }
        return true;
}

static void adopt_interfaces(UdevProbe *probe, UdevInterface *list, size_t n) {
        interfaces_free(probe->interfaces, probe->n_interfaces);
        probe->interfaces = list;
        probe->n_interfaces = n;
        probe->parts = 0;
        probe->debug = NULL;
        for (size_t i = 0; i < n; i++) {
                probe->parts |= list[i].part;
                if (list[i].number == 0)
                        probe->debug = &list[i];
        }
}

int udev_probe_read_interfaces(UdevProbe *probe) {
        UdevInterface *list;
        DIR *dir;
        size_t n = 0;
        int r;

        dir = opendir(probe->path);
        if (!dir)
                return errno == ENOENT ? -ENODEV : -errno;
        list = calloc(INTERFACES_MAX, sizeof(*list));
        r = list ? list_interfaces(probe, dir, list, &n) : -ENOMEM;
        closedir(dir);
        if (r < 0 ||
            (qsort(list, n, sizeof(*list), compare_interfaces), interfaces_equal(probe, list, n))) {
                interfaces_free(list, n);
                return r;
        }
        adopt_interfaces(probe, list, n);
        return 1;
}

bool udev_probe_owns(const UdevProbe *probe, const char *path, uint8_t *ret_interface) {
        size_t length = strlen(probe->path);
        unsigned interface;
        const char *colon;
        int used = 0;

        if (strncmp(path, probe->path, length) != 0 || path[length] != '/')
                return false;
        path += length + 1;
        length = strlen(probe->port_path);
        if (strncmp(path, probe->port_path, length) != 0 || path[length] != ':')
                return false;
        colon = path + length;
        if (sscanf(colon, ":%*u.%3u%n", &interface, &used) != 1 || interface > UINT8_MAX ||
            (colon[used] != '/' && colon[used] != 0))
                return false;
        *ret_interface = (uint8_t) interface;
        return true;
}

static UdevChild *find_child(UdevProbe *probe, const char *path) {
        for (size_t i = 0; i < probe->n_children; i++)
                if (strcmp(probe->children[i].path, path) == 0)
                        return &probe->children[i];
        return NULL;
}

static unsigned part_of_child(const UdevProbe *probe, struct udev_device *device,
                              uint8_t interface) {
        if (interface == 0)
                return PROBE_PART_DEBUG;
        for (size_t i = 0; i < probe->n_interfaces; i++)
                if (probe->interfaces[i].number == interface)
                        return probe->interfaces[i].part;
        return strcmp(udev_device_get_subsystem(device), "tty") == 0 ? PROBE_PART_VCP
                                                                     : PROBE_PART_MSD;
}

/* The name that survives re-plug, best first: ours, then those that udev gives to everybody. */
static const char *find_link(struct udev_device *device) {
        static const char *const folders[] = { "/dev/stlink/by-serial/", "/dev/serial/by-id/",
                                               "/dev/disk/by-id/" };
        struct udev_list_entry *item;

        for (size_t i = 0; i < ELEMENTSOF(folders); i++)
                udev_list_entry_foreach(item, udev_device_get_devlinks_list_entry(device)) {
                        const char *name = udev_list_entry_get_name(item);

                        if (strncmp(name, folders[i], strlen(folders[i])) == 0)
                                return name;
                }
        return NULL;
}

static bool same_text(const char *a, const char *b) {
        return strcmp(a ?: "", b ?: "") == 0;
}

static int child_init(UdevChild *child, struct udev_device *device) {
        const char *link = find_link(device);

        *child = (UdevChild){ .path = strdup(udev_device_get_syspath(device)),
                              .name = strdup(udev_device_get_sysname(device)),
                              .node = strdup(udev_device_get_devnode(device)),
                              .link = link ? strdup(link) : NULL,
                              .number = udev_device_get_devnum(device) };
        if (child->path && child->name && child->node && !link == !child->link)
                return 0;
        child_done(child);
        return -ENOMEM;
}

int udev_probe_add_child(UdevProbe *probe, struct udev_device *device, uint8_t interface) {
        UdevChild child, *known, *children;
        int r;

        if (!udev_device_get_devnode(device))
                return 0;
        known = find_child(probe, udev_device_get_syspath(device));
        if (known && known->number == udev_device_get_devnum(device) &&
            strcmp(known->node, udev_device_get_devnode(device)) == 0 &&
            same_text(known->link, find_link(device)))
                return 0;
        if (!known && probe->n_children >= CHILDREN_MAX)
                return -E2BIG;
        r = child_init(&child, device);
        if (r < 0)
                return r;
        child.interface = interface;
        child.part = part_of_child(probe, device, interface);
        if (known) {
                child_done(known);
                *known = child;
                return 1;
        }
        children = reallocarray(probe->children, probe->n_children + 1, sizeof(*children));
        if (!children) {
                child_done(&child);
                return -ENOMEM;
        }
        probe->children = children;
        children[probe->n_children++] = child;
        return 1;
}

int udev_probe_remove_child(UdevProbe *probe, const char *path) {
        UdevChild *child = find_child(probe, path);

        if (!child)
                return 0;
        child_done(child);
        probe->n_children--;
        memmove(child, child + 1,
                (size_t) (probe->children + probe->n_children - child) * sizeof(*child));
        return 1;
}

int udev_probe_prune_children(UdevProbe *probe) {
        int changed = 0;

        for (size_t i = 0; i < probe->n_children;)
                if (access(probe->children[i].path, F_OK) < 0)
                        changed = udev_probe_remove_child(probe, probe->children[i].path);
                else
                        i++;
        return changed;
}
