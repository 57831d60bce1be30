/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "bus/ops.h"
#include "core/ids.h"
#include "daemon/state.h"

static char directory[64], file[96];
static State *state;

static void set_up(void) {
        strcpy(directory, "/tmp/stlinkd-state.XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(directory));
        (void) snprintf(file, sizeof(file), "%s/state", directory);
        ck_assert_int_eq(state_new(directory, &state), 0);
}

static void tear_down(void) {
        state_free(state);
        (void) unlink(file);
        ck_assert_int_eq(rmdir(directory), 0); /* nothing else is left in it */
}

static StateLease example(LeaseId id) {
        return (StateLease){
                .lease = { .id = id,
                           .uid = 4294967294,
                           .kind = LEASE_FIRMWARE_UPDATE,
                           .state = LEASE_ASKED,
                           .parts = PROBE_PARTS_ALL,
                           .requested = 1,
                           .granted = 2,
                           .deadline = USEC_INFINITY,
                           .limit = 3,
                           .expires = 4 },
                .form = LEASE_FORM_PROCESS,
                .fd_number = 5,
                .pid = 6,
                .start = 7,
                .serial = "066DFF",
                .port = "1-2.3",
                .bus = "0123",
                .owner = ":1.42",
                .user = "alice",
                .command = "open ocd",
                .reason = "",
                .delegates = "uid:7",
        };
}

static struct {
        StateLease lease;
        char reason[64], command[64];
        LeaseId ids[1024];
        size_t n;
} found;

static void on_found(const StateLease *lease, void *userdata) {
        ck_assert_ptr_eq(userdata, &found);
        found.ids[found.n++] = lease->lease.id;
        found.lease = *lease;
        (void) snprintf(found.reason, sizeof(found.reason), "%s", lease->reason);
        (void) snprintf(found.command, sizeof(found.command), "%s", lease->command);
        ck_assert_str_eq(lease->serial, "066DFF");
        ck_assert_str_eq(lease->port, "1-2.3");
        ck_assert_str_eq(lease->delegates, "uid:7");
        ck_assert_str_eq(lease->owner, ":1.42");
}

/* As the next daemon does it. */
static int load(LeaseId *ret_last, size_t *ret_bad) {
        State *next;
        int r;

        found.n = 0;
        ck_assert_int_eq(state_new(directory, &next), 0);
        r = state_load(next, on_found, &found, ret_last, ret_bad);
        state_free(next);
        return r;
}

static void put(LeaseId id) {
        StateLease lease = example(id);

        ck_assert_int_eq(state_put(state, &lease), 0);
}

static void begin(LeaseId last) {
        ck_assert_int_eq(state_begin(state, last), 0);
}

static void check_lease(const Lease *a, const Lease *b) {
        ck_assert_uint_eq(a->id, b->id);
        ck_assert_uint_eq(a->probe, b->probe);
        ck_assert_uint_eq(a->uid, b->uid);
        ck_assert_int_eq(a->kind, b->kind);
        ck_assert_int_eq(a->state, b->state);
        ck_assert_uint_eq(a->parts, b->parts);
        ck_assert_uint_eq(a->requested, b->requested);
        ck_assert_uint_eq(a->granted, b->granted);
        ck_assert_uint_eq(a->deadline, b->deadline);
        ck_assert_uint_eq(a->limit, b->limit);
        ck_assert_uint_eq(a->expires, b->expires);
}

START_TEST(test_round) {
        StateLease lease = example(8);
        LeaseId last = 0;
        size_t bad = 9;

        lease.reason = "two\nlines\tand a tab";
        ck_assert_int_eq(load(&last, &bad), -ENOENT);
        begin(20);
        ck_assert_int_eq(load(&last, &bad), -ENOENT);
        ck_assert_int_eq(state_put(state, &lease), 0);
        ck_assert_int_eq(state_commit(state), 0);
        ck_assert_int_eq(load(&last, &bad), 0);
        ck_assert_uint_eq(last, 20);
        ck_assert_uint_eq(bad, 0);
        ck_assert_uint_eq(found.n, 1);
        check_lease(&found.lease.lease, &lease.lease);
        ck_assert_int_eq(found.lease.form, lease.form);
        ck_assert_uint_eq(found.lease.fd_number, 5);
        ck_assert_int_eq(found.lease.pid, 6);
        ck_assert_uint_eq(found.lease.start, 7);
        ck_assert_str_eq(found.command, "open ocd");
        ck_assert_str_eq(found.reason, "two?lines?and a tab");
}
END_TEST

START_TEST(test_log) {
        StateLease changed = example(2);
        LeaseId last;
        size_t bad;

        begin(0);
        ck_assert_int_eq(state_commit(state), 0);
        put(1);
        put(2);
        put(3);
        ck_assert_int_eq(state_drop(state, 1), 0);
        ck_assert_int_eq(state_drop(state, 9), 0); /* never was */
        changed.lease.expires = 99;
        ck_assert_int_eq(state_put(state, &changed), 0);
        ck_assert_int_eq(state_drop(state, 3), 0);
        ck_assert_int_eq(state_skip(state, 41), 0);
        ck_assert_int_eq(load(&last, &bad), 0);
        ck_assert_uint_eq(found.n, 1);
        ck_assert_uint_eq(found.lease.lease.expires, 99);
        ck_assert_uint_eq(last, 41);
        ck_assert_uint_eq(bad, 0);
}
END_TEST

START_TEST(test_long_strings) {
        StateLease lease = example(1);
        char text[8192];
        LeaseId last;
        size_t bad;

        begin(0);
        ck_assert_int_eq(state_commit(state), 0);
        memset(text, 'x', sizeof(text));
        lease.reason = text;
        for (size_t n = 3800; n < sizeof(text); n++) {
                int r;

                text[n] = 0;
                r = state_put(state, &lease);
                text[n] = 'x';
                if (r == -E2BIG)
                        break;
                ck_assert_int_eq(r, 0);
                ck_assert_uint_lt(n, 4096);
        }
        put(2); /* nothing was written of what does not fit */
        ck_assert_int_eq(load(&last, &bad), 0);
        ck_assert_uint_eq(bad, 0);
        ck_assert_uint_eq(found.n, 2);
}
END_TEST

/* The most that our own limits let a client have noted of his lease: else one of them could keep
 * those of all from being noted. */
START_TEST(test_longest_lease) {
        char delegates[LEASE_DELEGATES_MAX *
                       (LEASE_DELEGATE_MAX + sizeof(" 32767/18446744073709551615"))];
        char reason[LEASE_REASON_MAX + 1], name[256];
        StateLease lease = example(1);

        memset(delegates, 'd', sizeof(delegates) - 1);
        memset(reason, 'r', sizeof(reason) - 1);
        memset(name, 'n', sizeof(name) - 1);
        delegates[sizeof(delegates) - 1] = reason[sizeof(reason) - 1] = name[sizeof(name) - 1] = 0;
        lease.delegates = delegates;
        lease.reason = reason;
        lease.user = name;
        lease.owner = name;
        begin(0);
        ck_assert_int_eq(state_commit(state), 0);
        ck_assert_int_eq(state_put(state, &lease), 0);
}
END_TEST

START_TEST(test_replacing) {
        LeaseId last;
        size_t bad;

        ck_assert(state_is_due(state, 0));
        begin(0);
        ck_assert_int_eq(state_commit(state), 0);
        for (LeaseId id = 1; id < 400; id++) {
                put(id);
                ck_assert_int_eq(state_drop(state, id), 0);
                if (state_is_due(state, 1)) {
                        begin(id);
                        ck_assert_int_eq(state_commit(state), 0);
                        ck_assert(!state_is_due(state, 1));
                }
        }
        put(400);
        ck_assert_int_eq(load(&last, &bad), 0);
        ck_assert_uint_eq(found.n, 1);
        ck_assert_uint_eq(last, 400);
}
END_TEST

/* A kill in the middle of a replacement leaves what was there before. */
START_TEST(test_broken_off) {
        LeaseId last;
        size_t bad;

        begin(0);
        put(1);
        ck_assert_int_eq(state_commit(state), 0);
        begin(7);
        put(2);
        ck_assert_int_eq(load(&last, &bad), 0);
        ck_assert_uint_eq(found.n, 1);
        ck_assert_uint_eq(found.ids[0], 1);
        ck_assert_int_eq(state_commit(state), 0);
        ck_assert_int_eq(load(&last, &bad), 0);
        ck_assert_uint_eq(found.ids[0], 2);
}
END_TEST

/* Cut off at each byte: what came before the last line counts, a piece of it never does. */
START_TEST(test_cut_off) {
        struct stat st;
        off_t whole;
        LeaseId last;
        size_t bad;

        begin(0);
        put(1);
        ck_assert_int_eq(state_commit(state), 0);
        ck_assert_int_eq(stat(file, &st), 0);
        whole = st.st_size;
        put(22222);
        ck_assert_int_eq(stat(file, &st), 0);
        for (off_t size = st.st_size - 2; size >= whole; size--) {
                ck_assert_int_eq(truncate(file, size), 0);
                ck_assert_int_eq(load(&last, &bad), 0);
                ck_assert_uint_eq(found.n, 1);
                ck_assert_uint_eq(found.ids[0], 1);
                ck_assert_uint_eq(bad, size > whole);
        }
}
END_TEST

static const struct {
        const char *text;
        int want;
        size_t bad;
} files[] = {
        { "", -EBADMSG, 0 },
        { "stlinkd-state 2", 0, 0 },
        { "stlinkd-state 3\nlease\n", -ENOTSUP, 0 },
        { "stlinkd-state 1\nlease\n", -ENOTSUP, 0 },
        { "stlinkd-state 0\n", -EBADMSG, 0 },
        { "stlinkd-state 2x\n", -EBADMSG, 0 },
        { "\n\n\n", -EBADMSG, 0 },
        { "stlinkd-state 2\nlast 4\nlast . \nend 4\nend . .\nwhatever\n\n", 0, 5 },
        { "stlinkd-state 2\nlease 1 fd exclusive held 1 0 0 0 0 0 0 0 0 0\ta\tb\t.\n", 0, 1 },
};

START_TEST(test_bad_files) {
        int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        LeaseId last;
        size_t bad = 0;

        ck_assert_int_eq(write_full(fd, files[_i].text, strlen(files[_i].text)), 0);
        safe_close(fd);
        ck_assert_int_eq(load(&last, &bad), files[_i].want);
        ck_assert_uint_eq(bad, files[_i].bad);
        ck_assert_uint_eq(found.n, 0);
}
END_TEST

/* The file system is full: what was written stays, the end of a lease can still be noted in the
 * room that was set aside, and once there is room again all is well. */
START_TEST(test_no_room) {
        const struct rlimit none = { .rlim_cur = 0, .rlim_max = RLIM_INFINITY };
        const struct rlimit plenty = { RLIM_INFINITY, RLIM_INFINITY };
        StateLease lease = example(2);
        LeaseId last;
        size_t bad;

        (void) signal(SIGXFSZ, SIG_IGN);
        begin(0);
        put(1);
        ck_assert_int_eq(state_commit(state), 0);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
        ck_assert_int_lt(state_begin(state, 0), 0);
        ck_assert_int_lt(state_commit(state), 0);
        ck_assert_int_lt(state_put(state, &lease), 0);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &plenty), 0);
        ck_assert(state_is_due(state, 9));
        ck_assert_int_eq(state_put(state, &lease), -EIO); /* not behind half a line */
        ck_assert_int_eq(load(&last, &bad), 0);
        ck_assert_uint_eq(found.n, 1);
        begin(3);
        put(1);
        put(2);
        ck_assert_int_eq(state_commit(state), 0);
        ck_assert(!state_is_due(state, 9));
        ck_assert_int_eq(load(&last, &bad), 0);
        ck_assert_uint_eq(found.n, 2);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("state");
        TCase *tcase = tcase_create("state");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_round);
        tcase_add_test(tcase, test_log);
        tcase_add_test(tcase, test_long_strings);
        tcase_add_test(tcase, test_longest_lease);
        tcase_add_test(tcase, test_replacing);
        tcase_add_test(tcase, test_broken_off);
        tcase_add_test(tcase, test_cut_off);
        tcase_add_loop_test(tcase, test_bad_files, 0, ELEMENTSOF(files));
        tcase_add_test(tcase, test_no_room);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
