/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "usbfs/usb-clock.h"

struct UsbClock {
        UsbDevice *device;
        sd_event_source *timer;
        Usec armed; /* what the timer is set to; USEC_INFINITY when it is off */
};

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        UsbClock *clock = userdata;

        (void) source;
        (void) usec;
        clock->armed = USEC_INFINITY;
        usb_clock_tick(clock);
        usb_clock_arm(clock);
        return 0;
}

int usb_clock_new(sd_event *event, UsbDevice *device, UsbClock **ret) {
        _cleanup_(usb_clock_freep) UsbClock *clock = calloc(1, sizeof(UsbClock));
        int r;

        if (!clock)
                return -ENOMEM;
        clock->device = device;
        clock->armed = USEC_INFINITY;
        /* Accuracy 1 us, the finest that can be asked for: a transfer's delay is counted in
         * fractions of a millisecond. */
        r = sd_event_add_time(event, &clock->timer, CLOCK_MONOTONIC, USEC_INFINITY, 1, on_timer,
                              clock);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(clock->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        usb_clock_arm(clock);
        *ret = TAKE_PTR(clock);
        return 0;
}

UsbClock *usb_clock_free(UsbClock *clock) {
        if (!clock)
                return NULL;
        sd_event_source_disable_unref(clock->timer);
        free(clock);
        return NULL;
}

void usb_clock_tick(UsbClock *clock) {
        clock->device->ops->elapse(clock->device, now_usec(CLOCK_MONOTONIC));
}

void usb_clock_arm(UsbClock *clock) {
        Usec next = clock->device->ops->next_event(clock->device);

        if (next == clock->armed)
                return;
        clock->armed = next;
        if (next == USEC_INFINITY) {
                (void) sd_event_source_set_enabled(clock->timer, SD_EVENT_OFF);
                return;
        }
        (void) sd_event_source_set_time(clock->timer, next);
        (void) sd_event_source_set_enabled(clock->timer, SD_EVENT_ONESHOT);
}
