/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/client.h"
#include "ctl/expand.h"
#include "ctl/properties.h"

ToolProbe expand_tool_probe(const ProbeView *probe) {
        return (ToolProbe){ .serial = probe->serial,
                            .reported = probe->serial_reported,
                            .port_path = probe->port_path ? probe->port_path : "",
                            .product_id = probe->product_id,
                            .ambiguous = probe->ambiguous };
}

const char *expand_problem(int r) {
        switch (r) {
        case -ENOTUNIQ:
                return "it goes by serial number, and another probe has the same one";
        case -ENODATA:
                return "it goes by serial number, and this probe has none that it takes";
        case -EOPNOTSUPP:
                return "it does not work with such probes";
        default:
                return strerror(-r);
        }
}

static const char *part_device(const ProbeView *probe, const char *part) {
        for (size_t i = 0; i < probe->n_parts; i++)
                if (probe->parts[i].part && strcmp(probe->parts[i].part, part) == 0)
                        return probe->parts[i].device;
        return NULL;
}

static const struct {
        const char *name;
        const char *variable; /* NULL: none */
} fields[] = {
        { "id", "STLINKD_PROBE" },
        { "serial", "STLINKD_SERIAL" },
        { "usbpath", "STLINKD_PORT" },
        { "node", "STLINKD_NODE" },
        { "tty", NULL },
        { "disk", NULL },
};

static const char *field(const ProbeView *probe, size_t i) {
        const char *const values[ELEMENTSOF(fields)] = {
                probe->id,
                probe->serial,
                probe->port_path,
                probe->node,
                part_device(probe, "vcp"),
                part_device(probe, "msd"),
        };

        return values[i];
}

static int set_variable(const char *name, const char *value) {
        if (value)
                return setenv(name, value, /* overwrite= */ 1) < 0 ? -errno : 0;
        return unsetenv(name) < 0 ? -errno : 0;
}

int expand_environment(const ProbeView *probe) {
        ToolProbe tool_probe = expand_tool_probe(probe);
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(fields); i++)
                if (fields[i].variable)
                        r = set_variable(fields[i].variable, field(probe, i));
        for (int tool = 0; r >= 0 && tool < _TOOL_MAX; tool++) {
                ToolSelector selector;

                if (tool_selector_make((Tool) tool, &tool_probe, &selector) >= 0 &&
                    selector.variable)
                        r = set_variable(selector.variable, selector.words[selector.n_words - 1]);
        }
        return r;
}

typedef struct Words {
        char **items;
        size_t n;
} Words;

static int words_add(Words *words, char *word) {
        char **grown = word ? reallocarray(words->items, words->n + 2, sizeof(char *)) : NULL;

        if (!grown) {
                free(word);
                return -ENOMEM;
        }
        words->items = grown;
        grown[words->n++] = word;
        grown[words->n] = NULL;
        return 0;
}

/* A word that is nothing but {TOOL}. 1 when it was. */
static int expand_tool(const ProbeView *probe, const char *word, Words *words) {
        ToolProbe tool_probe = expand_tool_probe(probe);
        _cleanup_free_ char *name = NULL;
        size_t n = strlen(word);
        ToolSelector selector;
        int tool, r;

        if (n < 3 || word[0] != '{' || word[n - 1] != '}')
                return 0;
        name = strndup(word + 1, n - 2);
        if (!name)
                return -ENOMEM;
        tool = tool_from_string(name);
        if (tool < 0)
                return 0;
        r = tool_selector_make((Tool) tool, &tool_probe, &selector);
        if (r < 0) {
                client_say("%s cannot be told to use this probe: %s.", name, expand_problem(r));
                return -ENODATA;
        }
        for (unsigned i = 0; r >= 0 && i < selector.n_words; i++)
                r = words_add(words, strdup(selector.words[i]));
        return r < 0 ? r : 1;
}

/* The field that a "{" begins, and the length with its braces; -ENOENT: none. */
static int find_field(const char *text, size_t *ret_length) {
        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                size_t n = strlen(fields[i].name);

                if (strncmp(text + 1, fields[i].name, n) == 0 && text[n + 1] == '}') {
                        *ret_length = n + 2;
                        return (int) i;
                }
        }
        return -ENOENT;
}

static int expand_word(const ProbeView *probe, const char *word, Words *words) {
        char *expanded = NULL;
        size_t size = 0;
        FILE *stream = open_memstream(&expanded, &size);

        if (!stream)
                return -ENOMEM;
        for (const char *s = word; *s;) {
                size_t length = 1;
                int i = *s == '{' ? find_field(s, &length) : -ENOENT;

                if (i >= 0 && !field(probe, (size_t) i)) {
                        client_say("There is nothing to put in place of {%s}.", fields[i].name);
                        (void) fclose(stream);
                        free(expanded);
                        return -ENODATA;
                }
                if (i >= 0)
                        (void) fputs(field(probe, (size_t) i), stream);
                else
                        (void) fputc(*s, stream);
                s += length;
        }
        if (fclose(stream) != 0) {
                free(expanded);
                return -ENOMEM;
        }
        return words_add(words, expanded);
}

int expand_command(const ProbeView *probe, char *const *command, char ***ret) {
        Words words = {};
        int r = 0;

        for (char *const *word = command; r >= 0 && *word; word++) {
                r = expand_tool(probe, *word, &words);
                if (r == 0)
                        r = expand_word(probe, *word, &words);
        }
        if (r < 0) {
                strings_free(words.items);
                return r;
        }
        *ret = words.items;
        return 0;
}
