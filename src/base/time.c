/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/time.h"

static const struct {
        const char *name;
        Usec factor;
} units[] = {
        { "us", 1 },
        { "ms", USEC_PER_MSEC },
        { "s", USEC_PER_SEC },
        { "sec", USEC_PER_SEC },
        { "min", 60 * USEC_PER_SEC },
        { "m", 60 * USEC_PER_SEC },
        { "h", 3600 * USEC_PER_SEC },
        { "d", 86400 * USEC_PER_SEC },
        { "", USEC_PER_SEC },
};

Usec now_usec(clockid_t clock) {
        struct timespec ts;

        if (clock_gettime(clock, &ts) < 0)
                abort(); /* only a clock id that does not exist gets here */
        return (Usec) ts.tv_sec * USEC_PER_SEC + (Usec) ts.tv_nsec / 1000;
}

static const char *skip_space(const char *s) {
        return s + strspn(s, " \t");
}

/* Read one "number unit" at *text and move *text behind it. */
static int parse_term(const char **text, Usec *ret) {
        unsigned long long number;
        char *end;
        size_t n;

        if (!isdigit((unsigned char) **text))
                return -EINVAL;
        errno = 0;
        number = strtoull(*text, &end, 10);
        if (errno)
                return -errno;

        end = (char *) skip_space(end);
        n = strspn(end, "abcdefghijklmnopqrstuvwxyz");
        for (size_t i = 0; i < ELEMENTSOF(units); i++) {
                if (strlen(units[i].name) != n || strncmp(units[i].name, end, n) != 0)
                        continue;
                if (__builtin_mul_overflow((Usec) number, units[i].factor, ret))
                        return -ERANGE;
                *text = skip_space(end + n);
                return 0;
        }
        return -EINVAL;
}

int parse_usec(const char *text, Usec *ret) {
        Usec sum = 0;

        text = skip_space(text);
        if (strcmp(text, "infinity") == 0) {
                *ret = USEC_INFINITY;
                return 0;
        }

        do {
                Usec term = 0;
                int r = parse_term(&text, &term);

                if (r < 0)
                        return r;
                if (__builtin_add_overflow(sum, term, &sum))
                        return -ERANGE;
        } while (*text);
        if (sum == USEC_INFINITY)
                return -ERANGE;

        *ret = sum;
        return 0;
}

char *format_usec(char *buffer, size_t size, Usec span) {
        if (span == USEC_INFINITY)
                (void) snprintf(buffer, size, "infinity");
        else if (span < USEC_PER_MSEC)
                (void) snprintf(buffer, size, "%u us", (unsigned) span);
        else if (span < USEC_PER_SEC)
                (void) snprintf(buffer, size, "%u ms", (unsigned) (span / USEC_PER_MSEC));
        else {
                unsigned long long s = span / USEC_PER_SEC;

                if (s < 60)
                        (void) snprintf(buffer, size, "%llu s", s);
                else if (s < 3600)
                        (void) snprintf(buffer, size, "%llu min %llu s", s / 60, s % 60);
                else if (s < 86400)
                        (void) snprintf(buffer, size, "%llu h %llu min", s / 3600, s / 60 % 60);
                else
                        (void) snprintf(buffer, size, "%llu d %llu h", s / 86400, s / 3600 % 24);
        }
        return buffer;
}
