/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "sim/usbip/attach-door.h"
#include "sim/usbip/link.h"
#include "sim/usbip/vhci.h"

#define RETRY_TIME  (20 * USEC_PER_MSEC)
#define RETRY_LIMIT (30 * USEC_PER_SEC / RETRY_TIME)

/* A probe that is plugged in, or waits for its port: the kernel takes a moment to give it up
 * after the last unplug, and a probe comes back where it was. */
typedef struct Plugged {
        BenchProbe *probe;
        int port;
        UsbipLink *link; /* NULL while it waits */
        sd_event_source *timer;
        unsigned tries;
} Plugged;

static Plugged *plugged_free(Plugged *plugged) {
        if (!plugged)
                return NULL;
        usbip_link_free(plugged->link);
        sd_event_source_disable_unref(plugged->timer);
        free(plugged);
        return NULL;
}
DEFINE_CLEANUP(Plugged *, plugged_free)

/* The host let go of it ("usbip detach", or a reset of the controller): to the probe that is
 * like being pulled out. */
static void on_closed(void *userdata) {
        Plugged *plugged = userdata;

        (void) bench_unplug(plugged->probe);
}

static int connect_to_kernel(Plugged *plugged) {
        BenchProbe *probe = plugged->probe;
        UsbDevice *usb = sim_device_usb(probe->device);
        _cleanup_close_ int ours = -EBADF, theirs = -EBADF;
        int sockets[2], r;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
                return -errno;
        ours = sockets[0];
        theirs = sockets[1];
        r = usbip_link_new(probe->bench->event, ours, usb, probe->clock, on_closed, plugged,
                           &plugged->link);
        if (r < 0)
                return r;
        TAKE_FD(ours);
        r = vhci_attach(plugged->port, theirs, 1u << 16 | probe->number, usb->speed);
        if (r < 0)
                plugged->link = usbip_link_free(plugged->link);
        return r;
}

/* 0 when it is plugged in, -EAGAIN when its port is not free yet. */
static int plug_in(Plugged *plugged) {
        int r = vhci_find_port(plugged->port), wanted = plugged->port;
        char node[32];

        if (r < 0)
                return r;
        plugged->port = r;
        r = connect_to_kernel(plugged);
        if (r < 0) {
                plugged->port = wanted;
                return r;
        }
        vhci_locate(plugged->port, plugged->probe->port, sizeof(plugged->probe->port), node,
                    sizeof(node));
        return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        Plugged *plugged = userdata;
        int r = plug_in(plugged);

        (void) usec;
        if (r == -EAGAIN && ++plugged->tries < RETRY_LIMIT) {
                (void) sd_event_source_set_time_relative(source, RETRY_TIME);
                (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        } else if (r < 0)
                log_error_errno(r, "Probe %u cannot be plugged in again", plugged->probe->number);
        return 0;
}

static int attach(BenchProbe *probe, void *userdata) {
        _cleanup_(plugged_freep) Plugged *plugged = calloc(1, sizeof(Plugged));
        int r;

        (void) userdata;
        if (!plugged)
                return -ENOMEM;
        plugged->probe = probe;
        plugged->port = probe->door_data - 1;
        r = plug_in(plugged);
        if (r == -EAGAIN)
                r = sd_event_add_time_relative(probe->bench->event, &plugged->timer,
                                               CLOCK_MONOTONIC, RETRY_TIME, 1, on_retry, plugged);
        if (r < 0)
                return r;
        probe->door_data = plugged->port + 1;
        probe->place = TAKE_PTR(plugged);
        return 0;
}

static void detach(BenchProbe *probe, void *userdata) {
        (void) userdata;
        plugged_free(probe->place);
}

static void locate(const BenchProbe *probe, BenchPlace *ret, void *userdata) {
        const Plugged *plugged = probe->place;
        char name[32];

        (void) userdata;
        if (plugged->link)
                vhci_locate(plugged->port, name, sizeof(name), ret->node, sizeof(ret->node));
}

const BenchDoorOps usbip_attach_door = {
        .attach = attach,
        .detach = detach,
        .locate = locate,
};
