/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sim/target/target.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "sim/target/bus.h"
#include "sim/target/chips.h"
#include "sim/target/cortex.h"
#include "sim/target/dap.h"

#define SUPPLY_MILLIVOLTS 3280

struct Target {
        const Chip *chip;
        Bus bus;
        Cortex cortex;
        Dap dap;
        TargetCondition condition;
        TargetCounters counters;
        bool nrst_low;
        bool idcode_was_read, flash_size_was_read; /* since the counters were reset */
        bool dark; /* the program has taken away the debug port; see target_run() */
};

const char *target_chip_name(size_t index) {
        const Chip *chip = chip_get(index);
        return chip ? chip->name : NULL;
}

static bool target_has_power(const Target *target) {
        return !target->condition.absent && !target->condition.unpowered;
}

static bool target_hides(const Target *target) {
        return target->condition.asleep || target->condition.pins_remapped;
}

static void target_power_on(Target *target) {
        bus_power_on(&target->bus);
        cortex_power_on(&target->cortex);
        dap_power_on(&target->dap);
        target->dark = false;
        if (!target->nrst_low)
                cortex_leave_reset(&target->cortex);
}

int target_new(const char *chip_name, Target **ret) {
        _cleanup_(target_freep) Target *target = NULL;
        const Chip *chip = chip_by_name(chip_name);
        int r;

        if (!chip)
                return -EINVAL;
        target = calloc(1, sizeof(*target));
        if (!target)
                return -ENOMEM;
        target->chip = chip;
        r = bus_init(&target->bus, chip);
        if (r < 0)
                return r;
        cortex_init(&target->cortex, &target->bus);
        dap_init(&target->dap, &target->bus);
        target_power_on(target);
        *ret = TAKE_PTR(target);
        return 0;
}

Target *target_free(Target *target) {
        if (!target)
                return NULL;
        cortex_done(&target->cortex);
        bus_done(&target->bus);
        free(target);
        return NULL;
}

void target_set_condition(Target *target, const TargetCondition *condition) {
        bool powered = target_has_power(target), hidden = target_hides(target);

        if (condition->rdp != target->condition.rdp)
                flash_set_rdp(&target->bus.flash, condition->rdp);
        target->condition = *condition;
        if (target_has_power(target) && !powered)
                target_power_on(target);
        /* A program that does this to its debug port has been running for a while. */
        if (!target_hides(target))
                target->dark = false;
        else if (!hidden && cortex_is_running(&target->cortex))
                target->dark = true;
        if (condition->nrst_not_wired)
                target_set_nrst(target, false);
}

const TargetCondition *target_get_condition(const Target *target) {
        return &target->condition;
}

const TargetCounters *target_get_counters(const Target *target) {
        return &target->counters;
}

unsigned target_millivolts(const Target *target) {
        return target_has_power(target) ? SUPPLY_MILLIVOLTS : 0;
}

void target_reset_counters(Target *target) {
        target->counters = (TargetCounters){};
        target->cortex.halts = 0;
        target->idcode_was_read = target->flash_size_was_read = false;
}

static void target_enter_reset(Target *target) {
        target->counters.resets++;
        bus_reset(&target->bus);
        cortex_enter_reset(&target->cortex);
}

/* Carry out what an access or the program has asked for, and take note of what happened. */
static void target_settle(Target *target) {
        Cortex *cortex = &target->cortex;
        CortexReset request = cortex->reset_request;

        if (request == CORTEX_RESET_SYSTEM) {
                target_enter_reset(target);
        } else if (request == CORTEX_RESET_CORE) {
                target->counters.resets++;
                cortex_enter_reset(cortex);
        }
        if (request != CORTEX_RESET_NONE && !target->nrst_low)
                cortex_leave_reset(cortex);
        target->condition.rdp = target->bus.flash.rdp;
        target->counters.halts = cortex->halts;
}

void target_set_nrst(Target *target, bool low) {
        bool wired = !target->condition.nrst_not_wired && !target->condition.absent;

        if (low && !wired)
                return;
        if (low == target->nrst_low)
                return;
        target->nrst_low = low;
        if (!target_has_power(target))
                return;
        if (low) {
                target_enter_reset(target);
                target->dark = false;
        } else {
                cortex_leave_reset(&target->cortex);
        }
        target_settle(target);
}

static bool target_answers(const Target *target) {
        return target_has_power(target) && !target->dark && target->bus.flash.rdp != TARGET_RDP_2;
}

SwdAck target_swd_connect(Target *target, uint32_t *ret_dpidr) {
        if (!target_answers(target))
                return SWD_ACK_NONE;
        *ret_dpidr = dap_connect(&target->dap);
        return SWD_ACK_OK;
}

SwdAck target_dp_read(Target *target, uint8_t address, uint32_t *ret) {
        return target_answers(target) ? dap_dp_read(&target->dap, address, ret) : SWD_ACK_NONE;
}

SwdAck target_dp_write(Target *target, uint8_t address, uint32_t value) {
        return target_answers(target) ? dap_dp_write(&target->dap, address, value) : SWD_ACK_NONE;
}

SwdAck target_ap_read(Target *target, uint8_t ap, uint8_t address, uint32_t *ret) {
        SwdAck ack;

        if (!target_answers(target))
                return SWD_ACK_NONE;
        ack = dap_ap_read(&target->dap, ap, address, ret);
        target_settle(target);
        return ack;
}

SwdAck target_ap_write(Target *target, uint8_t ap, uint8_t address, uint32_t value) {
        SwdAck ack;

        if (!target_answers(target))
                return SWD_ACK_NONE;
        ack = dap_ap_write(&target->dap, ap, address, value);
        target_settle(target);
        return ack;
}

static bool covers(const TargetAccess *access, size_t size, uint32_t address) {
        return address >= access->address && address - access->address < size;
}

static void note_identity(Target *target, const TargetAccess *access, size_t size) {
        if (covers(access, size, target->chip->dbgmcu))
                target->idcode_was_read = true;
        if (covers(access, size, target->chip->flash_size_address))
                target->flash_size_was_read = true;
        target->counters.identified = target->idcode_was_read && target->flash_size_was_read;
}

SwdAck target_read_memory(Target *target, const TargetAccess *access, uint8_t *data, size_t size,
                          uint32_t *ret_fault) {
        SwdAck ack;

        if (!target_answers(target))
                return SWD_ACK_NONE;
        ack = dap_read_memory(&target->dap, access, data, size, ret_fault);
        target_settle(target);
        note_identity(target, access, size);
        return ack;
}

SwdAck target_write_memory(Target *target, const TargetAccess *access, const uint8_t *data,
                           size_t size, uint32_t *ret_fault) {
        SwdAck ack;

        if (!target_answers(target))
                return SWD_ACK_NONE;
        ack = dap_write_memory(&target->dap, access, data, size, ret_fault);
        target_settle(target);
        return ack;
}

void target_run(Target *target, unsigned instructions) {
        if (!target_has_power(target) || !cortex_is_running(&target->cortex))
                return;
        cortex_run(&target->cortex, instructions);
        target_settle(target);
        /* Nobody stopped the program, so it has got as far as hiding from the debugger again. */
        if (target_hides(target) && cortex_is_running(&target->cortex))
                target->dark = true;
}

int target_load(Target *target, uint32_t address, const uint8_t *data, size_t size) {
        return bus_load(&target->bus, address, data, size);
}
