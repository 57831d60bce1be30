/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bus/names.h"
#include "manager-cast.h"

/* dbus/io.github.stlinkd1.xml is the contract. The daemon's own description of each of its
 * objects must have the same members, with the same arguments, types and annotations, and no
 * others. */

#define LINES_MAX 256

/* --- reading a description ---------------------------------------------------------------- */

/* One line per member, argument and annotation, sorted: "interface/member/…". */
typedef struct Lines {
        char text[LINES_MAX][256];
        size_t n;
} Lines;

static void attribute(const char *tag, const char *end, const char *name, char *buffer,
                      size_t size) {
        char pattern[32];
        const char *found, *close;

        buffer[0] = 0;
        (void) snprintf(pattern, sizeof(pattern), " %s=\"", name);
        found = strstr(tag, pattern);
        if (!found || found >= end)
                return;
        found += strlen(pattern);
        close = strchr(found, '"');
        ck_assert_ptr_nonnull(close);
        (void) snprintf(buffer, size, "%.*s", (int) (close - found), found);
}

static void add_line(Lines *lines, const char *interface, const char *member, const char *tag,
                     const char *end, const char *kind) {
        static const char *const names[] = { "name", "type", "direction", "access", "value" };
        char *line = lines->text[lines->n++];
        size_t used;

        ck_assert_uint_lt(lines->n, LINES_MAX);
        used = (size_t) snprintf(line, 256, "%s/%s/%s", interface, member, kind);
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                char value[128];

                attribute(tag, end, names[i], value, sizeof(value));
                used += (size_t) snprintf(line + used, 256 - used, " %s", value);
        }
}

static int compare_lines(const void *a, const void *b) {
        return strcmp(a, b);
}

/* Not a parser of XML, but of what the two sides of this comparison consist of. */
static void read_description(const char *xml, Lines *lines) {
        char interface[128] = "", member[128] = "";

        *lines = (Lines){};
        for (const char *tag = xml; (tag = strchr(tag, '<')); tag++) {
                const char *end;

                if (strncmp(tag, "<!--", 4) == 0) {
                        tag = strstr(tag, "-->");
                        ck_assert_ptr_nonnull(tag);
                        continue;
                }
                end = strchr(tag, '>');
                ck_assert_ptr_nonnull(end);
                if (strncmp(tag, "<interface ", 11) == 0) {
                        attribute(tag, end, "name", interface, sizeof(interface));
                        member[0] = 0;
                } else if (strncmp(tag, "<method ", 8) == 0 || strncmp(tag, "<signal ", 8) == 0 ||
                           strncmp(tag, "<property ", 10) == 0) {
                        attribute(tag, end, "name", member, sizeof(member));
                        add_line(lines, interface, member, tag, end,
                                 tag[1] == 'm'   ? "method"
                                 : tag[1] == 's' ? "signal"
                                                 : "property");
                } else if (strncmp(tag, "<arg ", 5) == 0) {
                        add_line(lines, interface, member, tag, end, "arg");
                } else if (strncmp(tag, "<annotation ", 12) == 0) {
                        add_line(lines, interface, member, tag, end, "annotation");
                }
        }
        qsort(lines->text, lines->n, sizeof(lines->text[0]), compare_lines);
}

/* Keep the lines of one interface. */
static void select_interface(Lines *lines, const char *interface) {
        size_t length = strlen(interface), n = 0;

        for (size_t i = 0; i < lines->n; i++)
                if (strncmp(lines->text[i], interface, length) == 0 &&
                    lines->text[i][length] == '/')
                        memmove(lines->text[n++], lines->text[i], sizeof(lines->text[0]));
        lines->n = n;
}

/* --- the running daemon ------------------------------------------------------------------- */

typedef struct Description {
        bool done;
        char *xml;
} Description;

static int on_description(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Description *description = userdata;
        const char *xml;

        (void) error;
        ck_assert(!sd_bus_message_is_method_error(message, NULL));
        ck_assert_int_gt(sd_bus_message_read(message, "s", &xml), 0);
        description->xml = strdup(xml);
        description->done = true;
        return 0;
}

static void check_object(const char *path, const char *interface) {
        static Lines contract, real;
        Description description = {};
        sd_bus_slot *slot = NULL;
        char *xml = NULL;

        ck_assert_int_eq(read_file_at(AT_FDCWD, CONTRACT, 1 << 20, &xml, NULL), 0);
        read_description(xml, &contract);
        free(xml);
        ck_assert_int_ge(sd_bus_call_method_async(alice.bus, &slot, STLINKD_BUS_NAME, path,
                                                  "org.freedesktop.DBus.Introspectable",
                                                  "Introspect", on_description, &description, ""),
                         0);
        ck_assert(world_wait(&world, &description.done));
        sd_bus_slot_unref(slot);
        read_description(description.xml, &real);
        free(description.xml);

        select_interface(&contract, interface);
        select_interface(&real, interface);
        ck_assert_uint_gt(contract.n, 2);
        for (size_t i = 0; i < contract.n && i < real.n; i++)
                ck_assert_str_eq(real.text[i], contract.text[i]);
        ck_assert_uint_eq(real.n, contract.n);
}

START_TEST(test_contract) {
        Answer lease;

        world_begin(&world);
        world_start(&world);
        client_begin(&alice, &world);
        fake_plug("1-1", "/dev/bus/usb/001/002", ID);
        world_settle(&world, 100);
        client_acquire(&alice, ID, &lease, NULL);
        ck_assert(world_wait(&world, &lease.done));
        ck_assert_str_eq(lease.error, "");

        check_object(STLINKD_PATH, STLINKD_MANAGER_INTERFACE);
        check_object(probe_path(ID), STLINKD_PROBE_INTERFACE);
        check_object(lease.path, STLINKD_LEASE_INTERFACE);

        answer_clear(&lease);
        client_end(&alice);
        world_settle(&world, 50);
        ck_assert_uint_eq(world_end(&world), 0);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("bus-contract");
        TCase *tcase = tcase_create("introspection");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, test_contract);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
