/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "sim/usbip/link.h"
#include "sim/usbip/server.h"
#include "sim/usbip/wire.h"

#define REQUEST_SIZE (USBIP_OP_SIZE + USBIP_BUSID_SIZE) /* the longest one */
#define CALLERS_MAX  64

struct UsbipServer {
        Bench *bench;
        sd_event_source *listener;
        List callers;
        size_t n_callers;
};

/* Somebody who has connected and has not imported anything yet. */
typedef struct Caller {
        UsbipServer *server;
        List link;
        int fd;
        sd_event_source *io;
        uint8_t request[REQUEST_SIZE];
        size_t used;
} Caller;

/* A probe that is on the bus; link is NULL until somebody imports it. */
typedef struct Exported {
        BenchProbe *probe;
        UsbipLink *link;
} Exported;

static Caller *caller_free(Caller *caller) {
        if (!caller)
                return NULL;
        list_remove(&caller->link);
        caller->server->n_callers--;
        sd_event_source_disable_unref(caller->io);
        safe_close(caller->fd);
        free(caller);
        return NULL;
}

/* An importer that goes away leaves the probe in its port, for the next one. */
static void on_link_closed(void *userdata) {
        Exported *exported = userdata;

        exported->link = usbip_link_free(exported->link);
}

static int encode_device(const BenchProbe *probe, uint8_t *out, UsbConfig *ret_config) {
        const UsbDevice *usb = sim_device_usb(probe->device);
        int r = usb_config_parse(usb->descriptors, usb->descriptors_size, ret_config);

        if (r == 0)
                usbip_device_encode(ret_config, usb->speed, probe->port, probe->number, out);
        return r;
}

/* The list is short enough for a socket's buffer. */
static void answer_list(Caller *caller) {
        uint8_t out[USBIP_DEVICE_SIZE + 4 * USB_INTERFACES_MAX];
        List *probes = &caller->server->bench->probes;
        uint8_t head[USBIP_OP_SIZE + 4];
        UsbConfig config;
        uint32_t n = 0;

        LIST_FOREACH(probes, BenchProbe, counted, link)
                n += counted->place && encode_device(counted, out, &config) == 0;
        usbip_op_encode(USBIP_OP_REP_DEVLIST, 0, head);
        put_be32(head + USBIP_OP_SIZE, n);
        if (write_full(caller->fd, head, sizeof(head)) < 0)
                return;
        LIST_FOREACH(probes, BenchProbe, probe, link) {
                uint8_t *p = out + USBIP_DEVICE_SIZE;

                if (!probe->place || encode_device(probe, out, &config) < 0)
                        continue;
                for (size_t i = 0; i < config.n_settings; i++) {
                        const UsbInterface *interface = &config.interfaces[i];

                        if (interface->alternate > 0)
                                continue;
                        memcpy(p,
                               (uint8_t[]){ interface->class_code, interface->subclass,
                                            interface->protocol, 0 },
                               4);
                        p += 4;
                }
                if (write_full(caller->fd, out, (size_t) (p - out)) < 0)
                        return;
        }
}

static Exported *find_exported(UsbipServer *server, const char *busid) {
        LIST_FOREACH(&server->bench->probes, BenchProbe, probe, link)
                if (probe->place && strcmp(probe->port, busid) == 0)
                        return probe->place;
        return NULL;
}

static int import(Caller *caller, Exported *exported) {
        uint8_t out[USBIP_OP_SIZE + USBIP_DEVICE_SIZE];
        BenchProbe *probe = exported->probe;
        UsbConfig config;
        int r, on = 1;

        r = encode_device(probe, out + USBIP_OP_SIZE, &config);
        if (r < 0)
                return r;
        usbip_op_encode(USBIP_OP_REP_IMPORT, 0, out);
        r = write_full(caller->fd, out, sizeof(out));
        if (r < 0)
                return r;
        caller->io = sd_event_source_disable_unref(caller->io);
        (void) setsockopt(caller->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        r = usbip_link_new(caller->server->bench->event, caller->fd, sim_device_usb(probe->device),
                           probe->clock, on_link_closed, exported, &exported->link);
        if (r == 0)
                TAKE_FD(caller->fd);
        return r;
}

static void answer_import(Caller *caller) {
        char busid[USBIP_BUSID_SIZE + 1] = "";
        uint8_t head[USBIP_OP_SIZE];
        Exported *exported;

        memcpy(busid, caller->request + USBIP_OP_SIZE, USBIP_BUSID_SIZE);
        exported = find_exported(caller->server, busid);
        if (exported && !exported->link) {
                (void) import(caller, exported);
                return;
        }
        usbip_op_encode(USBIP_OP_REP_IMPORT, 1, head);
        (void) write_full(caller->fd, head, sizeof(head));
}

/* True when the request was complete and is answered, or makes no sense. */
static bool answer(Caller *caller) {
        UsbipOp op;

        if (caller->used < USBIP_OP_SIZE)
                return false;
        usbip_op_decode(caller->request, &op);
        if (op.version == USBIP_VERSION && op.code == USBIP_OP_REQ_IMPORT) {
                if (caller->used < REQUEST_SIZE)
                        return false;
                answer_import(caller);
        } else if (op.version == USBIP_VERSION && op.code == USBIP_OP_REQ_DEVLIST)
                answer_list(caller);
        return true;
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Caller *caller = userdata;
        size_t wanted = caller->used < USBIP_OP_SIZE ? USBIP_OP_SIZE : REQUEST_SIZE;
        ssize_t n;

        (void) source;
        (void) revents;
        n = recv(fd, caller->request + caller->used, wanted - caller->used, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n > 0)
                caller->used += (size_t) n;
        if (n <= 0 || answer(caller))
                caller_free(caller);
        return 0;
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        const struct timeval limit = { .tv_sec = 2 };
        UsbipServer *server = userdata;
        Caller *caller;

        (void) revents;
        fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
                return 0;
        caller = server->n_callers < CALLERS_MAX ? calloc(1, sizeof(Caller)) : NULL;
        if (!caller) {
                safe_close(fd);
                return 0;
        }
        caller->server = server;
        caller->fd = fd;
        list_append(&server->callers, &caller->link);
        server->n_callers++;
        if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
            sd_event_add_io(sd_event_source_get_event(source), &caller->io, fd, EPOLLIN,
                            on_readable, caller) < 0)
                caller_free(caller);
        return 0;
}

/* Find the address that "ADDRESS:PORT" or "PORT" means. */
static int resolve(const char *text, struct addrinfo **ret) {
        const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                                        .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV };
        _cleanup_free_ char *copy = strdup(text);
        char *colon, *host;
        const char *port;

        if (!copy)
                return -ENOMEM;
        colon = strrchr(copy, ':');
        port = colon ? colon + 1 : copy;
        host = copy;
        if (colon)
                *colon = '\0';
        if (colon && *host == '[' && colon > host && colon[-1] == ']') {
                colon[-1] = '\0';
                host++;
        }
        return getaddrinfo(colon && *host ? host : "127.0.0.1", port, &hints, ret) == 0 ? 0
                                                                                        : -EINVAL;
}

static int open_listener(const char *address) {
        _cleanup_close_ int fd = -EBADF;
        struct addrinfo *found;
        int r, on = 1;

        r = resolve(address, &found);
        if (r < 0)
                return r;
        fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
            bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, 16) < 0)
                r = -errno;
        freeaddrinfo(found);
        return r < 0 ? r : TAKE_FD(fd);
}

int usbip_server_new(Bench *bench, const char *address, UsbipServer **ret) {
        _cleanup_(usbip_server_freep) UsbipServer *server = calloc(1, sizeof(UsbipServer));
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (!server)
                return -ENOMEM;
        list_init(&server->callers);
        server->bench = bench;
        fd = open_listener(address);
        if (fd < 0)
                return fd;
        r = sd_event_add_io(bench->event, &server->listener, fd, EPOLLIN, on_connection, server);
        if (r < 0)
                return r;
        r = sd_event_source_set_io_fd_own(server->listener, true);
        if (r < 0)
                return r;
        TAKE_FD(fd);
        *ret = TAKE_PTR(server);
        return 0;
}

UsbipServer *usbip_server_free(UsbipServer *server) {
        Caller *caller;

        if (!server)
                return NULL;
        while ((caller = LIST_FIRST(&server->callers, Caller, link)))
                caller_free(caller);
        sd_event_source_disable_unref(server->listener);
        free(server);
        return NULL;
}

unsigned usbip_server_port(const UsbipServer *server) {
        struct sockaddr_storage address;
        socklen_t size = sizeof(address);

        if (getsockname(sd_event_source_get_io_fd(server->listener), (struct sockaddr *) &address,
                        &size) < 0)
                return 0;
        if (address.ss_family == AF_INET6)
                return ntohs(((struct sockaddr_in6 *) &address)->sin6_port);
        return ntohs(((struct sockaddr_in *) &address)->sin_port);
}

static int attach(BenchProbe *probe, void *userdata) {
        Exported *exported = calloc(1, sizeof(Exported));

        (void) userdata;
        if (!exported)
                return -ENOMEM;
        exported->probe = probe;
        snprintf(probe->port, sizeof(probe->port), "1-%u", probe->number);
        probe->place = exported;
        return 0;
}

static void detach(BenchProbe *probe, void *userdata) {
        Exported *exported = probe->place;

        (void) userdata;
        usbip_link_free(exported->link);
        free(exported);
}

static void locate(const BenchProbe *probe, BenchPlace *ret, void *userdata) {
        const Exported *exported = probe->place;

        (void) userdata;
        ret->claimed = exported->link; /* imported by somebody */
}

const BenchDoorOps usbip_server_door = {
        .attach = attach,
        .detach = detach,
        .locate = locate,
};
