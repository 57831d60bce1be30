/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "bus/errors.h"
#include "ctl/options.h"

/* What stlinkctl can do, one function per verb and file. words are what follows the verb, n of
 * them; each returns the program's exit code. */

typedef struct Verb {
        const char *name;
        int min_words, max_words; /* max_words -1: any number */
        unsigned options;         /* mask of Option that it takes, besides --help and the like */
        bool is_wrapper;          /* what follows is a command with options of its own */
        int (*run)(int n, char **words, const Options *options);
} Verb;

/* NULL when there is no such verb; a NULL name means the one that is used without any. */
const Verb *verb_find(const char *name);

/* Walk the table: index from 0 until NULL. */
const Verb *verb_at(size_t index);

/* The code with which a wrapper ends when it failed itself, so that the codes of the command it
 * runs can be told apart: 120 to 126. */
#define WRAPPER_CODE_CANNOT_RUN 126 /* the command could not be started */
int exit_code_of_wrapper(ExitCode code);

int verb_status(int n, char **words, const Options *options);
int verb_list(int n, char **words, const Options *options);
int verb_monitor(int n, char **words, const Options *options);
int verb_run(int n, char **words, const Options *options);
int verb_connect(int n, char **words, const Options *options);
int verb_reset(int n, char **words, const Options *options);
int verb_halt(int n, char **words, const Options *options);
int verb_resume(int n, char **words, const Options *options);
int verb_read(int n, char **words, const Options *options);
int verb_write(int n, char **words, const Options *options);
int verb_mode(int n, char **words, const Options *options);
int verb_firmware(int n, char **words, const Options *options);
int verb_selector(int n, char **words, const Options *options);
int verb_alias(int n, char **words, const Options *options);
int verb_unalias(int n, char **words, const Options *options);
int verb_lock(int n, char **words, const Options *options);
int verb_unlock(int n, char **words, const Options *options);
int verb_delegate(int n, char **words, const Options *options);
int verb_history(int n, char **words, const Options *options);
int verb_release(int n, char **words, const Options *options);
int verb_renew(int n, char **words, const Options *options);
int verb_recover(int n, char **words, const Options *options);
int verb_policy(int n, char **words, const Options *options);
int verb_tty(int n, char **words, const Options *options);
int verb_leases(int n, char **words, const Options *options);
int verb_doctor(int n, char **words, const Options *options);
int verb_explain(int n, char **words, const Options *options);
