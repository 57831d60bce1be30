/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/cause.h"

_printf_(2, 3) static void evidence(Finding *finding, const char *format, ...) {
        va_list args;

        va_start(args, format);
        (void) vsnprintf(finding->evidence, sizeof(finding->evidence), format, args);
        va_end(args);
}

_printf_(2, 3) static void next(Finding *finding, const char *format, ...) {
        va_list args;

        va_start(args, format);
        (void) vsnprintf(finding->next, sizeof(finding->next), format, args);
        va_end(args);
}

static bool is_state(const ProbeFact *probe, const char *state) {
        return probe->view && probe->view->state && strcmp(probe->view->state, state) == 0;
}

/* How to name a probe to stlinkctl: not at all when it is the only one. */
static const char *option(const Facts *facts, const ProbeFact *probe, char *buffer, size_t size) {
        (void) snprintf(buffer, size, "%s%s", facts->n_probes > 1 ? " -p " : "",
                        facts->n_probes > 1 ? probe->port : "");
        return buffer;
}

static const char *argument(const Facts *facts, const ProbeFact *probe, char *buffer, size_t size) {
        (void) snprintf(buffer, size, "%s%s", facts->n_probes > 1 ? " " : "",
                        facts->n_probes > 1 ? probe->port : "");
        return buffer;
}
#define ARGUMENT_MAX 80

/* What nobody can tell from outside: the probe has to be asked. */
static void ask_doctor(const Facts *facts, Finding *finding) {
        finding->certainty = CERTAINTY_POSSIBLE;
        if (facts->n_probes == 1)
                next(finding, "stlinkctl doctor");
        else
                next(finding, "stlinkctl doctor PROBE");
}

static void need_probe(Finding *finding) {
        finding->certainty = CERTAINTY_RULED_OUT;
        evidence(finding, "There is no probe to have this.");
}

/* --- other programs ----------------------------------------------------------------------- */

static void check_held(const Facts *facts, Finding *finding) {
        char name[ARGUMENT_MAX];

        for (size_t i = 0; i < facts->n_probes; i++) {
                const ProbeFact *probe = &facts->probes[i];
                const HolderFact *holder = probe->holders;

                if (probe->n_holders > 0) {
                        finding->certainty = CERTAINTY_SEEN;
                        evidence(finding, "%s (PID %u) of %s has %s at %s open%s.", holder->command,
                                 holder->pid, holder->user, probe->name, probe->port,
                                 holder->orphaned ? ", and what started it is gone" : "");
                        if (facts->snapshot)
                                next(finding,
                                     "stlinkctl run --wait%s -- COMMAND   # or end it: "
                                     "kill %u",
                                     option(facts, probe, name, sizeof(name)), holder->pid);
                        else
                                next(finding, "kill %u", holder->pid);
                        return;
                }
                if (probe->lease) {
                        finding->certainty = CERTAINTY_SEEN;
                        evidence(finding, "%s (PID %u) has leased %s at %s.",
                                 probe->lease->command ? probe->lease->command : "?",
                                 probe->lease->pid, probe->name, probe->port);
                        next(finding, "stlinkctl run --wait%s -- COMMAND",
                             option(facts, probe, name, sizeof(name)));
                        return;
                }
                if (strcmp(probe->driver, "usbfs") == 0) {
                        finding->certainty = CERTAINTY_SEEN;
                        evidence(finding, "A program that we may not see has claimed %s at %s.",
                                 probe->name, probe->port);
                        next(finding, "sudo lsof %s", probe->node);
                        return;
                }
        }
        finding->certainty = CERTAINTY_RULED_OUT;
        if (facts->n_probes == 0)
                return need_probe(finding);
        evidence(finding, "Nobody has a probe open%s.",
                 facts->snapshot || facts->can_see_all ? ""
                                                       : " among the programs that we may see");
        if (!facts->snapshot && !facts->can_see_all)
                finding->certainty = CERTAINTY_POSSIBLE;
}

static void check_tcp_port(const Facts *facts, Finding *finding) {
        const TcpPortFact *port = facts->tcp_ports;

        finding->certainty = CERTAINTY_RULED_OUT;
        evidence(finding, "Nobody listens on a port of the usual debug servers.");
        if (facts->n_tcp_ports == 0)
                return;
        finding->certainty = CERTAINTY_SEEN;
        if (port->pid > 0) {
                evidence(finding, "%s (PID %u) listens on port %u.", port->command, port->pid,
                         port->port);
                next(finding, "kill %u", port->pid);
                return;
        }
        evidence(finding, "A program of another user listens on port %u.", port->port);
        next(finding, "sudo ss -ltnp 'sport = :%u'", port->port);
}

static void check_stlink_server(const Facts *facts, Finding *finding) {
        finding->certainty = CERTAINTY_POSSIBLE;
        evidence(finding, "Nobody listens on port 7184.");
        next(finding, "switch sharing (\"shared ST-LINK\") off, or start stlink-server");
        for (size_t i = 0; i < facts->n_tcp_ports; i++)
                if (facts->tcp_ports[i].port == 7184) {
                        finding->certainty = CERTAINTY_SEEN;
                        evidence(finding, "%s (PID %u) shares probes on port 7184.",
                                 facts->tcp_ports[i].command[0] ? facts->tcp_ports[i].command
                                                                : "A program",
                                 facts->tcp_ports[i].pid);
                        next(finding, "close the other tool that uses the shared probe");
                }
}

static void check_lab_place(_unused_ const Facts *facts, Finding *finding) {
        finding->certainty = CERTAINTY_POSSIBLE;
        evidence(finding, "That is the lab's own book-keeping, not the probe's.");
        next(finding, "labgrid-client who");
}

static void check_reset_by_other(const Facts *facts, Finding *finding) {
        finding->certainty = CERTAINTY_RULED_OUT;
        evidence(finding, "The kernel's log has no reset of a device by a program.");
        if (facts->log_error < 0) {
                finding->certainty = CERTAINTY_POSSIBLE;
                evidence(finding, "The kernel's log may not be read.");
                next(finding, "sudo dmesg | grep -i usb");
        }
        for (size_t i = 0; i < facts->n_probes; i++)
                if (facts->probes[i].log.resets > 0) {
                        finding->certainty = CERTAINTY_SEEN;
                        evidence(finding, "A program has reset the device at %s %u times.",
                                 facts->probes[i].port, facts->probes[i].log.resets);
                        next(finding, "stlinkctl run -- COMMAND   # keeps others out");
                }
}

static bool has_tty(const Facts *facts) {
        for (size_t i = 0; i < facts->n_probes; i++)
                if (facts->probes[i].has_tty)
                        return true;
        return false;
}

static void check_modem_manager(const Facts *facts, Finding *finding) {
        finding->certainty = CERTAINTY_RULED_OUT;
        evidence(finding, "ModemManager does not run.");
        if (!facts->has_modem_manager)
                return;
        evidence(finding, "ModemManager runs, but no probe here has a serial port.");
        if (!has_tty(facts))
                return;
        finding->certainty = CERTAINTY_POSSIBLE;
        evidence(finding, "ModemManager runs. It leaves serial ports alone that have the property "
                          "ID_MM_DEVICE_IGNORE, which stlinkd's rules set.");
        next(finding, "udevadm info -q property -n /dev/ttyACM0 | grep ID_MM");
}

/* --- presence and USB --------------------------------------------------------------------- */

static void check_not_plugged(const Facts *facts, Finding *finding) {
        if (facts->n_probes > 0) {
                finding->certainty = CERTAINTY_RULED_OUT;
                evidence(finding, "%zu plugged in: %s at port %s%s.", facts->n_probes,
                         facts->probes[0].name, facts->probes[0].port,
                         facts->n_probes > 1 ? " and more" : "");
                return;
        }
        finding->certainty = CERTAINTY_SEEN;
        evidence(finding, "The kernel knows of no ST-LINK%s.",
                 facts->rom_loaders > 0 ? ", but of an STM32 in its ROM boot loader" : "");
        next(finding, "lsusb -d 0483:   # then another cable, another port");
}

static void check_cable(const Facts *facts, Finding *finding) {
        if (kernel_log_complains(&facts->log)) {
                finding->certainty = CERTAINTY_SEEN;
                evidence(finding, "The kernel says: %.300s", facts->log.last);
                next(finding, "another cable, then a port of the computer itself, without a hub");
                return;
        }
        finding->certainty = CERTAINTY_POSSIBLE;
        evidence(finding, facts->log_error < 0 ? "The kernel's log may not be read."
                                               : "The kernel's log has no complaint.");
        if (facts->log_error < 0)
                next(finding, "sudo stlinkctl doctor");
        else
                ask_doctor(facts, finding);
}

static void check_controller_full(const Facts *facts, Finding *finding) {
        finding->certainty = facts->log_error < 0 ? CERTAINTY_POSSIBLE : CERTAINTY_RULED_OUT;
        evidence(finding, "The kernel's log %s.",
                 facts->log_error < 0 ? "may not be read" : "does not say so");
        if (facts->log.no_resources == 0)
                return;
        finding->certainty = CERTAINTY_SEEN;
        evidence(finding, "The kernel says: %.300s", facts->log.last);
        next(finding, "move some devices to a port of another controller: lsusb -t");
}

static void check_unplugged(const Facts *facts, Finding *finding) {
        unsigned most = 0;

        for (size_t i = 0; i < facts->n_probes; i++)
                if (facts->probes[i].log.disconnects > most)
                        most = facts->probes[i].log.disconnects;
        if (facts->n_probes == 0)
                return check_not_plugged(facts, finding);
        finding->certainty = CERTAINTY_POSSIBLE;
        evidence(finding, "The probe is there now%s.",
                 most > 0 ? "; the kernel's log has disconnects of its port" : "");
        next(finding, "stlinkctl monitor   # and move the cable");
}

static void check_no_driver(const Facts *facts, Finding *finding) {
        finding->certainty = CERTAINTY_RULED_OUT;
        evidence(finding, "Linux needs no driver for an ST-LINK.");
        (void) facts;
}

static void check_wedged(const Facts *facts, Finding *finding) {
        if (facts->n_probes == 0)
                return need_probe(finding);
        for (size_t i = 0; i < facts->n_probes; i++)
                if (is_state(&facts->probes[i], "not-answering")) {
                        finding->certainty = CERTAINTY_SEEN;
                        evidence(finding, "%s at %s did not answer stlinkd.", facts->probes[i].name,
                                 facts->probes[i].port);
                        next(finding, "stlinkctl recover   # or unplug it and plug it in again");
                        return;
                }
        evidence(finding, "Whether the probe answers shows only when it is asked.");
        ask_doctor(facts, finding);
}

/* --- rights ------------------------------------------------------------------------------- */

static void check_no_permission(const Facts *facts, Finding *finding) {
        char name[ARGUMENT_MAX];

        if (facts->n_probes == 0)
                return need_probe(finding);
        for (size_t i = 0; i < facts->n_probes; i++) {
                const ProbeFact *probe = &facts->probes[i];

                if (probe->access == 0 || probe->for_leases)
                        continue;
                finding->certainty = CERTAINTY_SEEN;
                evidence(finding,
                         "You may not read and write %s (mode %04o, owner %s, group %s)%s.",
                         probe->node, (unsigned) probe->mode, probe->owner, probe->group,
                         facts->is_remote_login
                                 ? "; logged in by ssh you are not at the machine's seat"
                                 : "");
                next(finding, "stlinkctl doctor%s   # tells which rule decides",
                     argument(facts, probe, name, sizeof(name)));
                return;
        }
        finding->certainty = CERTAINTY_RULED_OUT;
        evidence(finding,
                 facts->probes[0].for_leases ? "Whoever has a lease may use %s (policy \"strict\")."
                                             : "You may read and write %s.",
                 facts->probes[0].node);
}

static void check_rules_dropped(const Facts *facts, Finding *finding) {
        finding->certainty = CERTAINTY_RULED_OUT;
        evidence(finding, "No rule about these probes names a group that systemd %d would refuse.",
                 facts->systemd_version);
        for (size_t i = 0; i < facts->n_probes; i++) {
                const RulesReport *report = &facts->probes[i].rules;

                for (size_t k = 0; k < report->n_remarks; k++) {
                        const RuleRemark *remark = &report->remarks[k];

                        if (remark->kind != RULE_GROUP_MISSING &&
                            remark->kind != RULE_GROUP_ORDINARY)
                                continue;
                        finding->certainty =
                                facts->systemd_version >= 258 ? CERTAINTY_SEEN : CERTAINTY_POSSIBLE;
                        evidence(finding,
                                 "%s:%u has GROUP=\"%s\", which is no system group; "
                                 "systemd from 258 on drops such a line.",
                                 remark->place.file, remark->place.line, remark->place.value);
                        next(finding, "sudo groupadd --system %s && sudo udevadm control --reload",
                             remark->place.value);
                        return;
                }
        }
}

static void check_container(const Facts *facts, Finding *finding) {
        if (facts->container[0] == '\0') {
                finding->certainty = CERTAINTY_RULED_OUT;
                evidence(finding, "This is no container.");
                return;
        }
        finding->certainty = CERTAINTY_POSSIBLE;
        if (facts->n_probes == 0 || facts->probes[0].access < 0)
                finding->certainty = CERTAINTY_SEEN;
        evidence(finding,
                 "This is a container (%s): its /dev and its list of devices do not "
                 "follow what is plugged in.",
                 facts->container);
        next(finding, "on the host: stlinkctl run -- docker exec CONTAINER COMMAND");
}

static void check_wsl(const Facts *facts, Finding *finding) {
        if (!facts->is_wsl) {
                finding->certainty = CERTAINTY_RULED_OUT;
                evidence(finding, "This is not WSL.");
                return;
        }
        finding->certainty = facts->n_probes == 0 ? CERTAINTY_SEEN : CERTAINTY_POSSIBLE;
        evidence(finding, "This is WSL: a probe must be attached, and again each time it changes "
                          "its mode.");
        next(finding, "usbipd attach --wsl --busid BUSID --auto-attach   # in Windows");
}

/* --- which probe -------------------------------------------------------------------------- */

static void check_serial(const Facts *facts, Finding *finding) {
        if (facts->n_probes == 0)
                return need_probe(finding);
        finding->certainty = CERTAINTY_POSSIBLE;
        evidence(finding, "Plugged in: %s%s%s.",
                 facts->probes[0].serial[0] ? facts->probes[0].serial
                                            : "one without a serial number",
                 facts->n_probes > 1 ? ", " : "",
                 facts->n_probes > 1 ? facts->probes[1].serial : "");
        next(finding, "stlinkctl list   # and compare");
}

static void check_ambiguous(const Facts *facts, Finding *finding) {
        for (size_t i = 0; i < facts->n_probes; i++)
                for (size_t k = 0; k < i; k++)
                        if (strcmp(facts->probes[i].serial, facts->probes[k].serial) == 0) {
                                finding->certainty = CERTAINTY_SEEN;
                                evidence(finding, "The probes at %s and %s have one serial number.",
                                         facts->probes[k].port, facts->probes[i].port);
                                next(finding, "name them by their ports, such as %s",
                                     facts->probes[i].port);
                                return;
                        }
        finding->certainty = CERTAINTY_RULED_OUT;
        evidence(finding, "No two probes have the same serial number.");
        for (size_t i = 0; i < facts->n_probes; i++)
                if (facts->probes[i].is_shared_serial) {
                        finding->certainty = CERTAINTY_POSSIBLE;
                        evidence(finding, "The probe at %s has no serial number of its own.",
                                 facts->probes[i].port);
                        next(finding, "name it by its port, %s", facts->probes[i].port);
                }
}

static void check_several(const Facts *facts, Finding *finding) {
        if (facts->n_probes < 2) {
                finding->certainty = CERTAINTY_RULED_OUT;
                evidence(finding, "%zu probe%s plugged in.", facts->n_probes,
                         facts->n_probes == 1 ? " is" : "s are");
                return;
        }
        finding->certainty = CERTAINTY_SEEN;
        evidence(finding, "%zu probes are plugged in; tell the tool which one.", facts->n_probes);
        next(finding, "stlinkctl list");
}

static void check_pid_unknown(const Facts *facts, Finding *finding) {
        for (size_t i = 0; i < facts->n_probes; i++)
                if (!facts->probes[i].is_known || facts->probes[i].product_id > 0x3752) {
                        finding->certainty = CERTAINTY_POSSIBLE;
                        evidence(finding, "%s at %s is 0483:%04x, which not every tool knows.",
                                 facts->probes[i].name, facts->probes[i].port,
                                 facts->probes[i].product_id);
                        next(finding, "a newer version of that tool");
                        return;
                }
        finding->certainty = CERTAINTY_RULED_OUT;
        evidence(finding, "The probes here have product IDs that every tool knows.");
}

static void check_rom_loader(const Facts *facts, Finding *finding) {
        finding->certainty = CERTAINTY_RULED_OUT;
        evidence(finding, "No 0483:df11 is plugged in.");
        if (facts->rom_loaders == 0)
                return;
        finding->certainty = CERTAINTY_SEEN;
        evidence(finding, "An STM32 runs its ROM boot loader (0483:df11); it is not an ST-LINK.");
        next(finding, "dfu-util -l");
}

/* --- mode and firmware -------------------------------------------------------------------- */

static void check_loader(const Facts *facts, Finding *finding) {
        if (facts->n_probes == 0)
                return need_probe(finding);
        for (size_t i = 0; i < facts->n_probes; i++)
                if (facts->probes[i].is_loader_product) {
                        finding->certainty = CERTAINTY_SEEN;
                        evidence(finding, "%s at %s is in its boot loader.", facts->probes[i].name,
                                 facts->probes[i].port);
                        next(finding, "let an update finish, else plug it in anew");
                        return;
                }
        finding->certainty = CERTAINTY_POSSIBLE;
        evidence(finding, "A V2 rests in its boot loader after it was plugged in, until a tool "
                          "starts its application.");
        next(finding, "stlinkctl connect   # leaves the boot loader");
}

static void check_old_firmware(const Facts *facts, Finding *finding) {
        if (facts->n_probes == 0)
                return need_probe(finding);
        ask_doctor(facts, finding);
        for (size_t i = 0; i < facts->n_probes; i++)
                if (facts->probes[i].view && facts->probes[i].view->firmware) {
                        evidence(finding, "%s at %s has firmware %s.", facts->probes[i].name,
                                 facts->probes[i].port, facts->probes[i].view->firmware);
                        return;
                }
        evidence(finding, "The version of the firmware is not known.");
}

/* --- target ------------------------------------------------------------------------------- */

static void check_target(const Facts *facts, Finding *finding) {
        if (facts->n_probes == 0)
                return need_probe(finding);
        evidence(finding, "That shows only when the target is asked.");
        ask_doctor(facts, finding);
}

static void check_target_power(const Facts *facts, Finding *finding) {
        if (facts->n_probes == 0)
                return need_probe(finding);
        ask_doctor(facts, finding);
        evidence(finding, "The target's voltage is not known.");
        for (size_t i = 0; i < facts->n_probes; i++) {
                int millivolts = facts->probes[i].view ? facts->probes[i].view->target_voltage : -1;

                if (millivolts < 0)
                        continue;
                evidence(finding, "%d.%02d V when it was last measured%s.", millivolts / 1000,
                         millivolts % 1000 / 10,
                         millivolts == 0 ? ": no power, or VTref is not wired" : "");
                return;
        }
}

static void check_read_protected(const Facts *facts, Finding *finding) {
        check_target(facts, finding);
        if (finding->certainty == CERTAINTY_POSSIBLE)
                evidence(finding, "That shows only when the target is asked. To lift the "
                                  "protection erases all of the flash memory.");
}

static void check_reset_line(const Facts *facts, Finding *finding) {
        if (facts->n_probes == 0)
                return need_probe(finding);
        evidence(finding, "Whether nRST is wired shows only when it is pulled.");
        finding->certainty = CERTAINTY_POSSIBLE;
        next(finding, "stlinkctl doctor --reset");
}

static void check_always(_unused_ const Facts *facts, Finding *finding) {
        finding->certainty = CERTAINTY_POSSIBLE;
}

static void check_chip_unknown(const Facts *facts, Finding *finding) {
        check_always(facts, finding);
        evidence(finding, "The tool's own table may lack the chip.");
        next(finding, "stlinkctl connect   # shows what chip is there");
}

static void check_chip_clone(const Facts *facts, Finding *finding) {
        check_always(facts, finding);
        evidence(finding, "ST's tools refuse chips that ST did not make; others do not.");
        next(finding, "openocd or probe-rs in place of that tool");
}

static void check_stale_disk(const Facts *facts, Finding *finding) {
        check_always(facts, finding);
        evidence(finding, "The probe makes its disk anew after each flash; a file system that "
                          "stays mounted is out of date then.");
        next(finding, "udisksctl unmount -b /dev/DISK   # before each copy");
}

/* --- all ---------------------------------------------------------------------------------- */

static const struct {
        const char *name, *title;
        void (*check)(const Facts *facts, Finding *finding);
} causes[_CAUSE_MAX] = {
        [CAUSE_HELD] = { "held", "another program uses the probe", check_held },
        [CAUSE_NOT_PLUGGED] = { "not-plugged", "no probe is plugged in", check_not_plugged },
        [CAUSE_NO_PERMISSION] = { "no-permission", "you may not use the probe's node",
                                  check_no_permission },
        [CAUSE_RULES_DROPPED] = { "rules-dropped", "udev drops the rule that would let you in",
                                  check_rules_dropped },
        [CAUSE_WEDGED] = { "wedged", "the probe hangs", check_wedged },
        [CAUSE_UNPLUGGED] = { "unplugged", "the probe went away meanwhile", check_unplugged },
        [CAUSE_RESET_BY_OTHER] = { "reset-by-other", "another program has reset the probe",
                                   check_reset_by_other },
        [CAUSE_CABLE] = { "cable", "USB cable, hub or port", check_cable },
        [CAUSE_CONTROLLER_FULL] = { "controller-full", "the USB host controller is full",
                                    check_controller_full },
        [CAUSE_NO_DRIVER] = { "no-driver", "a driver is missing", check_no_driver },
        [CAUSE_LOADER] = { "loader", "the probe is in its boot loader", check_loader },
        [CAUSE_OLD_FIRMWARE] = { "old-firmware", "the probe's firmware is too old",
                                 check_old_firmware },
        [CAUSE_SERIAL] = { "serial", "the serial number is spelled in another way", check_serial },
        [CAUSE_AMBIGUOUS] = { "ambiguous", "several probes have one serial number",
                              check_ambiguous },
        [CAUSE_SEVERAL] = { "several", "several probes are plugged in", check_several },
        [CAUSE_PID_UNKNOWN] = { "pid-unknown", "the tool does not know this product",
                                check_pid_unknown },
        [CAUSE_ROM_LOADER] = { "rom-loader", "it is an STM32 in its ROM boot loader, no ST-LINK",
                               check_rom_loader },
        [CAUSE_TCP_PORT] = { "tcp-port", "an old debug server still has the TCP port",
                             check_tcp_port },
        [CAUSE_STLINK_SERVER] = { "stlink-server", "stlink-server, or that it does not run",
                                  check_stlink_server },
        [CAUSE_LAB_PLACE] = { "lab-place", "the lab has given it to somebody", check_lab_place },
        [CAUSE_CONTAINER] = { "container", "a container hides the probe", check_container },
        [CAUSE_WSL] = { "wsl", "Windows has the probe, not WSL", check_wsl },
        [CAUSE_TARGET_POWER] = { "target-power", "the target has no power", check_target_power },
        [CAUSE_TARGET_HIDDEN] = { "target-hidden",
                                  "the target sleeps, or uses its SWD pins for something else",
                                  check_target },
        [CAUSE_TARGET_SILENT] = { "target-silent", "wires: SWDIO, SWCLK or GND", check_target },
        [CAUSE_READ_PROTECTED] = { "read-protected", "the target is protected against reading",
                                   check_read_protected },
        [CAUSE_RESET_LINE] = { "reset-line", "nRST is not wired", check_reset_line },
        [CAUSE_VOLTAGE_UNMEASURED] = { "voltage-unmeasured", "the probe cannot measure the voltage",
                                       check_target_power },
        [CAUSE_CHIP_UNKNOWN] = { "chip-unknown", "the tool does not know this chip",
                                 check_chip_unknown },
        [CAUSE_CHIP_CLONE] = { "chip-clone", "the chip is not made by ST", check_chip_clone },
        [CAUSE_STALE_DISK] = { "stale-disk", "the disk's file system is out of date",
                               check_stale_disk },
        [CAUSE_MODEM_MANAGER] = { "modem-manager", "ModemManager tries the serial port",
                                  check_modem_manager },
};

const char *cause_name(Cause cause) {
        return (unsigned) cause < _CAUSE_MAX ? causes[cause].name : NULL;
}

const char *cause_title(Cause cause) {
        return (unsigned) cause < _CAUSE_MAX ? causes[cause].title : NULL;
}

void cause_check(Cause cause, const Facts *facts, Finding *ret) {
        *ret = (Finding){ .cause = cause };
        causes[cause].check(facts, ret);
}

void causes_check(const Cause *list, size_t n, const Facts *facts, Finding *findings) {
        size_t filled = 0;

        for (Certainty certainty = CERTAINTY_SEEN; certainty <= CERTAINTY_RULED_OUT; certainty++)
                for (size_t i = 0; i < n; i++) {
                        Finding finding;

                        cause_check(list[i], facts, &finding);
                        if (finding.certainty == certainty)
                                findings[filled++] = finding;
                }
}
