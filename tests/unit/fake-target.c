/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake-target.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

#define DHCSR UINT32_C(0xe000edf0)
#define DCRSR UINT32_C(0xe000edf4)
#define DCRDR UINT32_C(0xe000edf8)
#define AIRCR UINT32_C(0xe000ed0c)

struct Target {
        FakeTarget fake;
};

FakeTarget *fake_target(Target *target) {
        return &target->fake;
}

int target_new(_unused_ const char *chip, Target **ret) {
        Target *target = calloc(1, sizeof(*target));

        if (!target)
                return -ENOMEM;
        target->fake.ack = SWD_ACK_OK;
        target->fake.powers_up = true;
        target->fake.dpidr = 0x1ba01477;
        target->fake.millivolts = 3300;
        *ret = target;
        return 0;
}

Target *target_free(Target *target) {
        free(target);
        return NULL;
}

const char *target_chip_name(size_t index) {
        static const char *const names[] = { "f103", "f411" };

        return index < ELEMENTSOF(names) ? names[index] : NULL;
}

void target_set_condition(Target *target, const TargetCondition *condition) {
        target->fake.condition = *condition;
}

const TargetCondition *target_get_condition(const Target *target) {
        return &target->fake.condition;
}

const TargetCounters *target_get_counters(const Target *target) {
        return &target->fake.counters;
}

void target_reset_counters(Target *target) {
        target->fake.counters = (TargetCounters){};
}

unsigned target_millivolts(const Target *target) {
        return target->fake.millivolts;
}

void target_set_nrst(Target *target, bool low) {
        if (target->fake.nrst_low && !low)
                target->fake.counters.resets++;
        target->fake.nrst_low = low;
}

SwdAck target_swd_connect(Target *target, uint32_t *ret_dpidr) {
        if (target->fake.condition.absent)
                return SWD_ACK_NONE;
        *ret_dpidr = target->fake.dpidr;
        return SWD_ACK_OK;
}

static SwdAck fake_ack(FakeTarget *fake) {
        if (fake->sticky)
                return SWD_ACK_FAULT;
        fake->sticky = fake->ack == SWD_ACK_FAULT;
        return fake->ack;
}

SwdAck target_dp_read(Target *target, uint8_t address, uint32_t *ret) {
        FakeTarget *fake = &target->fake;

        if (fake->ack != SWD_ACK_OK)
                return fake->ack;
        if (address == 0)
                *ret = fake->dpidr;
        else if (address == 4)
                *ret = (fake->select & 0xf) ? 0xb0000000 | (fake->select & 0xf) : fake->ctrl_stat;
        else
                *ret = 0;
        return SWD_ACK_OK;
}

SwdAck target_dp_write(Target *target, uint8_t address, uint32_t value) {
        FakeTarget *fake = &target->fake;

        if (address == 0) {
                fake->last_abort = value;
                fake->aborts += value == 0x1e;
                fake->sticky &= !(value & 4);
        } else if (address == 4) {
                fake->ctrl_stat = fake->powers_up ? value | (value & 0x50000000) << 1 : value;
        } else if (address == 8) {
                fake->select = value;
        }
        return address == 0 ? SWD_ACK_OK : fake->ack;
}

SwdAck target_ap_read(Target *target, uint8_t ap, uint8_t address, uint32_t *ret) {
        target->fake.last_ap = ap;
        *ret = address == 0xfc && ap == 0 ? 0x14770011 : 0;
        return fake_ack(&target->fake);
}

SwdAck target_ap_write(Target *target, uint8_t ap, _unused_ uint8_t address,
                       _unused_ uint32_t value) {
        target->fake.last_ap = ap;
        return fake_ack(&target->fake);
}

static bool fake_register(FakeTarget *fake, uint32_t address, uint32_t *value, bool write) {
        switch (address) {
        case DHCSR:
                if (write)
                        fake->dhcsr = *value;
                else
                        *value = 1u << 16 | (fake->dhcsr & 2 ? 1u << 17 : 0);
                return true;
        case DCRSR:
                if (write && *value & 1u << 16)
                        fake->registers[*value & 31] = fake->dcrdr;
                else if (write)
                        fake->dcrdr = fake->registers[*value & 31];
                return true;
        case DCRDR:
                *(write ? &fake->dcrdr : value) = *(write ? value : &fake->dcrdr);
                return true;
        case AIRCR:
                fake->counters.resets += write && *value == 0x05fa0004;
                return true;
        default:
                return false;
        }
}

static SwdAck fake_access(FakeTarget *fake, const TargetAccess *access, uint8_t *data, size_t size,
                          bool write, uint32_t *ret_fault) {
        uint32_t offset = access->address - FAKE_MEMORY, value = get_le32(data);
        SwdAck ack = fake_ack(fake);

        fake->last_access = *access;
        *ret_fault = access->address;
        if (ack != SWD_ACK_OK)
                return ack;
        if (size == 4 && fake_register(fake, access->address, &value, write)) {
                if (!write)
                        put_le32(data, value);
                return SWD_ACK_OK;
        }
        if (access->address < FAKE_MEMORY || offset + size > sizeof(fake->memory)) {
                fake->sticky = true;
                return SWD_ACK_FAULT;
        }
        memcpy(write ? fake->memory + offset : data, write ? data : fake->memory + offset, size);
        return SWD_ACK_OK;
}

SwdAck target_read_memory(Target *target, const TargetAccess *access, uint8_t *data, size_t size,
                          uint32_t *ret_fault) {
        return fake_access(&target->fake, access, data, size, /* write= */ false, ret_fault);
}

SwdAck target_write_memory(Target *target, const TargetAccess *access, const uint8_t *data,
                           size_t size, uint32_t *ret_fault) {
        uint8_t copy[65536];

        if (size > sizeof(copy))
                return SWD_ACK_FAULT;
        memcpy(copy, data, size);
        return fake_access(&target->fake, access, copy, size, /* write= */ true, ret_fault);
}

void target_run(Target *target, unsigned instructions) {
        target->fake.instructions += instructions;
}

int target_load(Target *target, uint32_t address, const uint8_t *data, size_t size) {
        if (size > sizeof(target->fake.memory) || address != UINT32_C(0x08000000))
                return -ERANGE;
        memcpy(target->fake.memory, data, size);
        return 0;
}
