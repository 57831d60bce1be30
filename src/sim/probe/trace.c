/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/probe/trace.h"

#include "base/macro.h"
#include "sim/probe/firmware-internal.h"

void trace_start(Trace *trace, size_t size) {
        *trace = (Trace){ .active = true, .size = MIN(size, (size_t) TRACE_SIZE_MAX) };
}

void trace_stop(Trace *trace) {
        trace->active = false;
}

void trace_put(Trace *trace, uint8_t byte) {
        if (!trace->active || trace->count >= trace->size)
                return;
        trace->ring[(trace->start + trace->count) % trace->size] = byte;
        trace->count++;
}

size_t trace_get(Trace *trace, uint8_t *data, size_t size) {
        size_t n = MIN(size, trace->count);

        for (size_t i = 0; i < n; i++)
                data[i] = trace->ring[(trace->start + i) % trace->size];
        if (n > 0)
                trace->start = (trace->start + n) % trace->size;
        trace->count -= n;
        return n;
}

/* Most SWO speed in Hz (stlink-protocol §3.2, F2 40) */
#define TRACE_HZ_MAX_V2 2250000
#define TRACE_HZ_MAX_V3 24000000

void debug_trace_start(Firmware *firmware, const uint8_t *command) {
        uint16_t size = command_u16(command, 2);
        uint32_t hz = command_u32(command, 4);
        uint32_t limit = firmware->setup.version.hardware >= 3 ? TRACE_HZ_MAX_V3 : TRACE_HZ_MAX_V2;

        if (size == 0 || hz == 0)
                return answer_status(firmware, STATUS_COMMAND_ERROR);
        if (hz > limit)
                return answer_status(firmware, STATUS_FREQ_NOT_SUPPORTED);
        if (firmware->mode != FIRMWARE_MODE_DEBUG)
                return answer_status(firmware, STATUS_SWV_NOT_AVAILABLE);
        trace_start(&firmware->trace, size);
        if (firmware->tuning.swo)
                firmware_print(firmware, firmware->tuning.swo);
        answer_status(firmware, STATUS_OK);
}

void debug_trace_stop(Firmware *firmware, _unused_ const uint8_t *command) {
        trace_stop(&firmware->trace);
        answer_status(firmware, STATUS_OK);
}

void debug_trace_count(Firmware *firmware, _unused_ const uint8_t *command) {
        put_le16(answer_data(firmware, 2), (uint16_t) firmware->trace.count);
}

size_t firmware_read_trace(Firmware *firmware, uint8_t *data, size_t size) {
        return trace_get(&firmware->trace, data, size);
}

/* A software source packet of ITM port 0 with one byte of data (ARMv7-M ARM, D4.2.8) */
#define ITM_PORT0_BYTE 0x01

void firmware_print(Firmware *firmware, const char *text) {
        for (; *text; text++) {
                trace_put(&firmware->trace, ITM_PORT0_BYTE);
                trace_put(&firmware->trace, (uint8_t) *text);
        }
}
