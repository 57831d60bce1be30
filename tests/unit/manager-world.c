/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "bus/errors.h"
#include "gate/gate.h"
#include "manager-world.h"
#include "udev/watch.h"

#define PATIENCE (20 * USEC_PER_SEC)

static const char bus_config[] =
        "<busconfig><type>system</type><listen>unix:dir=%s</listen><auth>EXTERNAL</auth>"
        "<policy context=\"default\"><allow user=\"*\"/><allow send_destination=\"*\"/><allow "
        "own=\"*\"/>"
        "<allow receive_sender=\"*\"/></policy>"
        "<limit name=\"max_connections_per_user\">1000</limit></busconfig>\n";

/* --- a gate that says what it is told ----------------------------------------------------- */

#define HOLDERS_MAX 4

struct Gate {
        sd_event *event;
        GateChanged changed;
        void *userdata;
        GateRefused refused;
        void *refused_userdata;
};

struct GateNode {
        List link;
        Gate *gate;
        char path[64];
        void *userdata;
        sd_event_source *source;
        GateHolder holders[HOLDERS_MAX];
        size_t n;
        bool claimed;
};

static List gate_nodes = { .next = &gate_nodes, .previous = &gate_nodes };

const char *gate_kind_to_string(GateKind kind) {
        return kind == GATE_POLL ? "poll" : "?";
}

int gate_kind_from_string(const char *name) {
        return strcmp(name, "poll") == 0 ? GATE_POLL : -EINVAL;
}

int gate_new(sd_event *event, GateKind wanted, const GateStore *store, GateChanged changed,
             void *userdata, Gate **ret) {
        Gate *gate = calloc(1, sizeof(*gate));

        (void) wanted, (void) store;
        *gate = (Gate){ .event = event, .changed = changed, .userdata = userdata };
        *ret = gate;
        return 0;
}

Gate *gate_free(Gate *gate) {
        ck_assert(list_is_empty(&gate_nodes));
        free(gate);
        return NULL;
}

void gate_set_refused(Gate *gate, GateRefused refused, void *userdata) {
        gate->refused = refused;
        gate->refused_userdata = userdata;
}

GateKind gate_get_kind(const Gate *gate) {
        (void) gate;
        return GATE_POLL;
}

void gate_ignore_process(Gate *gate, pid_t pid) {
        (void) gate, (void) pid;
}

void gate_unignore_process(Gate *gate, pid_t pid) {
        (void) gate, (void) pid;
}

static int on_changed(sd_event_source *source, void *userdata) {
        GateNode *node = userdata;

        (void) source;
        node->gate->changed(node, node->gate->userdata);
        return 0;
}

int gate_add_node(Gate *gate, const char *path, const char *interface_path, void *userdata,
                  GateNode **ret) {
        GateNode *node = calloc(1, sizeof(*node));

        (void) interface_path;
        node->gate = gate;
        node->userdata = userdata;
        (void) snprintf(node->path, sizeof(node->path), "%s", path);
        ck_assert_int_ge(sd_event_add_defer(gate->event, &node->source, on_changed, node), 0);
        list_append(&gate_nodes, &node->link);
        *ret = node;
        return 0;
}

GateNode *gate_remove_node(GateNode *node) {
        if (!node)
                return NULL;
        for (size_t i = 0; i < node->n; i++)
                process_free(node->holders[i].process);
        sd_event_source_disable_unref(node->source);
        list_remove(&node->link);
        free(node);
        return NULL;
}

void *gate_node_userdata(GateNode *node) {
        return node->userdata;
}

const GateHolder *gate_node_holders(const GateNode *node, size_t *ret_n) {
        *ret_n = node->n;
        return node->holders;
}

bool gate_node_is_claimed(const GateNode *node) {
        return node->claimed;
}

bool gate_node_has_claim(const GateNode *node) {
        return node->claimed;
}

int gate_node_check(GateNode *node) {
        (void) node;
        return 0;
}

int gate_node_rescan(GateNode *node) {
        (void) node;
        return 0;
}

void fake_use(const char *path, const pid_t *pids, size_t n, bool claimed) {
        LIST_FOREACH(&gate_nodes, GateNode, node, link) {
                if (strcmp(node->path, path) != 0)
                        continue;
                for (size_t i = 0; i < node->n; i++)
                        process_free(node->holders[i].process);
                node->n = 0;
                for (size_t i = 0; i < n; i++) {
                        GateHolder *holder = &node->holders[node->n++];

                        *holder = (GateHolder){ .since = now_usec(CLOCK_BOOTTIME),
                                                .claimed = claimed && n == 1 };
                        ck_assert_int_eq(process_new(pids[i], &holder->process), 0);
                }
                node->claimed = claimed;
                (void) sd_event_source_set_enabled(node->source, SD_EVENT_ONESHOT);
        }
}

void fake_refuse(const char *path, const GateRefusal *refusal) {
        LIST_FOREACH(&gate_nodes, GateNode, node, link)
                if (strcmp(node->path, path) == 0)
                        node->gate->refused(node, refusal, node->gate->refused_userdata);
}

/* --- presence ----------------------------------------------------------------------------- */

static struct {
        UdevHandler handler;
        void *userdata;
} presence;

int udev_watch_new(sd_event *event, UdevHandler handler, void *userdata, UdevWatch **ret) {
        (void) event;
        presence.handler = handler;
        presence.userdata = userdata;
        *ret = NULL;
        return 0;
}

int udev_watch_set_devices(UdevWatch *watch, sd_event *event, UdevDeviceHandler handler,
                           void *userdata) {
        (void) watch, (void) event, (void) handler, (void) userdata;
        return 0;
}

UdevWatch *udev_watch_free(UdevWatch *watch) {
        (void) watch;
        return NULL;
}

int udev_watch_coldplug(UdevWatch *watch) {
        (void) watch;
        return 0;
}

static void tell_presence(const char *port, const char *node, const char *serial, bool bare,
                          UdevEvent event) {
        UdevInterface interfaces[] = {
                { .path = (char *) "/sys/x", .number = 0, .part = PROBE_PART_DEBUG },
                { .path = (char *) "/sys/y", .number = 2, .part = PROBE_PART_VCP },
        };
        UdevChild children[] = { { .path = (char *) "/sys/y/tty/ttyACM0",
                                   .name = (char *) "ttyACM0",
                                   .node = (char *) "/dev/ttyACM0",
                                   .interface = 2,
                                   .part = PROBE_PART_VCP } };
        UdevProbe probe = { .port_path = (char *) port,
                            .path = (char *) "/sys",
                            .node = (char *) node,
                            .vendor_id = STLINK_VENDOR_ID,
                            .product_id = 0x374b,
                            .serial = (char *) serial,
                            .interfaces = interfaces,
                            .n_interfaces = bare ? 0 : 2,
                            .debug = bare ? NULL : &interfaces[0],
                            .children = children,
                            .n_children = !bare };

        presence.handler(&probe, event, presence.userdata);
}

void fake_plug(const char *port, const char *node, const char *serial) {
        tell_presence(port, node, serial, /* bare= */ false, UDEV_ADDED);
}

void fake_plug_bare(const char *port, const char *node, const char *serial) {
        tell_presence(port, node, serial, /* bare= */ true, UDEV_ADDED);
}

void fake_unplug(const char *port) {
        tell_presence(port, "", NULL, /* bare= */ false, UDEV_REMOVED);
}

/* --- world -------------------------------------------------------------------------------- */

static void start_bus(World *world) {
        char config[128], fd_option[32], line[256] = "";
        int pipe_fds[2];
        FILE *file;

        (void) snprintf(config, sizeof(config), "%s/bus.conf", world->directory);
        file = fopen(config, "we");
        ck_assert_ptr_nonnull(file);
        fprintf(file, bus_config, world->directory);
        (void) fclose(file);
        ck_assert_int_eq(pipe(pipe_fds), 0);
        (void) snprintf(fd_option, sizeof(fd_option), "--print-address=%d", pipe_fds[1]);
        world->bus_pid = fork();
        ck_assert_int_ge(world->bus_pid, 0);
        if (world->bus_pid == 0) {
                char option[160];

                (void) snprintf(option, sizeof(option), "--config-file=%s", config);
                (void) close(STDERR_FILENO);
                execlp("dbus-daemon", "dbus-daemon", "--nofork", "--nopidfile", option, fd_option,
                       NULL);
                _exit(127);
        }
        (void) close(pipe_fds[1]);
        for (size_t n = 0; n + 1 < sizeof(line) && read(pipe_fds[0], line + n, 1) == 1;)
                n += line[n] != '\n' ? 1 : sizeof(line); /* one line */
        line[strcspn(line, "\n")] = 0;
        (void) close(pipe_fds[0]);
        ck_assert_msg(line[0] != 0, "dbus-daemon does not start");
        world->address = strdup(line);
}

static sd_bus *connect_bus(World *world) {
        sd_bus *bus = NULL;

        ck_assert_int_ge(sd_bus_new(&bus), 0);
        ck_assert_int_ge(sd_bus_set_address(bus, world->address), 0);
        ck_assert_int_ge(sd_bus_set_bus_client(bus, true), 0);
        ck_assert_int_ge(sd_bus_start(bus), 0);
        ck_assert_int_ge(sd_bus_attach_event(bus, world->event, SD_EVENT_PRIORITY_NORMAL), 0);
        return bus;
}

void world_begin(World *world) {
        char path[128];
        sigset_t mask;

        *world = (World){};
        log_set_max_level(LOG_ERR);
        strcpy(world->directory, "/tmp/stlinkd-manager.XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(world->directory));
        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGCHLD);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);
        start_bus(world);
        ck_assert_int_ge(bus_errors_register(), 0);
        ck_assert_int_ge(sd_event_new(&world->event), 0);
        world->connection = connect_bus(world);
        (void) snprintf(path, sizeof(path), "%s/log", world->directory);
        (void) setenv("FAKE_WORKER_LOG", path, true);
        ck_assert_int_eq(config_load_file("/dev/null", &world->config), 0);
        free(world->config.runtime_directory);
        ck_assert_int_ge(asprintf(&world->config.runtime_directory, "%s/run", world->directory), 0);
        world->config.job_timeout = 10 * USEC_PER_SEC;
        world->config.away_timeout = 2 * USEC_PER_SEC;
        world->config.jobs_max = 4;
}

void world_start(World *world) {
        ck_assert_int_eq(manager_new(world->event, world->connection, &world->config, FAKE_WORKER,
                                     &world->manager),
                         0);
        ck_assert_int_eq(manager_start(world->manager), 0);
        ck_assert_int_ge(sd_bus_request_name(world->connection, STLINKD_BUS_NAME, 0), 0);
}

static unsigned remove_files(const char *directory) {
        struct dirent *entry;
        unsigned n = 0;
        DIR *dir = opendir(directory);

        while (dir && (entry = readdir(dir))) {
                if (entry->d_name[0] == '.')
                        continue;
                n += unlinkat(dirfd(dir), entry->d_name, 0) == 0;
        }
        if (dir)
                (void) closedir(dir);
        (void) rmdir(directory);
        return n;
}

unsigned world_end(World *world) {
        char state[128];
        unsigned n;

        world->manager = manager_free(world->manager);
        sd_bus_flush_close_unref(world->connection);
        sd_event_unref(world->event);
        (void) kill(world->bus_pid, SIGTERM);
        (void) waitpid(world->bus_pid, NULL, 0);
        (void) snprintf(state, sizeof(state), "%s/state", world->config.runtime_directory);
        (void) unlink(state); /* is to be left */
        n = remove_files(world->config.runtime_directory);
        (void) remove_files(world->directory);
        config_done(&world->config);
        free(world->address);
        return n;
}

bool world_wait(World *world, const bool *done) {
        Usec end = now_usec(CLOCK_MONOTONIC) + PATIENCE;

        while (!*done && now_usec(CLOCK_MONOTONIC) < end)
                ck_assert_int_ge(sd_event_run(world->event, 100 * USEC_PER_MSEC), 0);
        return *done;
}

static int on_pong(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        (void) message, (void) error;
        *(bool *) userdata = true;
        return 0;
}

static void run_until_quiet(World *world, unsigned ms) {
        while (sd_event_run(world->event, ms * USEC_PER_MSEC) > 0)
                ;
}

/* The bus takes messages in order: when it answers, it has passed on what was told before. */
void world_settle(World *world, unsigned ms) {
        sd_bus_slot *slot = NULL;
        bool done = false;

        run_until_quiet(world, ms);
        if (ms < 50 || sd_bus_call_method_async(world->connection, &slot, "org.freedesktop.DBus",
                                                "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                                "GetId", on_pong, &done, "") < 0)
                return;
        (void) world_wait(world, &done);
        sd_bus_slot_unref(slot);
        run_until_quiet(world, ms);
}

/* --- clients ------------------------------------------------------------------------------ */

const char *probe_path(const char *id) {
        static char buffer[256];
        char *path = NULL;

        ck_assert_int_ge(sd_bus_path_encode(STLINKD_PROBE_PATH, id, &path), 0);
        (void) snprintf(buffer, sizeof(buffer), "%s", path);
        free(path);
        return buffer;
}

void client_begin(Client *client, World *world) {
        *client = (Client){ .world = world, .bus = connect_bus(world) };
}

void client_end(Client *client) {
        client->bus = sd_bus_flush_close_unref(client->bus);
}

void answer_clear(Answer *answer) {
        sd_bus_slot_unref(answer->slot);
        if (answer->fd > 0)
                safe_close(answer->fd);
        *answer = (Answer){ .fd = -EBADF };
}

static int on_answer(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Answer *answer = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(message);
        const char *path;
        int fd;

        (void) error;
        answer->done = true;
        if (e) {
                (void) snprintf(answer->error, sizeof(answer->error), "%s",
                                strrchr(e->name, '.') + 1);
                (void) snprintf(answer->message, sizeof(answer->message), "%s", e->message);
        } else if (sd_bus_message_has_signature(message, "oh")) {
                ck_assert_int_ge(sd_bus_message_read(message, "oh", &path, &fd), 0);
                (void) snprintf(answer->path, sizeof(answer->path), "%s", path);
                answer->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        } else if (sd_bus_message_has_signature(message, "o")) {
                ck_assert_int_ge(sd_bus_message_read(message, "o", &path), 0);
                (void) snprintf(answer->path, sizeof(answer->path), "%s", path);
        } else if (sd_bus_message_has_signature(message, "h")) {
                ck_assert_int_ge(sd_bus_message_read(message, "h", &fd), 0);
                answer->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        }
        return 0;
}

static void client_send(Client *client, sd_bus_message *message, Answer *answer) {
        *answer = (Answer){ .fd = -EBADF };
        ck_assert_int_ge(
                sd_bus_call_async(client->bus, &answer->slot, message, on_answer, answer, PATIENCE),
                0);
        sd_bus_message_unref(message);
}

static void append_option(sd_bus_message *message, const char *option, const char *type,
                          va_list *args) {
        ck_assert_int_ge(sd_bus_message_open_container(message, 'e', "sv"), 0);
        ck_assert_int_ge(sd_bus_message_append(message, "s", option), 0);
        if (strcmp(type, "t") == 0)
                ck_assert_int_ge(sd_bus_message_append(message, "v", "t", va_arg(*args, uint64_t)),
                                 0);
        else if (strcmp(type, "u") == 0)
                ck_assert_int_ge(sd_bus_message_append(message, "v", "u", va_arg(*args, uint32_t)),
                                 0);
        else if (strcmp(type, "as") == 0)
                ck_assert_int_ge(
                        sd_bus_message_append(message, "v", "as", 1, va_arg(*args, const char *)),
                        0);
        else
                ck_assert_int_ge(
                        sd_bus_message_append(message, "v", type, va_arg(*args, const char *)), 0);
        ck_assert_int_ge(sd_bus_message_close_container(message), 0);
}

static void acquire(Client *client, const char *probe, const char *method, Answer *answer,
                    const char *option, va_list *args) {
        sd_bus_message *message = NULL;

        ck_assert_int_ge(sd_bus_message_new_method_call(client->bus, &message, STLINKD_BUS_NAME,
                                                        probe_path(probe), STLINKD_PROBE_INTERFACE,
                                                        method),
                         0);
        ck_assert_int_ge(sd_bus_message_open_container(message, 'a', "{sv}"), 0);
        for (; option; option = va_arg(*args, const char *)) {
                const char *type = va_arg(*args, const char *);

                append_option(message, option, type, args);
        }
        ck_assert_int_ge(sd_bus_message_close_container(message), 0);
        client_send(client, message, answer);
}

void client_acquire(Client *client, const char *probe, Answer *answer, const char *option, ...) {
        va_list args;

        va_start(args, option);
        acquire(client, probe, "Acquire", answer, option, &args);
        va_end(args);
}

void client_acquire_bound(Client *client, const char *probe, Answer *answer, const char *option,
                          ...) {
        va_list args;

        va_start(args, option);
        acquire(client, probe, "AcquireBound", answer, option, &args);
        va_end(args);
}

void client_pass_on(Client *client) {
        ck_assert_int_ge(sd_bus_call_method(client->bus, "org.freedesktop.DBus",
                                            "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                            "GetId", NULL, NULL, ""),
                         0);
        (void) usleep(20000);
}

void client_lease_word(Client *client, const char *path, const char *method, const char *word,
                       Answer *answer) {
        sd_bus_message *message = NULL;

        ck_assert_int_ge(sd_bus_message_new_method_call(client->bus, &message, STLINKD_BUS_NAME,
                                                        path, STLINKD_LEASE_INTERFACE, method),
                         0);
        ck_assert(!word || sd_bus_message_append(message, "s", word) >= 0);
        ck_assert_int_ge(sd_bus_message_append(message, "a{sv}", 0), 0);
        client_send(client, message, answer);
}

typedef struct Value {
        bool done;
        char *buffer;
        size_t size;
} Value;

static int on_value(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Value *value = userdata;
        uint64_t number = 0;
        uint32_t small = 0;
        const char *word;
        size_t used = 0;

        (void) error;
        *value->buffer = 0;
        value->done = true;
        if (sd_bus_message_is_method_error(message, NULL))
                return 0;
        ck_assert_int_ge(sd_bus_message_enter_container(message, 'v', NULL), 0);
        if (sd_bus_message_read(message, "t", &number) >= 0 ||
            sd_bus_message_read(message, "u", &small) >= 0)
                used = (size_t) snprintf(value->buffer, value->size, "%" PRIu64, number + small);
        else
                (void) sd_bus_message_enter_container(message, 'a', "s");
        while (sd_bus_message_read(message, "s", &word) > 0)
                used += (size_t) snprintf(value->buffer + used, value->size - used, "%s%s",
                                          used > 0 ? " " : "", word);
        return 0;
}

void client_get(Client *client, const char *path, const char *interface, const char *property,
                char *buffer, size_t size) {
        Value value = { .buffer = buffer, .size = size };
        sd_bus_slot *slot = NULL;

        ck_assert_int_ge(sd_bus_call_method_async(client->bus, &slot, STLINKD_BUS_NAME, path,
                                                  "org.freedesktop.DBus.Properties", "Get",
                                                  on_value, &value, "ss", interface, property),
                         0);
        ck_assert(world_wait(client->world, &value.done));
        sd_bus_slot_unref(slot);
}
