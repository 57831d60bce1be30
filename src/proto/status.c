/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/status.h"
#include "base/macro.h"

typedef struct StatusEntry {
        uint8_t status;
        uint8_t class;
        const char *name;
        const char *text;
} StatusEntry;

/* stlink-protocol §4 */
static const StatusEntry table[] = {
        { STATUS_OK, STATUS_CLASS_OK, "ok", "done" },
        { STATUS_GET_IDCODE_ERROR, STATUS_CLASS_TARGET, "get-idcode-error",
          "no target answers on SWD: it has no power, a wire is off or swapped, it sleeps, its "
          "program uses the SWD pins for something else, or it is locked for good (read-out "
          "protection level 2)" },
        { STATUS_NO_DEVICE_CONNECTED, STATUS_CLASS_TARGET, "no-device-connected",
          "no target is connected" },
        { STATUS_UNKNOWN_JTAG_CHAIN, STATUS_CLASS_TARGET, "unknown-jtag-chain",
          "the JTAG chain is not one that the probe knows" },
        { STATUS_DEBUG_POWER_ERROR, STATUS_CLASS_TARGET, "debug-power-error",
          "the target does not power up its debug port; it may be asleep" },
        { STATUS_AP_WAIT, STATUS_CLASS_WAIT, "ap-wait", "the target was busy for too long" },
        { STATUS_DP_WAIT, STATUS_CLASS_WAIT, "dp-wait",
          "the target's debug port was busy for too long; it may be asleep" },
        { STATUS_AP_FAULT, STATUS_CLASS_FAULT, "ap-fault",
          "the target refused the access: nothing is at that address, or it is read-out "
          "protected" },
        { STATUS_DP_FAULT, STATUS_CLASS_FAULT, "dp-fault",
          "the target's debug port refused the access" },
        { STATUS_FAULT, STATUS_CLASS_FAULT, "fault", "the target refused the access" },
        { STATUS_AP_STICKY_ERROR, STATUS_CLASS_FAULT, "ap-sticky-error",
          "an earlier access failed and blocks the target's debug port" },
        { STATUS_AP_STICKY_OVERRUN, STATUS_CLASS_FAULT, "ap-sticky-overrun",
          "accesses came faster than the target could take them" },
        { STATUS_UNKNOWN_ERROR, STATUS_CLASS_FAULT, "unknown-error",
          "the access failed, and this firmware does not say why" },
        { STATUS_AP_WDATA_ERROR, STATUS_CLASS_FAULT, "ap-wdata-error",
          "data was damaged on its way to the target; look at wires and SWD clock" },
        { STATUS_AP_ERROR, STATUS_CLASS_TARGET, "ap-error", "the target stopped answering on SWD" },
        { STATUS_DP_ERROR, STATUS_CLASS_TARGET, "dp-error", "the target stopped answering on SWD" },
        { STATUS_AP_PARITY_ERROR, STATUS_CLASS_TARGET, "ap-parity-error",
          "data was damaged on its way from the target; look at wires and SWD clock" },
        { STATUS_DP_PARITY_ERROR, STATUS_CLASS_TARGET, "dp-parity-error",
          "data was damaged on its way from the target; look at wires and SWD clock" },
        { STATUS_BAD_AP, STATUS_CLASS_TARGET, "bad-ap",
          "the target has no such access port, or the probe cannot use it" },
        { STATUS_TOO_MANY_APS, STATUS_CLASS_TARGET, "too-many-aps",
          "the target has more access ports than the probe can handle" },
        { STATUS_WRITE_ERROR, STATUS_CLASS_TARGET, "write-error", "a write to the target failed" },
        { STATUS_WRITE_VERIFY_ERROR, STATUS_CLASS_OK, "write-verify-error",
          "written, but the probe read something else back" },
        { STATUS_ALIGNMENT_ERROR, STATUS_CLASS_PROBE, "alignment-error",
          "the address does not suit the size of the access" },
        { STATUS_OPENED_IN_OTHER_MODE, STATUS_CLASS_PROBE, "opened-in-other-mode",
          "the probe is in use in another mode" },
        { STATUS_COMMAND_WAIT, STATUS_CLASS_PROBE, "command-wait", "the probe is busy" },
        { STATUS_COMMAND_ERROR, STATUS_CLASS_PROBE, "command-error",
          "the probe could not carry out the command" },
        { STATUS_INTERNAL_ERROR, STATUS_CLASS_PROBE, "internal-error",
          "the probe had an internal error, or did not like an argument" },
        { STATUS_SPI_ERROR, STATUS_CLASS_PROBE, "spi-error", "the probe had an internal error" },
        { STATUS_DMA_ERROR, STATUS_CLASS_PROBE, "dma-error", "the probe had an internal error" },
        { STATUS_SWV_NOT_AVAILABLE, STATUS_CLASS_PROBE, "swv-not-available",
          "trace is not available on this probe" },
        { STATUS_LOADER_NOT_AVAILABLE, STATUS_CLASS_PROBE, "loader-not-available",
          "this probe's boot loader cannot be started by command" },
        { STATUS_CONFIGURATION_CHANGED, STATUS_CLASS_PROBE, "configuration-changed",
          "the probe changed its configuration" },
        { STATUS_FREQUENCY_NOT_SUPPORTED, STATUS_CLASS_PROBE, "frequency-not-supported",
          "the probe cannot run SWD at that clock" },
        { STATUS_UNKNOWN_COMMAND, STATUS_CLASS_PROBE, "unknown-command",
          "the probe's firmware is too old for this command" },
};

static const StatusEntry *status_find(uint8_t status) {
        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (table[i].status == status)
                        return &table[i];
        return NULL;
}

StatusClass status_class(uint8_t status) {
        const StatusEntry *entry = status_find(status);

        return entry ? (StatusClass) entry->class : STATUS_CLASS_INVALID;
}

bool status_is_about_target(uint8_t status) {
        StatusClass class = status_class(status);

        return class == STATUS_CLASS_TARGET || class == STATUS_CLASS_FAULT ||
               class == STATUS_CLASS_WAIT;
}

bool status_is_about_ap(uint8_t status) {
        return status == STATUS_BAD_AP || status == STATUS_TOO_MANY_APS;
}

const char *status_name(uint8_t status) {
        const StatusEntry *entry = status_find(status);

        return entry ? entry->name : NULL;
}

const char *status_text(uint8_t status) {
        const StatusEntry *entry = status_find(status);

        return entry ? entry->text : "the probe gave a status that stlinkd does not know";
}
