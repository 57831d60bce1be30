/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim-host.h"
#include "sim/device/spec.h"

/* Specifications: what they may say, and what they say when they are wrong. */

static const char *const good[] = {
        "v1",
        "v2",
        "v2:",
        "v2-loader",
        "v2-1",
        "v2-1-loader",
        "v3",
        "v3-loader",
        "v3pwr",
        "v3pwr-loader",
        "v2:serial=57FF72064966534938431567",
        "v2:serial=raw:57FF72064966534938431567",
        "v2:serial=clone,serial=none",
        "v2:,,target=f411,",
        "v2-1:serial=066DFF504955857567012345,target=f411,firmware=V2J37M27,port=1-1.2",
        "v2-1:pid=3752",
        "v2-1:pid=374B,board=0740",
        "v3:pid=374f,firmware=V3J10M3B5S1",
        "v3:pid=3753",
        "v3:pid=3754",
        "v2:target=none",
        "v2:asleep,nrst=unwired,rdp=1",
        "v2:condition=remapped,state=garbage",
        "v2:wedged-until-replug,latency=1ms,wire=real,unplug-at=9,stall-at=8,wedge-at=7",
        "v2:wait=3,instructions=0,vcp=silent,swo=text with spaces",
        "v3:reenumerate=never",
        "v3:reenumerate=2s",
        "v2:leave-loader=reenumerate",
        "v2:leave-loader=stay",
        "v2:mode=swim",
        "v2:mode=mass",
        "v2:mode=debug,target=none",
        "v2:flash=/tmp/a.bin",
        "v2:firmware=none",
};

START_TEST(test_good) {
        _cleanup_(sim_spec_freep) SimSpec *spec = NULL;
        _cleanup_(sim_device_freep) SimDevice *device = NULL;
        _cleanup_free_ char *error = NULL;

        ck_assert_msg(sim_spec_parse(good[_i], &spec, &error) == 0, "%s: %s", good[_i], error);
        ck_assert_int_eq(sim_device_new(spec, &device), 0);
        ck_assert(sim_device_usb(device)->attached);
}
END_TEST

/* A bad specification, and a word that its message has to contain. */
static const struct {
        const char *text, *word;
} bad[] = {
        { "", "model" },
        { "v4", "\"v4\"" },
        { "V2", "\"V2\"" },
        { "v2-", "\"v2-\"" },
        { "-loader", "\"-loader\"" },
        { "v1-loader", "boot loader" },
        { "v2,asleep", "v2,asleep" },
        { "v2:colour=red", "\"colour\"" },
        { "v2:drunk", "\"drunk\"" },
        { "v2:=x", "unknown key" },
        { "v2:serial=", "serial" },
        { "v2:serial=raw:57FF", "raw:57FF" },
        { "v2:serial=raw:57FF7206496653493843156G", "hex" },
        { "v2:serial=\xff", "serial" },
        { "v2:serial=0123456789012345678901234567890123456789012345678901234567890123456789",
          "serial" },
        { "v2:firmware=J37", "V2J37S7" },
        { "v2:firmware=V3J10", "V3" },
        { "v3:firmware=V2J37S7", "V2" },
        { "v2:pid=374b", "374b" },
        { "v2:pid=ffff", "ffff" },
        { "v2:pid=37", "37" },
        { "v3:pid=374d", "374d" },
        { "v2:target=f999", "f103" },
        { "v2:port=1-", "port" },
        { "v2:port=/etc", "port" },
        { "v2:port=", "port" },
        { "v2:flash=", "flash" },
        { "v2:board=123", "four" },
        { "v2:mode=sleepy", "swim" },
        { "v2-loader:mode=debug", "loader" },
        { "v2:firmware=none,mode=mass", "loader" },
        { "v2-1:mode=swim", "SWIM" },
        { "v1:mode=loader", "boot loader" },
        { "v1:firmware=none", "boot loader" },
        { "v2:condition=happy", "absent" },
        { "v2:rdp=3", "rdp" },
        { "v2:rdp=", "rdp" },
        { "v2:nrst=yes", "unwired" },
        { "v2:state=absent", "state" },
        { "v2:latency=abc", "20ms" },
        { "v2:latency=", "latency" },
        { "v2:unplug-at=x", "unplug-at" },
        { "v2:unplug-at=-1", "unplug-at" },
        { "v2:unplug-at=99999999999999999999", "unplug-at" },
        { "v2:wait=99999999999", "wait" },
        { "v2:instructions=1e6", "instructions" },
        { "v2:vcp=loud", "loopback" },
        { "v2:leave-loader=maybe", "stay" },
};

START_TEST(test_bad) {
        SimSpec *spec = (SimSpec *) &bad;
        _cleanup_free_ char *error = NULL;

        ck_assert_int_eq(sim_spec_parse(bad[_i].text, &spec, &error), -EINVAL);
        ck_assert_ptr_eq(spec, &bad); /* untouched */
        ck_assert_ptr_nonnull(error);
        ck_assert_msg(strstr(error, bad[_i].word), "%s: %s", bad[_i].text, error);
}
END_TEST

START_TEST(test_long_swo) {
        char text[400];
        SimSpec *spec;
        _cleanup_free_ char *error = NULL;

        (void) snprintf(text, sizeof(text), "v2:swo=%0300d", 0);
        ck_assert_int_eq(sim_spec_parse(text, &spec, &error), -EINVAL);
}
END_TEST

/* The help names everything there is. */
START_TEST(test_help) {
        static const char *const words[] = {
                "v1",           "v2",
                "v2-1",         "v3",
                "v3pwr",        "-loader",
                "serial=",      "firmware=",
                "pid=",         "target=",
                "flash=",       "board=",
                "mode=",        "port=",
                "condition=",   "rdp=",
                "nrst=",        "wait=",
                "swo=",         "instructions=",
                "latency=",     "wire=",
                "vcp=",         "unplug-at=",
                "stall-at=",    "wedge-at=",
                "reenumerate=", "absent",
                "unpowered",    "asleep",
                "remapped",     "wired",
                "unwired",      "leave-loader=",
                "3752",         "374f",
                "never",        "loopback",
                "silent",       "raw:",
                "clone",
        };
        const char *name;

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                ck_assert_msg(strstr(sim_spec_help(), words[i]), "%s", words[i]);
        for (int i = 0; i < _SIM_STATE_MAX; i++) {
                char line[64];

                (void) snprintf(line, sizeof(line), "state=%s", sim_state_to_string((SimState) i));
                ck_assert_msg(strstr(sim_spec_help(), line), "%s", line);
        }
        for (size_t i = 0; (name = target_chip_name(i)); i++)
                ck_assert_msg(strstr(sim_spec_help(), name), "%s", name);
}
END_TEST

static const struct {
        const char *spec, *sysfs;
        size_t descriptor;
        const char *units;
} serials[] = {
        { "v2:serial=066DFF504955857567012345", "066DFF504955857567012345", 50, NULL },
        { "v2:serial=raw:57FF72064966534938431567",
          "W\xc3\xbfr\x06If"
          "SI8C\x15g",
          26, "\x57\xff\x72\x06\x49\x66\x53\x49\x38\x43\x15\x67" },
        { "v2:serial=clone", "000000000001", 26, "000000000001" },
        { "v2:serial=none", NULL, 0, NULL },
        { "v1", "0000001", 16, "0000001" },
};

START_TEST(test_serials) {
        uint8_t d[255];
        Host host;
        int r;

        host_init(&host, serials[_i].spec);
        r = host_control(&host, 0x80, 6, 0x0303, 0x409, d, sizeof(d));
        if (serials[_i].sysfs) {
                ck_assert_str_eq(sim_device_serial(host.device), serials[_i].sysfs);
                ck_assert_int_eq(r, (int) serials[_i].descriptor);
                ck_assert_uint_eq(host.usb->descriptors[16], 3);
        } else {
                ck_assert_ptr_null(sim_device_serial(host.device));
                ck_assert_int_eq(r, -EPIPE);
                ck_assert_uint_eq(host.usb->descriptors[16], 0);
        }
        for (size_t i = 0; serials[_i].units && 2 + 2 * i < serials[_i].descriptor; i++) {
                ck_assert_uint_eq(d[2 + 2 * i], (uint8_t) serials[_i].units[i]);
                ck_assert_uint_eq(d[3 + 2 * i], 0);
        }
        host_done(&host);
}
END_TEST

/* Without a serial in the text, siblings get different ones. */
START_TEST(test_made_serials) {
        _cleanup_(sim_spec_freep) SimSpec *a = NULL, *b = NULL;
        _cleanup_(sim_device_freep) SimDevice *one = NULL, *two = NULL;
        char *error = NULL;

        ck_assert_int_eq(sim_spec_parse("v2", &a, &error), 0);
        ck_assert_int_eq(sim_spec_parse("v2:port=1-1.2,flash=x.bin", &b, &error), 0);
        sim_spec_set_number(b, 1);
        ck_assert_int_eq(sim_device_new(a, &one), 0);
        ck_assert_int_eq(sim_device_new(b, &two), 0);
        ck_assert_uint_eq(strlen(sim_device_serial(one)), 24);
        ck_assert_str_ne(sim_device_serial(one), sim_device_serial(two));
        ck_assert_ptr_null(sim_spec_port(a));
        ck_assert_ptr_null(sim_spec_flash(a));
        ck_assert_str_eq(sim_spec_port(b), "1-1.2");
        ck_assert_str_eq(sim_spec_flash(b), "x.bin");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("sim-spec");
        TCase *tcase = tcase_create("spec");
        SRunner *runner;
        int failed;

        tcase_add_loop_test(tcase, test_good, 0, ELEMENTSOF(good));
        tcase_add_loop_test(tcase, test_bad, 0, ELEMENTSOF(bad));
        tcase_add_test(tcase, test_long_swo);
        tcase_add_test(tcase, test_help);
        tcase_add_loop_test(tcase, test_serials, 0, ELEMENTSOF(serials));
        tcase_add_test(tcase, test_made_serials);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
