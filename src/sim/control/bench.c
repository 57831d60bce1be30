/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "sim/control/bench.h"

#define FLASH_IMAGE_MAX (16u << 20)

static void detach(BenchProbe *probe) {
        if (!probe->place)
                return;
        probe->bench->door->detach(probe, probe->bench->door_userdata);
        probe->place = NULL;
}

static int attach(BenchProbe *probe) {
        if (!probe->bench->door || probe->place)
                return 0;
        return probe->bench->door->attach(probe, probe->bench->door_userdata);
}

static void on_detached(UsbDevice *device, void *userdata) {
        (void) device;
        detach(userdata);
}

/* Nobody is there to be given an error when a probe comes back by itself. */
static void on_attached(UsbDevice *device, void *userdata) {
        BenchProbe *probe = userdata;

        (void) device;
        probe->error = attach(probe);
        if (probe->error < 0)
                log_error_errno(probe->error, "Probe %u cannot be plugged in", probe->number);
}

static const UsbHostOps host_operations = {
        .detached = on_detached,
        .attached = on_attached,
};

static BenchProbe *probe_free(BenchProbe *probe) {
        if (!probe)
                return NULL;
        detach(probe);
        list_remove(&probe->link);
        if (probe->device)
                sim_device_usb(probe->device)->host = NULL;
        usb_clock_free(probe->clock);
        sim_device_free(probe->device);
        sim_spec_free(probe->spec);
        free(probe->text);
        free(probe);
        return NULL;
}
DEFINE_CLEANUP(BenchProbe *, probe_free)

int bench_new(sd_event *event, Bench **ret) {
        Bench *bench = calloc(1, sizeof(Bench));

        if (!bench)
                return -ENOMEM;
        list_init(&bench->probes);
        bench->event = sd_event_ref(event);
        *ret = bench;
        return 0;
}

Bench *bench_free(Bench *bench) {
        BenchProbe *probe;

        if (!bench)
                return NULL;
        while ((probe = LIST_FIRST(&bench->probes, BenchProbe, link)))
                probe_free(probe);
        sd_event_unref(bench->event);
        free(bench);
        return NULL;
}

/* Put the probe on the bus as if by hand. */
static int plug_in(BenchProbe *probe) {
        probe->error = 0;
        usb_clock_tick(probe->clock);
        if (sim_device_usb(probe->device)->attached)
                probe->error = attach(probe);
        else
                sim_device_plug(probe->device);
        usb_clock_arm(probe->clock);
        return probe->error;
}

/* What "flash=FILE" asks for. */
static int load_flash(BenchProbe *probe, char **ret_error) {
        const char *path = sim_spec_flash(probe->spec);
        _cleanup_free_ char *image = NULL;
        size_t size;
        int r;

        if (!path)
                return 0;
        r = read_file_at(AT_FDCWD, path, FLASH_IMAGE_MAX, &image, &size);
        if (r == 0)
                r = sim_device_load(probe->device, (const uint8_t *) image, size);
        if (r < 0 && asprintf(ret_error, "cannot load %s into the target's flash: %s", path,
                              strerror(-r)) < 0)
                *ret_error = NULL;
        return r;
}

static int make_device(BenchProbe *probe, char **ret_error) {
        int r = sim_spec_parse(probe->text, &probe->spec, ret_error);

        if (r < 0)
                return r;
        sim_spec_set_number(probe->spec, probe->number);
        r = sim_device_new(probe->spec, &probe->device);
        return r < 0 ? r : load_flash(probe, ret_error);
}

int bench_add(Bench *bench, const char *text, BenchProbe **ret, char **ret_error) {
        _cleanup_(probe_freep) BenchProbe *probe = calloc(1, sizeof(BenchProbe));
        UsbDevice *usb;
        int r;

        *ret_error = NULL;
        if (!probe)
                return -ENOMEM;
        list_init(&probe->link);
        probe->bench = bench;
        probe->text = strdup(text);
        if (!probe->text)
                return -ENOMEM;
        probe->number = bench->last_number + 1;
        r = make_device(probe, ret_error);
        if (r < 0)
                return r;
        usb = sim_device_usb(probe->device);
        r = usb_clock_new(bench->event, usb, &probe->clock);
        if (r < 0)
                return r;
        usb->host = &host_operations;
        usb->host_userdata = probe;
        if (bench->door) {
                r = plug_in(probe);
                if (r < 0)
                        return r;
        }
        bench->last_number = probe->number;
        list_append(&bench->probes, &probe->link);
        *ret = TAKE_PTR(probe);
        return 0;
}

int bench_open(Bench *bench, const BenchDoorOps *door, void *userdata, BenchProbe **ret_culprit) {
        *ret_culprit = NULL;
        bench->door = door;
        bench->door_userdata = userdata;
        LIST_FOREACH(&bench->probes, BenchProbe, probe, link) {
                int r = plug_in(probe);

                if (r < 0) {
                        *ret_culprit = probe;
                        return r;
                }
        }
        return 0;
}

void bench_close(Bench *bench) {
        LIST_FOREACH(&bench->probes, BenchProbe, probe, link)
                detach(probe);
        bench->door = NULL;
}

int bench_plug(BenchProbe *probe) {
        if (probe->place)
                return -EALREADY;
        return plug_in(probe);
}

int bench_unplug(BenchProbe *probe) {
        bool was_there = probe->place;

        /* One that is away and about to come back is pulled out too. */
        usb_clock_tick(probe->clock);
        sim_device_unplug(probe->device);
        usb_clock_arm(probe->clock);
        return was_there ? 0 : -EALREADY;
}

static bool matches(const BenchProbe *probe, const char *text) {
        const char *serial = sim_device_serial(probe->device);
        char number[16];

        snprintf(number, sizeof(number), "%u", probe->number);
        return strcmp(text, number) == 0 || (probe->port[0] && strcmp(text, probe->port) == 0) ||
               (serial && strcmp(text, serial) == 0);
}

int bench_find(Bench *bench, const char *text, BenchProbe **ret) {
        BenchProbe *found = NULL;

        LIST_FOREACH(&bench->probes, BenchProbe, probe, link) {
                if (!matches(probe, text))
                        continue;
                if (found)
                        return -ENOTUNIQ;
                found = probe;
        }
        if (!found)
                return -ENOENT;
        *ret = found;
        return 0;
}

void bench_locate(const BenchProbe *probe, BenchPlace *ret) {
        *ret = (BenchPlace){};
        if (probe->place)
                probe->bench->door->locate(probe, ret, probe->bench->door_userdata);
}
