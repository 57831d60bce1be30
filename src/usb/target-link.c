/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "base/bytes.h"
#include "proto/memory.h"
#include "proto/swd.h"
#include "usb/target-link.h"

static const Firmware *link_firmware(const TargetLink *link) {
        return &probe_session_info(link->session)->firmware;
}

static int link_command(TargetLink *link, const Command *command, uint32_t *ret_value) {
        SwdAccess access;
        int r;

        swd_access_init(&access, link_firmware(link), command);
        r = probe_session_access(link->session, &access);
        if (r >= 0 && ret_value)
                *ret_value = access.value;
        return r;
}

int target_link_init(TargetLink *link, ProbeSession *session, uint8_t ap) {
        Command open = command_open_ap(ap);
        int r;

        *link = (TargetLink){ .session = session, .ap = ap };
        if (ap == 0)
                return 0;
        if (!firmware_supports(link_firmware(link), FIRMWARE_MEMORY_AP))
                return -EOPNOTSUPP;
        r = link_command(link, &open, NULL);
        link->ap_open = r >= 0;
        if (r < 0)
                link->session = NULL; /* there is nothing that an address could say */
        return r;
}

/* Read or write: exactly one of in and out. */
static int link_block(TargetLink *link, uint32_t address, uint8_t *in, const uint8_t *out,
                      size_t size) {
        unsigned swd_khz = probe_session_info(link->session)->swd_khz;

        if (size > (uint64_t) UINT32_MAX + 1 - address)
                return -ERANGE;
        for (size_t done = 0; done < size;) {
                MemoryAccess memory =
                        memory_next_access(link_firmware(link), swd_khz, link->ap,
                                           address + (uint32_t) done, (uint32_t) (size - done));
                SwdAccess access;
                int r = in ? swd_access_init_read(&access, link_firmware(link), &memory, in + done)
                           : swd_access_init_write(&access, link_firmware(link), &memory,
                                                   out + done);

                if (r >= 0)
                        r = probe_session_access(link->session, &access);
                if (r < 0) {
                        link->fault_address =
                                access.fault_address ? access.fault_address : memory.address;
                        return r;
                }
                done += memory.size;
        }
        return 0;
}

int target_link_read(TargetLink *link, uint32_t address, uint8_t *data, size_t size) {
        return link_block(link, address, data, NULL, size);
}

int target_link_write(TargetLink *link, uint32_t address, const uint8_t *data, size_t size) {
        return link_block(link, address, NULL, data, size);
}

int target_link_read_word(TargetLink *link, uint32_t address, uint32_t *ret) {
        Command command = command_read_word(address);
        uint8_t data[4];
        int r;

        /* One command and not two, but without a choice of the access port. */
        link->fault_address = address;
        if (link->ap == 0)
                return link_command(link, &command, ret);
        r = target_link_read(link, address, data, sizeof(data));
        if (r >= 0)
                *ret = get_le32(data);
        return r;
}

int target_link_write_word(TargetLink *link, uint32_t address, uint32_t value) {
        Command command = command_write_word(address, value);
        uint8_t data[4];

        link->fault_address = address;
        if (link->ap == 0)
                return link_command(link, &command, NULL);
        put_le32(data, value);
        return target_link_write(link, address, data, sizeof(data));
}
