/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "proto/status.h"
#include "sim-transport.h"
#include "usb/target-link.h"

/* What is done to a target, on a simulated one that executes a program: on good days, and with
 * something going wrong at each transfer. Whatever happens, the core runs afterwards unless it
 * was to be halted, and nRST is released. */

#define RAM 0x20000000

static SimCounters counters(Host *host) {
        SimCounters c;

        sim_device_get_counters(host->device, &c);
        return c;
}

static void set(Host *host, const char *key, const char *value) {
        _cleanup_free_ char *error = NULL;
        int r = sim_device_set(host->device, key, value, &error);

        ck_assert_msg(r >= 0, "%s=%s: %s", key, value, error);
}

/* With a program in the target's flash. model has a ":" and ends where settings may follow. */
static void start(Host *host, const char *model) {
        const char *top = getenv("TOP_SRCDIR");
        uint8_t program[4096];
        char text[4096];
        size_t n;
        FILE *file;

        (void) snprintf(text, sizeof(text), "%s/tests/proof/firmware/counter-f411.bin",
                        top ? top : ".");
        file = fopen(text, "re");
        ck_assert_ptr_nonnull(file);
        n = fread(program, 1, sizeof(program), file);
        (void) fclose(file);
        ck_assert_uint_gt(n, 64);

        (void) snprintf(text, sizeof(text), "%sinstructions=500,target=f411", model);
        host_init(host, text);
        ck_assert_int_eq(sim_device_load(host->device, program, n), 0);
}

typedef struct Work {
        ProbeSession *session;
        SimTransport *transport;
        TargetLink link;
} Work;

static void work_begin(Work *work, Host *host, bool under_reset) {
        ProbeSessionOptions options = { .cancel_fd = -EBADF,
                                        .may_leave_loader = true,
                                        .under_reset = under_reset };

        *work = (Work){ .transport = (SimTransport *) sim_transport_new(host) };
        ck_assert_int_eq(probe_session_new(&work->transport->base, &options, &work->session), 0);
}

static void work_end(Work *work) {
        target_link_done(&work->link);
        probe_session_free(work->session);
}

static int work_enter(Work *work) {
        int r = probe_session_connect(work->session);

        return r < 0 ? r : target_link_init(&work->link, work->session, 0);
}

/* What a bystander sees of the core; -1 when SWD cannot be entered. */
static int64_t look_at(Host *host, uint32_t address) {
        uint32_t value = 0;
        Work work;
        int r;

        work_begin(&work, host, /* under_reset= */ false);
        r = work_enter(&work);
        if (r >= 0)
                r = target_link_read_word(&work.link, address, &value);
        work_end(&work);
        return r < 0 ? -1 : (int64_t) value;
}

static int64_t look(Host *host) {
        return look_at(host, 0xE000EDF0);
}

#define C_DEBUGEN (1 << 0)
#define S_HALT    (1 << 17)

static void assert_runs(Host *host, const char *what) {
        int64_t dhcsr = look(host);

        ck_assert_msg(dhcsr >= 0, "%s: the target cannot be reached", what);
        ck_assert_msg((dhcsr & (S_HALT | C_DEBUGEN)) == 0, "%s: DHCSR is %08x", what,
                      (unsigned) dhcsr);
}

START_TEST(hotplug_leaves_no_trace) {
        TargetDetails details;
        ProbeTarget target;
        int64_t before;
        Work work;
        Host host;

        start(&host, "v2:mode=mass,");
        (void) look(&host); /* clears S_RESET_ST */
        before = look(&host);
        sim_device_reset_counters(host.device);
        work_begin(&work, &host, false);
        ck_assert_int_eq(work_enter(&work), 0);
        ck_assert_int_eq(probe_session_identify_target(work.session, &target), 0);
        ck_assert_int_eq(target_link_examine(&work.link, &target, &details), 0);
        work_end(&work);
        ck_assert_int_eq(details.core, CORE_RUNNING);
        ck_assert(!details.debugged);
        ck_assert_uint_eq(details.ap_idr, 0x24770011);
        ck_assert_int_eq(details.rdp, RDP_LEVEL_0);
        ck_assert_int_eq(look(&host), before);
        ck_assert_uint_eq(counters(&host).target.halts + counters(&host).target.resets, 0);
        host_done(&host);
}
END_TEST

START_TEST(protection_is_told) {
        TargetDetails details;
        ProbeTarget target;
        Work work;
        Host host;

        start(&host, "v2-1:rdp=1,");
        work_begin(&work, &host, false);
        ck_assert_int_eq(work_enter(&work), 0);
        ck_assert_int_eq(probe_session_identify_target(work.session, &target), 0);
        ck_assert_int_eq(target_link_examine(&work.link, &target, &details), 0);
        ck_assert_int_eq(details.rdp, RDP_LEVEL_1);
        ck_assert_int_eq(target_link_read(&work.link, 0x08000100, (uint8_t[4]){}, 4), -EREMOTEIO);
        ck_assert_uint_eq(work.link.fault_address, 0x08000100);
        ck_assert_uint_eq(probe_session_status(work.session), STATUS_AP_FAULT);
        /* and what follows works */
        ck_assert_int_eq(target_link_read(&work.link, RAM, (uint8_t[4]){}, 4), 0);
        work_end(&work);
        host_done(&host);
}
END_TEST

static const struct {
        const char *model, *setting, *value;
        ResetLine line;
        unsigned identified_at; /* commands; 0: not of interest */
} resets[] = {
        { "v2:mode=mass,", "nrst", "wired", RESET_NRST, 12 },
        { "v2-1:", "nrst", "wired", RESET_NRST, 12 },
        { "v3:", "nrst", "wired", RESET_NRST, 14 },
        { "v3pwr:", "nrst", "wired", RESET_NRST, 14 },
        { "v2-1:", "nrst", "unwired", RESET_SYSTEM, 0 },
        { "v2-1:", "condition", "asleep", RESET_NRST, 12 },
        { "v3:", "condition", "remapped", RESET_NRST, 14 },
        { "v2:firmware=V2J20S4,mode=mass,", "nrst", "wired", RESET_NRST, 12 },
};

START_TEST(caught_at_reset) {
        ResetLine line = RESET_NONE;
        ProbeTarget target;
        uint32_t value = 0;
        unsigned breakpoints;
        Work work;
        Host host;

        start(&host, resets[_i].model);
        set(&host, resets[_i].setting, resets[_i].value);
        sim_device_reset_counters(host.device);
        work_begin(&work, &host, true);
        ck_assert_int_eq(work_enter(&work), 0);
        ck_assert_int_eq(target_link_catch_reset(&work.link, &line), 0);
        ck_assert_int_eq(line, resets[_i].line);
        ck_assert_int_eq(probe_session_identify_target(work.session, &target), 0);
        ck_assert_str_eq(target.chip->name, "STM32F411");
        ck_assert_uint_eq(target.dpidr, 0x2BA01477);
        if (resets[_i].identified_at > 0)
                ck_assert_uint_le(counters(&host).identified_at, resets[_i].identified_at);
        /* Halted, and before it could do anything. */
        ck_assert_int_eq(target_link_read_word(&work.link, 0xE000EDF0, &value), 0);
        ck_assert(value & S_HALT);
        ck_assert_int_eq(target_link_resume(&work.link, &breakpoints), 0);
        target_link_commit(&work.link);
        work_end(&work);
        if (strcmp(resets[_i].setting, "condition") != 0) {
                assert_runs(&host, resets[_i].model);
                ck_assert_int_eq(look_at(&host, 0xE000EDFC), 0); /* no vector catch stays */
        }
        ck_assert_uint_eq(counters(&host).target.resets, 1);
        host_done(&host);
}
END_TEST

/* With V1 there is no nRST, but a core that resets its system. */
START_TEST(reset_and_halt) {
        static const char *const models[] = { "v1:", "v1:firmware=V1J10S4,", "v2:mode=mass,",
                                              "v2-1:", "v3:" };
        ResetLine line = RESET_NONE, expected = _i < 2 ? RESET_SYSTEM : RESET_NRST;
        Work work;
        Host host;

        start(&host, models[_i]);
        sim_device_reset_counters(host.device);
        work_begin(&work, &host, false);
        ck_assert_int_eq(work_enter(&work), 0);
        ck_assert_int_eq(target_link_reset(&work.link, false, &line), 0);
        ck_assert_int_eq(line, expected);
        ck_assert_int_eq(target_link_reset(&work.link, true, &line), 0);
        ck_assert_int_eq(line, expected);
        ck_assert_uint_eq(counters(&host).target.resets, 2);
        target_link_commit(&work.link);
        work_end(&work);
        ck_assert(look(&host) & S_HALT);
        ck_assert_int_eq(look_at(&host, 0xE000EDFC), 0); /* no vector catch is left behind */
        host_done(&host);

        start(&host, models[_i]);
        work_begin(&work, &host, false);
        ck_assert_int_eq(work_enter(&work), 0);
        ck_assert_int_eq(target_link_reset(&work.link, false, &line), 0);
        work_end(&work);
        assert_runs(&host, models[_i]);
        host_done(&host);
}
END_TEST

START_TEST(halt_and_resume) {
        /* BKPT-free code: a breakpoint at the entry of the program's main loop, by the FPB */
        unsigned breakpoints = 99;
        uint32_t pc = 0;
        Work work;
        Host host;

        start(&host, "v2-1:");
        work_begin(&work, &host, false);
        ck_assert_int_eq(work_enter(&work), 0);
        ck_assert_int_eq(target_link_halt(&work.link), 0);
        target_link_commit(&work.link);
        work_end(&work);
        ck_assert(look(&host) & S_HALT);

        /* Set a breakpoint where it stands: resume has to step over it. */
        work_begin(&work, &host, false);
        ck_assert_int_eq(work_enter(&work), 0);
        ck_assert_int_eq(target_link_write_word(&work.link, 0xE000EDF4, 15), 0); /* DCRSR: PC */
        ck_assert_int_eq(target_link_read_word(&work.link, 0xE000EDF8, &pc), 0);
        ck_assert_uint_eq(pc >> 24, 0x08);
        ck_assert_int_eq(target_link_write_word(&work.link, 0xE0002008,
                                                (pc & ~3u) | (pc & 2 ? 2u : 1u) << 30 | 1),
                         0);
        ck_assert_int_eq(target_link_write_word(&work.link, 0xE0002000, 3), 0);
        sim_device_reset_counters(host.device);
        ck_assert_int_eq(target_link_resume(&work.link, &breakpoints), 0);
        ck_assert_uint_eq(breakpoints, 1);
        target_link_commit(&work.link);
        work_end(&work);

        work_begin(&work, &host, false);
        ck_assert_int_eq(work_enter(&work), 0);
        ck_assert_int_eq(target_link_write_word(&work.link, 0xE0002008, 0), 0);
        ck_assert_int_eq(target_link_resume(&work.link, &breakpoints), 0);
        ck_assert_uint_eq(breakpoints, 0);
        target_link_commit(&work.link);
        work_end(&work);
        assert_runs(&host, "resumed");
        host_done(&host);
}
END_TEST

START_TEST(undone_when_cancelled) {
        ResetLine line;
        Work work;
        Host host;

        start(&host, "v2-1:");
        work_begin(&work, &host, false);
        ck_assert_int_eq(work_enter(&work), 0);
        ck_assert_int_eq(target_link_halt(&work.link), 0);
        work.transport->cancelled = true;
        ck_assert_int_eq(target_link_read(&work.link, RAM, (uint8_t[4]){}, 4), -ECANCELED);
        work_end(&work);
        assert_runs(&host, "halted and cancelled");

        work_begin(&work, &host, true);
        ck_assert_int_eq(work_enter(&work), 0);
        work.transport->cancelled = true;
        ck_assert_int_eq(target_link_catch_reset(&work.link, &line), -ECANCELED);
        work_end(&work);
        assert_runs(&host, "under reset and cancelled");
        host_done(&host);
}
END_TEST

START_TEST(memory_of_any_alignment) {
        static const char *const models[] = { "v1:",
                                              "v1:firmware=V1J10S4,",
                                              "v2:mode=mass,firmware=V2J20S4,",
                                              "v2:mode=mass,",
                                              "v2-1:",
                                              "v3:",
                                              "v3pwr:" };
        uint8_t out[13000], in[sizeof(out)];
        Work work;
        Host host;

        for (size_t i = 0; i < sizeof(out); i++)
                out[i] = (uint8_t) (i * 7 + (i >> 8));
        start(&host, models[_i]);
        work_begin(&work, &host, false);
        ck_assert_int_eq(work_enter(&work), 0);
        ck_assert_int_eq(target_link_halt(&work.link), 0);
        for (uint32_t offset = 0; offset < 8; offset++) {
                size_t size = sizeof(out) - offset * 11;

                ck_assert_int_eq(target_link_write(&work.link, RAM + 0x1000 + offset, out, size),
                                 0);
                memset(in, 0, sizeof(in));
                ck_assert_int_eq(target_link_read(&work.link, RAM + 0x1000 + offset, in, size), 0);
                ck_assert_mem_eq(in, out, size);
        }
        ck_assert_int_eq(target_link_read(&work.link, 0xFFFFFFFF, in, 2), -ERANGE);
        work_end(&work);
        host_done(&host);
}
END_TEST

START_TEST(a_target_that_waits) {
        uint8_t data[8] = {};
        Work work;
        Host host;

        start(&host, "v2-1:");
        work_begin(&work, &host, false);
        ck_assert_int_eq(work_enter(&work), 0);
        set(&host, "wait", "5");
        ck_assert_int_eq(target_link_read(&work.link, RAM, data, sizeof(data)), 0);
        set(&host, "wait", "1000");
        ck_assert_int_eq(target_link_read(&work.link, RAM, data, sizeof(data)), -EREMOTEIO);
        ck_assert_uint_eq(probe_session_status(work.session), STATUS_AP_WAIT);
        set(&host, "wait", "0");
        work_end(&work);
        host_done(&host);
}
END_TEST

START_TEST(other_access_ports) {
        uint8_t data[4];
        Work work;
        Host host;

        host_init(&host, "v3:target=h743");
        work_begin(&work, &host, false);
        ck_assert_int_eq(probe_session_connect(work.session), 0);
        ck_assert_int_eq(target_link_init(&work.link, work.session, 2), 0);
        /* The debug bus shows DBGMCU at another address, and no core. */
        ck_assert_int_eq(target_link_read(&work.link, 0xE00E1000, data, 4), 0);
        ck_assert_uint_eq(get_le32(data) & 0xFFF, 0x450);
        ck_assert_int_eq(target_link_read(&work.link, 0x08000000, data, 4), -EREMOTEIO);
        work_end(&work);
        host_done(&host);

        host_init(&host, "v2:mode=mass,firmware=V2J28S7,target=f103");
        work_begin(&work, &host, false);
        ck_assert_int_eq(probe_session_connect(work.session), 0);
        ck_assert_int_eq(target_link_init(&work.link, work.session, 1), -EOPNOTSUPP);
        work_end(&work);
        host_done(&host);
}
END_TEST

static int read_and_write(Work *work) {
        uint8_t data[7000] = {};
        int r = target_link_read(&work->link, 0x08000003, data, sizeof(data));

        return r < 0 ? r : target_link_write(&work->link, RAM + 0x10001, data, 700);
}

/* All of it in one story, with something going wrong at the k-th transfer. */
static int story(Host *host, bool under_reset) {
        unsigned breakpoints;
        TargetDetails details;
        ProbeTarget target;
        ResetLine line;
        Work work;
        int r;

        work_begin(&work, host, under_reset);
        r = work_enter(&work);
        if (r >= 0)
                r = under_reset ? target_link_catch_reset(&work.link, &line)
                                : target_link_reset(&work.link, /* halt= */ true, &line);
        if (r >= 0)
                r = probe_session_identify_target(work.session, &target);
        if (r >= 0)
                r = target_link_examine(&work.link, &target, &details);
        if (r >= 0)
                r = read_and_write(&work);
        if (r >= 0)
                r = target_link_resume(&work.link, &breakpoints);
        if (r >= 0)
                target_link_commit(&work.link);
        if (r >= 0)
                r = probe_session_disconnect(work.session);
        work_end(&work);
        return r;
}

static const struct {
        const char *model, *fault;
        bool under_reset;
        int allowed[4];
} mishaps[] = {
        { "v2:", "unplug-at", true, { -ENODEV } },
        { "v2-1:", "unplug-at", false, { -ENODEV } },
        { "v3:", "unplug-at", true, { -ENODEV } },
        { "v2:", "stall-at", true, { 0, -EPROTO, -EREMOTEIO } },
        { "v2-1:", "stall-at", true, { 0, -EPROTO, -EREMOTEIO } },
        { "v2-1:", "stall-at", false, { 0, -EPROTO, -EREMOTEIO } },
        { "v3:", "stall-at", true, { 0, -EPROTO, -EREMOTEIO } },
        { "v2:", "wedge-at", false, { -ETIMEDOUT } },
        { "v3:", "wedge-at", true, { -ETIMEDOUT } },
};

static bool is_allowed(int r, const int *allowed) {
        for (size_t i = 0; i < 4; i++)
                if (r == allowed[i] && (r != 0 || i == 0))
                        return true;
        return false;
}

START_TEST(mishap_anywhere) {
        bool unplugs = strcmp(mishaps[_i].fault, "unplug-at") == 0,
             wedges = strcmp(mishaps[_i].fault, "wedge-at") == 0;
        uint64_t transfers;
        Host host;

        start(&host, mishaps[_i].model);
        ck_assert_int_eq(story(&host, mishaps[_i].under_reset), 0);
        transfers = counters(&host).transfers;
        ck_assert_uint_gt(transfers, 60);
        assert_runs(&host, "after a good day");
        host_done(&host);

        for (uint64_t k = 1; k <= transfers; k++) {
                char at[16], what[64];
                int r;

                start(&host, mishaps[_i].model);
                (void) snprintf(at, sizeof(at), "%u", (unsigned) k);
                (void) snprintf(what, sizeof(what), "%s %s=%s", mishaps[_i].model,
                                mishaps[_i].fault, at);
                set(&host, mishaps[_i].fault, at);
                r = story(&host, mishaps[_i].under_reset);
                ck_assert_msg(is_allowed(r, mishaps[_i].allowed), "%s: %d", what, r);
                /* Nothing can be put right through a probe that is away or does not answer. */
                if (!unplugs && !wedges)
                        assert_runs(&host, what);
                host_done(&host);
        }
}
END_TEST

int main(void) {
        Suite *suite = suite_create("target-link");
        TCase *tcase = tcase_create("target-link");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_set_timeout(tcase, 240);
        tcase_add_test(tcase, hotplug_leaves_no_trace);
        tcase_add_test(tcase, protection_is_told);
        tcase_add_loop_test(tcase, caught_at_reset, 0, ELEMENTSOF(resets));
        tcase_add_loop_test(tcase, reset_and_halt, 0, 5);
        tcase_add_test(tcase, halt_and_resume);
        tcase_add_test(tcase, undone_when_cancelled);
        tcase_add_loop_test(tcase, memory_of_any_alignment, 0, 7);
        tcase_add_test(tcase, a_target_that_waits);
        tcase_add_test(tcase, other_access_ports);
        tcase_add_loop_test(tcase, mishap_anywhere, 0, ELEMENTSOF(mishaps));
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
