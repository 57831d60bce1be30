/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "sim/control/request.h"

typedef struct json_object Json;

DEFINE_CLEANUP(Json *, json_object_put)
#define _cleanup_json_ _cleanup_(json_object_putp)

static void add_text(Json *object, const char *key, const char *text) {
        json_object_object_add(object, key, text ? json_object_new_string(text) : NULL);
}

static void add_number(Json *object, const char *key, uint64_t number) {
        json_object_object_add(object, key, json_object_new_uint64(number));
}

_printf_(2, 3) static Json *failure(const char *code, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        Json *answer = json_object_new_object();
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&text, format, ap) < 0)
                text = NULL;
        va_end(ap);
        add_text(answer, "error", text ? text : "Out of memory");
        add_text(answer, "code", code);
        return answer;
}

static Json *describe(const BenchProbe *probe) {
        const UsbDevice *usb = sim_device_usb(probe->device);
        Json *row = json_object_new_object();
        BenchPlace place;
        char id[16];

        bench_locate(probe, &place);
        snprintf(id, sizeof(id), "%04x:%04x", get_le16(usb->descriptors + 8),
                 get_le16(usb->descriptors + 10));
        add_number(row, "number", probe->number);
        add_text(row, "specification", probe->text);
        add_text(row, "id", id);
        add_text(row, "product", sim_device_product(probe->device));
        add_text(row, "serial", sim_device_serial(probe->device));
        json_object_object_add(row, "plugged", json_object_new_boolean(probe->place != NULL));
        add_text(row, "port", probe->port[0] ? probe->port : NULL);
        add_text(row, "node", place.node[0] ? place.node : NULL);
        add_number(row, "open_files", place.open_files);
        json_object_object_add(row, "claimed", json_object_new_boolean(place.claimed));
        return row;
}

static Json *count(const BenchProbe *probe) {
        Json *row = json_object_new_object();
        SimCounters counters;

        sim_device_get_counters(probe->device, &counters);
        add_number(row, "number", probe->number);
        add_number(row, "transfers", counters.transfers);
        add_number(row, "control_transfers", counters.control_transfers);
        add_number(row, "commands", counters.commands);
        add_number(row, "swd_entered_at", counters.swd_entered_at);
        add_number(row, "identified_at", counters.identified_at);
        add_number(row, "port_resets", counters.resets);
        add_number(row, "opens", probe->opens);
        add_number(row, "target_resets", counters.target.resets);
        add_number(row, "target_halts", counters.target.halts);
        return row;
}

/* {key: [row, …]} of that probe, or of all when it is NULL. */
static Json *answer_rows(Bench *bench, const BenchProbe *only, const char *key,
                         Json *(*make)(const BenchProbe *probe)) {
        Json *answer = json_object_new_object(), *rows = json_object_new_array();

        json_object_object_add(answer, key, rows);
        LIST_FOREACH(&bench->probes, const BenchProbe, probe, link)
                if (!only || only == probe)
                        json_object_array_add(rows, make(probe));
        return answer;
}

static Json *do_list(Bench *bench, BenchProbe *probe, Json *request) {
        (void) request;
        return answer_rows(bench, probe, "probes", describe);
}

static Json *do_counters(Bench *bench, BenchProbe *probe, Json *request) {
        (void) request;
        return answer_rows(bench, probe, "counters", count);
}

static Json *do_reset_counters(Bench *bench, BenchProbe *only, Json *request) {
        (void) request;
        LIST_FOREACH(&bench->probes, BenchProbe, probe, link) {
                if (only && only != probe)
                        continue;
                sim_device_reset_counters(probe->device);
                probe->opens = 0;
        }
        return answer_rows(bench, only, "counters", count);
}

static Json *do_plug(Bench *bench, BenchProbe *probe, Json *request) {
        int r = bench_plug(probe);

        (void) request;
        if (r == -EALREADY)
                return failure("failed", "Probe %u is plugged in already", probe->number);
        if (r < 0)
                return failure("failed", "Probe %u cannot be plugged in: %s", probe->number,
                               strerror(-r));
        return answer_rows(bench, probe, "probes", describe);
}

static Json *do_unplug(Bench *bench, BenchProbe *probe, Json *request) {
        (void) request;
        if (bench_unplug(probe) == -EALREADY)
                return failure("failed", "Probe %u is unplugged already", probe->number);
        return answer_rows(bench, probe, "probes", describe);
}

static const char *get_text(Json *request, const char *key) {
        Json *value;

        if (!json_object_object_get_ex(request, key, &value) ||
            !json_object_is_type(value, json_type_string))
                return NULL;
        return json_object_get_string(value);
}

static Json *do_set(Bench *bench, BenchProbe *probe, Json *request) {
        const char *key = get_text(request, "key"), *value = get_text(request, "value");
        _cleanup_free_ char *error = NULL;
        int r;

        if (!key || !value)
                return failure("bad-request", "\"set\" needs a key and a value");
        usb_clock_tick(probe->clock);
        r = sim_device_set(probe->device, key, value, &error);
        usb_clock_arm(probe->clock);
        if (r < 0)
                return failure("bad-request", "%s", error ? error : strerror(-r));
        return answer_rows(bench, probe, "probes", describe);
}

static Json *do_add(Bench *bench, BenchProbe *none, Json *request) {
        const char *spec = get_text(request, "spec");
        _cleanup_free_ char *error = NULL;
        BenchProbe *probe;
        int r;

        (void) none;
        if (!spec)
                return failure("bad-request", "\"add\" needs a specification");
        r = bench_add(bench, spec, &probe, &error);
        if (r < 0)
                return failure(error ? "bad-request" : "failed", "%s",
                               error ? error : strerror(-r));
        return answer_rows(bench, probe, "probes", describe);
}

typedef enum NeedsProbe {
        PROBE_NEVER,
        PROBE_OPTIONAL,
        PROBE_REQUIRED,
} NeedsProbe;

static const struct {
        const char *verb;
        NeedsProbe probe;
        Json *(*run)(Bench *bench, BenchProbe *probe, Json *request);
} verbs[] = {
        { "list", PROBE_OPTIONAL, do_list },
        { "plug", PROBE_REQUIRED, do_plug },
        { "unplug", PROBE_REQUIRED, do_unplug },
        { "set", PROBE_REQUIRED, do_set },
        { "add", PROBE_NEVER, do_add },
        { "counters", PROBE_OPTIONAL, do_counters },
        { "reset-counters", PROBE_OPTIONAL, do_reset_counters },
};

Json *control_answer(Bench *bench, const char *line) {
        _cleanup_json_ Json *request = json_tokener_parse(line);
        const char *verb, *name;
        BenchProbe *probe = NULL;

        if (!json_object_is_type(request, json_type_object))
                return failure("bad-request", "A request is a JSON object in one line");
        verb = get_text(request, "verb");
        name = get_text(request, "probe");
        for (size_t i = 0; verb && i < ELEMENTSOF(verbs); i++) {
                int r;

                if (strcmp(verbs[i].verb, verb) != 0)
                        continue;
                if (verbs[i].probe == PROBE_REQUIRED && !name)
                        return failure("bad-request", "\"%s\" needs a probe", verb);
                r = name && verbs[i].probe != PROBE_NEVER ? bench_find(bench, name, &probe) : 0;
                if (r == -ENOTUNIQ)
                        return failure("no-such-probe",
                                       "Several probes are \"%s\"; name one by its number or port",
                                       name);
                if (r < 0)
                        return failure("no-such-probe",
                                       "There is no probe \"%s\"; see \"stlinksim ctl list\"",
                                       name);
                return verbs[i].run(bench, probe, request);
        }
        return failure("bad-request", "Unknown verb \"%s\"", verb ? verb : "");
}
