/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <check.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "gate-fixture.h"

char folder[64], node_path[96], interface_path[96], driver_path[128];
sd_event *event;
Gate *gate;
GateNode *node;
int n_changes;

/* Where the node is made: on another file system the kernel's part may differ. */
static const char *temporary(void) {
        const char *path = getenv("TMPDIR");

        return path ? path : "/tmp";
}

static void on_changed(GateNode *which, void *userdata) {
        ck_assert_ptr_eq(userdata, &n_changes);
        ck_assert_ptr_eq(gate_node_userdata(which), folder);
        n_changes++;
}

void make_file(const char *path) {
        int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);

        ck_assert_int_ge(fd, 0);
        close(fd);
}

int make_device(const char *path) {
        return mknod(path, S_IFCHR | 0666, makedev(1, 7));
}

static void start(GateKind kind, bool device) {
        umask(0);
        snprintf(folder, sizeof(folder), "%s/test-gate.XXXXXX", temporary());
        ck_assert_ptr_nonnull(mkdtemp(folder));
        ck_assert_int_eq(chmod(folder, 0755), 0);
        snprintf(node_path, sizeof(node_path), "%s/002", folder);
        snprintf(interface_path, sizeof(interface_path), "%s/1-1:1.0", folder);
        snprintf(driver_path, sizeof(driver_path), "%s/driver", interface_path);
        if (device)
                ck_assert_int_eq(make_device(node_path), 0);
        else
                make_file(node_path);
        ck_assert_int_eq(mkdir(interface_path, 0755), 0);
        ck_assert_int_ge(sd_event_new(&event), 0);
        ck_assert_int_eq(gate_new(event, kind, NULL, on_changed, &n_changes, &gate), 0);
        ck_assert_int_eq(gate_get_kind(gate), kind);
        node = NULL;
        n_changes = 0;
}

void start_poll(void) {
        start(GATE_POLL, /* device= */ false);
}

void start_poll_device(void) {
        start(GATE_POLL, /* device= */ true);
}

void start_fanotify(void) {
        start(GATE_FANOTIFY, /* device= */ false);
}

void start_fanotify_device(void) {
        start(GATE_FANOTIFY, /* device= */ true);
}

void stop(void) {
        char command[128];

        node = gate_remove_node(node);
        gate = gate_free(gate);
        event = sd_event_unref(event);
        snprintf(command, sizeof(command), "rm -r %s", folder);
        ck_assert_int_eq(system(command), 0);
}

void add_node(void) {
        ck_assert_int_eq(gate_add_node(gate, node_path, interface_path, folder, &node), 0);
}

const GateHolder *expect(size_t n, bool claimed) {
        Usec deadline = now_usec(CLOCK_MONOTONIC) + PROMPTLY;
        const GateHolder *holders = NULL;
        size_t have = SIZE_MAX;

        while (now_usec(CLOCK_MONOTONIC) < deadline) {
                holders = gate_node_holders(node, &have);
                if (have == n && gate_node_is_claimed(node) == claimed)
                        return holders;
                ck_assert_int_ge(sd_event_run(event, 100 * USEC_PER_MSEC), 0);
        }
        ck_abort_msg("%zu holders, claimed: %d", have, gate_node_is_claimed(node));
        return NULL;
}

int run_for(Usec span) {
        Usec end = now_usec(CLOCK_MONOTONIC) + span;
        int n = 0;

        for (Usec now; (now = now_usec(CLOCK_MONOTONIC)) < end;)
                n += sd_event_run(event, end - now) > 0;
        return n;
}

void claim(void) {
        ck_assert_int_eq(symlink("../../../bus/usb/drivers/usbfs", driver_path), 0);
}

void unclaim(void) {
        ck_assert_int_eq(unlink(driver_path), 0);
}

bool can_make_devices(void) {
        int fd, device = -EBADF;
        char path[64];

        snprintf(path, sizeof(path), "%s/test-gate-device.XXXXXX", temporary());
        fd = mkstemp(path);
        if (fd < 0)
                return false;
        close(fd);
        unlink(path);
        if (make_device(path) == 0)
                device = open(path, O_RDWR | O_CLOEXEC); /* fails where mounted nodev */
        if (device < 0)
                printf("SKIP: device nodes: cannot make one in %s: %m\n", temporary());
        unlink(path);
        return safe_close(device), device >= 0;
}

bool can_use_fanotify(void) {
        sd_event *loop = NULL;
        Gate *probe = NULL;
        int r = sd_event_new(&loop);

        if (r >= 0)
                r = gate_new(loop, GATE_FANOTIFY, NULL, on_changed, NULL, &probe);
        if (r < 0)
                printf("SKIP: fanotify: %s; it needs CAP_SYS_ADMIN\n", strerror(-r));
        gate_free(probe);
        sd_event_unref(loop);
        return r >= 0;
}

void keep_alone(void) {
        int status = 0;
        pid_t pid;

        if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0)
                return;
        pid = fork();
        if (pid > 0) {
                waitpid(pid, &status, 0);
                /* Not exit(): no process can be made any more, as a leak checker would. */
                _exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
        }
        if (pid < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("proc", "/proc", "proc", 0, NULL) < 0) {
                printf("cannot keep alone: %m\n");
                exit(99);
        }
}
