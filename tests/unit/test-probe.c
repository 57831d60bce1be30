/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/probe.h"

/* Each case is a script of steps, with the changes that each of them must report in words:
 * "A1" attached, "D1" detached, "I1" to be identified, "+ID" announced, "-ID" withdrawn,
 * "*1" updated, "x1" gone, in that order; then the state of the probe that the step is about. */

typedef enum Act {
        PLUG,   /* port, serial, product ID, node number */
        UNPLUG, /* port */
        USE,    /* probe, used, claimed */
        LEASE,  /* probe, leased, wanted */
        READ,   /* probe, error */
        CHECK,  /* it was asked again: error */
        GIVE_UP,
        WAIT, /* time passes */
} Act;

typedef struct Step {
        Act act;
        uint32_t probe;
        const char *port, *serial;
        unsigned product_id, node;
        bool a, b;
        int error;
        unsigned ms;
        const char *changes;
        const char *state; /* NULL: not looked at */
        const char *wedge; /* likewise */
} Step;

#define S1          "066DFF495177514867161616"
#define S2          "0669FF3736364D4B43131224"
#define CLONE       "000000000001"
#define V2_1        0x374b
#define V2_1_LOADER 0x374d

static void describe(const ProbeChanges *changes, char *text, size_t size) {
        size_t used = 0;

        text[0] = 0;
        for (size_t i = 0; i < changes->n; i++) {
                const ProbeChange *c = &changes->items[i];
                const char mark[] = {
                        [PROBE_CHANGE_ATTACHED] = 'A',  [PROBE_CHANGE_DETACHED] = 'D',
                        [PROBE_CHANGE_IDENTIFY] = 'I',  [PROBE_CHANGE_ANNOUNCED] = '+',
                        [PROBE_CHANGE_WITHDRAWN] = '-', [PROBE_CHANGE_UPDATED] = '*',
                        [PROBE_CHANGE_GONE] = 'x',
                };
                char number[16];

                (void) snprintf(number, sizeof(number), "%u", c->number);
                used += (size_t) snprintf(
                        text + used, size - used, "%s%c%s", i ? " " : "", mark[c->type],
                        c->type == PROBE_CHANGE_ANNOUNCED || c->type == PROBE_CHANGE_WITHDRAWN
                                ? c->id
                                : number);
        }
}

static int take(ProbeTable *table, const Step *step, Usec now, ProbeChanges *changes) {
        ProbeReading reading = { .mode = PROBE_MODE_MASS, .millivolts = 3300 };
        char node[PROBE_NODE_MAX];
        ProbeDescription description = { .port_path = step->port,
                                         .serial = step->serial,
                                         .node = node,
                                         .product_id = (uint16_t) (step->product_id ?: V2_1) };

        (void) snprintf(node, sizeof(node), "/dev/bus/usb/001/%03u", step->node);
        strcpy(reading.firmware, "V2J37M26");
        switch (step->act) {
        case PLUG:
                return probe_plugged(table, &description, now, changes);
        case UNPLUG:
                return probe_unplugged(table, step->port, now, changes);
        case USE:
                return probe_set_used(table, step->probe, step->a, step->b, changes);
        case LEASE:
                return probe_set_leased(table, step->probe, step->a, step->b, changes);
        case READ:
                return probe_identified(table, step->probe, step->error, &reading, changes);
        case CHECK:
                return probe_checked(table, step->probe, step->error, &reading, changes);
        case GIVE_UP:
                return probe_give_up(table, step->probe, changes);
        default:
                return probe_elapse(table, now, changes);
        }
}

static void play(const Step *steps) {
        ProbeTable *table = NULL;
        Usec now = 1000 * USEC_PER_SEC;

        ck_assert_int_eq(probe_table_new(5 * USEC_PER_SEC, &table), 0);
        for (size_t i = 0; steps[i].changes; i++) {
                const Step *step = &steps[i];
                ProbeChanges changes = {};
                const Probe *probe;
                char got[1024];

                now += step->ms * USEC_PER_MSEC;
                ck_assert_int_eq(take(table, step, now, &changes), 0);
                describe(&changes, got, sizeof(got));
                ck_assert_msg(strcmp(got, step->changes) == 0, "step %zu: \"%s\", not \"%s\"", i,
                              got, step->changes);
                probe = probe_get(table, step->probe ?: 1);
                if (step->state) {
                        ck_assert_ptr_nonnull(probe);
                        ck_assert_msg(strcmp(probe_state_to_string(probe->state), step->state) == 0,
                                      "step %zu: state %s, not %s", i,
                                      probe_state_to_string(probe->state), step->state);
                }
                if (step->wedge)
                        ck_assert_str_eq(probe_wedge_to_string(probe->wedge), step->wedge);
                probe_changes_clear(&changes);
        }
        probe_table_free(table);
}

#define PLUG_1(s) \
        { PLUG, 1, .port = "1-1", .serial = s, .node = 2, .changes = "A1" }
#define END \
        {}

START_TEST(test_plug_read_unplug) {
        play((const Step[]){
                { PLUG, .port = "1-1", .serial = S1, .node = 2, .changes = "A1",
                  .state = "identifying" },
                { USE, 1, .changes = "I1", .state = "identifying" },
                { READ, 1, .changes = "+" S1, .state = "free" },
                { UNPLUG, .port = "1-1", .changes = "D1 -" S1, .state = "switching" },
                { WAIT, .ms = 4999, .changes = "" },
                { WAIT, .ms = 1, .changes = "x1" },
                { UNPLUG, .port = "1-1", .changes = "" },
                END,
        });
}
END_TEST

START_TEST(test_in_use_at_plug_in) {
        play((const Step[]){
                PLUG_1(S1),
                { USE, 1, .a = true, .changes = "+" S1, .state = "in-use" },
                { USE, 1, .a = true, .b = true, .changes = "*1", .state = "claimed" },
                { USE, 1, .changes = "I1 *1", .state = "identifying" },
                { READ, 1, .changes = "*1", .state = "free" },
                { USE, 1, .a = true, .changes = "*1", .state = "in-use" },
                { USE, 1, .changes = "*1", .state = "free" }, /* read once is enough */
                END,
        });
}
END_TEST

START_TEST(test_opened_while_being_read) {
        play((const Step[]){
                PLUG_1(S1),
                { USE, 1, .changes = "I1" },
                { USE, 1, .a = true, .changes = "+" S1, .state = "in-use" },
                { READ, 1, .error = -EBUSY, .changes = "" },
                { USE, 1, .changes = "I1 *1", .state = "identifying" },
                { READ, 1, .error = -EBUSY, .changes = "*1", .state = "free" },
                { USE, 1, .changes = "" }, /* nobody came since: no second try */
                { USE, 1, .a = true, .changes = "*1" },
                { USE, 1, .changes = "I1 *1" },
                END,
        });
}
END_TEST

START_TEST(test_not_answering) {
        play((const Step[]){
                PLUG_1(S1),
                { USE, 1, .changes = "I1" },
                { READ, 1, .error = -ETIMEDOUT, .changes = "+" S1, .state = "not-answering" },
                { LEASE, 1, .b = true, .changes = "" },
                { LEASE, 1, .a = true, .changes = "*1", .state = "leased" },
                { LEASE, 1, .changes = "I1 *1", .state = "identifying" },
                { READ, 1, .error = -EPROTO, .changes = "*1", .state = "not-answering" },
                { USE, 1, .a = true, .changes = "*1", .state = "in-use" },
                /* It does not keep somebody waiting who waits for it. */
                { LEASE, 1, .b = true, .changes = "" },
                { USE, 1, .changes = "*1", .state = "not-answering" },
                { LEASE, 1, .changes = "I1 *1" },
                { READ, 1, .changes = "*1", .state = "free" },
                END,
        });
}
END_TEST

START_TEST(test_cannot_be_asked) {
        play((const Step[]){
                PLUG_1(S1),
                { USE, 1, .changes = "I1" },
                { READ, 1, .error = -EACCES, .changes = "+" S1, .state = "free" },
                END,
        });
}
END_TEST

START_TEST(test_leased_probe_switches_mode) {
        play((const Step[]){
                PLUG_1(S1),
                { USE, 1, .changes = "I1" },
                { READ, 1, .changes = "+" S1 },
                { LEASE, 1, .a = true, .changes = "*1", .state = "leased" },
                { UNPLUG, .port = "1-1", .changes = "D1 *1", .state = "switching" },
                { PLUG, .ms = 4000, .port = "1-1", .serial = NULL, .product_id = V2_1_LOADER,
                  .node = 3, .changes = "A1 *1", .state = "leased" },
                { USE, 1, .changes = "", .state = "leased" }, /* never touched while leased */
                { UNPLUG, .port = "1-1", .changes = "D1 *1", .state = "switching" },
                { PLUG, .ms = 1000, .port = "1-1", .serial = S1, .node = 4, .changes = "A1 *1" },
                { USE, 1, .changes = "" },
                { LEASE, 1, .changes = "I1 *1", .state = "identifying" },
                { READ, 1, .changes = "*1", .state = "free" },
                END,
        });
}
END_TEST

START_TEST(test_leased_probe_never_comes_back) {
        play((const Step[]){
                PLUG_1(S1),
                { USE, 1, .changes = "I1" },
                { READ, 1, .changes = "+" S1 },
                { LEASE, 1, .a = true, .changes = "*1" },
                { UNPLUG, .port = "1-1", .changes = "D1 *1", .state = "switching" },
                { WAIT, .ms = 4999, .changes = "", .state = "switching" },
                { WAIT, .ms = 1, .changes = "-" S1 " x1" },
                END,
        });
}
END_TEST

/* The mark of a probe that is stuck outlives those who hold it, and nothing else. */
START_TEST(test_wedge) {
        play((const Step[]){
                PLUG_1(S1),
                { USE, 1, .changes = "I1" },
                { READ, 1, .changes = "+" S1, .state = "free", .wedge = "none" },
                { GIVE_UP, 1, .changes = "", .wedge = "none" },
                { LEASE, 1, .a = true, .changes = "*1" },
                { CHECK, 1, .error = -EBUSY, .changes = "", .wedge = "none" },
                { CHECK, 1, .error = -ETIMEDOUT, .changes = "*1", .state = "leased",
                  .wedge = "silent" },
                { CHECK, 1, .error = -EIO, .changes = "", .wedge = "silent" },
                { CHECK, 1, .error = -EBUSY, .changes = "", .wedge = "silent" },
                { GIVE_UP, 1, .changes = "*1", .wedge = "needs-replug" },
                { CHECK, 1, .error = -EPROTO, .changes = "", .wedge = "needs-replug" },
                { CHECK, 1, .changes = "*1", .state = "leased", .wedge = "none" },
                { CHECK, 1, .error = -ETIMEDOUT, .changes = "*1", .wedge = "silent" },
                { LEASE, 1, .changes = "I1 *1", .state = "identifying", .wedge = "silent" },
                { READ, 1, .error = -ETIMEDOUT, .changes = "*1", .state = "not-answering" },
                { GIVE_UP, 1, .changes = "*1", .wedge = "needs-replug" },
                { USE, 1, .a = true, .changes = "*1", .state = "in-use", .wedge = "needs-replug" },
                { USE, 1, .changes = "I1 *1" }, /* perhaps he has brought it back */
                { READ, 1, .changes = "*1", .state = "free", .wedge = "none" },
                { LEASE, 1, .a = true, .changes = "*1" },
                { CHECK, 1, .error = -ETIMEDOUT, .changes = "*1", .wedge = "silent" },
                { UNPLUG, .port = "1-1", .changes = "D1 *1", .wedge = "none" },
                { CHECK, 1, .error = -ETIMEDOUT, .changes = "", .wedge = "none" },
                END,
        });
}
END_TEST

START_TEST(test_released_while_away) {
        play((const Step[]){
                PLUG_1(S1),
                { USE, 1, .changes = "I1" },
                { READ, 1, .changes = "+" S1 },
                { LEASE, 1, .a = true, .changes = "*1" },
                { UNPLUG, .port = "1-1", .changes = "D1 *1" },
                { LEASE, 1, .changes = "-" S1 },
                { WAIT, .ms = 5000, .changes = "x1" },
                END,
        });
}
END_TEST

/* Without a lease it is the same probe too, and not shown meanwhile. */
START_TEST(test_loader_without_serial) {
        play((const Step[]){
                PLUG_1(S1),
                { USE, 1, .changes = "I1" },
                { READ, 1, .changes = "+" S1 },
                { UNPLUG, .port = "1-1", .changes = "D1 -" S1 },
                { PLUG, .ms = 1000, .port = "1-1", .product_id = V2_1_LOADER, .node = 3,
                  .changes = "A1" },
                { USE, 1, .changes = "I1" },
                { READ, 1, .changes = "+" S1, .state = "free" },
                { UNPLUG, .port = "1-1", .changes = "D1 -" S1 },
                { WAIT, .ms = 5000, .changes = "x1" },
                { PLUG, .port = "1-1", .product_id = V2_1_LOADER, .node = 3, .changes = "A2" },
                { USE, 2, .a = true, .changes = "+usb-1-1" },
                END,
        });
}
END_TEST

/* A probe that comes back in its boot loader is marked, so that nobody kicks it out again. */
START_TEST(test_loader_since) {
        static const struct {
                unsigned before, after;
                bool marked;
        } cases[] = {
                { 0x374b, 0x3748, true },  { 0x3752, 0x3748, true },  { 0x374e, 0x374d, true },
                { 0x374f, 0x374d, true },  { 0x3757, 0x3755, true },  { 0x3748, 0x3748, false },
                { 0x374d, 0x374e, false }, { 0x374b, 0x374b, false }, { 0x374b, 0x3752, false },
                { 0x374e, 0x3748, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_probe_changes_ ProbeChanges changes = {};
                _cleanup_(probe_table_freep) ProbeTable *table = NULL;
                Step step = { PLUG, .port = "1-1", .serial = S1, .product_id = cases[i].before };

                ck_assert_int_eq(probe_table_new(USEC_PER_SEC, &table), 0);
                ck_assert_int_eq(take(table, &step, 1000, &changes), 0);
                ck_assert_uint_eq(probe_get(table, 1)->loader_since, 0);
                step.act = UNPLUG;
                ck_assert_int_eq(take(table, &step, 2000, &changes), 0);
                step = (Step){ PLUG, .port = "1-1", .node = 3, .product_id = cases[i].after };
                ck_assert_int_eq(take(table, &step, 3000, &changes), 0);
                ck_assert_msg(probe_get(table, 1)->loader_since == (cases[i].marked ? 3000 : 0),
                              "%04x, then %04x", cases[i].before, cases[i].after);
        }
}
END_TEST

START_TEST(test_moves_to_another_port) {
        play((const Step[]){
                PLUG_1(S1),
                { USE, 1, .changes = "I1" },
                { READ, 1, .changes = "+" S1 },
                { LEASE, 1, .a = true, .changes = "*1" },
                { UNPLUG, .port = "1-1", .changes = "D1 *1" },
                { PLUG, .ms = 100, .port = "2-4", .serial = S1, .node = 7, .changes = "A1 *1",
                  .state = "leased" },
                END,
        });
}
END_TEST

/* A different serial that proves something is a different probe, whatever the port. */
START_TEST(test_replaced_by_another) {
        play((const Step[]){
                PLUG_1(S1),
                { USE, 1, .changes = "I1" },
                { READ, 1, .changes = "+" S1 },
                { LEASE, 1, .a = true, .changes = "*1" },
                { UNPLUG, .port = "1-1", .changes = "D1 *1" },
                { PLUG, .ms = 100, .port = "1-1", .serial = S2, .node = 3, .changes = "A2" },
                { USE, 2, .changes = "I2" },
                { READ, 2, .changes = "+" S2, .state = "free" },
                { WAIT, .ms = 5000, .changes = "-" S1 " x1" },
                END,
        });
}
END_TEST

/* The kernel told of the new device and not of the old one's going. */
START_TEST(test_missed_removal) {
        play((const Step[]){
                PLUG_1(S1),
                { USE, 1, .changes = "I1" },
                { PLUG, 1, .port = "1-1", .serial = S1, .node = 3, .changes = "D1 -" S1 " A1",
                  .state = "identifying" },
                { READ, 1, .changes = "" }, /* of the worker that was killed */
                { USE, 1, .changes = "I1" },
                { READ, 1, .changes = "+" S1 },
                { PLUG, 1, .port = "1-1", .serial = S1, .node = 3, .changes = "" },
                END,
        });
}
END_TEST

START_TEST(test_same_serial_twice) {
        play((const Step[]){
                PLUG_1(S1),
                { USE, 1, .changes = "I1" },
                { READ, 1, .changes = "+" S1 },
                { PLUG, .port = "1-2", .serial = S1, .node = 3,
                  .changes = "A2 -" S1 " +" S1 "@1-1" },
                { USE, 2, .changes = "I2" },
                { READ, 2, .changes = "+" S1 "@1-2" },
                { UNPLUG, .port = "1-1", .changes = "D1 -" S1 "@1-2 +" S1 " -" S1 "@1-1" },
                { WAIT, .ms = 5000, .changes = "x1" },
                END,
        });
}
END_TEST

START_TEST(test_clones) {
        play((const Step[]){
                PLUG_1(CLONE),
                { USE, 1, .changes = "I1" },
                { READ, 1, .changes = "+" CLONE "@1-1" },
                { PLUG, .port = "1-2", .serial = CLONE, .node = 3, .changes = "A2 *1" },
                { USE, 2, .changes = "I2" },
                { READ, 2, .changes = "+" CLONE "@1-2" },
                { LEASE, 1, .a = true, .changes = "*1" },
                { LEASE, 2, .a = true, .changes = "*2" },
                { UNPLUG, .port = "1-1", .changes = "D1 *1" },
                { UNPLUG, .port = "1-2", .changes = "D2 *2" },
                /* Only the port tells them apart. */
                { PLUG, .port = "1-2", .serial = CLONE, .node = 5, .changes = "A2 *2" },
                { PLUG, .port = "1-1", .serial = CLONE, .node = 6, .changes = "A1 *1" },
                END,
        });
}
END_TEST

/* A serial that proves something finds its probe, also where a clone has been. */
START_TEST(test_moves_to_a_clones_port) {
        play((const Step[]){
                PLUG_1(CLONE),
                { USE, 1, .changes = "I1" },
                { READ, 1, .changes = "+" CLONE "@1-1" },
                { PLUG, .port = "1-2", .serial = S1, .node = 3, .changes = "A2" },
                { USE, 2, .changes = "I2" },
                { READ, 2, .changes = "+" S1 },
                { LEASE, 2, .a = true, .changes = "*2" },
                { UNPLUG, .port = "1-1", .changes = "D1 -" CLONE "@1-1" },
                { UNPLUG, .port = "1-2", .changes = "D2 *2" },
                { PLUG, .port = "1-1", .serial = S1, .node = 4, .changes = "A2 *2" },
                END,
        });
}
END_TEST

START_TEST(test_properties) {
        ProbePartDevice parts[] = { { .part = PROBE_PART_DEBUG },
                                    { .part = PROBE_PART_VCP, .interface = 2 } };
        ProbeDescription description = { .port_path = "1-1",
                                         .node = "/dev/bus/usb/001/002",
                                         .serial = S1,
                                         .product_id = V2_1,
                                         .parts = parts,
                                         .n_parts = 2 };
        ProbeReading reading = { .mode = PROBE_MODE_DEBUG, .millivolts = 3251 };
        ProbeChanges changes = {};
        ProbeTable *table = NULL;
        const Probe *probe;

        ck_assert_int_eq(probe_table_new(USEC_PER_SEC, &table), 0);
        ck_assert_int_eq(probe_plugged(table, &description, 1, &changes), 0);
        ck_assert_int_eq(probe_set_used(table, 1, true, false, &changes), 0);
        probe = probe_find(table, S1);
        ck_assert_ptr_nonnull(probe);
        ck_assert_int_eq(probe->model, PROBE_MODEL_V2_1);
        ck_assert_str_eq(probe->reported, S1);
        ck_assert_uint_eq(probe->n_parts, 2);
        ck_assert_ptr_null(probe->parts[1].device);
        ck_assert_int_eq(probe->reading.millivolts, -1);
        ck_assert_int_eq(probe->reading.mode, PROBE_MODE_UNKNOWN);

        /* The tty appears. */
        probe_changes_clear(&changes);
        parts[1].device = (char *) "/dev/ttyACM0";
        ck_assert_int_eq(probe_plugged(table, &description, 2, &changes), 0);
        ck_assert_uint_eq(changes.n, 1);
        ck_assert_uint_eq(changes.items[0].properties, PROBE_PROPERTY_PARTS);
        ck_assert_str_eq(probe_get(table, 1)->parts[1].device, "/dev/ttyACM0");

        probe_changes_clear(&changes);
        strcpy(reading.firmware, "V2J37M26");
        ck_assert_int_eq(probe_set_used(table, 1, false, false, &changes), 0);
        ck_assert_int_eq(probe_identified(table, 1, 0, &reading, &changes), 0);
        ck_assert_uint_eq(changes.items[changes.n - 1].properties,
                          PROBE_PROPERTY_FIRMWARE | PROBE_PROPERTY_MODE |
                                  PROBE_PROPERTY_TARGET_VOLTAGE | PROBE_PROPERTY_STATE);
        ck_assert_int_eq(probe_get(table, 1)->reading.millivolts, 3251);
        probe_changes_clear(&changes);
        probe_table_free(table);
}
END_TEST

START_TEST(test_refused_input) {
        char port[PROBE_PORT_MAX + 1], node[PROBE_NODE_MAX + 1];
        ProbeDescription description = { .port_path = "1-1", .node = "/dev/x" };
        ProbeChanges changes = {};
        ProbeTable *table = NULL;

        memset(port, '1', sizeof(port) - 1);
        port[sizeof(port) - 1] = 0;
        memset(node, '/', sizeof(node) - 1);
        node[sizeof(node) - 1] = 0;
        ck_assert_int_eq(probe_table_new(USEC_PER_SEC, &table), 0);
        description.port_path = port;
        ck_assert_int_eq(probe_plugged(table, &description, 1, &changes), -EINVAL);
        description.port_path = "";
        ck_assert_int_eq(probe_plugged(table, &description, 1, &changes), -EINVAL);
        description.port_path = "1-1";
        description.node = node;
        ck_assert_int_eq(probe_plugged(table, &description, 1, &changes), -EINVAL);
        description.node = NULL;
        ck_assert_int_eq(probe_plugged(table, &description, 1, &changes), -EINVAL);
        ck_assert_int_eq(probe_set_used(table, 1, true, true, &changes), -ENOENT);
        ck_assert_int_eq(probe_set_leased(table, 1, true, true, &changes), -ENOENT);
        ck_assert_int_eq(probe_identified(table, 1, 0, NULL, &changes), -ENOENT);
        ck_assert_ptr_null(probe_next(table, NULL));
        ck_assert_uint_eq(probe_next_event(table), USEC_INFINITY);
        ck_assert_uint_eq(changes.n, 0);
        probe_table_free(table);
}
END_TEST

START_TEST(test_state_names) {
        for (int i = 0; i < _PROBE_STATE_MAX; i++)
                ck_assert_int_eq(probe_state_from_string(probe_state_to_string((ProbeState) i)), i);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("probe");
        TCase *tcase = tcase_create("table");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, test_plug_read_unplug);
        tcase_add_test(tcase, test_in_use_at_plug_in);
        tcase_add_test(tcase, test_opened_while_being_read);
        tcase_add_test(tcase, test_not_answering);
        tcase_add_test(tcase, test_wedge);
        tcase_add_test(tcase, test_cannot_be_asked);
        tcase_add_test(tcase, test_leased_probe_switches_mode);
        tcase_add_test(tcase, test_leased_probe_never_comes_back);
        tcase_add_test(tcase, test_released_while_away);
        tcase_add_test(tcase, test_loader_without_serial);
        tcase_add_test(tcase, test_loader_since);
        tcase_add_test(tcase, test_moves_to_another_port);
        tcase_add_test(tcase, test_replaced_by_another);
        tcase_add_test(tcase, test_missed_removal);
        tcase_add_test(tcase, test_same_serial_twice);
        tcase_add_test(tcase, test_clones);
        tcase_add_test(tcase, test_moves_to_a_clones_port);
        tcase_add_test(tcase, test_properties);
        tcase_add_test(tcase, test_refused_input);
        tcase_add_test(tcase, test_state_names);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
