/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/types.h>

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "gate/gate-bpf.h"

/* The gate in the kernel. It sees each open, ioctl and close of the nodes that are in its map,
 * and refuses those of processes that are no members of a lease which the node is bound to.
 * Files that are no device nodes are let go after one comparison, other nodes after one look
 * into a map.
 *
 * It lives as long as somebody has its links open, the service manager if not its loader: when the
 * last one is closed, everything is allowed again. */

/* The kernel gives the hooks of BPF LSM only to programs under a licence that it knows as
 * compatible with the GPL, and knows them by fixed strings, of which LGPL is none. Section 3 of
 * the LGPL 2.1 allows to use the work under the GPL, version 2 or later; that is done here. */
char gate_licence[] SEC("license") = "GPL";

/* Of the kernel's structures only what is used. Where each member is, libbpf finds out when
 * loading, from the running kernel's own description. */
#define MEMBERS_MOVE __attribute__((preserve_access_index))

struct inode {
        unsigned short i_mode;
        unsigned int i_rdev;
} MEMBERS_MOVE;

struct file {
        struct inode *f_inode;
} MEMBERS_MOVE;

struct task_struct {
        struct task_struct *group_leader;
        __u64 start_boottime;
        char comm[16];
} MEMBERS_MOVE;

/* include/uapi/linux/stat.h */
#define S_IFMT  0170000
#define S_IFCHR 0020000
#define S_IFBLK 0060000

/* include/uapi/asm-generic/errno-base.h */
#define EBUSY 16

/* include/uapi/linux/sched.h */
#define CLONE_THREAD 0x00010000

/* include/uapi/linux/kdev_t.h has the one for user space; this is include/linux/kdev_t.h. */
#define MAJOR(number) ((number) >> 20)
#define MINOR(number) ((number) &0xfffff)

/* include/uapi/linux/usbdevice_fs.h, type and number of an ioctl: the size differs between 32
 * and 64 bit. */
#define USB_TYPE            'U'
#define USB_CONTROL         0
#define USB_BULK            2
#define USB_SUBMIT          10
#define USB_CLAIM           15
#define USB_RELEASE         16
#define USB_IOCTL           18 /* how kernel drivers are detached and attached */
#define USB_CLAIM_DETACHED  27
#define REQUEST_TYPE(cmd)   ((cmd) >> 8 & 0xff)
#define REQUEST_NUMBER(cmd) ((cmd) &0xff)

struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, 1024);
        __type(key, GateKey);
        __type(value, GateMark);
} nodes SEC(".maps");

struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, 16384);
        __uint(map_flags, BPF_F_NO_PREALLOC);
        __type(key, GateBinding);
        __type(value, __u32);
} bindings SEC(".maps");

struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, 1024);
        __type(key, GateMeant);
        __type(value, __u64);
} meant SEC(".maps");

/* Membership is kept with the leader of a process, for all its threads: a pidfd leads to the
 * leader, and it stays until the last thread has ended. */
struct {
        __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
        __uint(map_flags, BPF_F_NO_PREALLOC);
        __type(key, int);
        __type(value, GateMember);
} members SEC(".maps");

/* Open files, by address, and the lease under which they were opened */
struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 4096);
        __type(key, __u64);
        __type(value, __u64);
} files SEC(".maps");

struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 4096);
        __type(key, GateUser);
        __type(value, GateUsage);
} usages SEC(".maps");

struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, 64);
        __type(key, __u32); /* the bus's number */
        __type(value, GateBus);
} buses SEC(".maps");

/* Somebody may try as fast as he can: the ring hears of the first time, and the rest is counted. */
struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 1024);
        __type(key, GateUser);
        __type(value, GateTries);
} refusals SEC(".maps");

/* Room for some 4,000: the daemon maps it twice over, and what it misses it makes good by looking
 * again. */
struct {
        __uint(type, BPF_MAP_TYPE_RINGBUF);
        __uint(max_entries, 128 * 1024);
} events SEC(".maps");

/* How many events found no room */
struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, 1);
        __type(key, __u32);
        __type(value, __u64);
} lost SEC(".maps");

/* Programs that carry other people's descriptors without using them. Somebody else may give
 * himself such a name, but gains nothing: it only keeps him from becoming a member. */
static const char carriers[][16] = { "dbus-daemon", "dbus-broker", "xdg-dbus-proxy" };

/* The kernel checks such a function once. A static one it would check anew on each of the many ways
 * that lead to it, which takes most of the time that loading takes. It returns a number. */
#define CHECKED_ONCE __attribute__((noinline))

static void count_lost(void) {
        __u32 key = 0;
        __u64 *n_lost = bpf_map_lookup_elem(&lost, &key);

        if (n_lost)
                __sync_fetch_and_add(n_lost, 1);
}

CHECKED_ONCE int report(GateKey node, __u32 kind) {
        GateEvent *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

        if (!event) {
                count_lost();
                return 0;
        }
        event->node = node;
        event->time = bpf_ktime_get_boot_ns();
        event->kind = kind;
        event->process = bpf_get_current_pid_tgid() >> 32;
        bpf_ringbuf_submit(event, 0);
        return 0;
}

/* What is kept of the node that a file is of; NULL for the many that are not watched. *ret_node is
 * written if it is one of a device. */
static GateMark *find_mark(struct file *file, GateKey *ret_node) {
        struct inode *inode = file->f_inode;
        __u32 type = inode->i_mode & S_IFMT;

        if (type != S_IFCHR && type != S_IFBLK)
                return NULL;
        *ret_node = (GateKey) type << 32 | inode->i_rdev;
        return bpf_map_lookup_elem(&nodes, ret_node);
}

/* How deep control groups are looked at, from the top; nobody nests them deeper. */
#define CGROUP_DEPTH 32

/* The tag under which the current process may use the node by its (real) user or by its control
 * group; 0 for none. */
CHECKED_ONCE __u64 find_meant(GateKey node) {
        GateMeant who = { .node = node,
                          .id = (__u32) bpf_get_current_uid_gid(),
                          .kind = GATE_MEANT_UID };
        __u64 *tag = bpf_map_lookup_elem(&meant, &who);

        who.kind = GATE_MEANT_CGROUP;
        for (int level = 0; level < CGROUP_DEPTH && !tag; level++) {
                who.id = bpf_get_current_ancestor_cgroup_id(level);
                if (who.id == 0)
                        break;
                tag = bpf_map_lookup_elem(&meant, &who);
        }
        return tag ? *tag : 0;
}

/* The tag of the lease under which the current process may use a node with so many bindings and
 * delegates; GATE_TAG_OURS if it needs none, 0 if it may not. */
CHECKED_ONCE __u64 find_tag(GateKey node, __u32 n_bindings, __u32 n_delegates) {
        struct task_struct *leader = bpf_get_current_task_btf()->group_leader;
        GateBinding binding = { .node = node };
        GateMember *member;
        int ours = 0;

        if (n_bindings == 0)
                return GATE_TAG_OURS;
        member = bpf_task_storage_get(&members, leader, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
        /* Without memory, or on kernels before 6.2 when this processor is busy with another
         * task's storage, nothing can be known. Better a stranger passes for once than that
         * the holder of a lease is refused. */
        if (!member)
                return GATE_TAG_OURS;
        for (int i = 0; i < GATE_MEMBER_TAGS; i++) {
                binding.tag = member->tags[i];
                ours |= binding.tag == GATE_TAG_OURS;
                if (binding.tag > GATE_TAG_OURS && bpf_map_lookup_elem(&bindings, &binding))
                        return binding.tag;
        }
        if (ours)
                return GATE_TAG_OURS;
        return n_delegates > 0 ? find_meant(node) : 0;
}

CHECKED_ONCE int note_refusal(GateKey node, __u32 request) {
        GateUser user = { .node = node, .process = bpf_get_current_pid_tgid() >> 32 };
        __u64 start = bpf_get_current_task_btf()->group_leader->start_boottime;
        GateTries first = { .start = start, .count = 1, .request = request }, *known;

        known = bpf_map_lookup_elem(&refusals, &user);
        if (known && known->start == start) {
                __sync_fetch_and_add(&known->count, 1);
                known->last = bpf_ktime_get_boot_ns();
                known->request = request;
                return 0;
        }
        first.last = bpf_ktime_get_boot_ns();
        first.uid = (__u32) bpf_get_current_uid_gid();
        bpf_get_current_comm(first.command, sizeof(first.command));
        bpf_map_update_elem(&refusals, &user, &first, BPF_ANY);
        return report(node, GATE_EVENT_REFUSED);
}

static int refuse(GateKey node, __u32 request) {
        note_refusal(node, request);
        return -EBUSY;
}

/* A device that is not watched. It is nobody's business, unless a probe that is leased just left
 * its bus: then this may be it, and belong to the lease before we know. */
static int decide_unknown(GateKey node) {
        __u32 number = (__u32) node, bus = USB_BUS(MINOR(number));
        __u32 device = MINOR(number) % USB_DEVICES_MAX;
        GateKey whole = GATE_BUS_KEY(bus);
        GateMark *mark;
        GateBus *held;

        if (node >> 32 != S_IFCHR || MAJOR(number) != USB_MAJOR)
                return 0;
        held = bpf_map_lookup_elem(&buses, &bus);
        if (!held || bpf_ktime_get_boot_ns() >= held->until)
                return 0;
        if ((device < 64 ? held->known[0] >> device : held->known[1] >> (device - 64)) & 1)
                return 0;
        mark = bpf_map_lookup_elem(&nodes, &whole);
        if (!mark || find_tag(whole, mark->n_bindings, mark->n_delegates))
                return 0;
        return refuse(whole, 0);
}

SEC("lsm/file_open")
int BPF_PROG(on_open, struct file *file, int ret) {
        __u64 address = (__u64) file, tag;
        GateKey node = 0;
        GateMark *mark;

        if (ret != 0)
                return ret;
        mark = find_mark(file, &node);
        if (!mark)
                return node ? decide_unknown(node) : 0;
        tag = find_tag(node, mark->n_bindings, mark->n_delegates);
        if (!tag)
                return refuse(node, 0);
        if (tag > GATE_TAG_OURS)
                bpf_map_update_elem(&files, &address, &tag, BPF_ANY);
        else /* what another file at this address may have left */
                bpf_map_delete_elem(&files, &address);
        report(node, GATE_EVENT_OPEN);
        return 0;
}

static int is_transfer(__u32 request) {
        __u32 number = REQUEST_NUMBER(request);

        return number == USB_CONTROL || number == USB_BULK || number == USB_SUBMIT;
}

static int is_claim(__u32 request) {
        __u32 number = REQUEST_NUMBER(request);

        return number == USB_CLAIM || number == USB_RELEASE || number == USB_IOCTL ||
               number == USB_CLAIM_DETACHED;
}

CHECKED_ONCE int count(GateKey node, __u32 request) {
        GateUser user = { .node = node, .process = bpf_get_current_pid_tgid() >> 32 };
        GateUsage first = { .requests = 1 }, *usage;
        __u64 start = bpf_get_current_task_btf()->group_leader->start_boottime;
        int usb = REQUEST_TYPE(request) == USB_TYPE;
        __u64 now = bpf_ktime_get_boot_ns();

        usage = bpf_map_lookup_elem(&usages, &user);
        if (usage && usage->start == start) {
                __sync_fetch_and_add(&usage->requests, 1);
                if (usb && is_transfer(request))
                        __sync_fetch_and_add(&usage->transfers, 1);
                usage->last = now;
        } else {
                first.start = start;
                first.last = now;
                first.transfers = usb && is_transfer(request);
                bpf_map_update_elem(&usages, &user, &first, BPF_ANY);
                report(node, GATE_EVENT_USE);
        }
        if (usb && is_claim(request))
                report(node, GATE_EVENT_CLAIM);
        return 0;
}

static int decide_ioctl(struct file *file, __u32 request) {
        GateMark *mark;
        GateKey node;

        mark = find_mark(file, &node);
        if (!mark)
                return 0;
        if (!find_tag(node, mark->n_bindings, mark->n_delegates))
                return refuse(node, request);
        count(node, request);
        return 0;
}

SEC("lsm/file_ioctl")
int BPF_PROG(on_ioctl, struct file *file, unsigned int cmd, unsigned long arg, int ret) {
        return ret ? ret : decide_ioctl(file, cmd);
}

/* Those of 32-bit programs */
SEC("lsm/file_ioctl_compat")
int BPF_PROG(on_ioctl_compat, struct file *file, unsigned int cmd, unsigned long arg, int ret) {
        return ret ? ret : decide_ioctl(file, cmd);
}

SEC("lsm/file_free_security")
void BPF_PROG(on_close, struct file *file) {
        __u64 address = (__u64) file;
        GateKey node;

        if (!find_mark(file, &node))
                return;
        bpf_map_delete_elem(&files, &address);
        report(node, GATE_EVENT_CLOSE);
}

/* Whether the current process is one. */
CHECKED_ONCE int is_carrier(void) {
        struct task_struct *leader = bpf_get_current_task_btf()->group_leader;
        char command[16];

        bpf_probe_read_kernel(command, sizeof(command), leader->comm);
        for (int i = 0; i < (int) (sizeof(carriers) / sizeof(carriers[0])); i++) {
                int same = 1;

                for (int j = 0; j < 16 && same; j++) {
                        same = command[j] == carriers[i][j];
                        if (!command[j])
                                break;
                }
                if (same)
                        return 1;
        }
        return 0;
}

static void add_tag(GateMember *member, __u64 tag) {
        for (int i = 0; i < GATE_MEMBER_TAGS; i++) {
                if (member->tags[i] == tag)
                        return;
                if (member->tags[i] == 0) {
                        member->tags[i] = tag;
                        return;
                }
        }
}

/* Whoever gets a descriptor that was opened under a lease becomes a member of it. A descriptor
 * from before the lease, or from a stranger, makes nobody a member. */
SEC("lsm/file_receive")
int BPF_PROG(on_receive, struct file *file, int ret) {
        struct task_struct *leader = bpf_get_current_task_btf()->group_leader;
        __u64 address = (__u64) file, *tag;
        GateBinding binding = {};
        GateMember *member;

        if (ret != 0 || !find_mark(file, &binding.node))
                return ret;
        tag = bpf_map_lookup_elem(&files, &address);
        if (!tag)
                return 0;
        binding.tag = *tag;
        if (!bpf_map_lookup_elem(&bindings, &binding) || is_carrier())
                return 0;
        member = bpf_task_storage_get(&members, leader, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
        if (member)
                add_tag(member, binding.tag);
        return 0;
}

/* A child belongs where its parent does. Threads have their leader's membership. */
SEC("lsm/task_alloc")
int BPF_PROG(on_fork, struct task_struct *task, unsigned long clone_flags, int ret) {
        GateMember *member;

        if (ret != 0 || clone_flags & CLONE_THREAD)
                return ret;
        member = bpf_task_storage_get(&members, bpf_get_current_task_btf()->group_leader, NULL, 0);
        if (member)
                bpf_task_storage_get(&members, task, member, BPF_LOCAL_STORAGE_GET_F_CREATE);
        return 0;
}

/* A thread that executes a program becomes the leader of its process. */
SEC("lsm/bprm_check_security")
int BPF_PROG(on_exec, struct linux_binprm *bprm, int ret) {
        struct task_struct *task = bpf_get_current_task_btf(), *leader = task->group_leader;
        GateMember *member;

        if (ret != 0 || task == leader)
                return ret;
        member = bpf_task_storage_get(&members, leader, NULL, 0);
        if (member)
                bpf_task_storage_get(&members, task, member, BPF_LOCAL_STORAGE_GET_F_CREATE);
        return 0;
}
