/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "udev-world.h"
#include "udev/descriptors.h"
#include "udev/watch.h"

static const WorldInterface debug = { 0xff, 0xff, 0xff }, msd = { 0x08, 0x06, 0x50 },
                            cdc = { 0x02, 0x02, 0x01 }, cdc_data = { 0x0a, 0, 0 };

/* Everything that was told, as "+1-1 ~1-1 -1-1 " */
static char told[4096];
static const UdevProbe *last;
static sd_event *event;
static UdevWatch *watch;

static void on_probe(const UdevProbe *probe, UdevEvent what, void *userdata) {
        size_t used = strlen(told);

        ck_assert_ptr_eq(userdata, &last);
        snprintf(told + used, sizeof(told) - used, "%c%s ", "+~-"[what], probe -> port_path);
        last = what == UDEV_REMOVED ? NULL : probe;
}

static void start(void) {
        const char *why;
        int r = world_enter(&why);

        ck_assert_msg(r == 0, "%s: %s", why, strerror(-r));
        told[0] = 0;
        ck_assert_int_ge(sd_event_new(&event), 0);
        ck_assert_int_eq(udev_watch_new(event, on_probe, &last, &watch), 0);
}

static void stop(void) {
        watch = udev_watch_free(watch);
        event = sd_event_unref(event);
}

static void expect(const char *what) {
        while (sd_event_run(event, 20 * 1000) > 0)
                ;
        ck_assert_str_eq(told, what);
        told[0] = 0;
}

static void add_v2_1(const char *port, unsigned address, const char *serial) {
        world_add_device(port, address, 0x0483, 0x374b, serial, 4);
        world_add_interface(port, 0, debug);
        world_add_interface(port, 1, msd);
        world_add_interface(port, 2, cdc);
        world_add_interface(port, 3, cdc_data);
}

static const UdevChild *child_named(const char *name) {
        for (size_t i = 0; i < last->n_children; i++)
                if (strcmp(last->children[i].name, name) == 0)
                        return &last->children[i];
        return NULL;
}

START_TEST(probes_there_at_the_start) {
        const UdevChild *child;

        add_v2_1("1-1", 7, "066DFF504955857567012345");
        world_add_tty("1-1", 2, "ttyACM3");
        world_add_disk("1-1", 1, "sdx");
        world_add_device("1-2", 8, 0x1d6b, 0x0002, NULL, 1);
        ck_assert_int_eq(udev_watch_coldplug(watch), 0);
        expect("+1-1 ~1-1 ~1-1 ");

        ck_assert_ptr_nonnull(last);
        ck_assert_str_eq(last->path, "/sys/devices/pci0000:00/usb1/1-1");
        ck_assert_str_eq(last->node, "/dev/bus/usb/001/007");
        ck_assert_uint_eq(last->number, makedev(189, 6));
        ck_assert_uint_eq(last->bus, 1);
        ck_assert_uint_eq(last->address, 7);
        ck_assert_uint_eq(last->vendor_id, 0x0483);
        ck_assert_uint_eq(last->product_id, 0x374b);
        ck_assert_uint_eq(last->release, 0x0100);
        ck_assert_str_eq(last->serial, "066DFF504955857567012345");
        ck_assert_str_eq(last->product_text, "STM32 \\x1BSTLink");
        ck_assert_int_eq(last->product->model, PROBE_MODEL_V2_1);
        ck_assert_uint_eq(last->parts, PROBE_PART_DEBUG | PROBE_PART_VCP | PROBE_PART_MSD);
        ck_assert_uint_eq(last->n_interfaces, 4);
        ck_assert_str_eq(last->debug->path, "/sys/devices/pci0000:00/usb1/1-1/1-1:1.0");
        ck_assert_uint_eq(last->interfaces[3].class, 0x0a);

        child = child_named("ttyACM3");
        ck_assert_ptr_nonnull(child);
        ck_assert_str_eq(child->node, "/dev/ttyACM3");
        ck_assert_uint_eq(child->part, PROBE_PART_VCP);
        ck_assert_uint_eq(child->interface, 2);
        ck_assert_uint_eq(child->number, makedev(166, 0));
        child = child_named("sdx");
        ck_assert_ptr_nonnull(child);
        ck_assert_uint_eq(child->part, PROBE_PART_MSD);

        ck_assert_ptr_eq(udev_watch_next(watch, NULL), last);
        ck_assert_ptr_null(udev_watch_next(watch, last));
        ck_assert_int_eq(udev_watch_coldplug(watch), 0);
        expect("");
}
END_TEST

START_TEST(probe_is_plugged_in_and_pulled) {
        world_add_device("1-1", 7, 0x0483, 0x374b, "A", 4);
        world_send("add", "1-1", 7, "", "usb", "usb_device");
        expect("");
        world_add_interface("1-1", 0, debug);
        world_send("add", "1-1", 7, ":1.0", "usb", "usb_interface");
        expect("");
        add_v2_1("1-1", 7, "A");
        world_send("add", "1-1", 7, ":1.1", "usb", "usb_interface");
        expect("+1-1 ");
        world_send("add", "1-1", 7, ":1.2", "usb", "usb_interface");
        world_send("bind", "1-1", 7, ":1.2", "usb", "usb_interface");
        world_send("bind", "1-1", 7, "", "usb", "usb_device");
        expect("");

        world_add_tty("1-1", 2, "ttyACM0");
        world_send("add", "1-1", 7, ":1.2/tty/ttyACM0", "tty", NULL);
        expect("~1-1 ");
        ck_assert_ptr_nonnull(child_named("ttyACM0"));
        world_send("change", "1-1", 7, ":1.2/tty/ttyACM0", "tty", NULL);
        expect("");
        world_send("remove", "1-1", 7, ":1.2/tty/ttyACM0", "tty", NULL);
        expect("~1-1 ");
        ck_assert_uint_eq(last->n_children, 0);

        world_remove_device("1-1");
        world_send("remove", "1-1", 7, ":1.0", "usb", "usb_interface");
        world_send("remove", "1-1", 7, "", "usb", "usb_device");
        expect("-1-1 ");
        world_send("remove", "1-1", 7, "", "usb", "usb_device");
        expect("");
        ck_assert_ptr_null(udev_watch_next(watch, NULL));
}
END_TEST

START_TEST(device_without_configuration_is_told_of) {
        world_add_device("1-1", 7, 0x0483, 0x3748, NULL, 0);
        world_send("add", "1-1", 7, "", "usb", "usb_device");
        expect("");
        world_send("bind", "1-1", 7, "", "usb", "usb_device");
        expect("+1-1 ");
        ck_assert_ptr_null(last->debug);
        ck_assert_ptr_null(last->serial);
        world_add_interface("1-1", 0, debug);
        world_send("add", "1-1", 7, ":1.0", "usb", "usb_interface");
        expect("~1-1 ");
        ck_assert_ptr_nonnull(last->debug);
        world_remove("/sys/devices/pci0000:00/usb1/1-1/1-1:1.0");
        world_send("remove", "1-1", 7, ":1.0", "usb", "usb_interface");
        expect("~1-1 ");
        ck_assert_ptr_null(last->debug);
}
END_TEST

START_TEST(raw_serial_is_kept) {
        static const char serial[] = "W\xc3\xbfr\nIfSI8C\x15\n";

        add_v2_1("1-1", 7, serial);
        ck_assert_int_eq(udev_watch_coldplug(watch), 0);
        expect("+1-1 ");
        ck_assert_str_eq(last->serial, serial);
}
END_TEST

/* The port is the same, the device is not, and nobody told that the first one left. */
START_TEST(lost_removal_is_made_good) {
        add_v2_1("1-1", 7, "A");
        world_send("bind", "1-1", 7, "", "usb", "usb_device");
        expect("+1-1 ");
        world_remove_device("1-1");
        world_add_device("1-1", 9, 0x0483, 0x3748, "A", 1);
        world_add_interface("1-1", 0, debug);
        world_send("add", "1-1", 9, "", "usb", "usb_device");
        expect("-1-1 +1-1 ");
        ck_assert_uint_eq(last->product_id, 0x3748);
}
END_TEST

START_TEST(overflow_is_made_good) {
        add_v2_1("1-1", 7, "A");
        add_v2_1("1-2", 8, "B");
        add_v2_1("1-3", 9, "C");
        world_add_tty("1-2", 2, "ttyACM0");
        ck_assert_int_eq(udev_watch_coldplug(watch), 0);
        expect("+1-1 +1-2 +1-3 ~1-2 ");

        world_remove_device("1-1");
        world_remove("/sys/devices/pci0000:00/usb1/1-2/1-2:1.2/tty");
        world_remove("/sys/class/tty/ttyACM0");
        world_remove_device("1-3");
        add_v2_1("1-3", 10, "C");
        add_v2_1("1-4", 11, "D");
        for (int i = 0; i < 20000; i++)
                world_send("change", "1-9", 99, "", "usb", "usb_device");
        expect("-1-1 ~1-2 -1-3 +1-3 +1-4 ");
}
END_TEST

/* Configuration 1 with interface 0 and its endpoints, after a device descriptor */
#define DEVICE            0x12, 0x01, 0, 2, 0, 0, 0, 0x40, 0x83, 0x04, 0x58, 0x37, 0, 1, 1, 2, 3, 1
#define CONFIGURATION     0x09, 0x02, 0x27, 0, 1, 1, 0, 0x80, 0x32
#define INTERFACE(n, c)   0x09, 0x04, (n), 0, 3, (c), (c), (c), 0
#define ENDPOINT(a, type) 0x07, 0x05, (a), (type), 0x40, 0, 0

static const struct {
        const char *what;
        bool like;
        size_t size;
        uint8_t data[96];
} shapes[] = {
        { "V2",
          true,
          57,
          { DEVICE, CONFIGURATION, INTERFACE(0, 0xff), ENDPOINT(0x81, 2), ENDPOINT(2, 2),
            ENDPOINT(0x83, 2) } },
        { "loader of V3",
          true,
          50,
          { DEVICE, CONFIGURATION, INTERFACE(0, 0xff), ENDPOINT(1, 2), ENDPOINT(0x81, 2) } },
        { "debug interface is not the first one listed",
          true,
          66,
          { DEVICE, CONFIGURATION, INTERFACE(1, 8), INTERFACE(0, 0xff), ENDPOINT(1, 2),
            ENDPOINT(0x81, 2), ENDPOINT(0x82, 2) } },
        { "no OUT", false, 43, { DEVICE, CONFIGURATION, INTERFACE(0, 0xff), ENDPOINT(0x81, 2) } },
        { "interrupt endpoint",
          false,
          57,
          { DEVICE, CONFIGURATION, INTERFACE(0, 0xff), ENDPOINT(1, 2), ENDPOINT(0x81, 2),
            ENDPOINT(0x82, 3) } },
        { "other address",
          false,
          50,
          { DEVICE, CONFIGURATION, INTERFACE(0, 0xff), ENDPOINT(3, 2), ENDPOINT(0x81, 2) } },
        { "two OUT",
          false,
          57,
          { DEVICE, CONFIGURATION, INTERFACE(0, 0xff), ENDPOINT(1, 2), ENDPOINT(2, 2),
            ENDPOINT(0x81, 2) } },
        { "interface 1",
          false,
          50,
          { DEVICE, CONFIGURATION, INTERFACE(1, 0xff), ENDPOINT(1, 2), ENDPOINT(0x81, 2) } },
        { "other class",
          false,
          50,
          { DEVICE, CONFIGURATION, INTERFACE(0, 3), ENDPOINT(1, 2), ENDPOINT(0x81, 2) } },
        { "cut short",
          false,
          48,
          { DEVICE, CONFIGURATION, INTERFACE(0, 0xff), ENDPOINT(1, 2), ENDPOINT(0x81, 2) } },
        { "length 0", false, 20, { DEVICE, 0, 0 } },
        { "nothing", false, 0, {} },
};

START_TEST(shape_is_told) {
        ck_assert_msg(descriptors_look_like_stlink(shapes[_i].data, shapes[_i].size) ==
                              shapes[_i].like,
                      "%s", shapes[_i].what);
}
END_TEST

static void add_unknown(const char *port, unsigned address, uint16_t product, size_t shape) {
        char path[128];

        world_add_device(port, address, 0x0483, product, "E", 1);
        world_add_interface(port, 0, debug);
        snprintf(path, sizeof(path), "/sys/devices/pci0000:00/usb1/%s/descriptors", port);
        world_write(path, shapes[shape].data, shapes[shape].size);
}

START_TEST(unknown_variants) {
        add_unknown("1-1", 7, 0x3758, 0);
        add_unknown("1-2", 8, 0x3758, 3); /* in range, not in shape */
        add_unknown("1-3", 9, 0x5740, 0); /* in shape, not in range */
        world_add_device("1-4", 10, 0x0483, 0x3759, "F", 1);
        ck_assert_int_eq(udev_watch_coldplug(watch), 0);
        expect("+1-1 ");
        ck_assert_ptr_null(last->product);
        ck_assert_uint_eq(last->parts, PROBE_PART_DEBUG);
}
END_TEST

static int run(Suite *suite) {
        SRunner *runner = srunner_create(suite);
        int failed;

        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Whether this process may make a world; tried in another one, which keeps it. */
static bool world_is_possible(void) {
        const char *why;
        pid_t pid = fork();
        int status, r;

        if (pid == 0) {
                r = world_enter(&why);
                if (r < 0)
                        printf("SKIP: tests with a sysfs of their own: %s: %s\n", why,
                               strerror(-r));
                fflush(stdout);
                _exit(r < 0);
        }
        return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Each test has its own process, and with it its own namespaces. */
static TCase *make_world_tests(void) {
        TCase *tests = tcase_create("world");

        tcase_add_checked_fixture(tests, start, stop);
        tcase_set_timeout(tests, 60);
        tcase_add_test(tests, probes_there_at_the_start);
        tcase_add_test(tests, probe_is_plugged_in_and_pulled);
        tcase_add_test(tests, device_without_configuration_is_told_of);
        tcase_add_test(tests, raw_serial_is_kept);
        tcase_add_test(tests, lost_removal_is_made_good);
        tcase_add_test(tests, overflow_is_made_good);
        tcase_add_test(tests, unknown_variants);
        return tests;
}

int main(void) {
        Suite *suite = suite_create("udev");
        TCase *pure = tcase_create("descriptors");
        bool possible = world_is_possible();
        int r;

        tcase_add_loop_test(pure, shape_is_told, 0, ELEMENTSOF(shapes));
        suite_add_tcase(suite, pure);
        if (possible)
                suite_add_tcase(suite, make_world_tests());
        r = run(suite);
        return r == EXIT_SUCCESS && !possible ? 77 : r;
}
