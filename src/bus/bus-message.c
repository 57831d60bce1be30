/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "bus/bus-internal.h"
#include "bus/errors.h"

static const KnownCaller *find_known(const Bus *bus, const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(bus->known); i++)
                if (strcmp(bus->known[i].name, name) == 0)
                        return &bus->known[i];
        return NULL;
}

static void make_known(Bus *bus, const BusCaller *caller) {
        KnownCaller *known = &bus->known[bus->next_known++ % ELEMENTSOF(bus->known)];

        *known = (KnownCaller){ .uid = caller->uid, .pid = caller->pid };
        if (strlen(caller->name) < sizeof(known->name))
                strcpy(known->name, caller->name);
}

/* A credential that is missing counts as a refusal, never as user 0. */
int bus_caller_ask(sd_bus_message *message, BusCaller *caller) {
        _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
        int r;

        r = sd_bus_query_sender_creds(message, SD_BUS_CREDS_EUID | SD_BUS_CREDS_PID, &creds);
        /* What was read from /proc may be another process's by now. */
        if (r >= 0 && sd_bus_creds_get_augmented_mask(creds) != 0)
                r = -EACCES;
        if (r >= 0)
                r = sd_bus_creds_get_euid(creds, &caller->uid);
        if (r < 0)
                return r;
        if (sd_bus_creds_get_pid(creds, &caller->pid) < 0)
                caller->pid = 0;
        return 0;
}

int bus_caller_read(Bus *bus, sd_bus_message *message, BusCaller *ret, sd_bus_error *error) {
        BusCaller caller = { .name = sd_bus_message_get_sender(message) };
        const KnownCaller *known = caller.name ? find_known(bus, caller.name) : NULL;

        if (known) {
                caller.uid = known->uid;
                caller.pid = known->pid;
        } else if (!caller.name || bus_caller_ask(message, &caller) < 0) {
                return bus_error_setf(error, EACCES, "The bus does not say who you are");
        } else {
                make_known(bus, &caller);
        }
        *ret = caller;
        return 0;
}

static const BusOption *option_find(const BusOption *known, size_t n_known, const char *name) {
        for (size_t i = 0; i < n_known; i++)
                if (strcmp(known[i].name, name) == 0)
                        return &known[i];
        return NULL;
}

/* Read one entry of the dictionary, which has been entered. */
static int option_read(sd_bus_message *message, const BusOption *known, size_t n_known,
                       void *options, sd_bus_error *error) {
        const BusOption *option;
        const char *name, *signature;
        int r;

        r = sd_bus_message_read(message, "s", &name);
        if (r < 0)
                return r;
        option = option_find(known, n_known, name);
        if (!option)
                return bus_error_setf(error, EINVAL, "Unknown option \"%s\"", name);
        r = sd_bus_message_peek_type(message, NULL, &signature);
        if (r < 0)
                return r;
        if (strcmp(signature, option->signature) != 0)
                return bus_error_setf(error, EINVAL, "Option \"%s\" is of type %s, expected %s",
                                      name, signature, option->signature);
        r = sd_bus_message_enter_container(message, 'v', option->signature);
        if (r < 0)
                return r;
        r = option->read(message, options, error);
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(message);
}

int bus_options_read(sd_bus_message *message, const BusOption *known, size_t n_known, void *options,
                     sd_bus_error *error) {
        int r;

        r = sd_bus_message_enter_container(message, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                r = option_read(message, known, n_known, options, error);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(message);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(message);
}

int bus_append_string(sd_bus_message *message, const char *key, const char *value) {
        return value ? sd_bus_message_append(message, "{sv}", key, "s", value) : 0;
}

int bus_read_reason(sd_bus_message *message, const char **ret, sd_bus_error *error) {
        const char *reason;
        int r;

        r = sd_bus_message_read(message, "s", &reason);
        if (r < 0)
                return r;
        if (strlen(reason) > LEASE_REASON_MAX)
                return bus_error_setf(error, EINVAL, "The reason is longer than %d bytes",
                                      LEASE_REASON_MAX);
        /* It ends up on terminals. */
        for (const char *c = reason; *c; c++)
                if ((unsigned char) *c < ' ' || *c == 0x7f)
                        return bus_error_setf(error, EINVAL,
                                              "The reason has control characters in it");
        *ret = reason;
        return 0;
}
