/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"
#include "base/time.h"

/* What the kernel said about USB since it started. */

#define KERNEL_MESSAGE_MAX 256

typedef struct KernelLog {
        unsigned enumeration;  /* a device did not get through it */
        unsigned over_current; /* too much current, or too little to be had */
        unsigned no_resources; /* bandwidth, slots of the host controller */
        unsigned plugged;      /* new devices */
        unsigned disconnects;
        unsigned resets;               /* a program reset the device */
        char last[KERNEL_MESSAGE_MAX]; /* the last complaint of the first three kinds; "" */
} KernelLog;

/* Take account of a message if it is about that port ("1-1.2"), or about any with NULL. */
void kernel_log_add(KernelLog *log, const char *port, const char *message);

/* Whether anything is wrong with port or cable, as far as the log tells. */
bool kernel_log_complains(const KernelLog *log);

/* The messages about USB, the oldest first. Read from the kernel, or else from the journal; a
 * negative errno when neither may be read. */
typedef struct KernelMessage {
        Usec time; /* CLOCK_MONOTONIC, nearly */
        char *text;
} KernelMessage;

typedef struct KernelMessages {
        KernelMessage *items;
        size_t n;
} KernelMessages;
int kernel_messages_read(KernelMessages *ret);
void kernel_messages_done(KernelMessages *messages);
