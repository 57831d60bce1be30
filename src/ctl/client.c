/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "bus/names.h"
#include "ctl/agent.h"
#include "ctl/alias.h"
#include "ctl/client.h"
#include "ctl/describe.h"
#include "ctl/select.h"
#include "ctl/text.h"

#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define PROPERTIES     "org.freedesktop.DBus.Properties"

_printf_(2, 0) static void say(const char *prefix, const char *format, va_list args) {
        _cleanup_free_ char *raw = NULL, *clean = NULL;

        if (vasprintf(&raw, format, args) < 0)
                raw = NULL;
        clean = text_clean(raw);
        (void) fprintf(stderr, "%s%s\n", prefix, clean ? clean : "out of memory");
}

void client_say(const char *format, ...) {
        va_list args;

        va_start(args, format);
        say("stlinkctl: ", format, args);
        va_end(args);
}

void client_say_more(const char *format, ...) {
        va_list args;

        va_start(args, format);
        say("", format, args);
        va_end(args);
}

typedef struct Fetch {
        Snapshot *snapshot;
        sd_bus_error *error;
        unsigned pending;
        int result; /* of the objects; the manager's properties may be missing */
} Fetch;

static int objects_arrived(sd_bus_message *message, void *userdata, sd_bus_error *unused) {
        const sd_bus_error *error = sd_bus_message_get_error(message);
        Fetch *fetch = userdata;

        (void) unused;
        fetch->pending--;
        if (error) {
                (void) sd_bus_error_copy(fetch->error, error);
                fetch->result = -sd_bus_error_get_errno(error);
        } else
                fetch->result = snapshot_read_objects(fetch->snapshot, message);
        return 0;
}

static int manager_arrived(sd_bus_message *message, void *userdata, sd_bus_error *unused) {
        Fetch *fetch = userdata;

        (void) unused;
        fetch->pending--;
        /* An error here comes with the same one for the objects, which is reported. */
        if (!sd_bus_message_is_method_error(message, NULL))
                (void) snapshot_read_manager(fetch->snapshot, message);
        return 0;
}

int client_fetch(sd_bus *bus, bool with_manager, sd_bus_error *reterr, Snapshot **ret) {
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *objects = NULL, *manager = NULL;
        Fetch fetch = { .error = reterr, .pending = 1 };
        int r = snapshot_new(&snapshot);

        if (r < 0)
                return r;
        fetch.snapshot = snapshot;
        r = sd_bus_call_method_async(bus, &objects, STLINKD_BUS_NAME, STLINKD_PATH, OBJECT_MANAGER,
                                     "GetManagedObjects", objects_arrived, &fetch, NULL);
        if (r >= 0 && with_manager) {
                fetch.pending++;
                r = sd_bus_call_method_async(bus, &manager, STLINKD_BUS_NAME, STLINKD_PATH,
                                             PROPERTIES, "GetAll", manager_arrived, &fetch, "s",
                                             STLINKD_MANAGER_INTERFACE);
        }
        while (r >= 0 && fetch.pending > 0) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
        }
        if (r < 0)
                return r;
        if (fetch.result < 0)
                return fetch.result;
        *ret = TAKE_PTR(snapshot);
        return 0;
}

ExitCode client_open(sd_bus **ret) {
        int r = bus_errors_register();

        if (r < 0)
                return client_report(NULL, r);
        r = sd_bus_open_system(ret);
        if (r >= 0)
                return EXIT_CODE_OK;
        client_say("Cannot connect to the system bus: %s", strerror(-r));
        client_say_more("Is it running?  systemctl status dbus");
        return EXIT_CODE_NO_DAEMON;
}

ExitCode client_load(sd_bus *bus, bool with_manager, Snapshot **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = client_fetch(bus, with_manager, &error, ret);

        if (r >= 0)
                return EXIT_CODE_OK;
        /* Whoever may not even look is stopped by the bus, whose message helps nobody. */
        if (sd_bus_error_has_name(&error, SD_BUS_ERROR_ACCESS_DENIED)) {
                client_say("The system bus does not let you talk to stlinkd.");
                client_say_more("Is its policy installed?  ls "
                                "/usr/share/dbus-1/system.d/" STLINKD_BUS_NAME ".conf");
                return EXIT_CODE_DENIED;
        }
        return client_report(&error, r);
}

void client_ask_password(sd_bus *bus, bool allowed) {
        /* The terminal that controls us, wherever stdin and stdout lead. */
        _cleanup_close_ int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);

        (void) sd_bus_set_allow_interactive_authorization(bus, allowed && terminal >= 0);
}

ExitCode client_begin(bool with_manager, sd_bus **ret_bus, Snapshot **ret_snapshot) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        ExitCode code = client_open(&bus);

        if (code == EXIT_CODE_OK)
                code = client_load(bus, with_manager, ret_snapshot);
        if (code == EXIT_CODE_OK)
                *ret_bus = TAKE_PTR(bus);
        return code;
}

int client_look_closer(sd_bus *bus, ProbeView *probe, bool see_all, sd_bus_error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *answer = NULL;
        int r = sd_bus_message_new_method_call(bus, &call, STLINKD_BUS_NAME, probe->path,
                                               STLINKD_PROBE_INTERFACE, "GetHolders");

        if (r >= 0 && see_all)
                r = sd_bus_message_append(call, "a{sv}", 1, "see-all", "b", 1);
        else if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 0);
        if (r >= 0)
                r = agent_call(bus, call, AGENT_TIMEOUT, reterr, &answer);
        return r < 0 ? r : snapshot_read_holders(probe, answer);
}

static void say_candidates(const Snapshot *snapshot, ProbeView *const *probes, size_t n) {
        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *state = describe_state(snapshot, probes[i]);

                client_say_more("  %s  %s at port %s, %s", probes[i]->id ? probes[i]->id : "?",
                                probes[i]->model ? probes[i]->model : "?",
                                probes[i]->port_path ? probes[i]->port_path : "?",
                                state ? state : "?");
        }
}

/* A name that somebody gave to a probe stands for its serial or its port. */
static int select_by_alias(const Snapshot *snapshot, const char *name, ProbeView **ret,
                           ProbeView ***ret_candidates, size_t *ret_n) {
        _cleanup_(aliases_done) Aliases aliases = {};
        const char *key;
        int r = aliases_load(&aliases);

        if (r < 0)
                return r;
        key = aliases_find(&aliases, name);
        if (!key)
                return -ENXIO;
        r = select_probe(snapshot, key, ret, ret_candidates, ret_n);
        if (r == -ENOENT)
                client_say("The probe that '%s' stands for (%s) is not plugged in.", name, key);
        return r;
}

ExitCode client_select(const Snapshot *snapshot, const char *name, ProbeView **ret) {
        _cleanup_free_ ProbeView **candidates = NULL;
        size_t n = 0;
        int r = name && alias_is_valid(name) ? select_by_alias(snapshot, name, ret, &candidates, &n)
                                             : -ENXIO;

        if (r == -ENOENT)
                return EXIT_CODE_NO_PROBE;
        if (r == -EBADMSG)
                return EXIT_CODE_FAILURE;
        if (r == -ENXIO)
                r = select_probe(snapshot, name, ret, &candidates, &n);
        if (r >= 0)
                return EXIT_CODE_OK;
        if (r == -ENOTUNIQ && name)
                client_say("'%s' fits %zu probes; name one of them:", name, n);
        else if (r == -ENOTUNIQ)
                client_say("%zu probes are plugged in; name one of them:", n);
        else if (r == -ENOENT && snapshot->n_probes == 0)
                client_say("No probe is plugged in.  What the kernel sees:  lsusb -d 0483:");
        else if (r == -ENOENT)
                client_say("No probe is called '%s'; plugged in:", name);
        else
                return client_report(NULL, r);
        if (r == -ENOTUNIQ)
                say_candidates(snapshot, candidates, n);
        else
                say_candidates(snapshot, snapshot->probes, snapshot->n_probes);
        return EXIT_CODE_NO_PROBE;
}

/* The bus was to start the daemon, and that failed. */
static bool is_start_failure(const char *name) {
        return strncmp(name, "org.freedesktop.DBus.Error.Spawn.", 33) == 0 ||
               strncmp(name, "org.freedesktop.systemd1.", 25) == 0;
}

/* What the daemon's own messages do not say already. */
static const char *next_step(ExitCode code, const char *name) {
        if (name && strcmp(name, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED) == 0)
                return "A polkit agent may ask for it, at a terminal and without "
                       "--no-ask-password.";
        switch (code) {
        case EXIT_CODE_BUSY:
                return "Wait for it:  stlinkctl run --wait -- COMMAND";
        case EXIT_CODE_NO_DAEMON:
                return "See why:  journalctl -u stlinkd";
        default:
                return NULL;
        }
}

ExitCode client_report(const sd_bus_error *error, int r) {
        const char *name = error ? error->name : NULL, *next;
        ExitCode code = name ? exit_code_from_bus_error(name) : exit_code_from_errno(r);

        if (name && (strcmp(name, SD_BUS_ERROR_SERVICE_UNKNOWN) == 0 ||
                     strcmp(name, SD_BUS_ERROR_NAME_HAS_NO_OWNER) == 0)) {
                client_say("stlinkd is not running.");
                client_say_more("Start it:  sudo systemctl start stlinkd");
                return EXIT_CODE_NO_DAEMON;
        }
        if (name && is_start_failure(name)) {
                client_say("stlinkd does not start: %s", error->message);
                code = EXIT_CODE_NO_DAEMON;
        } else if (code == EXIT_CODE_NO_DAEMON)
                client_say("stlinkd does not answer: %s", name ? error->message : strerror(-r));
        else
                client_say("%s", name && error->message ? error->message : strerror(-r));
        next = next_step(code, name);
        if (next)
                client_say_more("%s", next);
        return code == EXIT_CODE_OK || code == EXIT_CODE_USAGE ? EXIT_CODE_FAILURE : code;
}
