/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Text of unknown origin: device strings, names and arguments of processes. */

/* Decode the code point at the start of text, of which length bytes may be read. Returns the
 * number of bytes it takes, or 0 when they are no valid UTF-8 (or length is 0). */
size_t utf8_decode(const char *text, size_t length, uint32_t *ret);

/* Copy text so that it can be shown on a terminal: control characters, invisible and
 * direction-changing ones and whatever is no valid UTF-8 become \xNN, byte by byte. What does
 * not fit into size bytes is cut between characters, never inside an escape. Returns the
 * length of what is in buffer, which always ends with a NUL. */
size_t text_escape(const char *text, size_t length, char *buffer, size_t size);
