/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/config.h"

static char root[64];

/* Write a file below the test's own root, with the folders above it. */
static void put(const char *path, const char *text) {
        char full[256];
        FILE *file;

        (void) snprintf(full, sizeof(full), "%s%s", root, path);
        for (char *slash = full + 1; (slash = strchr(slash, '/')); slash++) {
                *slash = 0;
                (void) mkdir(full, 0700);
                *slash = '/';
        }
        file = fopen(full, "we");
        ck_assert_ptr_nonnull(file);
        fputs(text, file);
        ck_assert_int_eq(fclose(file), 0);
}

static void set_up(void) {
        strcpy(root, "/tmp/stlinkd-config.XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(root));
        (void) unsetenv("RUNTIME_DIRECTORY");
        log_set_max_level(LOG_ERR);
}

static void tear_down(void) {
        char command[128];

        (void) snprintf(command, sizeof(command), "rm -rf %s", root);
        ck_assert_int_eq(system(command), 0);
}

START_TEST(test_defaults) {
        Config config;

        ck_assert_int_eq(config_load(root, &config), 0);
        ck_assert_str_eq(config.group, "stlink");
        ck_assert_str_eq(config.runtime_directory, "/run/stlinkd");
        ck_assert_int_eq(config.gate, _GATE_KIND_MAX);
        ck_assert_uint_gt(config.jobs_max, 0);
        config_done(&config);
        (void) setenv("RUNTIME_DIRECTORY", "/run/elsewhere", true);
        ck_assert_int_eq(config_load(root, &config), 0);
        ck_assert_str_eq(config.runtime_directory, "/run/elsewhere");
        config_done(&config);
}
END_TEST

START_TEST(test_main_file_of_the_highest_place) {
        Config config;

        put("/usr/local/lib/stlinkd.conf", "[Access]\nGroup=low\n[Probes]\nJobsMax=3\n");
        put("/run/stlinkd.conf", "[Access]\nGroup=high\n");
        ck_assert_int_eq(config_load(root, &config), 0);
        ck_assert_str_eq(config.group, "high");
        ck_assert_uint_ne(config.jobs_max, 3);
        config_done(&config);
        put(SYSCONFDIR "/stlinkd.conf", "[Access]\nGroup=highest\n");
        ck_assert_int_eq(config_load(root, &config), 0);
        ck_assert_str_eq(config.group, "highest");
        config_done(&config);
}
END_TEST

/* By name over all places; the same name counts only in the highest, be it empty. */
START_TEST(test_drop_ins) {
        Config config;

        put("/run/stlinkd.conf", "[Access]\nGroup=main\n[Leases]\nHeldMax=1\nWaitingMax=1\n");
        put(PREFIX "/lib/stlinkd.conf.d/60-b.conf", "[Access]\nGroup=vendor-60\n");
        put("/run/stlinkd.conf.d/30-a.conf", "[Access]\nGroup=run-30\n[Leases]\nHeldMax=30\n");
        put(PREFIX "/lib/stlinkd.conf.d/40-c.conf", "[Leases]\nWaitingMax=40\n");
        put(SYSCONFDIR "/stlinkd.conf.d/40-c.conf", "");
        put("/run/stlinkd.conf.d/99-no.txt", "[Access]\nGroup=ignored\n");
        ck_assert_int_eq(config_load(root, &config), 0);
        ck_assert_str_eq(config.group, "vendor-60");
        ck_assert_uint_eq(config.quota.held, 30);
        ck_assert_uint_eq(config.quota.waiting, 1);
        config_done(&config);
}
END_TEST

START_TEST(test_all_settings) {
        char path[128];
        Config config;

        put("/x.conf", "[Access]\nGroup=g\n[Daemon]\nRuntimeDirectory=/tmp/r\nGate=poll\n"
                       "[Probes]\nJobTimeout=300ms\nJobsMax=2\nAwayTimeout=1min 30s\n"
                       "[Leases]\nHeldMax=4\nWaitingMax=0\nObjectsMax=7\n");
        (void) snprintf(path, sizeof(path), "%s/x.conf", root);
        ck_assert_int_eq(config_load_file(path, &config), 0);
        ck_assert_str_eq(config.group, "g");
        ck_assert_str_eq(config.runtime_directory, "/tmp/r");
        ck_assert_int_eq(config.gate, GATE_POLL);
        ck_assert_uint_eq(config.job_timeout, 300 * USEC_PER_MSEC);
        ck_assert_uint_eq(config.jobs_max, 2);
        ck_assert_uint_eq(config.away_timeout, 90 * USEC_PER_SEC);
        ck_assert_uint_eq(config.quota.held, 4);
        ck_assert_uint_eq(config.quota.waiting, 0);
        ck_assert_uint_eq(config.quota.objects, 7);
        config_done(&config);
        ck_assert_int_eq(config_load_file("/nonexistent", &config), -ENOENT);
}
END_TEST

/* Nonsense leaves the default in place, and what stands beside it counts. */
static const char *const nonsense[] = {
        "[Probes]\nJobsMax=0\n",
        "[Probes]\nJobsMax=-1\n",
        "[Probes]\nJobsMax=9999999999\n",
        "[Probes]\nJobsMax=many\n",
        "[Probes]\nJobTimeout=1ms\n",
        "[Probes]\nJobTimeout=infinity\n",
        "[Probes]\nJobTimeout=soon\n",
        "[Probes]\nAwayTimeout=infinity\n",
        "[Daemon]\nGate=fence\n",
        "[Daemon]\nRuntimeDirectory=relative\n",
        "[Access]\nGroup=\n",
        "[Access]\nColour=red\n",
        "[Paint]\nGroup=x\n",
        "garbage\n",
};

START_TEST(test_nonsense) {
        Config config, defaults;

        ck_assert_int_eq(config_load(root, &defaults), 0);
        put("/run/stlinkd.conf", nonsense[_i]);
        put("/run/stlinkd.conf.d/10-good.conf", "[Leases]\nHeldMax=77\n");
        log_set_max_level(LOG_ERR);
        ck_assert_int_eq(config_load(root, &config), 0);
        ck_assert_uint_eq(config.quota.held, 77);
        ck_assert_str_eq(config.group, defaults.group);
        ck_assert_str_eq(config.runtime_directory, defaults.runtime_directory);
        ck_assert_int_eq(config.gate, defaults.gate);
        ck_assert_uint_eq(config.job_timeout, defaults.job_timeout);
        ck_assert_uint_eq(config.away_timeout, defaults.away_timeout);
        ck_assert_uint_eq(config.jobs_max, defaults.jobs_max);
        config_done(&config);
        config_done(&defaults);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("config");
        TCase *tcase = tcase_create("config");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_defaults);
        tcase_add_test(tcase, test_main_file_of_the_highest_place);
        tcase_add_test(tcase, test_drop_ins);
        tcase_add_test(tcase, test_all_settings);
        tcase_add_loop_test(tcase, test_nonsense, 0, (int) ELEMENTSOF(nonsense));
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
