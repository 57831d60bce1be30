/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

/* Whether a user may take leases where polkit does not decide it: root, and the members of a
 * group as the user database has them. 0, -EACCES, or another negative errno. */
int access_check(uid_t uid, const char *group);

/* The user's name, or his number when he has none; allocated. */
int access_user_name(uid_t uid, char **ret);
