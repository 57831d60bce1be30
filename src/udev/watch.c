/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <libudev.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "udev/probe.h"
#include "udev/watch.h"

/* A hub full of probes sends a burst; without the right to go beyond net.core.rmem_max the
 * kernel grants less, and watch_resync() makes good what gets lost then. */
#define RECEIVE_BUFFER (4 * 1024 * 1024)
/* How many events are handled before others in the loop get their turn */
#define BATCH 64

typedef struct Entry {
        UdevProbe *probe;
        bool announced;
        List link;
} Entry;

struct UdevWatch {
        struct udev *udev;
        struct udev_monitor *monitor;
        sd_event_source *source;
        UdevHandler handler;
        void *userdata;
        List entries;
        bool stale; /* something got lost: look at everything again */
        struct udev_monitor *kernel;
        sd_event_source *kernel_source;
        UdevDeviceHandler device_handler;
        void *device_userdata;
};

DEFINE_CLEANUP(struct udev_device *, udev_device_unref)
DEFINE_CLEANUP(struct udev_enumerate *, udev_enumerate_unref)

/* What we listen to and what we enumerate, in this order. A null pattern leaves a kind out of
 * the enumeration: the interfaces are read with their device. */
static const struct {
        const char *subsystem, *devtype, *pattern;
} kinds[] = {
        { "usb", "usb_interface", NULL },
        { "usb", "usb_device", "*" },
        { "tty", NULL, "ttyACM*" },
        { "block", "disk", "*" },
};

static Entry *find_entry(UdevWatch *watch, const char *path) {
        LIST_FOREACH(&watch->entries, Entry, entry, link)
                if (strcmp(entry->probe->path, path) == 0)
                        return entry;
        return NULL;
}

static Entry *find_owner(UdevWatch *watch, const char *path, uint8_t *ret_interface) {
        LIST_FOREACH(&watch->entries, Entry, entry, link)
                if (udev_probe_owns(entry->probe, path, ret_interface))
                        return entry;
        return NULL;
}

static void entry_free(Entry *entry) {
        list_remove(&entry->link);
        udev_probe_free(entry->probe);
        free(entry);
}

static void entry_gone(UdevWatch *watch, Entry *entry) {
        if (entry->announced)
                watch->handler(entry->probe, UDEV_REMOVED, watch->userdata);
        entry_free(entry);
}

/* Tell about an entry that was read anew; final: it will not get any more complete. */
static void entry_announce(UdevWatch *watch, Entry *entry, bool changed, bool final) {
        if (entry->announced) {
                if (changed)
                        watch->handler(entry->probe, UDEV_CHANGED, watch->userdata);
                return;
        }
        if (!final && !udev_probe_is_complete(entry->probe))
                return;
        entry->announced = true;
        watch->handler(entry->probe, UDEV_ADDED, watch->userdata);
}

static int entry_refresh(UdevWatch *watch, Entry *entry, bool final) {
        int r = udev_probe_read_interfaces(entry->probe);

        if (r < 0)
                return r;
        entry_announce(watch, entry, r > 0, final);
        return 0;
}

static int entry_new(UdevWatch *watch, struct udev_device *device, bool final) {
        UdevProbe *probe = NULL;
        Entry *entry;
        int r;

        r = udev_probe_read(device, &probe);
        if (r < 0 || !probe)
                return r;
        entry = calloc(1, sizeof(*entry));
        if (!entry) {
                udev_probe_free(probe);
                return -ENOMEM;
        }
        entry->probe = probe;
        list_append(&watch->entries, &entry->link);
        return entry_refresh(watch, entry, final);
}

/* --- devices of all kinds ----------------------------------------------------------------- */

static void tell_device(UdevWatch *watch, struct udev_device *device, UdevDeviceEvent event) {
        const char *bus = udev_device_get_property_value(device, "BUSNUM");
        const char *address = udev_device_get_property_value(device, "DEVNUM");

        if (watch->device_handler && bus && address)
                watch->device_handler((unsigned) atoi(bus), (unsigned) atoi(address), event,
                                      watch->device_userdata);
}

/* PRODUCT=483/374b/100, in hexadecimal */
static bool is_of_our_vendor(struct udev_device *device) {
        const char *product = udev_device_get_property_value(device, "PRODUCT");

        return product && strtoul(product, NULL, 16) == STLINK_VENDOR_ID;
}

static int on_kernel(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        UdevWatch *watch = userdata;

        (void) source, (void) fd, (void) revents;
        for (int i = 0; i < BATCH; i++) {
                _cleanup_(udev_device_unrefp) struct udev_device *device = NULL;
                const char *action;

                device = udev_monitor_receive_device(watch->kernel);
                if (!device)
                        return 0;
                action = udev_device_get_action(device);
                if (action && strcmp(action, "remove") == 0)
                        tell_device(watch, device, UDEV_DEVICE_GONE);
                else if (!is_of_our_vendor(device))
                        tell_device(watch, device, UDEV_DEVICE_FOREIGN);
        }
        return 0;
}

int udev_watch_set_devices(UdevWatch *watch, sd_event *event, UdevDeviceHandler handler,
                           void *userdata) {
        int r;

        watch->device_handler = handler;
        watch->device_userdata = userdata;
        errno = 0;
        watch->kernel = udev_monitor_new_from_netlink(watch->udev, "kernel");
        if (!watch->kernel)
                return errno > 0 ? -errno : -ENOMEM;
        r = udev_monitor_filter_add_match_subsystem_devtype(watch->kernel, "usb", "usb_device");
        if (r < 0)
                return r;
        r = udev_monitor_enable_receiving(watch->kernel);
        if (r < 0)
                return r;
        r = sd_event_add_io(event, &watch->kernel_source, udev_monitor_get_fd(watch->kernel),
                            EPOLLIN, on_kernel, watch);
        if (r < 0)
                return r;
        /* It is ahead of what udev says, also when both are there. */
        return sd_event_source_set_priority(watch->kernel_source, SD_EVENT_PRIORITY_IMPORTANT);
}

/* --- probes ------------------------------------------------------------------------------- */

static int handle_usb_device(UdevWatch *watch, struct udev_device *device, const char *action) {
        Entry *entry = find_entry(watch, udev_device_get_syspath(device));
        /* The kernel binds its generic driver last, when it has made the interfaces. What was
         * there before us has been through that already. */
        bool final = !action || strcmp(action, "bind") == 0;
        bool same = entry && entry->probe->number == udev_device_get_devnum(device);
        int r;

        if (action && strcmp(action, "remove") == 0) {
                if (same)
                        entry_gone(watch, entry);
                return 0;
        }
        /* The removal got lost, or is still to come while another device has the port. */
        if (entry && !same) {
                entry_gone(watch, entry);
                entry = NULL;
        }
        if (entry)
                return entry_refresh(watch, entry, final);
        r = entry_new(watch, device, final);
        if (r == 0 && !find_entry(watch, udev_device_get_syspath(device)))
                tell_device(watch, device, UDEV_DEVICE_FOREIGN);
        return r;
}

static int handle_interface(UdevWatch *watch, struct udev_device *device, const char *action) {
        uint8_t interface;
        Entry *entry = find_owner(watch, udev_device_get_syspath(device), &interface);

        /* What drivers do to the interfaces of a probe that is known already changes nothing
         * here; the gate watches the one that matters. */
        if (!entry || (entry->announced && action && strcmp(action, "add") != 0 &&
                       strcmp(action, "remove") != 0))
                return 0;
        return entry_refresh(watch, entry, /* final= */ false);
}

static int handle_child(UdevWatch *watch, struct udev_device *device, const char *action) {
        const char *path = udev_device_get_syspath(device);
        uint8_t interface;
        Entry *entry = find_owner(watch, path, &interface);
        int r;

        if (!entry)
                return 0;
        if (action && strcmp(action, "remove") == 0)
                r = udev_probe_remove_child(entry->probe, path);
        else
                r = udev_probe_add_child(entry->probe, device, interface);
        if (r > 0)
                entry_announce(watch, entry, /* changed= */ true, /* final= */ false);
        return r < 0 ? r : 0;
}

/* The one handler for what is found and for what happens; action is NULL for the former. */
static void handle_device(UdevWatch *watch, struct udev_device *device, const char *action) {
        const char *subsystem = udev_device_get_subsystem(device);
        const char *devtype = udev_device_get_devtype(device);
        int r;

        if (!subsystem)
                return;
        if (strcmp(subsystem, "usb") != 0)
                r = handle_child(watch, device, action);
        else if (devtype && strcmp(devtype, "usb_device") == 0)
                r = handle_usb_device(watch, device, action);
        else
                r = handle_interface(watch, device, action);
        /* A device that is gone before it was read says so in an event of its own. */
        if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
                watch->stale = true;
}

static int enumerate_kind(UdevWatch *watch, size_t kind) {
        _cleanup_(udev_enumerate_unrefp) struct udev_enumerate *enumerate = NULL;
        struct udev_list_entry *item;
        int r;

        enumerate = udev_enumerate_new(watch->udev);
        if (!enumerate)
                return -ENOMEM;
        r = udev_enumerate_add_match_subsystem(enumerate, kinds[kind].subsystem);
        if (r >= 0 && kinds[kind].devtype)
                r = udev_enumerate_add_match_property(enumerate, "DEVTYPE", kinds[kind].devtype);
        if (r >= 0)
                r = udev_enumerate_add_match_sysname(enumerate, kinds[kind].pattern);
        if (r >= 0)
                r = udev_enumerate_scan_devices(enumerate);
        if (r < 0)
                return r;
        udev_list_entry_foreach(item, udev_enumerate_get_list_entry(enumerate)) {
                _cleanup_(udev_device_unrefp) struct udev_device *device = NULL;

                device = udev_device_new_from_syspath(watch->udev, udev_list_entry_get_name(item));
                if (device)
                        handle_device(watch, device, /* action= */ NULL);
        }
        return 0;
}

int udev_watch_coldplug(UdevWatch *watch) {
        int r;

        for (size_t kind = 0; kind < ELEMENTSOF(kinds); kind++) {
                r = kinds[kind].pattern ? enumerate_kind(watch, kind) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Events were lost. First forget what is gone, so that a probe on another port is not taken
 * for a second one, then find what is new. */
static void watch_resync(UdevWatch *watch) {
        watch->stale = false;
        LIST_FOREACH(&watch->entries, Entry, entry, link) {
                if (!udev_probe_is_present(entry->probe))
                        entry_gone(watch, entry);
                else if (udev_probe_prune_children(entry->probe) > 0)
                        entry_announce(watch, entry, /* changed= */ true, /* final= */ false);
        }
        if (udev_watch_coldplug(watch) < 0)
                watch->stale = true;
}

static int on_monitor(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        UdevWatch *watch = userdata;

        (void) source;
        (void) fd;
        (void) revents;
        for (int i = 0; i < BATCH; i++) {
                _cleanup_(udev_device_unrefp) struct udev_device *device = NULL;

                errno = 0;
                device = udev_monitor_receive_device(watch->monitor);
                if (device) {
                        handle_device(watch, device, udev_device_get_action(device));
                        continue;
                }
                if (errno == ENOBUFS)
                        watch->stale = true;
                else
                        break;
        }
        if (watch->stale)
                watch_resync(watch);
        return 0;
}

static int watch_listen(UdevWatch *watch, sd_event *event) {
        int r;

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                r = udev_monitor_filter_add_match_subsystem_devtype(
                        watch->monitor, kinds[i].subsystem, kinds[i].devtype);
                if (r < 0)
                        return r;
        }
        (void) udev_monitor_set_receive_buffer_size(watch->monitor, RECEIVE_BUFFER);
        r = udev_monitor_enable_receiving(watch->monitor);
        if (r < 0)
                return r;
        return sd_event_add_io(event, &watch->source, udev_monitor_get_fd(watch->monitor), EPOLLIN,
                               on_monitor, watch);
}

int udev_watch_new(sd_event *event, UdevHandler handler, void *userdata, UdevWatch **ret) {
        _cleanup_(udev_watch_freep) UdevWatch *watch = NULL;
        int r;

        watch = calloc(1, sizeof(*watch));
        if (!watch)
                return -ENOMEM;
        list_init(&watch->entries);
        watch->handler = handler;
        watch->userdata = userdata;
        watch->udev = udev_new();
        if (!watch->udev)
                return -ENOMEM;
        errno = 0;
        watch->monitor = udev_monitor_new_from_netlink(watch->udev, "udev");
        if (!watch->monitor)
                return errno > 0 ? -errno : -ENOMEM;
        r = watch_listen(watch, event);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(watch);
        return 0;
}

UdevWatch *udev_watch_free(UdevWatch *watch) {
        if (!watch)
                return NULL;
        LIST_FOREACH(&watch->entries, Entry, entry, link)
                entry_free(entry);
        sd_event_source_disable_unref(watch->source);
        sd_event_source_disable_unref(watch->kernel_source);
        udev_monitor_unref(watch->monitor);
        udev_monitor_unref(watch->kernel);
        udev_unref(watch->udev);
        free(watch);
        return NULL;
}

const UdevProbe *udev_watch_next(const UdevWatch *watch, const UdevProbe *previous) {
        bool take = !previous;

        LIST_FOREACH(&watch->entries, Entry, entry, link) {
                if (take && entry->announced)
                        return entry->probe;
                if (entry->probe == previous)
                        take = true;
        }
        return NULL;
}
