/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/types.h>

/* What the program in the kernel and its loader have to agree on. */

/* A node: its type (S_IFCHR, S_IFBLK) in the high half, the kernel's own dev_t in the low one. */
typedef __u64 GateKey;

#define GATE_KEY(type, major, minor) ((GateKey) (type) << 32 | (GateKey) (major) << 20 | (minor))

/* How the maps are laid out. A gate whose maps are of another layout is not taken over. */
#define GATE_LAYOUT 2

/* A whole USB bus, in the place of a node: what is bound to it may open what is new there. */
#define GATE_BUS_KEY(bus) ((GateKey) 0040000 << 32 | (bus)) /* S_IFDIR */

/* Documentation/admin-guide/devices.txt: 189 char, USB devices; minor = (bus - 1) * 128 + device
 * - 1 (drivers/usb/core/usb.c) */
#define USB_MAJOR       189
#define USB_BUS(minor)  ((minor) / 128 + 1)
#define USB_DEVICES_MAX 128

/* A bus on which a probe that is leased is expected back. Until then, devices that nobody has
 * looked at yet may be it. */
typedef struct GateBus {
        __u64 until;    /* ns, CLOCK_BOOTTIME */
        __u64 known[2]; /* devices that are not it: bit n is number n + 1 */
} GateBus;

/* Tags up to here are not those of leases. Processes with this one are never refused: the
 * daemon and its workers, who prepare a probe for its holder. */
#define GATE_TAG_OURS 1

/* To how many leases one process can belong at a time */
#define GATE_MEMBER_TAGS 8

typedef struct GateMember {
        __u64 tags[GATE_MEMBER_TAGS]; /* 0: free */
} GateMember;

/* A node's part in a lease. While a node has none, nobody is refused. */
typedef struct GateBinding {
        GateKey node;
        __u64 tag;
} GateBinding;

/* Who is a member, for a node, without being marked as one; the value is the tag. */
#define GATE_MEANT_UID    0
#define GATE_MEANT_CGROUP 1
typedef struct GateMeant {
        GateKey node;
        __u64 id;
        __u64 kind;
} GateMeant;

/* What is kept of a node */
typedef struct GateMark {
        __u32 n_bindings;
        __u32 n_delegates; /* not 0: somebody may be a member by his user or control group */
} GateMark;

/* Who used a node, and how much */
typedef struct GateUser {
        GateKey node;
        __u32 process;
        __u32 unused;
} GateUser;

typedef struct GateUsage {
        __u64 start;     /* of the process, ns, CLOCK_BOOTTIME */
        __u64 requests;  /* ioctls */
        __u64 transfers; /* of them, those that move data */
        __u64 last;      /* when it last asked, ns, CLOCK_BOOTTIME */
} GateUsage;

/* How often a process was refused, until somebody takes the count away */
typedef struct GateTries {
        __u64 start; /* of the process, as above */
        __u64 last;
        __u64 count;
        __u32 uid;
        __u32 request; /* number of the last ioctl; 0 with an open */
        char command[16];
} GateTries;

typedef enum GateEventKind {
        GATE_EVENT_OPEN,    /* is about to open it */
        GATE_EVENT_USE,     /* its first ioctl: by now it is open */
        GATE_EVENT_CLAIM,   /* is about to claim or to release an interface */
        GATE_EVENT_CLOSE,   /* the last descriptor of an open file is gone */
        GATE_EVENT_REFUSED, /* was kept from an open or an ioctl, for the first time since its
                             * count was taken away */
} GateEventKind;

typedef struct GateEvent {
        GateKey node;
        __u64 time; /* ns, CLOCK_BOOTTIME */
        __u32 kind;
        __u32 process; /* of CLOSE: not always the one that had it open */
} GateEvent;
