/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "ctl/client.h"
#include "ctl/help.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

static int see_help(void) {
        client_say_more("See stlinkctl --help.");
        return EXIT_CODE_USAGE;
}

/* Whether a verb was called with what it takes; says what is wrong. */
static bool check_call(const Verb *verb, int n, const Options *options) {
        unsigned wrong = options->given & ~(verb->options | OPTION_HELP | OPTION_VERSION);

        if (wrong) {
                Option first = (Option) (wrong & -wrong);

                client_say("Option '--%s' means nothing to '%s'.", option_name(first), verb->name);
                return false;
        }
        if (n < verb->min_words) {
                client_say(verb->is_wrapper ? "'%s' needs a command to run."
                                            : "'%s' needs more than that.",
                           verb->name);
                return false;
        }
        if (verb->max_words >= 0 && n > verb->max_words) {
                client_say(verb->max_words == 0   ? "'%s' takes no arguments."
                           : verb->max_words == 1 ? "'%s' takes one probe only."
                                                  : "'%s' takes no more than that.",
                           verb->name);
                return false;
        }
        return true;
}

/* The exit codes of a command that is run come first; ours must differ from them. */
static int own_failure(const Verb *verb, int code) {
        return verb && verb->is_wrapper ? exit_code_of_wrapper((ExitCode) code) : code;
}

static int run_verb(int argc, char **argv, Options *options) {
        const Verb *verb = verb_find(argc > 0 ? argv[0] : NULL);
        int first = 0;

        if (!verb) {
                client_say("Unknown verb '%s'.", argv[0]);
                return see_help();
        }
        if (argc > 0)
                first = options_parse(options, argc, argv, verb->is_wrapper);
        if (first < 0)
                return own_failure(verb, see_help());
        if (options->given & OPTION_HELP)
                return help_print();
        if (options->given & OPTION_VERSION)
                return help_print_version();
        if (!check_call(verb, argc - first, options))
                return own_failure(verb, see_help());
        return verb->run(argc - first, argv + first, options);
}

int main(int argc, char **argv) {
        Options options;
        int first, code, r;

        (void) setlocale(LC_CTYPE, "");
        options_init(&options);
        first = options_parse(&options, argc, argv, /* in_order= */ true);
        if (first < 0)
                return see_help();
        code = run_verb(argc - first, argv + first, &options);

        r = output_finish();
        if (r < 0 && code == EXIT_CODE_OK) {
                client_say("Cannot write the output: %s", strerror(-r));
                code = EXIT_CODE_FAILURE;
        }
        return code;
}
