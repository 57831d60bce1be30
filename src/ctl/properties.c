/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "ctl/properties.h"

char **strings_free(char **strings) {
        for (char **s = strings; s && *s; s++)
                free(*s);
        free(strings);
        return NULL;
}

static int replace_string(char **member, const char *value) {
        char *copy = NULL;

        if (value[0] != '\0') {
                copy = strdup(value);
                if (!copy)
                        return -ENOMEM;
        }
        free(*member);
        *member = copy;
        return 0;
}

static int read_string(sd_bus_message *message, char type, char **member) {
        const char *value;
        int r = sd_bus_message_read_basic(message, type, &value);

        return r < 0 ? r : replace_string(member, value);
}

static int read_bool(sd_bus_message *message, bool *member) {
        int value; /* sd-bus writes an int */
        int r = sd_bus_message_read_basic(message, 'b', &value);

        if (r < 0)
                return r;
        *member = value;
        return 0;
}

static int read_member(sd_bus_message *message, const Property *property, void *object) {
        void *member = (char *) object + property->offset;
        char type = property->signature[0];

        if (property->read)
                return property->read(message, member);
        if (type == 's' || type == 'o')
                return read_string(message, type, member);
        if (type == 'b')
                return read_bool(message, member);
        return sd_bus_message_read_basic(message, type, member);
}

static const Property *find_property(const Property *table, size_t n, const char *name) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(table[i].name, name) == 0)
                        return &table[i];
        return NULL;
}

static int read_entry(sd_bus_message *message, const Property *table, size_t n, void *object) {
        const Property *property;
        const char *name, *contents;
        int r;

        r = sd_bus_message_read_basic(message, 's', &name);
        if (r < 0)
                return r;
        property = find_property(table, n, name);
        r = sd_bus_message_peek_type(message, NULL, &contents);
        if (r < 0)
                return r;
        if (!property || strcmp(contents, property->signature) != 0)
                return sd_bus_message_skip(message, "v");

        r = sd_bus_message_enter_container(message, 'v', contents);
        if (r < 0)
                return r;
        r = read_member(message, property, object);
        return r < 0 ? r : sd_bus_message_exit_container(message);
}

int properties_read(sd_bus_message *message, const Property *table, size_t n, void *object) {
        int r = sd_bus_message_enter_container(message, 'a', "{sv}");

        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                r = read_entry(message, table, n, object);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(message);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(message);
        return r < 0 ? r : 0;
}

int properties_read_array(sd_bus_message *message, const Property *table, size_t n, size_t size,
                          void **array, size_t *count) {
        int r = sd_bus_message_enter_container(message, 'a', "a{sv}");

        while (r >= 0 && (r = sd_bus_message_at_end(message, /* complete= */ 0)) == 0) {
                char *grown = reallocarray(*array, *count + 1, size);

                if (!grown)
                        return -ENOMEM;
                *array = grown;
                memset(grown + *count * size, 0, size);
                r = properties_read(message, table, n, grown + (*count)++ * size);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(message);
        return r < 0 ? r : 0;
}

int properties_read_strings(sd_bus_message *message, void *member) {
        char **strings = NULL;
        size_t n = 0;
        char type;
        const char *contents, *value;
        int r;

        r = sd_bus_message_peek_type(message, NULL, &contents);
        if (r < 0)
                return r;
        type = contents[0];
        r = sd_bus_message_enter_container(message, 'a', contents);
        while (r >= 0 && (r = sd_bus_message_read_basic(message, type, &value)) > 0) {
                char **grown = reallocarray(strings, n + 2, sizeof(char *));

                if (!grown) {
                        r = -ENOMEM;
                        break;
                }
                strings = grown;
                strings[n] = strdup(value);
                strings[n + 1] = NULL;
                if (!strings[n++])
                        r = -ENOMEM;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(message);
        if (r < 0) {
                strings_free(strings);
                return r;
        }
        strings_free(*(char ***) member);
        *(char ***) member = strings;
        return 0;
}
