/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "ctl/client.h"
#include "ctl/explain.h"
#include "ctl/output.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

#define TEXT_SIZE_MAX (1024 * 1024)
#define INDENT        10

static const char *const certainty_words[] = {
        [CERTAINTY_SEEN] = "seen",
        [CERTAINTY_POSSIBLE] = "possible",
        [CERTAINTY_RULED_OUT] = "ruled-out",
};

static int read_input(char **ret, size_t *ret_size) {
        _cleanup_free_ char *text = malloc(TEXT_SIZE_MAX);
        ssize_t n;

        if (!text)
                return -ENOMEM;
        n = read_full(STDIN_FILENO, text, TEXT_SIZE_MAX);
        if (n < 0)
                return (int) n;
        *ret = TAKE_PTR(text);
        *ret_size = (size_t) n;
        return 0;
}

static int join_words(int n, char **words, char **ret, size_t *ret_size) {
        size_t size = 1, at = 0;
        char *text;

        for (int i = 0; i < n; i++)
                size += strlen(words[i]) + 1;
        text = malloc(size);
        if (!text)
                return -ENOMEM;
        for (int i = 0; i < n; i++)
                at += (size_t) snprintf(text + at, size - at, "%s%s", i > 0 ? " " : "", words[i]);
        *ret = text;
        *ret_size = at;
        return 0;
}

static void describe_hit(Rows *rows, const ExplainHit *hit) {
        Row *row = rows_add(rows);

        row_set_string(row, "name", hit->explanation->name);
        row_set_string(row, "tool", hit->explanation->tool);
        row_set_string(row, "text", hit->text);
        row_set_integer(row, "line", (int64_t) hit->line + 1);
        row_set_string(row, "note", hit->explanation->note[0] ? hit->explanation->note : NULL);
        row_set_string(row, "source", hit->explanation->source);
}

static void describe_finding(Rows *rows, const Finding *finding) {
        Row *row = rows_add(rows);

        row_set_string(row, "cause", cause_name(finding->cause));
        row_set_string(row, "title", cause_title(finding->cause));
        row_set_string(row, "certainty", certainty_words[finding->certainty]);
        row_set_string(row, "evidence", finding->evidence[0] ? finding->evidence : NULL);
        row_set_string(row, "next", finding->next[0] ? finding->next : NULL);
}

static void describe_probe_fact(Rows *rows, const ProbeFact *probe) {
        Row *row = rows_add(rows);

        row_set_string(row, "port", probe->port);
        row_set_string(row, "name", probe->name);
        row_set_string(row, "serial", probe->serial[0] ? probe->serial : NULL);
        row_set_string(row, "node", probe->node);
        row_set_boolean(row, "accessible", probe->access == 0);
        row_set_string(row, "state", probe->view ? probe->view->state : NULL);
        row_set_integer(row, "users", (int64_t) probe->n_holders);
}

static void print_hits(const Rows *hits) {
        for (size_t i = 0; i < hits->n; i++) {
                const Row *hit = hits->items[i];
                const char *note = row_get_text(hit, "note");

                (void) printf("%s%s:%s %s\n", text_style(STYLE_BOLD), row_get_text(hit, "tool"),
                              text_style(STYLE_NORMAL), row_get_text(hit, "text"));
                if (note)
                        output_field(NULL, note, 4);
        }
}

static void print_finding(const Row *finding) {
        static const struct {
                const char *mark, *ascii, *word;
                Style style;
        } looks[] = {
                [CERTAINTY_SEEN] = { "●", "*", "yes", STYLE_BAD },
                [CERTAINTY_POSSIBLE] = { "○", "?", "perhaps", STYLE_ATTENTION },
                [CERTAINTY_RULED_OUT] = { "✗", "-", "no", STYLE_DIM },
        };
        const char *certainty = row_get_string(finding, "certainty");
        const char *next = row_get_text(finding, "next");
        size_t which = 0;

        while (strcmp(certainty_words[which], certainty) != 0)
                which++;
        (void) printf("%s%s %-7s%s  %s%s%s\n", text_style(looks[which].style),
                      text_is_utf8() ? looks[which].mark : looks[which].ascii, looks[which].word,
                      text_style(STYLE_NORMAL),
                      text_style(which == CERTAINTY_RULED_OUT ? STYLE_DIM : STYLE_BOLD),
                      row_get_text(finding, "title"), text_style(STYLE_NORMAL));
        if (row_get_text(finding, "evidence"))
                output_field(NULL, row_get_text(finding, "evidence"), INDENT + 1);
        if (next && which != CERTAINTY_RULED_OUT)
                output_command("Next", next, INDENT + 7);
}

static void print_unknown(const Rows *probes) {
        (void) printf("None of these words is known. What there is to see:\n");
        for (size_t i = 0; i < probes->n; i++) {
                const Row *probe = probes->items[i];
                const char *state = row_get_text(probe, "state");
                const Cell *accessible = row_get(probe, "accessible");

                (void) printf("  %s at port %s%s%s, %s\n", row_get_text(probe, "name"),
                              row_get_text(probe, "port"), state ? ", " : "", state ? state : "",
                              accessible && accessible->boolean ? "you may use its node"
                                                                : "you may not use its node");
        }
        if (probes->n == 0)
                (void) printf("  no ST-LINK is plugged in\n");
        (void) printf("Examine it:  stlinkctl doctor\n");
}

static ExitCode print(const Facts *facts, const ExplainHit *hits, size_t n, bool json) {
        _cleanup_(rows_freep) Rows *rows = rows_new();
        Row *row = rows ? rows_add(rows) : NULL;
        Rows *matches, *causes, *probes;
        Finding findings[_CAUSE_MAX];
        Cause list[_CAUSE_MAX];
        size_t n_causes = explain_causes(hits, n, list);
        int r = row ? 0 : -ENOMEM;

        causes_check(list, n_causes, facts, findings);
        matches = row_set_rows(row, "matches");
        for (size_t i = 0; i < n; i++)
                describe_hit(matches, &hits[i]);
        causes = row_set_rows(row, "causes");
        for (size_t i = 0; i < n_causes; i++)
                describe_finding(causes, &findings[i]);
        probes = row_set_rows(row, "probes");
        for (size_t i = 0; i < facts->n_probes; i++)
                describe_probe_fact(probes, &facts->probes[i]);
        if (r >= 0)
                r = rows_error(rows);
        if (r < 0)
                return client_report(NULL, r);
        if (json) {
                r = output_json_row(row, /* one_line= */ false);
                if (r < 0)
                        return client_report(NULL, r);
        } else if (n == 0)
                print_unknown(probes);
        else {
                print_hits(matches);
                for (size_t i = 0; i < causes->n; i++)
                        print_finding(causes->items[i]);
        }
        return n == 0 ? EXIT_CODE_FAILURE : EXIT_CODE_OK;
}

int verb_explain(int n, char **words, const Options *options) {
        _cleanup_free_ char *text = NULL;
        _cleanup_facts_ Facts facts = {};
        ExplainHit hits[EXPLAIN_HITS_MAX];
        size_t size = 0, n_hits;
        int r;

        if (n == 0 && isatty(STDIN_FILENO)) {
                client_say("Explain what? Give the message, or \"-\" and paste it, then Ctrl-D.");
                return EXIT_CODE_USAGE;
        }
        if (n == 0 || (n == 1 && strcmp(words[0], "-") == 0))
                r = read_input(&text, &size);
        else
                r = join_words(n, words, &text, &size);
        if (r >= 0)
                r = facts_gather(/* bus_too= */ true, &facts);
        if (r < 0)
                return client_report(NULL, r);
        n_hits = explain_find(text, size, hits);
        return print(&facts, hits, n_hits, options->json);
}
