/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "fake-target.h"
#include "sim/probe/firmware.h"

/* One firmware above a target that answers as it is told, for tests. */
typedef struct Bench {
        Target *target;
        Firmware *firmware;
        FakeTarget *fake;
        const FirmwareAnswer *answer; /* to the last command */
} Bench;

extern Bench bench;

void start(FirmwareModel model, const char *version);
void stop(void);

/* A V2-1 in debug mode. */
void start_debug(const char *version);

/* Send a command; the answer's bytes, or NULL when it has none. */
const uint8_t *ask(const char *command, size_t n);
#define ASK(string) ask(string, sizeof(string) - 1)

/* Send a command that is answered by a status. */
uint16_t ask_status(const char *command, size_t n);
#define STATUS(string) ask_status(string, sizeof(string) - 1)

/* Fail unless command F5 tells that mode. */
void expect_mode(FirmwareMode mode);
