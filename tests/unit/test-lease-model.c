/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Long random runs of the lease table beside a second, naive implementation of the same rules.
 * After every step both must have reported the same changes in the same order, and hold the same
 * leases; the invariants that users care about are checked on top of that, from the table alone.
 *
 * Usage: test-lease-model [STEPS [SEED]]; without a seed the steps are shared by ten seeds.
 * tests/unit/test-lease-mutations shows that planted bugs are found. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ids.h"
#include "core/lease.h"

#define MAX_LEASES 512
#define N_PROBES   3
#define N_UIDS     4
#define N_SEEDS    10

static const LeaseQuota quota = { .held = 5, .waiting = 6, .objects = 8 };

/* The naive model: one array in the order of requests, everything found by searching. */
typedef struct Model {
        Lease leases[MAX_LEASES];
        uint64_t grant_order[MAX_LEASES];
        size_t n;
        bool obstructed[N_PROBES];
        uint64_t n_grants;
        LeaseChange expected[2 * MAX_LEASES];
        size_t n_expected;
} Model;

static uint64_t random_state;

static uint64_t random_below(uint64_t n) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return random_state % n;
}

#define fail(...)                                       \
        do {                                            \
                fprintf(stderr, "model: " __VA_ARGS__); \
                fputc('\n', stderr);                    \
                exit(1);                                \
        } while (0)

static void expect(Model *m, LeaseChangeType type, LeaseEnd end, const Lease *lease) {
        m->expected[m->n_expected++] = (LeaseChange){ .type = type, .end = end, .lease = *lease };
}

static bool conflicts(const Lease *a, const Lease *b) {
        if (a->probe != b->probe || !(a->parts & b->parts))
                return false;
        return a->kind != LEASE_SHARED || b->kind != LEASE_SHARED;
}

static bool model_is_grantable(const Model *m, size_t i, Usec now, bool skip_expired) {
        if (m->obstructed[m->leases[i].probe])
                return false;
        for (size_t k = 0; k < m->n; k++) {
                const Lease *other = &m->leases[k];

                if (k == i || !conflicts(other, &m->leases[i]))
                        continue;
                if (other->state != LEASE_WAITING)
                        return false;
                if (k < i && !(skip_expired && other->deadline <= now))
                        return false;
        }
        return true;
}

static void model_hold(Model *m, size_t i, Usec now) {
        Lease *lease = &m->leases[i];

        lease->state = LEASE_HELD;
        lease->granted = now;
        lease->deadline = USEC_INFINITY;
        lease->expires = usec_add(now, lease->limit);
        m->grant_order[i] = ++m->n_grants;
        expect(m, LEASE_CHANGE_GRANTED, 0, lease);
}

static void model_grant(Model *m, LeaseProbe probe, Usec now) {
        for (size_t i = 0; i < m->n; i++) {
                if (m->leases[i].probe != probe || m->leases[i].state != LEASE_WAITING)
                        continue;
                if (m->leases[i].deadline > now && model_is_grantable(m, i, now, true))
                        model_hold(m, i, now);
        }
}

static void model_remove(Model *m, size_t i, LeaseEnd end) {
        expect(m, LEASE_CHANGE_ENDED, end, &m->leases[i]);
        m->n--;
        memmove(&m->leases[i], &m->leases[i + 1], (m->n - i) * sizeof(Lease));
        memmove(&m->grant_order[i], &m->grant_order[i + 1], (m->n - i) * sizeof(uint64_t));
}

static void model_end(Model *m, size_t i, LeaseEnd end, Usec now) {
        LeaseProbe probe = m->leases[i].probe;

        model_remove(m, i, end);
        model_grant(m, probe, now);
}

static Usec model_due(const Lease *lease) {
        return lease->state == LEASE_WAITING ? lease->deadline
                                             : MIN(lease->deadline, lease->expires);
}

static Usec model_next_event(const Model *m) {
        Usec next = USEC_INFINITY;

        for (size_t i = 0; i < m->n; i++)
                next = MIN(next, model_due(&m->leases[i]));
        return next;
}

static unsigned model_count(const Model *m, uid_t uid, bool waiting) {
        unsigned n = 0;

        for (size_t i = 0; i < m->n; i++)
                n += m->leases[i].uid == uid && (m->leases[i].state == LEASE_WAITING) == waiting;
        return n;
}

static int model_request(Model *m, const LeaseRequest *r, LeaseId id, Usec now) {
        Lease *lease = &m->leases[m->n];
        bool grantable;

        *lease = (Lease){
                .id = id,
                .probe = r->probe,
                .uid = r->uid,
                .kind = r->kind,
                .state = LEASE_WAITING,
                .parts = r->kind == LEASE_FIRMWARE_UPDATE ? PROBE_PARTS_ALL : r->parts,
                .requested = now,
                .deadline = r->deadline,
                .limit = r->limit,
                .expires = USEC_INFINITY,
        };
        m->n++;
        grantable = model_is_grantable(m, m->n - 1, now, false);
        m->n--;
        if (!grantable && r->deadline <= now)
                return -EBUSY;
        if (model_count(m, r->uid, !grantable) >= (grantable ? quota.held : quota.waiting))
                return -EDQUOT;
        if (model_count(m, r->uid, true) + model_count(m, r->uid, false) >= quota.objects)
                return -EDQUOT;
        m->n++;
        if (grantable)
                model_hold(m, m->n - 1, now);
        else
                expect(m, LEASE_CHANGE_QUEUED, 0, lease);
        return 0;
}

/* The lease that is due first, the oldest of several; m->n for none. */
static size_t model_first_due(const Model *m, Usec now) {
        size_t first = m->n;

        for (size_t i = 0; i < m->n; i++) {
                Usec due = model_due(&m->leases[i]);

                if (due <= now && (first == m->n || due < model_due(&m->leases[first])))
                        first = i;
        }
        return first;
}

static void model_elapse(Model *m, Usec now) {
        for (size_t i = model_first_due(m, now); i < m->n; i = model_first_due(m, now)) {
                if (m->leases[i].state == LEASE_WAITING)
                        model_end(m, i, LEASE_END_TIMEOUT, now);
                else if (m->leases[i].expires <= now)
                        model_end(m, i, LEASE_END_EXPIRED, now);
                else
                        model_end(m, i, LEASE_END_REVOKED, now);
        }
}

/* The holder who was granted first, among those on a probe; m->n for none. */
static size_t model_first_granted(const Model *m, LeaseProbe probe) {
        size_t first = m->n;

        for (size_t i = 0; i < m->n; i++)
                if (m->leases[i].probe == probe &&
                    (first == m->n || m->grant_order[i] < m->grant_order[first]))
                        first = i;
        return first;
}

static void model_gone(Model *m, LeaseProbe probe) {
        for (size_t i = 0; i < m->n;)
                if (m->leases[i].probe == probe && m->leases[i].state == LEASE_WAITING)
                        model_remove(m, i, LEASE_END_UNPLUGGED);
                else
                        i++;
        for (size_t i = model_first_granted(m, probe); i < m->n; i = model_first_granted(m, probe))
                model_remove(m, i, LEASE_END_UNPLUGGED);
        m->obstructed[probe] = false;
}

static int model_revoke(Model *m, size_t i, Usec grace, Usec now) {
        Lease *lease = &m->leases[i];

        if (lease->state == LEASE_WAITING)
                return -ENOENT;
        if (lease->kind == LEASE_FIRMWARE_UPDATE && grace != USEC_INFINITY)
                return -EPERM;
        if (grace == 0) {
                model_end(m, i, LEASE_END_REVOKED, now);
                return 0;
        }
        lease->state = LEASE_ASKED;
        lease->deadline = MIN(lease->deadline, usec_add(now, grace));
        expect(m, LEASE_CHANGE_ASKED, 0, lease);
        return 0;
}

/* Comparison */

static bool same_lease(const Lease *a, const Lease *b) {
        return a->id == b->id && a->probe == b->probe && a->uid == b->uid && a->kind == b->kind &&
               a->state == b->state && a->parts == b->parts && a->requested == b->requested &&
               a->granted == b->granted && a->deadline == b->deadline && a->limit == b->limit &&
               a->expires == b->expires;
}

static void compare_changes(const Model *m, const LeaseChanges *changes) {
        if (changes->n != m->n_expected)
                fail("%zu changes, expected %zu", changes->n, m->n_expected);
        for (size_t i = 0; i < changes->n; i++) {
                const LeaseChange *got = &changes->items[i], *want = &m->expected[i];

                if (got->type != want->type || !same_lease(&got->lease, &want->lease))
                        fail("change %zu is of type %d on lease %" PRIu64
                             ", expected type %d on lease %" PRIu64,
                             i, got->type, got->lease.id, want->type, want->lease.id);
                if (got->type == LEASE_CHANGE_ENDED && got->end != want->end)
                        fail("lease %" PRIu64 " ended as %s, expected %s", got->lease.id,
                             lease_end_to_string(got->end), lease_end_to_string(want->end));
        }
}

static size_t model_position(const Model *m, size_t i) {
        size_t position = 0;

        if (m->leases[i].state != LEASE_WAITING)
                return 0;
        for (size_t k = 0; k <= i; k++)
                position += m->leases[k].state == LEASE_WAITING &&
                            m->leases[k].probe == m->leases[i].probe;
        return position;
}

static void compare_tables(const Model *m, const LeaseTable *table) {
        size_t seen = 0;

        for (LeaseProbe p = 0; p < N_PROBES; p++)
                for (const Lease *l = lease_next(table, p, NULL); l; l = lease_next(table, p, l))
                        seen++;
        if (seen != m->n)
                fail("the table walks over %zu leases, expected %zu", seen, m->n);
        for (size_t i = 0; i < m->n; i++) {
                const Lease *lease = lease_get(table, m->leases[i].id);

                if (!lease || !same_lease(lease, &m->leases[i]))
                        fail("lease %" PRIu64 " is lost or differs", m->leases[i].id);
                if (lease_position(table, lease->id) != model_position(m, i))
                        fail("lease %" PRIu64 " is at the wrong place of the queue", lease->id);
        }
        if (lease_next_event(table) != model_next_event(m))
                fail("the next event is at the wrong time");
}

static void check_probe(const LeaseTable *table, LeaseProbe probe, Usec now, unsigned *held,
                        unsigned *waiting) {
        for (const Lease *a = lease_next(table, probe, NULL); a; a = lease_next(table, probe, a)) {
                if (a->state == LEASE_WAITING) {
                        waiting[a->uid]++;
                        if (a->deadline <= now)
                                fail("lease %" PRIu64 " waits past its deadline", a->id);
                        continue;
                }
                held[a->uid]++;
                for (const Lease *b = lease_next(table, probe, a); b;
                     b = lease_next(table, probe, b))
                        if (b->state != LEASE_WAITING && conflicts(a, b))
                                fail("two holders: %" PRIu64 " and %" PRIu64, a->id, b->id);
        }
}

/* What users care about, told from the table alone. */
static void check_invariants(const LeaseTable *table, Usec now) {
        unsigned held[N_UIDS] = {}, waiting[N_UIDS] = {};

        for (LeaseProbe probe = 0; probe < N_PROBES; probe++)
                check_probe(table, probe, now, held, waiting);
        /* A request that waited is granted whatever its owner holds by then, so that nobody
         * who was let into the queue is turned away at its end. */
        for (uid_t uid = 0; uid < N_UIDS; uid++)
                if (waiting[uid] > quota.waiting || held[uid] > quota.held + quota.waiting ||
                    waiting[uid] + held[uid] > quota.objects)
                        fail("uid %u is over its quota", uid);
}

/* Steps */

typedef struct Run {
        Model *model;
        LeaseTable *table;
        LeaseChanges changes;
        Usec now;
        LeaseId last_id;
} Run;

static void same_result(const char *what, int got, int want) {
        if (got != want)
                fail("%s returned %d, expected %d", what, got, want);
}

static Usec random_span(void) {
        switch (random_below(4)) {
        case 0:
                return 0;
        case 1:
                return USEC_INFINITY;
        default:
                return random_below(40);
        }
}

static void step_request(Run *run) {
        LeaseRequest request = {
                .probe = (LeaseProbe) random_below(N_PROBES),
                .uid = (uid_t) random_below(N_UIDS),
                .kind = (LeaseKind) random_below(_LEASE_KIND_MAX),
                .parts = (unsigned) random_below(PROBE_PARTS_ALL) + 1,
                .limit = usec_add(random_span(), 1),
        };
        Usec wait = random_span();
        LeaseId id = 0;
        int want;

        if (random_below(2) == 0)
                request.parts = PROBE_PART_DEBUG;
        request.deadline = wait == 0 ? 0 : usec_add(run->now, wait);
        want = model_request(run->model, &request, run->last_id + 1, run->now);
        same_result("lease_request",
                    lease_request(run->table, &request, run->now, &run->changes, &id), want);
        if (want == 0 && id != ++run->last_id)
                fail("a lease got number %" PRIu64 ", expected %" PRIu64, id, run->last_id);
}

static void step_end(Run *run, size_t i) {
        LeaseEnd reason = (LeaseEnd) random_below(_LEASE_END_MAX);
        LeaseId id = run->model->leases[i].id;

        model_end(run->model, i, reason, run->now);
        same_result("lease_end", lease_end(run->table, id, reason, run->now, &run->changes), 0);
        same_result("lease_end again", lease_end(run->table, id, reason, run->now, &run->changes),
                    -ENOENT);
}

static void step_revoke(Run *run, size_t i) {
        LeaseId id = run->model->leases[i].id;
        Usec grace = random_span();
        int want = model_revoke(run->model, i, grace, run->now);

        same_result("lease_revoke", lease_revoke(run->table, id, grace, run->now, &run->changes),
                    want);
}

static void step_renew(Run *run, size_t i) {
        Lease *lease = &run->model->leases[i];
        int want = lease->state == LEASE_WAITING ? -EINVAL : 0;

        if (want == 0)
                lease->expires = usec_add(run->now, lease->limit);
        same_result("lease_renew", lease_renew(run->table, lease->id, run->now), want);
}

static void step_obstruct(Run *run) {
        LeaseProbe probe = (LeaseProbe) random_below(N_PROBES);
        bool obstructed = random_below(3) == 0;

        run->model->obstructed[probe] = obstructed;
        model_grant(run->model, probe, run->now);
        same_result("lease_set_obstructed",
                    lease_set_obstructed(run->table, probe, obstructed, run->now, &run->changes),
                    0);
}

static void step_gone(Run *run) {
        LeaseProbe probe = (LeaseProbe) random_below(N_PROBES);

        model_gone(run->model, probe);
        same_result("lease_probe_gone", lease_probe_gone(run->table, probe, &run->changes), 0);
}

static void step_elapse(Run *run) {
        model_elapse(run->model, run->now);
        same_result("lease_elapse", lease_elapse(run->table, run->now, &run->changes), 0);
}

/* Of leases that were granted in the same instant, it is not known which was first. */
static void model_restart(Model *m, Usec now) {
        const uint64_t span = UINT64_C(1) << 32; /* more than there are numbers */

        for (size_t i = 0; i < m->n; i++)
                m->grant_order[i] = m->leases[i].granted * span + m->leases[i].id;
        m->n_grants = MAX(m->n_grants, (now + 1) * span);
}

/* Another table takes over, and gets the leases in any order: each is where it was. */
static void step_restart(Run *run) {
        Lease leases[MAX_LEASES];
        Model *m = run->model;
        LeaseTable *table = NULL;
        size_t n = 0;

        same_result("lease_table_new", lease_table_new(&quota, &table), 0);
        for (LeaseProbe probe = 0; probe < N_PROBES; probe++)
                for (const Lease *l = NULL; (l = lease_next(run->table, probe, l));)
                        leases[n++] = *l;
        for (; n > 0; n--) {
                size_t i = random_below(n);

                same_result("lease_restore", lease_restore(table, &leases[i]), 0);
                leases[i] = leases[n - 1];
        }
        lease_skip_ids(table, run->last_id);
        lease_table_free(run->table);
        run->table = table;
        model_restart(m, run->now);
        compare_tables(m, table);
        for (LeaseProbe probe = 0; probe < N_PROBES; probe++)
                same_result("lease_set_obstructed",
                            lease_set_obstructed(table, probe, m->obstructed[probe], run->now,
                                                 &run->changes),
                            0);
}

static void step(Run *run) {
        uint64_t kind = random_below(100);
        size_t n = run->model->n;

        run->model->n_expected = run->changes.n = 0;
        if (kind < 45)
                step_request(run);
        else if (kind < 65 && n > 0)
                step_end(run, random_below(n));
        else if (kind < 72 && n > 0)
                step_revoke(run, random_below(n));
        else if (kind < 77 && n > 0)
                step_renew(run, random_below(n));
        else if (kind < 83)
                step_obstruct(run);
        else if (kind < 84)
                step_gone(run);
        else if (random_below(500) == 0)
                step_restart(run);
        else {
                run->now += random_below(12);
                step_elapse(run);
        }
        compare_changes(run->model, &run->changes);
}

static void check(Run *run) {
        run->model->n_expected = run->changes.n = 0;
        step_elapse(run);
        compare_changes(run->model, &run->changes);
        compare_tables(run->model, run->table);
        check_invariants(run->table, run->now);
}

static void run_seed(uint64_t seed, uint64_t steps) {
        _cleanup_free_ Model *model = calloc(1, sizeof(*model));
        Run run = { .model = model, .now = 1000 };

        assert(model);
        random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
        same_result("lease_table_new", lease_table_new(&quota, &run.table), 0);
        for (uint64_t i = 0; i < steps; i++) {
                step(&run);
                /* The full comparison costs more than a step. */
                if (random_below(8) == 0)
                        check(&run);
        }
        check(&run);
        lease_changes_clear(&run.changes);
        lease_table_free(run.table);
}

int main(int argc, char **argv) {
        uint64_t steps = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;

        if (argc > 2)
                run_seed(strtoull(argv[2], NULL, 10), steps);
        for (uint64_t seed = 1; argc <= 2 && seed <= N_SEEDS; seed++)
                run_seed(seed, steps / N_SEEDS);
        printf("%" PRIu64 " random steps agree with the model\n1 passed, 0 failed\n", steps);
        return 0;
}
