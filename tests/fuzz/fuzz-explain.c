/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/explain.h"
#include "ctl/kernel-log.h"
#include "ctl/rules.h"

/* Text that people paste, rule files, and lines of the kernel's log: whatever is in them, what
 * comes out is in order. The first byte of the input chooses what is tried with the rest. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
        if (!holds)
                abort();
}

static void try_explain(const char *text, size_t size) {
        ExplainHit hits[EXPLAIN_HITS_MAX];
        Cause causes[_CAUSE_MAX];
        size_t n = explain_find(text, size, hits), n_causes;

        require(n <= EXPLAIN_HITS_MAX);
        for (size_t i = 0; i < n; i++) {
                require(hits[i].line <= size);
                for (size_t k = 0; k < i; k++)
                        require(hits[i].explanation != hits[k].explanation);
                require(i == 0 || hits[i - 1].line <= hits[i].line);
        }
        n_causes = explain_causes(hits, n, causes);
        require((n == 0) == (n_causes == 0) && n_causes <= _CAUSE_MAX);
}

static GroupKind look_up_group(const char *name) {
        return name[0] == 'p' ? GROUP_SYSTEM : name[0] == 'u' ? GROUP_ORDINARY : GROUP_MISSING;
}

static void check_place(const RulePlace *place) {
        for (const char *s = place->value; *s; s++)
                require((unsigned char) *s >= ' ' && *s != 0x7f);
        require(strlen(place->file) < sizeof(place->file));
}

static void try_rules(const char *text, int version) {
        RulesSubject subject = { .kernel = "1-1.2",
                                 .product_id = 0x374b,
                                 .systemd_version = version,
                                 .look_up_group = look_up_group };
        RulesReport report;
        RulesState state;

        rules_begin(&state, &subject, &report);
        rules_feed(&state, "/etc/udev/rules.d/60-a.rules", text);
        rules_feed(&state, "/etc/udev/rules.d/99-b.rules", text);
        require(report.n_remarks <= RULE_REMARKS_MAX);
        for (size_t i = 0; i < report.n_remarks; i++)
                check_place(&report.remarks[i].place);
        check_place(&report.mode);
        check_place(&report.group);
        check_place(&report.owner);
        check_place(&report.uaccess);
}

static void try_log(const char *text) {
        KernelLog log = {};

        kernel_log_add(&log, "1-1.2", text);
        kernel_log_add(&log, NULL, text);
        require(strlen(log.last) < sizeof(log.last));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text;

        if (size == 0)
                return 0;
        text = strndup((const char *) data + 1, size - 1);
        require(text);
        switch (data[0]) {
        case 'e':
                try_explain((const char *) data + 1, size - 1);
                break;
        case 'r':
                try_rules(text, 252);
                break;
        case 'R':
                try_rules(text, 258);
                break;
        case 'k':
                try_log(text);
                break;
        }
        free(text);
        return 0;
}
