/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <check.h>
#include <linux/usbdevice_fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>

/* A usbfs served by a process of its own at USBFS_ROOT, in a private mount namespace, with one
 * FakeUsb at 001/002 and, for crowds, more behind it. */

#define USBFS_ROOT "/mnt"
#define NODE       USBFS_ROOT "/001/002"
#define NODE_BACK  USBFS_ROOT "/001/003" /* where the device is after it came back */

/* What the server sees, shared with the tests. */
typedef struct Seen {
        char drivers[4][16]; /* of each interface, as last told; "" for none */
        unsigned opened, closed;
        unsigned resets, cleared;
} Seen;
extern volatile Seen *seen;

/* Move into namespaces; false, after saying why, where that is not allowed. Before anything. */
bool bench_enter(void);

/* Start the server with that many devices, and stop it; as a checked fixture. */
void bench_start(unsigned n_devices);
void bench_stop(void);

/* Open a node for reading and writing; the test fails if that does. */
int open_node(const char *path);

/* An ioctl: its result, or a negative errno. */
int io(int fd, unsigned long code, void *argument);
#define io_number(fd, code, number) io(fd, code, &(unsigned){ number })

/* Start a bulk URB. */
int submit(int fd, struct usbdevfs_urb *urb, uint8_t endpoint, void *data, int size);

/* Reap without waiting; the URB that was completed must be that one. */
int reap(int fd, const struct usbdevfs_urb *expected);

/* A vendor request; the result of USBDEVFS_CONTROL. */
int request(int fd, uint8_t code, uint16_t value);

/* Wait until a condition holds, for a generous time. */
#define eventually(condition)                                                           \
        do {                                                                            \
                bool _holds = false;                                                    \
                for (int _tries = 0; _tries < 500 && !(_holds = (condition)); _tries++) \
                        usleep(10000);                                                  \
                ck_assert_msg(_holds, "never came true: %s", #condition);               \
        } while (0)
