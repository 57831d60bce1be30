/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "bus/names.h"
#include "children.h"
#include "daemon/manager-internal.h"
#include "manager-cast.h"

/* Who else works under a lease, as its owner says it over D-Bus. The gate of this world only sees.
 */

static const char *pid_word(pid_t pid) {
        static char word[32];

        (void) snprintf(word, sizeof(word), "pid:%d", (int) pid);
        return word;
}

static const char *delegates_of(const Answer *lease) {
        static char buffer[512];

        client_get(&carol, lease->path, STLINKD_LEASE_INTERFACE, "Delegates", buffer,
                   sizeof(buffer));
        return buffer;
}

static void call(Client *client, const Answer *lease, const char *method, const char *who,
                 const char *error) {
        Answer answer;

        client_lease_word(client, lease->path, method, who, &answer);
        wait_for(&answer, error);
        answer_clear(&answer);
}

static void release(Client *client, Answer *lease) {
        Answer answer;

        client_lease(client, lease->path, "Release", &answer);
        wait_for(&answer, "");
        answer_clear(&answer);
        answer_clear(lease);
}

/* Whether the only program that has the probe open works under a lease. */
static bool works_under_a_lease(void) {
        const Probe *probe = manager_ops.probe_find(world.manager, ID);
        BusHolder holder;

        ck_assert_ptr_nonnull(probe);
        ck_assert(manager_ops.holder_at(world.manager, probe, 0, &holder));
        return holder.lease != 0;
}

/* A child of the test descends from nobody who holds a lease: that is another child. */
static void lease_for(pid_t owner, Answer *lease) {
        client_acquire_bound(&alice, ID, lease, "form", "s", "process", "pid", "u",
                             (uint32_t) owner, NULL);
        wait_for(lease, "");
        ck_assert_str_eq(delegates_of(lease), "");
}

START_TEST(a_delegate_works_under_the_lease) {
        pid_t owner = child_idle(), delegate = child_idle();
        Answer lease;

        plug(NODE);
        lease_for(owner, &lease);
        fake_use(NODE, &delegate, 1, false);
        world_settle(&world, 50);
        ck_assert(!works_under_a_lease());

        call(&alice, &lease, "Delegate", pid_word(delegate), "");
        ck_assert_str_eq(delegates_of(&lease), pid_word(delegate));
        ck_assert(works_under_a_lease());
        call(&alice, &lease, "Withdraw", pid_word(delegate), "");
        ck_assert_str_eq(delegates_of(&lease), "");
        ck_assert(!works_under_a_lease());

        call(&alice, &lease, "Delegate", "uid:4294967000", "");
        ck_assert(!works_under_a_lease());
        fake_use(NODE, NULL, 0, false);
        release(&alice, &lease);
        wait_state(ID, "free");
        child_idle_end(owner);
        child_idle_end(delegate);
}
END_TEST

/* While it is held, a claim of his is the lease's own; when it ends he is a stranger in the way. */
START_TEST(a_delegate_is_a_stranger_afterwards) {
        pid_t owner = child_idle(), delegate = child_idle();
        Answer lease, next;

        plug(NODE);
        lease_for(owner, &lease);
        call(&alice, &lease, "Delegate", pid_word(delegate), "");
        fake_use(NODE, &delegate, 1, true);
        world_settle(&world, 50);
        ck_assert_str_eq(state(ID), "leased");
        ck_assert(works_under_a_lease());
        release(&alice, &lease);
        wait_state(ID, "claimed");
        ck_assert(!works_under_a_lease());
        client_acquire(&bob, ID, &next, NULL);
        wait_for(&next, "Busy");
        answer_clear(&next);
        child_idle_end(owner);
        child_idle_end(delegate);
}
END_TEST

START_TEST(with_the_request) {
        Answer lease, waiting;

        plug(NODE);
        client_acquire(&alice, ID, &lease, "delegates", "as", "uid:1234", NULL);
        wait_for(&lease, "");
        ck_assert_str_eq(delegates_of(&lease), "uid:1234");
        client_acquire(&bob, ID, &waiting, WAIT, NEVER, "waiting", "s", "object", "delegates", "as",
                       "uid:1235", NULL);
        wait_for(&waiting, "");
        ck_assert_str_eq(lease_state(&waiting), "waiting");
        call(&bob, &waiting, "Delegate", "uid:1236", "");
        answer_clear(&lease);
        wait_leases(1);
        ck_assert_str_eq(lease_state(&waiting), "held");
        ck_assert_str_eq(delegates_of(&waiting), "uid:1235 uid:1236");
        answer_clear(&waiting);
        wait_state(ID, "free");
}
END_TEST

START_TEST(only_its_owner_may) {
        Answer lease, answer;

        plug(NODE);
        client_acquire_bound(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        call(&bob, &lease, "Delegate", "uid:1000", "NotLeased");
        call(&alice, &lease, "Delegate", "uid:1000", "");
        call(&bob, &lease, "Withdraw", "uid:1000", "NotLeased");
        ck_assert_str_eq(delegates_of(&lease), "uid:1000");
        client_lease(&alice, lease.path, "Release", &answer);
        wait_for(&answer, "");
        answer_clear(&answer);
        call(&alice, &lease, "Delegate", "uid:1000", "UnknownObject");
        answer_clear(&lease);
}
END_TEST

START_TEST(what_is_refused) {
        pid_t child = child_idle();
        Answer lease;
        char who[32];

        child_idle_end(child);
        plug(NODE);
        client_acquire(&alice, ID, &lease, "delegates", "as", "gid:5", NULL);
        wait_for(&lease, "InvalidArgs");
        ck_assert_ptr_nonnull(strstr(lease.message, "\"gid:5\" says nobody"));
        answer_clear(&lease);
        client_acquire(&alice, ID, &lease, "delegates", "as", pid_word(child), NULL);
        wait_for(&lease, "InvalidArgs");
        answer_clear(&lease);
        ck_assert_str_eq(state(ID), "free");

        client_acquire_bound(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        call(&alice, &lease, "Delegate", "", "InvalidArgs");
        call(&alice, &lease, "Delegate", "alice", "InvalidArgs");
        call(&alice, &lease, "Delegate", pid_word(child), "InvalidArgs");
        call(&alice, &lease, "Delegate", "unit:no-such-unit.service", "InvalidArgs");
        call(&alice, &lease, "Delegate", "cgroup:/no-such-group-as-this", "InvalidArgs");
        call(&alice, &lease, "Withdraw", "uid:1000", "InvalidArgs");
        ck_assert_str_eq(delegates_of(&lease), "");
        for (unsigned i = 0; i < LEASE_DELEGATES_MAX; i++) {
                (void) snprintf(who, sizeof(who), "uid:%u", 1000 + i);
                call(&alice, &lease, "Delegate", who, "");
                call(&alice, &lease, "Delegate", who, ""); /* as it is already */
        }
        call(&alice, &lease, "Delegate", "uid:1", "QuotaExceeded");
        call(&alice, &lease, "Withdraw", "uid:1003", "");
        call(&alice, &lease, "Delegate", "uid:1", "");
        release(&alice, &lease);
}
END_TEST

/* A pid that another process has by now is not the one that was meant. */
START_TEST(a_process_that_has_ended) {
        pid_t child = child_idle();
        Answer lease;

        plug(NODE);
        client_acquire_bound(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        call(&alice, &lease, "Delegate", pid_word(child), "");
        child_idle_end(child);
        ck_assert_str_eq(delegates_of(&lease), pid_word(child));
        call(&alice, &lease, "Delegate", pid_word(child), "InvalidArgs");
        ck_assert_str_eq(delegates_of(&lease), pid_word(child));
        call(&alice, &lease, "Withdraw", pid_word(child), "");
        ck_assert_str_eq(delegates_of(&lease), "");
        release(&alice, &lease);
}
END_TEST

/* Once the first has ended its number may be given to another, who can be named then. */
START_TEST(another_process_of_that_number) {
        pid_t child = child_idle();
        LeaseEntry *entry;
        Answer lease;

        plug(NODE);
        client_acquire_bound(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        call(&alice, &lease, "Delegate", pid_word(child), "");
        entry = lease_entry_get(world.manager, strtoull(strrchr(lease.path, '/') + 1, NULL, 10));
        ck_assert_ptr_nonnull(entry);
        ck_assert_uint_eq(entry->delegates.items[0].number, 1);
        entry->delegates.items[0].process = process_free(entry->delegates.items[0].process);
        call(&alice, &lease, "Delegate", pid_word(child), "");
        ck_assert_str_eq(delegates_of(&lease), pid_word(child));
        ck_assert_uint_eq(entry->delegates.items[0].number, 2);
        child_idle_end(child);
        release(&alice, &lease);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("manager-delegate");
        TCase *tcase = tcase_create("delegates");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, cast_begin, cast_end);
        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, a_delegate_works_under_the_lease);
        tcase_add_test(tcase, a_delegate_is_a_stranger_afterwards);
        tcase_add_test(tcase, with_the_request);
        tcase_add_test(tcase, only_its_owner_may);
        tcase_add_test(tcase, what_is_refused);
        tcase_add_test(tcase, a_process_that_has_ended);
        tcase_add_test(tcase, another_process_of_that_number);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
