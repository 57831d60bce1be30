/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/macro.h"
#include "proto/scsi.h"

#define CBW_SIGNATURE 0x43425355 /* "USBC", Bulk-Only 1.0 §5.1 */
#define CSW_SIGNATURE 0x53425355 /* "USBS", §5.2 */
#define CBW_IN        0x80
#define CDB_OFFSET    15
#define CDB_MIN       10 /* what stlink-org always sends; the rest is zeros */

void scsi_wrap(const Command *command, uint32_t tag, uint8_t *ret_cbw) {
        memset(ret_cbw, 0, SCSI_CBW_SIZE);
        put_le32(ret_cbw, CBW_SIGNATURE);
        put_le32(ret_cbw + 4, tag);
        put_le32(ret_cbw + 8, command->in_size > 0 ? command->in_size : command->out_size);
        ret_cbw[12] = command->in_size > 0 ? CBW_IN : 0;
        ret_cbw[14] = (uint8_t) MAX(command->used, CDB_MIN);
        memcpy(ret_cbw + CDB_OFFSET, command->bytes, COMMAND_SIZE);
}

int scsi_check(const uint8_t *csw, size_t size) {
        /* The tag is not compared: the probe is known to ignore it. */
        if (size != SCSI_CSW_SIZE || get_le32(csw) != CSW_SIGNATURE || csw[12] > 1)
                return -EPROTO;
        return csw[12] == 0 ? 0 : -EIO;
}

Command scsi_request_sense(void) {
        enum {
                OP_REQUEST_SENSE = 0x03,
                SENSE_SIZE = 18,
        };

        return (Command){ .bytes = { OP_REQUEST_SENSE, 0, 0, 0, SENSE_SIZE },
                          .used = 6,
                          .in_size = SENSE_SIZE };
}
