/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/types.h>

/* What the program in the kernel and its loader have to agree on. */

/* A node: its type (S_IFCHR, S_IFBLK) in the high half, the kernel's own dev_t in the low one. */
typedef __u64 GateKey;

#define GATE_KEY(type, major, minor) ((GateKey) (type) << 32 | (GateKey) (major) << 20 | (minor))

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

/* What is kept of a node */
typedef struct GateMark {
        __u32 n_bindings;
        __u32 unused;
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
} GateUsage;

typedef enum GateEventKind {
        GATE_EVENT_OPEN,    /* is about to open it */
        GATE_EVENT_USE,     /* its first ioctl: by now it is open */
        GATE_EVENT_CLAIM,   /* is about to claim or to release an interface */
        GATE_EVENT_CLOSE,   /* the last descriptor of an open file is gone */
        GATE_EVENT_REFUSED, /* was kept from an open or an ioctl */
} GateEventKind;

typedef struct GateEvent {
        GateKey node;
        __u64 time; /* ns, CLOCK_BOOTTIME */
        __u32 kind;
        __u32 process; /* of CLOSE: not always the one that had it open */
        __u32 uid;
        __u32 request; /* number of the ioctl; 0 with an open */
        char command[16];
} GateEvent;
