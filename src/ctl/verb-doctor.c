/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "ctl/client.h"
#include "ctl/doctor.h"
#include "ctl/lease.h"
#include "ctl/output.h"
#include "ctl/select.h"
#include "ctl/text.h"
#include "ctl/verbs.h"
#include "gate/process.h"
#include "usb/node.h"

#define INDENT          14
#define RETURN_DEADLINE (8 * USEC_PER_SEC) /* for a probe that leaves its boot loader */
#define RETURN_INTERVAL 100                /* ms */

/* A probe that has just come back in its boot loader is about to be updated by somebody. */
#define UPDATE_TIME (60 * USEC_PER_SEC)

typedef struct Doctor {
        Facts facts;
        Examination examination;
        sd_bus *bus; /* NULL: without stlinkd */
        ClientLease *lease;
        int fd, cancel_fd;
} Doctor;

static void doctor_done(Doctor *doctor) {
        safe_close(doctor->fd);
        safe_close(doctor->cancel_fd);
        client_lease_free(doctor->lease);
        sd_bus_flush_close_unref(doctor->bus);
        facts_done(&doctor->facts);
}

/* --- which probe -------------------------------------------------------------------------- */

static bool is_called(const ProbeFact *probe, const char *name) {
        if (strcmp(probe->port, name) == 0 || strcmp(probe->node, name) == 0 ||
            (probe->view && probe->view->id && strcasecmp(probe->view->id, name) == 0))
                return true;
        return strlen(name) >= SELECT_PREFIX_MIN &&
               strncasecmp(probe->serial, name, strlen(name)) == 0;
}

static void say_probes(const Facts *facts) {
        for (size_t i = 0; i < facts->n_probes; i++)
                client_say_more("  %s  %s at port %s", facts->probes[i].serial,
                                facts->probes[i].name, facts->probes[i].port);
}

/* stlinkd knows more names; without it there are those that sysfs tells. No probe at all is a
 * finding, not an error. */
static ExitCode choose(Doctor *doctor, const char *name) {
        const Facts *facts = &doctor->facts;
        const ProbeFact *found = NULL;
        size_t n = 0;

        if (facts->n_probes == 0)
                return EXIT_CODE_OK;
        for (size_t i = 0; i < facts->n_probes; i++)
                if (!name || is_called(&facts->probes[i], name)) {
                        found = &facts->probes[i];
                        n++;
                }
        if (n == 0 && facts->snapshot) {
                ProbeView *view;

                if (client_select(facts->snapshot, name, &view) != EXIT_CODE_OK)
                        return EXIT_CODE_NO_PROBE;
                for (size_t i = 0; i < facts->n_probes; i++)
                        if (facts->probes[i].view == view) {
                                found = &facts->probes[i];
                                n++;
                        }
        }
        if (n == 1) {
                doctor->examination.probe = found;
                return EXIT_CODE_OK;
        }
        if (n == 0)
                client_say("No probe is called '%s'; plugged in:", name);
        else if (name)
                client_say("'%s' fits %zu probes; name one of them:", name, n);
        else
                client_say("%zu probes are plugged in; name one of them:", n);
        say_probes(facts);
        return EXIT_CODE_NO_PROBE;
}

/* --- getting at it ------------------------------------------------------------------------ */

_printf_(3, 4) static void refuse(Examination *examination, Refusal refusal, const char *format,
                                  ...) {
        va_list args;

        va_start(args, format);
        examination->refusal = refusal;
        (void) vsnprintf(examination->refusal_text, sizeof(examination->refusal_text), format,
                         args);
        va_end(args);
}

/* Whether we work under that lease: "stlinkctl run -- stlinkctl doctor", or in a shell that has
 * locked the probe. */
static bool is_ours(const LeaseView *lease) {
        pid_t pid = getpid();

        while (pid > 1 && (uint32_t) pid != lease->pid) {
                Usec start;

                if (process_read_parent(pid, &pid, &start) < 0)
                        return false;
        }
        return pid > 1;
}

/* Whether somebody uses it, as far as one can see without touching it. */
static bool is_held(Examination *examination) {
        const ProbeFact *probe = examination->probe;

        if (probe->lease && !is_ours(probe->lease))
                refuse(examination, REFUSAL_HELD, "%s (PID %u) has leased it",
                       probe->lease->command ? probe->lease->command : "somebody",
                       probe->lease->pid);
        else if (probe->n_holders > 0)
                refuse(examination, REFUSAL_HELD, "%s (PID %u) has it open",
                       probe->holders[0].command, probe->holders[0].pid);
        else if (strcmp(probe->driver, "usbfs") == 0)
                refuse(examination, REFUSAL_HELD, "a program that we may not see has claimed it");
        else
                return false;
        return true;
}

static void refuse_by_daemon(Examination *examination, ExitCode code, const sd_bus_error *error,
                             int r) {
        const char *text = error->message ? error->message : strerror(-r);

        if (code == EXIT_CODE_BUSY)
                refuse(examination, REFUSAL_HELD, "%s", text);
        else if (code == EXIT_CODE_DENIED)
                refuse(examination, REFUSAL_POLICY, "%s", text);
        else if (code == EXIT_CODE_NO_PROBE) {
                examination->found.asked = true;
                examination->found.error = -ENODEV;
        } else if (code == EXIT_CODE_NOT_ANSWERING) {
                /* It was found wedged before; nobody has to wait for that again. */
                examination->found.asked = true;
                examination->found.error = -ETIMEDOUT;
        } else
                refuse(examination, REFUSAL_OTHER, "%s", text);
}

/* The node of whatever is plugged into that port now. */
static int open_port(const char *port, int *ret_fd) {
        char path[256], line[16], node[64];
        unsigned bus, device;

        (void) snprintf(path, sizeof(path), "/sys/bus/usb/devices/%s/busnum", port);
        if (read_line_at(AT_FDCWD, path, line, sizeof(line)) < 0)
                return -ENODEV;
        bus = (unsigned) strtoul(line, NULL, 10);
        (void) snprintf(path, sizeof(path), "/sys/bus/usb/devices/%s/devnum", port);
        if (read_line_at(AT_FDCWD, path, line, sizeof(line)) < 0)
                return -ENODEV;
        device = (unsigned) strtoul(line, NULL, 10);
        if (bus > UINT8_MAX || device > UINT8_MAX)
                return -ENODEV;
        (void) snprintf(node, sizeof(node), "/dev/bus/usb/%03u/%03u", bus, device);
        return node_open(node, (uint8_t) bus, (uint8_t) device, ret_fd);
}

static bool open_alone(Doctor *doctor) {
        Examination *examination = &doctor->examination;
        int r = open_port(examination->probe->port, &doctor->fd);

        if (r == -ENODEV) {
                examination->found.asked = true;
                examination->found.error = r;
        } else if (r == -EACCES || r == -EPERM)
                refuse(examination, REFUSAL_RIGHTS, "%s", strerror(-r));
        else if (r < 0)
                refuse(examination, REFUSAL_OTHER, "%s", strerror(-r));
        return r >= 0;
}

static bool take_lease(Doctor *doctor, const Options *options) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        ClientRequest request = { .wait = options->given & OPTION_WAIT ? options->wait : 0,
                                  .reason = "stlinkctl doctor" };
        int r = sd_bus_open_system(&doctor->bus);
        ExitCode code;

        if (r >= 0) {
                client_ask_password(doctor->bus, !options->no_ask_password);
                r = client_lease_acquire(doctor->bus, doctor->examination.probe->view->path,
                                         &request, &error, &doctor->lease);
        }
        if (r >= 0)
                r = client_lease_await(doctor->lease, USEC_INFINITY);
        if (r >= 0 && !client_lease_is_held(doctor->lease)) {
                refuse(&doctor->examination, REFUSAL_HELD, "nobody gave it back in time");
                return false;
        }
        if (r >= 0)
                r = client_lease_open(doctor->lease, &error, &doctor->fd);
        if (r >= 0)
                return true;
        code = error.name ? exit_code_from_bus_error(error.name) : exit_code_from_errno(r);
        if (code != EXIT_CODE_NO_DAEMON) {
                refuse_by_daemon(&doctor->examination, code, &error, r);
                return false;
        }
        /* It went away meanwhile: then without it. */
        doctor->lease = client_lease_free(doctor->lease);
        return open_alone(doctor);
}

/* --- examining ---------------------------------------------------------------------------- */

/* What stops us while the probe is being talked to, so that it is left as it should be. */
static int open_cancel_fd(void) {
        sigset_t set;
        int fd;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGINT);
        (void) sigaddset(&set, SIGTERM);
        (void) sigaddset(&set, SIGHUP);
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (fd < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0) {
                safe_close(fd);
                return -errno;
        }
        return fd;
}

/* After it left its boot loader: wait until it is back. The lease stays, its node is another. */
static int reopen(void *userdata, int *ret_fd) {
        Doctor *doctor = userdata;
        Usec deadline = usec_add(now_usec(CLOCK_MONOTONIC), RETURN_DEADLINE);
        int r;

        doctor->fd = safe_close(doctor->fd);
        do {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                struct pollfd cancel = { .fd = doctor->cancel_fd, .events = POLLIN };

                if (poll(&cancel, 1, RETURN_INTERVAL) > 0)
                        return -ECANCELED;
                r = doctor->lease ? client_lease_open(doctor->lease, &error, ret_fd)
                                  : open_port(doctor->examination.probe->port, ret_fd);
        } while (r < 0 && r != -EOWNERDEAD && now_usec(CLOCK_MONOTONIC) < deadline);
        return r;
}

static bool may_leave_loader(const ProbeFact *probe) {
        uint64_t since = probe->view ? probe->view->loader_since : 0;

        return since == 0 || now_usec(CLOCK_MONOTONIC) >= usec_add(since, UPDATE_TIME);
}

static int examine(Doctor *doctor, const Options *options) {
        Examination *examination = &doctor->examination;
        LinkOptions link = { .may_reset = options->reset, .reopen = reopen, .userdata = doctor };
        bool open, alone;

        /* Waiting is the way around somebody who holds it. */
        if (!examination->probe ||
            (!(options->given & OPTION_WAIT && examination->probe->view) && is_held(examination)))
                return 0;
        alone = !examination->probe->view ||
                (examination->probe->lease && is_ours(examination->probe->lease));
        open = alone ? open_alone(doctor) : take_lease(doctor, options);
        if (!open)
                return 0;
        doctor->cancel_fd = open_cancel_fd();
        if (doctor->cancel_fd < 0)
                return doctor->cancel_fd;
        link.cancel_fd = doctor->cancel_fd;
        link.may_leave_loader = may_leave_loader(examination->probe);
        if (examination->probe->is_loader_product)
                examination->found.loader = LOADER_OWN;
        doctor_examine(doctor->fd, &link, &examination->found);
        doctor->fd = safe_close(doctor->fd);
        doctor->lease = client_lease_free(doctor->lease);
        return examination->found.error == -ECANCELED ? -ECANCELED : 0;
}

/* --- showing ------------------------------------------------------------------------------ */

/* Words of text, wrapped behind the label on a terminal. */
static void print_wrapped(const char *text, size_t used, size_t indent) {
        size_t columns = text_columns(), width = columns > indent + 16 ? columns : SIZE_MAX;

        while (*text) {
                size_t n = strcspn(text, " ");
                char word[1024];

                (void) snprintf(word, sizeof(word), "%.*s", (int) n, text);
                if (used > indent && used + 1 + text_width(word) > width) {
                        (void) printf("\n%*s", (int) indent, "");
                        used = indent;
                } else if (used > indent) {
                        (void) putchar(' ');
                        used++;
                }
                (void) fputs(word, stdout);
                used += text_width(word);
                text += n + strspn(text + n, " ");
        }
        (void) putchar('\n');
}

static void print_check(const Row *row) {
        static const struct {
                const char *level, *mark, *ascii;
                Style style;
        } looks[] = { { "ok", "✓", "+", STYLE_GOOD },
                      { "note", "!", "!", STYLE_ATTENTION },
                      { "bad", "✗", "x", STYLE_BAD },
                      { "skipped", "–", "-", STYLE_DIM } };
        const char *level = row_get_string(row, "level"), *check = row_get_text(row, "check");
        size_t which = 0;

        while (strcmp(looks[which].level, level) != 0)
                which++;
        (void) printf("%s%s%s %s%-*s%s", text_style(looks[which].style),
                      text_is_utf8() ? looks[which].mark : looks[which].ascii,
                      text_style(STYLE_NORMAL), text_style(STYLE_DIM), INDENT - 2, check,
                      text_style(STYLE_NORMAL));
        print_wrapped(row_get_text(row, "text"), INDENT, INDENT);
}

static void print_text(const Row *row) {
        const Rows *checks = row_get_rows(row, "checks");
        const char *next = row_get_text(row, "next");
        bool healthy = strcmp(row_get_string(row, "verdict"), "healthy") == 0;

        (void) printf("%s%s%s\n", text_style(STYLE_BOLD), row_get_text(row, "title"),
                      text_style(STYLE_NORMAL));
        for (size_t i = 0; i < checks->n; i++)
                print_check(checks->items[i]);
        (void) printf("\n%s%s%s ", text_style(healthy ? STYLE_GOOD : STYLE_BAD),
                      text_is_utf8() ? "●" : "*", text_style(STYLE_BOLD));
        print_wrapped(row_get_text(row, "text"), 2, 2);
        (void) printf("%s", text_style(STYLE_NORMAL));
        if (next)
                (void) printf("  Next: %s\n", next);
}

static void describe(Row *row, const Examination *examination, Verdict verdict) {
        const ProbeFact *probe = examination->probe;
        char stamp[TEXT_RFC3339_MAX], version[16];
        Advice advice;

        doctor_advise(examination, verdict, &advice);
        (void) snprintf(version, sizeof(version), "%d", examination->facts->systemd_version);
        row_set_string(row, "port", probe ? probe->port : NULL);
        row_set_string(row, "serial", probe && probe->serial[0] ? probe->serial : NULL);
        row_set_string(row, "name", probe ? probe->name : NULL);
        if (probe)
                row_set_text(row, "title", "%s %s at port %s", probe->name, probe->serial,
                             probe->port);
        else
                row_set_text(row, "title", "No ST-LINK");
        row_set_string(row, "verdict", verdict_to_string(verdict));
        row_set_string(row, "text", advice.text);
        row_set_string(row, "next", advice.next[0] ? advice.next : NULL);
        row_set_integer(row, "exit_code", verdict_exit_code(verdict));
        row_set_string(row, "time",
                       text_format_rfc3339(stamp, sizeof(stamp), now_usec(CLOCK_REALTIME)));
        row_set_string(row, "systemd", examination->facts->systemd_version > 0 ? version : NULL);
        doctor_describe(row_set_rows(row, "checks"), examination);
}

static int show(const Examination *examination, const Options *options) {
        _cleanup_(rows_freep) Rows *rows = rows_new();
        Row *row = rows ? rows_add(rows) : NULL;
        Verdict verdict = doctor_judge(examination);
        int r = row ? 0 : -ENOMEM;

        if (r >= 0) {
                describe(row, examination, verdict);
                r = rows_error(rows);
        }
        if (r >= 0 && options->json)
                r = output_json_row(row, /* one_line= */ false);
        else if (r >= 0)
                print_text(row);
        if (r < 0)
                return client_report(NULL, r);
        if (options->report) {
                r = doctor_write_report(options->report, row);
                if (r < 0) {
                        client_say("Cannot write %s: %s", options->report, strerror(-r));
                        return EXIT_CODE_FAILURE;
                }
        }
        return verdict_exit_code(verdict);
}

int verb_doctor(int n, char **words, const Options *options) {
        _cleanup_(doctor_done) Doctor doctor = { .fd = -EBADF, .cancel_fd = -EBADF };
        ExitCode code;
        int r = facts_gather(/* bus_too= */ true, &doctor.facts);

        if (r < 0)
                return client_report(NULL, r);
        doctor.examination.facts = &doctor.facts;
        code = choose(&doctor, n > 0 ? words[0] : options->probe);
        if (code != EXIT_CODE_OK)
                return code;
        r = examine(&doctor, options);
        if (r == -ECANCELED)
                return 128 + SIGINT;
        if (r < 0)
                return client_report(NULL, r);
        return show(&doctor.examination, options);
}
