/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <check.h>

#include "gate-actor.h"
#include "gate/gate.h"

/* The gate that binds, on a real device node: a terminal that nobody else knows. Needs a kernel
 * with BPF LSM, and CAP_BPF and CAP_PERFMON; TEST_GATE_BPF=must makes their lack a failure. */

/* Deadlines are ten times what is promised. */
#define PROMPTLY (60 * USEC_PER_SEC)

extern char node_path[64];
extern sd_event *event;
extern Gate *gate;
extern const GateStore *store; /* of gates that are made */
extern GateNode *node;
extern Actor holder, stranger, other;
extern GateRefusal refusal; /* the last that was told of, without its process */
extern unsigned n_refused;
extern bool refused_known;

void gate_bpf_start_world(void);
void gate_bpf_stop_world(void);

void on_changed(GateNode *which, void *userdata);
void on_refused(GateNode *which, const GateRefusal *told, void *userdata);

/* Let the loop turn until there are so many holders, or so many were refused. */
void expect_holders(size_t wanted);
void expect_refused(unsigned wanted);

int admit(GateTag tag, const Actor *actor);
void bind_to(GateTag tag, const Actor *actor);

/* What becomes of opens and of ioctls by an actor, its thread, its child and new children */
void check_all(Actor *actor, int opens, int ioctls);

/* Run it; the exit status of the test. */
int run_gate_bpf_suite(Suite *suite);
