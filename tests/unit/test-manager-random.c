/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "bus/names.h"
#include "manager-cast.h"

/* Everything at any moment: probes come and go, workers hang, strangers open, clients ask, wait,
 * open, close, and leave the bus. Nothing may crash or leak, two never hold the same probe, every
 * question gets its answer, and in the end nothing is left.
 *
 * Usage: test-manager-random [EVENTS [SEED]] */

#define PROBES  3
#define CLIENTS 4
#define ANSWERS 24

static Client clients[CLIENTS];
static unsigned long long seed = 7, held_in_all;

/* Questions that were asked. */
static struct Question {
        Answer answer;
        int client; /* -1: this place is free */
        unsigned probe;
        bool acquire;
} questions[ANSWERS];

static unsigned pick(unsigned n) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        return (unsigned) (seed >> 33) % n;
}

static const char *port_of(unsigned probe) {
        static char buffer[16];

        (void) snprintf(buffer, sizeof(buffer), "1-%u", probe + 1);
        return buffer;
}

static const char *id_of(unsigned probe) {
        static char buffer[32];

        (void) snprintf(buffer, sizeof(buffer), "066DFF4951775148671616%02u", probe);
        return buffer;
}

static const char *const nodes[] = { "ok", "slow", "wedged", "busy", "crash" };

static void node_of(unsigned probe, unsigned kind, char *buffer, size_t size) {
        (void) snprintf(buffer, size, "/dev/%s/%u", nodes[kind], probe);
}

static void plug_one(unsigned probe) {
        static const unsigned kinds[] = { 0, 0, 0, 0, 1, 1, 2, 3, 4 };
        char node[32];

        node_of(probe, kinds[pick(ELEMENTSOF(kinds))], node, sizeof(node));
        fake_plug(port_of(probe), node, id_of(probe));
}

static void use(unsigned probe) {
        static const pid_t init = 1;
        size_t n = pick(2);
        bool claimed = pick(2);

        for (unsigned kind = 0; kind < ELEMENTSOF(nodes); kind++) {
                char node[32];

                node_of(probe, kind, node, sizeof(node));
                fake_use(node, &init, n, claimed);
        }
}

static struct Question *question_new(unsigned client, unsigned probe, bool acquire) {
        for (size_t i = 0; i < ANSWERS; i++) {
                struct Question *q = &questions[i];

                if (q->client >= 0)
                        continue;
                *q = (struct Question){ .client = (int) client,
                                        .probe = probe,
                                        .acquire = acquire };
                return q;
        }
        return NULL;
}

static void question_drop(struct Question *q) {
        answer_clear(&q->answer);
        q->client = -1;
}

static void acquire(unsigned client, unsigned probe) {
        static const uint64_t waits[] = { 0, 20000, UINT64_MAX };
        struct Question *q = question_new(client, probe, true);

        if (!q)
                return;
        if (pick(4) == 0)
                client_acquire(&clients[client], id_of(probe), &q->answer, "wait", "t",
                               waits[pick(3)], "limit", "t", (uint64_t) 1 + pick(30000), NULL);
        else
                client_acquire(&clients[client], id_of(probe), &q->answer, "wait", "t",
                               waits[pick(3)], "waiting", "s", pick(2) ? "object" : "reply", NULL);
}

/* Do something with a lease that was given. */
static void work(struct Question *q) {
        static const char *const methods[] = { "Open", "Open", "Open", "Release" };
        struct Question *other;
        unsigned client = (unsigned) q->client;

        if (!q->answer.done || !q->acquire || q->answer.error[0])
                return;
        if (pick(3) == 0) {
                question_drop(q); /* closes the descriptor */
                return;
        }
        other = question_new(client, q->probe, false);
        if (other)
                client_lease(&clients[client], q->answer.path, methods[pick(4)], &other->answer);
}

static void leave(unsigned client) {
        for (size_t i = 0; i < ANSWERS; i++)
                if (questions[i].client == (int) client)
                        question_drop(&questions[i]);
        client_end(&clients[client]);
        client_begin(&clients[client], &world);
}

static void step(void) {
        unsigned probe = pick(PROBES), client = pick(CLIENTS), what = pick(20);

        if (what < 2)
                plug_one(probe);
        else if (what < 3)
                fake_unplug(port_of(probe));
        else if (what < 5)
                use(probe);
        else if (what < 10)
                acquire(client, probe);
        else if (what < 18)
                work(&questions[pick(ANSWERS)]);
        else if (what < 19 && pick(4) == 0)
                leave(client);
        for (unsigned n = pick(8); n > 0; n--)
                (void) sd_event_run(world.event, pick(3) * 1000);
        for (size_t i = 0; i < ANSWERS; i++)
                if (questions[i].client >= 0 && questions[i].answer.done &&
                    (questions[i].answer.error[0] || !questions[i].acquire))
                        question_drop(&questions[i]);
}

/* Read one lease's properties; returns its probe if it is held, else NULL. */
static const char *read_held(sd_bus_message *message) {
        const char *name, *text, *probe = NULL;
        bool held = false;

        ck_assert_int_gt(sd_bus_message_enter_container(message, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
                ck_assert_int_gt(sd_bus_message_read(message, "s", &name), 0);
                if (strcmp(name, "Probe") == 0) {
                        ck_assert_int_gt(sd_bus_message_read(message, "v", "o", &probe), 0);
                } else if (strcmp(name, "State") == 0) {
                        ck_assert_int_gt(sd_bus_message_read(message, "v", "s", &text), 0);
                        held = strcmp(text, "waiting") != 0;
                } else {
                        ck_assert_int_gt(sd_bus_message_skip(message, "v"), 0);
                }
                (void) sd_bus_message_exit_container(message);
        }
        (void) sd_bus_message_exit_container(message);
        return held ? probe : NULL;
}

typedef struct Held {
        bool done;
        unsigned per_probe[PROBES];
} Held;

static void count_held(Held *held, const char *probe) {
        for (unsigned i = 0; probe && i < PROBES; i++)
                held->per_probe[i] += strcmp(probe_path(id_of(i)), probe) == 0;
}

static int on_objects(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Held *held = userdata;
        const char *name;

        (void) error;
        held->done = true;
        ck_assert_int_gt(sd_bus_message_enter_container(message, 'a', "{oa{sa{sv}}}"), 0);
        while (sd_bus_message_enter_container(message, 'e', "oa{sa{sv}}") > 0) {
                ck_assert_int_gt(sd_bus_message_skip(message, "o"), 0);
                ck_assert_int_gt(sd_bus_message_enter_container(message, 'a', "{sa{sv}}"), 0);
                while (sd_bus_message_enter_container(message, 'e', "sa{sv}") > 0) {
                        ck_assert_int_gt(sd_bus_message_read(message, "s", &name), 0);
                        if (strcmp(name, STLINKD_LEASE_INTERFACE) == 0)
                                count_held(held, read_held(message));
                        else
                                ck_assert_int_gt(sd_bus_message_skip(message, "a{sv}"), 0);
                        (void) sd_bus_message_exit_container(message);
                }
                (void) sd_bus_message_exit_container(message);
                (void) sd_bus_message_exit_container(message);
        }
        return 0;
}

/* All leases here are exclusive: of a probe's, not more than one is held, at any one time. */
static void check_exclusion(void) {
        sd_bus_slot *slot = NULL;
        Held held = {};

        ck_assert_int_ge(sd_bus_call_method_async(clients[0].bus, &slot, STLINKD_BUS_NAME,
                                                  STLINKD_PATH,
                                                  "org.freedesktop.DBus.ObjectManager",
                                                  "GetManagedObjects", on_objects, &held, ""),
                         0);
        ck_assert(world_wait(&world, &held.done));
        sd_bus_slot_unref(slot);
        for (unsigned probe = 0; probe < PROBES; probe++) {
                ck_assert_uint_le(held.per_probe[probe], 1);
                held_in_all += held.per_probe[probe];
        }
}

static unsigned count_fds(void) {
        unsigned n = 0;
        DIR *dir = opendir("/proc/self/fd");

        while (readdir(dir))
                n++;
        (void) closedir(dir);
        return n;
}

static bool all_answered(void) {
        for (size_t i = 0; i < ANSWERS; i++)
                if (questions[i].client >= 0 && !questions[i].answer.done)
                        return false;
        return true;
}

/* Once everything is unplugged, each question has an answer. */
static void wind_up(void) {
        char state[32];

        for (unsigned probe = 0; probe < PROBES; probe++)
                fake_unplug(port_of(probe));
        for (unsigned i = 0; i < 1000 && !all_answered(); i++)
                world_settle(&world, 10);
        ck_assert(all_answered());
        for (unsigned client = 0; client < CLIENTS; client++)
                leave(client);
        world_settle(&world, 700);
        for (unsigned probe = 0; probe < PROBES; probe++) {
                client_get(&clients[0], probe_path(id_of(probe)), STLINKD_PROBE_INTERFACE, "State",
                           state, sizeof(state));
                ck_assert_str_eq(state, "");
        }
        for (unsigned client = 0; client < CLIENTS; client++)
                client_end(&clients[client]);
        world_settle(&world, 100);
}

static unsigned long long n_events = 1500;

START_TEST(test_random) {
        unsigned before;

        for (size_t i = 0; i < ANSWERS; i++)
                questions[i].client = -1;
        world_begin(&world);
        log_set_max_level(LOG_CRIT);
        world.config.job_timeout = 100 * USEC_PER_MSEC;
        world.config.away_timeout = 50 * USEC_PER_MSEC;
        world_start(&world);
        world_settle(&world, 50);
        before = count_fds();
        for (unsigned client = 0; client < CLIENTS; client++)
                client_begin(&clients[client], &world);
        for (unsigned long long i = 0; i < n_events; i++) {
                step();
                if (i % 32 == 0)
                        check_exclusion();
        }
        ck_assert_uint_gt(held_in_all, 0);
        wind_up();
        ck_assert_uint_eq(count_fds(),
                          before + 3); /* the last caller's process, and a lease's FIFO to spare */
        ck_assert_uint_eq(world_end(&world), 0);
}
END_TEST

int main(int argc, char *argv[]) {
        Suite *suite = suite_create("manager-random");
        TCase *tcase = tcase_create("random");
        SRunner *runner;
        int failed;

        if (argc > 1)
                n_events = strtoull(argv[1], NULL, 10);
        if (argc > 2)
                seed = strtoull(argv[2], NULL, 10);
        tcase_set_timeout(tcase, 3600);
        tcase_add_test(tcase, test_random);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
