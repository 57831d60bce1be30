/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "gate/family.h"
#include "gate/gate-private.h"

int gate_binding_error(const Gate *gate) {
        return gate->backend->bind ? 0 : gate->bpf_error;
}

static ssize_t find_tag(const GateNode *node, GateTag tag) {
        for (size_t i = 0; i < node->n_tags; i++)
                if (node->tags[i] == tag)
                        return (ssize_t) i;
        return -1;
}

bool gate_has_tag(const Gate *gate, GateTag tag) {
        LIST_FOREACH(&gate->nodes, GateNode, node, link)
                if (find_tag(node, tag) >= 0)
                        return true;
        return false;
}

int gate_node_bind(GateNode *node, GateTag tag) {
        GateTag *tags;
        int r;

        if (!node->gate->backend->bind)
                return -EOPNOTSUPP;
        if (find_tag(node, tag) >= 0)
                return node->gate->backend->bind(node, tag); /* its delegates may be others */
        tags = reallocarray(node->tags, node->n_tags + 1, sizeof(*tags));
        if (!tags)
                return -ENOMEM;
        node->tags = tags;
        node->tags[node->n_tags++] = tag;
        r = node->gate->backend->bind(node, tag);
        if (r < 0)
                gate_node_unbind(node, tag);
        return r;
}

int gate_delegate(Gate *gate, GateTag tag, GateDelegateKind kind, uint64_t id) {
        Delegate *delegates;

        if (!gate->backend->bind)
                return -EOPNOTSUPP;
        for (size_t i = 0; i < gate->n_delegates; i++)
                if (gate->delegates[i].tag == tag && gate->delegates[i].kind == kind &&
                    gate->delegates[i].id == id)
                        return 0;
        delegates = reallocarray(gate->delegates, gate->n_delegates + 1, sizeof(*delegates));
        if (!delegates)
                return -ENOMEM;
        gate->delegates = delegates;
        delegates[gate->n_delegates++] = (Delegate){ tag, kind, id };
        return 0;
}

static void forget_delegates(Gate *gate, GateTag tag) {
        for (size_t i = gate->n_delegates; i-- > 0;)
                if (gate->delegates[i].tag == tag)
                        gate->delegates[i] = gate->delegates[--gate->n_delegates];
}

void gate_node_unbind(GateNode *node, GateTag tag) {
        ssize_t i = find_tag(node, tag);

        if (i < 0)
                return;
        node->tags[i] = node->tags[--node->n_tags];
        node->gate->backend->unbind(node, tag);
        if (!gate_has_tag(node->gate, tag))
                forget_delegates(node->gate, tag);
}

bool gate_node_is_bound(const GateNode *node) {
        return node->n_tags > 0;
}

typedef struct Admission {
        Gate *gate;
        GateTag tag;
} Admission;

static int admit_one(int pidfd, void *userdata) {
        const Admission *admission = userdata;

        return admission->gate->backend->admit(admission->gate, admission->tag, pidfd);
}

int gate_admit(Gate *gate, GateTag tag, const Process *process) {
        Admission admission = { gate, tag };

        if (!gate->backend->admit)
                return -EOPNOTSUPP;
        return family_walk(process, admit_one, &admission);
}

int gate_node_traffic(const GateNode *node, const Process *process, GateTraffic *ret) {
        if (!node->gate->backend->traffic)
                return -EOPNOTSUPP;
        return node->gate->backend->traffic(node, process, ret);
}

/* --- what is new on a bus ----------------------------------------------------------------- */

int gate_hold_bus(Gate *gate, unsigned bus, Usec span, const GateTag *tags, size_t n) {
        if (!gate->backend->hold_bus)
                return -EOPNOTSUPP;
        return gate->backend->hold_bus(gate, bus, span, tags, n);
}

void gate_set_device_known(Gate *gate, unsigned bus, unsigned device, bool known) {
        if (gate->backend->set_known)
                gate->backend->set_known(gate, bus, device, known);
}
