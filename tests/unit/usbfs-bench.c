/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "fake-usb.h"
#include "usbfs-bench.h"
#include "usbfs/usbfs.h"

#define DEVICES_MAX 126

volatile Seen *seen;
static pid_t server = -1;

typedef struct Device {
        FakeUsb fake; /* first */
        unsigned number;
        Usbfs *fs;
        UsbClock *clock;
        UsbfsEntry *entry;
        unsigned devnum;
} Device;

static bool write_to(const char *path, const char *text) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

        return fd >= 0 && write_full(fd, text, strlen(text)) == 0;
}

/* The user is the same inside. */
static bool map_one(const char *path, unsigned id) {
        char text[64];

        snprintf(text, sizeof(text), "%u %u 1", id, id);
        return write_to(path, text);
}

bool bench_enter(void) {
        unsigned uid = getuid(), gid = getgid();

        seen = mmap(NULL, sizeof(Seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (seen == MAP_FAILED || access("/dev/fuse", R_OK | W_OK) < 0) {
                perror("skipped: /dev/fuse");
                return false;
        }
        /* A namespace of our own even for root, so that nothing of the host's can be hurt. */
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || !write_to("/proc/self/setgroups", "deny") ||
            !map_one("/proc/self/uid_map", uid) || !map_one("/proc/self/gid_map", gid) ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
                perror("skipped: no user and mount namespaces");
                return false;
        }
        return true;
}

/* The server */

static void on_driver_changed(unsigned interface, const char *driver, void *userdata) {
        (void) userdata;
        strncpy((char *) seen->drivers[interface], driver ? driver : "", 15);
}

static void on_opened(void *userdata) {
        (void) userdata;
        seen->opened++;
}

static void on_closed(void *userdata) {
        (void) userdata;
        seen->closed++;
}

static const UsbfsNodeOps node_operations = {
        .driver_changed = on_driver_changed,
        .opened = on_opened,
        .closed = on_closed,
};

static void plug(Device *device) {
        const UsbfsPlug plug = { .bus = 1,
                                 .devnum = device->devnum,
                                 .device = &device->fake.usb,
                                 .clock = device->clock,
                                 .ops = device->number == 0 ? &node_operations : NULL,
                                 .userdata = device };

        if (usbfs_plug(device->fs, &plug, &device->entry) < 0)
                abort();
}

static void on_attached(UsbDevice *usb, void *userdata) {
        Device *device = userdata;

        (void) usb;
        device->devnum++;
        plug(device);
}

static void on_detached(UsbDevice *usb, void *userdata) {
        Device *device = userdata;

        (void) usb;
        device->entry = usbfs_unplug(device->entry);
}

static const UsbHostOps host_operations = {
        .detached = on_detached,
        .attached = on_attached,
};

/* The server ends when the test does, however it does. */
static int on_stop(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        (void) fd;
        (void) revents;
        (void) userdata;
        return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int on_turn(sd_event_source *source, void *userdata) {
        const Device *devices = userdata;

        (void) source;
        seen->resets = devices[0].fake.n_resets;
        seen->cleared = devices[0].fake.n_cleared;
        return 0;
}

static int serve(int fuse_fd, int stop_fd, unsigned n_devices) {
        Device *devices = calloc(DEVICES_MAX, sizeof(Device));
        sd_event_source *turn;
        sd_event *event;
        Usbfs *fs;
        int r;

        if (!devices || sd_event_new(&event) < 0 ||
            sd_event_add_io(event, NULL, stop_fd, EPOLLIN, on_stop, NULL) < 0 ||
            sd_event_add_post(event, &turn, on_turn, devices) < 0 ||
            usbfs_new(event, fuse_fd, getuid(), getgid(), 0664, &fs) < 0)
                return 1;
        for (unsigned i = 0; i < n_devices; i++) {
                fake_usb_init(&devices[i].fake);
                devices[i].number = i;
                devices[i].fs = fs;
                devices[i].devnum = i + 2;
                devices[i].fake.usb.host = &host_operations;
                devices[i].fake.usb.host_userdata = &devices[i];
                if (usb_clock_new(event, &devices[i].fake.usb, &devices[i].clock) < 0)
                        return 1;
                plug(&devices[i]);
        }
        r = sd_event_loop(event);
        /* Everything is given back, so that a leak is one. */
        for (unsigned i = 0; i < n_devices; i++) {
                devices[i].entry = usbfs_unplug(devices[i].entry);
                usb_clock_free(devices[i].clock);
                fake_usb_done(&devices[i].fake);
        }
        sd_event_source_unref(turn);
        usbfs_free(fs);
        sd_event_unref(event);
        free(devices);
        return r;
}

/* There when the sanitizer is: a child that leaves by _exit() would otherwise not be looked at. */
void __lsan_do_leak_check(void) __attribute__((weak));

static int stop_pipe = -EBADF;

void bench_start(unsigned n_devices) {
        int fuse_fd, stop[2];

        memset((void *) seen, 0, sizeof(Seen));
        ck_assert_int_eq(usbfs_mount(USBFS_ROOT, &fuse_fd), 0);
        ck_assert_int_eq(pipe2(stop, O_CLOEXEC), 0);
        server = fork();
        if (server == 0) {
                int r;

                close(stop[1]);
                r = serve(fuse_fd, stop[0], n_devices);
                if (__lsan_do_leak_check)
                        __lsan_do_leak_check();
                _exit(r);
        }
        close(fuse_fd);
        close(stop[0]);
        stop_pipe = stop[1];
        ck_assert_int_gt(server, 0);
}

void bench_stop(void) {
        int status;

        stop_pipe = safe_close(stop_pipe);
        ck_assert_int_eq(waitpid(server, &status, 0), server);
        ck_assert_msg(status == 0, "the server ended with status %#x", (unsigned) status);
        (void) umount2(USBFS_ROOT, MNT_DETACH);
}

/* The clients */

int open_node(const char *path) {
        int fd = open(path, O_RDWR | O_CLOEXEC);

        ck_assert_msg(fd >= 0, "open(%s): %s", path, strerror(errno));
        return fd;
}

int io(int fd, unsigned long code, void *argument) {
        int r = ioctl(fd, code, argument);

        return r < 0 ? -errno : r;
}

int submit(int fd, struct usbdevfs_urb *urb, uint8_t endpoint, void *data, int size) {
        *urb = (struct usbdevfs_urb){ .type = USBDEVFS_URB_TYPE_BULK,
                                      .endpoint = endpoint,
                                      .flags = urb->flags,
                                      .buffer = data,
                                      .buffer_length = size,
                                      .status = 12345,
                                      .actual_length = 12345 };
        return io(fd, USBDEVFS_SUBMITURB, urb);
}

int reap(int fd, const struct usbdevfs_urb *expected) {
        struct usbdevfs_urb *got = NULL;
        int r = io(fd, USBDEVFS_REAPURBNDELAY, &got);

        if (r == 0)
                ck_assert_ptr_eq(got, expected);
        return r;
}

int request(int fd, uint8_t code, uint16_t value) {
        struct usbdevfs_ctrltransfer control = {
                .bRequestType = 0x40, .bRequest = code, .wValue = value, .timeout = 2000
        };

        return io(fd, USBDEVFS_CONTROL, &control);
}
