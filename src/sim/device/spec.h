/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/string-table.h"
#include "sim/device/product.h"
#include "sim/device/sim-device.h"

/* What the parser of specifications makes of its text. */

typedef enum SimState {
        SIM_STATE_OK,
        SIM_STATE_WEDGED,
        SIM_STATE_WEDGED_UNTIL_REPLUG,
        SIM_STATE_STALL,
        SIM_STATE_SHORT,
        SIM_STATE_GARBAGE,
        SIM_STATE_BUSY,
        _SIM_STATE_MAX,
} SimState;

/* "ok", "wedged", "wedged-until-replug", "stall", "short", "garbage", "busy" */
DECLARE_STRING_TABLE(sim_state, SimState);

/* The code units of the serial's string descriptor, each one byte. */
#define SIM_SERIAL_MAX 64
typedef struct SimSerial {
        size_t n; /* 0: none */
        uint8_t units[SIM_SERIAL_MAX];
} SimSerial;

/* What can change while a probe is plugged in. */
typedef struct SimSettings {
        SimState state;
        TargetCondition condition;
        Usec latency;         /* of each transfer */
        bool real_wire;       /* bulk data take their time on the wire, too */
        Usec reenumerate;     /* how long it is off the bus; USEC_INFINITY: it never comes back */
        bool restart_on_exit; /* a plain V2 leaves the bus when it leaves its boot loader */
        uint64_t unplug_at;   /* bulk transfers until then; 0: never */
        uint64_t stall_at;
        uint64_t wedge_at;
        unsigned waits;
        unsigned instructions;
        bool vcp_loopback;
        char swo[256];
} SimSettings;

struct SimSpec {
        FirmwareModel model;
        bool starts_in_loader;
        bool has_application;
        int mode; /* FirmwareMode, or -1 for what the model rests in */
        const Product *product;
        const Product *loader; /* NULL for V1 */
        FirmwareVersion version;
        bool has_serial; /* asked for; else one is made */
        SimSerial serial;
        unsigned number;
        char chip[16];
        char board_id[4];
        char *port;
        char *flash;
        SimSettings settings;
};

/* Make *ret_error a message and return -EINVAL (or -ENOMEM). */
int spec_error(char **ret_error, const char *format, ...) _printf_(2, 3);

/* Change one key. live: only keys that may change while the probe is plugged in. */
int spec_set(SimSpec *spec, const char *key, const char *value, bool live, char **ret_error);

/* The serial that was asked for, or one made from the number. */
void spec_get_serial(const SimSpec *spec, SimSerial *ret);
