/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake-target.h"
#include "proto/status.h"
#include "sim-transport.h"
#include "usb/probe-session.h"

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

static ProbeSession *open_session(Host *host, bool may_leave_loader) {
        ProbeSessionOptions options = { .may_leave_loader = may_leave_loader, .cancel_fd = -EBADF };
        ProbeSession *session = NULL;

        ck_assert_int_eq(probe_session_new(sim_transport_new(host), &options, &session), 0);
        return session;
}

/* The mode as a bystander reads it. */
static int mode_of(Host *host) {
        uint8_t reply[64];
        int r = HOST_ASK(host, reply, sizeof(reply), 0xF5);

        ck_assert_int_eq(r, 2);
        return reply[0];
}

static int identify(Host *host, Session *session) {
        _cleanup_(transport_freep) Transport *transport = sim_transport_new(host);

        session_init(session, &(SessionOptions){});
        session_begin(session, SESSION_IDENTIFY);
        return transport_run_session(transport, session);
}

typedef struct Model {
        const char *spec, *firmware;
        ProbeMode mode;
        unsigned commands;
} Model;

static const Model models[] = {
        { "v2:target=f103", "V2J37S7", PROBE_MODE_LOADER, 2 },
        { "v2:target=f103,mode=mass", "V2J37S7", PROBE_MODE_MASS, 3 },
        { "v2:target=f103,mode=debug", "V2J37S7", PROBE_MODE_DEBUG, 3 },
        { "v2-1:target=f103", "V2J45M31", PROBE_MODE_MASS, 3 },
        { "v3:target=f103", "V3J10M3", PROBE_MODE_MASS, 4 },
        { "v3pwr:target=f103", "V4J6B2P6", PROBE_MODE_MASS, 4 },
        { "v3-loader", "V3S0", PROBE_MODE_LOADER, 2 },
        { "v1:target=f103", "V1J13S4", PROBE_MODE_MASS, 2 },
};

START_TEST(identify_models) {
        const Model *model = &models[_i];
        char name[FIRMWARE_NAME_MAX];
        Session session;
        Host host;

        host_init(&host, model->spec);
        ck_assert_int_eq(identify(&host, &session), 0);
        if (session.mode != PROBE_MODE_LOADER)
                ck_assert_str_eq(firmware_name(&session.info.firmware, name, sizeof(name)),
                                 model->firmware);
        ck_assert_int_eq(session.info.mode, model->mode);
        ck_assert_uint_eq(session.info.commands, model->commands);
        ck_assert_uint_eq(counters(&host).commands, model->commands);
        ck_assert_uint_eq(counters(&host).target.halts + counters(&host).target.resets, 0);
        if (model->commands > 2)
                ck_assert_int_ge(session.info.millivolts, 3200);
        else
                ck_assert_int_eq(session.info.millivolts, -1);
        host_done(&host);
}
END_TEST

START_TEST(connect_counts) {
        static const struct {
                const char *spec;
                unsigned to_swd;
        } cases[] = {
                { "v2:target=f103,mode=mass", 4 }, { "v2:target=f103,mode=debug", 5 },
                { "v2:target=f103,mode=swim", 5 }, { "v2-1:target=f103", 4 },
                { "v3:target=f103", 4 },           { "v3pwr:target=f103", 4 },
                { "v1:target=f103", 3 },
        };
        _cleanup_(probe_session_freep) ProbeSession *session = NULL;
        Host host;

        host_init(&host, cases[_i].spec);
        session = open_session(&host, false);
        ck_assert_int_eq(probe_session_connect(session), 0);
        ck_assert_uint_eq(counters(&host).swd_entered_at, cases[_i].to_swd);
        ck_assert_uint_eq(probe_session_info(session)->commands, cases[_i].to_swd);
        ck_assert_uint_eq(counters(&host).target.halts + counters(&host).target.resets, 0);

        session = probe_session_free(session);
        if (host.usb->descriptors[10] != 0x44) /* not wrapped in SCSI */
                ck_assert_int_eq(mode_of(&host), 1);
        host_done(&host);
}
END_TEST

START_TEST(loader_manners) {
        ProbeSession *session;
        Host host;

        host_init(&host, "v2:target=f103");
        session = open_session(&host, false);
        ck_assert_int_eq(probe_session_connect(session), -EPERM);
        probe_session_free(session);
        ck_assert_int_eq(mode_of(&host), 0);

        session = open_session(&host, true);
        ck_assert_int_eq(probe_session_connect(session), 0);
        ck_assert(probe_session_info(session)->left_loader);
        ck_assert_int_eq(probe_session_info(session)->mode, PROBE_MODE_LOADER);
        probe_session_free(session);
        ck_assert_int_eq(mode_of(&host), 1);
        host_done(&host);

        host_init(&host, "v2:target=f103,leave-loader=reenumerate");
        session = open_session(&host, true);
        ck_assert_int_eq(probe_session_connect(session), -ENODEV);
        ck_assert(probe_session_info(session)->left_loader);
        probe_session_free(session);
        host_done(&host);

        /* in the middle of an update: block 2, 64 bytes, state dfuDNBUSY or DNLOAD-IDLE after it */
        host_init(&host, "v2-loader:target=f103");
        ck_assert_int_eq(HOST_SEND(&host, 0xF3, 0x01, 2, 0, 0, 0, 64, 0), 16);
        ck_assert_int_eq(host_bulk(&host, 0x02, (uint8_t[64]){}, 64), 64);
        session = open_session(&host, true);
        ck_assert_int_eq(probe_session_connect(session), -EINPROGRESS);
        ck_assert(!probe_session_info(session)->left_loader);
        probe_session_free(session);
        ck_assert_int_eq(mode_of(&host), 0);
        host_done(&host);
}
END_TEST

/* What a tool that was killed leaves behind must not disturb us, nor what we do the next one. */
START_TEST(leftovers) {
        Session session;
        Host host;

        host_init(&host, "v2:target=f103,mode=mass");
        ck_assert_int_eq(HOST_SEND(&host, 0xF1), 16);
        ck_assert_int_eq(identify(&host, &session), 0);
        ck_assert_uint_eq(session.info.firmware.jtag, 37);

        ck_assert_int_eq(HOST_SEND(&host, 0xF5), 16);
        ck_assert_int_eq(identify(&host, &session), 0);
        ck_assert_int_eq(session.info.mode, PROBE_MODE_MASS);

        ck_assert_int_eq(HOST_SEND(&host, 0xF2, 0x30, 0xA3), 16);
        ck_assert_int_eq(identify(&host, &session), 0);

        /* a write whose data never came takes our command for it */
        ck_assert_int_eq(HOST_SEND(&host, 0xF2, 0x08, 0, 0, 0, 0x20, 64, 0), 16);
        ck_assert_int_eq(identify(&host, &session), 0);
        ck_assert_uint_eq(session.info.firmware.jtag, 37);
        host_done(&host);
}
END_TEST

START_TEST(bad_days) {
        static const struct {
                const char *state;
                int r;
        } cases[] = {
                { "wedged", -ETIMEDOUT }, { "wedged-until-replug", -ETIMEDOUT },
                { "stall", -EPROTO },     { "short", -EPROTO },
                { "garbage", -EPROTO },
        };
        Session session;
        Host host;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                ProbeSession *probe;

                host_init(&host, "v2-1:target=f103");
                set(&host, "state", cases[i].state);
                ck_assert_int_eq(identify(&host, &session), cases[i].r);
                probe = open_session(&host, false);
                ck_assert_int_eq(probe_session_connect(probe), cases[i].r);
                probe_session_free(probe);

                /* and all is well when it is over; wedged probes need more than that */
                if (cases[i].r != -ETIMEDOUT) {
                        set(&host, "state", "ok");
                        ck_assert_int_eq(identify(&host, &session), 0);
                }
                host_done(&host);
        }
}
END_TEST

START_TEST(target_trouble) {
        ProbeSession *session;
        Host host;

        host_init(&host, "v2-1:target=f103");
        set(&host, "condition", "absent");
        session = open_session(&host, false);
        ck_assert_int_eq(probe_session_connect(session), -EREMOTEIO);
        ck_assert_uint_eq(probe_session_status(session), STATUS_GET_IDCODE_ERROR);
        ck_assert(status_is_about_target(probe_session_status(session)));
        ck_assert_int_eq(probe_session_identify_target(session, &(ProbeTarget){}), -ENOTCONN);
        ck_assert_int_eq(probe_session_measure_voltage(session), 0);
        probe_session_free(session);
        ck_assert_int_eq(mode_of(&host), 1);

        set(&host, "condition", "ok");
        session = open_session(&host, false);
        ck_assert_int_eq(probe_session_connect(session), 0);
        probe_session_free(session);
        host_done(&host);
}
END_TEST

START_TEST(cancel) {
        SimTransport *transport;
        ProbeSession *session = NULL;
        ProbeSessionOptions options = { .cancel_fd = -EBADF };
        Host host;

        host_init(&host, "v2-1:target=f103");
        transport = (SimTransport *) sim_transport_new(&host);
        ck_assert_int_eq(probe_session_new(&transport->base, &options, &session), 0);
        ck_assert_int_eq(probe_session_connect(session), 0);
        transport->cancelled = true;
        ck_assert_int_eq(probe_session_measure_voltage(session), -ECANCELED);
        probe_session_free(session);
        ck_assert_int_eq(mode_of(&host), 1);
        host_done(&host);
}
END_TEST

/* The whole story with one thing going wrong at the k-th transfer, be a command and its answer
 * under way together or not. */
static int story(Host *host) {
        ProbeSession *session = open_session(host, true);
        ProbeTarget target;
        int r = probe_session_connect(session);

        if (r >= 0)
                r = probe_session_identify_target(session, &target);
        if (r >= 0)
                r = probe_session_measure_voltage(session);
        if (r >= 0 || r == -EOPNOTSUPP) /* a V1 cannot */
                r = probe_session_disconnect(session);
        probe_session_free(session);
        return r;
}

typedef struct Mishap {
        const char *spec, *key;
        int allowed[4];
} Mishap;

static const Mishap mishaps[] = {
        { "v2:target=f103", "unplug-at", { -ENODEV } },
        { "v2-1:target=f103", "unplug-at", { -ENODEV } },
        { "v3:target=f103", "unplug-at", { -ENODEV } },
        { "v1:target=f103", "unplug-at", { -ENODEV } },
        { "v1:target=f103", "stall-at", { 0, -EPROTO, -ETIMEDOUT } },
        { "v2:target=f103", "stall-at", { 0, -EPROTO } },
        { "v3:target=f103", "stall-at", { 0, -EPROTO } },
        { "v2:target=f103", "wedge-at", { -ETIMEDOUT } },
        { "v3:target=f103", "wedge-at", { -ETIMEDOUT } },
};

START_TEST(mishap_anywhere) {
        const Mishap *mishap = &mishaps[_i / 2];
        uint64_t transfers;
        Host host;

        host_init(&host, mishap->spec);
        host.in_turn = _i % 2;
        ck_assert_int_eq(story(&host), 0);
        transfers = counters(&host).transfers;
        ck_assert_uint_gt(transfers, 10);
        host_done(&host);

        for (uint64_t k = 1; k <= transfers; k++) {
                bool allowed = false;
                char at[16];
                int r;

                host_init(&host, mishap->spec);
                host.in_turn = _i % 2;
                (void) snprintf(at, sizeof(at), "%u", (unsigned) k);
                set(&host, mishap->key, at);
                r = story(&host);
                for (size_t i = 0; i < ELEMENTSOF(mishap->allowed); i++)
                        allowed |= r == mishap->allowed[i] && (r != 0 || i == 0);
                ck_assert_msg(allowed, "%s, %s=%s: %d", mishap->spec, mishap->key, at, r);
                if (strcmp(mishap->key, "stall-at") == 0 && host.usb->descriptors[10] != 0x44)
                        (void) mode_of(&host); /* the next program is answered */
                host_done(&host);
        }
}
END_TEST

int main(void) {
        Suite *suite = suite_create("usb");
        TCase *tcase = tcase_create("usb");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 60);
        tcase_add_loop_test(tcase, identify_models, 0, ELEMENTSOF(models));
        tcase_add_loop_test(tcase, connect_counts, 0, 7);
        tcase_add_test(tcase, loader_manners);
        tcase_add_test(tcase, leftovers);
        tcase_add_test(tcase, bad_days);
        tcase_add_test(tcase, target_trouble);
        tcase_add_test(tcase, cancel);
        tcase_add_loop_test(tcase, mishap_anywhere, 0, 2 * ELEMENTSOF(mishaps));
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
