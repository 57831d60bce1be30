/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/codec.h"

/* A V1 is a SCSI disk: its commands travel in Bulk-Only wrapping (stlink-protocol §2.2). */

#define SCSI_CBW_SIZE 31
#define SCSI_CSW_SIZE 13

/* The command block wrapper that carries a command. */
void scsi_wrap(const Command *command, uint32_t tag, uint8_t *ret_cbw);

/* Whether this is a command status wrapper that says good: 0, -EIO when the probe failed the
 * command, -EPROTO when it is no such wrapper or the probe lost step. */
int scsi_check(const uint8_t *csw, size_t size);

/* What has to follow a command that failed, before the next one is taken. */
Command scsi_request_sense(void);
