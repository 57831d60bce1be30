/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ids.h"
#include "core/lease.h"

/* Each case is a script of steps, with the changes that each of them must report in words:
 * "+1" granted, "q1" queued, "?1" asked, "-1 released" ended, in that order. */

typedef enum Act {
        REQUEST, /* probe 0: kind, parts, wait, limit */
        END,     /* id, as released */
        CANCEL,  /* id, as cancelled */
        REVOKE,  /* id, grace */
        RENEW,   /* id */
        OBSTRUCT,
        CLEAR,
        GONE,
        ELAPSE, /* time passes */
} Act;

typedef struct Step {
        Act act;
        LeaseId id;
        LeaseKind kind;
        unsigned parts; /* 0 is debug */
        Usec wait, limit, grace, pass;
        uid_t uid;
        int want; /* what the function returns */
        const char *changes;
} Step;

#define D  PROBE_PART_DEBUG
#define V  PROBE_PART_VCP
#define EV USEC_INFINITY

static const LeaseQuota quota = { .held = 3, .waiting = 4 };

static void describe(const LeaseChanges *changes, char *text, size_t size) {
        size_t used = 0;

        text[0] = 0;
        for (size_t i = 0; i < changes->n; i++) {
                const LeaseChange *c = &changes->items[i];
                const char mark[] = { [LEASE_CHANGE_QUEUED] = 'q',
                                      [LEASE_CHANGE_GRANTED] = '+',
                                      [LEASE_CHANGE_ASKED] = '?',
                                      [LEASE_CHANGE_ENDED] = '-' };

                used += (size_t) snprintf(
                        text + used, size - used, "%s%c%d%s%s", i ? ", " : "", mark[c->type],
                        (int) c->lease.id, c->type == LEASE_CHANGE_ENDED ? " " : "",
                        c->type == LEASE_CHANGE_ENDED ? lease_end_to_string(c->end) : "");
        }
}

static int perform(LeaseTable *table, const Step *s, Usec now, LeaseChanges *changes) {
        const LeaseRequest request = {
                .uid = s->uid,
                .kind = s->kind,
                .parts = s->parts ? s->parts : D,
                .deadline = s->wait ? usec_add(now, s->wait) : 0,
                .limit = s->limit ? s->limit : USEC_INFINITY,
        };
        LeaseId id;

        switch (s->act) {
        case REQUEST:
                return lease_request(table, &request, now, changes, &id);
        case END:
                return lease_end(table, s->id, LEASE_END_RELEASED, now, changes);
        case CANCEL:
                return lease_end(table, s->id, LEASE_END_CANCELLED, now, changes);
        case REVOKE:
                return lease_revoke(table, s->id, s->grace, now, changes);
        case RENEW:
                return lease_renew(table, s->id, now);
        case OBSTRUCT:
        case CLEAR:
                return lease_set_obstructed(table, 0, s->act == OBSTRUCT, now, changes);
        case GONE:
                return lease_probe_gone(table, 0, changes);
        case ELAPSE:
                return lease_elapse(table, now, changes);
        }
        abort();
}

static void run_script(const char *name, const Step *steps, size_t n) {
        _cleanup_changes_ LeaseChanges changes = {};
        _cleanup_(lease_table_freep) LeaseTable *table = NULL;
        Usec now = 1000;

        ck_assert_int_eq(lease_table_new(&quota, &table), 0);
        for (size_t i = 0; i < n; i++) {
                char text[256];
                int r;

                now += steps[i].pass;
                changes.n = 0;
                r = perform(table, &steps[i], now, &changes);
                ck_assert_msg(r == steps[i].want, "%s, step %zu: returned %d, expected %d", name, i,
                              r, steps[i].want);
                describe(&changes, text, sizeof(text));
                ck_assert_msg(strcmp(text, steps[i].changes ? steps[i].changes : "") == 0,
                              "%s, step %zu: changes \"%s\", expected \"%s\"", name, i, text,
                              steps[i].changes ? steps[i].changes : "");
        }
}

static const Step one_after_the_other[] = {
        { REQUEST, .changes = "+1" },
        { REQUEST, .want = -EBUSY },
        { REQUEST, .wait = EV, .changes = "q2" },
        { REQUEST, .wait = EV, .changes = "q3" },
        { END, 1, .changes = "-1 released, +2" },
        { END, 2, .changes = "-2 released, +3" },
        { END, 3, .changes = "-3 released" },
        { END, 3, .want = -ENOENT },
        { REQUEST, .changes = "+4" },
};

static const Step sharing[] = {
        { REQUEST, .kind = LEASE_SHARED, .changes = "+1" },
        { REQUEST, .kind = LEASE_SHARED, .changes = "+2" },
        { REQUEST, .want = -EBUSY },
        { REQUEST, .wait = EV, .changes = "q3" },
        { REQUEST, .kind = LEASE_SHARED, .want = -EBUSY },
        { REQUEST, .kind = LEASE_SHARED, .wait = EV, .changes = "q4" },
        { REQUEST, .kind = LEASE_SHARED, .wait = EV, .changes = "q5" },
        { END, 1, .changes = "-1 released" },
        { END, 2, .changes = "-2 released, +3" },
        { END, 3, .changes = "-3 released, +4, +5" },
};

static const Step parts[] = {
        { REQUEST, .parts = D, .changes = "+1" },
        { REQUEST, .parts = V, .changes = "+2" },
        { REQUEST, .parts = D | V, .wait = EV, .changes = "q3" },
        { END, 2, .changes = "-2 released" },
        { REQUEST, .parts = V, .want = -EBUSY }, /* 3 would have to wait longer */
        { REQUEST, .parts = PROBE_PART_MSD, .changes = "+4" },
        { END, 1, .changes = "-1 released, +3" },
        { REQUEST, .parts = 0x10, .want = -EINVAL },
};

static const Step firmware_update[] = {
        { REQUEST, .kind = LEASE_FIRMWARE_UPDATE, .changes = "+1" },
        { REQUEST, .parts = PROBE_PART_MSD, .want = -EBUSY },
        { REVOKE, 1, .grace = 0, .want = -EPERM },
        { REVOKE, 1, .grace = 5, .want = -EPERM },
        { REVOKE, 1, .grace = EV, .changes = "?1" },
        { ELAPSE, .pass = 1000000 },
        { END, 1, .changes = "-1 released" },
};

static const Step waiting_ends[] = {
        { REQUEST, .changes = "+1" },
        { REQUEST, .wait = 100, .changes = "q2" },
        { REQUEST, .wait = 200, .changes = "q3" },
        { REQUEST, .wait = 300, .changes = "q4" },
        { ELAPSE, .pass = 99 },
        { ELAPSE, .pass = 1, .changes = "-2 timeout" },
        { CANCEL, 3, .changes = "-3 cancelled" },
        { END, 1, .pass = 200, .changes = "-1 released" }, /* too late for 4 */
        { ELAPSE, .changes = "-4 timeout" },
};

static const Step limits[] = {
        { REQUEST, .limit = 50, .changes = "+1" },
        { REQUEST, .wait = EV, .limit = 50, .changes = "q2" },
        { RENEW, 2, .want = -EINVAL },
        { RENEW, 9, .want = -ENOENT },
        { RENEW, 1, .pass = 40 },
        { ELAPSE, .pass = 49 },
        { ELAPSE, .pass = 1, .changes = "-1 expired, +2" },
        { ELAPSE, .pass = 50, .changes = "-2 expired" },
};

static const Step taking_back[] = {
        { REQUEST, .changes = "+1" },
        { REQUEST, .wait = EV, .changes = "q2" },
        { REVOKE, 2, .grace = 10, .want = -ENOENT },
        { REVOKE, 1, .grace = 100, .changes = "?1" },
        { REVOKE, 1, .pass = 50, .grace = 100, .changes = "?1" }, /* gains no time by it */
        { ELAPSE, .pass = 49 },
        { ELAPSE, .pass = 1, .changes = "-1 revoked, +2" },
        { REVOKE, 2, .grace = 0, .changes = "-2 revoked" },
};

static const Step obstruction[] = {
        { OBSTRUCT },
        { REQUEST, .want = -EBUSY },
        { REQUEST, .wait = EV, .changes = "q1" },
        { REQUEST, .wait = EV, .changes = "q2" },
        { CLEAR, .changes = "+1" },
        { OBSTRUCT },
        { END, 1, .changes = "-1 released" },
        { CLEAR, .changes = "+2" },
};

static const Step unplugging[] = {
        { REQUEST, .changes = "+1" },
        { REQUEST, .wait = EV, .changes = "q2" },
        { GONE, .changes = "-2 unplugged, -1 unplugged" },
        { REQUEST, .changes = "+3" },
};

static const Step quotas[] = {
        { REQUEST, .kind = LEASE_SHARED, .uid = 1, .changes = "+1" },
        { REQUEST, .kind = LEASE_SHARED, .uid = 1, .changes = "+2" },
        { REQUEST, .kind = LEASE_SHARED, .uid = 1, .changes = "+3" },
        { REQUEST, .kind = LEASE_SHARED, .uid = 1, .want = -EDQUOT },
        { REQUEST, .kind = LEASE_SHARED, .uid = 2, .changes = "+4" },
        { REQUEST, .wait = EV, .uid = 2, .changes = "q5" },
        { REQUEST, .wait = EV, .uid = 2, .changes = "q6" },
        { REQUEST, .wait = EV, .uid = 2, .changes = "q7" },
        { REQUEST, .wait = EV, .uid = 2, .changes = "q8" },
        { REQUEST, .wait = EV, .uid = 2, .want = -EDQUOT },
        { CANCEL, 8, .changes = "-8 cancelled" },
        { REQUEST, .wait = EV, .uid = 2, .changes = "q9" },
};

static const Step bad_requests[] = {
        { REQUEST, .kind = _LEASE_KIND_MAX, .want = -EINVAL },
        { REQUEST, .kind = (LeaseKind) -1, .want = -EINVAL },
        { REVOKE, 1, .want = -ENOENT },
        { CLEAR },
        { GONE },
        { ELAPSE },
};

static const struct {
        const char *name;
        const Step *steps;
        size_t n;
} scripts[] = {
#define SCRIPT(name) \
        { #name, name, ELEMENTSOF(name) }
        SCRIPT(one_after_the_other), SCRIPT(sharing), SCRIPT(parts),        SCRIPT(firmware_update),
        SCRIPT(waiting_ends),        SCRIPT(limits),  SCRIPT(taking_back),  SCRIPT(obstruction),
        SCRIPT(unplugging),          SCRIPT(quotas),  SCRIPT(bad_requests),
};

START_TEST(test_script) {
        run_script(scripts[_i].name, scripts[_i].steps, scripts[_i].n);
}
END_TEST

/* Held and waited for together, as that is what makes objects. */
START_TEST(test_quota_of_objects) {
        const LeaseQuota two = { .objects = 2 };
        LeaseRequest request = { .parts = D, .limit = EV, .deadline = EV, .uid = 7 };
        _cleanup_(lease_table_freep) LeaseTable *table = NULL;
        _cleanup_changes_ LeaseChanges changes = {};
        LeaseId first, id;

        ck_assert_int_eq(lease_table_new(&two, &table), 0);
        ck_assert_int_eq(lease_request(table, &request, 1, &changes, &first), 0);
        ck_assert_int_eq(lease_request(table, &request, 1, &changes, &id), 0);
        ck_assert_int_eq(lease_request(table, &request, 1, &changes, &id), -EDQUOT);
        request.probe = 1;
        ck_assert_int_eq(lease_request(table, &request, 1, &changes, &id), -EDQUOT);
        request.uid = 8;
        ck_assert_int_eq(lease_request(table, &request, 1, &changes, &id), 0);
        ck_assert_int_eq(lease_end(table, first, LEASE_END_RELEASED, 2, &changes), 0);
        request.uid = 7;
        ck_assert_int_eq(lease_request(table, &request, 2, &changes, &id), 0);
}
END_TEST

START_TEST(test_looking) {
        _cleanup_changes_ LeaseChanges changes = {};
        _cleanup_(lease_table_freep) LeaseTable *table = NULL;
        const LeaseRequest request = { .parts = D, .deadline = 5000, .limit = USEC_INFINITY };
        const Lease *lease;
        LeaseId id;

        ck_assert_int_eq(lease_table_new(&quota, &table), 0);
        ck_assert_ptr_null(lease_next(table, 0, NULL));
        ck_assert_uint_eq(lease_next_event(table), USEC_INFINITY);
        for (LeaseId i = 1; i <= 3; i++) {
                ck_assert_int_eq(lease_request(table, &request, 10, &changes, &id), 0);
                ck_assert_uint_eq(id, i);
        }

        lease = lease_next(table, 0, NULL);
        ck_assert_uint_eq(lease->id, 1);
        ck_assert_int_eq(lease->state, LEASE_HELD);
        ck_assert_uint_eq(lease->granted, 10);
        lease = lease_next(table, 0, lease);
        ck_assert_uint_eq(lease->id, 2);
        ck_assert_int_eq(lease->state, LEASE_WAITING);
        lease = lease_next(table, 0, lease);
        ck_assert_uint_eq(lease->id, 3);
        ck_assert_ptr_null(lease_next(table, 0, lease));
        ck_assert_uint_eq(lease_position(table, 1), 0);
        ck_assert_uint_eq(lease_position(table, 2), 1);
        ck_assert_uint_eq(lease_position(table, 3), 2);
        ck_assert_uint_eq(lease_next_event(table), 5000);
        ck_assert_ptr_null(lease_get(table, 4));
}
END_TEST

/* A lease as an earlier table had it; what is wrong with it, and what comes of it. */
static const struct {
        Lease lease;
        int want;
} restored[] = {
#define WAITING .state = LEASE_WAITING, .parts = D, .limit = 9, .expires = EV, .deadline = 30
#define HELD    .state = LEASE_HELD, .parts = D, .limit = EV, .expires = EV, .deadline = EV
        { { .id = 7, HELD }, 0 },
        { { .id = 0, HELD }, -EINVAL },
        { { .id = 5, HELD }, -EEXIST },
        { { .id = 7, HELD, .probe = 1 }, -EBUSY },
        { { .id = 7, .probe = 1, .state = LEASE_HELD, .parts = V, .limit = 1, .deadline = EV }, 0 },
        { { .id = 7, WAITING }, 0 },
        { { .id = 7, WAITING, .probe = 1 }, 0 },
        { { .id = 7, WAITING, .kind = LEASE_SHARED }, 0 },
        { { .id = 7, WAITING, .kind = LEASE_FIRMWARE_UPDATE }, -EINVAL },
        { { .id = 7, WAITING, .granted = 1 }, -EINVAL },
        { { .id = 7, .state = LEASE_WAITING, .parts = D, .limit = 1, .deadline = EV }, -EINVAL },
        { { .id = 7, .state = _LEASE_STATE_MAX, .parts = D, .limit = 1, .deadline = EV }, -EINVAL },
        { { .id = 7, .state = LEASE_HELD, .parts = D, .limit = 1, .deadline = 9 }, -EINVAL },
        { { .id = 7, .state = LEASE_HELD, .limit = 1, .deadline = EV }, -EINVAL },
        { { .id = 7, .state = LEASE_HELD, .parts = 64, .limit = 1, .deadline = EV }, -EINVAL },
        { { .id = 7, .state = LEASE_HELD, .parts = D, .deadline = EV }, -EINVAL },
        { { .id = 7, .kind = _LEASE_KIND_MAX, HELD }, -EINVAL },
        { { .id = 7, .kind = LEASE_FIRMWARE_UPDATE, HELD }, -EINVAL },
        { { .id = 7, .kind = LEASE_SHARED, HELD, .probe = 1 }, -EBUSY },
};

START_TEST(test_restore) {
        const Lease other = { .id = 5, .probe = 1, HELD }, *now;
        _cleanup_(lease_table_freep) LeaseTable *table = NULL;

        ck_assert_int_eq(lease_table_new(&quota, &table), 0);
        ck_assert_int_eq(lease_restore(table, &other), 0);
        ck_assert_int_eq(lease_restore(table, &restored[_i].lease), restored[_i].want);
        now = lease_get(table, 7);
        ck_assert_int_eq(now != NULL, restored[_i].want == 0);
        if (now)
                ck_assert_mem_eq(now, &restored[_i].lease, sizeof(*now));
}
END_TEST

/* Time goes on where it was, and no number comes twice. */
START_TEST(test_restore_goes_on) {
        const Lease limited = { .id = 5,
                                .state = LEASE_HELD,
                                .parts = D,
                                .limit = 50,
                                .granted = 10,
                                .expires = 60,
                                .deadline = EV };
        LeaseRequest request = { .parts = D, .limit = EV, .deadline = EV };
        _cleanup_(lease_table_freep) LeaseTable *table = NULL;
        _cleanup_changes_ LeaseChanges changes = {};
        char text[64];
        LeaseId id;

        ck_assert_int_eq(lease_table_new(&quota, &table), 0);
        ck_assert_int_eq(lease_restore(table, &limited), 0);
        lease_skip_ids(table, 40);
        lease_skip_ids(table, 20);
        ck_assert_uint_eq(lease_next_event(table), 60);
        ck_assert_int_eq(lease_request(table, &request, 30, &changes, &id), 0);
        ck_assert_uint_eq(id, 41);
        ck_assert_int_eq(lease_elapse(table, 60, &changes), 0);
        describe(&changes, text, sizeof(text));
        ck_assert_str_eq(text, "q41, -5 expired, +41");
}
END_TEST

/* Whatever the order of their return, the queue is as it was, and goes on. */
START_TEST(test_restore_queue) {
        static const Lease leases[] = { { .id = 9, WAITING },
                                        { .id = 3, HELD },
                                        { .id = 5, WAITING } };
        _cleanup_(lease_table_freep) LeaseTable *table = NULL;
        _cleanup_changes_ LeaseChanges changes = {};
        char text[64];

        ck_assert_int_eq(lease_table_new(&quota, &table), 0);
        for (size_t i = 0; i < ELEMENTSOF(leases); i++)
                ck_assert_int_eq(lease_restore(table, &leases[i]), 0);
        ck_assert_uint_eq(lease_position(table, 5), 1);
        ck_assert_uint_eq(lease_position(table, 9), 2);
        ck_assert_uint_eq(lease_next_event(table), 30);
        ck_assert_int_eq(lease_end(table, 3, LEASE_END_RELEASED, 20, &changes), 0);
        ck_assert_int_eq(lease_elapse(table, 31, &changes), 0);
        describe(&changes, text, sizeof(text));
        ck_assert_str_eq(text, "-3 released, +5, -5 expired, -9 timeout");
}
END_TEST

/* The holder is gone while nobody looked: his successor is granted it once the probe was seen. */
START_TEST(test_restore_without_holder) {
        static const Lease waiting = { .id = 5, WAITING };
        _cleanup_(lease_table_freep) LeaseTable *table = NULL;
        _cleanup_changes_ LeaseChanges changes = {};
        char text[64];

        ck_assert_int_eq(lease_table_new(&quota, &table), 0);
        ck_assert_int_eq(lease_restore(table, &waiting), 0);
        ck_assert_int_eq(lease_set_obstructed(table, 0, true, 10, &changes), 0);
        ck_assert_uint_eq(changes.n, 0);
        ck_assert_int_eq(lease_set_obstructed(table, 0, false, 11, &changes), 0);
        describe(&changes, text, sizeof(text));
        ck_assert_str_eq(text, "+5");
}
END_TEST

START_TEST(test_names) {
        for (int i = 0; i < _LEASE_KIND_MAX; i++)
                ck_assert_int_eq(lease_kind_from_string(lease_kind_to_string((LeaseKind) i)), i);
        for (int i = 0; i < _LEASE_STATE_MAX; i++)
                ck_assert_int_eq(lease_state_from_string(lease_state_to_string((LeaseState) i)), i);
        for (int i = 0; i < _LEASE_END_MAX; i++)
                ck_assert_int_eq(lease_end_from_string(lease_end_to_string((LeaseEnd) i)), i);
        ck_assert_int_eq(lease_kind_from_string("nonsense"), -EINVAL);
        ck_assert_ptr_null(lease_kind_to_string(_LEASE_KIND_MAX));
}
END_TEST

int main(void) {
        Suite *suite = suite_create("lease");
        TCase *tcase = tcase_create("table");
        SRunner *runner;
        int failed;

        tcase_add_loop_test(tcase, test_script, 0, ELEMENTSOF(scripts));
        tcase_add_test(tcase, test_quota_of_objects);
        tcase_add_test(tcase, test_looking);
        tcase_add_loop_test(tcase, test_restore, 0, ELEMENTSOF(restored));
        tcase_add_test(tcase, test_restore_goes_on);
        tcase_add_test(tcase, test_restore_queue);
        tcase_add_test(tcase, test_restore_without_holder);
        tcase_add_test(tcase, test_names);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
