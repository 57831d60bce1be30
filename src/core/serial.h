/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The serial number of a probe, told apart from what its descriptor happens to hold. */

#define SERIAL_MAX 65 /* a canonical serial with its NUL */

typedef enum SerialKind {
        SERIAL_GOOD,    /* 24 hexadecimal digits, the probe MCU's unique ID */
        SERIAL_RAW,     /* 12 raw bytes in place of text; the canonical form is their hex */
        SERIAL_SHARED,  /* known to stand on many clones */
        SERIAL_ODD,     /* any other text; usable, but it proves little */
        SERIAL_MISSING, /* no serial descriptor, or nothing in it */
} SerialKind;

/* Work out the canonical serial from the text that the kernel shows in sysfs, which is the
 * UTF-8 form of the descriptor's code units. canonical (SERIAL_MAX bytes) becomes upper-case
 * hexadecimal for good and raw serials, printable ASCII for odd ones (as they are, or "x" and
 * hexadecimal where they have other characters than letters, digits and "-_."), "" for a missing
 * one. It is its own canonical form.
 * reported may be NULL. */
SerialKind serial_canonicalize(const char *reported, char *canonical);

/* Whether a serial of that kind is one that no other probe has. */
bool serial_is_proven(SerialKind kind);

/* Make reported printable for people: control and invalid bytes become \xNN. */
void serial_escape(const char *reported, char *buffer, size_t size);

/* The id under which stlinkd knows a probe: the serial when it is good or raw and not used by
 * a second probe (ambiguous), else serial and port ("000000000001@1-1.2"), or "usb-1-1.2"
 * when there is no serial. Stable over re-plug; buffer gets PROBE_ID_MAX bytes. */
#define PROBE_ID_MAX 128
void probe_id_make(const char *canonical, SerialKind kind, bool ambiguous, const char *port_path,
                   char *buffer);
