/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "sim-host.h"

/* The USB side of the simulated probe: pipes, halts, faults, coming and going. */

static Host host;

static void set(const char *key, const char *value) {
        _cleanup_free_ char *error = NULL;

        ck_assert_msg(sim_device_set(host.device, key, value, &error) == 0, "%s", error);
}

static SimCounters counters(void) {
        SimCounters c;

        sim_device_get_counters(host.device, &c);
        return c;
}

static unsigned product_id(void) {
        return get_le16(host.usb->descriptors + 10);
}

START_TEST(test_v2_wakes_up) {
        uint8_t reply[64];

        host_init(&host, "v2");
        ck_assert_int_eq(HOST_ASK(&host, reply, 6, 0xf1), 6);
        ck_assert_mem_eq(reply, "\x29\x47\x83\x04\x48\x37", 6); /* V2J37S7 */
        ck_assert_int_eq(HOST_ASK(&host, reply, 2, 0xf5), 2);
        ck_assert_mem_eq(reply, "\0\1", 2);
        ck_assert_int_eq(HOST_SEND(&host, 0xf3, 0x07), 16);
        ck_assert_int_eq(HOST_ASK(&host, reply, 2, 0xf5), 2);
        ck_assert_mem_eq(reply, "\1\0", 2);
        ck_assert_int_eq(HOST_ASK(&host, reply, 2, 0xf2, 0x30, 0xa3), 2);
        ck_assert_mem_eq(reply, "\x80\0", 2);
        ck_assert_int_eq(HOST_ASK(&host, reply, 12, 0xf2, 0x31), 12);
        ck_assert_uint_eq(get_le32(reply + 4), 0x1ba01477);
        ck_assert_uint_eq(counters().commands, 6);
        ck_assert_uint_eq(counters().swd_entered_at, 5);
        ck_assert_uint_eq(counters().transfers, 11);
        ck_assert_uint_eq(host.detached, 0);
        host_done(&host);
}
END_TEST

/* A reply that a crashed client did not read comes first. */
START_TEST(test_unread_reply) {
        uint8_t reply[64];

        host_init(&host, "v2-1");
        ck_assert_int_eq(HOST_SEND(&host, 0xf1), 16);
        ck_assert_int_eq(HOST_ASK(&host, reply, 64, 0xf5), 6);
        ck_assert_int_eq(host_bulk(&host, 0x81, reply, 64), 2);
        ck_assert_int_eq(host_bulk(&host, 0x81, reply, 64), -ETIMEDOUT);
        /* A port reset clears the pipe, and so does a configuration. */
        ck_assert_int_eq(HOST_SEND(&host, 0xf1), 16);
        host.usb->ops->reset(host.usb);
        ck_assert_int_eq(HOST_ASK(&host, reply, 64, 0xf5), 2);
        ck_assert_int_eq(HOST_SEND(&host, 0xf1), 16);
        ck_assert_int_eq(host_control(&host, 0x00, 9, 1, 0, NULL, 0), 0);
        ck_assert_int_eq(HOST_ASK(&host, reply, 64, 0xf5), 2);
        ck_assert_uint_eq(counters().resets, 1);
        host_done(&host);
}
END_TEST

/* Nobody reads: at some point the firmware takes no more commands. */
START_TEST(test_full_pipe) {
        uint8_t reply[64];
        int sent = 0;

        host_init(&host, "v2-1");
        while (HOST_SEND(&host, 0xf5) == 16)
                ck_assert_int_lt(++sent, 20);
        for (int i = 0; i < sent; i++)
                ck_assert_int_eq(host_bulk(&host, 0x81, reply, 64), 2);
        ck_assert_int_eq(HOST_ASK(&host, reply, 64, 0xf5), 2);
        host_done(&host);
}
END_TEST

/* OpenOCD submits the read before the command is out. */
START_TEST(test_read_first) {
        uint8_t reply[6];
        HostTransfer in;

        host_init(&host, "v2-1");
        ck_assert_int_eq(host_start(&host, &in, 0x81, reply, sizeof(reply)), 0);
        ck_assert(!in.done);
        ck_assert_int_eq(HOST_SEND(&host, 0xf1), 16);
        ck_assert_int_eq(host_finish(&host, &in), 6);
        host_done(&host);
}
END_TEST

START_TEST(test_lengths) {
        uint8_t reply[256];

        host_init(&host, "v2-1");
        ck_assert_int_eq(HOST_ASK(&host, reply, 128, 0xf2, 0x56), 128);
        /* Two whole packets and no empty one: a host that wants more waits. */
        ck_assert_int_eq(HOST_ASK(&host, reply, 256, 0xf2, 0x56), -ETIMEDOUT);
        /* Half of the answer stays behind. */
        ck_assert_int_eq(HOST_ASK(&host, reply, 64, 0xf2, 0x56), 64);
        ck_assert_int_eq(HOST_ASK(&host, reply, 64, 0xf5), 64);
        ck_assert_int_eq(host_bulk(&host, 0x81, reply, 64), 2);
        /* A packet larger than the buffer */
        ck_assert_int_eq(HOST_ASK(&host, reply, 1, 0xf5), -EOVERFLOW);
        ck_assert_int_eq(HOST_ASK(&host, reply, 36, 0xf2, 0x56), -EOVERFLOW);
        host_done(&host);
}
END_TEST

START_TEST(test_data_phase) {
        uint8_t data[256], back[256], reply[16];

        memset(data, 0x5c, sizeof(data));
        host_init(&host, "v2-1:mode=debug");
        ck_assert_int_eq(HOST_SEND(&host, 0xf2, 0x08, 0, 0, 0, 0x20, 0, 1), 16);
        ck_assert_int_eq(host_bulk(&host, 0x01, data, 256), 256);
        ck_assert_int_eq(HOST_ASK(&host, reply, 12, 0xf2, 0x3e), 12);
        ck_assert_uint_eq(reply[0], 0x80);
        ck_assert_int_eq(HOST_ASK(&host, back, 256, 0xf2, 0x07, 0, 0, 0, 0x20, 0, 1), 256);
        ck_assert_mem_eq(back, data, 256);
        /* A short packet ends the data early: not all was there. */
        ck_assert_int_eq(HOST_SEND(&host, 0xf2, 0x08, 0, 0, 0, 0x20, 0, 1), 16);
        ck_assert_int_eq(host_bulk(&host, 0x01, data, 100), 100);
        ck_assert_int_eq(HOST_ASK(&host, reply, 12, 0xf2, 0x3e), 12);
        ck_assert_uint_eq(reply[0], 0x08);
        /* A port reset in between: the next packet is a command again. */
        ck_assert_int_eq(HOST_SEND(&host, 0xf2, 0x08, 0, 0, 0, 0x20, 0, 1), 16);
        host.usb->ops->reset(host.usb);
        ck_assert_int_eq(HOST_ASK(&host, reply, 2, 0xf5), 2);
        ck_assert_uint_eq(reply[0], 2);
        host_done(&host);
}
END_TEST

START_TEST(test_submit_errors) {
        uint8_t data[4];
        HostTransfer t;

        host_init(&host, "v2");
        ck_assert_int_eq(host_start(&host, &t, 0x86, data, 4), -ENOENT);
        ck_assert_int_eq(host_start(&host, &t, 0x01, data, 4), -ENOENT);
        ck_assert_int_eq(host_start(&host, &t, 0x81, NULL, 4), -EINVAL);
        ck_assert_int_eq(host_start(&host, &t, 0x02, NULL, 0), 0);
        ck_assert(t.done);
        ck_assert_int_eq(host.usb->ops->cancel(host.usb, &t.transfer), -EINVAL);
        sim_device_unplug(host.device);
        ck_assert_int_eq(host_start(&host, &t, 0x81, data, 4), -ENODEV);
        host_done(&host);
}
END_TEST

START_TEST(test_state_stall) {
        uint8_t reply[64], status[2];

        host_init(&host, "v2-1:stall");
        ck_assert_int_eq(HOST_ASK(&host, reply, 6, 0xf1), -EPIPE);
        ck_assert_int_eq(host_bulk(&host, 0x81, reply, 6), -EPIPE); /* halted it stays */
        ck_assert_int_eq(host_control(&host, 0x82, 0, 0, 0x81, status, 2), 2);
        ck_assert_uint_eq(status[0], 1);
        set("state", "ok");
        ck_assert_int_eq(HOST_ASK(&host, reply, 6, 0xf1), -EPIPE);
        host.usb->ops->clear_halt(host.usb, 0x81);
        ck_assert_int_eq(host_bulk(&host, 0x81, reply, 6), 6);
        /* The same by a request on endpoint 0 */
        set("stall-at", "2");
        ck_assert_int_eq(HOST_ASK(&host, reply, 6, 0xf1), -EPIPE);
        ck_assert_int_eq(host_control(&host, 0x02, 1, 0, 0x81, NULL, 0), 0);
        ck_assert_int_eq(host_bulk(&host, 0x81, reply, 6), 6);
        /* On the way out */
        set("stall-at", "1");
        ck_assert_int_eq(HOST_SEND(&host, 0xf1), -EPIPE);
        host.usb->ops->clear_halt(host.usb, 0x01);
        ck_assert_int_eq(HOST_ASK(&host, reply, 6, 0xf1), 6);
        host_done(&host);
}
END_TEST

START_TEST(test_state_short_and_garbage) {
        uint8_t good[12], reply[12], again[12];

        host_init(&host, "v3");
        ck_assert_int_eq(HOST_ASK(&host, good, 12, 0xfb), 12);
        set("state", "short");
        ck_assert_int_eq(HOST_ASK(&host, reply, 12, 0xfb), 6);
        set("state", "garbage");
        ck_assert_int_eq(HOST_ASK(&host, reply, 12, 0xfb), 12);
        ck_assert_mem_ne(reply, good, 12);
        ck_assert_int_eq(HOST_ASK(&host, again, 12, 0xfb), 12);
        ck_assert_mem_ne(reply, again, 12);
        set("state", "busy");
        ck_assert_int_eq(HOST_ASK(&host, reply, 2, 0xf2, 0x30, 0xa3), 2);
        ck_assert_uint_eq(reply[0], 0x07);
        set("state", "ok");
        ck_assert_int_eq(HOST_ASK(&host, reply, 12, 0xfb), 12);
        ck_assert_mem_eq(reply, good, 12);
        host_done(&host);
}
END_TEST

/* Two wedges: one that a port reset cures, and one that it does not. Endpoint 0 lives on. */
START_TEST(test_wedged) {
        uint8_t reply[64];

        host_init(&host, "v2-1:wedged");
        ck_assert_int_eq(HOST_SEND(&host, 0xf1), -ETIMEDOUT);
        ck_assert_int_eq(host_bulk(&host, 0x81, reply, 6), -ETIMEDOUT);
        ck_assert_int_eq(host_control(&host, 0x80, 6, 0x100, 0, reply, 18), 18);
        host.usb->ops->reset(host.usb);
        ck_assert_int_eq(HOST_ASK(&host, reply, 6, 0xf1), 6);
        set("state", "wedged-until-replug");
        ck_assert_int_eq(HOST_SEND(&host, 0xf1), -ETIMEDOUT);
        host.usb->ops->reset(host.usb);
        ck_assert_int_eq(HOST_SEND(&host, 0xf1), -ETIMEDOUT);
        sim_device_unplug(host.device);
        sim_device_plug(host.device);
        ck_assert_int_eq(HOST_ASK(&host, reply, 6, 0xf1), 6);
        set("wedge-at", "2");
        ck_assert_int_eq(HOST_ASK(&host, reply, 6, 0xf1), -ETIMEDOUT);
        set("state", "ok");
        ck_assert_int_eq(host_bulk(&host, 0x81, reply, 6), 6);
        host_done(&host);
}
END_TEST

START_TEST(test_latency) {
        uint8_t reply[64];
        Usec before;

        host_init(&host, "v2-1:latency=20ms");
        before = host.now;
        ck_assert_int_eq(HOST_ASK(&host, reply, 6, 0xf1), 6);
        ck_assert_uint_eq(host.now - before, 40 * USEC_PER_MSEC);
        set("latency", "200ms");
        ck_assert_int_eq(HOST_SEND(&host, 0xf1), -ETIMEDOUT);
        host_done(&host);
}
END_TEST

/* What 6 KiB take at full speed and at high speed, in whole microseconds. */
START_TEST(test_wire) {
        static const struct {
                const char *spec;
                Usec span;
        } wires[] = { { "v2-1:wire=real", 5052 }, { "v3:wire=real", 115 }, { "v3", 0 } };
        static uint8_t data[6144];

        for (size_t i = 0; i < ELEMENTSOF(wires); i++) {
                HostTransfer out;
                Usec due;

                host_init(&host, wires[i].spec);
                ck_assert_int_eq(host_start(&host, &out, 0x01, data, sizeof(data)), 0);
                due = host.usb->ops->next_event(host.usb);
                ck_assert_uint_eq(due == USEC_INFINITY ? 0 : due - host.now, wires[i].span);
                host_done(&host);
        }
}
END_TEST

START_TEST(test_unplug_at) {
        uint8_t reply[64];
        HostTransfer in;

        host_init(&host, "v2-1:unplug-at=3");
        ck_assert_int_eq(HOST_ASK(&host, reply, 6, 0xf1), 6);
        ck_assert_int_eq(host_start(&host, &in, 0x81, reply, 6), 0);
        ck_assert_int_eq(host_finish(&host, &in), -ESHUTDOWN);
        ck_assert_uint_eq(host.detached, 1);
        ck_assert(!host.usb->attached);
        ck_assert_int_eq(HOST_SEND(&host, 0xf1), -ENODEV);
        ck_assert_uint_eq(host.usb->ops->next_event(host.usb), USEC_INFINITY);
        sim_device_plug(host.device);
        ck_assert_uint_eq(host.attached, 1);
        ck_assert_int_eq(HOST_ASK(&host, reply, 6, 0xf1), 6);
        ck_assert_uint_eq(host.detached, 1);
        host_done(&host);

        host_init(&host, "v2-1:wedge-at=3,unplug-at=4");
        ck_assert_int_eq(HOST_ASK(&host, reply, 6, 0xf1), 6);
        (void) HOST_ASK(&host, reply, 6, 0xf1);
        (void) HOST_ASK(&host, reply, 6, 0xf1);
        ck_assert(!host.usb->attached);
        sim_device_plug(host.device);
        ck_assert_int_eq(HOST_ASK(&host, reply, 6, 0xf1), 6);
        host_done(&host);
}
END_TEST

/* Into the boot loader and back: another product ID each time. */
START_TEST(test_reenumeration) {
        uint8_t reply[64];

        host_init(&host, "v2-1:reenumerate=300ms");
        ck_assert_uint_eq(product_id(), 0x374b);
        ck_assert_int_eq(HOST_SEND(&host, 0xf9, 0x01), 16);
        host_wait(&host, 299 * USEC_PER_MSEC);
        ck_assert_uint_eq(host.detached, 1);
        ck_assert_uint_eq(host.attached, 0);
        host_wait(&host, 2 * USEC_PER_MSEC);
        ck_assert_uint_eq(host.attached, 1);
        ck_assert_uint_eq(product_id(), 0x3748);
        ck_assert_uint_eq(host.usb->descriptors_size, 18 + 0x27);
        ck_assert_int_eq(HOST_ASK(&host, reply, 2, 0xf5), 2);
        ck_assert_mem_eq(reply, "\0\2", 2);
        ck_assert_int_eq(HOST_SEND(&host, 0xf3, 0x07), 16);
        host_wait(&host, USEC_PER_SEC);
        ck_assert_uint_eq(host.attached, 2);
        ck_assert_uint_eq(product_id(), 0x374b);
        set("reenumerate", "never");
        ck_assert_int_eq(HOST_SEND(&host, 0xf9, 0x01), 16);
        host_wait(&host, 3600 * USEC_PER_SEC);
        ck_assert_uint_eq(host.detached, 3);
        ck_assert_uint_eq(host.attached, 2);
        /* Pulled out and plugged in again it starts its application. */
        sim_device_plug(host.device);
        ck_assert_uint_eq(product_id(), 0x374b);
        host_done(&host);
}
END_TEST

static const struct {
        const char *spec;
        unsigned first, second;
} loaders[] = {
        { "v2-loader:leave-loader=reenumerate", 0x3748, 0x3748 },
        { "v2-1-loader", 0x3748, 0x374b },
        { "v2-1-loader:pid=3752", 0x3748, 0x3752 },
        { "v3-loader", 0x374d, 0x374e },
        { "v3pwr-loader", 0x3755, 0x3757 },
        { "v2-1:firmware=none", 0x3748, 0 },
        { "v3:firmware=none", 0x374d, 0 },
};

START_TEST(test_loader_exit) {
        uint8_t reply[64];

        host_init(&host, loaders[_i].spec);
        ck_assert_uint_eq(product_id(), loaders[_i].first);
        ck_assert_int_eq(HOST_ASK(&host, reply, 2, 0xf5), 2);
        ck_assert_uint_eq(reply[0], 0);
        ck_assert_int_eq(HOST_SEND(&host, 0xf3, 0x07), 16);
        host_wait(&host, USEC_PER_SEC);
        ck_assert_uint_eq(host.attached, loaders[_i].second != 0);
        if (loaders[_i].second)
                ck_assert_uint_eq(product_id(), loaders[_i].second);
        ck_assert_int_eq(HOST_ASK(&host, reply, 2, 0xf5), 2);
        ck_assert_uint_eq(reply[0], loaders[_i].second != 0);
        host_done(&host);
}
END_TEST

START_TEST(test_initial_mode) {
        uint8_t reply[64];

        host_init(&host, "v2:mode=debug");
        ck_assert_int_eq(HOST_ASK(&host, reply, 2, 0xf5), 2);
        ck_assert_uint_eq(reply[0], 2);
        sim_device_unplug(host.device);
        sim_device_plug(host.device);
        ck_assert_int_eq(HOST_ASK(&host, reply, 2, 0xf5), 2);
        ck_assert_uint_eq(reply[0], 0);
        host_done(&host);
}
END_TEST

/* Pulling the plug takes the power of what hangs on the probe, and lets go of nRST. */
START_TEST(test_power_cycle) {
        uint8_t reply[64], word[4] = { 1, 2, 3, 4 };

        host_init(&host, "v2-1:mode=debug");
        ck_assert_int_eq(HOST_SEND(&host, 0xf2, 0x08, 0, 0, 0, 0x20, 4), 16);
        ck_assert_int_eq(host_bulk(&host, 0x01, word, 4), 4);
        ck_assert_int_eq(HOST_ASK(&host, reply, 4, 0xf2, 0x07, 0, 0, 0, 0x20, 4), 4);
        ck_assert_mem_eq(reply, word, 4);
        ck_assert_int_eq(HOST_ASK(&host, reply, 2, 0xf2, 0x3c, 0), 2);
        sim_device_unplug(host.device);
        sim_device_plug(host.device);
        ck_assert_int_eq(HOST_ASK(&host, reply, 2, 0xf2, 0x30, 0xa3), 2);
        ck_assert_int_eq(HOST_ASK(&host, reply, 4, 0xf2, 0x07, 0, 0, 0, 0x20, 4), 4);
        ck_assert_mem_ne(reply, word, 4);
        ck_assert_int_eq(HOST_ASK(&host, reply, 8, 0xf2, 0x36, 0xf0, 0xed, 0, 0xe0), 8);
        ck_assert_int_eq(HOST_ASK(&host, reply, 8, 0xf2, 0x36, 0xf0, 0xed, 0, 0xe0), 8);
        ck_assert_uint_eq(reply[7] & 2, 0); /* not in reset any more */
        host_done(&host);
}
END_TEST

START_TEST(test_trace_endpoint) {
        uint8_t reply[64];

        host_init(&host, "v2-1:mode=debug,swo=hello");
        ck_assert_int_eq(HOST_ASK(&host, reply, 2, 0xf2, 0x40, 0, 0x10, 0x40, 0x42, 0x0f), 2);
        ck_assert_uint_eq(reply[0], 0x80);
        ck_assert_int_eq(HOST_ASK(&host, reply, 2, 0xf2, 0x42), 2);
        ck_assert_uint_eq(get_le16(reply), 10);
        ck_assert_int_eq(host_bulk(&host, 0x82, reply, 10), 10);
        ck_assert_mem_eq(reply, "\1h\1e\1l\1l\1o", 10);
        ck_assert_int_eq(host_bulk(&host, 0x82, reply, 10), -ETIMEDOUT);
        set("swo", "!");
        ck_assert_int_eq(host_bulk(&host, 0x82, reply, 10), 2);
        host_done(&host);
}
END_TEST

START_TEST(test_vcp) {
        uint8_t data[64] = "hello, serial port", back[64], coding[7];
        static const uint8_t fast[7] = { 0, 0xc2, 1, 0, 0, 0, 8 };

        host_init(&host, "v2-1");
        ck_assert_int_eq(host_bulk(&host, 0x05, data, 18), 18);
        ck_assert_int_eq(host_bulk(&host, 0x85, back, 8), 8); /* its packets are that small */
        ck_assert_int_eq(host_bulk(&host, 0x85, back + 8, 8), 8);
        ck_assert_int_eq(host_bulk(&host, 0x85, back + 16, 48), 2);
        ck_assert_mem_eq(back, data, 18);
        ck_assert_int_eq(host_bulk(&host, 0x84, back, 2), -ETIMEDOUT);
        ck_assert_int_eq(host_control(&host, 0xa1, 0x21, 0, 2, coding, 7), 7);
        ck_assert_uint_eq(get_le32(coding), 9600);
        memcpy(coding, fast, sizeof(fast));
        ck_assert_int_eq(host_control(&host, 0x21, 0x20, 0, 2, coding, 7), 7);
        ck_assert_int_eq(host_control(&host, 0xa1, 0x21, 0, 2, back, 7), 7);
        ck_assert_mem_eq(back, fast, 7);
        ck_assert_int_eq(host_control(&host, 0x21, 0x22, 3, 2, NULL, 0), 0);
        ck_assert_int_eq(host_control(&host, 0x21, 0x20, 0, 0, coding, 7), -EPIPE);
        set("vcp", "silent");
        ck_assert_int_eq(host_bulk(&host, 0x05, data, 18), 18);
        ck_assert_int_eq(host_bulk(&host, 0x85, back, 64), -ETIMEDOUT);
        host_done(&host);
}
END_TEST

START_TEST(test_set_errors) {
        static const char *const bad[][2] = {
                { "serial", "1234" },  { "target", "f103" },  { "state", "sad" },
                { "latency", "soon" }, { "unplug-at", "-1" }, { "colour", "red" },
        };

        host_init(&host, "v2");
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_free_ char *error = NULL;

                ck_assert_int_eq(sim_device_set(host.device, bad[i][0], bad[i][1], &error),
                                 -EINVAL);
                ck_assert_ptr_nonnull(error);
                ck_assert_ptr_nonnull(strstr(error, bad[i][0]));
        }
        host_done(&host);
}
END_TEST

START_TEST(test_counters) {
        uint8_t reply[64];

        host_init(&host, "v2-1");
        ck_assert_int_eq(HOST_ASK(&host, reply, 6, 0xf1), 6);
        ck_assert_int_eq(host_control(&host, 0x80, 6, 0x100, 0, reply, 18), 18);
        ck_assert_int_eq(host_bulk(&host, 0x81, reply, 6), -ETIMEDOUT);
        ck_assert_uint_eq(counters().transfers, 2);
        ck_assert_uint_eq(counters().control_transfers, 1);
        ck_assert_int_eq(HOST_SEND(&host, 0xf9, 0x01), 16);
        host_wait(&host, USEC_PER_SEC);
        ck_assert_uint_eq(counters().transfers, 3); /* through re-enumeration */
        sim_device_reset_counters(host.device);
        ck_assert_uint_eq(counters().transfers, 0);
        ck_assert_uint_eq(counters().commands, 0);
        host_done(&host);
}
END_TEST

static void submit_again(UsbTransfer *transfer) {
        HostTransfer *t = transfer->userdata;

        if (transfer->status == -ESHUTDOWN) {
                t->done = true;
                /* What comes back while the device leaves is refused, not kept. */
                ck_assert_int_eq(host.usb->ops->submit(host.usb, transfer), -ENODEV);
                return;
        }
        ck_assert_int_eq(host.usb->ops->submit(host.usb, transfer), 0);
}

/* Owners submit from within completion. */
START_TEST(test_reentrancy) {
        uint8_t reply[64];
        HostTransfer in;

        host_init(&host, "v2-1");
        ck_assert_int_eq(host_start(&host, &in, 0x81, reply, sizeof(reply)), 0);
        in.transfer.complete = submit_again;
        for (unsigned i = 0; i < 10; i++)
                ck_assert_int_eq(HOST_SEND(&host, 0xf5), 16);
        ck_assert_uint_eq(counters().transfers, 20);
        sim_device_unplug(host.device);
        ck_assert(in.done);
        host_done(&host);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("sim-device");
        TCase *tcase = tcase_create("device");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, test_v2_wakes_up);
        tcase_add_test(tcase, test_unread_reply);
        tcase_add_test(tcase, test_full_pipe);
        tcase_add_test(tcase, test_read_first);
        tcase_add_test(tcase, test_lengths);
        tcase_add_test(tcase, test_data_phase);
        tcase_add_test(tcase, test_submit_errors);
        tcase_add_test(tcase, test_state_stall);
        tcase_add_test(tcase, test_state_short_and_garbage);
        tcase_add_test(tcase, test_wedged);
        tcase_add_test(tcase, test_latency);
        tcase_add_test(tcase, test_wire);
        tcase_add_test(tcase, test_unplug_at);
        tcase_add_test(tcase, test_reenumeration);
        tcase_add_loop_test(tcase, test_loader_exit, 0, ELEMENTSOF(loaders));
        tcase_add_test(tcase, test_initial_mode);
        tcase_add_test(tcase, test_power_cycle);
        tcase_add_test(tcase, test_trace_endpoint);
        tcase_add_test(tcase, test_vcp);
        tcase_add_test(tcase, test_set_errors);
        tcase_add_test(tcase, test_counters);
        tcase_add_test(tcase, test_reentrancy);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
