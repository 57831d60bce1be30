/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* What a program on this hook costs that does nothing. The licence is explained in
 * src/gate/gate.bpf.c. */

char empty_licence[] SEC("license") = "GPL";

struct file;

SEC("lsm/file_open")
int BPF_PROG(empty_open, struct file *file, int ret) {
        return ret;
}
