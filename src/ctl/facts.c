/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/client.h"
#include "ctl/facts-internal.h"

/* The highest number of a system group (login.defs(5), SYS_GID_MAX); 65534 is nogroup. */
#define SYSTEM_GID_MAX 999

static GroupKind look_up_group(const char *name) {
        char *end;
        unsigned long number = strtoul(name, &end, 10);
        const struct group *group;

        if (*name && !*end)
                return number <= SYSTEM_GID_MAX ? GROUP_SYSTEM : GROUP_ORDINARY;
        group = getgrnam(name);
        if (!group)
                return GROUP_MISSING;
        return group->gr_gid <= SYSTEM_GID_MAX ? GROUP_SYSTEM : GROUP_ORDINARY;
}

typedef struct Gathering {
        Facts *facts;
        int error;
} Gathering;

static void probe_found(const UdevProbe *probe, UdevEvent event, void *userdata) {
        Gathering *gathering = userdata;
        Facts *facts = gathering->facts;
        ProbeFact *probes;
        int r;

        if (event != UDEV_ADDED || gathering->error < 0)
                return;
        probes = reallocarray(facts->probes, facts->n_probes + 1, sizeof(*probes));
        if (!probes) {
                gathering->error = -ENOMEM;
                return;
        }
        facts->probes = probes;
        r = facts_read_probe(probe, &probes[facts->n_probes]);
        if (r < 0)
                gathering->error = r;
        else
                facts->n_probes++;
}

static int compare_probes(const void *a, const void *b) {
        return strverscmp(((const ProbeFact *) a)->port, ((const ProbeFact *) b)->port);
}

static int find_probes(Facts *facts) {
        _cleanup_(udev_watch_freep) UdevWatch *watch = NULL;
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        Gathering gathering = { .facts = facts };
        int r = sd_event_new(&event);

        if (r >= 0)
                r = udev_watch_new(event, probe_found, &gathering, &watch);
        if (r >= 0)
                r = udev_watch_coldplug(watch);
        if (r >= 0)
                r = gathering.error;
        if (r >= 0 && facts->n_probes > 0)
                qsort(facts->probes, facts->n_probes, sizeof(*facts->probes), compare_probes);
        return r;
}

static void take_over_view(Facts *facts, const ProbeView *view) {
        const char *enforcement = facts->snapshot->manager.enforcement;

        for (size_t i = 0; view->port_path && i < facts->n_probes; i++) {
                ProbeFact *fact = &facts->probes[i];

                if (strcmp(view->port_path, fact->port) != 0)
                        continue;
                fact->view = view;
                fact->lease = snapshot_lease_held(facts->snapshot, view);
                fact->for_leases = enforcement && strcmp(enforcement, "strict") == 0;
        }
}

/* stlinkd may be absent, or may refuse to talk: then its word is missing, no more. */
static void ask_daemon(Facts *facts) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        if (bus_errors_register() < 0 || sd_bus_open_system(&bus) < 0 ||
            client_fetch(bus, /* with_manager= */ true, &error, &facts->snapshot) < 0)
                return;
        for (size_t i = 0; i < facts->snapshot->n_probes; i++)
                take_over_view(facts, facts->snapshot->probes[i]);
}

/* What happened at some port or other long ago says nothing about a probe that is not there now. */
#define RECENTLY (15 * 60 * USEC_PER_SEC)

static void read_log(Facts *facts) {
        Usec now = now_usec(CLOCK_MONOTONIC);
        KernelMessages messages = {};
        int r = kernel_messages_read(&messages);

        facts->log_error = r < 0 ? r : 0;
        for (size_t i = 0; r >= 0 && i < messages.n; i++) {
                const KernelMessage *message = &messages.items[i];

                if (usec_add(message->time, RECENTLY) >= now)
                        kernel_log_add(&facts->log, NULL, message->text);
                for (size_t k = 0; k < facts->n_probes; k++)
                        kernel_log_add(&facts->probes[k].log, facts->probes[k].port, message->text);
        }
        if (r >= 0)
                kernel_messages_done(&messages);
}

static int read_rules(Facts *facts) {
        for (size_t i = 0; i < facts->n_probes; i++) {
                RulesSubject subject = {
                        .kernel = facts->probes[i].port,
                        .product_id = facts->probes[i].product_id,
                        .systemd_version = facts->systemd_version,
                        .look_up_group = look_up_group,
                };
                int r = rules_read("", &subject, &facts->probes[i].rules);

                if (r < 0)
                        return r;
        }
        return 0;
}

int facts_gather(bool bus_too, Facts *ret) {
        _cleanup_facts_ Facts facts = {};
        int r = find_probes(&facts);

        if (r < 0)
                return r;
        if (bus_too)
                ask_daemon(&facts);
        facts_read_machine(&facts);
        r = facts_find_holders(&facts);
        if (r < 0)
                return r;
        read_log(&facts);
        r = read_rules(&facts);
        if (r < 0)
                return r;
        *ret = facts;
        facts = (Facts){};
        return 0;
}

void facts_done(Facts *facts) {
        for (size_t i = 0; i < facts->n_probes; i++)
                probe_fact_done(&facts->probes[i]);
        free(facts->probes);
        snapshot_free(facts->snapshot);
        *facts = (Facts){};
}
