/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/macro.h"
#include "core/ids.h"
#include "core/serial.h"
#include "core/tool-selector.h"

static const char *const tool_table[_TOOL_MAX] = {
        [TOOL_OPENOCD] = "openocd",
        [TOOL_STLINK] = "stlink",
        [TOOL_PYOCD] = "pyocd",
        [TOOL_PROBE_RS] = "probe-rs",
        [TOOL_CUBEPROGRAMMER] = "cubeprogrammer",
};
DEFINE_STRING_TABLE(tool, Tool)

#define UID_BYTES  12
#define UID_DIGITS 24

/* Enough for 12 units of two bytes of UTF-8 each, in hexadecimal */
#define FORM_MAX (2 * SERIAL_MAX)

static SerialKind kind_of(const ToolProbe *probe) {
        char ignored[SERIAL_MAX];
        SerialKind kind = serial_canonicalize(probe->serial, ignored);

        /* Raw bytes have a canonical form that looks like a good serial, but is not what the
         * descriptor says. */
        if (kind == SERIAL_GOOD && probe->reported &&
            strcasecmp(probe->serial, probe->reported) != 0)
                return SERIAL_RAW;
        return kind;
}

static void hex_of(const char *bytes, size_t n, char *form) {
        for (size_t i = 0; i < n; i++)
                (void) snprintf(form + 2 * i, 3, "%02X", (unsigned char) bytes[i]);
}

/* 24 digits, which OpenOCD, stlink, pyOCD and ST make of 12 characters or bytes as well
 * (stlink-protocol §1.2). A good serial is passed as the descriptor spells it: OpenOCD compares
 * letter by letter. -ENODATA when there is no such form. */
static int form_of_digits(const ToolProbe *probe, SerialKind kind, char *form) {
        if (kind == SERIAL_GOOD)
                (void) snprintf(form, FORM_MAX, "%s",
                                probe->reported ? probe->reported : probe->serial);
        else if (kind == SERIAL_RAW || (probe->serial && strlen(probe->serial) == UID_DIGITS))
                (void) snprintf(form, FORM_MAX, "%s", probe->serial);
        else if (kind == SERIAL_SHARED && strlen(probe->serial) == UID_BYTES)
                hex_of(probe->serial, UID_BYTES, form);
        else
                return -ENODATA;
        return 0;
}

static unsigned from_digit(char c) {
        return (unsigned) (c <= '9' ? c - '0' : c - 'A' + 10);
}

/* The kernel's text for raw bytes: each becomes a character, in UTF-8. A 00 at the end is not
 * there (see units_are_raw() in serial.c). */
static size_t raw_as_utf8(const char *serial, char *text) {
        size_t n = 0;

        for (size_t i = 0; i < UID_BYTES; i++) {
                unsigned byte = from_digit(serial[2 * i]) << 4 | from_digit(serial[2 * i + 1]);

                if (byte == 0)
                        break;
                if (byte >= 0x80)
                        text[n++] = (char) (0xC0 | byte >> 6);
                text[n++] = (char) (byte < 0x80 ? byte : 0x80 | (byte & 0x3F));
        }
        text[n] = '\0';
        return n;
}

/* probe-rs takes the kernel's text, and its bytes in hexadecimal when they are less than 24
 * (read_serial_number() in its probe/stlink/tools.rs, versions 0.14 to 0.32). */
static int form_of_probe_rs(const ToolProbe *probe, SerialKind kind, char *form) {
        char text[SERIAL_MAX];
        size_t n;

        /* Odd characters, which are escaped in what was reported */
        if (kind == SERIAL_MISSING || (kind == SERIAL_ODD && probe->serial[0] == 'x'))
                return -ENODATA;
        if (kind == SERIAL_RAW)
                n = raw_as_utf8(probe->serial, text);
        else {
                const char *reported = probe->reported ? probe->reported : probe->serial;

                (void) snprintf(text, sizeof(text), "%s", reported);
                n = strlen(text);
        }
        if (n < UID_DIGITS)
                hex_of(text, n, form);
        else
                (void) snprintf(form, FORM_MAX, "%s", text);
        return 0;
}

_printf_(2, 3) static void add(ToolSelector *selector, const char *format, ...) {
        va_list args;

        va_start(args, format);
        (void) vsnprintf(selector->words[selector->n_words++], TOOL_WORD_MAX, format, args);
        va_end(args);
}

/* OpenOCD can also go by the port (its manual, "adapter usb location"), so it never needs a serial
 * that is shared or odd. */
static int make_openocd(const ToolProbe *probe, SerialKind kind, ToolSelector *selector) {
        char form[FORM_MAX];

        add(selector, "%s", "-c");
        selector->by_port = probe->ambiguous || (kind != SERIAL_GOOD && kind != SERIAL_RAW) ||
                            form_of_digits(probe, kind, form) < 0;
        if (selector->by_port)
                add(selector, "adapter usb location %s", probe->port_path);
        else
                add(selector, "adapter serial %s", form);
        return 0;
}

static int make_by_serial(Tool tool, const ToolProbe *probe, SerialKind kind,
                          ToolSelector *selector) {
        char form[FORM_MAX];
        int r = tool == TOOL_PROBE_RS ? form_of_probe_rs(probe, kind, form)
                                      : form_of_digits(probe, kind, form);

        if (r < 0)
                return r;
        if (probe->ambiguous)
                return -ENOTUNIQ;
        switch (tool) {
        case TOOL_STLINK: /* st-flash(1) */
                add(selector, "%s", "--serial");
                add(selector, "%s", form);
                break;
        case TOOL_PYOCD: /* pyocd --help; its unique ID is the serial */
                add(selector, "%s", "--uid");
                add(selector, "%s", form);
                break;
        case TOOL_PROBE_RS: /* probe-rs run --help: --probe VID:PID:SERIAL, $PROBE_RS_PROBE */
                add(selector, "%s", "--probe");
                add(selector, "%04x:%04x:%s", STLINK_VENDOR_ID, probe->product_id, form);
                selector->variable = "PROBE_RS_PROBE";
                break;
        default: /* STM32_Programmer_CLI, UM2237 §3.2.1 */
                add(selector, "%s", "-c");
                add(selector, "%s", "port=SWD");
                add(selector, "sn=%s", form);
        }
        return 0;
}

int tool_selector_make(Tool tool, const ToolProbe *probe, ToolSelector *ret) {
        const ProbeProduct *product = probe_product_find(STLINK_VENDOR_ID, probe->product_id);
        ToolSelector selector = {};
        SerialKind kind = kind_of(probe);
        int r;

        /* V1 is in the tables of OpenOCD and stlink alone (stlink-protocol §1.1). */
        if (product && product->model == PROBE_MODEL_V1 && tool != TOOL_OPENOCD &&
            tool != TOOL_STLINK)
                return -EOPNOTSUPP;
        r = tool == TOOL_OPENOCD ? make_openocd(probe, kind, &selector)
                                 : make_by_serial(tool, probe, kind, &selector);
        if (r >= 0)
                *ret = selector;
        return r;
}
