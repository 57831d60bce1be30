/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gate/family.h"
#include "gate/gate-private.h"

/* How many processes can be refused between two turns of the loop before some go unnoticed */
#define REFUSALS_MAX 256

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
                return 0;
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

void gate_node_unbind(GateNode *node, GateTag tag) {
        ssize_t i = find_tag(node, tag);

        if (i < 0)
                return;
        node->tags[i] = node->tags[--node->n_tags];
        node->gate->backend->unbind(node, tag);
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

/* --- refusals ----------------------------------------------------------------------------- */

void gate_set_refused(Gate *gate, GateRefused refused, void *userdata) {
        gate->refused = refused;
        gate->refused_userdata = userdata;
}

static Refusal *find_refusal(Gate *gate, const GateNode *node, pid_t pid) {
        for (size_t i = 0; i < gate->n_refusals; i++)
                if (gate->refusals[i].node == node && gate->refusals[i].told.pid == pid)
                        return &gate->refusals[i];
        return NULL;
}

/* Who it was, if it still lives. One that started after the refusal only has its pid. */
static Process *find_refused(const GateRefusal *refusal) {
        Process *process = NULL;

        if (process_new(refusal->pid, &process) < 0)
                return NULL;
        return process->start > refusal->last ? process_free(process) : process;
}

void node_report_refusal(GateNode *node, const GateRefusal *refusal) {
        Gate *gate = node->gate;
        Refusal *known = find_refusal(gate, node, refusal->pid), *refusals;

        if (!gate->refused)
                return;
        if (known) {
                known->told.count++;
                known->told.last = refusal->last;
                known->told.request = refusal->request;
                return;
        }
        if (gate->n_refusals == REFUSALS_MAX)
                return;
        refusals = reallocarray(gate->refusals, gate->n_refusals + 1, sizeof(*refusals));
        if (!refusals)
                return;
        gate->refusals = refusals;
        known = &refusals[gate->n_refusals++];
        *known = (Refusal){ node, *refusal };
        known->told.process = find_refused(refusal);
        known->told.count = 1;
        (void) sd_event_source_set_enabled(gate->notifier, SD_EVENT_ONESHOT);
}

static Refusal take_refusal(Gate *gate, size_t index) {
        Refusal refusal = gate->refusals[index];

        gate->n_refusals--;
        memmove(gate->refusals + index, gate->refusals + index + 1,
                (gate->n_refusals - index) * sizeof(*gate->refusals));
        return refusal;
}

void gate_tell_refusals(Gate *gate) {
        while (gate->n_refusals > 0) {
                Refusal refusal = take_refusal(gate, 0);

                gate->refused(refusal.node, &refusal.told, gate->refused_userdata);
                process_free(refusal.told.process);
        }
}

void gate_forget_refusals(Gate *gate, const GateNode *node) {
        for (size_t i = gate->n_refusals; i-- > 0;)
                if (!node || gate->refusals[i].node == node)
                        process_free(take_refusal(gate, i).told.process);
}
