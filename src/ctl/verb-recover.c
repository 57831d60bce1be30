/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/agent.h"
#include "ctl/client.h"
#include "ctl/obtain.h"
#include "ctl/output.h"
#include "ctl/properties.h"
#include "ctl/row.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

/* Bring a probe back that does not answer: one rung after the other, only as far as needed. The
 * first ones are the daemon's (Lease.Recover), those that take root stlinkd-admin's. */

#define DEFAULT_WAIT (5 * USEC_PER_SEC)
/* The daemon's deadline for a rung is shorter. stlinkd-admin may have to ask for a password. */
#define STEP_TIMEOUT    (90 * USEC_PER_SEC)
#define ADMIN_TIMEOUT   (150 * USEC_PER_SEC)
#define RETURN_DEADLINE (10 * USEC_PER_SEC) /* for a probe that re-enumerates */
#define RETURN_INTERVAL 100                 /* ms */

static const struct {
        const char *step;
        const char *method; /* of stlinkd-admin; NULL: it is a step of the daemon's */
        const char *text;
} rungs[] = {
        { "check", NULL, "ask it what it is" },
        { "drain", NULL, "clear its pipes" },
        { "claim", NULL, "claim it anew" },
        { "reset", NULL, "reset its USB port" },
        { "reauthorize", "Reauthorize", "have the kernel set it up anew" },
        { "power-cycle", "PowerCycle", "switch its port off and on" },
};

typedef struct Outcome {
        bool answers;
        char *firmware, *problem;
} Outcome;

static const Property outcome_table[] = {
        { "Answers", "b", offsetof(Outcome, answers) },
        { "Firmware", "s", offsetof(Outcome, firmware) },
        { "Problem", "s", offsetof(Outcome, problem) },
};

static void outcome_done(Outcome *outcome) {
        free(outcome->firmware);
        free(outcome->problem);
        *outcome = (Outcome){};
}
#define _cleanup_outcome_ _cleanup_(outcome_done)

typedef struct Recovery {
        sd_bus *bus;
        const char *probe, *lease; /* paths */
        Row *report;
        bool json;
} Recovery;

static int call_step(Recovery *recovery, const char *step, sd_bus_error *reterr, Outcome *ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *answer = NULL;
        int r = sd_bus_message_new_method_call(recovery->bus, &call, STLINKD_BUS_NAME,
                                               recovery->lease, STLINKD_LEASE_INTERFACE, "Recover");

        if (r >= 0)
                r = sd_bus_message_append(call, "sa{sv}", step, 0);
        if (r >= 0)
                r = sd_bus_call(recovery->bus, call, STEP_TIMEOUT, reterr, &answer);
        if (r < 0)
                return r;
        outcome_done(ret);
        return properties_read(answer, outcome_table, ELEMENTSOF(outcome_table), ret);
}

static int fetch(Recovery *recovery, Snapshot **ret_snapshot, const ProbeView **ret) {
        int r = client_fetch(recovery->bus, /* with_manager= */ false, NULL, ret_snapshot);

        if (r < 0)
                return r;
        *ret = snapshot_find_probe(*ret_snapshot, recovery->probe);
        return *ret ? 0 : -ENODEV;
}

/* It re-enumerates; the lease stays. */
static int await_return(Recovery *recovery) {
        Usec deadline = usec_add(now_usec(CLOCK_MONOTONIC), RETURN_DEADLINE);

        do {
                _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
                const ProbeView *probe;

                (void) poll(NULL, 0, RETURN_INTERVAL);
                if (fetch(recovery, &snapshot, &probe) >= 0 && probe->node)
                        return 0;
        } while (now_usec(CLOCK_MONOTONIC) < deadline);
        return -ENODEV;
}

static int check_after(Recovery *recovery, sd_bus_error *reterr, Outcome *ret) {
        int r = await_return(recovery);

        sd_bus_error_free(reterr);
        return r < 0 ? r : call_step(recovery, "check", reterr, ret);
}

/* What stlinkd-admin cannot do, or not for us, is no reason to stop. */
static int climb_admin(Recovery *recovery, const char *method, sd_bus_error *reterr, Outcome *ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        const ProbeView *probe;
        int r = fetch(recovery, &snapshot, &probe);

        if (r < 0)
                return r;
        r = sd_bus_message_new_method_call(recovery->bus, &call, STLINKD_ADMIN_NAME,
                                           STLINKD_ADMIN_PATH, STLINKD_ADMIN_INTERFACE, method);
        if (r >= 0)
                r = sd_bus_message_append(call, "ssa{sv}", probe->port_path,
                                          probe->node ? probe->node : "", 0);
        if (r >= 0)
                r = agent_call(recovery->bus, call, ADMIN_TIMEOUT, &error, NULL);
        if (r >= 0)
                return check_after(recovery, reterr, ret);
        outcome_done(ret);
        if (r == -EHOSTUNREACH)
                ret->problem = strdup("not possible: stlinkd-admin is not there");
        else if (asprintf(&ret->problem, "not possible: %s",
                          error.message ? error.message : strerror(-r)) < 0)
                ret->problem = NULL;
        return ret->problem ? 0 : -ENOMEM;
}

static int climb(Recovery *recovery, size_t rung, sd_bus_error *reterr, Outcome *ret) {
        int r;

        if (rungs[rung].method)
                return climb_admin(recovery, rungs[rung].method, reterr, ret);
        r = call_step(recovery, rungs[rung].step, reterr, ret);
        if (r == -ENODEV && strcmp(rungs[rung].step, "reset") == 0)
                return check_after(recovery, reterr, ret);
        return r;
}

static void tell_step(Recovery *recovery, Rows *steps, size_t rung, const Outcome *outcome) {
        const char *result = outcome->answers ? "it answers" : outcome->problem;
        Row *row = rows_add(steps);

        row_set_string(row, "step", rungs[rung].step);
        row_set_boolean(row, "answers", outcome->answers);
        row_set_string(row, "problem", outcome->problem);
        if (recovery->json)
                return;
        (void) printf("  %-32s %s\n", rungs[rung].text, result ? result : "no answer");
        (void) fflush(stdout);
}

static ExitCode tell_end(Recovery *recovery, const char *id, const char *port, size_t rung,
                         const Outcome *outcome) {
        bool answers = outcome->answers;

        row_set_string(recovery->report, "outcome",
                       !answers    ? "needs-replug"
                       : rung == 0 ? "answers"
                                   : "recovered");
        row_set_string(recovery->report, "firmware", answers ? outcome->firmware : NULL);
        if (recovery->json) {
                int r = output_json_row(recovery->report, /* one_line= */ false);

                if (r < 0)
                        return client_report(NULL, r);
        } else if (answers)
                (void) printf("%s: firmware %s.\n",
                              rung == 0 ? "Nothing is wrong with it" : "It is back",
                              outcome->firmware ? outcome->firmware : "unknown");
        if (answers)
                return EXIT_CODE_OK;
        client_say("Probe %s does not answer, whatever was tried.", id);
        client_say_more("Unplug it from port %s and plug it in again.", port);
        return EXIT_CODE_NOT_ANSWERING;
}

static ExitCode recover(Recovery *recovery, const ProbeView *probe) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_outcome_ Outcome outcome = {};
        Rows *steps = row_set_rows(recovery->report, "steps");
        const char *port = probe->port_path ? probe->port_path : "?";
        size_t rung = 0;

        row_set_string(recovery->report, "id", probe->id);
        row_set_string(recovery->report, "port", probe->port_path);
        if (!recovery->json)
                (void) printf("Probe %s on port %s\n", probe->id, port);
        for (; rung < ELEMENTSOF(rungs); rung++) {
                int r = climb(recovery, rung, &error, &outcome);

                if (r < 0)
                        return client_report(&error, r);
                tell_step(recovery, steps, rung, &outcome);
                if (outcome.answers)
                        return tell_end(recovery, probe->id, port, rung, &outcome);
        }
        /* Others are to know it without finding out by themselves. */
        (void) call_step(recovery, "give-up", &error, &outcome);
        return tell_end(recovery, probe->id, port, rung, &outcome);
}

/* A lease of ours that a shell holds ("lock") is as good as one of our own. */
static const char *find_own_lease(const Snapshot *snapshot, const ProbeView *probe) {
        const LeaseView *lease = snapshot_lease_held(snapshot, probe);

        return lease && lease->form && strcmp(lease->form, "process") == 0 &&
                               lease->uid == geteuid()
                       ? lease->path
                       : NULL;
}

int verb_recover(int n, char **words, const Options *options) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        _cleanup_(client_lease_freep) ClientLease *lease = NULL;
        _cleanup_(rows_freep) Rows *rows = rows_new();
        ClientRequest request = { .wait = options->given & OPTION_WAIT ? options->wait
                                                                       : DEFAULT_WAIT,
                                  .reason = options->reason ? options->reason : "recovery",
                                  .recover = true };
        Recovery recovery = { .json = options->json, .report = rows_add(rows) };
        ProbeView *probe;
        ExitCode code;

        code = client_begin(/* with_manager= */ false, &bus, &snapshot);
        if (code == EXIT_CODE_OK)
                code = client_select(snapshot, n > 0 ? words[0] : options->probe, &probe);
        if (code != EXIT_CODE_OK)
                return code;
        client_ask_password(bus, !options->no_ask_password);
        recovery.lease = find_own_lease(snapshot, probe);
        if (!recovery.lease) {
                code = obtain_lease(bus, probe, &request, &lease);
                if (code != EXIT_CODE_OK)
                        return code;
                recovery.lease = client_lease_path(lease);
        }
        recovery.bus = bus;
        recovery.probe = probe->path;
        return recover(&recovery, probe);
}
