/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gate-bpf-fixture.h"

char node_path[64];
sd_event *event;
Gate *gate;
const GateStore *store;
GateNode *node;
Actor holder, stranger, other;
GateRefusal refusal;
unsigned n_refused;
bool refused_known;
static int terminal;

void on_changed(GateNode *which, void *userdata) {
        (void) which;
        (void) userdata;
}

void on_refused(GateNode *which, const GateRefusal *told, void *userdata) {
        ck_assert_ptr_eq(which, node);
        ck_assert_ptr_eq(userdata, &n_refused);
        refusal = *told;
        refused_known = told->process && told->process->pid == told->pid;
        n_refused += told->count;
}

static void make_terminal(void) {
        terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        ck_assert_int_ge(terminal, 0);
        ck_assert_int_eq(unlockpt(terminal), 0);
        ck_assert_int_eq(ptsname_r(terminal, node_path, sizeof(node_path)), 0);
}

/* The actors are there before the gate: what it starts itself is never refused. */
void gate_bpf_start_world(void) {
        make_terminal();
        holder = actor_start(node_path);
        stranger = actor_start(node_path);
        other = actor_start(node_path);
        ck_assert_int_ge(sd_event_new(&event), 0);
        ck_assert_int_eq(gate_new(event, GATE_BPF, store, on_changed, NULL, &gate), 0);
        ck_assert_int_eq(gate_get_kind(gate), GATE_BPF);
        ck_assert_int_eq(gate_binding_error(gate), 0);
        gate_set_refused(gate, on_refused, &n_refused);
        ck_assert_int_eq(gate_add_node(gate, node_path, NULL, NULL, &node), 0);
        n_refused = 0;
}

void gate_bpf_stop_world(void) {
        node = gate_remove_node(node);
        gate = gate_free(gate);
        event = sd_event_unref(event);
        actor_end(&holder);
        actor_end(&stranger);
        actor_end(&other);
        close(terminal);
}

void expect_holders(size_t wanted) {
        Usec deadline = now_usec(CLOCK_MONOTONIC) + PROMPTLY;
        size_t n = SIZE_MAX;

        while (now_usec(CLOCK_MONOTONIC) < deadline) {
                (void) gate_node_holders(node, &n);
                if (n == wanted)
                        return;
                ck_assert_int_ge(sd_event_run(event, 100 * USEC_PER_MSEC), 0);
        }
        ck_abort_msg("%zu holders, not %zu", n, wanted);
}

void expect_refused(unsigned wanted) {
        Usec deadline = now_usec(CLOCK_MONOTONIC) + PROMPTLY;

        while (n_refused < wanted && now_usec(CLOCK_MONOTONIC) < deadline)
                ck_assert_int_ge(sd_event_run(event, 100 * USEC_PER_MSEC), 0);
        ck_assert_uint_eq(n_refused, wanted);
}

int admit(GateTag tag, const Actor *actor) {
        Process *process = NULL;
        int r;

        ck_assert_int_eq(process_new(actor->pid, &process), 0);
        r = gate_admit(gate, tag, process);
        process_free(process);
        return r;
}

void bind_to(GateTag tag, const Actor *actor) {
        ck_assert_int_eq(admit(tag, actor), 0);
        ck_assert_int_eq(gate_node_bind(node, tag), 0);
}

void check_all(Actor *actor, int opens, int ioctls) {
        ck_assert_int_eq(actor_do(actor, ACTOR_USE), ioctls);
        ck_assert_int_eq(actor_do(actor, ACTOR_USE_IN_THREAD), ioctls);
        ck_assert_int_eq(actor_do(actor, ACTOR_CHILD_OPEN), opens);
        ck_assert_int_eq(actor_do(actor, ACTOR_NEW_CHILD_OPEN), opens);
        ck_assert_int_eq(actor_do(actor, ACTOR_EXEC_OPEN), opens);
}

static bool can_bind(void) {
        Gate *probe = NULL;
        sd_event *loop = NULL;
        int r = sd_event_new(&loop);

        if (r >= 0)
                r = gate_new(loop, GATE_BPF, NULL, on_changed, NULL, &probe);
        gate_free(probe);
        sd_event_unref(loop);
        if (r < 0)
                printf("SKIP: the gate that binds: %s\n", strerror(-r));
        return r >= 0;
}

int run_gate_bpf_suite(Suite *suite) {
        SRunner *runner = srunner_create(suite);
        int failed;

        if (!getenv("TEST_GATE_BPF") && !can_bind()) {
                srunner_free(runner);
                return 77;
        }
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
