/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bus/errors.h"
#include "ctl/doctor.h"

static const char *const verdict_table[] = {
        [VERDICT_HEALTHY] = "healthy",
        [VERDICT_UNDECIDED] = "undecided",
        [VERDICT_NO_PROBE] = "no-probe",
        [VERDICT_USB_TROUBLE] = "usb-trouble",
        [VERDICT_HELD] = "held",
        [VERDICT_NO_PERMISSION] = "no-permission",
        [VERDICT_WEDGED] = "wedged",
        [VERDICT_GARBLED] = "garbled",
        [VERDICT_POOR_LINK] = "poor-link",
        [VERDICT_UNPLUGGED] = "unplugged",
        [VERDICT_LOADER] = "loader",
        [VERDICT_LOST] = "lost",
        [VERDICT_OLD_FIRMWARE] = "old-firmware",
        [VERDICT_NO_POWER] = "no-power",
        [VERDICT_SILENT] = "silent",
        [VERDICT_NEEDS_RESET] = "needs-reset",
        [VERDICT_SLOW_ONLY] = "slow-only",
        [VERDICT_READ_PROTECTED] = "read-protected",
        [VERDICT_RESET_LINE] = "reset-line",
};
DEFINE_STRING_TABLE(verdict, Verdict)

/* stlinkctl(1) lists them. */
int verdict_exit_code(Verdict verdict) {
        static const int codes[_VERDICT_MAX] = {
                [VERDICT_HEALTHY] = EXIT_CODE_OK,
                [VERDICT_UNDECIDED] = EXIT_CODE_FAILURE,
                [VERDICT_NO_PROBE] = EXIT_CODE_NO_PROBE,
                [VERDICT_HELD] = EXIT_CODE_BUSY,
                [VERDICT_NO_PERMISSION] = EXIT_CODE_DENIED,
                [VERDICT_WEDGED] = EXIT_CODE_NOT_ANSWERING,
                [VERDICT_SILENT] = EXIT_CODE_NO_TARGET,
                [VERDICT_USB_TROUBLE] = 20,
                [VERDICT_GARBLED] = 21,
                [VERDICT_POOR_LINK] = 22,
                [VERDICT_UNPLUGGED] = 23,
                [VERDICT_LOADER] = 24,
                [VERDICT_LOST] = 25,
                [VERDICT_OLD_FIRMWARE] = 26,
                [VERDICT_NO_POWER] = 27,
                [VERDICT_NEEDS_RESET] = 28,
                [VERDICT_SLOW_ONLY] = 29,
                [VERDICT_READ_PROTECTED] = 30,
                [VERDICT_RESET_LINE] = 31,
        };

        return (unsigned) verdict < _VERDICT_MAX ? codes[verdict] : EXIT_CODE_FAILURE;
}

/* Below this the target is not running; the lowest supply of an STM32 is 1.65 V. */
#define POWERED_MILLIVOLTS 1000

/* A clock that is so slow that something is wrong when no faster one works. */
#define SLOW_KHZ 240

/* J of the oldest firmware that all of OpenOCD (24), pyOCD (24) and probe-rs (V2: 26, V3: 3) work
 * with (stlink-protocol §5, §7). */
#define OLDEST_V2 26
#define OLDEST_V3 3

bool doctor_firmware_is_old(const Firmware *firmware) {
        return (firmware->major == 2 && firmware->jtag < OLDEST_V2) ||
               (firmware->major == 3 && firmware->jtag < OLDEST_V3);
}

static Verdict judge_refusal(const Examination *examination) {
        switch (examination->refusal) {
        case REFUSAL_HELD:
                return VERDICT_HELD;
        case REFUSAL_RIGHTS:
        case REFUSAL_POLICY:
                return VERDICT_NO_PERMISSION;
        case REFUSAL_NONE:
        case REFUSAL_OTHER:
                break;
        }
        return VERDICT_UNDECIDED;
}

/* How the examination ended, if not well. */
static Verdict judge_error(const ProbeFindings *found) {
        switch (-found->error) {
        case ENODEV:
                return found->loader == LOADER_LOST ? VERDICT_LOST : VERDICT_UNPLUGGED;
        case ETIME:
        case ETIMEDOUT:
                return VERDICT_WEDGED;
        case EPROTO:
        case EPIPE:
        case EOVERFLOW:
        case EIO:
                return VERDICT_GARBLED;
        case EOPNOTSUPP:
                return VERDICT_OLD_FIRMWARE;
        case EBUSY:
                return VERDICT_HELD;
        case EACCES:
                return VERDICT_NO_PERMISSION;
        default:
                return VERDICT_UNDECIDED;
        }
}

static bool is_in_loader(const ProbeFindings *found) {
        return found->loader == LOADER_UPDATE || found->loader == LOADER_RECENT ||
               found->loader == LOADER_STUCK || found->loader == LOADER_OWN;
}

static const SwdTry *last_try(const ProbeFindings *found) {
        return found->n_tries > 0 ? &found->tries[found->n_tries - 1] : NULL;
}

/* The probe itself, not its target, fails to enter SWD. */
static bool probe_fails(const ProbeFindings *found) {
        const SwdTry *try = last_try(found);

        return try && !found->answers && status_class(try->status) == STATUS_CLASS_PROBE;
}

/* The register tells; where it is not known, that the flash memory refuses to be read does. */
bool doctor_is_protected(const ProbeFindings *found) {
        if (found->rdp != RDP_UNKNOWN)
                return found->rdp == RDP_LEVEL_1 || found->rdp == RDP_LEVEL_2;
        return found->read_flash && status_class(found->flash_status) == STATUS_CLASS_FAULT;
}

static Verdict judge_silence(const ProbeFindings *found) {
        if (found->tried_under_reset && status_class(found->under_reset) == STATUS_CLASS_OK)
                return VERDICT_NEEDS_RESET;
        if (found->millivolts >= 0 && found->millivolts < POWERED_MILLIVOLTS)
                return VERDICT_NO_POWER;
        return VERDICT_SILENT;
}

static Verdict judge_target(const ProbeFindings *found) {
        const SwdTry *try = last_try(found);

        if (!found->answers)
                return judge_silence(found);
        if (found->n_tries > 1 && try->khz > 0 && try->khz <= SLOW_KHZ)
                return VERDICT_SLOW_ONLY;
        if (doctor_is_protected(found))
                return VERDICT_READ_PROTECTED;
        if (found->nrst == LINE_DEAD)
                return VERDICT_RESET_LINE;
        return VERDICT_HEALTHY;
}

Verdict doctor_judge(const Examination *examination) {
        const ProbeFindings *found = &examination->found;
        Verdict verdict;

        if (!examination->probe)
                return kernel_log_complains(&examination->facts->log) ? VERDICT_USB_TROUBLE
                                                                      : VERDICT_NO_PROBE;
        if (!found->asked)
                return judge_refusal(examination);
        if (is_in_loader(found) && found->error != -ENODEV)
                return VERDICT_LOADER;
        if (found->error < 0)
                return judge_error(found);
        if (probe_fails(found))
                return VERDICT_WEDGED;
        if (found->failed_rounds > 0 || found->median > DOCTOR_SLOW_ROUND)
                return VERDICT_POOR_LINK;
        /* stlinkd opened it for us; every other tool opens it itself, if not under a lease. */
        if (examination->probe->access < 0 && !examination->probe->for_leases)
                return VERDICT_NO_PERMISSION;
        verdict = judge_target(found);
        if (verdict == VERDICT_HEALTHY && doctor_firmware_is_old(&found->firmware))
                return VERDICT_OLD_FIRMWARE;
        return verdict;
}

/* --- advice ------------------------------------------------------------------------------- */

static const struct {
        const char *text, *next;
} advices[_VERDICT_MAX] = {
        [VERDICT_HEALTHY] = { "Nothing is wrong: the probe and its target answer.", "" },
        [VERDICT_UNDECIDED] = { "The examination came to no end.", "stlinkctl doctor   # again" },
        [VERDICT_NO_PROBE] = { "No ST-LINK is plugged in, as far as the kernel knows.",
                               "another cable (some only charge), another port; then: lsusb -d "
                               "0483:" },
        [VERDICT_USB_TROUBLE] = { "Something is plugged in that does not come up: it is the cable, "
                                  "the hub, the port, or the probe is broken.",
                                  "another cable, then a port of the computer itself" },
        [VERDICT_HELD] = { "Another program uses the probe.", "stlinkctl status" },
        [VERDICT_NO_PERMISSION] = { "You may not use the probe.", "" },
        [VERDICT_WEDGED] = { "The probe hangs: it takes commands and does not answer.",
                             "unplug it and plug it in again" },
        [VERDICT_GARBLED] = { "What the probe answers makes no sense. That comes from a bad cable "
                              "or hub, from firmware that is damaged, or the probe is broken.",
                              "plug it in anew, with another cable and without a hub" },
        [VERDICT_POOR_LINK] = { "The way to the probe is poor: answers get lost or take long.",
                                "another cable, without hub, virtual machine or network between" },
        [VERDICT_UNPLUGGED] = { "The probe went away during the examination.",
                                "fasten the cable, then: stlinkctl doctor" },
        [VERDICT_LOADER] = { "The probe is in its boot loader and does not leave it.", "" },
        [VERDICT_LOST] = { "The probe left its boot loader, and did not come back.",
                           "unplug it and plug it in again" },
        [VERDICT_OLD_FIRMWARE] = { "The probe's firmware is too old for some of the tools.",
                                   "update it with ST's own STM32CubeProgrammer or STLinkUpgrade" },
        [VERDICT_NO_POWER] = { "The probe is fine. Its target has no power, or nothing is "
                               "connected (0 V at VTref; a clone that does not measure says so "
                               "too).",
                               "power the target, and connect VTref to its supply" },
        [VERDICT_SILENT] = { "The probe is fine. Its target has power and does not answer: a wire "
                             "is off or swapped, it sleeps and nRST is not wired, or it is locked "
                             "for good (read-out protection level 2).",
                             "check SWDIO, SWCLK, GND and nRST; then: stlinkctl doctor" },
        [VERDICT_NEEDS_RESET] = { "The target answers only while it is held in reset: its program "
                                  "puts it to sleep, or uses the SWD pins for something else. "
                                  "OpenOCD wants 'reset_config srst_only srst_nogate "
                                  "connect_assert_srst', st-flash --connect-under-reset.",
                                  "" },
        [VERDICT_SLOW_ONLY] = { "The target answers only at a slow clock: long wires, a missing "
                                "ground wire, or weak pull-ups.",
                                "shorter wires, or a slower clock: openocd ... -c 'adapter speed "
                                "100'" },
        [VERDICT_READ_PROTECTED] = { "The target answers, but does not let its flash memory be "
                                     "read: read-out protection (RDP level 1).",
                                     "leave it, or lift it with ST's tool, which ERASES the whole "
                                     "flash memory" },
        [VERDICT_RESET_LINE] = { "All works but nRST: pulling it does not reset the target.",
                                 "wire nRST, or use software reset (openocd: reset_config none)" },
};

_printf_(3, 4) static void say(char *buffer, size_t size, const char *format, ...) {
        va_list args;

        va_start(args, format);
        (void) vsnprintf(buffer, size, format, args);
        va_end(args);
}

static void advise_held(const Examination *examination, Advice *ret) {
        const HolderFact *holder = examination->probe->holders;

        if (examination->probe->n_holders > 0) {
                say(ret->text, sizeof(ret->text), "%s (PID %u) of %s uses the probe%s.",
                    holder->command, holder->pid, holder->user,
                    holder->orphaned ? "; what started it is gone" : "");
                say(ret->next, sizeof(ret->next), "kill %u", holder->pid);
        }
        if (examination->facts->snapshot)
                say(ret->next, sizeof(ret->next), "stlinkctl run --wait%s%s -- COMMAND",
                    examination->facts->n_probes > 1 ? " -p " : "",
                    examination->facts->n_probes > 1 ? examination->probe->port : "");
}

static const RuleRemark *find_remark(const RulesReport *report, RuleRemarkKind kind) {
        for (size_t i = 0; i < report->n_remarks; i++)
                if (report->remarks[i].kind == kind)
                        return &report->remarks[i];
        return NULL;
}

static void advise_permission(const Examination *examination, Advice *ret) {
        const ProbeFact *probe = examination->probe;
        const RuleRemark *remark;

        if (examination->refusal == REFUSAL_POLICY) {
                say(ret->text, sizeof(ret->text), "stlinkd does not let you take the probe: %s",
                    examination->refusal_text);
                say(ret->next, sizeof(ret->next),
                    "sudo usermod -aG stlink $USER   # then log in anew");
                return;
        }
        say(ret->text, sizeof(ret->text), "You may not use %s: mode %04o, owner %s, group %s.",
            probe->node, (unsigned) probe->mode, probe->owner, probe->group);
        remark = find_remark(&probe->rules, RULE_GROUP_MISSING);
        if (!remark)
                remark = find_remark(&probe->rules, RULE_GROUP_ORDINARY);
        if (remark && examination->facts->systemd_version >= 258)
                say(ret->next, sizeof(ret->next),
                    "sudo groupadd --system %s; sudo udevadm trigger -s usb   # %s:%u was dropped",
                    remark->place.value, remark->place.file, remark->place.line);
        else if (find_remark(&probe->rules, RULE_TOO_LATE))
                say(ret->next, sizeof(ret->next), "sudo mv %s %s",
                    find_remark(&probe->rules, RULE_TOO_LATE)->place.file,
                    "/etc/udev/rules.d/60-stlink.rules   # then plug it in anew");
        else if (probe->rules.uaccess.file[0] && examination->facts->is_remote_login)
                say(ret->next, sizeof(ret->next),
                    "stlinkctl run -- COMMAND   # as a member of group stlink: by ssh you have no "
                    "seat");
        else if (probe->mode & 0060 && !probe->in_group)
                say(ret->next, sizeof(ret->next), "sudo usermod -aG %s $USER   # then log in anew",
                    probe->group);
        else if (probe->rules.uaccess.file[0])
                say(ret->next, sizeof(ret->next),
                    "sudo udevadm trigger -s usb   # or plug it in anew");
        else
                say(ret->next, sizeof(ret->next),
                    "install stlinkd's udev rules (69-stlinkd.rules), then plug it in anew");
}

/* stlinkd can bring it back, unless it has tried already. */
static void advise_wedged(const Examination *examination, Advice *ret) {
        const ProbeFindings *found = &examination->found;
        const ProbeView *view = examination->probe->view;

        if (found->error == 0)
                say(ret->text, sizeof(ret->text), "The probe answers, but refuses to work: %s.",
                    status_text(last_try(found)->status));
        if (view && !(view->wedge && strcmp(view->wedge, "needs-replug") == 0))
                say(ret->next, sizeof(ret->next), "stlinkctl recover%s%s",
                    examination->facts->n_probes > 1 ? " " : "",
                    examination->facts->n_probes > 1 ? examination->probe->port : "");
}

static void advise_loader(const Examination *examination, Advice *ret) {
        switch (examination->found.loader) {
        case LOADER_UPDATE:
                say(ret->text, sizeof(ret->text),
                    "The probe is in its boot loader, in the middle of a firmware update.");
                say(ret->next, sizeof(ret->next), "let the update finish");
                break;
        case LOADER_RECENT:
                say(ret->text, sizeof(ret->text),
                    "The probe has just entered its boot loader, as for a firmware update.");
                say(ret->next, sizeof(ret->next),
                    "let the update finish; without one, in a minute: stlinkctl doctor");
                break;
        case LOADER_OWN:
                say(ret->text, sizeof(ret->text),
                    "The probe runs its boot loader: an update goes on, or there is no firmware.");
                say(ret->next, sizeof(ret->next),
                    "let an update finish; else plug it in anew, else update it with ST's tool");
                break;
        default:
                say(ret->text, sizeof(ret->text),
                    "The probe does not leave its boot loader: there may be no firmware in it.");
                say(ret->next, sizeof(ret->next), "%s", advices[VERDICT_OLD_FIRMWARE].next);
        }
}

void doctor_advise(const Examination *examination, Verdict verdict, Advice *ret) {
        say(ret->text, sizeof(ret->text), "%s", advices[verdict].text);
        say(ret->next, sizeof(ret->next), "%s", advices[verdict].next);
        if (verdict == VERDICT_HELD)
                advise_held(examination, ret);
        else if (verdict == VERDICT_NO_PERMISSION)
                advise_permission(examination, ret);
        else if (verdict == VERDICT_WEDGED)
                advise_wedged(examination, ret);
        else if (verdict == VERDICT_NEEDS_RESET)
                say(ret->next, sizeof(ret->next), "stlinkctl connect --mode=under-reset%s%s",
                    examination->facts->n_probes > 1 ? " " : "",
                    examination->facts->n_probes > 1 ? examination->probe->port : "");
        else if (verdict == VERDICT_LOADER)
                advise_loader(examination, ret);
        else if (verdict == VERDICT_UNDECIDED && examination->refusal_text[0])
                say(ret->text, sizeof(ret->text), "The probe could not be examined: %s",
                    examination->refusal_text);
}
