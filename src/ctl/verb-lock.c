/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/client.h"
#include "ctl/obtain.h"
#include "ctl/parts.h"
#include "ctl/verbs.h"

/* Leases for scripts: bound to a process, by default the shell that runs us. */

static const char *number_of(const char *path) {
        return strrchr(path, '/') + 1;
}

int verb_lock(int n, char **words, const Options *options) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        _cleanup_(client_lease_freep) ClientLease *lease = NULL;
        ClientRequest request = {
                .wait = options->wait,
                .reason = options->reason,
                .limit = options->limit,
                .parts = options->parts,
                .delegates = options->delegates,
                .n_delegates = options->n_delegates,
                .pid = options->pid > 0 ? options->pid : getppid(),
        };
        ProbeView *probe;
        ExitCode code;

        if (options_check_purpose(options, &request.kind) < 0)
                return EXIT_CODE_USAGE;

        code = client_begin(/* with_manager= */ false, &bus, &snapshot);
        if (code == EXIT_CODE_OK)
                code = client_select(snapshot, n > 0 ? words[0] : options->probe, &probe);
        if (code == EXIT_CODE_OK)
                code = parts_check(probe, options->parts);
        if (code == EXIT_CODE_OK) {
                client_ask_password(bus, !options->no_ask_password);
                code = obtain_lease(bus, probe, &request, &lease);
        }
        if (code != EXIT_CODE_OK)
                return code;
        client_lease_keep(lease);
        (void) printf("%s\n", number_of(client_lease_path(lease)));
        return EXIT_CODE_OK;
}

static const LeaseView *find_number(const Snapshot *snapshot, const char *number) {
        for (size_t i = 0; i < snapshot->n_leases; i++)
                if (strcmp(number_of(snapshot->leases[i]->path), number) == 0)
                        return snapshot->leases[i];
        return NULL;
}

/* Whether it is one that lock took for this user, on that probe if one was named. */
static bool is_ours(const LeaseView *lease, const ProbeView *probe) {
        return lease->form && strcmp(lease->form, "process") == 0 && lease->uid == geteuid() &&
               lease->state && strcmp(lease->state, "waiting") != 0 &&
               (!probe || (lease->probe && strcmp(lease->probe, probe->path) == 0));
}

/* Without a number: the one lease of ours there is, or of several the one of this shell. */
static ExitCode find_ours(const Snapshot *snapshot, const ProbeView *probe, const LeaseView **ret) {
        const LeaseView *any = NULL, *own = NULL;
        size_t n = 0, n_own = 0;

        for (size_t i = 0; i < snapshot->n_leases; i++) {
                const LeaseView *lease = snapshot->leases[i];

                if (!is_ours(lease, probe))
                        continue;
                any = lease;
                n++;
                if (lease->pid == (uint32_t) getppid()) {
                        own = lease;
                        n_own++;
                }
        }
        if (n == 1 || n_own == 1) {
                *ret = n == 1 ? any : own;
                return EXIT_CODE_OK;
        }
        client_say(n == 0 ? "You hold no lease that 'stlinkctl lock' took%s."
                          : "You hold several leases%s; name one by its number.",
                   probe ? " on this probe" : "");
        client_say_more("See who holds which:  stlinkctl leases");
        return EXIT_CODE_FAILURE;
}

static ExitCode find_lease(const Snapshot *snapshot, const char *word, const LeaseView **ret) {
        ProbeView *probe = NULL;
        ExitCode code;

        if (word) {
                *ret = find_number(snapshot, word);
                if (*ret)
                        return EXIT_CODE_OK;
                code = client_select(snapshot, word, &probe);
                if (code != EXIT_CODE_OK)
                        return code;
        }
        return find_ours(snapshot, probe, ret);
}

/* word is as find_lease() takes it; keep the snapshot for as long as the lease is used. */
static ExitCode begin_with_lease(const char *word, sd_bus **ret_bus, Snapshot **ret_snapshot,
                                 const LeaseView **ret) {
        ExitCode code = client_begin(/* with_manager= */ false, ret_bus, ret_snapshot);

        return code == EXIT_CODE_OK ? find_lease(*ret_snapshot, word, ret) : code;
}

static int call_lease(const char *method, const char *word) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        const LeaseView *lease;
        ExitCode code;
        int r;

        code = begin_with_lease(word, &bus, &snapshot, &lease);
        if (code != EXIT_CODE_OK)
                return code;
        r = sd_bus_call_method(bus, STLINKD_BUS_NAME, lease->path, STLINKD_LEASE_INTERFACE, method,
                               &error, NULL, "a{sv}", 0);
        return r < 0 ? client_report(&error, r) : EXIT_CODE_OK;
}

int verb_unlock(int n, char **words, const Options *options) {
        return call_lease("Release", n > 0 ? words[0] : options->probe);
}

int verb_renew(int n, char **words, const Options *options) {
        return call_lease("Renew", n > 0 ? words[0] : options->probe);
}

static int delegate_to(sd_bus *bus, const LeaseView *lease, const char *method, const char *who) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_call_method(bus, STLINKD_BUS_NAME, lease->path, STLINKD_LEASE_INTERFACE,
                                   method, &error, NULL, "sa{sv}", who, 0);

        return r < 0 ? client_report(&error, r) : EXIT_CODE_OK;
}

int verb_delegate(int n, char **words, const Options *options) {
        const char *method = options->given & OPTION_WITHDRAW ? "Withdraw" : "Delegate";
        /* Whoever it is delegated to has a colon, a probe has none. */
        bool is_named = n > 1 && !strchr(words[0], ':');
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        const LeaseView *lease;
        ExitCode code;

        code = begin_with_lease(is_named ? words[0] : options->probe, &bus, &snapshot, &lease);
        for (int i = is_named; code == EXIT_CODE_OK && i < n; i++)
                code = delegate_to(bus, lease, method, words[i]);
        return code;
}
