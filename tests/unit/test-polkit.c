/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/names.h"
#include "fake-polkit.h"
#include "manager-cast.h"

/* Who may what, through the whole of the bus: the manager is the real one, polkit is not. Carol
 * looks; alice and bob, who are not root, want something. */

#define ALICE_UID 65534
#define BOB_UID   1

static Authority authority;

/* Root is not asked about, so to be somebody else is what these tests need. An ordinary user is
 * that already. */
static void begin_as(Client *client, uid_t uid) {
        bool root = geteuid() == 0;

        if (root)
                ck_assert_int_eq(seteuid(uid), 0);
        client_begin(client, &world);
        if (root)
                ck_assert_int_eq(seteuid(0), 0);
}

static void begin_without_polkit(void) {
        world_begin(&world);
        ck_assert_int_eq(chmod(world.directory, 0711), 0);
        world.config.quota.waiting = 3;
        world_start(&world);
        begin_as(&alice, ALICE_UID);
        begin_as(&bob, BOB_UID);
        client_begin(&carol, &world);
        plug(NODE);
}

static void begin(void) {
        begin_without_polkit();
        authority_begin(&authority, &world);
}

static void end(void) {
        authority_end(&authority);
        cast_end();
}

/* Wait until the authority has counted that many, and no more. */
static void wait_count(const unsigned *counter, unsigned n) {
        Usec deadline = now_usec(CLOCK_MONOTONIC) + 20 * USEC_PER_SEC;

        while (*counter < n && now_usec(CLOCK_MONOTONIC) < deadline)
                world_settle(&world, 10);
        ck_assert_uint_eq(*counter, n);
}

static void wait_asked(unsigned n) {
        wait_count(&authority.asked, n);
}

static void check_nothing_granted(void) {
        world_settle(&world, 50);
        ck_assert_str_eq(state(ID), "free");
}

/* --- answers ------------------------------------------------------------------------------ */

START_TEST(test_yes) {
        const char *name = NULL;
        Answer lease;

        authority.yes = true;
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        ck_assert_str_eq(state(ID), "leased");
        ck_assert_uint_eq(authority.asked, 1);
        ck_assert_int_ge(sd_bus_get_unique_name(alice.bus, &name), 0);
        ck_assert_str_eq(authority.kind, "system-bus-name");
        ck_assert_str_eq(authority.subject, name);
        ck_assert_str_eq(authority.action, STLINKD_ACTION_LEASE);
        ck_assert_str_eq(authority.name, ID);
        ck_assert_str_eq(authority.serial, ID);
        ck_assert_uint_eq(authority.flags, 0);
        answer_clear(&lease);
        wait_state(ID, "free");
        ck_assert_uint_eq(authority.cancelled, 0);
}
END_TEST

/* Each request is a question of its own: an answer is used once. */
START_TEST(test_each_time_anew) {
        Answer lease;

        authority.yes = true;
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        answer_clear(&lease);
        wait_state(ID, "free");
        authority.yes = false;
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "AccessDenied");
        answer_clear(&lease);
        ck_assert_uint_eq(authority.asked, 2);
        check_nothing_granted();
}
END_TEST

START_TEST(test_no) {
        Answer lease;

        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "AccessDenied");
        ck_assert_ptr_nonnull(strstr(lease.message, STLINKD_ACTION_LEASE));
        ck_assert_ptr_nonnull(strstr(lease.message, "group stlink"));
        answer_clear(&lease);
        check_nothing_granted();
}
END_TEST

START_TEST(test_challenge) {
        Answer lease;

        authority.challenge = true;
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "InteractiveAuthorizationRequired");
        ck_assert_ptr_nonnull(strstr(lease.message, "password"));
        ck_assert_uint_eq(authority.flags, 0);
        answer_clear(&lease);

        ck_assert_int_ge(sd_bus_set_allow_interactive_authorization(alice.bus, true), 0);
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "AccessDenied");
        ck_assert_ptr_nonnull(strstr(lease.message, "no polkit agent"));
        ck_assert_uint_eq(authority.flags, 1);
        answer_clear(&lease);
        check_nothing_granted();
}
END_TEST

static const struct {
        const char *error; /* NULL: garbage */
        const char *message;
} failures[] = {
        { "org.freedesktop.PolicyKit1.Error.Failed", "The authority says why" },
        { SD_BUS_ERROR_NO_REPLY, "no answer came in time" },
        { "org.freedesktop.DBus.Error.Spawn.Failed", "The authority says why" },
        { NULL, "makes no sense" },
};

/* Whatever is not a yes is a refusal, and a polkit that is broken is not one that is absent. */
START_TEST(test_failure) {
        Answer lease;

        authority.yes = true;
        authority.error = failures[_i].error;
        authority.garbage = !authority.error;
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "AccessDenied");
        ck_assert_msg(strstr(lease.message, failures[_i].message) != NULL, "%s", lease.message);
        answer_clear(&lease);
        check_nothing_granted();
}
END_TEST

/* --- absence ------------------------------------------------------------------------------ */

static void use_group(gid_t gid) {
        const struct group *group = getgrgid(gid);

        ck_assert_ptr_nonnull(group);
        free(world.config.group);
        world.config.group = strdup(group->gr_name);
}

START_TEST(test_absent) {
        uid_t uid = geteuid() == 0 ? ALICE_UID : geteuid();
        const struct passwd *user = getpwuid(uid);
        Answer lease;

        ck_assert_ptr_nonnull(user);
        free(world.config.group);
        world.config.group = strdup("no-such-group");
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "AccessDenied");
        ck_assert_ptr_nonnull(strstr(lease.message, "no-such-group"));
        answer_clear(&lease);
        check_nothing_granted();

        use_group(user->pw_gid);
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        answer_clear(&lease);
        wait_state(ID, "free");
}
END_TEST

/* The administrator has turned polkit off. */
START_TEST(test_masked) {
        uid_t uid = geteuid() == 0 ? ALICE_UID : geteuid();
        Answer lease;

        authority.error = "org.freedesktop.systemd1.UnitMasked";
        use_group(getpwuid(uid)->pw_gid);
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        ck_assert_uint_eq(authority.asked, 1);
        answer_clear(&lease);
        wait_state(ID, "free");
}
END_TEST

START_TEST(test_group_does_not_count_beside_polkit) {
        uid_t uid = geteuid() == 0 ? ALICE_UID : geteuid();
        Answer lease;

        use_group(getpwuid(uid)->pw_gid);
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "AccessDenied");
        answer_clear(&lease);
}
END_TEST

START_TEST(test_root_is_not_asked) {
        Answer lease;

        client_acquire(&carol, ID, &lease, NULL);
        wait_for(&lease, "");
        ck_assert_uint_eq(authority.asked, 0);
        answer_clear(&lease);
        wait_state(ID, "free");
}
END_TEST

/* --- meanwhile ---------------------------------------------------------------------------- */

START_TEST(test_slow) {
        Answer first, second;

        authority.hold = authority.yes = true;
        client_acquire(&alice, ID, &first, NULL);
        wait_asked(1);
        ck_assert_str_eq(state(ID), "free"); /* so others are served */
        authority.hold = false;
        client_acquire(&bob, ID, &second, NULL);
        wait_for(&second, "");
        ck_assert(!first.done);

        /* What he may is told by the answer, what he gets by what is true then. */
        authority_answer(&authority);
        wait_for(&first, "Busy");
        answer_clear(&first);
        answer_clear(&second);
        wait_state(ID, "free");
}
END_TEST

START_TEST(test_caller_vanishes) {
        Answer lease;

        authority.hold = authority.yes = true;
        client_acquire(&alice, ID, &lease, NULL);
        wait_asked(1);
        answer_clear(&lease);
        client_end(&alice);
        wait_count(&authority.cancelled, 1);
        ck_assert_str_eq(authority.cancelled_id, authority.id);
        authority_answer(&authority);
        check_nothing_granted();
        begin_as(&alice, ALICE_UID);
}
END_TEST

/* Nobody can tell who he was once the answer is there. */
START_TEST(test_caller_vanishes_with_the_answer) {
        Answer lease;

        for (unsigned i = 0; i < 20; i++) {
                authority.hold = authority.yes = true;
                client_acquire(&alice, ID, &lease, NULL);
                wait_asked(i + 1);
                answer_clear(&lease);
                authority_answer(&authority);
                ck_assert_int_ge(sd_bus_flush(authority.bus), 0);
                client_end(&alice);
                check_nothing_granted();
                begin_as(&alice, ALICE_UID);
        }
}
END_TEST

START_TEST(test_unplugged_meanwhile) {
        Answer lease;

        authority.hold = authority.yes = true;
        client_acquire(&alice, ID, &lease, NULL);
        wait_asked(1);
        fake_unplug(PORT);
        wait_state(ID, "");
        authority_answer(&authority);
        wait_for(&lease, "UnknownObject");
        answer_clear(&lease);

        /* Nothing is left of that: the next question is asked. */
        authority.hold = false;
        plug(NODE);
        client_acquire(&alice, ID, &lease, NULL);
        wait_for(&lease, "");
        ck_assert_uint_eq(authority.asked, 2);
        answer_clear(&lease);
        wait_state(ID, "free");
}
END_TEST

START_TEST(test_flood) {
        Answer leases[4], other;
        unsigned n = ELEMENTSOF(leases);

        authority.hold = true;
        for (unsigned i = 0; i < n; i++)
                client_acquire(&alice, ID, &leases[i], NULL);
        wait_asked(3);
        wait_for(&leases[3], "QuotaExceeded");
        for (unsigned i = 0; i < 3; i++)
                ck_assert(!leases[i].done);
        if (geteuid() == 0) {
                client_acquire(&bob, ID, &other, NULL);
                wait_asked(4); /* his own questions are counted */
        }
        authority_answer(&authority);
        for (unsigned i = 0; i < n; i++) {
                ck_assert(world_wait(&world, &leases[i].done));
                answer_clear(&leases[i]);
        }
        if (geteuid() == 0) {
                wait_for(&other, "AccessDenied");
                answer_clear(&other);
        }
        /* All is as before. */
        authority.hold = false;
        authority.yes = true;
        client_acquire(&alice, ID, &leases[0], NULL);
        wait_for(&leases[0], "");
        answer_clear(&leases[0]);
        wait_state(ID, "free");
}
END_TEST

/* The daemon stops while somebody thinks about his password. */
START_TEST(test_stop) {
        Answer lease;

        authority.hold = true;
        client_acquire(&alice, ID, &lease, NULL);
        wait_asked(1);
        world.manager = manager_free(world.manager);
        wait_count(&authority.cancelled, 1);
        answer_clear(&lease);
}
END_TEST

/* --- command lines ------------------------------------------------------------------------ */

typedef struct Holders {
        bool done;
        char error[64];
        unsigned n, cmdlines;
} Holders;

static int on_holders(sd_bus_message *message, void *userdata, sd_bus_error *unused) {
        const sd_bus_error *error = sd_bus_message_get_error(message);
        Holders *holders = userdata;
        const char *key;

        (void) unused;
        holders->done = true;
        if (error) {
                (void) snprintf(holders->error, sizeof(holders->error), "%s",
                                strrchr(error->name, '.') + 1);
                return 0;
        }
        ck_assert_int_gt(sd_bus_message_enter_container(message, 'a', "a{sv}"), 0);
        while (sd_bus_message_enter_container(message, 'a', "{sv}") > 0) {
                holders->n++;
                while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
                        ck_assert_int_gt(sd_bus_message_read(message, "s", &key), 0);
                        holders->cmdlines += strcmp(key, "Cmdline") == 0;
                        ck_assert_int_gt(sd_bus_message_skip(message, "v"), 0);
                        (void) sd_bus_message_exit_container(message);
                }
                (void) sd_bus_message_exit_container(message);
        }
        return 0;
}

static void get_holders(Client *client, bool see_all, Holders *holders) {
        sd_bus_message *message = NULL;
        sd_bus_slot *slot = NULL;

        *holders = (Holders){};
        ck_assert_int_ge(sd_bus_message_new_method_call(client->bus, &message, STLINKD_BUS_NAME,
                                                        probe_path(ID), STLINKD_PROBE_INTERFACE,
                                                        "GetHolders"),
                         0);
        if (see_all)
                ck_assert_int_ge(sd_bus_message_append(message, "a{sv}", 1, "see-all", "b", 1), 0);
        else
                ck_assert_int_ge(sd_bus_message_append(message, "a{sv}", 0), 0);
        ck_assert_int_ge(sd_bus_call_async(client->bus, &slot, message, on_holders, holders, 0), 0);
        ck_assert(world_wait(&world, &holders->done));
        sd_bus_message_unref(message);
        sd_bus_slot_unref(slot);
}

START_TEST(test_see_all) {
        pid_t init = 1;
        Holders holders;

        fake_use(NODE, &init, 1, false);
        wait_state(ID, "in-use");

        /* Looking is free and asks nobody. */
        get_holders(&alice, false, &holders);
        ck_assert_uint_eq(holders.n, 1);
        ck_assert_uint_eq(holders.cmdlines, 0);
        ck_assert_uint_eq(authority.asked, 0);

        get_holders(&alice, true, &holders);
        ck_assert_str_eq(holders.error, "AccessDenied");
        ck_assert_str_eq(authority.action, STLINKD_ACTION_SEE_ALL);
        authority.yes = true;
        get_holders(&alice, true, &holders);
        ck_assert_str_eq(holders.error, "");
        ck_assert_uint_eq(holders.n, 1);
        ck_assert_uint_eq(holders.cmdlines, 1);
        fake_use(NODE, NULL, 0, false);
        wait_state(ID, "free");
}
END_TEST

START_TEST(test_see_all_without_polkit) {
        uid_t uid = geteuid() == 0 ? ALICE_UID : geteuid();
        Holders holders;

        use_group(getpwuid(uid)->pw_gid);
        get_holders(&alice, true, &holders);
        ck_assert_str_eq(holders.error, "AccessDenied");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("polkit");
        TCase *with = tcase_create("with polkit"), *without = tcase_create("without polkit");
        SRunner *runner;
        int failed;

        tcase_set_timeout(with, 60);
        tcase_set_timeout(without, 60);
        tcase_add_checked_fixture(with, begin, end);
        tcase_add_test(with, test_yes);
        tcase_add_test(with, test_each_time_anew);
        tcase_add_test(with, test_no);
        tcase_add_test(with, test_challenge);
        tcase_add_loop_test(with, test_failure, 0, (int) ELEMENTSOF(failures));
        tcase_add_test(with, test_masked);
        tcase_add_test(with, test_group_does_not_count_beside_polkit);
        if (geteuid() == 0)
                tcase_add_test(with, test_root_is_not_asked);
        tcase_add_test(with, test_slow);
        tcase_add_test(with, test_caller_vanishes);
        tcase_add_test(with, test_caller_vanishes_with_the_answer);
        tcase_add_test(with, test_unplugged_meanwhile);
        tcase_add_test(with, test_flood);
        tcase_add_test(with, test_stop);
        tcase_add_test(with, test_see_all);
        suite_add_tcase(suite, with);
        tcase_add_checked_fixture(without, begin_without_polkit, cast_end);
        tcase_add_test(without, test_absent);
        tcase_add_test(without, test_see_all_without_polkit);
        suite_add_tcase(suite, without);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
