/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/macro.h"

/* Names of an enum, both ways. The table is indexed by the enum's values.
 * name_to_string() returns NULL for a value without a name, name_from_string() -EINVAL. */
#define DEFINE_STRING_TABLE(name, type)                                              \
        const char *name##_to_string(type value) {                                   \
                if ((int) value < 0 || (size_t) value >= ELEMENTSOF(name##_table))   \
                        return NULL;                                                 \
                return name##_table[value];                                          \
        }                                                                            \
        int name##_from_string(const char *string) {                                 \
                for (size_t i = 0; string && i < ELEMENTSOF(name##_table); i++)      \
                        if (name##_table[i] && strcmp(name##_table[i], string) == 0) \
                                return (int) i;                                      \
                return -EINVAL;                                                      \
        }

#define DECLARE_STRING_TABLE(name, type)          \
        const char *name##_to_string(type value); \
        int name##_from_string(const char *string)
