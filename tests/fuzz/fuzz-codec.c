/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"
#include "proto/scsi.h"
#include "proto/session.h"
#include "proto/status.h"

/* Whatever a probe says: nothing is read or written out of bounds, what comes out is in the range
 * it promises, and the machines come to an end. The first byte of the input chooses what is tried
 * with the rest; the machines take it as a row of answers, each behind its length. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
        if (!holds)
                abort();
}

static void try_version(const uint8_t *data, size_t size) {
        char name[FIRMWARE_NAME_MAX];
        Firmware firmware = {};

        if (decode_version(data, size, &firmware) >= 0)
                require(firmware.major >= 1 && firmware.major <= 4 && firmware.jtag <= 63);
        else
                firmware.major = 3; /* let FB have its turn too */
        (void) decode_version_ex(data, size, &firmware);
        firmware_name(&firmware, name, sizeof(name));
        require(strlen(name) < sizeof(name));
}

static void try_plain(const uint8_t *data, size_t size) {
        ProbeMode mode;
        uint8_t status, version;
        int millivolts;
        bool idle;

        if (decode_mode(data, size, &mode, &version) >= 0)
                require(mode > PROBE_MODE_UNKNOWN && mode < _PROBE_MODE_MAX);
        if (decode_voltage(data, size, &millivolts) >= 0)
                require(millivolts >= 0 && millivolts <= 20000);
        (void) decode_loader_state(data, size, &idle);
        if (decode_status(data, size, &status) >= 0)
                require(status_class(status) != STATUS_CLASS_INVALID && status_name(status));
        if (scsi_check(data, size) >= 0)
                require(size == SCSI_CSW_SIZE);
}

static void try_values(const uint8_t *data, size_t size) {
        char name[DEBUG_PORT_NAME_MAX];
        SwdFrequencies frequencies;
        uint32_t value = 0;
        uint8_t status;

        (void) decode_rw_status(data, size, &status, &value);
        (void) decode_idcodes(data, size, &status, &value);
        debug_port_name(value, name, sizeof(name));
        (void) decode_value(data, size, &status, &value);
        cpu_name(value, name, CPU_NAME_MAX);
        if (chip_find(value))
                (void) chip_flash_kib(chip_find(value), (uint16_t) (value >> 16));
        if (decode_swd_khz(data, size, &status, &frequencies) >= 0) {
                require(frequencies.n <= SWD_KHZ_MAX);
                (void) swd_frequency(&frequencies, 1800);
        }
}

/* The next answer from the input; an empty one when it is used up. */
static size_t take(const uint8_t **data, size_t *size, const uint8_t **ret) {
        size_t n = 0;

        if (*size > 0) {
                n = MIN((size_t) (*data)[0], *size - 1);
                (*data)++, (*size)--;
        }
        *ret = *data;
        *data += n, *size -= n;
        return n;
}

static int run_plan(Session *session, SessionPlan plan, const uint8_t **data, size_t *size) {
        Step step;
        int r;

        session_begin(session, plan);
        for (unsigned steps = 0; (r = session_next(session, &step)) > 0; steps++) {
                const uint8_t *reply = NULL;
                size_t n;

                /* two rounds of opening, and nine tries of each access with its clearing */
                require(steps < 100);
                require(step.delay <= 128 * USEC_PER_MSEC);
                require(step.command.in_size <= REPLY_SIZE_MAX && step.command.out_size == 0);
                n = step.command.in_size > 0 ? take(data, size, &reply) : 0;
                session_feed(session, 0, reply, n);
        }
        return r;
}

static void try_session(const uint8_t *data, size_t size, bool may_leave_loader) {
        SessionOptions options = { .may_leave_loader = may_leave_loader };
        Session session;

        session_init(&session, &options);
        (void) run_plan(&session, SESSION_IDENTIFY, &data, &size);
        if (run_plan(&session, SESSION_ENTER_SWD, &data, &size) < 0)
                return;
        require(session.mode == PROBE_MODE_DEBUG);
        (void) run_plan(&session, SESSION_IDENTIFY_TARGET, &data, &size);
        (void) run_plan(&session, SESSION_MEASURE_VOLTAGE, &data, &size);
        require(run_plan(&session, SESSION_LEAVE_SWD, &data, &size) == 0);
}

static void try_memory(const uint8_t *data, size_t size) {
        Firmware firmware = { .major = size > 0 && data[0] & 1 ? 3 : 2, .jtag = 37 };
        MemoryAccess where = { .address = 0x20000000, .size = 8, .width = 4 };
        uint8_t buffer[8];
        SwdAccess access;
        Step step;

        if (size > 1 && data[1] & 1)
                where = (MemoryAccess){ .address = 0x20000001, .size = 1, .width = 1 };
        require(swd_access_init_read(&access, &firmware, &where, buffer) == 0);
        for (unsigned steps = 0; swd_access_next(&access, &step) > 0; steps++) {
                const uint8_t *reply;
                size_t n = take(&data, &size, &reply);

                require(steps <= 2 * (SWD_RETRIES + 1) + 1);
                swd_access_feed(&access, 0, reply, n);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t what;

        if (size == 0)
                return 0;
        what = *data++;
        size--;
        switch (what % 6) {
        case 0:
                try_version(data, size);
                break;
        case 1:
                try_plain(data, size);
                break;
        case 2:
                try_values(data, size);
                break;
        case 3:
        case 4:
                try_session(data, size, what % 6 == 4);
                break;
        case 5:
                try_memory(data, size);
                break;
        }
        return 0;
}
