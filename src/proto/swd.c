/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/macro.h"
#include "proto/status.h"
#include "proto/swd.h"

typedef enum SwdPhase {
        PHASE_COMMAND,
        PHASE_STATUS, /* memory only: how did it go? */
        PHASE_CLEAR,  /* after a fault: clear what is sticky */
        PHASE_DONE,
} SwdPhase;

/* DP register ABORT, and its bits that clear ORUNERR, WDATAERR, STICKYERR and STICKYCMP
 * (ADIv5.2 B2.2.1) */
#define DP_ABORT       0x0
#define DP_ABORT_CLEAR 0x1E

#define RETRY_DELAY USEC_PER_MSEC

static void swd_access_finish(SwdAccess *access, int error) {
        access->error = error;
        access->phase = PHASE_DONE;
}

void swd_access_init(SwdAccess *access, const Firmware *firmware, const Command *command) {
        *access = (SwdAccess){ .firmware = firmware, .command = *command };
        access->api_v1 = !firmware_supports(firmware, FIRMWARE_API_V2);
        if (access->api_v1) {
                int r = command_to_api_v1(&access->command);

                if (r < 0)
                        swd_access_finish(access, r);
        }
}

/* Memory is what both generations read and write by the same commands. */
static void swd_access_init_memory(SwdAccess *access, const Firmware *firmware,
                                   const Command *command) {
        *access = (SwdAccess){ .firmware = firmware, .command = *command, .is_memory = true };
        access->api_v1 = !firmware_supports(firmware, FIRMWARE_API_V2);
}

int swd_access_init_read(SwdAccess *access, const Firmware *firmware, const MemoryAccess *memory,
                         uint8_t *buffer) {
        Command command;
        int r = command_read_memory(firmware, memory, &command);

        if (r < 0)
                return r;
        swd_access_init_memory(access, firmware, &command);
        access->in = buffer;
        access->in_size = memory->size;
        return 0;
}

int swd_access_init_write(SwdAccess *access, const Firmware *firmware, const MemoryAccess *memory,
                          const uint8_t *data) {
        Command command;
        int r = command_write_memory(firmware, memory, &command);

        if (r < 0)
                return r;
        swd_access_init_memory(access, firmware, &command);
        access->out = data;
        return 0;
}

/* How did it go? The first generation cannot tell, but whether a debug port answers. */
static Command swd_access_ask(const SwdAccess *access) {
        Command command = command_read_idcodes();

        if (!access->api_v1)
                return command_get_rw_status(access->firmware);
        (void) command_to_api_v1(&command);
        return command;
}

int swd_access_next(SwdAccess *access, Step *ret) {
        if (access->phase == PHASE_DONE)
                return access->error;

        *ret = (Step){};
        if (access->phase == PHASE_STATUS)
                ret->command = swd_access_ask(access);
        else if (access->phase == PHASE_CLEAR)
                ret->command = command_write_dap(DAP_PORT_DP, DP_ABORT, DP_ABORT_CLEAR);
        else {
                ret->command = access->command;
                ret->out = access->out;
                if (access->retries > 0)
                        ret->delay = RETRY_DELAY << (access->retries - 1);
        }
        return 1;
}

/* Some V3 say WAIT, then AP fault, then OK to the same command (stlink-protocol §11). */
static bool swd_access_forgives(SwdAccess *access) {
        if (access->status != STATUS_AP_FAULT || access->firmware->major < 3 ||
            access->retries == 0 || access->forgave_fault)
                return false;
        access->forgave_fault = true;
        return true;
}

static void swd_access_judge(SwdAccess *access) {
        StatusClass class = status_class(access->status);

        if (class == STATUS_CLASS_OK)
                return swd_access_finish(access, 0);
        if ((class == STATUS_CLASS_WAIT || swd_access_forgives(access)) &&
            access->retries < SWD_RETRIES) {
                access->retries++;
                access->phase = PHASE_COMMAND;
                return;
        }

        access->error = -EREMOTEIO;
        if (class == STATUS_CLASS_FAULT &&
            firmware_supports(access->firmware, FIRMWARE_DAP_REGISTERS))
                access->phase = PHASE_CLEAR;
        else
                access->phase = PHASE_DONE;
}

/* The first generation has a status in few answers, and OpenOCD does not look at it. Entering SWD
 * has no answer at all: whether a debug port is there is asked next. */
static void swd_access_feed_api_v1(SwdAccess *access, const uint8_t *reply, size_t size) {
        bool entering = !access->is_memory && access->command.in_size == 0;

        access->status = STATUS_OK;
        if (size == sizeof(uint32_t))
                access->value = get_le32(reply);
        if (entering && access->phase == PHASE_COMMAND) {
                access->phase = PHASE_STATUS;
                return;
        }
        if (entering && (access->value == 0 || access->value == UINT32_MAX))
                access->status = STATUS_GET_IDCODE_ERROR;
        swd_access_judge(access);
}

static void swd_access_feed_command(SwdAccess *access, const uint8_t *reply, size_t size) {
        if (size != access->command.in_size)
                return swd_access_finish(access, -EPROTO);
        if (access->in)
                memcpy(access->in, reply, MIN(size, (size_t) access->in_size));
        if (access->api_v1)
                return swd_access_feed_api_v1(access, reply, size);
        if (access->is_memory) {
                access->phase = PHASE_STATUS;
                return;
        }

        if (decode_status(reply, size, &access->status) < 0)
                return swd_access_finish(access, -EPROTO);
        if (size >= 8)
                access->value = get_le32(reply + 4);
        swd_access_judge(access);
}

void swd_access_feed(SwdAccess *access, int error, const uint8_t *reply, size_t size) {
        uint8_t ignored;

        assert(access->phase != PHASE_DONE);
        access->commands++;
        if (error < 0)
                return swd_access_finish(access, error);

        switch ((SwdPhase) access->phase) {
        case PHASE_COMMAND:
                return swd_access_feed_command(access, reply, size);
        case PHASE_STATUS:
                if (access->api_v1)
                        return swd_access_feed_api_v1(access, reply, size);
                if (decode_rw_status(reply, size, &access->status, &access->fault_address) < 0)
                        return swd_access_finish(access, -EPROTO);
                return swd_access_judge(access);
        case PHASE_CLEAR:
                /* Whether clearing worked shows in the next access; the error stands. */
                if (decode_status(reply, size, &ignored) < 0)
                        return swd_access_finish(access, -EPROTO);
                access->phase = PHASE_DONE;
                return;
        case PHASE_DONE:
                return;
        }
}

char *cpu_name(uint32_t cpuid, char *buffer, size_t size) {
        /* CPUID.PARTNO as the technical reference manuals of the cores give it */
        static const struct {
                uint16_t part;
                const char *name;
        } table[] = {
                { 0xC20, "Cortex-M0" },  { 0xC60, "Cortex-M0+" }, { 0xC21, "Cortex-M1" },
                { 0xC23, "Cortex-M3" },  { 0xC24, "Cortex-M4" },  { 0xC27, "Cortex-M7" },
                { 0xD20, "Cortex-M23" }, { 0xD21, "Cortex-M33" }, { 0xD22, "Cortex-M55" },
        };
        unsigned part = cpuid >> 4 & 0xFFF, revision = cpuid >> 20 & 0xF, patch = cpuid & 0xF;

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (cpuid >> 24 == 0x41 && table[i].part == part) {
                        (void) snprintf(buffer, size, "%s r%up%u", table[i].name, revision, patch);
                        return buffer;
                }
        (void) snprintf(buffer, size, "unknown core");
        return buffer;
}

char *debug_port_name(uint32_t dpidr, char *buffer, size_t size) {
        /* ADIv5.2 B2.2.5: bits 11:1 designer as a JEP106 code (ARM is 0x23B), 15:12 version */
        unsigned version = dpidr >> 12 & 0xF, designer = dpidr >> 1 & 0x7FF;

        if ((dpidr & 1) == 0 || dpidr == UINT32_MAX)
                (void) snprintf(buffer, size, "no debug port");
        else if (designer == 0x23B)
                (void) snprintf(buffer, size, "SW-DP v%u by ARM", version);
        else
                (void) snprintf(buffer, size, "SW-DP v%u, designer %03X", version, designer);
        return buffer;
}
