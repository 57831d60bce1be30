/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/agent.h"
#include "ctl/client.h"
#include "ctl/describe.h"
#include "ctl/parts.h"
#include "ctl/verbs.h"

/* Getting a probe back: from oneself, from who is asked for it, by force, or from a program that
 * was left behind. */

#define OBJECTS_REMOVED                                                        \
        "type='signal',sender='" STLINKD_BUS_NAME "',path='" STLINKD_PATH "'," \
        "interface='org.freedesktop.DBus.ObjectManager',member='InterfacesRemoved'"

/* How long the daemon may take to take a lease back after the time it gave */
#define FORCE_PATIENCE (15 * USEC_PER_SEC)
/* What a probe's holder has to end itself, what force takes, and some more */
#define STALE_TIMEOUT (30 * USEC_PER_SEC)

typedef struct Release {
        sd_bus *bus;
        Snapshot *snapshot;
        ProbeView *probe;
        const Options *options;
        char *name; /* of the probe, for people */
} Release;

static bool is_held(const LeaseView *lease) {
        return lease->state && strcmp(lease->state, "waiting") != 0;
}

/* The leases on the probe that are held, one after the other, from NULL to NULL. */
static const LeaseView *next_held(const Release *release, const LeaseView *previous) {
        for (char **path = release->probe->leases; path && *path; path++) {
                const LeaseView *lease = snapshot_find_lease(release->snapshot, *path);

                if (lease == previous)
                        previous = NULL;
                else if (lease && !previous && is_held(lease))
                        return lease;
        }
        return NULL;
}

static const char *or_unknown(const char *s) {
        return s ? s : "?";
}

static const HolderView *find_stranger(const Release *release) {
        for (size_t i = 0; i < release->probe->n_holders; i++)
                if (!parts_is_beside(&release->probe->holders[i]))
                        return &release->probe->holders[i];
        return NULL;
}

/* Who has it, and what to do about that. */
static ExitCode tell_holder(const Release *release) {
        const LeaseView *lease = next_held(release, NULL);
        const HolderView *holder = find_stranger(release);

        if (lease) {
                client_say("Probe %s is leased to %s (PID %u) of %s%s%s.", release->name,
                           or_unknown(lease->command), lease->pid, or_unknown(lease->user),
                           lease->reason ? ", for: " : "", lease->reason ? lease->reason : "");
                client_say_more("Ask for it:  stlinkctl release %s --ask", release->name);
                return EXIT_CODE_BUSY;
        }
        if (!holder) {
                (void) printf("Nobody holds probe %s.\n", release->name);
                return EXIT_CODE_OK;
        }
        client_say("Probe %s is used by %s (PID %u) of %s, who holds no lease.", release->name,
                   or_unknown(holder->command), holder->pid, or_unknown(holder->user));
        if (holder->orphaned == ORPHANED_YES)
                client_say_more("It was left behind; end it:  stlinkctl release %s --stale",
                                release->name);
        else
                client_say_more("End that program:  %skill %u",
                                geteuid() == 0 || geteuid() == holder->uid ? "" : "sudo ",
                                holder->pid);
        return EXIT_CODE_BUSY;
}

static int make_call(const Release *release, const char *path, const char *interface,
                     const char *method, sd_bus_message **ret) {
        return sd_bus_message_new_method_call(release->bus, ret, STLINKD_BUS_NAME, path, interface,
                                              method);
}

static int append_options(const Release *release, sd_bus_message *call, bool with_grace) {
        const Options *options = release->options;
        int r = sd_bus_message_open_container(call, 'a', "{sv}");

        if (r >= 0 && options->reason)
                r = sd_bus_message_append(call, "{sv}", "reason", "s", options->reason);
        if (r >= 0 && with_grace)
                r = sd_bus_message_append(call, "{sv}", "grace", "t", options->grace);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

/* Call a method of a lease whose options are those of asking, and report what goes wrong. */
static ExitCode call_lease(const Release *release, const LeaseView *lease, const char *method) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r = make_call(release, lease->path, STLINKD_LEASE_INTERFACE, method, &call);

        if (r >= 0)
                r = append_options(release, call, strcmp(method, "Revoke") == 0);
        if (r >= 0)
                r = agent_call(release->bus, call, AGENT_TIMEOUT, &error, NULL);
        return r < 0 ? client_report(&error, r) : EXIT_CODE_OK;
}

/* --- one's own ---------------------------------------------------------------------------- */

/* What "lock" took for this user. The rest belongs to a program that runs. */
static bool is_ours(const LeaseView *lease) {
        return lease->form && strcmp(lease->form, "process") == 0 && lease->uid == geteuid();
}

static ExitCode release_own(const Release *release) {
        unsigned n = 0;

        for (const LeaseView *lease = NULL; (lease = next_held(release, lease));) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                int r;

                if (!is_ours(lease))
                        continue;
                r = sd_bus_call_method(release->bus, STLINKD_BUS_NAME, lease->path,
                                       STLINKD_LEASE_INTERFACE, "Release", &error, NULL, "a{sv}",
                                       0);
                if (r < 0)
                        return client_report(&error, r);
                n++;
        }
        return n > 0 ? EXIT_CODE_OK : tell_holder(release);
}

/* --- asking ------------------------------------------------------------------------------- */

static ExitCode ask(const Release *release) {
        const LeaseView *lease = next_held(release, NULL);

        if (!lease)
                return tell_holder(release);
        for (; lease; lease = next_held(release, lease)) {
                ExitCode code = call_lease(release, lease, "Ask");

                if (code != EXIT_CODE_OK)
                        return code;
                (void) printf("Asked %s, who holds probe %s by %s (PID %u).\n",
                              or_unknown(lease->user), release->name, or_unknown(lease->command),
                              lease->pid);
        }
        return EXIT_CODE_OK;
}

/* --- force -------------------------------------------------------------------------------- */

static int object_removed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Snapshot *snapshot = userdata;
        const char *path;

        (void) error;
        if (sd_bus_message_read_basic(message, 'o', &path) > 0)
                snapshot_remove(snapshot, path);
        return 0;
}

static bool any_is_left(const Release *release) {
        return next_held(release, NULL) != NULL;
}

static int await_end(const Release *release) {
        Usec end = usec_add(now_usec(CLOCK_MONOTONIC),
                            usec_add(release->options->grace, FORCE_PATIENCE));

        while (any_is_left(release)) {
                Usec now = now_usec(CLOCK_MONOTONIC);
                int r = sd_bus_process(release->bus, NULL);

                if (r < 0)
                        return r;
                if (r == 0 && now >= end)
                        return -ETIME;
                if (r == 0)
                        r = sd_bus_wait(release->bus, end - now);
                if (r < 0 && r != -EINTR)
                        return r;
        }
        return 0;
}

/* Who has it now: nobody, or who waited for it. */
static ExitCode tell_after_force(const Release *release) {
        _cleanup_(snapshot_freep) Snapshot *fresh = NULL;
        _cleanup_free_ char *state = NULL;
        const ProbeView *probe;
        ExitCode code = client_load(release->bus, /* with_manager= */ false, &fresh);

        if (code != EXIT_CODE_OK)
                return code;
        probe = snapshot_find_probe(fresh, release->probe->path);
        state = probe ? describe_state(fresh, probe) : NULL;
        (void) printf("Probe %s is taken back; now it is %s.\n", release->name,
                      state ? state : "unplugged");
        return EXIT_CODE_OK;
}

static ExitCode force(Release *release) {
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        char span[FORMAT_USEC_MAX];
        int r;

        if (!any_is_left(release))
                return tell_holder(release);
        r = sd_bus_add_match(release->bus, &slot, OBJECTS_REMOVED, object_removed,
                             release->snapshot);
        for (const LeaseView *lease = NULL; r >= 0 && (lease = next_held(release, lease));) {
                ExitCode code = call_lease(release, lease, "Revoke");

                if (code != EXIT_CODE_OK)
                        return code;
                if (release->options->grace > 0)
                        client_say("%s (PID %u) of %s has %s to finish.",
                                   or_unknown(lease->command), lease->pid, or_unknown(lease->user),
                                   format_usec(span, sizeof(span), release->options->grace));
        }
        if (r >= 0)
                r = await_end(release);
        return r < 0 ? client_report(NULL, r) : tell_after_force(release);
}

/* --- what was left behind ----------------------------------------------------------------- */

static ExitCode end_holder(const Release *release, const HolderView *holder) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r = make_call(release, release->probe->path, STLINKD_PROBE_INTERFACE, "EndHolder",
                          &call);

        if (r >= 0)
                r = sd_bus_message_append(call, "uta{sv}", holder->pid, holder->started, 0);
        if (r >= 0)
                r = agent_call(release->bus, call, AGENT_TIMEOUT + STALE_TIMEOUT, &error, NULL);
        if (r < 0)
                return client_report(&error, r);
        (void) printf("Ended %s (PID %u) of %s, which was left behind with probe %s.\n",
                      or_unknown(holder->command), holder->pid, or_unknown(holder->user),
                      release->name);
        return EXIT_CODE_OK;
}

static ExitCode end_stale(const Release *release) {
        const ProbeView *probe = release->probe;
        unsigned n = 0;

        for (size_t i = 0; i < probe->n_holders; i++) {
                const HolderView *holder = &probe->holders[i];
                ExitCode code;

                if (holder->orphaned != ORPHANED_YES || holder->lease || parts_is_beside(holder))
                        continue;
                code = end_holder(release, holder);
                if (code != EXIT_CODE_OK)
                        return code;
                n++;
        }
        if (n > 0)
                return EXIT_CODE_OK;
        if (find_stranger(release) || any_is_left(release))
                client_say("Nothing was left behind with probe %s.", release->name);
        return tell_holder(release);
}

static ExitCode check_options(const Options *options) {
        unsigned how = options->given & (OPTION_ASK | OPTION_FORCE | OPTION_STALE);

        if (how & (how - 1))
                client_say("--ask, --force and --stale exclude each other.");
        else if (options->given & OPTION_GRACE && how != OPTION_FORCE)
                client_say("--grace is for --force.");
        else if (options->given & OPTION_REASON && how != OPTION_FORCE && how != OPTION_ASK)
                client_say("--reason is for --ask and --force.");
        else
                return EXIT_CODE_OK;
        client_say_more("See stlinkctl --help.");
        return EXIT_CODE_USAGE;
}

static ExitCode look(Release *release, const char *word) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        ExitCode code = client_begin(/* with_manager= */ false, &release->bus, &release->snapshot);
        int r = 0;

        if (code == EXIT_CODE_OK)
                code = client_select(release->snapshot, word, &release->probe);
        if (code != EXIT_CODE_OK)
                return code;
        client_ask_password(release->bus, !release->options->no_ask_password);
        release->name = describe_name(release->snapshot, release->probe);
        if (!release->name)
                return client_report(NULL, -ENOMEM);
        if (release->probe->n_holders > 0)
                r = client_look_closer(release->bus, release->probe, /* see_all= */ false, &error);
        return r < 0 ? client_report(&error, r) : EXIT_CODE_OK;
}

static void release_done(Release *release) {
        free(release->name);
        snapshot_free(release->snapshot);
        sd_bus_flush_close_unref(release->bus);
}

int verb_release(int n, char **words, const Options *options) {
        _cleanup_(release_done) Release release = { .options = options };
        ExitCode code = check_options(options);

        if (code == EXIT_CODE_OK)
                code = look(&release, n > 0 ? words[0] : options->probe);
        if (code != EXIT_CODE_OK)
                return code;
        if (options->given & OPTION_ASK)
                return ask(&release);
        if (options->given & OPTION_FORCE)
                return force(&release);
        return options->given & OPTION_STALE ? end_stale(&release) : release_own(&release);
}
