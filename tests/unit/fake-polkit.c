/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake-polkit.h"

#define INTERFACE "org.freedesktop.PolicyKit1.Authority"

static void keep(char *buffer, size_t size, const char *text) {
        (void) snprintf(buffer, size, "%s", text);
}

static void answer(const Authority *authority, sd_bus_message *question) {
        if (authority->error)
                ck_assert_int_ge(sd_bus_reply_method_errorf(question, authority->error,
                                                            "The authority says why"),
                                 0);
        else if (authority->garbage)
                ck_assert_int_ge(sd_bus_reply_method_return(question, "b", true), 0);
        else
                ck_assert_int_ge(sd_bus_reply_method_return(question, "(bba{ss})", authority->yes,
                                                            authority->challenge, 0),
                                 0);
}

static void read_question(Authority *authority, sd_bus_message *m) {
        const char *kind, *key, *value, *action, *id;

        authority->name[0] = authority->serial[0] = 0;
        ck_assert_int_gt(sd_bus_message_enter_container(m, 'r', "sa{sv}"), 0);
        ck_assert_int_gt(sd_bus_message_read(m, "s", &kind), 0);
        keep(authority->kind, sizeof(authority->kind), kind);
        ck_assert_int_gt(sd_bus_message_read(m, "a{sv}", 1, &key, "s", &value), 0);
        ck_assert_str_eq(key, "name");
        keep(authority->subject, sizeof(authority->subject), value);
        ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
        ck_assert_int_gt(sd_bus_message_read(m, "s", &action), 0);
        keep(authority->action, sizeof(authority->action), action);
        ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "{ss}"), 0);
        while (sd_bus_message_read(m, "{ss}", &key, &value) > 0) {
                if (strcmp(key, "probe.name") == 0)
                        keep(authority->name, sizeof(authority->name), value);
                else if (strcmp(key, "probe.serial") == 0)
                        keep(authority->serial, sizeof(authority->serial), value);
        }
        ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
        ck_assert_int_gt(sd_bus_message_read(m, "us", &authority->flags, &id), 0);
        keep(authority->id, sizeof(authority->id), id);
}

static void take_question(Authority *authority, sd_bus_message *message) {
        read_question(authority, message);
        if (authority->hold) {
                ck_assert_uint_lt(authority->asked, QUESTIONS_MAX);
                authority->held[authority->asked] = sd_bus_message_ref(message);
        } else {
                answer(authority, message);
        }
        authority->asked++;
}

static void take_cancellation(Authority *authority, sd_bus_message *message) {
        const char *id;

        ck_assert_int_gt(sd_bus_message_read(message, "s", &id), 0);
        keep(authority->cancelled_id, sizeof(authority->cancelled_id), id);
        authority->cancelled++;
}

/* Not a vtable, for with one sd-bus would not send an answer of a wrong type. */
static int on_call(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        (void) error;
        if (sd_bus_message_is_method_call(message, INTERFACE, "CheckAuthorization"))
                take_question(userdata, message);
        else if (sd_bus_message_is_method_call(message, INTERFACE, "CancelCheckAuthorization"))
                take_cancellation(userdata, message);
        else
                return 0;
        return 1;
}

static int on_name(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        (void) error;
        ck_assert(!sd_bus_message_is_method_error(message, NULL));
        *(bool *) userdata = true;
        return 0;
}

void authority_begin(Authority *authority, World *world) {
        bool named = false;
        Client client;

        *authority = (Authority){};
        client_begin(&client, world);
        authority->bus = client.bus;
        ck_assert_int_ge(sd_bus_add_object(authority->bus, NULL,
                                           "/org/freedesktop/PolicyKit1/Authority", on_call,
                                           authority),
                         0);
        ck_assert_int_ge(sd_bus_request_name_async(authority->bus, NULL,
                                                   "org.freedesktop.PolicyKit1", 0, on_name,
                                                   &named),
                         0);
        ck_assert(world_wait(world, &named));
}

void authority_answer(Authority *authority) {
        for (size_t i = 0; i < QUESTIONS_MAX; i++) {
                if (!authority->held[i])
                        continue;
                answer(authority, authority->held[i]);
                authority->held[i] = sd_bus_message_unref(authority->held[i]);
        }
}

void authority_end(Authority *authority) {
        for (size_t i = 0; i < QUESTIONS_MAX; i++)
                authority->held[i] = sd_bus_message_unref(authority->held[i]);
        authority->bus = sd_bus_flush_close_unref(authority->bus);
}
