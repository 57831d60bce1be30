/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/probe.h"

/* Random events, and an observer who knows nothing but the changes that he was told. What he
 * believes must be what is: which probes there are, what each of their properties is, which of
 * them have a node and which a worker. On top of that come rules that no sequence may break. */

#define PROBES 6
#define PORTS  5

/* What the observer believes of one probe. */
typedef struct Belief {
        uint32_t number;
        bool attached, announced, reading;
        bool used, claimed, leased; /* as the test itself said */
        Probe seen;                 /* properties as of the last announcement or update */
        Usec return_by;
        char reported[64];
} Belief;

static Belief beliefs[4096];
static size_t n_beliefs;
static unsigned long long seed = 1, events, identified;

static unsigned pick(unsigned n) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        return (unsigned) (seed >> 33) % n;
}

static void die(const char *why, uint32_t number) {
        fprintf(stderr, "after %llu events: probe %u: %s\n", events, number, why);
        abort();
}

static void require(bool condition, const char *why, uint32_t number) {
        if (!condition)
                die(why, number);
}

static Belief *belief_of(uint32_t number) {
        for (size_t i = 0; i < n_beliefs; i++)
                if (beliefs[i].number == number)
                        return &beliefs[i];
        require(n_beliefs < ELEMENTSOF(beliefs), "the test keeps too many", number);
        beliefs[n_beliefs] = (Belief){ .number = number };
        return &beliefs[n_beliefs++];
}

static void believe_gone(Belief *belief) {
        require(!belief->attached && !belief->announced, "gone while attached or shown",
                belief->number);
        *belief = beliefs[--n_beliefs];
}

static void learn(Belief *belief, const Probe *probe, unsigned mask) {
        Probe *seen = &belief->seen;

        if (!probe)
                return; /* it ends in the same breath */
        if (mask & PROBE_PROPERTY_SERIAL)
                memcpy(seen->serial, probe->serial, sizeof(seen->serial));
        if (mask & PROBE_PROPERTY_AMBIGUOUS)
                seen->ambiguous = probe->ambiguous;
        if (mask & PROBE_PROPERTY_MODEL)
                seen->model = probe->model;
        if (mask & PROBE_PROPERTY_PRODUCT_ID)
                seen->product_id = probe->product_id;
        if (mask & PROBE_PROPERTY_PORT_PATH)
                memcpy(seen->port_path, probe->port_path, sizeof(seen->port_path));
        if (mask & PROBE_PROPERTY_NODE)
                memcpy(seen->node, probe->node, sizeof(seen->node));
        if (mask & PROBE_PROPERTY_FIRMWARE)
                memcpy(seen->reading.firmware, probe->reading.firmware, PROBE_FIRMWARE_MAX);
        if (mask & PROBE_PROPERTY_MODE)
                seen->reading.mode = probe->reading.mode;
        if (mask & PROBE_PROPERTY_TARGET_VOLTAGE)
                seen->reading.millivolts = probe->reading.millivolts;
        if (mask & PROBE_PROPERTY_STATE)
                seen->state = probe->state;
        if (mask & PROBE_PROPERTY_LOADER_SINCE)
                seen->loader_since = probe->loader_since;
        if (mask & PROBE_PROPERTY_WEDGE)
                seen->wedge = probe->wedge;
        if (mask & PROBE_PROPERTY_RETURN_BY)
                belief->return_by = probe_return_by(probe);
        if (mask & PROBE_PROPERTY_SERIAL_REPORTED)
                (void) snprintf(belief->reported, sizeof(belief->reported), "%s",
                                probe->reported ?: "");
}

static void check_seen(const Belief *belief, const Probe *probe) {
        const Probe *seen = &belief->seen;

        require(strcmp(seen->id, probe->id) == 0, "id changed silently", probe->number);
        require(strcmp(seen->serial, probe->serial) == 0, "serial changed silently", probe->number);
        require(seen->ambiguous == probe->ambiguous, "ambiguous changed silently", probe->number);
        require(seen->model == probe->model, "model changed silently", probe->number);
        require(seen->product_id == probe->product_id, "product changed silently", probe->number);
        require(strcmp(seen->port_path, probe->port_path) == 0, "port changed silently",
                probe->number);
        require(strcmp(seen->node, probe->node) == 0, "node changed silently", probe->number);
        require(strcmp(seen->reading.firmware, probe->reading.firmware) == 0,
                "firmware changed silently", probe->number);
        require(seen->reading.mode == probe->reading.mode, "mode changed silently", probe->number);
        require(seen->reading.millivolts == probe->reading.millivolts, "voltage changed silently",
                probe->number);
        require(seen->state == probe->state, "state changed silently", probe->number);
        require(seen->loader_since == probe->loader_since, "loader changed silently",
                probe->number);
        require(seen->wedge == probe->wedge, "wedge changed silently", probe->number);
        require(belief->return_by == probe_return_by(probe), "return changed silently",
                probe->number);
        require(strcmp(belief->reported, probe->reported ?: "") == 0,
                "reported serial changed silently", probe->number);
}

static void take_change(const ProbeTable *table, const ProbeChange *change) {
        Belief *belief = belief_of(change->number);
        const Probe *probe = probe_get(table, change->number);

        switch (change->type) {
        case PROBE_CHANGE_ATTACHED:
                require(!belief->attached, "attached twice", change->number);
                belief->attached = true;
                belief->used = belief->claimed = false;
                return;
        case PROBE_CHANGE_DETACHED:
                require(belief->attached, "detached twice", change->number);
                belief->attached = belief->reading = false;
                return;
        case PROBE_CHANGE_IDENTIFY:
                require(belief->attached && !belief->reading, "worker twice", change->number);
                require(!belief->used && !belief->claimed && !belief->leased, "worker intrudes",
                        change->number);
                belief->reading = true;
                identified++;
                return;
        case PROBE_CHANGE_ANNOUNCED:
                require(!belief->announced, "announced twice", change->number);
                belief->announced = true;
                strcpy(belief->seen.id, change->id);
                learn(belief, probe, ~0u);
                return;
        case PROBE_CHANGE_WITHDRAWN:
                belief->announced = false;
                return;
        case PROBE_CHANGE_UPDATED:
                require(belief->announced && change->properties, "updated for nothing",
                        change->number);
                learn(belief, probe, change->properties);
                return;
        default:
                believe_gone(belief);
        }
}

/* The rule for states, said another way than in the code under test. */
static ProbeState expected_state(const Belief *belief) {
        if (!belief->attached)
                return PROBE_SWITCHING;
        if (belief->leased)
                return PROBE_LEASED;
        if (belief->claimed || belief->used)
                return belief->claimed ? PROBE_CLAIMED : PROBE_IN_USE;
        return _PROBE_STATE_MAX;
}

static void check_all(const ProbeTable *table) {
        for (const Probe *p = NULL; (p = probe_next(table, p));) {
                Belief *belief = belief_of(p->number);
                ProbeState state = expected_state(belief);

                require(state == _PROBE_STATE_MAX || p->state == state, "wrong state", p->number);
                require(probe_find(table, p->id) == p, "id used twice", p->number);
                require(belief->attached == (p->node[0] != 0), "node without device", p->number);
                require(belief->announced || p->state == PROBE_IDENTIFYING, "kept secret",
                        p->number);
                if (belief->announced)
                        check_seen(belief, p);
        }
        for (size_t i = 0; i < n_beliefs; i++)
                require(!beliefs[i].announced || probe_find(table, beliefs[i].seen.id) ==
                                                         probe_get(table, beliefs[i].number),
                        "announced and not to be found", beliefs[i].number);
}

static int plug(ProbeTable *table, Usec now, ProbeChanges *changes) {
        static const char *const serials[] = { "066DFF495177514867161616",
                                               "066dff495177514867161616",
                                               "0669FF3736364D4B43131224", "000000000001", NULL };
        static const uint16_t products[] = { 0x3748, 0x374b, 0x374d };
        char port[16], node[32];
        ProbeDescription description = { .port_path = port, .node = node };

        (void) snprintf(port, sizeof(port), "1-%u", 1 + pick(PORTS));
        (void) snprintf(node, sizeof(node), "/dev/bus/usb/001/%03u", 1 + pick(3));
        description.serial = serials[pick(ELEMENTSOF(serials))];
        description.product_id = products[pick(ELEMENTSOF(products))];
        return probe_plugged(table, &description, now, changes);
}

static int unplug(ProbeTable *table, Usec now, ProbeChanges *changes) {
        char port[16];

        (void) snprintf(port, sizeof(port), "1-%u", 1 + pick(PORTS));
        return probe_unplugged(table, port, now, changes);
}

static int use(ProbeTable *table, Belief *belief, ProbeChanges *changes) {
        bool used = pick(2), claimed = pick(3) == 0;

        if (belief->attached) {
                belief->used = used;
                belief->claimed = claimed;
        }
        return probe_set_used(table, belief->number, used, claimed, changes);
}

static int lease(ProbeTable *table, Belief *belief, ProbeChanges *changes) {
        belief->leased = pick(2);
        return probe_set_leased(table, belief->number, belief->leased, pick(2), changes);
}

static int answer(ProbeTable *table, Belief *belief, ProbeChanges *changes) {
        static const int errors[] = { 0, 0, -EBUSY, -ETIMEDOUT, -EACCES };
        ProbeReading reading = { .mode = (ProbeMode) pick(_PROBE_MODE_MAX),
                                 .millivolts = (int) pick(3) };

        belief->reading = false;
        (void) snprintf(reading.firmware, sizeof(reading.firmware), "V2J%u", pick(3));
        return probe_identified(table, belief->number, errors[pick(ELEMENTSOF(errors))], &reading,
                                changes);
}

static int step(ProbeTable *table, Usec *now, ProbeChanges *changes) {
        unsigned what = pick(10);
        Belief *belief = n_beliefs > 0 ? &beliefs[pick((unsigned) n_beliefs)] : NULL;

        *now += pick(400);
        if (what < 2 || !belief)
                return plug(table, *now, changes);
        if (what < 4)
                return unplug(table, *now, changes);
        if (what < 6)
                return use(table, belief, changes);
        if (what < 7)
                return lease(table, belief, changes);
        if (what < 9 && belief->reading)
                return answer(table, belief, changes);
        return probe_elapse(table, *now, changes);
}

int main(int argc, char *argv[]) {
        unsigned long long n = argc > 1 ? strtoull(argv[1], NULL, 10) : 300000;
        ProbeTable *table = NULL;
        Usec now = 1;

        if (probe_table_new(2000, &table) < 0)
                return EXIT_FAILURE;
        for (; events < n; events++) {
                ProbeChanges changes = {};

                require(step(table, &now, &changes) == 0, "an event failed", 0);
                for (size_t i = 0; i < changes.n; i++)
                        take_change(table, &changes.items[i]);
                check_all(table);
                probe_changes_clear(&changes);
        }
        require(identified > n / 100, "hardly anything was tried", 0);
        probe_table_free(table);
        printf("%llu events, %llu identifications\n", events, identified);
        return EXIT_SUCCESS;
}
