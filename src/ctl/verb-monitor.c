/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "bus/names.h"
#include "ctl/client.h"
#include "ctl/describe.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

#define OBJECT_SIGNALS \
        "type='signal',sender='" STLINKD_BUS_NAME "',path_namespace='" STLINKD_PATH "'"

/* One change comes in several signals: a lease, the probe's state, its list of leases. */
#define GATHER_TIME (20 * USEC_PER_MSEC)
#define GATHER_MAX  1000 /* messages on top of that */

/* What was last told about a probe. */
typedef struct Told {
        char *path, *id, *words, *firmware, *port;
        size_t waiting;
} Told;

typedef struct Monitor {
        sd_bus *bus;
        sd_event *event;
        Snapshot *snapshot;
        Told *told;
        size_t n_told;
        bool json;
        bool refetch; /* the daemon is new, nothing of the snapshot holds any more */
        bool gone;
        int error;
} Monitor;

static void told_clear(Told *told) {
        free(told->path);
        free(told->id);
        free(told->words);
        free(told->firmware);
        free(told->port);
}

static void told_free(Told *told, size_t n) {
        for (size_t i = 0; i < n; i++)
                told_clear(&told[i]);
        free(told);
}

static int tell(Monitor *monitor, const char *probe, const char *state, const char *event,
                const char *text) {
        _cleanup_(rows_freep) Rows *rows = rows_new();
        Usec now = now_usec(CLOCK_REALTIME);
        time_t seconds = (time_t) (now / USEC_PER_SEC);
        char stamp[TEXT_RFC3339_MAX], clock[16] = "";
        Row *row = rows_add(rows);
        struct tm tm;

        if (!row)
                return -ENOMEM;
        if (localtime_r(&seconds, &tm))
                (void) strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
        row_set_string(row, "time", text_format_rfc3339(stamp, sizeof(stamp), now));
        row_set_text(row, "time", "%s", clock);
        row_set_string(row, "probe", probe);
        row_set_string(row, "event", event);
        row_set_string(row, "state", state);
        row_set_string(row, "text", text);
        if (monitor->json)
                return output_json_row(row, /* one_line= */ true);
        if (rows_error(rows) < 0)
                return -ENOMEM;
        (void) printf("%s  %-24s  %s\n", row_get_text(row, "time"),
                      probe ? row_get_text(row, "probe") : "stlinkd", row_get_text(row, "text"));
        return 0;
}

static const Told *find_told(const Monitor *monitor, const char *path) {
        for (size_t i = 0; i < monitor->n_told; i++)
                if (strcmp(monitor->told[i].path, path) == 0)
                        return &monitor->told[i];
        return NULL;
}

static char *copy(const char *s) {
        return strdup(s ? s : "");
}

static int told_init(Told *ret, const Snapshot *snapshot, const ProbeView *probe) {
        *ret = (Told){
                .path = copy(probe->path),
                .id = copy(probe->id),
                .words = describe_state(snapshot, probe),
                .firmware = copy(probe->firmware),
                .port = copy(probe->port_path),
                .waiting = snapshot_count_waiting(snapshot, probe),
        };
        return ret->path && ret->id && ret->words && ret->firmware && ret->port ? 0 : -ENOMEM;
}

static int tell_new(Monitor *monitor, const ProbeView *probe, const Told *now, const char *event) {
        char text[256];

        (void) snprintf(text, sizeof(text), "%s: ST-LINK %s at port %s, %s",
                        strcmp(event, "added") == 0 ? "plugged in" : "is there",
                        probe->model ? probe->model : "?", now->port, now->words);
        return tell(monitor, now->id, probe->state, event, text);
}

static int tell_differences(Monitor *monitor, const ProbeView *probe, const Told *before,
                            const Told *now) {
        char text[256];
        int r = 0;

        if (strcmp(before->port, now->port) != 0) {
                (void) snprintf(text, sizeof(text), "moved to port %s", now->port);
                r = tell(monitor, now->id, probe->state, "moved", text);
        }
        if (r >= 0 && strcmp(before->firmware, now->firmware) != 0) {
                (void) snprintf(text, sizeof(text), "firmware %s", now->firmware);
                r = tell(monitor, now->id, probe->state, "firmware", text);
        }
        if (r >= 0 && strcmp(before->words, now->words) != 0)
                r = tell(monitor, now->id, probe->state, "state", now->words);
        if (r >= 0 && before->waiting != now->waiting) {
                (void) snprintf(text, sizeof(text), "%zu waiting for it", now->waiting);
                r = tell(monitor, now->id, probe->state, "queue", text);
        }
        return r;
}

static int tell_removed(Monitor *monitor) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < monitor->n_told; i++)
                if (!snapshot_find_probe(monitor->snapshot, monitor->told[i].path))
                        r = tell(monitor, monitor->told[i].id, NULL, "removed", "unplugged");
        return r;
}

/* Tell what is different from what was told last. event is for probes not told of yet. */
static int tell_all(Monitor *monitor, const char *event) {
        const Snapshot *snapshot = monitor->snapshot;
        Told *told = calloc(snapshot->n_probes + 1, sizeof(Told));
        size_t n = 0;
        int r = told ? tell_removed(monitor) : -ENOMEM;

        while (r >= 0 && n < snapshot->n_probes) {
                const ProbeView *probe = snapshot->probes[n];
                const Told *before = find_told(monitor, probe->path);

                r = told_init(&told[n++], snapshot, probe);
                if (r < 0)
                        break;
                r = before ? tell_differences(monitor, probe, before, &told[n - 1])
                           : tell_new(monitor, probe, &told[n - 1], event);
        }
        if (r < 0) {
                told_free(told, n);
                return r;
        }
        told_free(monitor->told, monitor->n_told);
        monitor->told = told;
        monitor->n_told = n;
        return output_finish();
}

static int object_signalled(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Monitor *monitor = userdata;
        const char *path, *interface;
        int r = 0;

        (void) error;
        if (!monitor->snapshot)
                return 0; /* the one that is on its way knows already */
        if (sd_bus_message_is_signal(message, "org.freedesktop.DBus.ObjectManager",
                                     "InterfacesAdded")) {
                r = sd_bus_message_read_basic(message, 'o', &path);
                if (r >= 0)
                        r = snapshot_read_interfaces(monitor->snapshot, path, message);
        } else if (sd_bus_message_is_signal(message, "org.freedesktop.DBus.ObjectManager",
                                            "InterfacesRemoved")) {
                r = sd_bus_message_read_basic(message, 'o', &path);
                if (r >= 0)
                        snapshot_remove(monitor->snapshot, path);
        } else if (sd_bus_message_is_signal(message, "org.freedesktop.DBus.Properties",
                                            "PropertiesChanged")) {
                r = sd_bus_message_read_basic(message, 's', &interface);
                if (r >= 0)
                        r = snapshot_read_changed(monitor->snapshot,
                                                  sd_bus_message_get_path(message), interface,
                                                  message);
        }
        if (r < 0)
                monitor->error = r;
        return 0;
}

static int daemon_changed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *name, *before, *after;
        Monitor *monitor = userdata;

        (void) error;
        if (sd_bus_message_read(message, "sss", &name, &before, &after) <= 0)
                return 0;
        monitor->gone = after[0] == '\0';
        monitor->refetch = !monitor->gone;
        return 0;
}

/* The daemon has stopped: what it said is of no worth, but the probes were not unplugged. */
static int forget_all(Monitor *monitor) {
        Snapshot *empty;
        int r = snapshot_new(&empty);

        if (r < 0)
                return r;
        snapshot_free(monitor->snapshot);
        monitor->snapshot = empty;
        told_free(monitor->told, monitor->n_told);
        monitor->told = NULL;
        monitor->n_told = 0;
        monitor->gone = false;
        r = tell(monitor, NULL, NULL, "daemon-gone", "has stopped; waiting for it to come back");
        return r < 0 ? r : output_finish();
}

static int fetch_anew(Monitor *monitor) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        Snapshot *fresh;
        int r;

        monitor->refetch = false;
        r = tell(monitor, NULL, NULL, "daemon-back", "is running");
        if (r >= 0)
                r = client_fetch(monitor->bus, /* with_manager= */ false, &error, &fresh);
        if (r < 0)
                return monitor->gone ? 0 : r; /* it may have stopped again meanwhile */
        snapshot_free(monitor->snapshot);
        monitor->snapshot = fresh;
        return tell_all(monitor, "present");
}

static int settle(Monitor *monitor) {
        int r = monitor->error;

        if (r >= 0 && monitor->gone)
                r = forget_all(monitor);
        if (r >= 0 && monitor->refetch)
                r = fetch_anew(monitor);
        return r < 0 ? r : tell_all(monitor, "added");
}

/* Nobody reads any more: end now rather than with the next event, which may be days away. */
static int reader_gone(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        (void) source;
        (void) fd;
        (void) revents;
        *(bool *) userdata = true;
        return 0;
}

static int listen_to_signals(Monitor *monitor) {
        int r = sd_bus_add_match_async(monitor->bus, NULL, OBJECT_SIGNALS, object_signalled, NULL,
                                       monitor);

        if (r < 0)
                return r;
        return sd_bus_add_match_async(monitor->bus, NULL, CLIENT_DAEMON_SIGNALS, daemon_changed,
                                      NULL, monitor);
}

/* Wait for something, and then a moment for what belongs to it. */
static int run_until_quiet(sd_event *event) {
        int r = sd_event_run(event, UINT64_MAX);
        Usec until = usec_add(now_usec(CLOCK_MONOTONIC), GATHER_TIME), now;

        while (r >= 0 && (now = now_usec(CLOCK_MONOTONIC)) < until)
                r = sd_event_run(event, until - now);
        /* What came while others had our processor belongs to it, too. */
        for (unsigned i = 0; r >= 0 && i < GATHER_MAX; i++) {
                r = sd_event_run(event, 0);
                if (r == 0)
                        break;
        }
        return r;
}

static int watch(Monitor *monitor) {
        bool closed = false;
        int r = sd_event_new(&monitor->event);

        if (r >= 0)
                r = sd_bus_attach_event(monitor->bus, monitor->event, SD_EVENT_PRIORITY_NORMAL);
        /* A file cannot be watched, and needs not be. */
        if (r >= 0)
                (void) sd_event_add_io(monitor->event, NULL, STDOUT_FILENO, EPOLLERR, reader_gone,
                                       &closed);
        while (r >= 0 && !closed) {
                r = run_until_quiet(monitor->event);
                if (r >= 0)
                        r = settle(monitor);
                if (r >= 0 && sd_bus_is_open(monitor->bus) <= 0)
                        r = -ECONNRESET;
        }
        return r;
}

/* The matches are with the bus before the question is, so nothing is missed in between. */
static ExitCode begin(Monitor *monitor) {
        ExitCode code = client_open(&monitor->bus);
        int r;

        if (code != EXIT_CODE_OK)
                return code;
        r = listen_to_signals(monitor);
        if (r < 0)
                return client_report(NULL, r);
        return client_load(monitor->bus, /* with_manager= */ false, &monitor->snapshot);
}

static void monitor_done(Monitor *monitor) {
        told_free(monitor->told, monitor->n_told);
        snapshot_free(monitor->snapshot);
        if (monitor->bus)
                (void) sd_bus_detach_event(monitor->bus);
        sd_event_unref(monitor->event);
        sd_bus_flush_close_unref(monitor->bus);
}

int verb_monitor(int n, char **words, const Options *options) {
        _cleanup_(monitor_done) Monitor monitor = { .json = options->json };
        ExitCode code;
        int r;

        (void) n;
        (void) words;
        code = begin(&monitor);
        if (code != EXIT_CODE_OK)
                return code;
        /* The daemon may have been started by our own question. */
        monitor.refetch = false;
        r = tell_all(&monitor, "present");
        if (r >= 0)
                r = watch(&monitor);
        return r < 0 && r != -EPIPE ? client_report(NULL, r) : EXIT_CODE_OK;
}
