/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"
#include "base/time.h"
#include "bus/names.h"

/* A daemon made of words: it shows on the bus the objects that it is told on stdin, answers as it
 * is told, and says on stdout what it was asked. So the command line can be tested with any
 * state, any error and any moment, without a probe and without our daemon.
 *
 *   probe NAME            begin an object below /probe; what follows is about it
 *   lease NAME            likewise below /lease
 *   set PROPERTY VALUE    the type follows from the name; Since and the like are seconds ago
 *   list PROPERTY VALUE…  a property that is a list of strings or objects
 *   dict PROPERTY K=V…    append a dictionary to Holders or Parts; "\s" is a blank
 *   clear PROPERTY        empty such a list
 *   changed PROPERTY…     emit PropertiesChanged for the object
 *   added                 emit InterfacesAdded for it
 *   removed               emit InterfacesRemoved, and forget it
 *   acquire held|waiting  what Acquire is answered: the lease object "1", in that state
 *   open PATH             what Lease.Open is answered: a descriptor of this file
 *   fail METHOD NAME TEXT this method is answered with an error (METHOD "-" for the manager)
 *   last METHOD           leave the bus right behind the answer to that method
 *   asked SECONDS BY REASON  emit Asked for the object, with that deadline, 0 for none
 *   ended REASON          emit Ended for the object, and forget it
 *   say TEXT              to stdout, so that one can wait for what went before
 *   quit                  leave the bus
 */

typedef struct Property {
        char *name;
        char **values; /* one, or those of a list, or dictionaries as "K=V K=V" */
        size_t n;
} Property;

typedef struct Object {
        char path[128];
        const char *interface;
        Property properties[32];
        size_t n;
        bool gone;
} Object;

typedef struct Fake {
        sd_event *event;
        sd_bus *bus;
        Object objects[256];
        size_t n;
        Object *current;
        char fail_method[64], fail_name[128], fail_text[256], last_method[64];
        char acquire[16], node[256];
        int lease_fd;
        sd_event_source *hang_up;
} Fake;

/* The types that dbus/io.github.stlinkd1.xml gives them. */
static const struct {
        const char *name, *signature;
} types[] = {
        { "Ambiguous", "b" },   { "ProductId", "q" },  { "TargetVoltage", "i" },
        { "LoaderSince", "t" }, { "Parts", "aa{sv}" }, { "Holders", "aa{sv}" },
        { "Leases", "ao" },     { "Probe", "o" },      { "Position", "u" },
        { "Uid", "u" },         { "Pid", "u" },        { "Requested", "t" },
        { "Granted", "t" },     { "Since", "t" },      { "Claimed", "b" },
        { "Interface", "u" },   { "Lease", "o" },      { "Started", "t" },
        { "Ports", "aq" },      { "Clients", "u" },    { "Orphaned", "b" },
        { "Deadline", "t" },
};

_printf_(1, 2) static void say(const char *format, ...) {
        va_list args;

        va_start(args, format);
        (void) vprintf(format, args);
        va_end(args);
        (void) putchar('\n');
        (void) fflush(stdout);
}

static void check(int r, const char *what) {
        if (r >= 0)
                return;
        (void) fprintf(stderr, "fake-stlinkd: %s: %s\n", what, strerror(-r));
        exit(99);
}

static const char *signature_of(const Object *object, const char *name) {
        if (object && strcmp(object->interface, STLINKD_LEASE_INTERFACE) == 0 &&
            strcmp(name, "Parts") == 0)
                return "as";
        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                if (strcmp(types[i].name, name) == 0)
                        return types[i].signature;
        return "s";
}

static uint64_t read_number(const char *name, const char *value) {
        Usec ago = strtoull(value, NULL, 0) * USEC_PER_SEC;

        if (strcmp(name, "Since") == 0 || strcmp(name, "Started") == 0)
                return now_usec(CLOCK_BOOTTIME) - ago;
        if (strcmp(name, "Requested") == 0 || strcmp(name, "Granted") == 0)
                return now_usec(CLOCK_MONOTONIC) - ago;
        return strtoull(value, NULL, 0);
}

static void append_basic(sd_bus_message *m, char type, const char *name, const char *value) {
        uint64_t number = type == 's' || type == 'o' ? 0 : read_number(name, value);
        uint32_t u = (uint32_t) number;
        uint16_t q = (uint16_t) number;
        int32_t i = atoi(value);

        switch (type) {
        case 's':
        case 'o':
                check(sd_bus_message_append_basic(m, type, value), name);
                break;
        case 'b':
        case 'i':
                check(sd_bus_message_append_basic(m, type, &i), name);
                break;
        case 'u':
                check(sd_bus_message_append_basic(m, type, &u), name);
                break;
        case 'q':
                check(sd_bus_message_append_basic(m, type, &q), name);
                break;
        default:
                check(sd_bus_message_append_basic(m, type, &number), name);
        }
}

/* "3333+4444" as an aq. */
static void append_numbers(sd_bus_message *m, const char *name, char *value) {
        check(sd_bus_message_open_container(m, 'a', "q"), name);
        for (char *number; (number = strsep(&value, "+"));)
                if (number[0])
                        append_basic(m, 'q', name, number);
        check(sd_bus_message_close_container(m), name);
}

static void unescape(char *s) {
        for (char *found; (found = strstr(s, "\\s"));) {
                *found = ' ';
                memmove(found + 1, found + 2, strlen(found + 2) + 1);
        }
}

/* "Pid=5 Command=a\sb" as an a{sv}. */
static void append_dictionary(sd_bus_message *m, const char *words) {
        _cleanup_free_ char *copy = strdup(words);
        char *rest = copy;

        check(sd_bus_message_open_container(m, 'a', "{sv}"), "dict");
        for (char *word; (word = strsep(&rest, " "));) {
                char *value = strchr(word, '=');
                const char *signature;

                if (!value)
                        continue;
                *value++ = '\0';
                unescape(value);
                signature = signature_of(NULL, word);
                check(sd_bus_message_open_container(m, 'e', "sv"), word);
                check(sd_bus_message_append_basic(m, 's', word), word);
                check(sd_bus_message_open_container(m, 'v', signature), word);
                if (signature[0] == 'a')
                        append_numbers(m, word, value);
                else
                        append_basic(m, signature[0], word, value);
                check(sd_bus_message_close_container(m), word);
                check(sd_bus_message_close_container(m), word);
        }
        check(sd_bus_message_close_container(m), "dict");
}

static void append_value(sd_bus_message *m, const Object *object, const Property *property) {
        const char *signature = signature_of(object, property->name);

        check(sd_bus_message_open_container(m, 'v', signature), property->name);
        if (signature[0] == 'a') {
                check(sd_bus_message_open_container(m, 'a', signature + 1), property->name);
                for (size_t i = 0; i < property->n; i++)
                        if (signature[1] == 'a')
                                append_dictionary(m, property->values[i]);
                        else
                                append_basic(m, signature[1], property->name, property->values[i]);
                check(sd_bus_message_close_container(m), property->name);
        } else
                append_basic(m, signature[0], property->name, property->values[0]);
        check(sd_bus_message_close_container(m), property->name);
}

/* Properties as an a{sv}: those whose names are in the list, or all without one. */
static void append_properties(sd_bus_message *m, const Object *object, const char *names) {
        check(sd_bus_message_open_container(m, 'a', "{sv}"), "properties");
        for (size_t i = 0; i < object->n; i++) {
                const Property *property = &object->properties[i];

                if (names && !strstr(names, property->name))
                        continue;
                check(sd_bus_message_open_container(m, 'e', "sv"), property->name);
                check(sd_bus_message_append_basic(m, 's', property->name), property->name);
                append_value(m, object, property);
                check(sd_bus_message_close_container(m), property->name);
        }
        check(sd_bus_message_close_container(m), "properties");
}

static void append_object(sd_bus_message *m, const Object *object) {
        check(sd_bus_message_append_basic(m, 'o', object->path), object->path);
        check(sd_bus_message_open_container(m, 'a', "{sa{sv}}"), object->path);
        check(sd_bus_message_open_container(m, 'e', "sa{sv}"), object->path);
        check(sd_bus_message_append_basic(m, 's', object->interface), object->path);
        append_properties(m, object, NULL);
        check(sd_bus_message_close_container(m), object->path);
        /* Real objects have interfaces of D-Bus itself too. */
        check(sd_bus_message_append(m, "{sa{sv}}", "org.freedesktop.DBus.Peer", 0), "peer");
        check(sd_bus_message_close_container(m), object->path);
}

static Object *find_object(Fake *fake, const char *path) {
        for (size_t i = 0; i < fake->n; i++)
                if (!fake->objects[i].gone && strcmp(fake->objects[i].path, path) == 0)
                        return &fake->objects[i];
        return NULL;
}

static Property *get_property(Object *object, const char *name) {
        for (size_t i = 0; i < object->n; i++)
                if (strcmp(object->properties[i].name, name) == 0)
                        return &object->properties[i];
        if (object->n == ELEMENTSOF(object->properties))
                check(-ENOSPC, name);
        object->properties[object->n] = (Property){ .name = strdup(name) };
        return &object->properties[object->n++];
}

static void add_value(Property *property, const char *value) {
        property->values = reallocarray(property->values, property->n + 1, sizeof(char *));
        property->values[property->n++] = strdup(value);
}

static void clear_property(Property *property) {
        while (property->n > 0)
                free(property->values[--property->n]);
        free(property->values);
        property->values = NULL;
}

static void set_property(Object *object, const char *name, const char *value) {
        Property *property = get_property(object, name);

        clear_property(property);
        add_value(property, value);
}

static Object *add_object(Fake *fake, const char *folder, const char *interface, const char *name) {
        Object *object = &fake->objects[fake->n++];

        if (fake->n > ELEMENTSOF(fake->objects))
                check(-ENOSPC, name);
        *object = (Object){ .interface = interface };
        (void) snprintf(object->path, sizeof(object->path), "%s/%s", folder, name);
        return object;
}

static void reply_objects(Fake *fake, sd_bus_message *call) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;

        check(sd_bus_message_new_method_return(call, &reply), "reply");
        check(sd_bus_message_open_container(reply, 'a', "{oa{sa{sv}}}"), "reply");
        for (size_t i = 0; i < fake->n; i++) {
                if (fake->objects[i].gone || fake->objects[i].interface[0] == '\0')
                        continue;
                check(sd_bus_message_open_container(reply, 'e', "oa{sa{sv}}"), "reply");
                append_object(reply, &fake->objects[i]);
                check(sd_bus_message_close_container(reply), "reply");
        }
        check(sd_bus_message_close_container(reply), "reply");
        check(sd_bus_send(fake->bus, reply, NULL), "reply");
}

static void reply_properties(Fake *fake, sd_bus_message *call) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const Object *object = find_object(fake, sd_bus_message_get_path(call));

        if (!object && strcmp(sd_bus_message_get_path(call), STLINKD_PATH) != 0) {
                check(sd_bus_reply_method_errorf(call, SD_BUS_ERROR_UNKNOWN_OBJECT, "Gone"),
                      "reply");
                return;
        }
        check(sd_bus_message_new_method_return(call, &reply), "reply");
        if (object)
                append_properties(reply, object, NULL);
        else
                check(sd_bus_message_append(reply, "a{sv}", 3, "Version", "s", "7.7", "Gate", "s",
                                            "poll", "Enforcement", "s", "cooperative"),
                      "reply");
        check(sd_bus_send(fake->bus, reply, NULL), "reply");
}

static int lease_hung_up(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Fake *fake = userdata;

        (void) fd, (void) revents;
        say("lease descriptor closed");
        fake->lease_fd = safe_close(fake->lease_fd);
        return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

/* Say the options in the order in which they came. */
static void say_options(const char *method, sd_bus_message *call) {
        char line[512];
        int n = snprintf(line, sizeof(line), "%s %s", method, sd_bus_message_get_path(call));
        const char *key, *contents, *s;
        uint64_t t;

        check(sd_bus_message_enter_container(call, 'a', "{sv}"), "options");
        while (sd_bus_message_enter_container(call, 'e', "sv") > 0) {
                check(sd_bus_message_read_basic(call, 's', &key), "options");
                check(sd_bus_message_peek_type(call, NULL, &contents), key);
                if (contents[0] == 's') {
                        check(sd_bus_message_read(call, "v", "s", &s), key);
                        n += snprintf(line + n, sizeof(line) - (size_t) n, " %s=%s", key, s);
                } else {
                        check(sd_bus_message_read(call, "v", "t", &t), key);
                        n += snprintf(line + n, sizeof(line) - (size_t) n, " %s=%llu", key,
                                      (unsigned long long) t);
                }
                check(sd_bus_message_exit_container(call), key);
        }
        say("%s", line);
}

static void reply_acquire(Fake *fake, sd_bus_message *call) {
        bool waiting = strcmp(fake->acquire, "waiting") == 0;
        Object *lease = find_object(fake, STLINKD_LEASE_PATH "/1");
        int fds[2];

        if (!lease)
                lease = add_object(fake, STLINKD_LEASE_PATH, STLINKD_LEASE_INTERFACE, "1");
        check(pipe2(fds, O_CLOEXEC) < 0 ? -errno : 0, "pipe");
        set_property(lease, "Probe", sd_bus_message_get_path(call));
        set_property(lease, "State", fake->acquire);
        set_property(lease, "Position", waiting ? "1" : "0");
        fake->lease_fd = fds[0];
        check(sd_event_add_io(fake->event, &fake->hang_up, fds[0], EPOLLHUP, lease_hung_up, fake),
              "event");
        check(sd_bus_reply_method_return(call, "oh", lease->path, fds[1]), "reply");
        safe_close(fds[1]);
}

/* As the property Holders. */
static void reply_holders(Fake *fake, sd_bus_message *call) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        Object *object = find_object(fake, sd_bus_message_get_path(call));
        const Property *holders = object ? get_property(object, "Holders") : NULL;

        check(sd_bus_message_new_method_return(call, &reply), "reply");
        check(sd_bus_message_open_container(reply, 'a', "a{sv}"), "reply");
        for (size_t i = 0; holders && i < holders->n; i++)
                append_dictionary(reply, holders->values[i]);
        check(sd_bus_message_close_container(reply), "reply");
        check(sd_bus_send(fake->bus, reply, NULL), "reply");
}

static void reply_end_holder(sd_bus_message *call) {
        uint32_t pid;
        uint64_t started;

        check(sd_bus_message_read(call, "ut", &pid, &started), "EndHolder");
        say("EndHolder %u %s", pid, started > 0 ? "with its start" : "alone");
        check(sd_bus_reply_method_return(call, NULL), "reply");
}

static void reply_open(Fake *fake, sd_bus_message *call) {
        _cleanup_close_ int fd = open(fake->node, O_RDWR | O_CLOEXEC);

        check(fd < 0 ? -errno : 0, fake->node);
        check(sd_bus_reply_method_return(call, "h", fd), "reply");
}

static int answer(Fake *fake, sd_bus_message *call, const char *member) {
        if (strcmp(member, "Acquire") == 0 || strcmp(member, "Open") == 0 ||
            strcmp(member, "Ask") == 0 || strcmp(member, "Revoke") == 0)
                say_options(member, call);
        if (sd_bus_message_get_allow_interactive_authorization(call) > 0)
                say("%s may ask for a password", member);
        if (strcmp(member, fake->fail_method) == 0)
                check(sd_bus_reply_method_errorf(call, fake->fail_name, "%s", fake->fail_text),
                      "reply");
        else if (strcmp(member, "GetManagedObjects") == 0)
                reply_objects(fake, call);
        else if (strcmp(member, "GetAll") == 0)
                reply_properties(fake, call);
        else if (strcmp(member, "Acquire") == 0)
                reply_acquire(fake, call);
        else if (strcmp(member, "Open") == 0)
                reply_open(fake, call);
        else if (strcmp(member, "GetHolders") == 0)
                reply_holders(fake, call);
        else if (strcmp(member, "EndHolder") == 0)
                reply_end_holder(call);
        else if (strcmp(member, "Ask") == 0 || strcmp(member, "Revoke") == 0)
                check(sd_bus_reply_method_return(call, NULL), "reply");
        else if (strcmp(member, "Release") == 0) {
                say("Release %s", sd_bus_message_get_path(call));
                check(sd_bus_reply_method_return(call, NULL), "reply");
        } else
                return 0;
        return 1;
}

static int called(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const char *member = sd_bus_message_get_member(call);
        Fake *fake = userdata;

        (void) error;
        if (!sd_bus_message_is_method_call(call, NULL, NULL))
                return 0;
        if (strcmp(member, fake->last_method) == 0)
                (void) sd_event_exit(fake->event, 0); /* behind this turn */
        return answer(fake, call, member);
}

static void emit_changed(Fake *fake, const char *names) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const Object *object = fake->current;

        check(sd_bus_message_new_signal(fake->bus, &m, object->path,
                                        "org.freedesktop.DBus.Properties", "PropertiesChanged"),
              "signal");
        check(sd_bus_message_append(m, "s", object->interface), "signal");
        append_properties(m, object, names);
        check(sd_bus_message_append(m, "as", 0), "signal");
        check(sd_bus_send(fake->bus, m, NULL), "signal");
}

static void emit_added(Fake *fake) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        check(sd_bus_message_new_signal(fake->bus, &m, STLINKD_PATH,
                                        "org.freedesktop.DBus.ObjectManager", "InterfacesAdded"),
              "signal");
        append_object(m, fake->current);
        check(sd_bus_send(fake->bus, m, NULL), "signal");
}

static void emit_removed(Fake *fake) {
        check(sd_bus_emit_signal(fake->bus, STLINKD_PATH, "org.freedesktop.DBus.ObjectManager",
                                 "InterfacesRemoved", "oas", fake->current->path, 1,
                                 fake->current->interface),
              "signal");
        fake->current->gone = true;
}

static void command_about_object(Fake *fake, const char *verb, char *rest) {
        char *name = strsep(&rest, " ");
        Object *object = fake->current;

        if (!object || !name)
                check(-EINVAL, verb);
        if (strcmp(verb, "set") == 0)
                set_property(object, name, rest ? rest : "");
        else if (strcmp(verb, "dict") == 0)
                add_value(get_property(object, name), rest ? rest : "");
        else if (strcmp(verb, "clear") == 0)
                clear_property(get_property(object, name));
        else if (strcmp(verb, "list") == 0) {
                clear_property(get_property(object, name));
                for (char *word; (word = strsep(&rest, " "));)
                        add_value(get_property(object, name), word);
        } else
                check(-EINVAL, verb);
}

static void begin_object(Fake *fake, const char *folder, const char *interface, const char *name) {
        char path[128];

        (void) snprintf(path, sizeof(path), "%s/%s", folder, name);
        fake->current = find_object(fake, path);
        if (!fake->current)
                fake->current = add_object(fake, folder, interface, name);
}

static void set_failure(Fake *fake, char *rest) {
        char *method = strsep(&rest, " "), *name = rest ? strsep(&rest, " ") : NULL;

        (void) snprintf(fake->fail_method, sizeof(fake->fail_method), "%s", method);
        (void) snprintf(fake->fail_name, sizeof(fake->fail_name), "%s", name ? name : "");
        (void) snprintf(fake->fail_text, sizeof(fake->fail_text), "%s", rest ? rest : "");
}

static void emit_asked(Fake *fake, char *rest) {
        char *seconds = strsep(&rest, " "), *by = rest ? strsep(&rest, " ") : NULL;
        Usec span = strtoull(seconds, NULL, 10) * USEC_PER_SEC;
        Usec deadline = span > 0 ? now_usec(CLOCK_MONOTONIC) + span : USEC_INFINITY;

        if (!by)
                check(-EINVAL, "asked");
        unescape(by);
        check(sd_bus_emit_signal(fake->bus, fake->current->path, STLINKD_LEASE_INTERFACE, "Asked",
                                 "sst", by, rest ? rest : "", deadline),
              "signal");
}

static void emit_ended(Fake *fake, const char *reason) {
        check(sd_bus_emit_signal(fake->bus, fake->current->path, STLINKD_LEASE_INTERFACE, "Ended",
                                 "s", reason),
              "signal");
        emit_removed(fake);
}

static void command(Fake *fake, char *line) {
        char *rest = line, *verb = strsep(&rest, " ");

        if (verb[0] == '\0' || verb[0] == '#')
                return;
        if (strcmp(verb, "quit") == 0)
                (void) sd_event_exit(fake->event, 0);
        else if (strcmp(verb, "say") == 0)
                say("%s", rest);
        else if (strcmp(verb, "probe") == 0)
                begin_object(fake, STLINKD_PROBE_PATH, STLINKD_PROBE_INTERFACE, rest);
        else if (strcmp(verb, "lease") == 0)
                begin_object(fake, STLINKD_LEASE_PATH, STLINKD_LEASE_INTERFACE, rest);
        else if (strcmp(verb, "acquire") == 0)
                (void) snprintf(fake->acquire, sizeof(fake->acquire), "%s", rest);
        else if (strcmp(verb, "open") == 0)
                (void) snprintf(fake->node, sizeof(fake->node), "%s", rest);
        else if (strcmp(verb, "fail") == 0)
                set_failure(fake, rest);
        else if (strcmp(verb, "last") == 0)
                (void) snprintf(fake->last_method, sizeof(fake->last_method), "%s", rest);
        else if (strcmp(verb, "changed") == 0)
                emit_changed(fake, rest);
        else if (strcmp(verb, "added") == 0)
                emit_added(fake);
        else if (strcmp(verb, "removed") == 0)
                emit_removed(fake);
        else if (strcmp(verb, "asked") == 0)
                emit_asked(fake, rest);
        else if (strcmp(verb, "ended") == 0)
                emit_ended(fake, rest);
        else
                command_about_object(fake, verb, rest);
}

/* Lines come whole: whoever writes them uses one write per line. */
static int told(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        static char buffer[65536];
        static size_t filled;
        Fake *fake = userdata;
        ssize_t n = read(fd, buffer + filled, sizeof(buffer) - 1 - filled);
        char *line = buffer, *end;

        (void) revents;
        if (n <= 0)
                return n == 0 ? sd_event_source_set_enabled(source, SD_EVENT_OFF) : -errno;
        filled += (size_t) n;
        buffer[filled] = '\0';
        while ((end = strchr(line, '\n'))) {
                *end = '\0';
                command(fake, line);
                line = end + 1;
        }
        filled = strlen(line);
        memmove(buffer, line, filled + 1);
        return 0;
}

int main(void) {
        static Fake fake = { .acquire = "held", .lease_fd = -EBADF };

        check(sd_event_default(&fake.event), "event loop");
        check(sd_bus_open_system(&fake.bus), "bus");
        check(sd_bus_attach_event(fake.bus, fake.event, 0), "bus");
        check(sd_bus_add_filter(fake.bus, NULL, called, &fake), "bus");
        check(sd_event_add_io(fake.event, NULL, STDIN_FILENO, EPOLLIN, told, &fake), "stdin");
        check(sd_bus_request_name(fake.bus, STLINKD_BUS_NAME, 0), "name");
        say("ready");
        check(sd_event_loop(fake.event), "loop");
        check(sd_bus_flush(fake.bus), "bus");
        sd_bus_flush_close_unref(fake.bus);
        return 0;
}
