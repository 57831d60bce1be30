/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "gate/gate-private.h"

/* Who was kept from a node. The kernel says so once, then counts; the count is taken a moment
 * later, when one try has become the hundreds that a program makes before it gives up. */

#define COLLECT (100 * USEC_PER_MSEC)
/* How many processes can be refused in that time before some go unnoticed */
#define REFUSALS_MAX 256

void gate_set_refused(Gate *gate, GateRefused refused, void *userdata) {
        gate->refused = refused;
        gate->refused_userdata = userdata;
}

/* Who it is, if it still lives. One that started after the refusal only has its pid. */
static Process *find_process(pid_t pid, Usec time) {
        Process *process = NULL;

        if (process_new(pid, &process) < 0)
                return NULL;
        return process->start > time ? process_free(process) : process;
}

static bool is_pending(const Gate *gate, const GateNode *node, unsigned bus, pid_t pid) {
        for (size_t i = 0; i < gate->n_refusals; i++) {
                const Refusal *refusal = &gate->refusals[i];

                if (refusal->node == node && refusal->told.bus == bus && refusal->told.pid == pid)
                        return true;
        }
        return false;
}

void gate_report_refusal(Gate *gate, GateNode *node, unsigned bus, pid_t pid, Usec time) {
        Refusal *refusals;

        if (is_pending(gate, node, bus, pid) || gate->n_refusals == REFUSALS_MAX)
                return;
        refusals = reallocarray(gate->refusals, gate->n_refusals + 1, sizeof(*refusals));
        if (!refusals)
                return;
        gate->refusals = refusals;
        if (gate->n_refusals == 0) {
                (void) sd_event_source_set_time(gate->refusal_timer,
                                                now_usec(CLOCK_MONOTONIC) + COLLECT);
                (void) sd_event_source_set_enabled(gate->refusal_timer, SD_EVENT_ONESHOT);
        }
        refusals[gate->n_refusals++] = (Refusal){
                .node = node,
                .told = { .process = find_process(pid, time), .pid = pid, .bus = bus },
        };
}

static Refusal take(Gate *gate, size_t index) {
        Refusal refusal = gate->refusals[index];

        gate->n_refusals--;
        memmove(gate->refusals + index, gate->refusals + index + 1,
                (gate->n_refusals - index) * sizeof(*gate->refusals));
        return refusal;
}

int gate_on_refusals(sd_event_source *source, uint64_t usec, void *userdata) {
        Gate *gate = userdata;

        (void) source, (void) usec;
        /* Those that come while we tell have a timer of their own. */
        for (size_t n = gate->n_refusals; n > 0 && gate->n_refusals > 0; n--) {
                Refusal refusal = take(gate, 0);

                gate->backend->take_refusal(gate, refusal.node, &refusal.told);
                if (refusal.told.count > 0 && gate->refused)
                        gate->refused(refusal.node, &refusal.told, gate->refused_userdata);
                process_free(refusal.told.process);
        }
        if (gate->n_refusals > 0) {
                (void) sd_event_source_set_time(source, now_usec(CLOCK_MONOTONIC) + COLLECT);
                (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        }
        return 0;
}

void gate_forget_refusals(Gate *gate, const GateNode *node) {
        for (size_t i = gate->n_refusals; i-- > 0;)
                if (!node || gate->refusals[i].node == node)
                        process_free(take(gate, i).told.process);
}
