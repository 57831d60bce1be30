/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "gate/process.h"

/* What is read about a process only when somebody asks, since it changes all the time. */

#define DETAIL_PORTS_MAX 16

typedef struct ProcessDetail {
        bool sockets_known;               /* else we may not look, or there are too many */
        uint16_t ports[DETAIL_PORTS_MAX]; /* TCP ports on which it listens, sorted */
        size_t n_ports;
        unsigned clients; /* connected to one of them */
        char *remote;     /* whence its user has logged in; NULL when from here, or unknown */
        bool orphaned;    /* what started it is gone, it is no service, and nobody is connected */
} ProcessDetail;

/* -ESRCH when that very process is gone. */
int process_detail_read(const Process *process, ProcessDetail *ret);
void process_detail_done(ProcessDetail *detail);

/* Take over what /proc/PID/net/tcp or tcp6 says: add the ports on which one of these sockets
 * listens, and count those that are connected. inodes are sorted. */
typedef struct SocketTable {
        uint16_t *connected; /* local ports of connections */
        size_t n_connected, allocated;
} SocketTable;
int socket_table_parse(const char *text, const uint64_t *inodes, size_t n, SocketTable *table,
                       ProcessDetail *detail);
void socket_table_finish(SocketTable *table, ProcessDetail *detail);
