/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/client.h"
#include "ctl/expand.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

static const Column columns[] = {
        { "tool", "TOOL", 0 },
        { "arguments", "ARGUMENTS", 0 },
};

/* As a shell takes it. Words hold nothing that single quotes do not protect. */
static void quote(char *line, size_t size, const ToolSelector *selector) {
        size_t used = 0;

        line[0] = '\0';
        for (unsigned i = 0; i < selector->n_words && used < size; i++) {
                const char *mark = strchr(selector->words[i], ' ') ? "'" : "";

                used += (size_t) snprintf(line + used, size - used, "%s%s%s%s", i > 0 ? " " : "",
                                          mark, selector->words[i], mark);
        }
}

static int describe(Rows *rows, Tool tool, const ProbeView *probe) {
        ToolProbe tool_probe = expand_tool_probe(probe);
        char line[TOOL_WORDS_MAX * (TOOL_WORD_MAX + 3)];
        char *list[TOOL_WORDS_MAX + 1] = {};
        Row *row = rows_add(rows);
        ToolSelector selector;
        int r = tool_selector_make(tool, &tool_probe, &selector);

        row_set_string(row, "tool", tool_to_string(tool));
        if (r < 0) {
                row_set_none(row, "arguments");
                row_set_string(row, "problem", expand_problem(r));
                row_set_text(row, "arguments", "(%s)", expand_problem(r));
                return r;
        }
        for (unsigned i = 0; i < selector.n_words; i++)
                list[i] = selector.words[i];
        quote(line, sizeof(line), &selector);
        row_set_list(row, "arguments", list);
        row_set_text(row, "arguments", "%s", line);
        row_set_string(row, "by", selector.by_port ? "port" : "serial");
        row_set_string(row, "variable", selector.variable);
        return 0;
}

static ExitCode print_all(const ProbeView *probe, const Options *options) {
        _cleanup_(rows_freep) Rows *rows = rows_new();
        int r;

        if (!rows)
                return client_report(NULL, -ENOMEM);
        for (int tool = 0; tool < _TOOL_MAX; tool++)
                (void) describe(rows, (Tool) tool, probe);
        r = options->json ? output_json_rows(rows)
                          : output_table(rows, columns, ELEMENTSOF(columns), options->legend);
        return r < 0 ? client_report(NULL, r) : EXIT_CODE_OK;
}

static ExitCode print_one(Tool tool, const ProbeView *probe, bool json) {
        _cleanup_(rows_freep) Rows *rows = rows_new();
        int r, problem;

        if (!rows)
                return client_report(NULL, -ENOMEM);
        problem = describe(rows, tool, probe);
        r = rows_error(rows);
        if (r >= 0 && json)
                r = output_json_row(rows->items[0], /* one_line= */ false);
        else if (r >= 0 && problem >= 0)
                (void) puts(row_get_text(rows->items[0], "arguments"));
        if (r < 0)
                return client_report(NULL, r);
        if (problem >= 0)
                return EXIT_CODE_OK;
        client_say("%s cannot be told to use this probe: %s.", tool_to_string(tool),
                   expand_problem(problem));
        if (problem != -EOPNOTSUPP)
                client_say_more("OpenOCD can, by its port:  stlinkctl selector --for=openocd %s",
                                probe->port_path ? probe->port_path : "");
        return EXIT_CODE_FAILURE;
}

int verb_selector(int n, char **words, const Options *options) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        int tool = options->purpose ? tool_from_string(options->purpose) : 0;
        ProbeView *probe;
        ExitCode code;

        if (options->given & OPTION_FOR && (!options->purpose || tool < 0)) {
                client_say("--for is 'openocd', 'stlink', 'pyocd', 'probe-rs' or "
                           "'cubeprogrammer'.");
                return EXIT_CODE_USAGE;
        }
        code = client_begin(/* with_manager= */ false, &bus, &snapshot);
        if (code == EXIT_CODE_OK)
                code = client_select(snapshot, n > 0 ? words[0] : options->probe, &probe);
        if (code != EXIT_CODE_OK)
                return code;
        return options->purpose ? print_one((Tool) tool, probe, options->json)
                                : print_all(probe, options);
}
