/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "base/macro.h"
#include "sim/target/target.h"
#include "usbfs/usb-device.h"

/* A simulated ST-LINK on the bus: descriptors and endpoints in front of the probe's firmware
 * (sim/probe/) and the target behind it. It implements UsbDevice. */

typedef struct SimDevice SimDevice;

/* What one probe is made of, from text such as
 *     v2-1:serial=066DFF504955857567012345,target=f411,firmware=V2J37M27,port=1-1.2
 * The model comes first (v1, v2, v2-1, v3, and those names with "-loader"); keys and values are
 * listed by "stlinksim --help". */
typedef struct SimSpec SimSpec;

/* Parse text; on -EINVAL *ret_error is a message for people that names the bad word, owned by
 * the caller. */
int sim_spec_parse(const char *text, SimSpec **ret, char **ret_error);
SimSpec *sim_spec_free(SimSpec *spec);
DEFINE_CLEANUP(SimSpec *, sim_spec_free)

/* The port path asked for ("1-1.2"), or NULL: the door picks one. */
const char *sim_spec_port(const SimSpec *spec);

/* The file named by "flash=", or NULL: whoever makes the device reads it, and hands its bytes to
 * sim_device_load(). */
const char *sim_spec_flash(const SimSpec *spec);

/* Number the probe among its siblings: its serial is made from it when none was asked for. */
void sim_spec_set_number(SimSpec *spec, unsigned number);

/* The help text for specifications: models, keys, values, states. */
const char *sim_spec_help(void);

/* The device keeps no reference to spec. It starts plugged in. */
int sim_device_new(const SimSpec *spec, SimDevice **ret);
SimDevice *sim_device_free(SimDevice *device);
DEFINE_CLEANUP(SimDevice *, sim_device_free)

UsbDevice *sim_device_usb(SimDevice *device);

/* Strings that sysfs shows, in UTF-8; valid until the device changes. NULL if it has none. */
const char *sim_device_manufacturer(const SimDevice *device);
const char *sim_device_product(const SimDevice *device);
const char *sim_device_serial(const SimDevice *device);

/* Name of an interface, for sysfs; NULL if it has none. */
const char *sim_device_interface_name(const SimDevice *device, unsigned interface);

/* Put a binary where the target's flash begins, and let the target start it. -ERANGE when it
 * does not fit. */
int sim_device_load(SimDevice *device, const uint8_t *data, size_t size);

/* Change a state while tools run: key and value as in a specification ("state", "wedged";
 * "latency", "20ms"; "unplug-at", "17"). *ret_error as above. */
int sim_device_set(SimDevice *device, const char *key, const char *value, char **ret_error);

/* Plug in or pull out by hand: the power cycle of everything that hangs on it. The door is told
 * as when the device leaves or comes back on its own. */
void sim_device_plug(SimDevice *device);
void sim_device_unplug(SimDevice *device);

typedef struct SimCounters {
        uint64_t transfers;         /* bulk transfers completed, both directions */
        uint64_t control_transfers; /* on endpoint 0 */
        uint64_t commands;          /* ST-LINK commands executed */
        uint64_t swd_entered_at;    /* value of commands when SWD was last entered; 0: never */
        uint64_t identified_at;     /* when the chip's ID and flash size had been read */
        uint64_t resets;            /* port resets by the host */
        uint64_t opens;             /* filled in by the door, if it knows */
        TargetCounters target;
} SimCounters;

void sim_device_get_counters(const SimDevice *device, SimCounters *ret);
void sim_device_reset_counters(SimDevice *device);
