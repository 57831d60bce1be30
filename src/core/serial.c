/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "base/text.h"
#include "core/serial.h"

/* A USB string descriptor holds at most 126 UTF-16 code units. */
#define UNITS_MAX 126
/* The unique ID of an STM32 has 96 bits. */
#define UID_BYTES  12
#define UID_DIGITS 24

/* Take the descriptor's code units back out of the UTF-8 that the kernel made of them. Bytes
 * that are no UTF-8 stand for themselves. Returns how many there are. */
static size_t decode_units(const char *text, uint32_t *units) {
        size_t length = strlen(text), n = 0;

        for (size_t i = 0; i < length && n < UNITS_MAX; n++) {
                size_t used = utf8_decode(text + i, length - i, &units[n]);

                if (used == 0) {
                        units[n] = (uint8_t) text[i];
                        used = 1;
                }
                i += used;
        }
        return n;
}

static bool unit_is_hex(uint32_t unit) {
        return unit < 0x80 && isxdigit((int) unit);
}

/* Characters that are safe in an object path's source, a file name and a command line */
static bool unit_is_plain(uint32_t unit) {
        return unit < 0x80 && (isalnum((int) unit) || strchr("-_.", (int) unit)) && unit != 0;
}

static size_t count_leading(const uint32_t *units, size_t n, bool (*is)(uint32_t)) {
        size_t i = 0;

        while (i < n && is(units[i]))
                i++;
        return i;
}

/* Write the low bytes of n units as hexadecimal, padded with 00 to at least least bytes. */
static void write_hex(const uint32_t *units, size_t n, size_t least, char *canonical) {
        for (size_t i = 0; i < n || i < least; i++)
                snprintf(canonical + 2 * i, 3, "%02X", i < n ? (unsigned) (units[i] & 0xff) : 0u);
}

static void write_text(const uint32_t *units, size_t n, bool upper, char *canonical) {
        for (size_t i = 0; i < n; i++)
                canonical[i] = (char) (upper ? toupper((int) units[i]) : (int) units[i]);
        canonical[n] = 0;
}

/* What stands on many units: "000000000001" on V1 and V2 clones (stlink-protocol §1.2), also
 * when a clone has it as hexadecimal; "0000001" on V1; erased flash. */
static bool text_is_shared(const char *text) {
        size_t n = strlen(text), zeros = strspn(text, "0");

        return zeros == n || (zeros == n - 1 && n > 1 && text[n - 1] == '1') ||
               strspn(text, "Ff") == n;
}

/* Twelve units of at most a byte each are the unique ID itself: old V2 firmware puts the raw
 * bytes where text belongs (descriptor length 26). The kernel stops at a unit 0000; eleven
 * units that are no text can therefore only be such an ID with 00 as its last byte. */
static bool units_are_raw(const uint32_t *units, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (units[i] > 0xff)
                        return false;
        return n == UID_BYTES || (n == UID_BYTES - 1 && count_leading(units, n, unit_is_plain) < n);
}

static bool units_are_good(const uint32_t *units, size_t n) {
        return n == UID_DIGITS && count_leading(units, n, unit_is_hex) == n;
}

SerialKind serial_canonicalize(const char *reported, char *canonical) {
        static const char shared_hex[] = "303030303030303030303031";
        uint32_t units[UNITS_MAX];
        size_t n = reported ? decode_units(reported, units) : 0;
        size_t end = n;
        bool good;

        /* Spaces at the end mean nothing, except inside twelve raw bytes. */
        while (end > 0 && units[end - 1] == ' ')
                end--;
        canonical[0] = 0;
        if (end == 0)
                return SERIAL_MISSING;
        if (n != UID_BYTES)
                n = end;

        good = units_are_good(units, n);
        if (n < SERIAL_MAX && count_leading(units, n, unit_is_plain) == n) {
                write_text(units, n, good, canonical);
                if (strcmp(canonical, shared_hex) == 0)
                        strcpy(canonical, "000000000001");
                if (text_is_shared(canonical))
                        return SERIAL_SHARED;
                /* Any other twelve characters are the bytes of an ID that happen to be plain. */
                if (n != UID_BYTES)
                        return good ? SERIAL_GOOD : SERIAL_ODD;
        }
        if (units_are_raw(units, n)) {
                write_hex(units, n, UID_BYTES, canonical);
                return text_is_shared(canonical) ? SERIAL_SHARED : SERIAL_RAW;
        }
        /* The x tells it from text that looks like it, and from a serial of twelve bytes. */
        canonical[0] = 'x';
        write_hex(units, MIN(n, (size_t) (SERIAL_MAX - 2) / 2), 0, canonical + 1);
        return SERIAL_ODD;
}

bool serial_is_proven(SerialKind kind) {
        return kind == SERIAL_GOOD || kind == SERIAL_RAW;
}

void serial_escape(const char *reported, char *buffer, size_t size) {
        (void) text_escape(reported ? reported : "", reported ? strlen(reported) : 0, buffer, size);
}

void probe_id_make(const char *canonical, SerialKind kind, bool ambiguous, const char *port_path,
                   char *buffer) {
        bool unique = kind == SERIAL_GOOD || kind == SERIAL_RAW;

        if (kind == SERIAL_MISSING || canonical[0] == 0)
                snprintf(buffer, PROBE_ID_MAX, "usb-%s", port_path);
        else if (unique && !ambiguous)
                snprintf(buffer, PROBE_ID_MAX, "%s", canonical);
        else
                snprintf(buffer, PROBE_ID_MAX, "%s@%s", canonical, port_path);
}
