/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/macro.h"
#include "sim/usbip/vhci.h"

#define PLATFORM   "/sys/devices/platform/"
#define CONTROLLER PLATFORM "vhci_hcd.0/" /* its files stand for all controllers */

/* Linux, drivers/usb/usbip/vhci_sysfs.c: a port that is free, in column "sta" of "status". */
#define STATUS_FREE 4

/* A line of a "status" file. */
typedef struct Port {
        int number;
        int status;
        unsigned controller;
        unsigned place; /* of the port on its controller's full-speed bus, from 0 */
} Port;

int vhci_check(void) {
        return access(CONTROLLER "attach", W_OK) < 0 ? -errno : 0;
}

/* Call found for each full-speed port until it returns true. */
static bool each_port(bool (*found)(const Port *port, void *userdata), void *userdata) {
        for (unsigned controller = 0;; controller++) {
                _cleanup_free_ char *text = NULL;
                char path[96], *rest;
                Port port = { .controller = controller };

                snprintf(path, sizeof(path),
                         controller ? CONTROLLER "status.%u" : "%.0u" CONTROLLER "status",
                         controller);
                if (read_file_at(AT_FDCWD, path, 65536, &text, NULL) < 0)
                        return false;
                for (char *line = strtok_r(text, "\n", &rest); line;
                     line = strtok_r(NULL, "\n", &rest)) {
                        if (sscanf(line, "hs %d %d", &port.number, &port.status) != 2)
                                continue;
                        if (found(&port, userdata))
                                return true;
                        port.place++;
                }
        }
}

int vhci_attach(int port, int fd, unsigned devid, UsbSpeed speed) {
        _cleanup_close_ int file = open(CONTROLLER "attach", O_WRONLY | O_CLOEXEC);
        char text[64];
        int n;

        if (file < 0)
                return -errno;
        n = snprintf(text, sizeof(text), "%d %d %u %u", port, fd, devid, (unsigned) speed);
        return write(file, text, (size_t) n) == n ? 0 : -errno;
}

/* The number of a controller's bus for full and high speed: that of its root hub. */
static int find_bus(unsigned controller) {
        char folder[96], path[160], speed[16];
        int found = -ENOENT;
        DIR *d;

        snprintf(folder, sizeof(folder), PLATFORM "vhci_hcd.%u", controller);
        d = opendir(folder);
        if (!d)
                return -errno;
        for (struct dirent *entry = readdir(d); entry && found < 0; entry = readdir(d)) {
                int bus;

                if (sscanf(entry->d_name, "usb%d", &bus) != 1)
                        continue;
                snprintf(path, sizeof(path), "%s/usb%d/speed", folder, bus);
                if (read_line_at(AT_FDCWD, path, speed, sizeof(speed)) > 0 &&
                    strcmp(speed, "480") == 0)
                        found = bus;
        }
        (void) closedir(d);
        return found;
}

/* The kernel's name of the device in a port. */
static int name_port(const Port *port, char *name, size_t size) {
        int bus = find_bus(port->controller);

        if (bus < 0)
                return bus;
        snprintf(name, size, "%d-%u", bus, port->place + 1);
        return 0;
}

/* Nothing is plugged into it. The controller gives the port up at once, while the hub's thread
 * still has to see that the device left: if another came meanwhile it would take the two for one,
 * and nobody would hear of the change. */
static bool is_vacant(const Port *port) {
        char name[32], path[64];

        if (port->status != STATUS_FREE || name_port(port, name, sizeof(name)) < 0)
                return false;
        snprintf(path, sizeof(path), "/sys/bus/usb/devices/%s", name);
        return access(path, F_OK) < 0;
}

typedef struct Search {
        int wanted;
        Port port;
} Search;

static bool is_free(const Port *port, void *userdata) {
        Search *search = userdata;

        search->port = *port;
        return (search->wanted < 0 || search->wanted == port->number) && is_vacant(port);
}

static bool is_wanted(const Port *port, void *userdata) {
        Search *search = userdata;

        search->port = *port;
        return search->wanted == port->number;
}

int vhci_find_port(int wanted) {
        Search search = { .wanted = wanted };

        if (each_port(is_free, &search))
                return search.port.number;
        return wanted < 0 ? -ENOSPC : -EAGAIN;
}

void vhci_locate(int port, char *name, size_t name_size, char *node, size_t node_size) {
        Search search = { .wanted = port };
        char path[96], devnum[16];

        *name = *node = '\0';
        if (!each_port(is_wanted, &search))
                return;
        if (name_port(&search.port, name, name_size) < 0)
                return;
        snprintf(path, sizeof(path), "/sys/bus/usb/devices/%s/devnum", name);
        if (read_line_at(AT_FDCWD, path, devnum, sizeof(devnum)) > 0)
                snprintf(node, node_size, "/dev/bus/usb/%03d/%03d", atoi(name), atoi(devnum));
}
