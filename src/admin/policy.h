/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "admin/device.h"

/* Who may open the node of an ST-LINK at all, where the kernel cannot make leases binding. While
 * the policy is "strict" that is root, and whom a grant names; otherwise it is up to the rules of
 * the packages that are installed. */

bool policy_is_strict(void);

/* Put the rules in force or take them away, and have udev act on them for what is plugged in. */
int policy_set(bool strict);

/* Who may open a node from now on beside root; replaces what was granted before. */
int grant_set(const AdminDevice *device, const uid_t *uids, size_t n);

/* Bring the node's mode and ACL to what was granted, after udev and others had their say. */
int grant_apply(const AdminDevice *device);

/* Forget what was granted, and take the ACL off the node: a mode that udev sets later would only
 * be the mask of what is left of it. */
int grant_drop(const AdminDevice *device);

/* Forget what was granted on a node that is gone. */
int grant_forget(const char *node);
