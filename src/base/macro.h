/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdlib.h>

/* Attributes, scoped cleanup and the few macros that every file may use. */

#define _cleanup_(function)    __attribute__((cleanup(function)))
#define _unused_               __attribute__((unused))
#define _printf_(string, args) __attribute__((format(printf, string, args)))
#define _check_result_         __attribute__((warn_unused_result))
#define _noreturn_             __attribute__((noreturn))

#define ELEMENTSOF(array) (sizeof(array) / sizeof((array)[0]))

#define container_of(pointer, type, member) \
        ((type *) (void *) ((char *) (pointer) -offsetof(type, member)))

#define MIN(a, b)                       \
        ({                              \
                __typeof__(a) _a = (a); \
                __typeof__(b) _b = (b); \
                _a < _b ? _a : _b;      \
        })
#define MAX(a, b)                       \
        ({                              \
                __typeof__(a) _a = (a); \
                __typeof__(b) _b = (b); \
                _a > _b ? _a : _b;      \
        })

/* Hand a pointer over: the variable is NULL afterwards, so its cleanup does nothing. */
#define TAKE_PTR(pointer)                               \
        ({                                              \
                __typeof__(pointer) _taken = (pointer); \
                (pointer) = NULL;                       \
                _taken;                                 \
        })

/* Define free_functionp(), for _cleanup_(), from a destructor that accepts NULL. */
#define DEFINE_CLEANUP(type, free_function)                     \
        _unused_ static inline void free_function##p(type *p) { \
                if (*p)                                         \
                        free_function(*p);                      \
        }

_unused_ static inline void freep(void *p) {
        free(*(void **) p);
}
#define _cleanup_free_ _cleanup_(freep)
