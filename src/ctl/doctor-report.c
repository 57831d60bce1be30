/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "ctl/doctor.h"
#include "ctl/text.h"

/* The report as a page of its own: no script, nothing fetched, light and dark. */

static const char head[] =
        "<!DOCTYPE html>\n"
        "<html lang=\"en\">\n"
        "<head>\n"
        "<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<title>ST-LINK report</title>\n"
        "<style>\n"
        ":root { --paper: #fff; --ink: #1d2430; --faint: #667085; --line: #e4e7ec;\n"
        "  --ok: #12805c; --note: #9a6700; --bad: #c0322b; --wash: #f7f8fa; }\n"
        "@media (prefers-color-scheme: dark) { :root { --paper: #14181f; --ink: #e6e9ef;\n"
        "  --faint: #98a2b3; --line: #2b3240; --ok: #4cc38a; --note: #e2b341; --bad: #ff7b72;\n"
        "  --wash: #1b212b; } }\n"
        "* { box-sizing: border-box; }\n"
        "body { margin: 0; padding: 2.5rem 1rem; background: var(--paper); color: var(--ink);\n"
        "  font: 15px/1.5 system-ui, \"Segoe UI\", \"Noto Sans\", sans-serif; }\n"
        "main { max-width: 54rem; margin: 0 auto; }\n"
        "h1 { font-size: 1.35rem; margin: 0 0 .2rem; letter-spacing: -.01em; }\n"
        ".what { color: var(--faint); margin: 0 0 1.5rem; }\n"
        ".verdict { border: 1px solid var(--line); border-left: .3rem solid var(--tone);\n"
        "  border-radius: .4rem; background: var(--wash); padding: 1rem 1.2rem; }\n"
        ".verdict b { color: var(--tone); }\n"
        ".verdict p { margin: .3rem 0 0; }\n"
        "code { font: .92em ui-monospace, \"DejaVu Sans Mono\", monospace; overflow-wrap: "
        "anywhere; }\n"
        "table { width: 100%; border-collapse: collapse; margin: 1.6rem 0; }\n"
        "td { border-top: 1px solid var(--line); padding: .5rem .6rem .5rem 0; vertical-align: "
        "top;\n"
        "  overflow-wrap: anywhere; }\n"
        "tr:last-child td { border-bottom: 1px solid var(--line); }\n"
        "td.mark { width: 1.6rem; color: var(--tone); font-weight: 700; }\n"
        "td.check { width: 7.5rem; color: var(--faint); }\n"
        ".ok { --tone: var(--ok); } .note { --tone: var(--note); } .bad { --tone: var(--bad); }\n"
        ".skipped { --tone: var(--faint); color: var(--faint); }\n"
        "footer { color: var(--faint); font-size: .85rem; }\n"
        "</style>\n"
        "</head>\n"
        "<body>\n"
        "<main>\n";

static void put(FILE *file, const char *text) {
        for (; text && *text; text++)
                switch (*text) {
                case '&':
                        (void) fputs("&amp;", file);
                        break;
                case '<':
                        (void) fputs("&lt;", file);
                        break;
                case '>':
                        (void) fputs("&gt;", file);
                        break;
                case '"':
                        (void) fputs("&quot;", file);
                        break;
                case '\'':
                        (void) fputs("&#39;", file);
                        break;
                default:
                        (void) fputc(*text, file);
                }
}

static void put_verdict(FILE *file, const Row *row) {
        const char *name = row_get_string(row, "verdict"), *next = row_get_text(row, "next");

        (void) fprintf(file, "<h1>");
        put(file, row_get_text(row, "title"));
        (void) fprintf(file,
                       "</h1>\n<p class=\"what\">Examined by stlinkctl doctor</p>\n"
                       "<section class=\"verdict %s\">\n<b>",
                       strcmp(name, "healthy") == 0 ? "ok" : "bad");
        put(file, row_get_text(row, "text"));
        (void) fprintf(file, "</b>\n");
        if (next) {
                (void) fprintf(file, "<p>Next: <code>");
                put(file, next);
                (void) fprintf(file, "</code></p>\n");
        }
        (void) fprintf(file, "</section>\n");
}

static void put_lines(FILE *file, const Rows *lines) {
        static const struct {
                const char *level, *mark;
        } marks[] = { { "ok", "✓" }, { "note", "!" }, { "bad", "✗" }, { "skipped", "–" } };

        (void) fprintf(file, "<table>\n");
        for (size_t i = 0; i < lines->n; i++) {
                const char *level = row_get_string(lines->items[i], "level"), *mark = "";

                for (size_t k = 0; k < ELEMENTSOF(marks); k++)
                        if (strcmp(marks[k].level, level) == 0)
                                mark = marks[k].mark;
                (void) fprintf(file,
                               "<tr class=\"%s\"><td class=\"mark\">%s</td><td class=\"check\">",
                               level, mark);
                put(file, row_get_text(lines->items[i], "check"));
                (void) fprintf(file, "</td><td>");
                put(file, row_get_text(lines->items[i], "text"));
                (void) fprintf(file, "</td></tr>\n");
        }
        (void) fprintf(file, "</table>\n");
}

int doctor_write_report(const char *path, const Row *row) {
        FILE *file = fopen(path, "we");
        struct utsname system = {};
        int r = 0;

        if (!file)
                return -errno;
        (void) uname(&system);
        (void) fputs(head, file);
        put_verdict(file, row);
        put_lines(file, row_get_rows(row, "checks"));
        (void) fprintf(file, "<footer>verdict <code>");
        put(file, row_get_string(row, "verdict"));
        (void) fprintf(file, "</code>, ");
        put(file, row_get_text(row, "time"));
        (void) fprintf(file, ", stlinkctl %s, Linux ", PACKAGE_VERSION);
        put(file, system.release);
        (void) fprintf(file, " %s, systemd ", system.machine);
        put(file, row_get_text(row, "systemd"));
        (void) fprintf(file, "</footer>\n</main>\n</body>\n</html>\n");
        if (ferror(file))
                r = -EIO;
        if (fclose(file) == EOF && r >= 0)
                r = -errno;
        return r;
}
