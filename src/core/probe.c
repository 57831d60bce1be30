/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/probe.h"

struct ProbeTable {
        List probes;
        size_t n;
        uint32_t last_number;
        Usec away;
};

/* --- changes ----------------------------------------------------------------------------- */

void probe_changes_clear(ProbeChanges *changes) {
        free(changes->items);
        *changes = (ProbeChanges){};
}

/* Make room for whatever one event can cause, before anything is altered. The most is a probe
 * that is replaced: others are renamed, which takes two changes, when the old one goes and
 * again when the new one comes. */
static int changes_reserve(const ProbeTable *table, ProbeChanges *changes) {
        size_t need = changes->n + 6 * (table->n + 2);
        ProbeChange *items;

        if (need <= changes->allocated)
                return 0;
        items = reallocarray(changes->items, need, sizeof(*items));
        if (!items)
                return -ENOMEM;
        changes->items = items;
        changes->allocated = need;
        return 0;
}

static void changes_add(ProbeChanges *changes, ProbeChangeType type, const Probe *probe,
                        const char *id) {
        ProbeChange *change = &changes->items[changes->n++];

        assert(changes->n <= changes->allocated);
        *change = (ProbeChange){ .type = type, .number = probe->number };
        (void) snprintf(change->id, sizeof(change->id), "%s", id);
}

/* --- what follows from what is known ------------------------------------------------------ */

Usec probe_return_by(const Probe *probe) {
        return probe->plugged ? 0 : probe->forget;
}

static bool is_shown(const Probe *probe) {
        return probe->plugged || probe->wanted;
}

static ProbeState find_state(const Probe *probe) {
        if (!probe->plugged)
                return PROBE_SWITCHING;
        if (probe->leased)
                return PROBE_LEASED;
        if (probe->claimed)
                return PROBE_CLAIMED;
        if (probe->used)
                return PROBE_IN_USE;
        if (probe->reading_now || !probe->watched)
                return PROBE_IDENTIFYING;
        return probe->wedge != PROBE_WEDGE_NONE ? PROBE_NOT_ANSWERING : PROBE_FREE;
}

/* Whether to ask the probe now. One that did not answer does not get in the way of somebody who
 * waits for it. */
static bool should_read(const Probe *probe) {
        return probe->plugged && probe->watched && !probe->reading_done && !probe->reading_now &&
               !probe->tried && !probe->used && !probe->claimed && !probe->leased &&
               !(probe->wanted && probe->wedge != PROBE_WEDGE_NONE);
}

static bool find_ambiguous(const ProbeTable *table, const Probe *probe) {
        if (!probe->serial[0])
                return false;
        LIST_FOREACH(&table->probes, Probe, other, probes)
                if (other != probe && is_shown(other) && strcmp(other->serial, probe->serial) == 0)
                        return true;
        return false;
}

static unsigned compare_properties(const Probe *a, const Probe *b) {
        unsigned mask = 0;

        mask |= strcmp(a->serial, b->serial) != 0 ? PROBE_PROPERTY_SERIAL : 0;
        mask |= a->ambiguous != b->ambiguous ? PROBE_PROPERTY_AMBIGUOUS : 0;
        mask |= a->model != b->model ? PROBE_PROPERTY_MODEL : 0;
        mask |= a->product_id != b->product_id ? PROBE_PROPERTY_PRODUCT_ID : 0;
        mask |= strcmp(a->port_path, b->port_path) != 0 ? PROBE_PROPERTY_PORT_PATH : 0;
        mask |= strcmp(a->node, b->node) != 0 ? PROBE_PROPERTY_NODE : 0;
        mask |= strcmp(a->reading.firmware, b->reading.firmware) != 0 ? PROBE_PROPERTY_FIRMWARE : 0;
        mask |= a->reading.mode != b->reading.mode ? PROBE_PROPERTY_MODE : 0;
        mask |= a->reading.millivolts != b->reading.millivolts ? PROBE_PROPERTY_TARGET_VOLTAGE : 0;
        mask |= a->loader_since != b->loader_since ? PROBE_PROPERTY_LOADER_SINCE : 0;
        mask |= a->wedge != b->wedge ? PROBE_PROPERTY_WEDGE : 0;
        mask |= a->state != b->state ? PROBE_PROPERTY_STATE : 0;
        mask |= probe_return_by(a) != probe_return_by(b) ? PROBE_PROPERTY_RETURN_BY : 0;
        return mask;
}

/* Bring id and state of one probe up to date, and tell what became of it since before. */
static void probe_settle(ProbeTable *table, const Probe *before, Probe *probe, unsigned extra,
                         ProbeChanges *changes) {
        bool renamed;
        unsigned mask;

        probe->ambiguous = find_ambiguous(table, probe);
        probe_id_make(probe->serial, probe->serial_kind, probe->ambiguous, probe->port_path,
                      probe->id);
        probe->state = find_state(probe);

        renamed = strcmp(before->id, probe->id) != 0;
        if (before->id[0] && is_shown(before) && (renamed || !is_shown(probe))) {
                changes_add(changes, PROBE_CHANGE_WITHDRAWN, probe, before->id);
                probe->announced = false;
        }
        if (!is_shown(probe))
                return;
        mask = compare_properties(before, probe) | extra;
        if (probe->announced && mask) {
                changes_add(changes, PROBE_CHANGE_UPDATED, probe, probe->id);
                changes->items[changes->n - 1].properties = mask;
        }
        if (!probe->announced && probe->state != PROBE_IDENTIFYING) {
                changes_add(changes, PROBE_CHANGE_ANNOUNCED, probe, probe->id);
                probe->announced = true;
        }
}

/* The same for the probe that an event was about, for those whose serial is no longer the only
 * one of its kind, or is again, and for what is to be done next. */
static void table_settle(ProbeTable *table, const Probe *before, Probe *probe, unsigned extra,
                         ProbeChanges *changes) {
        if (should_read(probe)) {
                probe->reading_now = probe->tried = true;
                changes_add(changes, PROBE_CHANGE_IDENTIFY, probe, probe->id);
        }
        LIST_FOREACH(&table->probes, Probe, other, probes) {
                Probe was = *other;

                if (other != probe && find_ambiguous(table, other) != other->ambiguous)
                        probe_settle(table, &was, other, 0, changes);
        }
        probe_settle(table, before, probe, extra, changes);
}

/* --- table -------------------------------------------------------------------------------- */

int probe_table_new(Usec away, ProbeTable **ret) {
        ProbeTable *table = calloc(1, sizeof(*table));

        if (!table)
                return -ENOMEM;
        list_init(&table->probes);
        table->away = away;
        *ret = table;
        return 0;
}

static ProbePartDevice *parts_free(ProbePartDevice *parts, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(parts[i].device);
                free(parts[i].link);
        }
        free(parts);
        return NULL;
}

static Probe *probe_free(Probe *probe) {
        if (!probe)
                return NULL;
        list_remove(&probe->probes);
        parts_free(probe->parts, probe->n_parts);
        free(probe->reported);
        free(probe);
        return NULL;
}

ProbeTable *probe_table_free(ProbeTable *table) {
        if (!table)
                return NULL;
        LIST_FOREACH(&table->probes, Probe, probe, probes)
                probe_free(probe);
        free(table);
        return NULL;
}

static Probe *table_get(const ProbeTable *table, uint32_t number) {
        LIST_FOREACH(&table->probes, Probe, probe, probes)
                if (probe->number == number)
                        return probe;
        return NULL;
}

const Probe *probe_get(const ProbeTable *table, uint32_t number) {
        return table_get(table, number);
}

const Probe *probe_find(const ProbeTable *table, const char *id) {
        LIST_FOREACH(&table->probes, Probe, probe, probes)
                if (is_shown(probe) && strcmp(probe->id, id) == 0)
                        return probe;
        return NULL;
}

const Probe *probe_next(const ProbeTable *table, const Probe *previous) {
        const List *link = previous ? previous->probes.next : table->probes.next;

        for (; link != &table->probes; link = link->next) {
                const Probe *probe = container_of(link, Probe, probes);

                if (is_shown(probe))
                        return probe;
        }
        return NULL;
}

static Probe *find_on_port(const ProbeTable *table, const char *port_path) {
        LIST_FOREACH(&table->probes, Probe, probe, probes)
                if (probe->plugged && strcmp(probe->port_path, port_path) == 0)
                        return probe;
        return NULL;
}

/* --- presence ----------------------------------------------------------------------------- */

/* The probe that comes back with this serial to this port, if one is away. A serial that proves
 * who it is decides alone; otherwise the port does. */
static Probe *find_returning(const ProbeTable *table, const char *port_path, const char *serial,
                             SerialKind kind) {
        Probe *same_serial = NULL, *on_port = NULL;

        LIST_FOREACH(&table->probes, Probe, probe, probes) {
                bool proven = serial_is_proven(kind) && serial_is_proven(probe->serial_kind);
                bool same = strcmp(probe->serial, serial) == 0;
                bool here = strcmp(probe->port_path, port_path) == 0;

                if (probe->plugged)
                        continue;
                if (here && same)
                        return probe;
                if (proven && same)
                        same_serial = probe;
                else if (here && !proven && !on_port)
                        on_port = probe;
        }
        return same_serial ?: on_port;
}

static bool parts_equal(const Probe *probe, const ProbePartDevice *parts, size_t n) {
        if (probe->n_parts != n)
                return false;
        for (size_t i = 0; i < n; i++) {
                const ProbePartDevice *a = &probe->parts[i], *b = &parts[i];

                if (a->part != b->part || a->interface != b->interface ||
                    strcmp(a->device ?: "", b->device ?: "") != 0 ||
                    strcmp(a->link ?: "", b->link ?: "") != 0)
                        return false;
        }
        return true;
}

/* Take over parts; returns the mask of what changed. */
static unsigned probe_take_parts(Probe *probe, ProbePartDevice *parts, size_t n) {
        unsigned mask = parts_equal(probe, parts, n) ? 0 : PROBE_PROPERTY_PARTS;

        parts_free(probe->parts, probe->n_parts);
        probe->parts = parts;
        probe->n_parts = n;
        return mask;
}

static void probe_forget_reading(Probe *probe) {
        probe->reading = (ProbeReading){ .mode = PROBE_MODE_UNKNOWN, .millivolts = -1 };
        probe->reading_done = probe->reading_now = false;
        probe->tried = false;
        probe->wedge = PROBE_WEDGE_NONE;
}

static void probe_take_off(ProbeTable *table, Probe *probe, Usec now) {
        probe->plugged = probe->watched = probe->used = probe->claimed = false;
        probe->node[0] = 0;
        probe->forget =
                usec_add(now, probe->updating ? MAX(table->away, PROBE_UPDATE_AWAY) : table->away);
        probe_forget_reading(probe);
}

/* Write down where the probe is now. In its boot loader a probe may hide its serial or garble
 * it; what was proven before stays. */
static void probe_put_on(Probe *probe, const ProbeDescription *description, const char *serial,
                         SerialKind kind, Usec now) {
        const ProbeProduct *product = probe_product_find(STLINK_VENDOR_ID, description->product_id);

        if (serial_is_proven(kind) || !serial_is_proven(probe->serial_kind)) {
                probe->serial_kind = kind;
                (void) snprintf(probe->serial, sizeof(probe->serial), "%s", serial);
        }
        probe->plugged = true;
        probe->loader_since =
                product_is_loader_of(probe->product_id, description->product_id) ? now : 0;
        probe->product_id = description->product_id;
        probe->model = product ? product->model : PROBE_MODEL_UNKNOWN;
        (void) snprintf(probe->port_path, sizeof(probe->port_path), "%s", description->port_path);
        (void) snprintf(probe->node, sizeof(probe->node), "%s", description->node);
        probe_forget_reading(probe);
}

/* Room for a serial descriptor's 126 code units, each of up to 3 bytes, each as \xNN. */
#define REPORTED_MAX (126 * 3 * 4 + 1)

/* All memory that a probe which arrives may need, so that nothing can fail half-way. */
typedef struct Arrival {
        ProbePartDevice *parts;
        size_t n_parts;
        char *reported;
        Probe *fresh;
} Arrival;

static void arrival_done(Arrival *arrival) {
        if (arrival->parts)
                parts_free(arrival->parts, arrival->n_parts);
        free(arrival->reported);
        free(arrival->fresh);
}

static int arrival_prepare(const ProbeDescription *description, Arrival *arrival) {
        char reported[REPORTED_MAX];

        serial_escape(description->serial ?: "", reported, sizeof(reported));
        arrival->reported = strdup(reported);
        arrival->fresh = calloc(1, sizeof(*arrival->fresh));
        arrival->parts = calloc(description->n_parts + 1, sizeof(*arrival->parts));
        if (!arrival->reported || !arrival->fresh || !arrival->parts)
                return -ENOMEM;
        for (size_t i = 0; i < description->n_parts; i++) {
                const ProbePartDevice *part = &description->parts[i];
                ProbePartDevice *copy = &arrival->parts[arrival->n_parts++];

                *copy = (ProbePartDevice){ .part = part->part, .interface = part->interface };
                copy->device = part->device ? strdup(part->device) : NULL;
                copy->link = part->link ? strdup(part->link) : NULL;
                if (!part->device != !copy->device || !part->link != !copy->link)
                        return -ENOMEM;
        }
        return 0;
}

static Probe *probe_add(ProbeTable *table, Probe *probe) {
        probe->number = ++table->last_number;
        probe->serial_kind = SERIAL_MISSING;
        probe->reading.millivolts = -1;
        list_append(&table->probes, &probe->probes);
        table->n++;
        return probe;
}

/* A probe is on a port that was empty. */
static void probe_arrive(ProbeTable *table, const ProbeDescription *description, Arrival *arrival,
                         Usec now, ProbeChanges *changes) {
        char serial[SERIAL_MAX] = "";
        SerialKind kind = serial_canonicalize(description->serial, serial);
        Probe *probe = find_returning(table, description->port_path, serial, kind);
        unsigned extra;
        Probe before;

        if (!probe)
                probe = probe_add(table, TAKE_PTR(arrival->fresh));
        before = *probe;
        extra = probe_take_parts(probe, TAKE_PTR(arrival->parts), description->n_parts);
        if (strcmp(probe->reported ?: "", arrival->reported) != 0)
                extra |= PROBE_PROPERTY_SERIAL_REPORTED;
        free(probe->reported);
        probe->reported = TAKE_PTR(arrival->reported);
        probe_put_on(probe, description, serial, kind, now);
        changes_add(changes, PROBE_CHANGE_ATTACHED, probe, probe->id);
        table_settle(table, &before, probe, extra, changes);
}

static void probe_leave(ProbeTable *table, Probe *probe, Usec now, ProbeChanges *changes) {
        Probe before = *probe;

        probe_take_off(table, probe, now);
        changes_add(changes, PROBE_CHANGE_DETACHED, probe, probe->id);
        table_settle(table, &before, probe, 0, changes);
}

static bool fits(const char *text, size_t size) {
        return text && text[0] && strlen(text) < size;
}

int probe_plugged(ProbeTable *table, const ProbeDescription *description, Usec now,
                  ProbeChanges *changes) {
        _cleanup_(arrival_done) Arrival arrival = {};
        Probe *probe;
        int r;

        if (!fits(description->port_path, PROBE_PORT_MAX) ||
            !fits(description->node, PROBE_NODE_MAX))
                return -EINVAL;
        r = changes_reserve(table, changes);
        if (r < 0)
                return r;
        r = arrival_prepare(description, &arrival);
        if (r < 0)
                return r;

        probe = find_on_port(table, description->port_path);
        if (probe && strcmp(probe->node, description->node) == 0 &&
            probe->product_id == description->product_id) {
                Probe before = *probe;
                unsigned extra =
                        probe_take_parts(probe, TAKE_PTR(arrival.parts), description->n_parts);

                table_settle(table, &before, probe, extra, changes);
                return 0;
        }
        /* Its going was not told, its coming back in another shape is. */
        if (probe)
                probe_leave(table, probe, now, changes);
        probe_arrive(table, description, &arrival, now, changes);
        return 0;
}

int probe_unplugged(ProbeTable *table, const char *port_path, Usec now, ProbeChanges *changes) {
        Probe *probe = find_on_port(table, port_path);
        int r;

        if (!probe)
                return 0;
        r = changes_reserve(table, changes);
        if (r < 0)
                return r;
        probe_leave(table, probe, now, changes);
        return 0;
}

/* --- use ---------------------------------------------------------------------------------- */

/* Find a probe and make room for changes. */
static int table_prepare(ProbeTable *table, uint32_t number, ProbeChanges *changes, Probe **ret) {
        Probe *probe = table_get(table, number);
        int r;

        if (!probe)
                return -ENOENT;
        r = changes_reserve(table, changes);
        if (r < 0)
                return r;
        *ret = probe;
        return 0;
}

int probe_set_used(ProbeTable *table, uint32_t number, bool used, bool claimed,
                   ProbeChanges *changes) {
        Probe *probe = NULL;
        Probe before;
        int r;

        r = table_prepare(table, number, changes, &probe);
        if (r < 0)
                return r;
        if (!probe->plugged)
                return 0;
        before = *probe;
        probe->watched = true;
        probe->used = used;
        probe->claimed = claimed;
        if (used || claimed)
                probe->tried = false;
        table_settle(table, &before, probe, 0, changes);
        return 0;
}

int probe_set_updating(ProbeTable *table, uint32_t number, bool updating) {
        LIST_FOREACH(&table->probes, Probe, probe, probes)
                if (probe->number == number) {
                        probe->updating = updating;
                        return 0;
                }
        return -ENOENT;
}

int probe_set_leased(ProbeTable *table, uint32_t number, bool leased, bool wanted,
                     ProbeChanges *changes) {
        Probe *probe = NULL;
        Probe before;
        int r;

        r = table_prepare(table, number, changes, &probe);
        if (r < 0)
                return r;
        before = *probe;
        probe->leased = leased;
        probe->wanted = wanted || leased;
        if (leased)
                probe->tried = false;
        table_settle(table, &before, probe, 0, changes);
        return 0;
}

static bool is_silence(int error) {
        return error == -ETIMEDOUT || error == -EPROTO || error == -EIO;
}

/* Silence adds nothing to what is known of a probe that is beyond help already. */
static void probe_judge(Probe *probe, int error) {
        if (!is_silence(error))
                probe->wedge = PROBE_WEDGE_NONE;
        else if (probe->wedge == PROBE_WEDGE_NONE)
                probe->wedge = PROBE_WEDGE_SILENT;
}

/* asked: by us, after IDENTIFY, rather than under a lease. */
static int take_answer(ProbeTable *table, uint32_t number, bool asked, int error,
                       const ProbeReading *reading, ProbeChanges *changes) {
        Probe *probe = NULL;
        Probe before;
        int r;

        r = table_prepare(table, number, changes, &probe);
        if (r < 0 ||
            !(asked ? probe->reading_now : probe->plugged && (error == 0 || is_silence(error))))
                return r;
        before = *probe;
        if (asked)
                probe->reading_now = false;
        probe->reading_done = error == 0;
        probe_judge(probe, error);
        if (error == 0)
                probe->reading = *reading;
        table_settle(table, &before, probe, 0, changes);
        return 0;
}

int probe_identified(ProbeTable *table, uint32_t number, int error, const ProbeReading *reading,
                     ProbeChanges *changes) {
        return take_answer(table, number, /* asked= */ true, error, reading, changes);
}

int probe_checked(ProbeTable *table, uint32_t number, int error, const ProbeReading *reading,
                  ProbeChanges *changes) {
        return take_answer(table, number, /* asked= */ false, error, reading, changes);
}

int probe_give_up(ProbeTable *table, uint32_t number, ProbeChanges *changes) {
        Probe *probe = NULL;
        Probe before;
        int r;

        r = table_prepare(table, number, changes, &probe);
        if (r < 0 || probe->wedge == PROBE_WEDGE_NONE)
                return r;
        before = *probe;
        probe->wedge = PROBE_WEDGE_REPLUG;
        table_settle(table, &before, probe, 0, changes);
        return 0;
}

/* --- time --------------------------------------------------------------------------------- */

Usec probe_next_event(const ProbeTable *table) {
        Usec next = USEC_INFINITY;

        LIST_FOREACH(&table->probes, Probe, probe, probes)
                if (!probe->plugged)
                        next = MIN(next, probe->forget);
        return next;
}

int probe_elapse(ProbeTable *table, Usec now, ProbeChanges *changes) {
        int r;

        r = changes_reserve(table, changes);
        if (r < 0)
                return r;
        LIST_FOREACH(&table->probes, Probe, probe, probes) {
                Probe before = *probe;

                if (probe->plugged || probe->forget > now)
                        continue;
                probe->wanted = probe->leased = false;
                table_settle(table, &before, probe, 0, changes);
                changes_add(changes, PROBE_CHANGE_GONE, probe, probe->id);
                table->n--;
                probe_free(probe);
        }
        return 0;
}
