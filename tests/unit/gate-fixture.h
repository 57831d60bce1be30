/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "gate/gate.h"

/* A gate, and a node for it in a folder of its own. */

/* Deadlines are ten times what is promised. */
#define PROMPTLY (60 * USEC_PER_SEC)

extern char folder[64], node_path[96], interface_path[96], driver_path[128];
extern sd_event *event;
extern Gate *gate;
extern GateNode *node; /* NULL until add_node() */
extern int n_changes;  /* how often the gate told of one */

/* Setup for check: by inotify or fanotify, on a file or on a device node */
void start_poll(void);
void start_poll_device(void);
void start_fanotify(void);
void start_fanotify_device(void);
void stop(void);

/* Go on among processes of our own, where we may: others that have a device of the same number
 * open would be seen, such as another run of this test. */
void keep_alone(void);

/* Whether this process may do so; if not, says why. */
bool can_make_devices(void);
bool can_use_fanotify(void);

void make_file(const char *path);
int make_device(const char *path); /* one that nobody else has open: another /dev/full */
void add_node(void);

/* Run the loop until the node has n holders and the given claim, and return the holders. */
const GateHolder *expect(size_t n, bool claimed);

/* Run the loop for a while; returns how often it had something to do. */
int run_for(Usec span);

/* Let the debug interface be claimed through usbfs, or not. */
void claim(void);
void unclaim(void);
