/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Numbers and data as people type them. All return 0 or -EINVAL, -ERANGE when it is too large. */

/* "0x20000000", "536870912" */
int parse_u32(const char *text, uint32_t *ret);

/* A size in bytes, also "64K" or "1M" (of 1024 and 1024 * 1024): 1 to 4 GiB. */
int parse_size(const char *text, uint64_t *ret);

/* Data for the target, appended to what is in buffer: "0xDEADBEEF" is a number of as many bytes as
 * it has digits (1, 2 or 4; rounded up), least significant first; "efbeadde" are bytes in the
 * order of memory. -ENOBUFS when it does not fit into size. */
int parse_data(const char *text, uint8_t *buffer, size_t size, size_t *used);
