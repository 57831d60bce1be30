/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Descriptors that outlive the process: the service manager keeps a copy of each, hands all of
 * them to the next daemon after a restart or a crash, and closes them when the unit is stopped
 * (sd_pid_notify_with_fds(3), FileDescriptorStoreMax= in systemd.service(5)). */

/* Names are unique, of letters, digits, '-', '_' and '.', and shorter than this. */
#define FD_STORE_NAME_MAX 128

/* Find what an earlier daemon left; to be called once, before anything else is opened. Those that
 * nobody has taken when fd_store_forget_rest() is called are of no use any more. Returns how many
 * there are, or a negative errno. */
int fd_store_load(void);
void fd_store_forget_rest(void);

/* Have a copy of fd kept under a name that no other one has; fd stays the caller's. The message is
 * on its way when this returns, and arrives also if we die now.
 *   -EOPNOTSUPP  no service manager is there to keep it: it ends with this process
 *   -EINVAL      that is no name */
int fd_store_push(const char *name, int fd);

/* What an earlier daemon left under that name: the descriptor, which is the caller's from now on
 * while the service manager goes on keeping its copy; or -ENOENT. */
int fd_store_take(const char *name);

/* The first name, of those that nobody has taken yet, that begins like this; NULL for none. It is
 * valid until that one is taken. */
const char *fd_store_find(const char *prefix);

/* Have the service manager close its copy. Nothing happens when there is none. */
void fd_store_remove(const char *name);
