/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "sim/control/control.h"
#include "sim/control/request.h"

#define CLIENTS_MAX 64

struct Control {
        Bench *bench;
        sd_event_source *listener;
        List clients;
        size_t n_clients;
        char *path;
};

typedef struct Client {
        Control *control;
        List link;
        int fd;
        sd_event_source *io;
        char line[CONTROL_LINE_MAX];
        size_t used;
} Client;

static Client *client_free(Client *client) {
        if (!client)
                return NULL;
        list_remove(&client->link);
        client->control->n_clients--;
        sd_event_source_disable_unref(client->io);
        safe_close(client->fd);
        free(client);
        return NULL;
}

/* The answer is written blocking, but for no longer than the socket's time limit: a client that
 * asks and does not read would hold up everybody. */
static int answer(Client *client, const char *line) {
        struct json_object *answer = control_answer(client->control->bench, line);
        _cleanup_free_ char *text = NULL;
        const char *json;
        size_t n;
        int r;

        if (!answer)
                return -ENOMEM;
        json = json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN);
        n = strlen(json);
        text = malloc(n + 1);
        if (text) {
                memcpy(text, json, n);
                text[n] = '\n';
        }
        json_object_put(answer);
        if (!text)
                return -ENOMEM;
        r = send(client->fd, text, n + 1, MSG_NOSIGNAL) == (ssize_t) n + 1 ? 0 : -EPIPE;
        return r;
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Client *client = userdata;
        char *newline;
        ssize_t n;

        (void) source;
        (void) revents;
        n = recv(fd, client->line + client->used, sizeof(client->line) - client->used - 1,
                 MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0) {
                client_free(client);
                return 0;
        }
        client->used += (size_t) n;
        client->line[client->used] = '\0';
        while ((newline = memchr(client->line, '\n', client->used))) {
                size_t length = (size_t) (newline - client->line) + 1;

                *newline = '\0';
                if (answer(client, client->line) < 0) {
                        client_free(client);
                        return 0;
                }
                memmove(client->line, client->line + length, client->used - length);
                client->used -= length;
        }
        if (client->used >= sizeof(client->line) - 1)
                client_free(client);
        return 0;
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        const struct timeval limit = { .tv_sec = 2 };
        Control *control = userdata;
        Client *client;

        (void) revents;
        fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
                return 0;
        client = control->n_clients < CLIENTS_MAX ? calloc(1, sizeof(Client)) : NULL;
        if (!client) {
                safe_close(fd);
                return 0;
        }
        client->control = control;
        client->fd = fd;
        list_append(&control->clients, &client->link);
        control->n_clients++;
        if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
            sd_event_add_io(sd_event_source_get_event(source), &client->io, fd, EPOLLIN,
                            on_readable, client) < 0)
                client_free(client);
        return 0;
}

/* Bind, replacing what a server that is gone left behind. */
static int bind_path(int fd, const struct sockaddr_un *address) {
        _cleanup_close_ int probe = -EBADF;

        if (bind(fd, (const struct sockaddr *) address, sizeof(*address)) == 0)
                return 0;
        if (errno != EADDRINUSE)
                return -errno;
        probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (probe < 0)
                return -errno;
        if (connect(probe, (const struct sockaddr *) address, sizeof(*address)) == 0 ||
            errno != ECONNREFUSED)
                return -EADDRINUSE;
        if (unlink(address->sun_path) < 0 ||
            bind(fd, (const struct sockaddr *) address, sizeof(*address)) < 0)
                return -errno;
        return 0;
}

int control_new(Bench *bench, const char *path, mode_t mode, Control **ret) {
        _cleanup_(control_freep) Control *control = NULL;
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int r;

        if (fd < 0)
                return -errno;
        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        strcpy(address.sun_path, path);
        control = calloc(1, sizeof(Control));
        if (!control)
                return -ENOMEM;
        list_init(&control->clients);
        control->bench = bench;
        r = bind_path(fd, &address);
        if (r < 0)
                return r;
        control->path = strdup(path);
        if (!control->path)
                return -ENOMEM;
        if (chmod(path, mode) < 0 || listen(fd, 16) < 0)
                return -errno;
        r = sd_event_add_io(bench->event, &control->listener, fd, EPOLLIN, on_connection, control);
        if (r < 0)
                return r;
        r = sd_event_source_set_io_fd_own(control->listener, true);
        if (r < 0)
                return r;
        TAKE_FD(fd);
        *ret = TAKE_PTR(control);
        return 0;
}

Control *control_free(Control *control) {
        Client *client;

        if (!control)
                return NULL;
        while ((client = LIST_FIRST(&control->clients, Client, link)))
                client_free(client);
        sd_event_source_disable_unref(control->listener);
        if (control->path)
                (void) unlink(control->path);
        free(control->path);
        free(control);
        return NULL;
}
