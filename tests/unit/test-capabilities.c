/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"
#include "daemon/capabilities.h"

static bool has(cap_value_t value, cap_flag_t flag) {
        cap_t caps = cap_get_proc();
        cap_flag_value_t is = CAP_CLEAR;

        ck_assert_ptr_nonnull(caps);
        ck_assert_int_eq(cap_get_flag(caps, value, flag, &is), 0);
        (void) cap_free(caps);
        return is == CAP_SET;
}

/* Whatever there was to begin with, this is how it ends. */
START_TEST(test_limit) {
        static const cap_value_t kept[] = { CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH };
        bool had[ELEMENTSOF(kept)], override = has(CAP_DAC_OVERRIDE, CAP_PERMITTED);

        for (size_t i = 0; i < ELEMENTSOF(kept); i++)
                had[i] = has(kept[i], CAP_PERMITTED);
        ck_assert_int_eq(capabilities_limit(), 0);
        for (size_t i = 0; i < ELEMENTSOF(kept); i++) {
                ck_assert_int_eq(has(kept[i], CAP_EFFECTIVE), had[i]);
                ck_assert(!has(kept[i], CAP_INHERITABLE));
        }
        ck_assert(!has(CAP_DAC_OVERRIDE, CAP_EFFECTIVE));
        ck_assert_int_eq(has(CAP_DAC_OVERRIDE, CAP_PERMITTED), override);
        ck_assert_int_eq(cap_get_ambient(CAP_DAC_OVERRIDE), override);
        ck_assert(!has(CAP_NET_ADMIN, CAP_PERMITTED));
        ck_assert(!has(CAP_KILL, CAP_EFFECTIVE));
        ck_assert(!has(CAP_KILL, CAP_INHERITABLE));
        ck_assert(!has(CAP_SETUID, CAP_PERMITTED));
        /* Doing it again changes nothing. */
        ck_assert_int_eq(capabilities_limit(), 0);
        ck_assert_int_eq(cap_get_ambient(CAP_DAC_OVERRIDE), override);
}
END_TEST

/* What the capabilities are kept for: another user's open files. Without them to begin with
 * there is nothing to be seen, and nothing to be tested. */
START_TEST(test_open_files_of_others) {
        bool able = has(CAP_SYS_PTRACE, CAP_PERMITTED) && has(CAP_DAC_READ_SEARCH, CAP_PERMITTED) &&
                    has(CAP_SETUID, CAP_PERMITTED) && has(CAP_SETGID, CAP_PERMITTED);
        char path[64], byte = 0;
        int pipe_fds[2], life[2];
        pid_t child;
        DIR *dir;

        ck_assert_int_eq(pipe(pipe_fds), 0);
        ck_assert_int_eq(pipe(life), 0);
        child = fork();
        if (child == 0) {
                /* An ordinary user in a namespace of his has no second user to become. */
                bool became = setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0;

                /* As it is after exec; else its files in /proc are root's. */
                (void) prctl(PR_SET_DUMPABLE, 1);
                byte = became ? 'y' : 'n';
                (void) close(pipe_fds[0]);
                (void) !write(pipe_fds[1], &byte, 1);
                /* Ends when the test does: its end of the second pipe is closed then. */
                (void) close(life[1]);
                (void) !read(life[0], &byte, 1);
                _exit(0);
        }
        ck_assert_int_eq(read(pipe_fds[0], &byte, 1), 1);
        ck_assert_int_eq(capabilities_limit(), 0);
        (void) snprintf(path, sizeof(path), "/proc/%d/fd", (int) child);
        dir = opendir(path);
        if (able && byte == 'y')
                ck_assert_msg(dir != NULL, "cannot read %s: errno %d", path, errno);
        if (dir)
                (void) closedir(dir);
        (void) close(life[1]);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("capabilities");
        TCase *tcase = tcase_create("limit");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, test_limit);
        tcase_add_test(tcase, test_open_files_of_others);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
