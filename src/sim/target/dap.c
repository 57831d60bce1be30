/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sim/target/dap.h"

#include <assert.h>

/* Registers of the debug port, by address; at 4 a bank is chosen by SELECT (B2.2). */
enum {
        DP_DPIDR = 0x0,
        DP_ABORT = 0x0,
        DP_BANKED = 0x4,
        DP_RESEND = 0x8,
        DP_SELECT = 0x8,
        DP_RDBUFF = 0xC,
};

enum {
        BANK_CTRL = 0,
        BANK_DLCR = 1,
        BANK_TARGETID = 2,
        BANK_DLPIDR = 3,
        BANK_EVENTSTAT = 4,
};

#define ABORT_STKCMPCLR  (1u << 1)
#define ABORT_STKERRCLR  (1u << 2)
#define ABORT_WDERRCLR   (1u << 3)
#define ABORT_ORUNERRCLR (1u << 4)

/* Transfer mode and counter, byte lanes, overrun detection and the two power-up requests. */
#define CTRL_STORED 0x50FFFF0Du
#define CTRL_STICKY \
        (DAP_CTRL_STICKYORUN | DAP_CTRL_STICKYCMP | DAP_CTRL_STICKYERR | DAP_CTRL_WDATAERR)

void dap_init(Dap *dap, Bus *bus) {
        *dap = (Dap){ .bus = bus };
        for (size_t i = 0; i < CHIP_APS_MAX; i++)
                if (bus->chip->aps[i].bus != CHIP_AP_NONE)
                        dap->aps[i].info = &bus->chip->aps[i];
        dap_power_on(dap);
}

void dap_power_on(Dap *dap) {
        dap->ctrl = 0;
        dap->select = 0;
        dap->dlcr = 0x40; /* turnaround of one cycle */
        dap->rdbuff = 0;
        for (size_t i = 0; i < CHIP_APS_MAX; i++)
                mem_ap_reset(&dap->aps[i]);
}

uint32_t dap_connect(Dap *dap) {
        dap->select = 0;
        return dap->bus->chip->dpidr;
}

static bool dap_is_v2(const Dap *dap) {
        return (dap->bus->chip->dpidr >> 12 & 0xF) >= 2;
}

static bool dap_is_stuck(const Dap *dap) {
        return (dap->ctrl & CTRL_STICKY) != 0;
}

static SwdAck dap_fail(Dap *dap) {
        dap->ctrl |= DAP_CTRL_STICKYERR;
        return SWD_ACK_FAULT;
}

static uint32_t dap_read_ctrl(const Dap *dap) {
        uint32_t requests = dap->ctrl & (DAP_CTRL_CDBGPWRUPREQ | DAP_CTRL_CSYSPWRUPREQ);
        return dap->ctrl | requests << 1;
}

static uint32_t dap_read_banked(const Dap *dap) {
        switch (dap->select & 0xF) {
        case BANK_CTRL:
                return dap_read_ctrl(dap);
        case BANK_DLCR:
                return dap->dlcr;
        case BANK_TARGETID:
                return dap_is_v2(dap) ? dap->bus->chip->targetid : 0;
        case BANK_DLPIDR:
                return dap_is_v2(dap) ? 1 : 0; /* SWD protocol version 2 */
        default:
                return 0;
        }
}

/* With a sticky flag set only what finds out and clears it is answered (B4.2.4). */
static bool dap_read_faults(const Dap *dap, uint8_t address) {
        if (address == DP_DPIDR || (address == DP_BANKED && (dap->select & 0xF) == BANK_CTRL))
                return false;
        return dap_is_stuck(dap);
}

SwdAck dap_dp_read(Dap *dap, uint8_t address, uint32_t *ret) {
        if (dap_read_faults(dap, address & 0xC))
                return SWD_ACK_FAULT;
        switch (address & 0xC) {
        case DP_DPIDR:
                *ret = dap->bus->chip->dpidr;
                break;
        case DP_BANKED:
                *ret = dap_read_banked(dap);
                break;
        default: /* RESEND and RDBUFF: there is no posted read that could differ */
                *ret = dap->rdbuff;
                break;
        }
        return SWD_ACK_OK;
}

static void dap_abort(Dap *dap, uint32_t value) {
        if (value & ABORT_STKCMPCLR)
                dap->ctrl &= ~DAP_CTRL_STICKYCMP;
        if (value & ABORT_STKERRCLR)
                dap->ctrl &= ~DAP_CTRL_STICKYERR;
        if (value & ABORT_WDERRCLR)
                dap->ctrl &= ~DAP_CTRL_WDATAERR;
        if (value & ABORT_ORUNERRCLR)
                dap->ctrl &= ~DAP_CTRL_STICKYORUN;
}

SwdAck dap_dp_write(Dap *dap, uint8_t address, uint32_t value) {
        if ((address & 0xC) == DP_ABORT) {
                dap_abort(dap, value);
                return SWD_ACK_OK;
        }
        if (dap_is_stuck(dap))
                return SWD_ACK_FAULT;
        if ((address & 0xC) == DP_SELECT)
                dap->select = value;
        else if ((address & 0xC) == DP_BANKED && (dap->select & 0xF) == BANK_CTRL)
                dap->ctrl = (dap->ctrl & ~CTRL_STORED) | (value & CTRL_STORED);
        else if ((address & 0xC) == DP_BANKED && (dap->select & 0xF) == BANK_DLCR)
                dap->dlcr = (value & 0x300) | 0x40;
        return SWD_ACK_OK;
}

static MemAp *dap_find_ap(Dap *dap, uint8_t number) {
        for (size_t i = 0; i < CHIP_APS_MAX; i++)
                if (dap->aps[i].info && dap->aps[i].info->number == number)
                        return &dap->aps[i];
        return NULL;
}

/* What every transfer to an access port needs: power, and no error left over. The firmware
 * selects port and bank for it; the bank of the debug port stays as it was. */
static SwdAck dap_begin_ap(Dap *dap, uint8_t number, uint8_t address) {
        if (dap_is_stuck(dap))
                return SWD_ACK_FAULT;
        if (!(dap->ctrl & DAP_CTRL_CDBGPWRUPREQ))
                return dap_fail(dap);
        dap->select = (uint32_t) number << 24 | (address & 0xF0u) | (dap->select & 0xF);
        return SWD_ACK_OK;
}

SwdAck dap_ap_read(Dap *dap, uint8_t number, uint8_t address, uint32_t *ret) {
        MemAp *ap = dap_find_ap(dap, number);
        SwdAck ack = dap_begin_ap(dap, number, address);
        uint32_t value = 0;

        if (ack != SWD_ACK_OK)
                return ack;
        if (ap && mem_ap_read(ap, dap->bus, address & 0xFC, &value) < 0) {
                dap->ctrl &= ~DAP_CTRL_READOK;
                return dap_fail(dap);
        }
        dap->ctrl |= DAP_CTRL_READOK;
        dap->rdbuff = value;
        *ret = value;
        return SWD_ACK_OK;
}

SwdAck dap_ap_write(Dap *dap, uint8_t number, uint8_t address, uint32_t value) {
        MemAp *ap = dap_find_ap(dap, number);
        SwdAck ack = dap_begin_ap(dap, number, address);

        if (ack != SWD_ACK_OK)
                return ack;
        if (ap && mem_ap_write(ap, dap->bus, address & 0xFC, value) < 0)
                return dap_fail(dap);
        return SWD_ACK_OK;
}

static SwdAck dap_begin_block(Dap *dap, const TargetAccess *access, MemAp **ret) {
        SwdAck ack = dap_begin_ap(dap, access->ap, MEM_AP_DRW);

        assert(access->width == 1 || access->width == 2 || access->width == 4);
        if (ack != SWD_ACK_OK)
                return ack;
        *ret = dap_find_ap(dap, access->ap);
        return *ret ? SWD_ACK_OK : dap_fail(dap);
}

SwdAck dap_read_memory(Dap *dap, const TargetAccess *access, uint8_t *data, size_t size,
                       uint32_t *ret_fault) {
        uint32_t fault = access->address;
        MemAp *ap;
        SwdAck ack = dap_begin_block(dap, access, &ap);

        if (ack == SWD_ACK_OK && mem_ap_read_block(ap, dap->bus, access, data, size, &fault) < 0)
                ack = dap_fail(dap);
        if (ack == SWD_ACK_FAULT)
                *ret_fault = fault;
        return ack;
}

SwdAck dap_write_memory(Dap *dap, const TargetAccess *access, const uint8_t *data, size_t size,
                        uint32_t *ret_fault) {
        uint32_t fault = access->address;
        MemAp *ap;
        SwdAck ack = dap_begin_block(dap, access, &ap);

        if (ack == SWD_ACK_OK && mem_ap_write_block(ap, dap->bus, access, data, size, &fault) < 0)
                ack = dap_fail(dap);
        if (ack == SWD_ACK_FAULT)
                *ret_fault = fault;
        return ack;
}
