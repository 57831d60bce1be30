/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

/* The target: a chip with an ARM core behind the SWD pins of a simulated probe. A pure model,
 * driven by the probe; its core runs only while target_run() is called, so that a test sees
 * the same thing every time. */

typedef struct Target Target;

/* Answer of a debug port to one SWD transfer (ADIv5.2, B4.2.3 and following). */
typedef enum SwdAck {
        SWD_ACK_OK = 1,
        SWD_ACK_WAIT = 2,
        SWD_ACK_FAULT = 4,
        SWD_ACK_NONE = 7, /* nobody drives the line */
} SwdAck;

typedef enum TargetRdp {
        TARGET_RDP_0,
        TARGET_RDP_1, /* flash is not readable through the debug port */
        TARGET_RDP_2, /* the debug port is dead */
} TargetRdp;

/* States of a bad day on the target's side. All false and RDP 0 is a good day. */
typedef struct TargetCondition {
        bool absent;         /* nothing is connected */
        bool unpowered;      /* VCC is 0 V */
        bool asleep;         /* SWD is off in a sleep mode until reset is held low */
        bool pins_remapped;  /* the program took the SWD pins; likewise */
        bool nrst_not_wired; /* the probe's nRST line ends nowhere */
        TargetRdp rdp;
} TargetCondition;

/* What happened to the target, for people who say that nothing touches it. */
typedef struct TargetCounters {
        uint64_t resets; /* by nRST and by SYSRESETREQ */
        uint64_t halts;  /* transitions from running to halted */
        bool identified; /* device ID and flash size have both been read from memory */
} TargetCounters;

/* Names: "f103", "f411", "g071", "h743" (see chips.c). -EINVAL for an unknown one. */
int target_new(const char *chip, Target **ret);
Target *target_free(Target *target);
DEFINE_CLEANUP(Target *, target_free)

/* Names of the chips by index from 0; NULL at the end. */
const char *target_chip_name(size_t index);

void target_set_condition(Target *target, const TargetCondition *condition);
const TargetCondition *target_get_condition(const Target *target);
const TargetCounters *target_get_counters(const Target *target);
void target_reset_counters(Target *target);

/* Supply voltage as the probe measures it, in millivolts. */
unsigned target_millivolts(const Target *target);

/* Drive the nRST line: low holds the chip in reset, and the rising edge starts it. */
void target_set_nrst(Target *target, bool low);

/* SWD line reset and switch sequence, followed by a read of DPIDR: SWD_ACK_NONE when no debug
 * port answers (absent, unpowered, asleep, remapped, RDP 2). */
SwdAck target_swd_connect(Target *target, uint32_t *ret_dpidr);

/* One access to a debug port register; address is 0, 4, 8 or C, banks by DP SELECT. */
SwdAck target_dp_read(Target *target, uint8_t address, uint32_t *ret);
SwdAck target_dp_write(Target *target, uint8_t address, uint32_t value);

/* One access to a register of an access port, bank bits in address 7:4. Reads deliver the
 * value itself, not the posted one: the probe's firmware reads RDBUFF for its host. Access ports
 * and memory need CDBGPWRUPREQ in the debug port's CTRL/STAT, and answer FAULT without it; what
 * is not there has the IDR 0. */
SwdAck target_ap_read(Target *target, uint8_t ap, uint8_t address, uint32_t *ret);
SwdAck target_ap_write(Target *target, uint8_t ap, uint8_t address, uint32_t value);

/* A block through a MEM-AP with auto-increment, as a debug probe does it. width is 1, 2 or 4
 * bytes an access, size a multiple of it. csw gives bits 31:8 of the AP's CSW, 0 the default.
 * On SWD_ACK_FAULT *ret_fault is the address that failed, and the data before it was moved.
 * Sticky errors are set as on a real debug port; the caller clears them through ABORT. */
typedef struct TargetAccess {
        uint8_t ap;
        uint8_t width;
        bool increment;
        uint32_t csw;
        uint32_t address;
} TargetAccess;
SwdAck target_read_memory(Target *target, const TargetAccess *access, uint8_t *data, size_t size,
                          uint32_t *ret_fault);
SwdAck target_write_memory(Target *target, const TargetAccess *access, const uint8_t *data,
                           size_t size, uint32_t *ret_fault);

/* Let the core execute up to that many instructions, if it is running. A step requested by
 * DHCSR.C_STEP, too, is done in here; a reset or a halt is done at once. A sleeping or remapping
 * target that runs here takes its debug port away again. */
void target_run(Target *target, unsigned instructions);

/* Load an image where the chip's flash or RAM is, without any debug port; for tests and
 * "flash=FILE" in a probe's specification. -ERANGE when it does not fit. */
int target_load(Target *target, uint32_t address, const uint8_t *data, size_t size);
