/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <bpf/libbpf.h>

#include "gate/gate-bpf.h"
#include "gate/gate-private.h"
#include "gate/gate.skel.h"

/* Shared by the files of the gate with a program in the kernel. */

struct GateBpf {
        struct gate_bpf *program;
        struct ring_buffer *ring;
        sd_event_source *source;
        __u64 n_lost;   /* as last seen */
        unsigned taken; /* events in this look */
        bool full;      /* all processes have to be looked at */
        bool works;     /* seen during the self-test */
        bool adopted;   /* the maps have what an earlier gate left, until that is settled */
};

/* gate-bpf-load.c: into the kernel, and out of it */
int gate_bpf_start(Gate *gate);
void gate_bpf_stop(Gate *gate);

/* gate-bpf.c */
int gate_bpf_on_event(void *userdata, void *data, size_t size);
int gate_bpf_on_ring(sd_event_source *source, int fd, uint32_t revents, void *userdata);
int gate_bpf_admit(Gate *gate, __u64 tag, int pidfd); /* a tag as the kernel has it */
