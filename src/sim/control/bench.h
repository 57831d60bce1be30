/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

#include "base/list.h"
#include "base/macro.h"
#include "sim/device/sim-device.h"
#include "usbfs/usb-clock.h"

/* The simulated probes of one stlinksim, and the door that they are seen through. */

typedef struct Bench Bench;
typedef struct BenchProbe BenchProbe;

/* Where the door put a probe. */
typedef struct BenchPlace {
        char node[32]; /* "/dev/bus/usb/001/002"; empty when it is unplugged or unknown */
        size_t open_files;
        bool claimed;
} BenchPlace;

typedef struct BenchDoorOps {
        /* The probe is on the bus: show it to the host. Also each time it comes back. */
        int (*attach)(BenchProbe *probe, void *userdata);
        /* It is off the bus; only called for what was attached. */
        void (*detach)(BenchProbe *probe, void *userdata);
        void (*locate)(const BenchProbe *probe, BenchPlace *ret, void *userdata);
} BenchDoorOps;

struct BenchProbe {
        Bench *bench;
        List link;
        unsigned number; /* from 1; never given twice */
        char *text;      /* its specification */
        SimSpec *spec;
        SimDevice *device;
        UsbClock *clock;
        char port[32];  /* "1-1.2": where it is or was last; the door's, empty until then */
        void *place;    /* the door's; NULL when it is not attached */
        int door_data;  /* the door's, 0 at first; kept while the probe is unplugged */
        uint64_t opens; /* counted by the door */
        int error;      /* of the last attach */
};

struct Bench {
        sd_event *event;
        List probes;
        unsigned last_number;
        const BenchDoorOps *door; /* NULL until bench_open() */
        void *door_userdata;
};

int bench_new(sd_event *event, Bench **ret);
Bench *bench_free(Bench *bench); /* detaches what is attached */
DEFINE_CLEANUP(Bench *, bench_free)

/* Add a probe, and plug it in if the door is open. On failure *ret_error is a message for
 * people, or NULL; the caller's. */
int bench_add(Bench *bench, const char *text, BenchProbe **ret, char **ret_error);

/* Open the door and plug every probe in. On failure *ret_culprit (if not NULL) failed. */
int bench_open(Bench *bench, const BenchDoorOps *door, void *userdata, BenchProbe **ret_culprit);

/* Close the door: what is attached is detached, and stays away. */
void bench_close(Bench *bench);

/* Plug in or pull out by hand; -EALREADY when it is so. */
int bench_plug(BenchProbe *probe);
int bench_unplug(BenchProbe *probe);

/* By number, port path or serial. -ENOENT, or -ENOTUNIQ when a serial fits several. */
int bench_find(Bench *bench, const char *text, BenchProbe **ret);

void bench_locate(const BenchProbe *probe, BenchPlace *ret);
