/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What udev's rules make of a probe's node: a reading of the part of their language (udev(7)) that
 * decides about owner, group, mode and the access of whoever sits at the machine. Pure. */

#define RULES_FILE_MAX  256
#define RULES_VALUE_MAX 64

/* A line of a rule file, and what it assigns. */
typedef struct RulePlace {
        char file[RULES_FILE_MAX]; /* path; "" when there is no such line */
        unsigned line;
        char value[RULES_VALUE_MAX];
} RulePlace;

typedef enum RuleRemarkKind {
        RULE_GROUP_MISSING,  /* GROUP= of a group that does not exist */
        RULE_GROUP_ORDINARY, /* … of one that is not a system group: systemd >= 258 drops the line
                              */
        RULE_FINAL,          /* := : nothing that comes later counts */
        RULE_TOO_LATE,       /* TAG+="uaccess" in a file that sorts after 73-seat-late.rules */
        RULE_MASKED,         /* the same name stands in a directory that counts more */
        RULE_ANYBODY,        /* a mode that lets everybody write */
        RULE_BROKEN,         /* cannot be read */
        _RULE_REMARK_MAX,
} RuleRemarkKind;

typedef struct RuleRemark {
        RuleRemarkKind kind;
        RulePlace place;
} RuleRemark;

#define RULE_REMARKS_MAX 16

typedef struct RulesReport {
        RulePlace mode, owner, group, uaccess; /* the line that won */
        bool mode_final, owner_final, group_final;
        RuleRemark remarks[RULE_REMARKS_MAX];
        size_t n_remarks;
} RulesReport;

typedef enum GroupKind {
        GROUP_SYSTEM,
        GROUP_ORDINARY,
        GROUP_MISSING
} GroupKind;

/* The device that the rules are tried on, and the machine they are tried for. */
typedef struct RulesSubject {
        const char *kernel; /* "1-1.2" */
        uint16_t product_id;
        int systemd_version; /* 0: not known */
        GroupKind (*look_up_group)(const char *name);
} RulesSubject;

#define RULES_ENV_MAX 32

typedef struct RulesState {
        const RulesSubject *subject;
        RulesReport *report;
        struct {
                char name[RULES_VALUE_MAX], value[RULES_VALUE_MAX];
        } env[RULES_ENV_MAX];
        size_t n_env;
        bool uaccess; /* the tag is set */
} RulesState;

/* Start; the report is filled while files are fed in the order of their names. */
void rules_begin(RulesState *state, const RulesSubject *subject, RulesReport *report);
void rules_feed(RulesState *state, const char *path, const char *text);

/* Note that a file does not count, because of another one of the same name. */
void rules_add_masked(RulesReport *report, const char *path, const char *by);

/* Whether a file says anything about ST's devices. */
bool rules_mention_st(const char *text);

/* Whose file that is by its name, such as "OpenOCD"; NULL when we do not know. */
const char *rules_file_owner(const char *path);

/* Read this machine's rules. root is put before each directory, "" for none. 0 or a negative
 * errno; a file that cannot be read is passed over. */
int rules_read(const char *root, const RulesSubject *subject, RulesReport *ret);
