/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "bus/errors.h"
#include "ctl/doctor.h"

/* From what was measured to the verdict. Each case is a healthy probe with something changed. */

static ProbeFact probe;
static Facts facts;
static Examination healthy;

static void setup(void) {
        probe = (ProbeFact){ .port = (char *) "1-1",
                             .node = (char *) "/dev/bus/usb/001/002",
                             .name = (char *) "ST-LINK/V2",
                             .serial = (char *) "066BFF564977886700000001",
                             .product_id = 0x3748,
                             .is_known = true };
        facts = (Facts){ .probes = &probe, .n_probes = 1, .systemd_version = 252 };
        healthy = (Examination){
                .facts = &facts,
                .probe = &probe,
                .found = { .asked = true,
                           .identified = true,
                           .firmware = { .major = 2, .jtag = 37, .swim = 7 },
                           .rounds = 64,
                           .median = 1200,
                           .p99 = 2400,
                           .worst = 3000,
                           .can_measure_voltage = true,
                           .millivolts = 3280,
                           .tries = { { 4000, STATUS_OK, 16, 0 } },
                           .n_tries = 1,
                           .answers = true,
                           .dpidr = 0x1BA01477,
                           .cpuid = 0x411FC231,
                           .idcode = 0x20036410,
                           .read_flash = true,
                           .flash_status = STATUS_OK,
                           .left_idle = true },
        };
        healthy.found.chip = chip_find(healthy.found.idcode);
}

static void silent(Examination *e) {
        static const unsigned clocks[] = { 4000, 950, 480, 100, 25 };

        e->found.n_tries = ELEMENTSOF(clocks);
        for (size_t i = 0; i < ELEMENTSOF(clocks); i++)
                e->found.tries[i] = (SwdTry){ clocks[i], STATUS_GET_IDCODE_ERROR, 0, 0 };
        e->found.answers = e->found.read_flash = false;
        e->found.cpuid = e->found.idcode = e->found.dpidr = 0;
        e->found.chip = NULL;
        e->found.tried_under_reset = true;
        e->found.under_reset = STATUS_GET_IDCODE_ERROR;
}

static void no_power(Examination *e) {
        silent(e);
        e->found.millivolts = 0;
}

static void no_vtref(Examination *e) {
        e->found.millivolts = 0;
}

static void silent_clone(Examination *e) {
        silent(e);
        e->found.millivolts = -1;
}

static void asleep(Examination *e) {
        silent(e);
        e->found.under_reset = STATUS_OK;
}

static void asleep_without_vtref(Examination *e) {
        asleep(e);
        e->found.millivolts = 0;
}

static void slow_wires(Examination *e) {
        silent(e);
        e->found.tries[2] = (SwdTry){ 100, STATUS_OK, 16, 0 };
        e->found.n_tries = 3;
        e->found.answers = true;
        e->found.tried_under_reset = false;
}

static void fast_enough(Examination *e) {
        slow_wires(e);
        e->found.tries[2].khz = 480;
}

static void one_clock_only(Examination *e) {
        e->found.tries[0].khz = 0;
}

static void protected(Examination *e) {
        e->found.flash_status = STATUS_AP_FAULT;
}

static void protected_by_register(Examination *e) {
        protected(e);
        e->found.rdp = RDP_LEVEL_1;
}

static void open_but_faulty(Examination *e) {
        protected(e);
        e->found.rdp = RDP_LEVEL_0;
}

static void nrst_dead(Examination *e) {
        e->found.nrst = LINE_DEAD;
}

static void nrst_works(Examination *e) {
        e->found.nrst = LINE_WORKS;
}

static void old_v2(Examination *e) {
        e->found.firmware.jtag = 25;
}

static void just_new_enough(Examination *e) {
        e->found.firmware.jtag = 26;
}

static void old_v3(Examination *e) {
        e->found.firmware = (Firmware){ .major = 3, .jtag = 2 };
}

static void v1(Examination *e) {
        e->found.firmware = (Firmware){ .major = 1, .jtag = 13, .swim = 4 };
        e->found.can_measure_voltage = false;
        e->found.millivolts = -1;
        e->found.tries[0].khz = 0;
}

static void old_and_silent(Examination *e) {
        silent(e);
        e->found.firmware.jtag = 20;
}

static void no_swd(Examination *e) {
        e->found.n_tries = 0;
        e->found.error = -EOPNOTSUPP;
}

static void lossy(Examination *e) {
        e->found.failed_rounds = 1;
}

static void slow_link(Examination *e) {
        e->found.median = DOCTOR_SLOW_ROUND + 1;
}

static void lossy_and_silent(Examination *e) {
        silent(e);
        e->found.failed_rounds = 3;
}

static void set_error(Examination *e, int error) {
        e->found = (ProbeFindings){ .asked = true, .error = error, .millivolts = -1 };
}

static void timed_out(Examination *e) {
        set_error(e, -ETIMEDOUT);
}

static void no_answer(Examination *e) {
        set_error(e, -ETIME);
}

static void stalls(Examination *e) {
        set_error(e, -EPIPE);
}

static void garbage(Examination *e) {
        set_error(e, -EPROTO);
}

static void babble(Examination *e) {
        set_error(e, -EOVERFLOW);
}

static void gone(Examination *e) {
        e->found.error = -ENODEV;
}

static void gone_in_loader(Examination *e) {
        set_error(e, -ENODEV);
        e->found.loader = LOADER_OWN;
}

static void lost(Examination *e) {
        set_error(e, -ENODEV);
        e->found.loader = LOADER_LOST;
}

static void busy_for_ever(Examination *e) {
        silent(e);
        for (size_t i = 0; i < e->found.n_tries; i++)
                e->found.tries[i].status = STATUS_COMMAND_WAIT;
}

static void own_loader(Examination *e) {
        e->found.loader = LOADER_OWN;
        e->found.n_tries = 0;
}

static void update(Examination *e) {
        set_error(e, -EINPROGRESS);
        e->found.loader = LOADER_UPDATE;
}

static void recent(Examination *e) {
        set_error(e, -EPERM);
        e->found.loader = LOADER_RECENT;
}

static void stuck(Examination *e) {
        set_error(e, -EIO);
        e->found.loader = LOADER_STUCK;
}

static void left_loader(Examination *e) {
        e->found.loader = LOADER_LEFT;
        e->found.away = 600 * USEC_PER_MSEC;
}

static void claimed_meanwhile(Examination *e) {
        set_error(e, -EBUSY);
}

static void refused(Examination *e, Refusal refusal) {
        e->found = (ProbeFindings){};
        e->refusal = refusal;
}

static void held(Examination *e) {
        refused(e, REFUSAL_HELD);
        probe.holders[0] = (HolderFact){ .pid = 4711, .command = "openocd", .user = "alice" };
        probe.n_holders = 1;
}

static void closed(Examination *e) {
        refused(e, REFUSAL_RIGHTS);
        probe.access = -EACCES;
}

static void closed_but_leased(Examination *e) {
        (void) e;
        probe.access = -EACCES;
}

static void closed_and_silent(Examination *e) {
        silent(e);
        probe.access = -EACCES;
}

static void policy(Examination *e) {
        refused(e, REFUSAL_POLICY);
}

static void odd_refusal(Examination *e) {
        refused(e, REFUSAL_OTHER);
}

static void nothing(Examination *e) {
        *e = (Examination){ .facts = &facts };
        facts.n_probes = 0;
}

static void nothing_but_noise(Examination *e) {
        nothing(e);
        facts.log.enumeration = 3;
}

static void noise_long_ago(Examination *e) {
        (void) e;
        probe.log.enumeration = facts.log.enumeration = 3;
}

static void unchanged(Examination *e) {
        (void) e;
}

#define CASE(change, verdict) \
        { #change, change, verdict }
static const struct {
        const char *name;
        void (*change)(Examination *e);
        Verdict verdict;
} cases[] = {
        CASE(unchanged, VERDICT_HEALTHY),
        CASE(nothing, VERDICT_NO_PROBE),
        CASE(nothing_but_noise, VERDICT_USB_TROUBLE),
        CASE(noise_long_ago, VERDICT_HEALTHY),
        CASE(held, VERDICT_HELD),
        CASE(claimed_meanwhile, VERDICT_HELD),
        CASE(closed, VERDICT_NO_PERMISSION),
        CASE(closed_but_leased, VERDICT_NO_PERMISSION),
        CASE(closed_and_silent, VERDICT_NO_PERMISSION),
        CASE(policy, VERDICT_NO_PERMISSION),
        CASE(odd_refusal, VERDICT_UNDECIDED),
        CASE(timed_out, VERDICT_WEDGED),
        CASE(no_answer, VERDICT_WEDGED),
        CASE(busy_for_ever, VERDICT_WEDGED),
        CASE(stalls, VERDICT_GARBLED),
        CASE(garbage, VERDICT_GARBLED),
        CASE(babble, VERDICT_GARBLED),
        CASE(lossy, VERDICT_POOR_LINK),
        CASE(slow_link, VERDICT_POOR_LINK),
        CASE(lossy_and_silent, VERDICT_POOR_LINK),
        CASE(gone, VERDICT_UNPLUGGED),
        CASE(gone_in_loader, VERDICT_UNPLUGGED),
        CASE(lost, VERDICT_LOST),
        CASE(own_loader, VERDICT_LOADER),
        CASE(update, VERDICT_LOADER),
        CASE(recent, VERDICT_LOADER),
        CASE(stuck, VERDICT_LOADER),
        CASE(left_loader, VERDICT_HEALTHY),
        CASE(no_swd, VERDICT_OLD_FIRMWARE),
        CASE(old_v2, VERDICT_OLD_FIRMWARE),
        CASE(old_v3, VERDICT_OLD_FIRMWARE),
        CASE(just_new_enough, VERDICT_HEALTHY),
        CASE(v1, VERDICT_HEALTHY),
        CASE(old_and_silent, VERDICT_SILENT),
        CASE(silent, VERDICT_SILENT),
        CASE(silent_clone, VERDICT_SILENT),
        CASE(no_power, VERDICT_NO_POWER),
        CASE(no_vtref, VERDICT_HEALTHY),
        CASE(asleep, VERDICT_NEEDS_RESET),
        CASE(asleep_without_vtref, VERDICT_NEEDS_RESET),
        CASE(slow_wires, VERDICT_SLOW_ONLY),
        CASE(fast_enough, VERDICT_HEALTHY),
        CASE(one_clock_only, VERDICT_HEALTHY),
        CASE(protected, VERDICT_READ_PROTECTED),
        CASE(protected_by_register, VERDICT_READ_PROTECTED),
        CASE(open_but_faulty, VERDICT_HEALTHY),
        CASE(nrst_dead, VERDICT_RESET_LINE),
        CASE(nrst_works, VERDICT_HEALTHY),
};

static bool has_bad(const Rows *rows) {
        for (size_t i = 0; i < rows->n; i++)
                if (strcmp(row_get_string(rows->items[i], "level"), "bad") == 0)
                        return true;
        return false;
}

/* What is wrong shows in a line too; where nothing is, no line says so. */
START_TEST(test_verdict) {
        _cleanup_(rows_freep) Rows *rows = rows_new();
        Examination e = healthy;
        Verdict verdict;
        Advice advice;

        cases[_i].change(&e);
        verdict = doctor_judge(&e);
        ck_assert_msg(verdict == cases[_i].verdict, "%s: %s, not %s", cases[_i].name,
                      verdict_to_string(verdict), verdict_to_string(cases[_i].verdict));
        doctor_advise(&e, verdict, &advice);
        ck_assert(advice.text[0] != '\0');
        ck_assert(verdict == VERDICT_HEALTHY || advice.next[0] != '\0');
        doctor_describe(rows, &e);
        ck_assert_int_eq(rows_error(rows), 0);
        ck_assert_uint_gt(rows->n, 0);
        for (size_t i = 0; i < rows->n; i++)
                ck_assert_ptr_nonnull(row_get_text(rows->items[i], "text"));
        if (verdict == VERDICT_HEALTHY && cases[_i].change != noise_long_ago)
                ck_assert_msg(!has_bad(rows), "%s: a line is bad", cases[_i].name);
}
END_TEST

START_TEST(test_exit_codes) {
        for (int i = 0; i < _VERDICT_MAX; i++) {
                ck_assert_ptr_nonnull(verdict_to_string((Verdict) i));
                ck_assert((verdict_exit_code((Verdict) i) == 0) == (i == VERDICT_HEALTHY));
                ck_assert_int_ne(verdict_exit_code((Verdict) i), EXIT_CODE_USAGE);
                for (int k = 0; k < i; k++)
                        ck_assert_int_ne(verdict_exit_code((Verdict) i),
                                         verdict_exit_code((Verdict) k));
        }
}
END_TEST

START_TEST(test_advice) {
        Examination e = healthy;
        Advice advice;

        held(&e);
        doctor_advise(&e, VERDICT_HELD, &advice);
        ck_assert_ptr_nonnull(strstr(advice.text, "openocd (PID 4711) of alice"));
        ck_assert_str_eq(advice.next, "kill 4711");

        e = healthy;
        closed(&e);
        (void) snprintf(probe.group, sizeof(probe.group), "plugdev");
        probe.mode = 0660;
        doctor_advise(&e, VERDICT_NO_PERMISSION, &advice);
        ck_assert_ptr_nonnull(strstr(advice.next, "usermod -aG plugdev"));
        probe.rules.remarks[probe.rules.n_remarks++] =
                (RuleRemark){ RULE_GROUP_MISSING,
                              { "/usr/lib/udev/rules.d/60-openocd.rules", 90, "plugdev" } };
        facts.systemd_version = 258;
        doctor_advise(&e, VERDICT_NO_PERMISSION, &advice);
        ck_assert_ptr_nonnull(strstr(advice.next, "groupadd --system plugdev"));
        ck_assert_ptr_nonnull(strstr(advice.next, "60-openocd.rules:90"));
        probe.rules.remarks[0] =
                (RuleRemark){ RULE_TOO_LATE, { "/etc/udev/rules.d/99-x.rules", 1, "uaccess" } };
        doctor_advise(&e, VERDICT_NO_PERMISSION, &advice);
        ck_assert_ptr_nonnull(strstr(advice.next, "sudo mv /etc/udev/rules.d/99-x.rules"));
}
END_TEST

int main(void) {
        Suite *suite = suite_create("doctor");
        TCase *tcase = tcase_create("doctor");
        SRunner *runner = srunner_create(suite);
        int failed;

        suite_add_tcase(suite, tcase);
        tcase_add_checked_fixture(tcase, setup, NULL);
        tcase_add_loop_test(tcase, test_verdict, 0, ELEMENTSOF(cases));
        tcase_add_test(tcase, test_exit_codes);
        tcase_add_test(tcase, test_advice);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
