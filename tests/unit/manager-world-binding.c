/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "gate/gate.h"
#include "manager-world.h"

/* The gate of the manager's world sees, and binds nothing unless the test wants it to. */
static bool binds;
static int admission;
static unsigned n_bound;

void fake_binding(int error) {
        binds = true;
        admission = error;
}

unsigned fake_bound(void) {
        return n_bound;
}

int gate_binding_error(const Gate *gate) {
        (void) gate;
        return -EOPNOTSUPP;
}

bool gate_node_is_bound(const GateNode *node) {
        (void) node;
        return binds && n_bound > 0;
}

int gate_node_bind(GateNode *node, GateTag tag) {
        (void) node, (void) tag;
        if (!binds)
                return -EOPNOTSUPP;
        n_bound++;
        return 0;
}

void gate_node_unbind(GateNode *node, GateTag tag) {
        (void) node, (void) tag;
}

int gate_admit(Gate *gate, GateTag tag, const Process *process) {
        (void) gate, (void) tag, (void) process;
        return binds ? admission : -EOPNOTSUPP;
}

int gate_delegate(Gate *gate, GateTag tag, GateDelegateKind kind, uint64_t id) {
        (void) gate, (void) tag, (void) kind, (void) id;
        return -EOPNOTSUPP;
}

int gate_hold_bus(Gate *gate, unsigned bus, Usec span, const GateTag *tags, size_t n) {
        (void) gate, (void) bus, (void) span, (void) tags, (void) n;
        return -EOPNOTSUPP;
}

void gate_set_device_known(Gate *gate, unsigned bus, unsigned device, bool known) {
        (void) gate, (void) bus, (void) device, (void) known;
}

void gate_settle(Gate *gate) {
        (void) gate;
}

bool gate_has_members(const Gate *gate) {
        (void) gate;
        return false;
}

void gate_leave(Gate *gate) {
        (void) gate;
}

int gate_node_traffic(const GateNode *node, const Process *process, GateTraffic *ret) {
        (void) node, (void) process, (void) ret;
        return -EOPNOTSUPP;
}
