/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macro.h"
#include "ctl/kernel-log.h"
#include "ctl/rules.h"
#include "ctl/snapshot.h"

/* What can be known about the probes of this machine without asking any of them: from sysfs, udev's
 * rules, file permissions, /proc, the kernel's log, and from stlinkd if it runs. Nothing is sent
 * to a probe, no node is opened. */

#define FACTS_NAME_MAX 64

/* Somebody who has a node open. */
typedef struct HolderFact {
        uint32_t pid;
        bool claimed; /* as stlinkd says; without it nobody knows */
        char command[FACTS_NAME_MAX], user[FACTS_NAME_MAX];
        bool orphaned; /* the program that started it is gone */
} HolderFact;

#define HOLDER_FACTS_MAX 8

typedef struct ProbeFact {
        char *port, *node, *name; /* "1-1.2", "/dev/bus/usb/001/004", "ST-LINK/V2" */
        char *serial;             /* canonical; "" for none */
        uint16_t product_id;
        bool is_loader_product; /* its product ID is that of a boot loader only */
        bool is_known;          /* its product ID stands in the table */
        bool is_shared_serial;  /* its serial number is known to stand on many clones */
        bool has_tty;
        bool is_remote;                  /* it came over the network, by USB/IP */
        unsigned speed;                  /* Mb/s; 0: not known */
        unsigned hubs;                   /* between it and the root hub */
        char controller[FACTS_NAME_MAX]; /* driver of the host controller; "" for not known */

        int access; /* 0, or a negative errno: may this user read and write the node? */
        mode_t mode;
        char owner[FACTS_NAME_MAX], group[FACTS_NAME_MAX];
        char acl[FACTS_NAME_MAX]; /* "user:alice", the first such entry; "" for none */
        bool in_group;            /* this user is a member of its group */
        bool for_leases;          /* the policy is "strict": under a lease he may, else nobody */

        char driver[FACTS_NAME_MAX]; /* who has the debug interface: "usbfs" is a program; "" */
        HolderFact holders[HOLDER_FACTS_MAX];
        size_t n_holders;
        const ProbeView *view;  /* what stlinkd says; NULL */
        const LeaseView *lease; /* likewise: the one that is held */
        KernelLog log;          /* of its port */
        RulesReport rules;
} ProbeFact;

typedef struct TcpPortFact {
        uint16_t port;
        uint32_t pid;                 /* 0: somebody, but whom we may not see */
        char command[FACTS_NAME_MAX]; /* "" likewise */
} TcpPortFact;

#define TCP_PORT_FACTS_MAX 8

typedef struct Facts {
        ProbeFact *probes; /* in the order of their ports */
        size_t n_probes;
        Snapshot *snapshot; /* NULL: stlinkd does not answer */
        unsigned rom_loaders;
        TcpPortFact tcp_ports[TCP_PORT_FACTS_MAX]; /* of debug servers, that somebody listens on */
        size_t n_tcp_ports;
        bool can_see_all;               /* other users' open files, too */
        char container[FACTS_NAME_MAX]; /* "docker"; "" outside */
        bool is_wsl;
        bool is_remote_login; /* by ssh: not the active seat */
        bool has_modem_manager;
        bool v1_quirk;       /* usb-storage is told to leave a V1 alone */
        KernelLog log;       /* of all ports, in the last quarter of an hour */
        int log_error;       /* why it could not be read; 0 */
        int systemd_version; /* 0: not known */
} Facts;

/* Gather everything. bus_too: ask stlinkd, whose absence is no failure. 0 or a negative errno. */
int facts_gather(bool bus_too, Facts *ret);
void facts_done(Facts *facts);
#define _cleanup_facts_ _cleanup_(facts_done)
