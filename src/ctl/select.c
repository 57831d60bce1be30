/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/select.h"

static bool same(const char *a, const char *b) {
        return a && strcmp(a, b) == 0;
}

static bool same_letters(const char *a, const char *b) {
        return a && strcasecmp(a, b) == 0;
}

static bool is_any(const ProbeView *probe, const char *name) {
        (void) probe;
        (void) name;
        return true;
}

static bool is_named_exactly(const ProbeView *probe, const char *name) {
        return same_letters(probe->id, name) || same(probe->port_path, name) ||
               same(probe->node, name);
}

static bool has_serial(const ProbeView *probe, const char *name) {
        return same_letters(probe->serial, name) || same(probe->serial_reported, name);
}

static bool serial_begins_with(const ProbeView *probe, const char *name) {
        size_t n = strlen(name);

        return n >= SELECT_PREFIX_MIN && probe->serial && strncasecmp(probe->serial, name, n) == 0;
}

typedef bool (*Matches)(const ProbeView *probe, const char *name);

/* Collect what matches into found, which has room for all probes. */
static size_t collect(const Snapshot *snapshot, Matches matches, const char *name,
                      ProbeView **found) {
        size_t n = 0;

        for (size_t i = 0; i < snapshot->n_probes; i++)
                if (matches(snapshot->probes[i], name))
                        found[n++] = snapshot->probes[i];
        return n;
}

int select_probe(const Snapshot *snapshot, const char *name, ProbeView **ret,
                 ProbeView ***ret_candidates, size_t *ret_n) {
        static const Matches ways[] = { is_named_exactly, has_serial, serial_begins_with };
        _cleanup_free_ ProbeView **found = NULL;
        size_t n = 0;

        found = calloc(snapshot->n_probes + 1, sizeof(ProbeView *));
        if (!found)
                return -ENOMEM;
        if (!name)
                n = collect(snapshot, is_any, name, found);
        for (size_t i = 0; name && n == 0 && i < ELEMENTSOF(ways); i++)
                n = collect(snapshot, ways[i], name, found);

        if (n == 0)
                return -ENOENT;
        if (n > 1) {
                *ret_candidates = TAKE_PTR(found);
                *ret_n = n;
                return -ENOTUNIQ;
        }
        *ret = found[0];
        return 0;
}
