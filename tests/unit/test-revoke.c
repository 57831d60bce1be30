/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/names.h"
#include "fake-polkit.h"
#include "manager-cast.h"

/* Taking leases back, and who may; then a crowd: a thousand who wait, and one who floods the bus.
 * Carol looks; alice holds, bob wants it, and both are ordinary users. */

#define ALICE_UID 65534
#define BOB_UID   1
#define CROWD     1000
#define PER_LINE  100 /* requests on one connection */
#define FLOOD     5000

static Authority authority;

/* Root is not asked about, so to be somebody else is what these tests need. An ordinary user is
 * that already; then alice and bob are one. */
static void begin_as(Client *client, uid_t uid) {
        bool root = geteuid() == 0;

        if (root)
                ck_assert_int_eq(seteuid(uid), 0);
        client_begin(client, &world);
        if (root)
                ck_assert_int_eq(seteuid(0), 0);
}

static void begin(void) {
        world_begin(&world);
        ck_assert_int_eq(chmod(world.directory, 0711), 0);
        world_start(&world);
        begin_as(&alice, ALICE_UID);
        begin_as(&bob, BOB_UID);
        client_begin(&carol, &world);
        plug(NODE);
        authority_begin(&authority, &world);
        authority.yes = true;
}

static void end(void) {
        authority_end(&authority);
        cast_end();
}

static const char *get(const Answer *lease, const char *property) {
        static char buffer[256];

        client_get(&carol, lease->path, STLINKD_LEASE_INTERFACE, property, buffer, sizeof(buffer));
        return buffer;
}

/* --- calls -------------------------------------------------------------------------------- */

typedef struct Outcome {
        bool done;
        char error[64];
} Outcome;

static int on_outcome(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const sd_bus_error *e = sd_bus_message_get_error(message);
        Outcome *outcome = userdata;

        (void) error;
        outcome->done = true;
        (void) snprintf(outcome->error, sizeof(outcome->error), "%s",
                        e ? strrchr(e->name, '.') + 1 : "");
        return 0;
}

/* Ask, or take it back after grace; what comes of it is the last part of an error's name. */
static const char *take_back(Client *client, const Answer *lease, const char *reason, Usec grace) {
        static Outcome outcome;
        sd_bus_slot *slot = NULL;
        int r;

        outcome = (Outcome){};
        if (grace == USEC_INFINITY)
                r = sd_bus_call_method_async(client->bus, &slot, STLINKD_BUS_NAME, lease->path,
                                             STLINKD_LEASE_INTERFACE, "Ask", on_outcome, &outcome,
                                             "a{sv}", 1, "reason", "s", reason);
        else
                r = sd_bus_call_method_async(client->bus, &slot, STLINKD_BUS_NAME, lease->path,
                                             STLINKD_LEASE_INTERFACE, "Revoke", on_outcome,
                                             &outcome, "a{sv}", 2, "reason", "s", reason, "grace",
                                             "t", grace);
        ck_assert_int_ge(r, 0);
        ck_assert(world_wait(&world, &outcome.done));
        sd_bus_slot_unref(slot);
        return outcome.error;
}

typedef struct Signal {
        bool done;
        unsigned n;
        char by[128], reason[64];
        uint64_t deadline;
} Signal;

static int on_asked(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *by, *reason;
        Signal *told = userdata;

        (void) error;
        ck_assert_int_gt(sd_bus_message_read(message, "sst", &by, &reason, &told->deadline), 0);
        (void) snprintf(told->by, sizeof(told->by), "%s", by);
        (void) snprintf(told->reason, sizeof(told->reason), "%s", reason);
        told->n++;
        told->done = true;
        return 0;
}

static sd_bus_slot *listen_asked(Client *client, Signal *told) {
        sd_bus_slot *slot = NULL;

        *told = (Signal){};
        ck_assert_int_ge(sd_bus_match_signal(client->bus, &slot, NULL, NULL,
                                             STLINKD_LEASE_INTERFACE, "Asked", on_asked, told),
                         0);
        world_settle(&world, 20);
        return slot;
}

/* --- asking and force --------------------------------------------------------------------- */

START_TEST(test_ask) {
        sd_bus_slot *slot;
        Signal told;
        Answer lease;

        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        slot = listen_asked(&alice, &told);
        ck_assert_str_eq(take_back(&bob, &lease, "my turn", USEC_INFINITY), "");
        ck_assert(world_wait(&world, &told.done));
        ck_assert_ptr_nonnull(strstr(told.by, "test-revoke (pid "));
        ck_assert_str_eq(told.reason, "my turn");
        ck_assert_uint_eq(told.deadline, USEC_INFINITY);
        ck_assert_str_eq(get(&lease, "State"), "asked");
        ck_assert_str_eq(get(&lease, "AskedReason"), "my turn");
        ck_assert_str_eq(get(&lease, "AskedBy"), told.by);
        ck_assert_str_eq(get(&lease, "Deadline"), "18446744073709551615");
        /* Not again at once; but force is no asking. */
        ck_assert_str_eq(take_back(&bob, &lease, "now", USEC_INFINITY), "QuotaExceeded");
        ck_assert_uint_eq(told.n, 1);
        ck_assert_str_eq(take_back(&bob, &lease, "now", 60 * USEC_PER_SEC), "");
        world_settle(&world, 20);
        ck_assert_uint_eq(told.n, 2);
        ck_assert_uint_lt(told.deadline, now_usec(CLOCK_MONOTONIC) + 61 * USEC_PER_SEC);
        ck_assert_str_eq(state(ID), "leased");
        sd_bus_slot_unref(slot);
        answer_clear(&lease);
        wait_state(ID, "free");
}
END_TEST

START_TEST(test_force) {
        Answer lease, next;

        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        client_acquire(&bob, ID, &next, WAIT, NEVER, NULL);
        wait_leases(2);
        ck_assert_str_eq(take_back(&bob, &lease, "", 3 * USEC_PER_SEC), "");
        ck_assert_str_eq(get(&lease, "State"), "asked");
        ck_assert(!next.done);
        wait_for(&next, "");
        ck_assert_str_eq(get(&lease, "State"), "");
        /* At once */
        ck_assert_str_eq(take_back(&bob, &next, "", 0), "");
        wait_state(ID, "free");
        ck_assert_str_eq(take_back(&bob, &next, "", 0), "UnknownObject");
        answer_clear(&next);
        answer_clear(&lease);
}
END_TEST

START_TEST(test_waiting_is_not_taken) {
        Answer lease, next;

        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        client_acquire(&alice, ID, &next, WAIT, NEVER, "waiting", "s", "object", NULL);
        wait_for(&next, "");
        ck_assert_str_eq(take_back(&bob, &next, "", 0), "NotLeased");
        ck_assert_str_eq(take_back(&bob, &next, "", USEC_INFINITY), "NotLeased");
        ck_assert_str_eq(get(&next, "State"), "waiting");
        answer_clear(&next);
        answer_clear(&lease);
        wait_state(ID, "free");
}
END_TEST

/* By nobody: not by its own user, and not by root. */
START_TEST(test_firmware_update) {
        Client *others[] = { &alice, &bob, &carol };
        Answer lease;

        client_acquire(&alice, ID, &lease, "kind", "s", "firmware-update", NULL);
        wait_for(&lease, "");
        if (geteuid() == 0)
                ck_assert_str_eq(authority.action, STLINKD_ACTION_FIRMWARE);
        for (size_t i = 0; i < ELEMENTSOF(others); i++) {
                ck_assert_str_eq(take_back(others[i], &lease, "", 0), "AccessDenied");
                ck_assert_str_eq(take_back(others[i], &lease, "", USEC_PER_SEC), "AccessDenied");
        }
        ck_assert_str_eq(get(&lease, "State"), "held");
        ck_assert_str_eq(take_back(&bob, &lease, "", USEC_INFINITY), "");
        ck_assert_str_eq(get(&lease, "State"), "asked");
        answer_clear(&lease);
        wait_state(ID, "free");
}
END_TEST

/* --- who may ------------------------------------------------------------------------------ */

START_TEST(test_rights) {
        unsigned asked;
        Answer lease;

        if (geteuid() != 0) {
                printf("SKIP: test_rights: needs root for a second user\n");
                return;
        }
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        authority.yes = false;
        ck_assert_str_eq(take_back(&bob, &lease, "", USEC_INFINITY), "AccessDenied");
        ck_assert_str_eq(authority.action, STLINKD_ACTION_LEASE);
        ck_assert_str_eq(take_back(&bob, &lease, "", 0), "AccessDenied");
        ck_assert_str_eq(authority.action, STLINKD_ACTION_BREAK_LEASE);
        ck_assert_str_eq(authority.name, ID);
        ck_assert_str_eq(get(&lease, "State"), "held");
        /* One's own needs no leave, and root's word is enough. */
        asked = authority.asked;
        ck_assert_str_eq(take_back(&alice, &lease, "", USEC_INFINITY), "");
        ck_assert_str_eq(take_back(&carol, &lease, "", 0), "");
        ck_assert_uint_eq(authority.asked, asked);
        wait_state(ID, "free");
        answer_clear(&lease);
}
END_TEST

/* The lease may end while polkit is asked, and another have begun: that one was not meant. */
START_TEST(test_gone_while_polkit_is_asked) {
        Outcome outcome = {};
        sd_bus_slot *slot = NULL;
        Answer lease, next;
        Usec deadline = now_usec(CLOCK_MONOTONIC) + 20 * USEC_PER_SEC;
        unsigned asked;

        if (geteuid() != 0) {
                printf("SKIP: test_gone_while_polkit_is_asked: needs root for a second user\n");
                return;
        }
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        asked = authority.asked;
        authority.hold = true;
        ck_assert_int_ge(sd_bus_call_method_async(bob.bus, &slot, STLINKD_BUS_NAME, lease.path,
                                                  STLINKD_LEASE_INTERFACE, "Revoke", on_outcome,
                                                  &outcome, "a{sv}", 1, "grace", "t", (uint64_t) 0),
                         0);
        while (authority.asked == asked && now_usec(CLOCK_MONOTONIC) < deadline)
                world_settle(&world, 10);
        client_lease(&alice, lease.path, "Release", &next);
        wait_for(&next, "");
        answer_clear(&next);
        authority.hold = false;
        client_acquire(&alice, ID, &next, NULL);
        wait_for(&next, "");
        authority.hold = true;
        authority_answer(&authority);
        ck_assert(world_wait(&world, &outcome.done));
        ck_assert_str_eq(outcome.error, "UnknownObject");
        ck_assert_str_eq(get(&next, "State"), "held");
        sd_bus_slot_unref(slot);
        answer_clear(&next);
        answer_clear(&lease);
        wait_state(ID, "free");
}
END_TEST

START_TEST(test_release_is_for_the_owner) {
        Answer lease, answer;

        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        client_lease(&carol, lease.path, "Release", &answer); /* she is root, where there is one */
        wait_for(&answer, "NotLeased");
        answer_clear(&answer);
        ck_assert_str_eq(state(ID), "leased");
        answer_clear(&lease);
        wait_state(ID, "free");
}
END_TEST

/* --- a crowd ------------------------------------------------------------------------------ */

static void begin_crowd(void) {
        world_begin(&world);
        world.config.quota = (LeaseQuota){ .held = 1, .waiting = CROWD };
        cast_enter();
        plug(NODE);
}

/* Each of a thousand gets it in turn, and one more is too many. */
START_TEST(test_crowd) {
        static Client lines[CROWD / PER_LINE];
        static Answer answers[CROWD];
        Answer held, one_more;

        client_acquire(&alice, ID, &held, NULL);
        wait_for(&held, "");
        for (unsigned i = 0; i < CROWD; i++) {
                if (i % PER_LINE == 0)
                        client_begin(&lines[i / PER_LINE], &world);
                client_acquire(&lines[i / PER_LINE], ID, &answers[i], WAIT, NEVER, "waiting", "s",
                               "object", NULL);
                if (i % PER_LINE == PER_LINE - 1)
                        wait_for(&answers[i], "");
        }
        wait_leases(CROWD + 1);
        client_acquire(&bob, ID, &one_more, WAIT, NEVER, NULL);
        wait_for(&one_more, "QuotaExceeded");
        answer_clear(&one_more);
        for (unsigned i = 0; i < 3; i++) { /* the bench counts what each costs */
                answer_clear(i == 0 ? &held : &answers[i - 1]);
                wait_leases(CROWD - i);
                ck_assert_str_eq(get(&answers[i], "State"), "held");
        }
        /* All leave at once. */
        for (unsigned i = 0; i < ELEMENTSOF(lines); i++)
                client_end(&lines[i]);
        for (unsigned i = 2; i < CROWD; i++)
                answer_clear(&answers[i]);
        wait_state(ID, "free");
        wait_leases(0);
}
END_TEST

/* The probe is pulled out and does not come back. */
START_TEST(test_gone_with_waiters) {
        static Answer answers[50];
        Answer held;

        client_acquire(&alice, ID, &held, NULL);
        wait_for(&held, "");
        for (unsigned i = 0; i < ELEMENTSOF(answers); i++)
                client_acquire(&bob, ID, &answers[i], WAIT, NEVER, NULL);
        wait_leases(ELEMENTSOF(answers) + 1);
        fake_unplug(PORT);
        for (unsigned i = 0; i < ELEMENTSOF(answers); i++) {
                wait_for(&answers[i], "Unplugged");
                answer_clear(&answers[i]);
        }
        answer_clear(&held);
        wait_state(ID, "");
        plug(NODE);
        wait_leases(0);
}
END_TEST

/* More questions than the bus lets one have open, and as many that want no answer; nobody reads
 * what comes back. */
static _Noreturn void flood(void) {
        sd_bus *bus;
        int r = sd_bus_new(&bus);

        if (r >= 0)
                r = sd_bus_set_address(bus, world.address);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus, true);
        if (r >= 0)
                r = sd_bus_start(bus);
        for (unsigned i = 0; r >= 0 && i < FLOOD; i++) {
                sd_bus_message *call = NULL;

                r = sd_bus_message_new_method_call(bus, &call, STLINKD_BUS_NAME, probe_path(ID),
                                                   STLINKD_PROBE_INTERFACE, "GetHolders");
                if (r >= 0)
                        r = sd_bus_message_append(call, "a{sv}", 0);
                if (r >= 0)
                        r = sd_bus_message_set_expect_reply(call, i % 2);
                if (r >= 0)
                        r = sd_bus_send(bus, call, NULL);
                sd_bus_message_unref(call);
        }
        for (;;)
                (void) pause();
}

/* Others get what they want meanwhile, though later. */
START_TEST(test_flood) {
        pid_t child = fork();

        ck_assert_int_ge(child, 0);
        if (child == 0)
                flood();
        for (unsigned i = 0; i < 5; i++) {
                Answer lease;

                client_acquire(i % 2 ? &alice : &bob, ID, &lease, NULL);
                wait_for(&lease, "");
                answer_clear(&lease);
                wait_state(ID, "free");
        }
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        ck_assert_str_eq(state(ID), "free");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("revoke");
        TCase *tcase = tcase_create("revoke"), *crowd = tcase_create("crowd");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, begin, end);
        tcase_set_timeout(tcase, 120);
        tcase_add_test(tcase, test_ask);
        tcase_add_test(tcase, test_force);
        tcase_add_test(tcase, test_waiting_is_not_taken);
        tcase_add_test(tcase, test_firmware_update);
        tcase_add_test(tcase, test_rights);
        tcase_add_test(tcase, test_gone_while_polkit_is_asked);
        tcase_add_test(tcase, test_release_is_for_the_owner);
        suite_add_tcase(suite, tcase);
        tcase_add_checked_fixture(crowd, begin_crowd, cast_end);
        tcase_set_timeout(crowd, 240);
        tcase_add_test(crowd, test_crowd);
        tcase_add_test(crowd, test_gone_with_waiters);
        tcase_add_test(crowd, test_flood);
        suite_add_tcase(suite, crowd);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
