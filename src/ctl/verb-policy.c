/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/agent.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/row.h"
#include "ctl/verbs.h"

/* Somebody may have to type a password, and udev has to act on each probe. */
#define TIMEOUT (180 * USEC_PER_SEC)

static const struct {
        const char *enforcement, *text;
} words[] = {
        { "binding", "Leases bind: whoever holds none cannot use a probe that is leased." },
        { "strict", "Leases bind users: who holds none cannot open a probe." },
        { "cooperative",
          "Leases are cooperative: a program that takes none is seen, not stopped." },
};

static const char *find_words(const char *enforcement) {
        for (size_t i = 0; enforcement && i < ELEMENTSOF(words); i++)
                if (strcmp(words[i].enforcement, enforcement) == 0)
                        return words[i].text;
        return "How far leases bind is not known.";
}

static ExitCode show(sd_bus *bus, const ManagerView *manager, const Options *options) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(rows_freep) Rows *rows = rows_new();
        _cleanup_free_ char *policy = NULL;
        Row *row = rows_add(rows);
        int r = sd_bus_get_property_string(bus, STLINKD_ADMIN_NAME, STLINKD_ADMIN_PATH,
                                           STLINKD_ADMIN_INTERFACE, "Policy", &error, &policy);

        if (r < 0)
                return client_report(&error, r);
        row_set_string(row, "policy", policy);
        row_set_string(row, "enforcement", manager->enforcement);
        if (!row || rows_error(rows) < 0)
                return client_report(NULL, -ENOMEM);
        if (options->json) {
                r = output_json_row(row, /* one_line= */ false);
                return r < 0 ? client_report(NULL, r) : EXIT_CODE_OK;
        }
        (void) printf("Policy: %s\n%s\n", row_get_text(row, "policy"),
                      find_words(manager->enforcement));
        if (manager->enforcement && strcmp(manager->enforcement, "cooperative") == 0)
                (void) printf("A kernel with BPF LSM would make them bind (\"bpf\" in its option "
                              "lsm=...).\nWithout one:  stlinkctl policy strict\n");
        return EXIT_CODE_OK;
}

static ExitCode set(sd_bus *bus, const char *policy) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_message_new_method_call(bus, &call, STLINKD_ADMIN_NAME, STLINKD_ADMIN_PATH,
                                               STLINKD_ADMIN_INTERFACE, "SetPolicy");

        if (r >= 0)
                r = sd_bus_message_append(call, "sa{sv}", policy, 0);
        if (r >= 0)
                r = agent_call(bus, call, TIMEOUT, &error, NULL);
        return r < 0 ? client_report(&error, r) : EXIT_CODE_OK;
}

int verb_policy(int n, char **arguments, const Options *options) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        const char *word = n > 0 ? arguments[0] : "show";
        ExitCode code;

        if (strcmp(word, "show") != 0 && strcmp(word, "strict") != 0 && strcmp(word, "open") != 0) {
                client_say("A policy is 'strict' or 'open', not '%s'.", word);
                client_say_more("See which one it is:  stlinkctl policy");
                return EXIT_CODE_USAGE;
        }
        code = client_begin(/* with_manager= */ true, &bus, &snapshot);
        if (code != EXIT_CODE_OK)
                return code;
        client_ask_password(bus, !options->no_ask_password);
        return strcmp(word, "show") == 0 ? show(bus, &snapshot->manager, options) : set(bus, word);
}
