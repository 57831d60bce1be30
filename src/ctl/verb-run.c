/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "ctl/client.h"
#include "ctl/expand.h"
#include "ctl/obtain.h"
#include "ctl/parts.h"
#include "ctl/properties.h"
#include "ctl/verbs.h"
#include "ctl/wrapper.h"

/* What others read as the reason of the lease. Only the command's name: its arguments are not
 * for everybody. */
static const char *default_reason(const char *command) {
        const char *slash = strrchr(command, '/');

        return slash ? slash + 1 : command;
}

static bool is_missing(const char *file) {
        return access(file, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* Whether execvp(3) is sure to find nothing: it has a path of its own without PATH, and an empty
 * piece of it is the current directory. What else may be wrong is for execvp() to say. */
static bool is_nowhere(const char *name) {
        const char *path = getenv("PATH") ?: "/bin:/usr/bin", *end;

        if (strchr(name, '/'))
                return is_missing(name);
        do {
                char file[PATH_MAX];

                end = strchrnul(path, ':');
                (void) snprintf(file, sizeof(file), "%.*s%s%s", (int) (end - path), path,
                                end > path ? "/" : "", name);
                if (!is_missing(file))
                        return false;
                path = end + 1;
        } while (*end);
        return true;
}

/* Nobody is to wait for a probe to learn that the command's name was mistyped. */
static int check_command(const char *name, const Options *options) {
        Usec time;

        if (options->expand || !is_nowhere(name))
                return 0;
        client_say("Cannot run %s: %s", name, strerror(ENOENT));
        if (options->wait == USEC_INFINITY && parse_usec(name, &time) >= 0)
                client_say_more("A time is part of the option:  --wait=%s", name);
        return -ENOENT;
}

/* The command learns which probe is meant. */
static ExitCode prepare(const ProbeView *probe, char **words, const Options *options,
                        char ***ret_command) {
        int r = expand_environment(probe);

        if (r >= 0 && options->expand)
                r = expand_command(probe, words, ret_command);
        if (r == -ENODATA)
                return EXIT_CODE_FAILURE;
        return r < 0 ? client_report(NULL, r) : EXIT_CODE_OK;
}

/* Nobody is to come between a program that writes a probe's firmware and the probe. */
static bool may_ask(const ClientRequest *request) {
        return !request->kind || strcmp(request->kind, "firmware-update") != 0;
}

/* Have the probe asked what it is, while it is ours. A program that was killed halfway leaves an
 * answer behind, which the next one would take for its own: it is thrown away. And a probe that is
 * stuck is known at once, rather than by hanging. */
static ExitCode check_probe(ClientLease *lease, const ProbeView *probe, const char *since) {
        bool answers = true;

        if (!client_lease_is_held(lease) || client_lease_check(lease, &answers) < 0 || answers)
                return EXIT_CODE_OK;
        client_say("Probe %s does not answer%s.", probe->id, since);
        client_say_more("Bring it back:  stlinkctl recover %s", probe->id);
        return EXIT_CODE_NOT_ANSWERING;
}

static int run_leased(char **words, const Options *options, bool *ret_interrupted) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        _cleanup_(client_lease_freep) ClientLease *lease = NULL;
        ClientRequest request = {
                .wait = options->wait,
                .reason = options->reason ? options->reason : default_reason(words[0]),
                .parts = options->parts,
                .limit = options->limit,
                .delegates = options->delegates,
                .n_delegates = options->n_delegates,
        };
        _cleanup_(strings_freep) char **command = NULL;
        ProbeView *probe;
        ExitCode code;
        int status;

        if (options_check_purpose(options, &request.kind) < 0)
                return exit_code_of_wrapper(EXIT_CODE_USAGE);
        if (check_command(words[0], options) < 0)
                return WRAPPER_CODE_CANNOT_RUN;
        code = client_begin(/* with_manager= */ false, &bus, &snapshot);
        if (code == EXIT_CODE_OK)
                code = client_select(snapshot, options->probe, &probe);
        if (code == EXIT_CODE_OK)
                code = parts_check(probe, options->parts);
        if (code == EXIT_CODE_OK) {
                client_ask_password(bus, !options->no_ask_password);
                code = obtain_lease(bus, probe, &request, &lease);
        }
        if (code == EXIT_CODE_OK && may_ask(&request))
                code = check_probe(lease, probe, "");
        if (code != EXIT_CODE_OK)
                return exit_code_of_wrapper(code);
        code = prepare(probe, words, options, &command);
        if (code != EXIT_CODE_OK)
                return exit_code_of_wrapper(code);
        status = wrapper_run(lease, command ? command : words, options->until, ret_interrupted);
        if (status != EXIT_CODE_OK && options->until == UNTIL_TREE && may_ask(&request))
                (void) check_probe(lease, probe, " any more");
        return status;
}

/* A shell goes on with its script unless what it ran died of the interrupt itself. */
static void die_interrupted(void) {
        sigset_t set;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGINT);
        (void) signal(SIGINT, SIG_DFL);
        (void) sigprocmask(SIG_UNBLOCK, &set, NULL);
        (void) raise(SIGINT);
}

int verb_run(int n, char **words, const Options *options) {
        bool interrupted = false;
        int status = run_leased(words, options, &interrupted);

        (void) n;
        if (interrupted)
                die_interrupted();
        return status;
}
