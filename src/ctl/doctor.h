/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/string-table.h"
#include "base/time.h"
#include "ctl/facts.h"
#include "ctl/row.h"
#include "proto/chips.h"
#include "proto/firmware.h"
#include "proto/status.h"

/* What is wrong with a probe, or with what hangs on it. Measuring (doctor-link.c) and deciding
 * (doctor-judge.c, which is pure) are apart. */

typedef enum Verdict {
        VERDICT_HEALTHY,
        VERDICT_UNDECIDED,   /* the examination came to no end */
        VERDICT_NO_PROBE,    /* none is plugged in */
        VERDICT_USB_TROUBLE, /* none, and the kernel complains of a device that does not come up */
        VERDICT_HELD,
        VERDICT_NO_PERMISSION,
        VERDICT_WEDGED,    /* the probe does not answer */
        VERDICT_GARBLED,   /* its answers make no sense */
        VERDICT_POOR_LINK, /* answers get lost, or take long */
        VERDICT_UNPLUGGED, /* it went away meanwhile */
        VERDICT_LOADER,    /* it stays in its boot loader */
        VERDICT_LOST,      /* it left its boot loader and did not come back */
        VERDICT_OLD_FIRMWARE,
        VERDICT_NO_POWER,    /* of the target, or nothing is connected */
        VERDICT_SILENT,      /* the target has power and does not answer */
        VERDICT_NEEDS_RESET, /* it answers while it is held in reset only */
        VERDICT_SLOW_ONLY,   /* … with a slow clock only */
        VERDICT_READ_PROTECTED,
        VERDICT_RESET_LINE, /* nRST does nothing */
        _VERDICT_MAX,
} Verdict;

/* "healthy", "no-probe" … */
DECLARE_STRING_TABLE(verdict, Verdict);

/* The exit code of stlinkctl for it: those that other verbs have too mean the same. */
int verdict_exit_code(Verdict verdict);

/* Why the probe was not asked anything. */
typedef enum Refusal {
        REFUSAL_NONE,
        REFUSAL_HELD,
        REFUSAL_RIGHTS, /* the node may not be opened */
        REFUSAL_POLICY, /* stlinkd says no */
        REFUSAL_OTHER,
} Refusal;

typedef enum LoaderFinding {
        LOADER_NO,     /* it was not in it */
        LOADER_LEFT,   /* it rested there, as a V2 does, and left it when told */
        LOADER_UPDATE, /* an update goes on */
        LOADER_RECENT, /* it has just come there from its application */
        LOADER_STUCK,  /* it does not leave it */
        LOADER_LOST,   /* it left it, and the bus */
        LOADER_OWN,    /* its product ID is the boot loader's own */
} LoaderFinding;

typedef struct SwdTry {
        unsigned khz;             /* 0: the clock cannot be set */
        uint8_t status;           /* Status: of entering SWD */
        unsigned reads, failures; /* of DPIDR, after it was entered */
} SwdTry;
#define SWD_TRIES_MAX 5

typedef enum LineFinding {
        LINE_NOT_TRIED,
        LINE_WORKS,
        LINE_DEAD
} LineFinding;

/* What the probe said. */
typedef struct ProbeFindings {
        bool asked; /* else nothing below counts */
        int error;  /* that ended the examination; 0 */
        LoaderFinding loader;
        Usec away; /* how long it took to come back from its boot loader; 0 */
        Firmware firmware;
        bool identified;
        bool was_in_debug; /* a program had left it in debug mode */
        unsigned rounds, failed_rounds;
        Usec median, p99, worst; /* of a round trip */
        bool can_measure_voltage;
        int millivolts; /* -1: no */
        SwdTry tries[SWD_TRIES_MAX];
        size_t n_tries;
        bool answers; /* the last of the tries is the one that went well */
        bool tried_under_reset;
        uint8_t under_reset; /* Status */
        LineFinding nrst;
        uint32_t dpidr, cpuid, idcode;
        const Chip *chip;
        unsigned flash_kib;
        bool read_flash;
        uint8_t flash_status; /* Status: of reading the first word of the flash memory */
        Rdp rdp;              /* as its register says */
        bool left_idle;       /* it is in idle mode again */
} ProbeFindings;

typedef struct Examination {
        const Facts *facts;
        const ProbeFact *probe; /* NULL: none is there */
        Refusal refusal;
        char refusal_text[256];
        ProbeFindings found;
} Examination;

Verdict doctor_judge(const Examination *examination);

/* What the verdict means, and what to do next; to be shown to people. */
typedef struct Advice {
        char text[512], next[512];
} Advice;
void doctor_advise(const Examination *examination, Verdict verdict, Advice *ret);

/* The oldest firmware that a tool works with is newer than this one. */
bool doctor_firmware_is_old(const Firmware *firmware);

/* Whether the target's flash memory cannot be read because it is protected. */
bool doctor_is_protected(const ProbeFindings *found);

/* A round trip that takes longer is a sign of a hub, a virtual machine or a network between. */
#define DOCTOR_SLOW_ROUND (25 * USEC_PER_MSEC)

/* Append one row for each thing that was looked at, in the order in which one would look:
 *   check  "kernel", "node" …      level  "ok", "note", "bad", "skipped"
 *   text   what was found
 * and what was measured, by names of their own. */
void doctor_describe(Rows *rows, const Examination *examination);

/* --- measuring ---------------------------------------------------------------------------- */

typedef struct LinkOptions {
        int cancel_fd;
        bool may_leave_loader;
        bool may_reset; /* the target, though it answers */
        /* Open the node anew after the probe was away: 0 or a negative errno. */
        int (*reopen)(void *userdata, int *ret_fd);
        void *userdata;
} LinkOptions;

/* Examine the probe behind this descriptor of its node, which stays the caller's. What is found
 * is complete up to found->error. The probe is idle afterwards. */
void doctor_examine(int fd, const LinkOptions *options, ProbeFindings *found);

/* Write a report that needs no other file, row being what JSON shows. 0 or a negative errno. */
int doctor_write_report(const char *path, const Row *row);
