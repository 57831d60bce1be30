/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim/device/spec.h"

/* The keys of a specification, one setter each. A setter returns -EINVAL for a value that it
 * does not like; the table knows what it would have liked. */

static const char *const sim_state_table[] = {
        [SIM_STATE_OK] = "ok",
        [SIM_STATE_WEDGED] = "wedged",
        [SIM_STATE_WEDGED_UNTIL_REPLUG] = "wedged-until-replug",
        [SIM_STATE_STALL] = "stall",
        [SIM_STATE_SHORT] = "short",
        [SIM_STATE_GARBAGE] = "garbage",
        [SIM_STATE_BUSY] = "busy",
};
DEFINE_STRING_TABLE(sim_state, SimState);

static int parse_unsigned(const char *text, uint64_t max, uint64_t *ret) {
        char *end;
        unsigned long long value;

        if (!isdigit((unsigned char) *text))
                return -EINVAL;
        errno = 0;
        value = strtoull(text, &end, 10);
        if (errno || *end || value > max)
                return -EINVAL;
        *ret = value;
        return 0;
}

static int parse_hex_bytes(const char *text, uint8_t *bytes, size_t n) {
        if (strlen(text) != 2 * n)
                return -EINVAL;
        for (size_t i = 0; i < n; i++) {
                const char digits[3] = { text[2 * i], text[2 * i + 1] };

                if (!isxdigit((unsigned char) digits[0]) || !isxdigit((unsigned char) digits[1]))
                        return -EINVAL;
                bytes[i] = (uint8_t) strtoul(digits, NULL, 16);
        }
        return 0;
}

#define RAW_SERIAL_SIZE 12 /* stlink-protocol §1.2 */
#define CLONE_SERIAL    "000000000001"

static int set_serial(SimSpec *spec, const char *value) {
        SimSerial serial = {};

        if (strncmp(value, "raw:", 4) == 0) {
                serial.n = RAW_SERIAL_SIZE;
                if (parse_hex_bytes(value + 4, serial.units, serial.n) < 0)
                        return -EINVAL;
        } else if (strcmp(value, "none") != 0) {
                const char *text = strcmp(value, "clone") == 0 ? CLONE_SERIAL : value;

                serial.n = strlen(text);
                if (serial.n == 0 || serial.n > sizeof(serial.units))
                        return -EINVAL;
                for (size_t i = 0; i < serial.n; i++)
                        if (!isascii(text[i]) || !isprint((unsigned char) text[i]))
                                return -EINVAL;
                memcpy(serial.units, text, serial.n);
        }
        spec->serial = serial;
        spec->has_serial = true;
        return 0;
}

static int set_firmware(SimSpec *spec, const char *value) {
        if (strcmp(value, "none") != 0)
                return firmware_version_parse(value, &spec->version);
        spec->has_application = false;
        return 0;
}

static int set_pid(SimSpec *spec, const char *value) {
        uint8_t bytes[2];
        const Product *product;

        if (parse_hex_bytes(value, bytes, sizeof(bytes)) < 0)
                return -EINVAL;
        product = product_find((uint16_t) (bytes[0] << 8 | bytes[1]));
        if (!product || product->is_loader)
                return -EINVAL;
        spec->product = product;
        return 0;
}

static int set_target(SimSpec *spec, const char *value) {
        bool none = strcmp(value, "none") == 0;
        const char *name;

        for (size_t i = 0; !none && (name = target_chip_name(i)); i++)
                if (strcmp(name, value) == 0) {
                        spec->settings.condition.absent = false;
                        (void) snprintf(spec->chip, sizeof(spec->chip), "%s", value);
                        return 0;
                }
        spec->settings.condition.absent = none;
        return none ? 0 : -EINVAL;
}

static int set_text(char **text, const char *value) {
        char *copy;

        if (!*value)
                return -EINVAL;
        copy = strdup(value);
        if (!copy)
                return -ENOMEM;
        free(*text);
        *text = copy;
        return 0;
}

/* A path of ports such as "1-1.2": the door understands it, here it only has to look like one. */
static int set_port(SimSpec *spec, const char *value) {
        if (!isdigit((unsigned char) *value) || value[strspn(value, "0123456789-.")] ||
            !isdigit((unsigned char) value[strlen(value) - 1]) || strlen(value) > 32)
                return -EINVAL;
        return set_text(&spec->port, value);
}

static int set_flash(SimSpec *spec, const char *value) {
        return set_text(&spec->flash, value);
}

static int set_board(SimSpec *spec, const char *value) {
        if (strlen(value) != sizeof(spec->board_id))
                return -EINVAL;
        memcpy(spec->board_id, value, sizeof(spec->board_id));
        return 0;
}

static int set_mode(SimSpec *spec, const char *value) {
        static const char *const names[] = {
                [FIRMWARE_MODE_LOADER] = "loader",
                [FIRMWARE_MODE_MASS] = "mass",
                [FIRMWARE_MODE_DEBUG] = "debug",
                [FIRMWARE_MODE_SWIM] = "swim",
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (strcmp(names[i], value) == 0) {
                        spec->mode = (int) i;
                        return 0;
                }
        return -EINVAL;
}

static int set_condition(SimSpec *spec, const char *value) {
        static const char *const names[] = { "ok", "absent", "unpowered", "asleep", "remapped" };
        TargetCondition *condition = &spec->settings.condition;
        bool is[ELEMENTSOF(names)] = {};
        bool known = false;

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                known |= is[i] = strcmp(names[i], value) == 0;
        if (!known)
                return -EINVAL;
        condition->absent = is[1];
        condition->unpowered = is[2];
        condition->asleep = is[3];
        condition->pins_remapped = is[4];
        return 0;
}

static int set_rdp(SimSpec *spec, const char *value) {
        uint64_t level;

        if (parse_unsigned(value, 2, &level) < 0)
                return -EINVAL;
        spec->settings.condition.rdp = (TargetRdp) level;
        return 0;
}

/* One of two words. */
static int parse_choice(const char *value, const char *no, const char *yes, bool *ret) {
        if (strcmp(value, no) != 0 && strcmp(value, yes) != 0)
                return -EINVAL;
        *ret = strcmp(value, yes) == 0;
        return 0;
}

static int set_nrst(SimSpec *spec, const char *value) {
        return parse_choice(value, "wired", "unwired", &spec->settings.condition.nrst_not_wired);
}

static int set_state(SimSpec *spec, const char *value) {
        int state = sim_state_from_string(value);

        if (state < 0)
                return state;
        spec->settings.state = (SimState) state;
        return 0;
}

static int set_latency(SimSpec *spec, const char *value) {
        return parse_usec(value, &spec->settings.latency);
}

static int set_wire(SimSpec *spec, const char *value) {
        return parse_choice(value, "instant", "real", &spec->settings.real_wire);
}

static int set_reenumerate(SimSpec *spec, const char *value) {
        if (strcmp(value, "never") == 0) {
                spec->settings.reenumerate = USEC_INFINITY;
                return 0;
        }
        return parse_usec(value, &spec->settings.reenumerate);
}

static int set_leave_loader(SimSpec *spec, const char *value) {
        return parse_choice(value, "stay", "reenumerate", &spec->settings.restart_on_exit);
}

static int set_unplug_at(SimSpec *spec, const char *value) {
        return parse_unsigned(value, UINT64_MAX, &spec->settings.unplug_at);
}

static int set_stall_at(SimSpec *spec, const char *value) {
        return parse_unsigned(value, UINT64_MAX, &spec->settings.stall_at);
}

static int set_wedge_at(SimSpec *spec, const char *value) {
        return parse_unsigned(value, UINT64_MAX, &spec->settings.wedge_at);
}

static int set_wait(SimSpec *spec, const char *value) {
        uint64_t count;

        if (parse_unsigned(value, UINT32_MAX, &count) < 0)
                return -EINVAL;
        spec->settings.waits = (unsigned) count;
        return 0;
}

static int set_instructions(SimSpec *spec, const char *value) {
        uint64_t count;

        if (parse_unsigned(value, 100000000, &count) < 0)
                return -EINVAL;
        spec->settings.instructions = (unsigned) count;
        return 0;
}

static int set_vcp(SimSpec *spec, const char *value) {
        return parse_choice(value, "silent", "loopback", &spec->settings.vcp_loopback);
}

static int set_swo(SimSpec *spec, const char *value) {
        if (strlen(value) >= sizeof(spec->settings.swo))
                return -EINVAL;
        (void) snprintf(spec->settings.swo, sizeof(spec->settings.swo), "%s", value);
        return 0;
}

typedef struct Key {
        const char *name;
        int (*set)(SimSpec *spec, const char *value);
        bool live;
        const char *expected;
} Key;

static const Key keys[] = {
        { "serial", set_serial, false, "text, raw: and 24 hex digits, clone, or none" },
        { "firmware", set_firmware, false, "a version such as V2J37S7, or none" },
        { "pid", set_pid, false, "a product ID such as 374e" },
        { "target", set_target, false, "f103, f411, g071, h743 or none" },
        { "flash", set_flash, false, "the name of a file" },
        { "port", set_port, false, "a path of ports such as 1-1.2" },
        { "board", set_board, false, "four characters" },
        { "mode", set_mode, false, "loader, mass, debug or swim" },
        { "condition", set_condition, true, "ok, absent, unpowered, asleep or remapped" },
        { "rdp", set_rdp, true, "0, 1 or 2" },
        { "nrst", set_nrst, true, "wired or unwired" },
        { "state", set_state, true,
          "ok, wedged, wedged-until-replug, stall, short, garbage or busy" },
        { "latency", set_latency, true, "a time such as 20ms" },
        { "wire", set_wire, true, "instant or real" },
        { "reenumerate", set_reenumerate, true, "a time such as 500ms, or never" },
        { "leave-loader", set_leave_loader, true, "stay or reenumerate" },
        { "unplug-at", set_unplug_at, true, "a number of transfers" },
        { "stall-at", set_stall_at, true, "a number of transfers" },
        { "wedge-at", set_wedge_at, true, "a number of transfers" },
        { "wait", set_wait, true, "a number of accesses" },
        { "instructions", set_instructions, true, "a number up to 100000000" },
        { "vcp", set_vcp, true, "loopback or silent" },
        { "swo", set_swo, true, "a text of up to 255 characters" },
};

int spec_set(SimSpec *spec, const char *key, const char *value, bool live, char **ret_error) {
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                int r;

                if (strcmp(keys[i].name, key) != 0)
                        continue;
                if (live && !keys[i].live)
                        return spec_error(ret_error, "\"%s\" cannot change while the probe exists",
                                          key);
                r = keys[i].set(spec, value);
                if (r == -ENOMEM)
                        return r;
                if (r < 0)
                        return spec_error(ret_error, "bad value \"%s\" for \"%s\": expected %s",
                                          value, key, keys[i].expected);
                return 0;
        }
        return spec_error(ret_error, "unknown key \"%s\"", key);
}
