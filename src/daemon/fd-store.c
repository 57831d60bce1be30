/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/fd.h"
#include "base/log.h"
#include "daemon/fd-store.h"

/* There is one service manager, and one environment to find it by. */
static struct {
        char **names; /* NULL once taken */
        int n;
} left;

/* A newline would be another field of the message, a colon another name for sd_listen_fds(3). */
static bool is_name(const char *name) {
        size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789-_.");

        return length > 0 && length < FD_STORE_NAME_MAX && !name[length];
}

int fd_store_load(void) {
        int r;

        r = sd_listen_fds_with_names(/* unset_environment= */ true, &left.names);
        if (r < 0)
                return r;
        left.n = r;
        return r;
}

static int find(const char *name, size_t length) {
        for (int i = 0; i < left.n; i++)
                if (left.names[i] && strncmp(left.names[i], name, length) == 0)
                        return i;
        return -ENOENT;
}

static int take(int i) {
        free(left.names[i]);
        left.names[i] = NULL;
        return SD_LISTEN_FDS_START + i;
}

int fd_store_take(const char *name) {
        int i = find(name, strlen(name) + 1);

        return i < 0 ? i : take(i);
}

const char *fd_store_find(const char *prefix) {
        int i = find(prefix, strlen(prefix));

        return i < 0 ? NULL : left.names[i];
}

void fd_store_forget_rest(void) {
        for (int i = 0; i < left.n; i++) {
                if (!left.names[i])
                        continue;
                log_debug("Nobody wants the descriptor %s that an earlier stlinkd left",
                          left.names[i]);
                fd_store_remove(left.names[i]);
                safe_close(take(i));
        }
        free(left.names);
        left.names = NULL;
        left.n = 0;
}

int fd_store_push(const char *name, int fd) {
        char state[FD_STORE_NAME_MAX + 64];
        int r;

        if (!is_name(name))
                return -EINVAL;
        /* Without FDPOLL=0 it would be dropped as soon as it reports an error or a hang-up, as
         * some kinds do all the time. */
        (void) snprintf(state, sizeof(state), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
        r = sd_pid_notify_with_fds(0, /* unset_environment= */ false, state, &fd, 1);
        return r < 0 ? r : r == 0 ? -EOPNOTSUPP : 0;
}

void fd_store_remove(const char *name) {
        char state[FD_STORE_NAME_MAX + 64];
        int r;

        if (!is_name(name))
                return;
        (void) snprintf(state, sizeof(state), "FDSTOREREMOVE=1\nFDNAME=%s", name);
        r = sd_notify(/* unset_environment= */ false, state);
        if (r < 0)
                log_debug_errno(r, "Cannot take back the descriptor %s", name);
}
