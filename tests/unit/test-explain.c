/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "ctl/explain.h"

/* Every message that users were found to be in despair of, as they pasted it, and what it is
 * about. The order of the list is that of how often it was met. */
static const struct {
        const char *text, *name;
        Cause cause; /* the likeliest one */
} cases[] = {
        { "Old ST-Link firmware/ST-Link already used", "stlink-utility-used", CAUSE_HELD },
        { "Old ST-Link firmware / ST-Link already used", "stlink-utility-used", CAUSE_HELD },
        { "Device or resource busy (os error 16)", "os-error-16", CAUSE_HELD },
        { "Stlink usb device found, but unable to claim (probably already in use?)", "stlink-claim",
          CAUSE_HELD },
        { "could not claim interface: Resource busy", "openocd-claim", CAUSE_HELD },
        { "[Errno 16] Resource busy", "errno-16", CAUSE_HELD },
        { "STOPPED STLink not found", "mcuviewer", CAUSE_HELD },
        { "the selected device is already used", "openocd-tcp-used", CAUSE_HELD },
        { "Failed to launch OpenOCD GDB Server: Timeout", "gdb-server-timeout", CAUSE_HELD },
        { "couldn't bind tcl to socket on port 6666: Address already in use", "openocd-port",
          CAUSE_TCP_PORT },
        { "Failed to bind to port 61234, error code -1", "cube-gdb-port", CAUSE_TCP_PORT },
        { "Failure starting GDB server: TCP port 61234 not available", "cube-gdb-port",
          CAUSE_TCP_PORT },
        { "Target unknown error 32", "error-32", CAUSE_HELD },
        { "Enable shared ST-LINK", "stlink-server-shared", CAUSE_STLINK_SERVER },
        { "ProbeInUse", "os-error-16", CAUSE_HELD },
        { "already acquired by place bench3", "labgrid-acquired", CAUSE_LAB_PLACE },
        { "[!] send_recv send request failed: LIBUSB_ERROR_TIMEOUT", "libusb-timeout",
          CAUSE_WEDGED },
        { "LIBUSB_ERROR_PIPE", "libusb-pipe", CAUSE_WEDGED },
        { "LIBUSB_ERROR_IO", "libusb-io", CAUSE_WEDGED },
        { "GET_VERSION send request failed: LIBUSB_ERROR_TIMEOUT", "libusb-timeout", CAUSE_WEDGED },
        { "Command failed with status JtagNoDeviceConnected", "no-device-connected",
          CAUSE_TARGET_POWER },
        { "LED blinking red/green", "led", CAUSE_WEDGED },
        { "libusb_open() failed with LIBUSB_ERROR_ACCESS", "libusb-access", CAUSE_NO_PERMISSION },
        { "Permission denied (os error 13)", "os-error-13", CAUSE_NO_PERMISSION },
        { "Couldn't find any ST-Link devices", "stlink-none", CAUSE_NO_PERMISSION },
        { "No device matches the serial string", "no-such-serial", CAUSE_SERIAL },
        { "Found 2 stlink programmers", "several", CAUSE_SEVERAL },
        { " serial: 303030303030303030303031", "no-such-serial", CAUSE_SERIAL },
        { "usb 1-1: SerialNumber: VÿsQ\\xc2\\x82RP9\\xc2\\x87", "no-such-serial", CAUSE_SERIAL },
        { "usb 1-1: SerialNumber: V\xC3\xBFsQ\xC2\x82RP9\xC2\x87", "no-such-serial", CAUSE_SERIAL },
        { "More than one programmer found but no serial number given", "several", CAUSE_SEVERAL },
        { "Can not connect to target!", "connect-under-reset", CAUSE_TARGET_POWER },
        { "Cannot connect to target! Use Connect Under Reset", "connect-under-reset",
          CAUSE_TARGET_POWER },
        { "Error: ST-LINK error (DEV_TARGET_CMD_ERR)", "cube-target-command", CAUSE_TARGET_POWER },
        { "init mode failed (unable to connect to the target)", "openocd-init-mode",
          CAUSE_TARGET_POWER },
        { "Target no device found", "cube-no-device", CAUSE_TARGET_POWER },
        { "Reason: (4) No device found on target", "cube-no-device", CAUSE_TARGET_POWER },
        { "SwdDpWait", "dp-wait", CAUSE_TARGET_HIDDEN },
        { "unknown chip id! 0x0", "unknown-chip", CAUSE_TARGET_SILENT },
        { "unknown chip id", "unknown-chip", CAUSE_TARGET_SILENT },
        { "jtag status contains invalid mode value - communication failure", "jtag-status",
          CAUSE_TARGET_SILENT },
        { "target voltage may be too low for reliable debugging", "voltage-low",
          CAUSE_VOLTAGE_UNMEASURED },
        { "Target voltage: 0.00", "voltage-low", CAUSE_VOLTAGE_UNMEASURED },
        { "Voltage : 0.00V", "voltage-low", CAUSE_VOLTAGE_UNMEASURED },
        { "No ST-Link in DFU mode found. Replug ST-Link to flash!", "dfu-mode", CAUSE_LOADER },
        { "Current mode : 4", "dfu-mode", CAUSE_LOADER },
        { "ST-Link dongle is not in the correct mode. Please unplug and plug", "dfu-mode",
          CAUSE_LOADER },
        { "current mode: dfu", "dfu-mode", CAUSE_LOADER },
        { "skipping ST device : 0x483:0x3754", "skipped", CAUSE_PID_UNKNOWN },
        { "open failed", "openocd-open", CAUSE_NOT_PLUGGED },
        { "Bus 003 Device 040: ID 0483:df11 STMicroelectronics", "rom-loader", CAUSE_ROM_LOADER },
        { "ST-LINK firmware upgrade required. Please upgrade the ST-LINK firmware", "firmware-old",
          CAUSE_OLD_FIRMWARE },
        { "Old ST-Link firmware, please upgrade it before trying to reconnect", "firmware-old",
          CAUSE_OLD_FIRMWARE },
        { "The firmware on the probe is outdated", "firmware-old", CAUSE_OLD_FIRMWARE },
        { "The firmware in the ST-Link adapter only supports deprecated HLA", "firmware-old",
          CAUSE_OLD_FIRMWARE },
        { "no space left on device", "disk-full", CAUSE_STALE_DISK },
        { "FAIL.TXT", "fail-txt", CAUSE_TARGET_SILENT },
        { "LIBUSB_ERROR_NO_DEVICE", "libusb-no-device", CAUSE_UNPLUGGED },
        { "open(/dev/bus/usb/003/005) EPERM", "node-eperm", CAUSE_CONTAINER },
        { "no db file to read /run/udev/data/+usb:1-1:1.0: No such file or directory", "node-eperm",
          CAUSE_CONTAINER },
        { "usb 1-1: device descriptor read/64, error -71", "enumeration", CAUSE_CABLE },
        { "usb 1-1: can't set config #1, error -22", "enumeration", CAUSE_CABLE },
        { "Not enough host controller resources for new device state", "controller-full",
          CAUSE_CONTROLLER_FULL },
        { "error -12", "controller-full", CAUSE_CONTROLLER_FULL },
        { "Cannot read memory! Disable Read Out Protection and retry", "read-protection",
          CAUSE_READ_PROTECTED },
        { "stm32x device protected", "read-protection", CAUSE_READ_PROTECTED },
        { "Could not verify ST device! Abort connection", "not-genuine", CAUSE_CHIP_CLONE },
        { "USB communication error", "usb-communication", CAUSE_HELD },
};

START_TEST(test_message) {
        ExplainHit hits[EXPLAIN_HITS_MAX];
        Cause causes[_CAUSE_MAX];
        size_t n = explain_find(cases[_i].text, strlen(cases[_i].text), hits);

        ck_assert_msg(n > 0, "nothing is known about: %s", cases[_i].text);
        ck_assert_str_eq(hits[0].explanation->name, cases[_i].name);
        ck_assert_uint_gt(explain_causes(hits, n, causes), 0);
        ck_assert_int_eq(causes[0], cases[_i].cause);
}
END_TEST

/* Each text of the table is found again, also in the middle of a log, and leads to its entry. */
START_TEST(test_own_words) {
        const Explanation *explanation = explanation_at((size_t) _i);

        for (const char *const *text = explanation->texts; *text; text++) {
                ExplainHit hits[EXPLAIN_HITS_MAX];
                char line[1024], *star;
                bool found = false;
                size_t n;

                (void) snprintf(line, sizeof(line), "Info : fine\nError:  %s.\r\nbye\n", *text);
                while ((star = strchr(line, '*')))
                        *star = '7';
                n = explain_find(line, strlen(line), hits);
                for (size_t i = 0; i < n; i++)
                        if (hits[i].explanation == explanation) {
                                found = true;
                                ck_assert_uint_eq(hits[i].line, 1);
                        }
                ck_assert_msg(found, "[%s] does not find its own: %s", explanation->name, *text);
        }
        ck_assert_ptr_nonnull(strstr(explanation->source, "://"));
}
END_TEST

static const char *const strangers[] = {
        "",
        "\n\n",
        "Hello, world",
        "Info : Listening on port 3333 for gdb connections",
        "Info : Target voltage: 3.243373",
        "Voltage : 3.28V",
        "st-flash 1.7.0",
        "make: *** [Makefile:12: flash] Error 1",
        "reopen failed attempts: 0", /* within words, nothing is meant */
        "error -121",
        "preopen failedness",
};

START_TEST(test_stranger) {
        ExplainHit hits[EXPLAIN_HITS_MAX];
        size_t n = explain_find(strangers[_i], strlen(strangers[_i]), hits);

        ck_assert_msg(n == 0, "\"%s\" was taken for [%s]", strangers[_i],
                      n > 0 ? hits[0].explanation->name : "");
}
END_TEST

START_TEST(test_spelling) {
        static const char *const texts[] = {
                "CAN NOT   CONNECT\tTO TARGET!",
                "  Can not connect to target!  ",
                "2019-06-26T23:41:46 ERROR x.c: Can not connect to target. Please use "
                "\xE2\x80\x98"
                "connect under reset\xE2\x80\x99 and try again",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                ExplainHit hits[EXPLAIN_HITS_MAX];

                ck_assert_uint_gt(explain_find(texts[i], strlen(texts[i]), hits), 0);
                ck_assert_str_eq(hits[0].explanation->name, "connect-under-reset");
        }
}
END_TEST

/* OpenOCD says nothing at all when somebody else has the probe. */
START_TEST(test_silence) {
        static const char silent[] =
                "Open On-Chip Debugger 0.12.0\nInfo : clock speed 1000 kHz\n\n",
                          loud[] = "Info : clock speed 1000 kHz\nInfo : STLINK V2J37S7 (API v2)\n";
        ExplainHit hits[EXPLAIN_HITS_MAX];

        ck_assert_uint_eq(explain_find(silent, strlen(silent), hits), 1);
        ck_assert_str_eq(hits[0].explanation->name, "openocd-silent");
        ck_assert_uint_eq(hits[0].line, 1);
        ck_assert_uint_eq(explain_find(loud, strlen(loud), hits), 0);
}
END_TEST

START_TEST(test_best_first) {
        /* Both count; what went wrong first is nearer to the cause. */
        static const char text[] =
                "Error: libusb_open() failed with LIBUSB_ERROR_ACCESS\nError: open failed\n";
        ExplainHit hits[EXPLAIN_HITS_MAX];
        Cause causes[_CAUSE_MAX];
        size_t n = explain_find(text, strlen(text), hits);

        ck_assert_uint_eq(n, 2);
        ck_assert_str_eq(hits[0].explanation->name, "libusb-access");
        ck_assert_uint_eq(hits[0].line, 0);
        n = explain_causes(hits, n, causes);
        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < i; k++)
                        ck_assert_int_ne(causes[i], causes[k]);
        ck_assert_int_eq(causes[0], CAUSE_NO_PERMISSION);
}
END_TEST

/* --- causes and the machine --------------------------------------------------------------- */

static HolderView openocd = { .pid = 4711, .command = (char *) "openocd" };
static ProbeView dead = { .state = (char *) "not-answering", .target_voltage = -1 };
static ProbeView unpowered = { .state = (char *) "free", .target_voltage = 0 };
static Snapshot snapshot;

static ProbeFact healthy(void) {
        return (ProbeFact){ .port = (char *) "1-1",
                            .node = (char *) "/dev/bus/usb/001/002",
                            .name = (char *) "ST-LINK/V2",
                            .serial = (char *) "066BFF564977886700000001",
                            .product_id = 0x3748,
                            .is_known = true };
}

static void expect(Cause cause, const Facts *facts, Certainty certainty, const char *part) {
        Finding finding;

        cause_check(cause, facts, &finding);
        ck_assert_msg(finding.certainty == certainty, "%s: certainty %d, not %d: %s",
                      cause_name(cause), (int) finding.certainty, (int) certainty,
                      finding.evidence);
        ck_assert_msg(strstr(finding.evidence, part) || strstr(finding.next, part),
                      "%s: no \"%s\" in: %s | %s", cause_name(cause), part, finding.evidence,
                      finding.next);
}

START_TEST(test_nothing_plugged_in) {
        Facts facts = {};

        expect(CAUSE_NOT_PLUGGED, &facts, CERTAINTY_SEEN, "no ST-LINK");
        expect(CAUSE_HELD, &facts, CERTAINTY_RULED_OUT, "no probe");
        expect(CAUSE_WEDGED, &facts, CERTAINTY_RULED_OUT, "no probe");
        expect(CAUSE_TARGET_SILENT, &facts, CERTAINTY_RULED_OUT, "no probe");
        facts.rom_loaders = 1;
        expect(CAUSE_NOT_PLUGGED, &facts, CERTAINTY_SEEN, "ROM boot loader");
        expect(CAUSE_ROM_LOADER, &facts, CERTAINTY_SEEN, "dfu-util");
}
END_TEST

START_TEST(test_holders) {
        ProbeFact probe = healthy();
        Facts facts = { .probes = &probe, .n_probes = 1 };
        LeaseView lease = { .command = (char *) "st-flash", .pid = 12 };

        /* Without stlinkd and without root's eyes, others may hide. */
        expect(CAUSE_HELD, &facts, CERTAINTY_POSSIBLE, "that we may see");
        facts.can_see_all = true;
        expect(CAUSE_HELD, &facts, CERTAINTY_RULED_OUT, "Nobody");
        (void) snprintf(probe.driver, sizeof(probe.driver), "usbfs");
        expect(CAUSE_HELD, &facts, CERTAINTY_SEEN, "may not see");
        probe.lease = &lease;
        expect(CAUSE_HELD, &facts, CERTAINTY_SEEN, "st-flash (PID 12)");
        probe.holders[probe.n_holders++] = (HolderFact){ .pid = openocd.pid, .orphaned = true };
        (void) snprintf(probe.holders[0].command, FACTS_NAME_MAX, "%s", openocd.command);
        expect(CAUSE_HELD, &facts, CERTAINTY_SEEN, "openocd (PID 4711)");
        expect(CAUSE_HELD, &facts, CERTAINTY_SEEN, "what started it is gone");
        expect(CAUSE_HELD, &facts, CERTAINTY_SEEN, "kill 4711");
        facts.snapshot = &snapshot;
        expect(CAUSE_HELD, &facts, CERTAINTY_SEEN, "stlinkctl run --wait -- COMMAND");
}
END_TEST

START_TEST(test_rights) {
        ProbeFact probe = healthy();
        Facts facts = { .probes = &probe, .n_probes = 1, .systemd_version = 252 };

        expect(CAUSE_NO_PERMISSION, &facts, CERTAINTY_RULED_OUT, "You may read and write");
        probe.access = -EACCES;
        expect(CAUSE_NO_PERMISSION, &facts, CERTAINTY_SEEN, probe.node);
        facts.is_remote_login = true;
        expect(CAUSE_NO_PERMISSION, &facts, CERTAINTY_SEEN, "seat");
        expect(CAUSE_RULES_DROPPED, &facts, CERTAINTY_RULED_OUT, "252");
        probe.rules.remarks[probe.rules.n_remarks++] =
                (RuleRemark){ RULE_GROUP_MISSING, { "60-openocd.rules", 90, "plugdev" } };
        expect(CAUSE_RULES_DROPPED, &facts, CERTAINTY_POSSIBLE, "60-openocd.rules:90");
        facts.systemd_version = 258;
        expect(CAUSE_RULES_DROPPED, &facts, CERTAINTY_SEEN, "plugdev");
        expect(CAUSE_CONTAINER, &facts, CERTAINTY_RULED_OUT, "no container");
        (void) snprintf(facts.container, sizeof(facts.container), "docker");
        expect(CAUSE_CONTAINER, &facts, CERTAINTY_SEEN, "docker");
        probe.access = 0;
        expect(CAUSE_CONTAINER, &facts, CERTAINTY_POSSIBLE, "docker");
        expect(CAUSE_WSL, &facts, CERTAINTY_RULED_OUT, "not WSL");
        facts.is_wsl = true;
        expect(CAUSE_WSL, &facts, CERTAINTY_POSSIBLE, "usbipd");
}
END_TEST

START_TEST(test_probe) {
        ProbeFact probes[] = { healthy(), healthy() };
        Facts facts = { .probes = probes, .n_probes = 1 };

        expect(CAUSE_WEDGED, &facts, CERTAINTY_POSSIBLE, "stlinkctl doctor");
        probes[0].view = &dead;
        expect(CAUSE_WEDGED, &facts, CERTAINTY_SEEN, "did not answer");
        expect(CAUSE_TARGET_POWER, &facts, CERTAINTY_POSSIBLE, "not known");
        probes[0].view = &unpowered;
        expect(CAUSE_TARGET_POWER, &facts, CERTAINTY_POSSIBLE, "0.00 V");
        expect(CAUSE_LOADER, &facts, CERTAINTY_POSSIBLE, "rests");
        probes[0].is_loader_product = true;
        expect(CAUSE_LOADER, &facts, CERTAINTY_SEEN, "boot loader");
        expect(CAUSE_SEVERAL, &facts, CERTAINTY_RULED_OUT, "1 probe is");
        expect(CAUSE_AMBIGUOUS, &facts, CERTAINTY_RULED_OUT, "No two");
        facts.n_probes = 2;
        probes[1].port = (char *) "1-2";
        expect(CAUSE_SEVERAL, &facts, CERTAINTY_SEEN, "2 probes");
        expect(CAUSE_AMBIGUOUS, &facts, CERTAINTY_SEEN, "1-2");
}
END_TEST

START_TEST(test_usb_and_servers) {
        ProbeFact probe = healthy();
        Facts facts = { .probes = &probe, .n_probes = 1, .log_error = -EPERM };

        expect(CAUSE_CABLE, &facts, CERTAINTY_POSSIBLE, "may not be read");
        facts.log_error = 0;
        expect(CAUSE_CABLE, &facts, CERTAINTY_POSSIBLE, "no complaint");
        kernel_log_add(&facts.log, NULL, "usb 1-2: device descriptor read/64, error -71");
        expect(CAUSE_CABLE, &facts, CERTAINTY_SEEN, "error -71");
        expect(CAUSE_CONTROLLER_FULL, &facts, CERTAINTY_RULED_OUT, "does not say so");
        expect(CAUSE_TCP_PORT, &facts, CERTAINTY_RULED_OUT, "Nobody listens");
        facts.tcp_ports[facts.n_tcp_ports++] = (TcpPortFact){ 61234, 99, "ST-LINK_gdbserv" };
        expect(CAUSE_TCP_PORT, &facts, CERTAINTY_SEEN, "ST-LINK_gdbserv (PID 99)");
        expect(CAUSE_TCP_PORT, &facts, CERTAINTY_SEEN, "kill 99");
        facts.tcp_ports[0].pid = 0;
        expect(CAUSE_TCP_PORT, &facts, CERTAINTY_SEEN, "61234");
        expect(CAUSE_MODEM_MANAGER, &facts, CERTAINTY_RULED_OUT, "does not run");
        facts.has_modem_manager = true;
        expect(CAUSE_MODEM_MANAGER, &facts, CERTAINTY_RULED_OUT, "no probe here has a serial port");
        probe.has_tty = true;
        expect(CAUSE_MODEM_MANAGER, &facts, CERTAINTY_POSSIBLE, "ID_MM_DEVICE_IGNORE");
}
END_TEST

/* Whatever the machine is like, each cause has something to say, and the order is kept. */
START_TEST(test_all_causes) {
        ProbeFact probe = healthy();
        Facts machines[] = { {}, { .probes = &probe, .n_probes = 1 } };

        for (size_t m = 0; m < ELEMENTSOF(machines); m++) {
                Finding findings[_CAUSE_MAX];
                Cause all[_CAUSE_MAX];

                for (size_t i = 0; i < _CAUSE_MAX; i++) {
                        all[i] = (Cause) i;
                        ck_assert_ptr_nonnull(cause_name(all[i]));
                        ck_assert_ptr_nonnull(cause_title(all[i]));
                }
                causes_check(all, _CAUSE_MAX, &machines[m], findings);
                for (size_t i = 0; i < _CAUSE_MAX; i++) {
                        ck_assert_msg(findings[i].evidence[0], "%s says nothing",
                                      cause_name(findings[i].cause));
                        ck_assert(i == 0 || findings[i - 1].certainty <= findings[i].certainty);
                        ck_assert(findings[i].certainty != CERTAINTY_SEEN ||
                                  findings[i].next[0] != '\0');
                }
        }
}
END_TEST

/* --- the kernel's log --------------------------------------------------------------------- */

START_TEST(test_kernel_log) {
        static const char *const messages[] = {
                "usb 1-1: new full-speed USB device number 5 using xhci_hcd",
                "usb 1-1: device descriptor read/64, error -71",
                "usb 1-1: device not accepting address 6, error -71",
                "usb 1-1.2: device descriptor read/64, error -32",
                "usb 1-12: device descriptor read/64, error -110",
                "usb 1-1: USB disconnect, device number 5",
                "usb 1-1: reset full-speed USB device number 7 using xhci_hcd",
                "usb usb1-port1: over-current change #1",
                "usb 1-1-port2: Cannot enable. Maybe the USB cable is bad?",
                "usb usb1-port1: unable to enumerate USB device",
                "usb 1-1: Not enough bandwidth for new device state.",
                "e1000e 0000:00:19.0: error -71",
        };
        KernelLog log = {}, child = {}, all = {};

        for (size_t i = 0; i < ELEMENTSOF(messages); i++) {
                kernel_log_add(&log, "1-1", messages[i]);
                kernel_log_add(&child, "1-1.2", messages[i]);
                kernel_log_add(&all, NULL, messages[i]);
        }
        ck_assert_uint_eq(log.enumeration, 3);
        ck_assert_uint_eq(log.over_current, 1);
        ck_assert_uint_eq(log.no_resources, 1);
        ck_assert_uint_eq(log.plugged, 1);
        ck_assert_uint_eq(log.disconnects, 1);
        ck_assert_uint_eq(log.resets, 1);
        ck_assert_str_eq(log.last, messages[10]);
        ck_assert_uint_eq(child.enumeration, 2);
        ck_assert_uint_eq(child.disconnects, 0);
        ck_assert_uint_eq(all.enumeration, 6);
        ck_assert(kernel_log_complains(&log));
}
END_TEST

static size_t count_explanations(void) {
        size_t n = 0;

        while (explanation_at(n))
                n++;
        return n;
}

int main(void) {
        Suite *suite = suite_create("explain");
        TCase *words = tcase_create("words"), *causes = tcase_create("causes");
        SRunner *runner = srunner_create(suite);
        int failed;

        suite_add_tcase(suite, words);
        tcase_add_loop_test(words, test_message, 0, ELEMENTSOF(cases));
        tcase_add_loop_test(words, test_own_words, 0, (int) count_explanations());
        tcase_add_loop_test(words, test_stranger, 0, ELEMENTSOF(strangers));
        tcase_add_test(words, test_spelling);
        tcase_add_test(words, test_silence);
        tcase_add_test(words, test_best_first);
        suite_add_tcase(suite, causes);
        tcase_add_test(causes, test_nothing_plugged_in);
        tcase_add_test(causes, test_holders);
        tcase_add_test(causes, test_rights);
        tcase_add_test(causes, test_probe);
        tcase_add_test(causes, test_usb_and_servers);
        tcase_add_test(causes, test_all_causes);
        tcase_add_test(causes, test_kernel_log);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
