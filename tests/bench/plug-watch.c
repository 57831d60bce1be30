/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prints when a probe's plug-in passes three posts, one line each, in microseconds since boot:
 *   kernel  the kernel's uevent for the USB device
 *   udev    udev is through with it
 *   added   stlinkd's InterfacesAdded, which it sends when all is known of the probe
 */
#include <errno.h>
#include <inttypes.h>
#include <libudev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <time.h>

#define ADDED                                                                 \
        "type='signal',sender='io.github.stlinkd1',member='InterfacesAdded'," \
        "interface='org.freedesktop.DBus.ObjectManager',arg0path='/io/github/stlinkd1/probe/'"

static void print_now(const char *post) {
        struct timespec now;

        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        (void) printf("%s %" PRId64 "\n", post,
                      (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000);
        (void) fflush(stdout);
}

/* The kernel's message has no ID_ properties yet, so the vendor is in PRODUCT=483/374b/100. */
static int device_event(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct udev_monitor *monitor = userdata;
        struct udev_device *device = udev_monitor_receive_device(monitor);
        const char *action, *product, *type;

        (void) fd;
        (void) revents;
        if (!device)
                return 0;
        action = udev_device_get_action(device);
        type = udev_device_get_devtype(device);
        product = udev_device_get_property_value(device, "PRODUCT");
        if (action && strcmp(action, "add") == 0 && type && strcmp(type, "usb_device") == 0 &&
            product && strncmp(product, "483/", 4) == 0) {
                const char *post = NULL;

                (void) sd_event_source_get_description(source, &post);
                print_now(post);
        }
        udev_device_unref(device);
        return 0;
}

static int probe_added(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        (void) message;
        (void) userdata;
        (void) error;
        print_now("added");
        return 0;
}

/* Watch one of udev's two streams, "kernel" or "udev". */
static int watch_devices(sd_event *event, struct udev *udev, const char *stream) {
        struct udev_monitor *monitor = udev_monitor_new_from_netlink(udev, stream);
        sd_event_source *source = NULL;
        int r;

        if (!monitor)
                return -ENOMEM;
        (void) udev_monitor_set_receive_buffer_size(monitor, 1 << 20);
        r = udev_monitor_enable_receiving(monitor);
        if (r >= 0)
                r = sd_event_add_io(event, &source, udev_monitor_get_fd(monitor), EPOLLIN,
                                    device_event, monitor);
        if (r >= 0)
                r = sd_event_source_set_description(source, stream);
        return r;
}

static int watch_daemon(sd_event *event, sd_bus **ret) {
        sd_bus *bus = NULL;
        int r = sd_bus_open_system(&bus);

        if (r >= 0)
                r = sd_bus_add_match(bus, NULL, ADDED, probe_added, NULL);
        if (r >= 0)
                r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
        *ret = bus;
        return r;
}

/* Runs until it is killed. What it holds, it holds until then. */
int main(void) {
        struct udev *udev = udev_new();
        sd_event *event = NULL;
        sd_bus *bus = NULL;
        int r = udev ? sd_event_new(&event) : -ENOMEM;

        if (r >= 0)
                r = watch_devices(event, udev, "kernel");
        if (r >= 0)
                r = watch_devices(event, udev, "udev");
        if (r >= 0)
                r = watch_daemon(event, &bus);
        if (r >= 0) {
                (void) printf("ready\n");
                (void) fflush(stdout);
                r = sd_event_loop(event);
        }
        (void) fprintf(stderr, "plug-watch: %s\n", strerror(-r));
        return EXIT_FAILURE;
}
