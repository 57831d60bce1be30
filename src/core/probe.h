/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/macro.h"
#include "base/string-table.h"
#include "base/time.h"
#include "core/ids.h"
#include "core/serial.h"

/* Which probes there are, who each one is, and what state it is in.
 *
 * A ProbeTable decides and does nothing else: events and the time go in, a list of changes
 * comes out, and whoever called performs them. It does no I/O, reads no clock, logs nothing.
 *
 * A probe that leaves its port is remembered until a deadline. If it comes back in time, to the
 * same port (in another mode: with another product ID, perhaps without its serial) or to
 * another one with the same serial, it is the same probe. Meanwhile it is shown as switching if
 * somebody holds a lease on it or waits for one, and not at all otherwise. */

typedef enum ProbeState {
        PROBE_IDENTIFYING,   /* just plugged in; a worker reads what it is */
        PROBE_FREE,          /* nobody uses it */
        PROBE_IN_USE,        /* a program without a lease has its node open */
        PROBE_CLAIMED,       /* a program without a lease has claimed it */
        PROBE_LEASED,        /* somebody holds a lease */
        PROBE_SWITCHING,     /* it re-enumerates and is expected back */
        PROBE_NOT_ANSWERING, /* it was asked what it is and did not answer */
        _PROBE_STATE_MAX,
} ProbeState;

/* "identifying", "free", "in-use", "claimed", "leased", "switching", "not-answering" */
DECLARE_STRING_TABLE(probe_state, ProbeState);

/* Whether it is stuck. The mark stays while others hold it, and until it answers or is plugged in
 * anew. */
typedef enum ProbeWedge {
        PROBE_WEDGE_NONE,
        PROBE_WEDGE_SILENT, /* it was asked and did not answer, or made no sense */
        PROBE_WEDGE_REPLUG, /* the same, and nothing that a program can do has helped */
        _PROBE_WEDGE_MAX,
} ProbeWedge;

/* "none", "silent", "needs-replug" */
DECLARE_STRING_TABLE(probe_wedge, ProbeWedge);

#define PROBE_PORT_MAX     64
#define PROBE_NODE_MAX     64
#define PROBE_FIRMWARE_MAX 32

/* One part of a probe, and the device that the kernel made of it. */
typedef struct ProbePartDevice {
        unsigned part;      /* one ProbePart */
        unsigned interface; /* number of its first interface */
        char *device;       /* "/dev/ttyACM0", or NULL while there is none */
        char *link;         /* the name of the device that survives re-plug; NULL: none */
} ProbePartDevice;

/* What presence says of a probe. */
typedef struct ProbeDescription {
        const char *port_path; /* kernel name of the USB device: "1-1.2" */
        const char *node;      /* "/dev/bus/usb/001/004" */
        const char *serial;    /* as sysfs shows it; NULL when it has none */
        uint16_t product_id;
        const ProbePartDevice *parts;
        size_t n_parts;
} ProbeDescription;

/* What a worker read from a probe. */
typedef struct ProbeReading {
        ProbeMode mode;
        int millivolts; /* -1: not measured */
        char firmware[PROBE_FIRMWARE_MAX];
} ProbeReading;

typedef struct Probe {
        uint32_t number; /* never 0, never used twice */
        char id[PROBE_ID_MAX];
        char serial[SERIAL_MAX]; /* canonical; may be "" */
        SerialKind serial_kind;
        char *reported; /* printable form of what the descriptor says */
        bool ambiguous; /* another probe that is there has the same serial */
        ProbeModel model;
        uint16_t product_id;
        Usec loader_since; /* when it came back from its application in its boot loader, as at
                            * the start of a firmware update; 0: it did not */
        char port_path[PROBE_PORT_MAX];
        char node[PROBE_NODE_MAX]; /* "" while it is away */
        ProbePartDevice *parts;
        size_t n_parts;
        ProbeReading reading; /* unknown, -1 and "" until it was read */
        ProbeState state;
        ProbeWedge wedge;

        /* Private to the table. */
        List probes;
        bool plugged;   /* it is on its port */
        bool watched;   /* the holders are known */
        bool announced; /* somebody was told of it */
        bool leased, wanted;
        bool used, claimed;
        bool reading_done; /* nothing left to read */
        bool reading_now;  /* a worker is at it */
        bool tried;        /* it was asked since it last was plugged in or used */
        bool updating;     /* under a lease for a firmware update */
        Usec forget;       /* away: when it is given up */
} Probe;

/* Which of a probe's properties a change touched. */
typedef enum ProbeProperty {
        PROBE_PROPERTY_SERIAL = 1 << 0, /* the canonical one */
        PROBE_PROPERTY_AMBIGUOUS = 1 << 1,
        PROBE_PROPERTY_MODEL = 1 << 2,
        PROBE_PROPERTY_PRODUCT_ID = 1 << 3,
        PROBE_PROPERTY_PORT_PATH = 1 << 4,
        PROBE_PROPERTY_NODE = 1 << 5,
        PROBE_PROPERTY_PARTS = 1 << 6,
        PROBE_PROPERTY_FIRMWARE = 1 << 7,
        PROBE_PROPERTY_MODE = 1 << 8,
        PROBE_PROPERTY_TARGET_VOLTAGE = 1 << 9,
        PROBE_PROPERTY_STATE = 1 << 10,
        /* The table knows nothing of these two; they have their bits here to be unique. */
        PROBE_PROPERTY_HOLDERS = 1 << 11,
        PROBE_PROPERTY_LEASES = 1 << 12,
        PROBE_PROPERTY_LOADER_SINCE = 1 << 13,
        PROBE_PROPERTY_WEDGE = 1 << 14,
        PROBE_PROPERTY_RETURN_BY = 1 << 15,
        PROBE_PROPERTY_SERIAL_REPORTED = 1 << 16,
} ProbeProperty;

typedef enum ProbeChangeType {
        PROBE_CHANGE_ATTACHED,  /* it has a node: watch that, and tell its holders */
        PROBE_CHANGE_DETACHED,  /* its node is gone */
        PROBE_CHANGE_IDENTIFY,  /* ask it now what it is */
        PROBE_CHANGE_ANNOUNCED, /* it is known by id from now on, with complete data */
        PROBE_CHANGE_WITHDRAWN, /* it is no longer known by id */
        PROBE_CHANGE_UPDATED,   /* properties changed */
        PROBE_CHANGE_GONE,      /* it went away for good; its number is not valid any more */
} ProbeChangeType;

typedef struct ProbeChange {
        ProbeChangeType type;
        uint32_t number;
        unsigned properties;   /* with UPDATED: mask of ProbeProperty */
        char id[PROBE_ID_MAX]; /* with WITHDRAWN: the id it had; else the id it has */
} ProbeChange;

typedef struct ProbeChanges {
        ProbeChange *items;
        size_t n, allocated;
} ProbeChanges;

/* Free what the list holds; the list is empty and usable afterwards. */
void probe_changes_clear(ProbeChanges *changes);
#define _cleanup_probe_changes_ _cleanup_(probe_changes_clear)

typedef struct ProbeTable ProbeTable;

/* away is how long a probe that left its port is expected back. */
int probe_table_new(Usec away, ProbeTable **ret);
ProbeTable *probe_table_free(ProbeTable *table);
DEFINE_CLEANUP(ProbeTable *, probe_table_free)

/* All functions below that take changes append to it and return 0 or a negative errno. With
 * -ENOMEM the table and the list are as before the call; -ENOENT: no probe of that number. */

/* A probe is on a port, or what is known of it changed (say, its tty appeared). -EINVAL when
 * the port path or the node is missing or too long. */
_check_result_ int probe_plugged(ProbeTable *table, const ProbeDescription *description, Usec now,
                                 ProbeChanges *changes);

/* The port is empty; nothing happens when no probe was known there. */
_check_result_ int probe_unplugged(ProbeTable *table, const char *port_path, Usec now,
                                   ProbeChanges *changes);

/* Who uses the probe without a lease: anybody at all, and whether the interface is claimed. Our
 * own workers do not count. To be called at least once after ATTACHED. */
_check_result_ int probe_set_used(ProbeTable *table, uint32_t number, bool used, bool claimed,
                                  ProbeChanges *changes);

/* When a probe that is away is given up; 0 while it is there. */
Usec probe_return_by(const Probe *probe);

/* Whether what is leased is a firmware update, during which a probe may be away for longer:
 * PROBE_UPDATE_AWAY. */
#define PROBE_UPDATE_AWAY (60 * USEC_PER_SEC)
_check_result_ int probe_set_updating(ProbeTable *table, uint32_t number, bool updating);

/* Whether a lease is held, and whether one is held or waited for. */
_check_result_ int probe_set_leased(ProbeTable *table, uint32_t number, bool leased, bool wanted,
                                    ProbeChanges *changes);

/* What came of IDENTIFY. error 0: reading says what was read. -EBUSY: somebody was quicker, try
 * again when he has left. -ETIMEDOUT, -EPROTO, -EIO: the probe does not answer. Any other: it
 * could not be asked. After DETACHED this need not be called. */
_check_result_ int probe_identified(ProbeTable *table, uint32_t number, int error,
                                    const ProbeReading *reading, ProbeChanges *changes);

/* What came of asking it again, under a lease. error as above; one that does not tell whether it
 * answers changes nothing. */
_check_result_ int probe_checked(ProbeTable *table, uint32_t number, int error,
                                 const ProbeReading *reading, ProbeChanges *changes);

/* All that can be done to a probe that does not answer was done, in vain; nothing happens to one
 * that does. */
_check_result_ int probe_give_up(ProbeTable *table, uint32_t number, ProbeChanges *changes);

/* When probe_elapse() has something to do next; USEC_INFINITY for never. */
Usec probe_next_event(const ProbeTable *table);

/* Let time pass: give up probes that did not come back. */
_check_result_ int probe_elapse(ProbeTable *table, Usec now, ProbeChanges *changes);

/* Looking. The pointers are valid until the next call that takes the table writable. */
const Probe *probe_get(const ProbeTable *table, uint32_t number);

/* The probe that is shown under this id. */
const Probe *probe_find(const ProbeTable *table, const char *id);

/* Walk the probes that are shown, in the order of their numbers; previous is NULL to start,
 * the end is NULL. */
const Probe *probe_next(const ProbeTable *table, const Probe *previous);
