/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "base/macro.h"
#include "ctl/snapshot.h"

/* Names that people give to probes, by serial or by port: the user's own in
 * $XDG_CONFIG_HOME/stlinkd/aliases.conf, then those of the machine in /etc/stlinkd/aliases.conf. */

typedef struct Alias {
        char *name;
        char *key; /* a serial, or a port path */
        bool own;  /* from the user's file */
} Alias;

typedef struct Aliases {
        Alias *items;
        size_t n;
} Aliases;

/* A file that is not there is an empty one. 0, -EBADMSG when a line makes no sense (it is said
 * which), or a negative errno. */
int aliases_load(Aliases *ret);
void aliases_done(Aliases *aliases);

/* The key behind a name; NULL when there is none of that name. */
const char *aliases_find(const Aliases *aliases, const char *name);

/* The name of a probe; NULL when it has none. */
const char *aliases_name(const Aliases *aliases, const ProbeView *probe);

/* Set or with a NULL key remove a name in the user's own file. -ENOENT: there is no such name. */
int aliases_set(const char *name, const char *key);

/* Letters, digits, "-", "_" and "."; begins with a letter; at most 64. */
bool alias_is_valid(const char *name);
