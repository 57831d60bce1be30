/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <bpf/libbpf.h>

#include "gate/gate-bpf.h"
#include "gate/gate-private.h"

/* Shared by the files of the gate with a program in the kernel. */

/* The maps of gate.bpf.c */
typedef enum GateMap {
        GATE_MAP_NODES,
        GATE_MAP_BINDINGS,
        GATE_MAP_MEANT,
        GATE_MAP_MEMBERS,
        GATE_MAP_FILES,
        GATE_MAP_USAGES,
        GATE_MAP_BUSES,
        GATE_MAP_REFUSALS,
        GATE_MAP_EVENTS,
        GATE_MAP_LOST,
        _GATE_MAP_MAX,
} GateMap;

/* More than the program has hooks */
#define GATE_LINKS_MAX 16

struct GateBpf {
        int maps[_GATE_MAP_MAX];
        bool reused[_GATE_MAP_MAX]; /* an earlier gate's, with all that is in it */
        int links[GATE_LINKS_MAX];  /* closing the last copy of one takes its hook away */
        size_t n_links;
        struct ring_buffer *ring;
        sd_event_source *source;
        __u64 n_lost;   /* as last seen */
        unsigned taken; /* events in this look */
        bool full;      /* all processes have to be looked at */
        bool works;     /* seen during the self-test */
        bool adopted;   /* the maps have what an earlier gate left, until that is settled */
};

/* gate-bpf-load.c: have the program loaded and attached, with those maps of an earlier gate that
 * bpf->maps has, where they fit; afterwards it has all maps and links. */
const char *gate_map_to_string(GateMap map);
int gate_bpf_load(GateBpf *bpf);

/* gate-bpf-start.c: into force, and out of it */
int gate_bpf_start(Gate *gate);
void gate_bpf_stop(Gate *gate);

/* gate-bpf.c */
int gate_bpf_on_event(void *userdata, void *data, size_t size);
int gate_bpf_on_ring(sd_event_source *source, int fd, uint32_t revents, void *userdata);
int gate_bpf_admit(Gate *gate, __u64 tag, int pidfd); /* a tag as the kernel has it */
