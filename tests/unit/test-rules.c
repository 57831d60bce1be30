/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/macro.h"
#include "ctl/rules.h"

/* What the rule files that people have make of a probe's node. */

static GroupKind look_up_group(const char *name) {
        if (strcmp(name, "plugdev") == 0)
                return GROUP_SYSTEM;
        return strcmp(name, "users") == 0 ? GROUP_ORDINARY : GROUP_MISSING;
}

static GroupKind no_group(_unused_ const char *name) {
        return GROUP_MISSING;
}

static RulesSubject v2 = { .kernel = "1-1",
                           .product_id = 0x3748,
                           .systemd_version = 252,
                           .look_up_group = look_up_group };

#define DEFAULTS "/usr/lib/udev/rules.d/50-udev-default.rules"
static const char defaults[] = "ACTION==\"remove\", GOTO=\"default_end\"\n"
                               "\n"
                               "SUBSYSTEM==\"usb\", ENV{DEVTYPE}==\"usb_device\", MODE=\"0664\"\n"
                               "SUBSYSTEM==\"tty\", GROUP=\"dialout\", MODE=\"0660\"\n"
                               "LABEL=\"default_end\"\n";

typedef struct File {
        const char *path, *text;
} File;

static void read_files(const RulesSubject *subject, const File *files, size_t n, RulesReport *ret) {
        RulesState state;

        rules_begin(&state, subject, ret);
        rules_feed(&state, DEFAULTS, defaults);
        for (size_t i = 0; i < n; i++)
                rules_feed(&state, files[i].path, files[i].text);
}

static const RuleRemark *find_remark(const RulesReport *report, RuleRemarkKind kind) {
        for (size_t i = 0; i < report->n_remarks; i++)
                if (report->remarks[i].kind == kind)
                        return &report->remarks[i];
        return NULL;
}

static void check_place(const RulePlace *place, const char *file, unsigned line,
                        const char *value) {
        ck_assert_str_eq(place->file, file);
        ck_assert_uint_eq(place->line, line);
        ck_assert_str_eq(place->value, value);
}

START_TEST(test_defaults) {
        RulesReport report;

        read_files(&v2, NULL, 0, &report);
        check_place(&report.mode, DEFAULTS, 3, "0664");
        check_place(&report.group, "", 0, "");
        check_place(&report.uaccess, "", 0, "");
        ck_assert_uint_eq(report.n_remarks, 0);
}
END_TEST

/* OpenOCD's: everything in one line, behind a jump. */
static const File openocd = {
        "/usr/lib/udev/rules.d/60-openocd.rules",
        "# comment \\\n"
        "ACTION!=\"add|change\", GOTO=\"openocd_rules_end\"\n"
        "SUBSYSTEM==\"gpio\", MODE=\"0660\", GROUP=\"plugdev\", TAG+=\"uaccess\"\n"
        "SUBSYSTEM!=\"usb|tty|hidraw\", GOTO=\"openocd_rules_end\"\n"
        "ATTRS{idVendor}==\"0483\", ATTRS{idProduct}==\"3748\", MODE=\"660\", GROUP=\"plugdev\", "
        "TAG+=\"uaccess\"\n"
        "ATTRS{product}==\"*CMSIS-DAP*\", MODE=\"666\", GROUP=\"nobody-has-it\"\n"
        "LABEL=\"openocd_rules_end\"\n"
};

START_TEST(test_openocd) {
        RulesSubject subject = v2;
        RulesReport report;

        read_files(&subject, &openocd, 1, &report);
        check_place(&report.mode, openocd.path, 5, "660");
        check_place(&report.group, openocd.path, 5, "plugdev");
        check_place(&report.uaccess, openocd.path, 5, "uaccess");
        ck_assert_uint_eq(report.n_remarks, 0);
        ck_assert_str_eq(rules_file_owner(openocd.path), "OpenOCD");

        /* Where there is no group plugdev: today all but the group counts … */
        subject.look_up_group = no_group;
        read_files(&subject, &openocd, 1, &report);
        ck_assert_str_eq(report.uaccess.file, openocd.path);
        ck_assert_str_eq(report.group.file, "");
        ck_assert_ptr_nonnull(find_remark(&report, RULE_GROUP_MISSING));
        check_place(&find_remark(&report, RULE_GROUP_MISSING)->place, openocd.path, 5, "plugdev");

        /* … and with systemd 258 nothing of the line. */
        subject.systemd_version = 258;
        read_files(&subject, &openocd, 1, &report);
        ck_assert_str_eq(report.uaccess.file, "");
        ck_assert_str_eq(report.mode.file, DEFAULTS);
        ck_assert_ptr_nonnull(find_remark(&report, RULE_GROUP_MISSING));
}
END_TEST

/* stlink's and pyOCD's: continued lines, a final mode for everybody. */
static const File stlink = {
        "/etc/udev/rules.d/49-stlinkv2.rules",
        "# stm32 boards\n\n"
        "SUBSYSTEMS==\"usb\", ATTRS{idVendor}==\"0483\", ATTRS{idProduct}==\"3748\", \\\n"
        "    MODE:=\"0666\", \\\n"
        "    SYMLINK+=\"stlinkv2_%n\"\n"
        "SUBSYSTEMS==\"usb\", ATTRS{idVendor}==\"0483\", ATTRS{idProduct}==\"374b\", "
        "MODE:=\"0600\"\n"
};

START_TEST(test_stlink) {
        const File files[] = { stlink, openocd };
        RulesReport report;

        read_files(&v2, files, 2, &report);
        check_place(&report.mode, stlink.path, 3, "0666");
        ck_assert(report.mode_final);
        check_place(&find_remark(&report, RULE_FINAL)->place, stlink.path, 3, "MODE");
        ck_assert_ptr_nonnull(find_remark(&report, RULE_ANYBODY));
        /* Its group still counts. */
        check_place(&report.group, openocd.path, 5, "plugdev");
        ck_assert_str_eq(rules_file_owner(stlink.path),
                         "stlink, pyOCD or ST's st-stlink-udev-rules");
}
END_TEST

START_TEST(test_platformio) {
        static const File platformio = {
                "/etc/udev/rules.d/99-platformio-udev.rules",
                "ATTRS{idVendor}==\"0483\", ATTRS{idProduct}==\"*\", MODE=\"0666\", "
                "ENV{ID_MM_DEVICE_IGNORE}=\"1\"\n"
        };
        RulesReport report;

        read_files(&v2, &platformio, 1, &report);
        check_place(&report.mode, platformio.path, 1, "0666");
        ck_assert(!report.mode_final);
        ck_assert_ptr_nonnull(find_remark(&report, RULE_ANYBODY));
        ck_assert_str_eq(rules_file_owner(platformio.path), "PlatformIO");
}
END_TEST

/* A tag that comes after the rules that act on it. */
START_TEST(test_too_late) {
        static const File late = {
                "/etc/udev/rules.d/99-stlink-plugdev.rules",
                "SUBSYSTEMS==\"usb\", ATTRS{idVendor}==\"0483\", ATTRS{idProduct}==\"37[45]?\", "
                "TAG+=\"uaccess\", MODE=\"0664\", GROUP=\"users\"\n"
        };
        const File files[] = { openocd, late };
        RulesSubject subject = v2;
        RulesReport report;

        read_files(&v2, &late, 1, &report);
        ck_assert_str_eq(report.uaccess.file, "");
        ck_assert_ptr_nonnull(find_remark(&report, RULE_TOO_LATE));
        ck_assert_ptr_nonnull(find_remark(&report, RULE_GROUP_ORDINARY));
        check_place(&report.group, late.path, 1, "users");
        /* It does no harm when the tag is there already. */
        read_files(&v2, files, 2, &report);
        check_place(&report.uaccess, openocd.path, 5, "uaccess");
        ck_assert_ptr_null(find_remark(&report, RULE_TOO_LATE));
        subject.systemd_version = 260;
        read_files(&subject, &late, 1, &report);
        check_place(&report.mode, DEFAULTS, 3, "0664");
}
END_TEST

/* Ours: what matched is remembered, and the generic rule of newer systemd acts on it. */
START_TEST(test_environment) {
        static const File files[] = {
                { "/usr/lib/udev/rules.d/69-stlinkd.rules",
                  "SUBSYSTEM==\"usb\", ENV{DEVTYPE}==\"usb_device\", ATTR{idVendor}==\"0483\", \\\n"
                  "  ATTR{idProduct}==\"3744|3748\", ENV{ID_DEBUG_APPLIANCE}=\"stlink\"\n" },
                { "/usr/lib/udev/rules.d/70-uaccess.rules",
                  "ENV{ID_DEBUG_APPLIANCE}==\"?*\", TAG+=\"uaccess\"\n" },
        };
        RulesSubject other = v2;
        RulesReport report;

        read_files(&v2, files, 2, &report);
        check_place(&report.uaccess, files[1].path, 1, "uaccess");
        other.product_id = 0x374e;
        read_files(&other, files, 2, &report);
        ck_assert_str_eq(report.uaccess.file, "");
}
END_TEST

START_TEST(test_broken) {
        static const char *const texts[] = {
                "ATTRS{idVendor==\"0483\"",
                "ATTRS{idVendor}==\"0483",
                "ATTRS{idVendor}~\"0483\"",
                "0483 what is this",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                File file = { "/etc/udev/rules.d/10-x.rules", texts[i] };
                RulesReport report;

                read_files(&v2, &file, 1, &report);
                ck_assert_ptr_nonnull(find_remark(&report, RULE_BROKEN));
        }
}
END_TEST

static void write_file(const char *root, const char *path, const char *text) {
        char name[512];
        FILE *file;

        (void) snprintf(name, sizeof(name), "%s%s", root, path);
        for (char *slash = strchr(name + strlen(root) + 1, '/'); slash;
             slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                (void) mkdir(name, 0755);
                *slash = '/';
        }
        file = fopen(name, "we");
        ck_assert_ptr_nonnull(file);
        ck_assert_int_ge(fputs(text, file), 0);
        ck_assert_int_eq(fclose(file), 0);
}

START_TEST(test_directories) {
        char root[] = "/tmp/stlinkd-rules.XXXXXX", command[64], expected[128];
        RulesReport report;

        ck_assert_ptr_nonnull(mkdtemp(root));
        write_file(root, "/usr/lib/udev/rules.d/60-openocd.rules", openocd.text);
        write_file(root, "/usr/lib/udev/rules.d/49-stlinkv2.rules", stlink.text);
        write_file(root, "/usr/lib/udev/rules.d/README", stlink.text);
        write_file(root, "/etc/udev/rules.d/49-stlinkv2.rules",
                   "ATTRS{idVendor}==\"0483\", MODE=\"0640\"\n");
        ck_assert_int_eq(rules_read(root, &v2, &report), 0);
        /* The one in /etc counts, but OpenOCD's comes later. */
        (void) snprintf(expected, sizeof(expected), "%s/usr/lib/udev/rules.d/60-openocd.rules",
                        root);
        check_place(&report.mode, expected, 5, "660");
        (void) snprintf(expected, sizeof(expected), "%s/usr/lib/udev/rules.d/49-stlinkv2.rules",
                        root);
        check_place(&find_remark(&report, RULE_MASKED)->place, expected, 0, "/etc/udev/rules.d");
        ck_assert_ptr_null(find_remark(&report, RULE_FINAL));
        (void) snprintf(command, sizeof(command), "rm -rf %s", root);
        ck_assert_int_eq(system(command), 0);
}
END_TEST

/* The files as Debian's packages install them, where they are. */
START_TEST(test_installed) {
        static const struct {
                const char *path, *mode;
                bool final, uaccess;
        } installed[] = {
                { "/lib/udev/rules.d/60-openocd.rules", "660", false, true },
                { "/lib/udev/rules.d/49-stlinkv2.rules", "0666", true, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(installed); i++) {
                _cleanup_free_ char *text = NULL;
                RulesReport report;
                File file;

                if (read_file_at(AT_FDCWD, installed[i].path, 1 << 20, &text, NULL) < 0) {
                        printf("skip  %s: not installed (./dev deps)\n", installed[i].path);
                        continue;
                }
                file = (File){ installed[i].path, text };
                read_files(&v2, &file, 1, &report);
                ck_assert_str_eq(report.mode.value, installed[i].mode);
                ck_assert(report.mode_final == installed[i].final);
                ck_assert((report.uaccess.file[0] != '\0') == installed[i].uaccess);
                ck_assert_ptr_null(find_remark(&report, RULE_BROKEN));
        }
}
END_TEST

int main(void) {
        Suite *suite = suite_create("rules");
        TCase *tcase = tcase_create("rules");
        SRunner *runner = srunner_create(suite);
        int failed;

        suite_add_tcase(suite, tcase);
        tcase_add_test(tcase, test_defaults);
        tcase_add_test(tcase, test_openocd);
        tcase_add_test(tcase, test_stlink);
        tcase_add_test(tcase, test_platformio);
        tcase_add_test(tcase, test_too_late);
        tcase_add_test(tcase, test_environment);
        tcase_add_test(tcase, test_broken);
        tcase_add_test(tcase, test_directories);
        tcase_add_test(tcase, test_installed);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
