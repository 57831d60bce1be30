/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/ops.h"
#include "children.h"
#include "daemon/delegate.h"

static const char *pid_word(pid_t pid) {
        static char word[32];

        (void) snprintf(word, sizeof(word), "pid:%d", (int) pid);
        return word;
}

START_TEST(what_says_somebody) {
        static const struct {
                const char *who;
                int result;
        } cases[] = {
                { "uid:0", 0 },
                { "uid:1000", 0 },
                { "uid:4294967294", 0 },
                { "", -EINVAL },
                { "uid:", -EINVAL },
                { "uid:-1", -EINVAL },
                { "uid:+1", -EINVAL },
                { "uid: 1", -EINVAL },
                { "uid:4294967295", -EINVAL }, /* which means no user */
                { "uid:99999999999999999999", -EINVAL },
                { "uid:alice", -EINVAL },
                { "uid:1000x", -EINVAL },
                { "uid:1000 uid:1001", -EINVAL },
                { "uid:1\t", -EINVAL },
                { "UID:1000", -EINVAL },
                { "gid:1000", -EINVAL },
                { "1000", -EINVAL },
                { "unit:.service", -EINVAL },
                { "unit:a/b.service", -EINVAL },
                { "unit:ssh.socket", -EINVAL },
                { "cgroup:", -EINVAL },
                { "cgroup:ci", -EINVAL },
                { "cgroup:/..", -EINVAL },
                { "cgroup:/../../etc", -EINVAL },
                { "cgroup:/system.slice/..", -EINVAL },
                { "pid:0", -EINVAL },
                { "pid:-1", -EINVAL },
                { "pid:2147483648", -EINVAL },
                { "pid:2147483647", -ESRCH },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Delegates delegates = {};
                int r = delegates_add(&delegates, cases[i].who);

                ck_assert_msg(r == cases[i].result, "\"%s\" gives %d, not %d", cases[i].who, r,
                              cases[i].result);
                ck_assert_uint_eq(delegates.n, r >= 0);
                delegates_done(&delegates);
        }
}
END_TEST

/* All of them together have to fit into the line in which a lease is noted. */
START_TEST(what_is_too_long) {
        char who[LEASE_DELEGATE_MAX + 2];
        Delegates delegates = {};

        memset(who, 'x', sizeof(who));
        memcpy(who, "cgroup:/", strlen("cgroup:/"));
        who[sizeof(who) - 1] = 0;
        ck_assert_int_eq(delegates_add(&delegates, who), -ENAMETOOLONG);
        who[sizeof(who) - 2] = 0;
        ck_assert_int_ne(delegates_add(&delegates, who), -ENAMETOOLONG); /* there is none, though */
        ck_assert_uint_eq(delegates.n, 0);
        delegates_done(&delegates);
}
END_TEST

/* Where there are no control groups of version 2 that is said instead. */
START_TEST(what_is_not_there) {
        Delegates delegates = {};
        int r = delegates_add(&delegates, "cgroup:/no-such-group-as-this");

        ck_assert(r == -ENOENT || r == -EOPNOTSUPP);
        ck_assert_int_eq(delegates_add(&delegates, "unit:no-such-unit.service"), r);
        if (r == -ENOENT) {
                ck_assert_int_eq(delegates_add(&delegates, "cgroup:/"), 0);
                ck_assert_uint_ne(delegates.items[0].cgroup, 0);
                ck_assert(!delegate_look(&delegates.items[0]));
                delegates.items[0].cgroup++;
                ck_assert(delegate_look(&delegates.items[0]));
        } else {
                printf("SKIP: control groups: this machine has none of version 2\n");
        }
        delegates_done(&delegates);
}
END_TEST

START_TEST(not_too_many) {
        Delegates delegates = {};
        char who[32];

        for (unsigned i = 0; i < LEASE_DELEGATES_MAX; i++) {
                (void) snprintf(who, sizeof(who), "uid:%u", 1000 + i);
                ck_assert_int_eq(delegates_add(&delegates, who), 0);
        }
        ck_assert_int_eq(delegates_add(&delegates, "uid:1"), -E2BIG);
        /* A number is never given twice. */
        delegates_remove(&delegates, delegates_find(&delegates, "uid:1003"));
        ck_assert_ptr_null(delegates_find(&delegates, "uid:1003"));
        ck_assert_ptr_nonnull(delegates_find(&delegates, "uid:1004"));
        ck_assert_int_eq(delegates_add(&delegates, "uid:1003"), 0);
        ck_assert_uint_eq(delegates_find(&delegates, "uid:1003")->number, LEASE_DELEGATES_MAX + 1);
        delegates_done(&delegates);
}
END_TEST

/* Such as they are when all are there. */
static bool matches(DelegateKind kind, const char *who, const Process *process) {
        const LeaseDelegate delegate = { .kind = kind, .who = (char *) who, .uid = 1000 };

        return delegate_matches(&delegate, process);
}

static bool unit_matches(const char *unit, const char *cgroup) {
        const Process process = { .cgroup = (char *) cgroup };
        char who[64];

        (void) snprintf(who, sizeof(who), "unit:%s", unit);
        return matches(DELEGATE_UNIT, who, &process);
}

static bool cgroup_matches(const char *top, const char *cgroup) {
        const Process process = { .cgroup = (char *) cgroup };
        char who[64];

        (void) snprintf(who, sizeof(who), "cgroup:%s", top);
        return matches(DELEGATE_CGROUP, who, &process);
}

START_TEST(who_is_meant) {
        const Process alice = { .pid = 7, .uid = 1000 }, bob = { .pid = 8, .uid = 100 };

        ck_assert(matches(DELEGATE_UID, "uid:1000", &alice));
        ck_assert(!matches(DELEGATE_UID, "uid:1000", &bob));

        ck_assert(unit_matches("ci.service", "/system.slice/ci.service"));
        ck_assert(unit_matches("ci.service", "/system.slice/system-lab.slice/ci.service/job"));
        ck_assert(unit_matches("lab.slice", "/lab.slice/ci.service"));
        ck_assert(!unit_matches("ci.servic", "/system.slice/ci.service"));
        ck_assert(!unit_matches("ci.service", "/system.slice/ci.service.d"));
        ck_assert(!unit_matches("ci.service", "/"));
        ck_assert(!unit_matches("ci.service", NULL));
        /* What a user's own manager calls so is not the system's. */
        ck_assert(!unit_matches("ci.service",
                                "/user.slice/user-1.slice/user@1.service/app.slice/ci.service"));
        ck_assert(!unit_matches("ci.service", "/docker/0123/system.slice/ci.service"));

        ck_assert(cgroup_matches("/lab", "/lab"));
        ck_assert(cgroup_matches("/lab", "/lab/job"));
        ck_assert(cgroup_matches("/lab/", "/lab/job"));
        ck_assert(cgroup_matches("/", "/lab"));
        ck_assert(cgroup_matches("/", "/"));
        ck_assert(!cgroup_matches("/lab", "/laboratory"));
        ck_assert(!cgroup_matches("/lab/job", "/lab"));
        ck_assert(!cgroup_matches("/lab", NULL));
}
END_TEST

START_TEST(a_process_and_its_descendants) {
        pid_t child = child_idle(), stranger = child_idle();
        Process *self = NULL, *other = NULL, *its = NULL;
        Delegates delegates = {};

        ck_assert_int_eq(delegates_add(&delegates, pid_word(child)), 0);
        ck_assert_int_eq(process_new(child, &its), 0);
        ck_assert_int_eq(process_new(stranger, &other), 0);
        ck_assert_int_eq(process_new(getpid(), &self), 0);
        ck_assert(delegates_match(&delegates, its));
        ck_assert(!delegates_match(&delegates, other));
        ck_assert(!delegates_match(&delegates, self));
        ck_assert_int_eq(delegates_add(&delegates, pid_word(getpid())), 0);
        ck_assert(delegates_match(&delegates, other));
        child_idle_end(child);
        child_idle_end(stranger);
        ck_assert_int_eq(delegates_add(&delegates, pid_word(child)), -ESRCH);
        process_free(its);
        process_free(other);
        process_free(self);
        delegates_done(&delegates);
}
END_TEST

static void pass_on(Delegates *delegates) {
        Delegates next = {};
        char *text = NULL;

        ck_assert_int_eq(delegates_save(delegates, &text), 0);
        for (const char *c = text; *c; c++)
                ck_assert(*c >= ' ');
        ck_assert_int_eq(delegates_load(&next, text), 0);
        ck_assert_uint_eq(next.n, delegates->n);
        ck_assert_uint_eq(next.last, delegates->last);
        for (size_t i = 0; i < next.n; i++) {
                ck_assert_str_eq(next.items[i].who, delegates->items[i].who);
                ck_assert_uint_eq(next.items[i].number, delegates->items[i].number);
        }
        free(text);
        delegates_done(delegates);
        *delegates = next;
}

START_TEST(the_next_daemon_knows_them) {
        pid_t child = child_idle(), gone = child_idle();
        Delegates delegates = {};

        pass_on(&delegates);
        ck_assert_int_eq(delegates_add(&delegates, "uid:1000"), 0);
        ck_assert_int_eq(delegates_add(&delegates, pid_word(child)), 0);
        ck_assert_int_eq(delegates_add(&delegates, pid_word(gone)), 0);
        ck_assert_int_eq(delegates_add(&delegates, "uid:1001"), 0);
        delegates_remove(&delegates, delegates_find(&delegates, "uid:1001"));
        child_idle_end(gone);
        pass_on(&delegates);
        ck_assert_uint_eq(delegates.last, 4); /* though that one is gone */
        ck_assert_uint_eq(delegates.items[0].uid, 1000);
        ck_assert_ptr_nonnull(delegates.items[1].process);
        ck_assert_int_eq(delegates.items[1].process->pid, child);
        ck_assert_ptr_null(delegates.items[2].process);
        /* Another one with that number by now */
        delegates.items[1].process->start++;
        pass_on(&delegates);
        ck_assert_ptr_null(delegates.items[1].process);
        child_idle_end(child);
        delegates_done(&delegates);
}
END_TEST

START_TEST(what_makes_no_sense_is_skipped) {
        Delegates delegates = {};

        ck_assert_int_eq(delegates_load(&delegates, "x"), 0);
        ck_assert_uint_eq(delegates.n, 0);
        ck_assert_int_eq(delegates_load(&delegates,
                                        "9 uid:1 0/uid:2 1/gid:3 2/pid:7 3/pid:7/x 4/ /uid:5 "
                                        "99999999/uid:6 5/uid:7 6/unit:no-such-unit.service"),
                         0);
        ck_assert_uint_eq(delegates.n, 2);
        ck_assert_str_eq(delegates.items[0].who, "uid:7");
        ck_assert_str_eq(delegates.items[1].who, "unit:no-such-unit.service");
        ck_assert_uint_eq(delegates.last, 9);
        delegates_done(&delegates);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("delegate");
        TCase *tests = tcase_create("delegates");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_test(tests, what_says_somebody);
        tcase_add_test(tests, what_is_too_long);
        tcase_add_test(tests, what_is_not_there);
        tcase_add_test(tests, not_too_many);
        tcase_add_test(tests, who_is_meant);
        tcase_add_test(tests, a_process_and_its_descendants);
        tcase_add_test(tests, the_next_daemon_knows_them);
        tcase_add_test(tests, what_makes_no_sense_is_skipped);
        suite_add_tcase(suite, tests);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
