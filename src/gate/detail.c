/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "gate/detail.h"
#include "gate/procfs.h"

/* Who has more than that is not looked through: somebody waits for the answer. */
#define DESCRIPTORS_MAX 4096
#define TABLE_MAX       (4 * 1024 * 1024)

/* States of a socket in /proc/net/tcp: the kernel's include/net/tcp_states.h. */
#define STATE_ESTABLISHED 0x01
#define STATE_LISTEN      0x0a

typedef struct Inodes {
        uint64_t *items;
        size_t n;
} Inodes;

static void inodes_done(Inodes *inodes) {
        free(inodes->items);
}

static int compare_inodes(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

        return x < y ? -1 : x > y;
}

static int compare_ports(const void *a, const void *b) {
        return *(const uint16_t *) a - *(const uint16_t *) b;
}

/* The inodes of the sockets that it has open. */
static int read_inodes(int dirfd, Inodes *ret) {
        _cleanup_(closedirp) DIR *folder = NULL;
        int fd = openat(dirfd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent *entry;
        unsigned seen = 0;

        if (fd < 0)
                return -errno;
        folder = fdopendir(fd);
        if (!folder) {
                int error = errno; /* it may end at any moment */

                safe_close(fd);
                return -error;
        }
        ret->items = calloc(DESCRIPTORS_MAX, sizeof(*ret->items));
        if (!ret->items)
                return -ENOMEM;
        while ((entry = readdir(folder))) {
                char target[64];
                ssize_t n = readlinkat(fd, entry->d_name, target, sizeof(target) - 1);

                if (++seen > DESCRIPTORS_MAX)
                        return -EFBIG;
                if (n < 0)
                        continue;
                target[n] = 0;
                if (sscanf(target, "socket:[%" SCNu64 "]", &ret->items[ret->n]) == 1)
                        ret->n++;
        }
        qsort(ret->items, ret->n, sizeof(*ret->items), compare_inodes);
        return 0;
}

static bool has_port(const ProcessDetail *detail, uint16_t port) {
        for (size_t i = 0; i < detail->n_ports; i++)
                if (detail->ports[i] == port)
                        return true;
        return false;
}

static int add_connected(SocketTable *table, uint16_t port) {
        if (table->n_connected == table->allocated) {
                size_t wanted = MAX(2 * table->allocated, (size_t) 16);
                uint16_t *grown = reallocarray(table->connected, wanted, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                table->connected = grown;
                table->allocated = wanted;
        }
        table->connected[table->n_connected++] = port;
        return 0;
}

int socket_table_parse(const char *text, const uint64_t *inodes, size_t n, SocketTable *table,
                       ProcessDetail *detail) {
        for (const char *line = text; line && *line; line = strchr(line, '\n')) {
                unsigned port, state;
                uint64_t inode;
                int r = 0;

                line += *line == '\n';
                /* proc(5): sl, local and remote address, state, queues, timer, retransmissions,
                 * uid, timeout, inode. The heading does not look so. */
                if (sscanf(line,
                           " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %*u"
                           " %*d %" SCNu64,
                           &port, &state, &inode) != 3 ||
                    port > UINT16_MAX ||
                    !bsearch(&inode, inodes, n, sizeof(*inodes), compare_inodes))
                        continue;
                if (state == STATE_ESTABLISHED)
                        r = add_connected(table, (uint16_t) port);
                else if (state == STATE_LISTEN && detail->n_ports < DETAIL_PORTS_MAX &&
                         !has_port(detail, (uint16_t) port))
                        detail->ports[detail->n_ports++] = (uint16_t) port;
                if (r < 0)
                        return r;
        }
        return 0;
}

void socket_table_finish(SocketTable *table, ProcessDetail *detail) {
        for (size_t i = 0; i < table->n_connected; i++)
                detail->clients += has_port(detail, table->connected[i]);
        free(table->connected);
        qsort(detail->ports, detail->n_ports, sizeof(*detail->ports), compare_ports);
}

static int read_sockets(int dirfd, ProcessDetail *detail) {
        static const char *const files[] = { "net/tcp", "net/tcp6" };
        _cleanup_(inodes_done) Inodes inodes = {};
        SocketTable table = {};
        int r = read_inodes(dirfd, &inodes);

        if (r < 0)
                return r;
        for (size_t i = 0; r >= 0 && inodes.n > 0 && i < ELEMENTSOF(files); i++) {
                _cleanup_free_ char *text = NULL;

                r = read_file_at(dirfd, files[i], TABLE_MAX, &text, NULL);
                if (r == -ENOENT) { /* without IPv6 */
                        r = 0;
                        continue;
                }
                if (r >= 0)
                        r = socket_table_parse(text, inodes.items, inodes.n, &table, detail);
        }
        socket_table_finish(&table, detail);
        return r;
}

/* What the service manager runs has no parent to lose. */
static bool is_service(const Process *process) {
        const char *suffix = process->unit ? strrchr(process->unit, '.') : NULL;

        return suffix && strcmp(suffix, ".service") == 0;
}

static bool parent_is_gone(int dirfd, const Process *process) {
        ProcStat stat;

        if (is_service(process) || procfs_read_stat(dirfd, &stat) < 0)
                return false;
        return stat.parent != process->parent || process->adopted;
}

static void read_remote(const Process *process, ProcessDetail *detail) {
        _cleanup_free_ char *host = NULL;

        if (!process->session || sd_session_get_remote_host(process->session, &host) < 0)
                return;
        detail->remote = procfs_printable(host, strlen(host), PROCFS_COMMAND_MAX);
}

int process_detail_read(const Process *process, ProcessDetail *ret) {
        _cleanup_(process_detail_done) ProcessDetail detail = {};
        _cleanup_close_ int dirfd = procfs_open(process->pid);

        if (dirfd < 0)
                return dirfd;
        /* Alive now, so the folder that was opened before is its own. */
        if (!process_is_alive(process))
                return -ESRCH;
        if (read_sockets(dirfd, &detail) >= 0) {
                detail.sockets_known = true;
                detail.orphaned = parent_is_gone(dirfd, process) && detail.clients == 0;
        } else
                detail.n_ports = detail.clients = 0;
        read_remote(process, &detail);
        *ret = detail;
        detail.remote = NULL;
        return 0;
}

void process_detail_done(ProcessDetail *detail) {
        free(detail->remote);
        *detail = (ProcessDetail){};
}
