/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"

/* A program that never heard of leases and tries everything to get at a probe.
 *
 *   stranger try NODE COUNT     open NODE, say "ready", and once a line comes in try COUNT opens
 *                               and COUNT ioctls on the old descriptor (reset, claim, detach), by
 *                               turns itself, from a thread and a child that were there before,
 *                               and as a 32-bit program
 *   stranger flap NODE          claim interface 0 and release it, for ever
 *   stranger storm BUS          open every node of a bus in a tight loop, until SIGTERM
 *
 * What came of it is written to stdout. */

#define FLAP_PAUSE 2000 /* µs */

/* Of a 32-bit program: struct usbdevfs_ioctl32 of the kernel's drivers/usb/core/devio.c */
typedef struct Ioctl32 {
        int32_t interface, code;
        uint32_t data;
} Ioctl32;
#define USBDEVFS_IOCTL_32 _IOWR('U', 18, Ioctl32)

typedef struct Low { /* what an ioctl points to, where 32-bit programs can point */
        unsigned interface;
        struct usbdevfs_ioctl detach;
        Ioctl32 detach_32;
} Low;

static int old = -1;
static Low *low;
static int thread_pair[2], child_pair[2];
static unsigned n_refused, n_passed, n_other;
static volatile sig_atomic_t stopped;

_noreturn_ static void die(const char *what) {
        perror(what);
        exit(2);
}

static int result(long r) {
        return r < 0 ? errno : 0;
}

/* The kind-th thing that disturbs a holder */
static int disturb(unsigned kind) {
        switch (kind % 3) {
        case 0:
                return result(ioctl(old, USBDEVFS_RESET, NULL));
        case 1:
                return result(ioctl(old, USBDEVFS_CLAIMINTERFACE, &low->interface));
        default:
                return result(ioctl(old, USBDEVFS_IOCTL, &low->detach));
        }
}

/* int 0x80 is what a 32-bit program does; system call 54 there is ioctl. */
static int call_32(unsigned long request, const void *argument) {
#ifdef __x86_64__
        long r;

        __asm__ volatile("int $0x80"
                         : "=a"(r)
                         : "a"(54L), "b"((long) old), "c"((long) request), "d"((long) argument)
                         : "memory", "r8", "r9", "r10", "r11");
        return r < 0 ? (int) -r : 0;
#else
        (void) request, (void) argument;
        return ENOSYS;
#endif
}

static int disturb_32(unsigned kind) {
        switch (kind % 3) {
        case 0:
                return call_32(USBDEVFS_RESET, NULL);
        case 1:
                return call_32(USBDEVFS_CLAIMINTERFACE, &low->interface);
        default:
                return call_32(USBDEVFS_IOCTL_32, &low->detach_32);
        }
}

/* Do as the other end of a socket says: kind in, errno out. */
static void serve(int socket) {
        unsigned kind;
        int r;

        while (read(socket, &kind, sizeof(kind)) == sizeof(kind)) {
                r = disturb(kind);
                if (write(socket, &r, sizeof(r)) != sizeof(r))
                        return;
        }
}

static int ask(int socket, unsigned kind) {
        int r;

        if (write(socket, &kind, sizeof(kind)) != sizeof(kind) ||
            read(socket, &r, sizeof(r)) != sizeof(r))
                die("helper");
        return r;
}

static void *serve_in_thread(void *data) {
        (void) data;
        serve(thread_pair[1]);
        return NULL;
}

static void start_helpers(void) {
        pthread_t thread;

        if (socketpair(AF_UNIX, SOCK_STREAM, 0, child_pair) < 0 ||
            socketpair(AF_UNIX, SOCK_STREAM, 0, thread_pair) < 0)
                die("socketpair");
        switch (fork()) {
        case -1:
                die("fork");
                break;
        case 0:
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                serve(child_pair[1]);
                _exit(0);
        default:
                break;
        }
        if (pthread_create(&thread, NULL, serve_in_thread, NULL) != 0)
                die("pthread_create");
}

static void set_up(const char *node) {
        low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1,
                   0);
        if (low == MAP_FAILED)
                die("mmap");
        *low = (Low){ .detach = { .ioctl_code = USBDEVFS_DISCONNECT },
                      .detach_32 = { .code = (int32_t) USBDEVFS_DISCONNECT } };
        old = open(node, O_RDWR | O_CLOEXEC);
        if (old < 0)
                die(node);
}

static void note(int error) {
        if (error == EBUSY)
                n_refused++;
        else if (error == 0)
                n_passed++;
        else
                n_other++;
}

static void report(const char *what) {
        printf("%s: %u refused, %u passed, %u other\n", what, n_refused, n_passed, n_other);
        fflush(stdout);
        n_refused = n_passed = n_other = 0;
}

static int try(const char *node, unsigned count) {
        char line[16];

        set_up(node);
        start_helpers();
        printf("ready\n");
        fflush(stdout);
        if (!fgets(line, sizeof(line), stdin))
                return 2;
        for (unsigned i = 0; i < count; i++) {
                int fd = open(node, i % 2 ? O_RDONLY | O_CLOEXEC : O_RDWR | O_CLOEXEC);

                note(fd < 0 ? errno : 0);
                if (fd >= 0)
                        close(fd);
        }
        report("opens");
        for (unsigned i = 0; i < count; i++) {
                unsigned kind = i / 4;

                note(i % 4 == 0   ? disturb(kind)
                     : i % 4 == 1 ? ask(thread_pair[0], kind)
                     : i % 4 == 2 ? ask(child_pair[0], kind)
                                  : disturb_32(kind));
        }
        report("ioctls");
        return 0;
}

static void flap(const char *node) {
        set_up(node);
        for (;;) {
                note(result(ioctl(old, USBDEVFS_CLAIMINTERFACE, &low->interface)));
                usleep(FLAP_PAUSE);
                note(result(ioctl(old, USBDEVFS_RELEASEINTERFACE, &low->interface)));
                usleep(FLAP_PAUSE);
        }
}

static void on_term(int signal) {
        (void) signal;
        stopped = 1;
}

/* Whether what was opened is an ST-LINK: the device descriptor, as usbfs gives it (little endian
 * on this machine) */
static bool is_probe(int fd) {
        unsigned char descriptor[18];

        return pread(fd, descriptor, sizeof(descriptor), 0) == sizeof(descriptor) &&
               descriptor[8] == 0x83 && descriptor[9] == 0x04;
}

static int storm(const char *bus) {
        char path[64];

        (void) signal(SIGTERM, on_term);
        while (!stopped)
                for (int device = 1; device < 128; device++) {
                        int fd;

                        (void) snprintf(path, sizeof(path), "%s/%03d", bus, device);
                        fd = open(path, O_RDWR | O_CLOEXEC);
                        if (fd < 0 && errno == ENOENT)
                                continue;
                        if (fd < 0 || is_probe(fd))
                                note(fd < 0 ? errno : 0);
                        if (fd >= 0)
                                close(fd);
                }
        report("storm");
        return 0;
}

int main(int argc, char *argv[]) {
        if (argc == 4 && strcmp(argv[1], "try") == 0)
                return try(argv[2], (unsigned) atoi(argv[3]));
        if (argc == 3 && strcmp(argv[1], "flap") == 0)
                flap(argv[2]);
        if (argc == 3 && strcmp(argv[1], "storm") == 0)
                return storm(argv[2]);
        fprintf(stderr, "usage: stranger try NODE COUNT | flap NODE | storm BUS\n");
        return 2;
}
