/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/usbdevice_fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/macro.h"
#include "bus/names.h"

/* A client that goes on using the descriptor of a lease that it has lost.
 *
 *   keeper PROBE LIMIT   take a lease of that object for LIMIT microseconds, have its node opened,
 *                        claim the debug interface, say "claimed", and wait for an answer that
 *                        never comes. When that fails, say with what, and try everything again
 *                        and again until SIGTERM; then say what succeeded. */

#define PAUSE 2000 /* µs */

typedef enum Deed {
        CLAIM,
        TRANSFER,
        RESET,
        DETACH,
        _DEED_MAX
} Deed;

static const char *const deeds[] = { "claims", "transfers", "resets", "detaches" };
static volatile sig_atomic_t stopped;

static void on_term(int signal) {
        (void) signal;
        stopped = 1;
}

_noreturn_ static void die(const char *what, int error) {
        fprintf(stderr, "keeper: %s: %s\n", what, strerror(error < 0 ? -error : error));
        exit(2);
}

static int call(sd_bus *bus, const char *path, const char *interface, const char *method,
                uint64_t limit, sd_bus_message **ret) {
        sd_bus_message *message = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &message, STLINKD_BUS_NAME, path, interface,
                                           method);
        if (r >= 0 && limit > 0)
                r = sd_bus_message_append(message, "a{sv}", 1, "limit", "t", limit);
        else if (r >= 0)
                r = sd_bus_message_append(message, "a{sv}", 0);
        if (r >= 0)
                r = sd_bus_call(bus, message, 0, NULL, ret);
        sd_bus_message_unref(message);
        return r;
}

/* The node's descriptor, our own copy */
static int open_node(sd_bus *bus, const char *probe, uint64_t limit) {
        sd_bus_message *reply = NULL;
        const char *lease;
        int r, fd;

        r = call(bus, probe, STLINKD_PROBE_INTERFACE, "Acquire", limit, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "oh", &lease, &fd);
        if (r < 0)
                die("Acquire", r);
        (void) fcntl(fd, F_DUPFD_CLOEXEC, 3); /* the lease lasts as long as we do */
        r = call(bus, lease, STLINKD_LEASE_INTERFACE, "Open", 0, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "h", &fd);
        if (r < 0)
                die("Open", r);
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                die("fcntl", errno);
        return fd;
}

static int perform(int fd, Deed deed) {
        struct usbdevfs_ioctl detach = { .ioctl_code = USBDEVFS_DISCONNECT };
        unsigned interface = 0;
        char buffer[64];
        struct usbdevfs_bulktransfer bulk = { .ep = 0x81, .len = sizeof(buffer), .data = buffer };

        switch (deed) {
        case CLAIM:
                return ioctl(fd, USBDEVFS_CLAIMINTERFACE, &interface);
        case TRANSFER:
                return ioctl(fd, USBDEVFS_BULK, &bulk);
        case RESET:
                return ioctl(fd, USBDEVFS_RESET, NULL);
        default:
                return ioctl(fd, USBDEVFS_IOCTL, &detach);
        }
}

static void go_on(int fd) {
        unsigned tried = 0, passed[_DEED_MAX] = {};

        for (; !stopped; tried++) {
                for (int deed = 0; deed < _DEED_MAX; deed++)
                        if (perform(fd, (Deed) deed) >= 0)
                                passed[deed]++;
                usleep(PAUSE);
        }
        printf("tried: %u\n", tried);
        for (int deed = 0; deed < _DEED_MAX; deed++)
                printf("%s: %u\n", deeds[deed], passed[deed]);
}

int main(int argc, char *argv[]) {
        struct sigaction action = { .sa_handler = on_term };
        sd_bus *bus = NULL;
        int r, fd;

        if (argc != 3) {
                fprintf(stderr, "usage: keeper PROBE LIMIT\n");
                return 2;
        }
        (void) sigaction(SIGTERM, &action, NULL);
        setvbuf(stdout, NULL, _IOLBF, 0);
        r = sd_bus_open_system(&bus);
        if (r < 0)
                die("bus", r);
        fd = open_node(bus, argv[1], strtoull(argv[2], NULL, 10));
        if (perform(fd, CLAIM) < 0)
                die("claim", errno);
        printf("claimed\n");
        if (perform(fd, TRANSFER) >= 0)
                die("transfer", EPROTO);
        printf("woken: %s\n", strerrorname_np(errno));
        go_on(fd);
        sd_bus_unref(bus);
        return 0;
}
