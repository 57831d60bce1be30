/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "daemon/manager.h"

/* The manager with everything around it made for the test: a private bus, presence and gate
 * that say what the test says, and tests/unit/fake-worker as its worker. Clients live in the
 * same process, so all calls are asynchronous: ask, then let the loop turn. */

typedef struct World {
        char directory[64];
        pid_t bus_pid;
        char *address;
        sd_event *event;
        sd_bus *connection;
        Config config;
        Manager *manager;
} World;

/* NULL members of config have defaults; any failure ends the program. */
void world_begin(World *world);
/* Start the manager, after the test has changed world->config. */
void world_start(World *world);
/* Stop everything. Returns how many files were left in the runtime directory. */
unsigned world_end(World *world);

/* Let the loop turn until *done, at most for some seconds; false when that was not enough. */
bool world_wait(World *world, const bool *done);
/* Let it turn until nothing has happened for some milliseconds. */
void world_settle(World *world, unsigned ms);

/* --- presence and gate -------------------------------------------------------------------- */

/* Bare: its interfaces are still to come. */
void fake_plug(const char *port, const char *node, const char *serial);
void fake_plug_bare(const char *port, const char *node, const char *serial);
void fake_unplug(const char *port);

/* Say who has a node open: n pids, and whether it is claimed. */
void fake_use(const char *node, const pid_t *pids, size_t n, bool claimed);

/* Say that somebody was kept from a node. */
void fake_refuse(const char *node, const GateRefusal *refusal);

/* From now on the gate binds nodes; error is what it says when it is to admit somebody. */
void fake_binding(int error);
/* How often it has bound one. */
unsigned fake_bound(void);

/* --- clients ------------------------------------------------------------------------------ */

typedef struct Client {
        World *world;
        sd_bus *bus;
} Client;

void client_begin(Client *client, World *world);
void client_end(Client *client);

/* What came of a call. */
typedef struct Answer {
        bool done;
        char error[64]; /* last part of the error's name; "" for success */
        char message[512];
        char path[128]; /* Acquire, AcquireBound */
        int fd;         /* Acquire, Open; the test closes it */
        sd_bus_slot *slot;
} Answer;

void answer_clear(Answer *answer);

/* Acquire with options: "wait", "reason" and so on, each with its type and value as
 * sd_bus_message_append() takes them, ended by NULL. */
void client_acquire(Client *client, const char *probe, Answer *answer, const char *option, ...);
/* The same with AcquireBound. */
void client_acquire_bound(Client *client, const char *probe, Answer *answer, const char *option,
                          ...);
/* A method of a lease; the second of those that take a word first. */
#define client_lease(client, path, method, answer) \
        client_lease_word(client, path, method, NULL, answer)
void client_lease_word(Client *client, const char *path, const char *method, const char *word,
                       Answer *answer);

/* Without a turn of the loop, until the bus has passed on all that a client has sent: the daemon
 * finds it in one piece. */
void client_pass_on(Client *client);

/* A property, a string, a number or strings with spaces between them, as anybody sees it now; ""
 * when there is no such object. */
void client_get(Client *client, const char *path, const char *interface, const char *property,
                char *buffer, size_t size);

/* The path of a probe's object in a static buffer. */
const char *probe_path(const char *id);
