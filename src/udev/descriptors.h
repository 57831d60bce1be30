/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the descriptors of a device (as in the sysfs file "descriptors": the device's, then
 * each configuration's) have a debug interface as every ST-LINK but V1 has it
 * (stlink-protocol §1.1): interface 0, alternate setting 0, class FF/FF/FF, with two or three
 * bulk endpoints, IN 81, OUT 01 or 02 and, if there is a third, IN 82 or 83 for trace. */
bool descriptors_look_like_stlink(const uint8_t *data, size_t size);

/* Whether an ID of ST's is in the range that ST-LINKs use. */
bool product_id_is_in_range(uint16_t product_id);
