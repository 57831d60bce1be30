/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl/doctor.h"
#include "proto/swd.h"

#define OK      "ok"
#define NOTE    "note"
#define BAD     "bad"
#define SKIPPED "skipped"

static Row *add(Rows *rows, const char *check, const char *level) {
        Row *row = rows_add(rows);

        row_set_string(row, "check", check);
        if (strcmp(check, "usb") == 0 || strcmp(check, "swd") == 0)
                row_set_text(row, "check", "%s", check[0] == 'u' ? "USB" : "SWD");
        row_set_string(row, "level", level);
        return row;
}

/* Text of a row, both for people and for programs. */
_printf_(2, 3) static void set_text(Row *row, const char *format, ...) {
        char text[1024];
        va_list args;

        va_start(args, format);
        (void) vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        row_set_string(row, "text", text);
}

/* --- before the probe is asked ------------------------------------------------------------ */

static void describe_kernel(Rows *rows, const Examination *examination) {
        const ProbeFact *probe = examination->probe;
        const KernelLog *log = probe ? &probe->log : &examination->facts->log;
        Row *row = add(rows, "kernel", kernel_log_complains(log) ? BAD : OK);

        if (examination->facts->log_error < 0) {
                row_set_string(row, "level", SKIPPED);
                set_text(row, "its log may not be read: %s",
                         strerror(-examination->facts->log_error));
                return;
        }
        row_set_integer(row, "enumeration_errors", log->enumeration);
        row_set_integer(row, "over_current", log->over_current);
        row_set_integer(row, "no_resources", log->no_resources);
        row_set_integer(row, "disconnects", log->disconnects);
        row_set_integer(row, "resets", log->resets);
        if (kernel_log_complains(log))
                set_text(row, "%u enumeration errors, %u of current, %u of resources; the last: %s",
                         log->enumeration, log->over_current, log->no_resources, log->last);
        else
                set_text(row,
                         "no complaint about this port%s; plugged in %u times, gone %u times, "
                         "reset %u times",
                         probe ? "" : " or any other", log->plugged, log->disconnects, log->resets);
}

static void describe_usb(Rows *rows, const ProbeFact *probe) {
        Row *row = add(rows, "usb", probe->is_remote || probe->hubs > 1 ? NOTE : OK);

        row_set_string(row, "port", probe->port);
        row_set_integer(row, "speed_mbps", probe->speed);
        row_set_integer(row, "hubs", probe->hubs);
        row_set_string(row, "controller", probe->controller[0] ? probe->controller : NULL);
        set_text(row, "port %s, %u Mb/s, %s%s%s%s", probe->port, probe->speed,
                 probe->hubs == 0   ? "no hub between"
                 : probe->hubs == 1 ? "behind a hub"
                                    : "behind several hubs",
                 probe->controller[0] ? ", " : "", probe->controller,
                 probe->is_remote ? ", over the network (USB/IP)" : "");
}

static void describe_node(Rows *rows, const ProbeFact *probe) {
        Row *row = add(rows, "node", probe->access == 0 || probe->for_leases ? OK : BAD);

        row_set_string(row, "node", probe->node);
        row_set_boolean(row, "accessible", probe->access == 0);
        set_text(row, "%s %s; mode %04o, owner %s, group %s%s%s", probe->node,
                 probe->access == 0  ? "is open to you"
                 : probe->for_leases ? "is for who has a lease (policy \"strict\")"
                                     : "is closed to you",
                 (unsigned) probe->mode, probe->owner, probe->group,
                 probe->acl[0] ? ", access list: " : "", probe->acl);
}

static const char *remark_text(RuleRemarkKind kind, bool strict) {
        switch (kind) {
        case RULE_GROUP_MISSING:
                return strict ? "names a group that does not exist: systemd drops the line"
                              : "names a group that does not exist: systemd from 258 on will drop "
                                "the line";
        case RULE_GROUP_ORDINARY:
                return strict ? "names a group that is no system group: systemd drops the line"
                              : "names a group that is no system group: systemd from 258 on will "
                                "drop the line";
        case RULE_FINAL:
                return "is final (:=): no later rule counts";
        case RULE_TOO_LATE:
                return "tags it uaccess too late: the file must sort before 73-seat-late.rules";
        case RULE_MASKED:
                return "does not count: a file of that name stands in the directory";
        case RULE_ANYBODY:
                return "lets everybody write to it";
        case RULE_BROKEN:
                return "cannot be read";
        case _RULE_REMARK_MAX:
                break;
        }
        return "?";
}

static void describe_winner(Rows *rows, const char *what, const RulePlace *place) {
        const char *owner = rules_file_owner(place->file);
        Row *row;

        if (!place->file[0])
                return;
        row = add(rows, "rule", OK);
        row_set_string(row, "file", place->file);
        row_set_integer(row, "line", place->line);
        set_text(row, "%s \"%s\" comes from %s:%u%s%s%s", what, place->value, place->file,
                 place->line, owner ? " (" : "", owner ? owner : "", owner ? ")" : "");
}

static void describe_rules(Rows *rows, const Examination *examination) {
        const RulesReport *report = &examination->probe->rules;
        bool strict = examination->facts->systemd_version >= 258;

        describe_winner(rows, "mode", &report->mode);
        describe_winner(rows, "group", &report->group);
        describe_winner(rows, "owner", &report->owner);
        describe_winner(rows, "tag", &report->uaccess);
        for (size_t i = 0; i < report->n_remarks; i++) {
                const RuleRemark *remark = &report->remarks[i];
                bool dropped = strict && (remark->kind == RULE_GROUP_MISSING ||
                                          remark->kind == RULE_GROUP_ORDINARY);
                Row *row = add(rows, "rule", dropped || remark->kind == RULE_TOO_LATE ? BAD : NOTE);

                row_set_string(row, "file", remark->place.file);
                row_set_integer(row, "line", remark->place.line);
                if (remark->kind == RULE_MASKED)
                        set_text(row, "%s %s %s", remark->place.file,
                                 remark_text(remark->kind, strict), remark->place.value);
                else
                        set_text(row, "%s:%u (%s) %s", remark->place.file, remark->place.line,
                                 remark->place.value, remark_text(remark->kind, strict));
        }
}

/* A V1 is a disk to the kernel, whose driver is in the way (stlink's documentation has the quirk).
 */
#define V1_PRODUCT 0x3744
static void describe_disk_driver(Rows *rows, const Examination *examination) {
        const ProbeFact *probe = examination->probe;

        if (probe->product_id != V1_PRODUCT || strcmp(probe->driver, "usb-storage") != 0)
                return;
        set_text(add(rows, "driver", NOTE),
                 "usb-storage has it%s; it leaves a V1 alone with: options usb-storage "
                 "quirks=483:3744:i",
                 examination->facts->v1_quirk ? ", though it is told to leave it" : "");
}

static void describe_holder(Rows *rows, const Examination *examination) {
        const ProbeFact *probe = examination->probe;
        Row *row = add(rows, "holder", examination->refusal == REFUSAL_HELD ? BAD : OK);

        row_set_string(row, "driver", probe->driver[0] ? probe->driver : NULL);
        if (probe->n_holders > 0) {
                row_set_integer(row, "pid", probe->holders[0].pid);
                row_set_string(row, "command", probe->holders[0].command);
                set_text(row, "%s (PID %u) of %s has it open%s", probe->holders[0].command,
                         probe->holders[0].pid, probe->holders[0].user,
                         strcmp(probe->driver, "usbfs") == 0 ? ", and it is claimed" : "");
        } else if (examination->refusal == REFUSAL_HELD)
                set_text(row, "%s",
                         examination->refusal_text[0] ? examination->refusal_text
                                                      : "somebody has claimed it");
        else
                set_text(row, "nobody%s",
                         examination->facts->snapshot ? ", says stlinkd"
                         : examination->facts->can_see_all
                                 ? " (stlinkd does not run)"
                                 : " that we may see (stlinkd does not run)");
}

static void describe_machine(Rows *rows, const Facts *facts) {
        if (facts->container[0])
                set_text(add(rows, "machine", NOTE),
                         "this is a container (%s): a probe that re-enumerates may be lost to it",
                         facts->container);
        if (facts->is_wsl)
                set_text(add(rows, "machine", NOTE),
                         "this is WSL: a probe must be attached anew when it re-enumerates");
        if (facts->rom_loaders > 0)
                set_text(add(rows, "machine", NOTE),
                         "0483:df11 is an STM32 in its ROM boot loader, no ST-LINK");
}

/* --- what the probe said ------------------------------------------------------------------ */

static const char *error_text(const ProbeFindings *found) {
        switch (-found->error) {
        case ENODEV:
                return found->loader == LOADER_LOST ? "it did not come back from its boot loader"
                                                    : "it went away";
        case ETIME:
        case ETIMEDOUT:
                return "it does not answer";
        case EPIPE:
                return "it refuses commands (stall)";
        case EPROTO:
        case EOVERFLOW:
                return "its answers make no sense";
        case EBUSY:
                return "somebody has claimed it";
        case EINPROGRESS:
        case EPERM:
                return "it is left in its boot loader";
        case EOPNOTSUPP:
                return "its firmware has no SWD";
        case ECANCELED:
                return "interrupted";
        default:
                return strerror(-found->error);
        }
}

static void describe_mode(Rows *rows, const ProbeFindings *found) {
        static const char *const texts[] = {
                [LOADER_NO] = "idle",
                [LOADER_LEFT] = "it rested in its boot loader, and left it",
                [LOADER_UPDATE] = "boot loader, in the middle of an update",
                [LOADER_RECENT] = "boot loader, which it has just entered",
                [LOADER_STUCK] = "boot loader, and it does not leave it",
                [LOADER_LOST] = "it left its boot loader, and the bus",
                [LOADER_OWN] = "boot loader",
        };
        bool fine = found->loader == LOADER_NO || found->loader == LOADER_LEFT;
        Row *row = add(rows, "mode", !fine ? BAD : found->was_in_debug ? NOTE : OK);
        char span[FORMAT_USEC_MAX];

        if (found->was_in_debug)
                set_text(row, "a program that is gone had left it in debug mode");
        else if (found->away > 0)
                set_text(row, "%s; it was away for %s", texts[found->loader],
                         format_usec(span, sizeof(span), found->away));
        else
                set_text(row, "%s", texts[found->loader]);
}

static void describe_firmware(Rows *rows, const ProbeFindings *found) {
        bool old = doctor_firmware_is_old(&found->firmware) || found->error == -EOPNOTSUPP;
        Row *row = add(rows, "firmware", old ? BAD : OK);
        char name[FIRMWARE_NAME_MAX];

        firmware_name(&found->firmware, name, sizeof(name));
        row_set_string(row, "firmware", name);
        set_text(row, "%s%s", name,
                 old ? ": OpenOCD wants V2J24 (for dapdirect), pyOCD V2J24, probe-rs V2J26 or V3J3"
                     : "");
}

static void describe_link(Rows *rows, const ProbeFindings *found) {
        bool slow = found->median > DOCTOR_SLOW_ROUND;
        Row *row = add(rows, "link", found->failed_rounds > 0 || slow ? BAD : OK);

        row_set_integer(row, "rounds", found->rounds);
        row_set_integer(row, "failures", found->failed_rounds);
        row_set_integer(row, "median_us", (int64_t) found->median);
        row_set_integer(row, "p99_us", (int64_t) found->p99);
        row_set_integer(row, "worst_us", (int64_t) found->worst);
        set_text(row,
                 "%u round trips, %u failed; median %.1f ms, 99 %% within %.1f ms, worst %.1f ms%s",
                 found->rounds, found->failed_rounds, (double) found->median / 1000,
                 (double) found->p99 / 1000, (double) found->worst / 1000, slow ? ": slow" : "");
}

static void describe_voltage(Rows *rows, const ProbeFindings *found) {
        Row *row = add(rows, "voltage", OK);

        if (!found->can_measure_voltage || found->millivolts < 0) {
                row_set_string(row, "level", SKIPPED);
                set_text(row, found->can_measure_voltage ? "the probe could not measure it"
                                                         : "this probe cannot measure it");
                return;
        }
        row_set_integer(row, "millivolts", found->millivolts);
        if (found->millivolts < 1000)
                row_set_string(row, "level", found->answers ? NOTE : BAD);
        set_text(row, "%d.%02d V, measured at VTref%s", found->millivolts / 1000,
                 found->millivolts % 1000 / 10,
                 found->millivolts >= 1000 ? ""
                 : found->answers          ? ": the target runs, so VTref is not wired"
                                           : ": no power, or VTref is not wired");
}

static const char *try_text(const SwdTry *try) {
        if (status_class(try->status) != STATUS_CLASS_OK) {
                if (try->status == STATUS_GET_IDCODE_ERROR ||
                    try->status == STATUS_NO_DEVICE_CONNECTED)
                        return "no answer";
                return status_text(try->status);
        }
        return try->failures > 0 ? "answers, with errors" : "answers";
}

static void describe_swd(Rows *rows, const ProbeFindings *found) {
        Row *row = add(rows, "swd",
                       found->answers && found->n_tries == 1 ? OK
                       : found->answers                      ? NOTE
                                                             : BAD);
        Rows *tries = row_set_rows(row, "tries");
        char text[900] = "";
        size_t n = 0;

        for (size_t i = 0; i < found->n_tries && n < sizeof(text); i++) {
                const SwdTry *try = &found->tries[i];
                Row *one = rows_add(tries);
                char clock[32] = "the probe's clock";

                if (try->khz > 0)
                        (void) snprintf(clock, sizeof(clock), "%u kHz", try->khz);
                row_set_integer(one, "khz", try->khz);
                row_set_string(one, "status", status_name(try->status));
                row_set_integer(one, "reads", try->reads);
                row_set_integer(one, "failures", try->failures);
                n += (size_t) snprintf(text + n, sizeof(text) - n, "%s%s: %s", i > 0 ? "; " : "",
                                       clock, try_text(try));
        }
        set_text(row, "%s", text);
}

static void describe_reset(Rows *rows, const ProbeFindings *found) {
        Row *row = add(rows, "reset", OK);

        if (found->tried_under_reset) {
                bool works = status_class(found->under_reset) == STATUS_CLASS_OK;

                row_set_string(row, "level", works ? NOTE : BAD);
                set_text(row, works ? "it answers while nRST is pulled"
                                    : "no answer while nRST is pulled, either");
        } else if (found->nrst == LINE_NOT_TRIED) {
                row_set_string(row, "level", SKIPPED);
                set_text(row,
                         found->answers
                                 ? "nRST was not tried: it would reset the target (--reset does)"
                                 : "this probe cannot pull nRST");
        } else {
                row_set_string(row, "level", found->nrst == LINE_WORKS ? OK : BAD);
                set_text(row, found->nrst == LINE_WORKS ? "nRST resets the target"
                                                        : "nRST does not reset the target");
        }
}

static void describe_target(Rows *rows, const ProbeFindings *found) {
        Row *row = add(rows, "target", found->chip ? OK : NOTE);
        char core[CPU_NAME_MAX], port[DEBUG_PORT_NAME_MAX];

        row_set_string(row, "device", found->chip ? found->chip->name : NULL);
        row_set_integer(row, "dpidr", found->dpidr);
        row_set_integer(row, "cpuid", found->cpuid);
        row_set_integer(row, "idcode", found->idcode);
        if (found->chip)
                set_text(row, "%s, %s, %u KiB of flash memory", found->chip->name,
                         cpu_name(found->cpuid, core, sizeof(core)), found->flash_kib);
        else
                set_text(row, "%s, %s; a chip that is not in our table",
                         debug_port_name(found->dpidr, port, sizeof(port)),
                         cpu_name(found->cpuid, core, sizeof(core)));
}

static void describe_protection(Rows *rows, const ProbeFindings *found) {
        bool readable = status_class(found->flash_status) == STATUS_CLASS_OK;
        bool protected = doctor_is_protected(found);
        Row *row = add(rows, "protection", protected ? BAD : readable ? OK : NOTE);
        const char *level = rdp_to_string(found->rdp);

        row_set_string(row, "rdp", level);
        row_set_string(row, "flash_status", status_name(found->flash_status));
        set_text(row, "%s%s%s%s",
                 readable ? "the flash memory can be read" : "the flash memory cannot be read: ",
                 readable ? "" : status_text(found->flash_status),
                 level ? "; read-out protection, level " : "", level ? level : "");
}

static void describe_findings(Rows *rows, const ProbeFindings *found) {
        if (found->error < 0)
                set_text(add(rows, "probe", BAD), "%s", error_text(found));
        if (found->identified || found->loader != LOADER_NO)
                describe_mode(rows, found);
        /* In the boot loader it is the boot loader that answers. */
        if (found->identified && (found->loader == LOADER_NO || found->loader == LOADER_LEFT)) {
                describe_firmware(rows, found);
                describe_voltage(rows, found);
        }
        if (found->rounds > 0)
                describe_link(rows, found);
        if (found->n_tries > 0) {
                describe_swd(rows, found);
                describe_reset(rows, found);
        }
        if (found->cpuid != 0)
                describe_target(rows, found);
        if (found->read_flash)
                describe_protection(rows, found);
        if (found->n_tries > 0 && found->error == 0 && !found->left_idle)
                set_text(add(rows, "mode", NOTE), "the probe did not become idle afterwards");
}

void doctor_describe(Rows *rows, const Examination *examination) {
        describe_machine(rows, examination->facts);
        describe_kernel(rows, examination);
        if (!examination->probe)
                return;
        describe_usb(rows, examination->probe);
        describe_node(rows, examination->probe);
        describe_rules(rows, examination);
        describe_disk_driver(rows, examination);
        describe_holder(rows, examination);
        if (examination->found.asked)
                describe_findings(rows, &examination->found);
}
