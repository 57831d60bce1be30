/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <syslog.h>

#include "base/macro.h"

/* Messages go to the journal when stderr is connected to it, else to stderr in one line.
 * A function either logs an error or returns it, never both. */

/* Messages above this syslog priority are dropped; LOG_INFO until set. */
void log_set_max_level(int level);
int log_get_max_level(void);

/* Log "message: strerror" when error is not 0, and return -abs(error):
 *     return log_full(LOG_ERR, r, NULL, "Cannot open %s", path);
 * fields is NULL, or more journal fields as "NAME=value" strings ended by NULL. */
int log_full(int level, int error, const char *const *fields, const char *format, ...)
        _printf_(4, 5);

#define log_error_errno(error, ...)   log_full(LOG_ERR, error, NULL, __VA_ARGS__)
#define log_warning_errno(error, ...) log_full(LOG_WARNING, error, NULL, __VA_ARGS__)
#define log_debug_errno(error, ...)   log_full(LOG_DEBUG, error, NULL, __VA_ARGS__)
#define log_error(...)                ((void) log_full(LOG_ERR, 0, NULL, __VA_ARGS__))
#define log_warning(...)              ((void) log_full(LOG_WARNING, 0, NULL, __VA_ARGS__))
#define log_notice(...)               ((void) log_full(LOG_NOTICE, 0, NULL, __VA_ARGS__))
#define log_info(...)                 ((void) log_full(LOG_INFO, 0, NULL, __VA_ARGS__))
#define log_debug(...)                ((void) log_full(LOG_DEBUG, 0, NULL, __VA_ARGS__))
