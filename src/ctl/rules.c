/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/text.h"
#include "ctl/rules.h"

/* Rules of this file act on the tag, which must be set before (systemd, rules.d/) */
#define SEAT_RULES "73-seat-late.rules"

/* From this version on a line whose GROUP= is no system group is ignored as a whole (systemd's
 * NEWS for 258; seen in zephyrproject-rtos/openocd #74). */
#define SYSTEMD_STRICT 258

typedef enum Operator {
        OP_EQUAL,
        OP_UNEQUAL,
        OP_ADD,
        OP_REMOVE,
        OP_FINAL,
        OP_ASSIGN,
        _OP_MAX,
} Operator;

static const char operators[_OP_MAX][3] = { "==", "!=", "+=", "-=", ":=", "=" };

typedef struct Token {
        char key[RULES_VALUE_MAX], attribute[RULES_VALUE_MAX];
        Operator op;
        char value[1024];
} Token;

#define TOKENS_MAX 48

typedef struct Line {
        const char *file;
        unsigned number;
        Token tokens[TOKENS_MAX];
        size_t n;
} Line;

static const char *base_name(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static void set_place(RulePlace *place, const Line *line, const char *value) {
        *place = (RulePlace){ .line = line->number };
        (void) snprintf(place->file, sizeof(place->file), "%s", line->file);
        (void) text_escape(value, strlen(value), place->value, sizeof(place->value));
}

static void add_remark(RulesReport *report, RuleRemarkKind kind, const Line *line,
                       const char *value) {
        RuleRemark *remark;

        if (report->n_remarks == RULE_REMARKS_MAX)
                return;
        remark = &report->remarks[report->n_remarks++];
        remark->kind = kind;
        set_place(&remark->place, line, value);
}

void rules_add_masked(RulesReport *report, const char *path, const char *by) {
        Line line = { .file = path };

        add_remark(report, RULE_MASKED, &line, by);
}

bool rules_mention_st(const char *text) {
        return strstr(text, "0483") || strstr(text, "ID_STLINK");
}

const char *rules_file_owner(const char *path) {
        static const struct {
                const char *pattern, *owner;
        } owners[] = {
                { "69-stlinkd.rules", "stlinkd" },
                { "*openocd*.rules", "OpenOCD" },
                { "49-stlinkv*.rules", "stlink, pyOCD or ST's st-stlink-udev-rules" },
                { "*st-stlink*.rules", "ST" },
                { "*st-link*.rules", "ST" },
                { "*platformio*.rules", "PlatformIO" },
                { "*probe-rs*.rules", "probe-rs" },
                { "50-cmsis-dap.rules", "pyOCD" },
                { "*stlink*.rules", "a guide or blackmagic" },
                { "50-udev-default.rules", "systemd" },
                { "7?-*uaccess.rules", "systemd" },
        };

        for (size_t i = 0; i < ELEMENTSOF(owners); i++)
                if (fnmatch(owners[i].pattern, base_name(path), 0) == 0)
                        return owners[i].owner;
        return NULL;
}

/* --- reading ------------------------------------------------------------------------------ */

static const char *skip_blanks(const char *s) {
        return s + strspn(s, " \t\r,");
}

static size_t copy(char *to, size_t size, const char *from, size_t n) {
        n = MIN(n, size - 1);
        memcpy(to, from, n);
        to[n] = '\0';
        return n;
}

/* KEY or KEY{attribute}; NULL when there is none. */
static const char *read_key(const char *s, Token *token) {
        size_t n = 0;

        while (isupper((unsigned char) s[n]) || s[n] == '_')
                n++;
        if (n == 0)
                return NULL;
        copy(token->key, sizeof(token->key), s, n);
        s += n;
        token->attribute[0] = '\0';
        if (*s != '{')
                return s;
        n = strcspn(s, "}");
        if (s[n] != '}')
                return NULL;
        copy(token->attribute, sizeof(token->attribute), s + 1, n - 1);
        return s + n + 1;
}

static const char *read_operator(const char *s, Token *token) {
        for (int i = 0; i < _OP_MAX; i++) {
                size_t n = strlen(operators[i]);

                if (strncmp(s, operators[i], n) == 0) {
                        token->op = (Operator) i;
                        return s + n;
                }
        }
        return NULL;
}

/* "…", in which \" is a quotation mark, or e"…" with C's escapes, of which we need none. */
static const char *read_value(const char *s, Token *token) {
        size_t n = 0;

        if (*s == 'e' || *s == 'i')
                s++;
        if (*s++ != '"')
                return NULL;
        for (; *s && *s != '"'; s++) {
                if (*s == '\\' && s[1] == '"')
                        s++;
                if (n < sizeof(token->value) - 1)
                        token->value[n++] = *s;
        }
        token->value[n] = '\0';
        return *s == '"' ? s + 1 : NULL;
}

/* Whether it could be read. */
static bool read_tokens(const char *s, Line *line) {
        for (s = skip_blanks(s); *s; s = skip_blanks(s)) {
                Token *token = &line->tokens[line->n];

                if (line->n == TOKENS_MAX)
                        return true; /* a line about something else, with its many tokens */
                s = read_key(s, token);
                if (s)
                        s = read_operator(skip_blanks(s), token);
                if (s)
                        s = read_value(skip_blanks(s), token);
                if (!s)
                        return false;
                line->n++;
        }
        return true;
}

/* --- matching ----------------------------------------------------------------------------- */

/* Alternatives of shell patterns. */
static bool pattern_fits(const char *pattern, const char *value) {
        char one[1024];

        for (;;) {
                size_t n = strcspn(pattern, "|");

                copy(one, sizeof(one), pattern, n);
                if (fnmatch(one, value, 0) == 0)
                        return true;
                if (pattern[n] == '\0')
                        return false;
                pattern += n + 1;
        }
}

static const char *get_env(const RulesState *state, const char *name) {
        for (size_t i = 0; i < state->n_env; i++)
                if (strcmp(state->env[i].name, name) == 0)
                        return state->env[i].value;
        return "";
}

static void set_env(RulesState *state, const char *name, const char *value) {
        size_t i = 0;

        while (i < state->n_env && strcmp(state->env[i].name, name) != 0)
                i++;
        if (i == RULES_ENV_MAX)
                return;
        copy(state->env[i].name, sizeof(state->env[i].name), name, strlen(name));
        copy(state->env[i].value, sizeof(state->env[i].value), value, strlen(value));
        state->n_env = MAX(state->n_env, i + 1);
}

/* What we know of the device under that key; NULL for what we do not. */
static const char *get_property(const RulesState *state, const Token *token, char *buffer) {
        bool attribute = strcmp(token->key, "ATTR") == 0 || strcmp(token->key, "ATTRS") == 0;

        if (strcmp(token->key, "ACTION") == 0)
                return "add";
        if (strcmp(token->key, "SUBSYSTEM") == 0 || strcmp(token->key, "SUBSYSTEMS") == 0)
                return "usb";
        if (strcmp(token->key, "KERNEL") == 0 || strcmp(token->key, "KERNELS") == 0)
                return state->subject->kernel;
        if (strcmp(token->key, "ENV") == 0)
                return get_env(state, token->attribute);
        if (strcmp(token->key, "TAG") == 0 || strcmp(token->key, "TAGS") == 0)
                return state->uaccess ? "uaccess" : "";
        if (attribute && strcmp(token->attribute, "idVendor") == 0)
                return "0483";
        if (attribute && strcmp(token->attribute, "idProduct") == 0) {
                (void) snprintf(buffer, RULES_VALUE_MAX, "%04x", state->subject->product_id);
                return buffer;
        }
        return NULL;
}

static bool token_fits(const RulesState *state, const Token *token) {
        char buffer[RULES_VALUE_MAX];
        const char *value = get_property(state, token, buffer);
        bool equal = token->op == OP_EQUAL;

        /* Of what we cannot know we assume that it is not the special case. */
        if (!value)
                return !equal;
        return pattern_fits(token->value, value) == equal;
}

static bool line_fits(const RulesState *state, const Line *line) {
        for (size_t i = 0; i < line->n; i++)
                if (line->tokens[i].op <= OP_UNEQUAL && !token_fits(state, &line->tokens[i]))
                        return false;
        return true;
}

/* --- acting ------------------------------------------------------------------------------- */

static bool is_assignment(const Token *token, const char *key) {
        return token->op > OP_UNEQUAL && strcmp(token->key, key) == 0;
}

/* Whether the line as a whole is ignored. */
static bool judge_group(RulesState *state, const Line *line, const Token *token) {
        const RulesSubject *subject = state->subject;
        GroupKind kind = subject->look_up_group(token->value);

        if (kind == GROUP_SYSTEM)
                return false;
        add_remark(state->report, kind == GROUP_MISSING ? RULE_GROUP_MISSING : RULE_GROUP_ORDINARY,
                   line, token->value);
        return subject->systemd_version >= SYSTEMD_STRICT;
}

static void assign(RulesState *state, const Line *line, const Token *token, RulePlace *place,
                   bool *final) {
        if (*final)
                return;
        set_place(place, line, token->value);
        if (token->op != OP_FINAL)
                return;
        *final = true;
        add_remark(state->report, RULE_FINAL, line, token->key);
}

static void assign_mode(RulesState *state, const Line *line, const Token *token) {
        unsigned long mode = strtoul(token->value, NULL, 8);

        if (mode & 2 && !state->report->mode_final)
                add_remark(state->report, RULE_ANYBODY, line, token->value);
        assign(state, line, token, &state->report->mode, &state->report->mode_final);
}

static void assign_tag(RulesState *state, const Line *line, const Token *token) {
        if (strcmp(token->value, "uaccess") != 0)
                return;
        if (token->op == OP_REMOVE) {
                state->uaccess = false;
                state->report->uaccess = (RulePlace){};
                return;
        }
        if (strcmp(base_name(line->file), SEAT_RULES) > 0) {
                if (!state->uaccess)
                        add_remark(state->report, RULE_TOO_LATE, line, token->value);
                return;
        }
        state->uaccess = true;
        set_place(&state->report->uaccess, line, token->value);
}

static void act(RulesState *state, const Line *line, const Token *token) {
        RulesReport *report = state->report;

        if (is_assignment(token, "MODE"))
                assign_mode(state, line, token);
        else if (is_assignment(token, "OWNER"))
                assign(state, line, token, &report->owner, &report->owner_final);
        else if (is_assignment(token, "GROUP")) {
                if (state->subject->look_up_group(token->value) != GROUP_MISSING)
                        assign(state, line, token, &report->group, &report->group_final);
        } else if (is_assignment(token, "TAG"))
                assign_tag(state, line, token);
        else if (is_assignment(token, "ENV"))
                set_env(state, token->attribute, token->value);
}

/* Carry out a line; returns the label to go on at, or NULL. */
static const char *carry_out(RulesState *state, const Line *line) {
        if (!line_fits(state, line))
                return NULL;
        for (size_t i = 0; i < line->n; i++)
                if (is_assignment(&line->tokens[i], "GROUP") &&
                    judge_group(state, line, &line->tokens[i]))
                        return NULL;
        for (size_t i = 0; i < line->n; i++)
                act(state, line, &line->tokens[i]);
        for (size_t i = 0; i < line->n; i++)
                if (is_assignment(&line->tokens[i], "GOTO"))
                        return line->tokens[i].value;
        return NULL;
}

static bool has_label(const Line *line, const char *label) {
        for (size_t i = 0; i < line->n; i++)
                if (is_assignment(&line->tokens[i], "LABEL") &&
                    strcmp(line->tokens[i].value, label) == 0)
                        return true;
        return false;
}

void rules_begin(RulesState *state, const RulesSubject *subject, RulesReport *report) {
        char product[8];

        *state = (RulesState){ .subject = subject, .report = report };
        *report = (RulesReport){};
        (void) snprintf(product, sizeof(product), "%04x", subject->product_id);
        set_env(state, "DEVTYPE", "usb_device");
        set_env(state, "MAJOR", "189");
        set_env(state, "ID_VENDOR_ID", "0483");
        set_env(state, "ID_MODEL_ID", product);
}

/* One line as written, with the lines that continue it; returns what follows. */
static const char *read_line(const char *text, char *buffer, size_t size, unsigned *count) {
        size_t n = 0;

        for (*count = 0;;) {
                size_t length = strcspn(text, "\n");
                bool last = text[length] == '\0';
                bool continues = length > 0 && text[length - 1] == '\\' && buffer[0] != '#';
                size_t taken = continues ? length - 1 : length;

                n += copy(buffer + n, size - n, text, taken);
                ++*count;
                text += length + (last ? 0 : 1);
                /* A comment does not go on, whatever it ends with. */
                if (last || !continues || buffer[strspn(buffer, " \t")] == '#')
                        return text;
        }
}

void rules_feed(RulesState *state, const char *path, const char *text) {
        char label[RULES_VALUE_MAX] = "";
        unsigned number = 1, count;

        for (; *text; number += count) {
                char buffer[4096] = "";
                const char *start, *go_to;
                Line line = { .file = path, .number = number };

                text = read_line(text, buffer, sizeof(buffer), &count);
                start = buffer + strspn(buffer, " \t");
                if (*start == '#' || *start == '\0')
                        continue;
                if (!read_tokens(start, &line)) {
                        if (rules_mention_st(start))
                                add_remark(state->report, RULE_BROKEN, &line, start);
                        continue;
                }
                if (label[0] && !has_label(&line, label))
                        continue;
                label[0] = '\0';
                go_to = carry_out(state, &line);
                if (go_to)
                        copy(label, sizeof(label), go_to, strlen(go_to));
        }
}
