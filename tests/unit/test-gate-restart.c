/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gate-bpf-fixture.h"

/* What the gate that binds leaves to the next one, by way of a store. */

/* --- a service manager's store, in this process ------------------------------------------- */

static struct {
        char name[128];
        int fd;
} stored[64];
static size_t n_stored;

static int store_push(const char *name, int fd) {
        ck_assert_uint_lt(n_stored, ELEMENTSOF(stored));
        (void) snprintf(stored[n_stored].name, sizeof(stored[n_stored].name), "%s", name);
        stored[n_stored].fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        ck_assert_int_ge(stored[n_stored++].fd, 0);
        return 0;
}

static void store_remove(const char *name) {
        for (size_t i = n_stored; i-- > 0;)
                if (strcmp(stored[i].name, name) == 0) {
                        close(stored[i].fd);
                        stored[i] = stored[--n_stored];
                }
}

/* What was taken stays in the store, but is not found any more, as with a real one. */
static char taken[64][128];
static size_t n_taken;

static bool is_taken(const char *name) {
        for (size_t i = 0; i < n_taken; i++)
                if (strcmp(taken[i], name) == 0)
                        return true;
        return false;
}

static int store_take(const char *name) {
        for (size_t i = 0; i < n_stored; i++)
                if (strcmp(stored[i].name, name) == 0 && !is_taken(name)) {
                        (void) snprintf(taken[n_taken++], sizeof(taken[0]), "%s", name);
                        return fcntl(stored[i].fd, F_DUPFD_CLOEXEC, 3);
                }
        return -ENOENT;
}

static const char *store_find(const char *prefix) {
        for (size_t i = 0; i < n_stored; i++)
                if (strncmp(stored[i].name, prefix, strlen(prefix)) == 0 &&
                    !is_taken(stored[i].name))
                        return stored[i].name;
        return NULL;
}

static const GateStore test_store = { store_push, store_take, store_find, store_remove };

static void store_drop(void) {
        while (n_stored > 0)
                store_remove(stored[0].name);
}

/* Again with the same store, as after a restart; with a node, that is bound or not */
static void restart(bool with_node, bool bound) {
        node = gate_remove_node(node);
        gate = gate_free(gate);
        n_taken = 0;
        ck_assert_int_eq(gate_new(event, GATE_BPF, store, on_changed, NULL, &gate), 0);
        gate_set_refused(gate, on_refused, &n_refused);
        if (with_node)
                ck_assert_int_eq(gate_add_node(gate, node_path, NULL, NULL, &node), 0);
        if (bound)
                ck_assert_int_eq(gate_node_bind(node, 7), 0);
}

static void start_with_store(void) {
        node = gate_remove_node(node);
        gate = gate_free(gate);
        store = &test_store;
        restart(/* with_node= */ true, /* bound= */ false);
        gate_settle(gate);
        bind_to(7, &holder);
        ck_assert_int_eq(actor_do(&holder, ACTOR_OPEN), 0);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), EBUSY);
}

START_TEST(a_restart_keeps_it_armed) {
        start_with_store();
        for (int i = 0; i < 3; i++) {
                gate_leave(gate);
                node = gate_remove_node(node);
                gate = gate_free(gate);
                ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), EBUSY);
                check_all(&holder, 0, 0);
                restart(/* with_node= */ false, /* bound= */ false);
                ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), EBUSY);
                ck_assert_int_eq(gate_add_node(gate, node_path, NULL, NULL, &node), 0);
                ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), EBUSY);
                ck_assert_int_eq(gate_node_bind(node, 7), 0);
                gate_settle(gate);
                ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), EBUSY);
                check_all(&holder, 0, 0);
        }
        gate_node_unbind(node, 7);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), 0);
        store_drop();
}
END_TEST

START_TEST(what_is_not_bound_again_is_open) {
        start_with_store();
        gate_leave(gate);
        restart(/* with_node= */ true, /* bound= */ false);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), EBUSY);
        gate_settle(gate);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), 0);
        bind_to(8, &other); /* an old member gets no further than that */
        ck_assert_int_eq(actor_do(&holder, ACTOR_USE), EBUSY);
        store_drop();
}
END_TEST

START_TEST(a_node_that_is_gone_meanwhile_is_open) {
        start_with_store();
        gate_leave(gate);
        restart(/* with_node= */ false, /* bound= */ false);
        gate_settle(gate);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), 0);
        store_drop();
}
END_TEST

/* The service manager empties its store when the unit is stopped. */
START_TEST(a_stop_opens_it) {
        start_with_store();
        gate_leave(gate);
        node = gate_remove_node(node);
        gate = gate_free(gate);
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), EBUSY);
        store_drop();
        ck_assert_int_eq(actor_do(&stranger, ACTOR_OPEN), 0);
}
END_TEST

/* Those whom the lease was delegated to are let through all along, if they are told again. */
START_TEST(delegates_are_kept) {
        if (getuid() != 0) {
                printf("SKIP: delegates: only root can become another user\n");
                return;
        }
        start_with_store();
        gate_node_unbind(node, 7);
        ck_assert_int_eq(actor_do(&other, ACTOR_OPEN), 0);
        ck_assert_int_eq(actor_do(&other, ACTOR_BECOME_NOBODY), 0);
        ck_assert_int_eq(gate_delegate(gate, 8, GATE_DELEGATE_UID, ACTOR_NOBODY), 0);
        ck_assert_int_eq(gate_node_bind(node, 8), 0);
        ck_assert_int_eq(gate_node_bind(node, 7), 0);
        ck_assert_int_eq(actor_do(&other, ACTOR_USE), 0);
        for (int i = 0; i < 2; i++) {
                gate_leave(gate);
                restart(/* with_node= */ true, /* bound= */ false);
                ck_assert_int_eq(actor_do(&other, ACTOR_USE), 0);
                if (i == 0) {
                        ck_assert_int_eq(gate_delegate(gate, 8, GATE_DELEGATE_UID, ACTOR_NOBODY),
                                         0);
                        ck_assert_int_eq(gate_node_bind(node, 8), 0);
                }
                ck_assert_int_eq(gate_node_bind(node, 7), 0);
                gate_settle(gate);
                ck_assert_int_eq(actor_do(&other, ACTOR_USE), i == 0 ? 0 : EBUSY);
                ck_assert_int_eq(actor_do(&holder, ACTOR_USE), 0);
        }
        store_drop();
}
END_TEST

int main(void) {
        Suite *suite = suite_create("gate-restart");
        TCase *tests = tcase_create("restart");

        tcase_set_timeout(tests, 300);
        tcase_add_checked_fixture(tests, gate_bpf_start_world, gate_bpf_stop_world);
        tcase_add_test(tests, a_restart_keeps_it_armed);
        tcase_add_test(tests, what_is_not_bound_again_is_open);
        tcase_add_test(tests, a_node_that_is_gone_meanwhile_is_open);
        tcase_add_test(tests, a_stop_opens_it);
        tcase_add_test(tests, delegates_are_kept);
        suite_add_tcase(suite, tests);
        return run_gate_bpf_suite(suite);
}
