/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <systemd/sd-bus.h>

#include "base/macro.h"

/* Reading an a{sv} into a struct by a table. */

typedef struct Property {
        const char *name;
        const char *signature; /* what the variant must hold */
        size_t offset;         /* of the member in the struct */
        /* Reads a value that is not basic; NULL for s, o, b, q, u, i and t. */
        int (*read)(sd_bus_message *message, void *member);
} Property;

/* Read the a{sv} at which the message stands. Strings are copied, replace what was there, and
 * become NULL when empty. Names that the table lacks are skipped, and so are values of another
 * type than expected: a newer daemon may send more. 0 or a negative errno. */
int properties_read(sd_bus_message *message, const Property *table, size_t n, void *object);

/* Read an aa{sv} into an array of structs of the given size, which is grown one by one; *array
 * starts as NULL and *count as 0. The caller owns what they hold, with an error too. */
int properties_read_array(sd_bus_message *message, const Property *table, size_t n, size_t size,
                          void **array, size_t *count);

/* Give the arrays of strings (as, ao) as a vector that ends with NULL. */
int properties_read_strings(sd_bus_message *message, void *member);

/* Free a vector of strings; NULL is fine. Returns NULL. */
char **strings_free(char **strings);
DEFINE_CLEANUP(char **, strings_free)
