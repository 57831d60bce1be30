/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "ctl/target.h"

/* CPUID bits 15:4 (ARMv6-M, ARMv7-M and ARMv8-M reference manuals, and each core's own). */
static const struct {
        uint16_t part;
        const char *name;
} cores[] = {
        { 0xC20, "Cortex-M0" },  { 0xC21, "Cortex-M1" },  { 0xC23, "Cortex-M3" },
        { 0xC24, "Cortex-M4" },  { 0xC27, "Cortex-M7" },  { 0xC60, "Cortex-M0+" },
        { 0xD20, "Cortex-M23" }, { 0xD21, "Cortex-M33" }, { 0xD22, "Cortex-M55" },
        { 0xD23, "Cortex-M85" },
};

const char *target_core_name(uint32_t cpuid) {
        for (size_t i = 0; i < ELEMENTSOF(cores); i++)
                if (cores[i].part == (cpuid >> 4 & 0xfff))
                        return cores[i].name;
        return NULL;
}

static void set_hex(Row *row, const char *key, uint32_t value) {
        char text[16];

        if (value == 0) {
                row_set_none(row, key);
                return;
        }
        (void) snprintf(text, sizeof(text), "0x%08x", value);
        row_set_string(row, key, text);
}

static void describe_device(Row *row, const ProbeTarget *target) {
        const Chip *chip = target->chip;

        set_hex(row, "idcode", target->idcode);
        row_set_string(row, "device", chip ? chip->name : NULL);
        row_set_string(row, "family", chip ? chip->family : NULL);
        if (chip)
                row_set_text(row, "device", "%s (device id 0x%03x, revision 0x%04x)", chip->name,
                             chip->device_id, target->idcode >> 16);
        else if (target->idcode)
                row_set_text(row, "device", "not in our table (IDCODE 0x%08x)", target->idcode);
        if (target->flash_kib == 0) {
                row_set_none(row, "flash_kib");
                return;
        }
        row_set_integer(row, "flash_kib", target->flash_kib);
        row_set_text(row, "flash_kib", "%u KiB", target->flash_kib);
}

static void describe_core(Row *row, uint32_t cpuid) {
        const char *name = target_core_name(cpuid);

        row_set_string(row, "core", name);
        if (name)
                row_set_text(row, "core", "%s r%up%u", name, cpuid >> 20 & 0xf, cpuid & 0xf);
}

static void describe_probe_side(Row *row, const ProbeInfo *info) {
        char name[FIRMWARE_NAME_MAX];

        firmware_name(&info->firmware, name, sizeof(name));
        row_set_string(row, "firmware", name);
        row_set_string(row, "mode", probe_mode_to_string(info->mode));
        row_set_integer(row, "swd_khz", info->swd_khz);
        if (info->swd_khz > 0)
                row_set_text(row, "swd_khz", "%u kHz", info->swd_khz);
        else
                row_set_none(row, "swd_khz");
        row_set_integer(row, "commands", info->commands);
        if (info->millivolts < 0) {
                row_set_none(row, "target_millivolts");
                return;
        }
        row_set_integer(row, "target_millivolts", info->millivolts);
        row_set_text(row, "target_millivolts", "%d.%02d V", info->millivolts / 1000,
                     info->millivolts % 1000 / 10);
}

void target_describe(Row *row, const ProbeInfo *info, const ProbeTarget *target) {
        describe_probe_side(row, info);
        set_hex(row, "dpidr", target->dpidr);
        set_hex(row, "cpuid", target->cpuid);
        describe_core(row, target->cpuid);
        describe_device(row, target);
}

static const char *rdp_words(Rdp rdp) {
        switch (rdp) {
        case RDP_LEVEL_0:
                return "not protected";
        case RDP_LEVEL_HALF:
                return "its secure part is protected (level 0.5)";
        case RDP_LEVEL_1:
                return "protected (level 1); lifting that erases the flash";
        case RDP_LEVEL_2:
                return "protected for good (level 2)";
        case RDP_UNKNOWN:
                break;
        }
        return "";
}

void target_describe_details(Row *row, const TargetDetails *details) {
        const char *state = core_state_to_string(details->core);

        set_hex(row, "ap_idr", details->ap_idr);
        row_set_string(row, "core_state", state);
        row_set_boolean(row, "debugged", details->debugged);
        if (state && details->debugged)
                row_set_text(row, "core_state", "%s, with debugging enabled", state);
        row_set_string(row, "rdp", rdp_to_string(details->rdp));
        if (details->rdp != RDP_UNKNOWN)
                row_set_text(row, "rdp", "%s", rdp_words(details->rdp));
}

void target_describe_reset(Row *row, ResetLine line) {
        row_set_string(row, "reset",
                       line == RESET_NRST     ? "nrst"
                       : line == RESET_SYSTEM ? "system"
                                              : NULL);
        row_set_text(row, "reset",
                     line == RESET_NRST ? "resets the target"
                                        : "does not reach the target; its core was asked to "
                                          "reset it");
}
