/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sim/target/bus.h"
#include "sim/target/target.h"

/* The debug access port: a serial wire debug port (ADIv5.2, chapter B2) with its memory access
 * ports (chapter C2). It knows nothing of wires: whether anybody answers is target.c's business. */

#define DAP_CTRL_ORUNDETECT   (1u << 0)
#define DAP_CTRL_STICKYORUN   (1u << 1)
#define DAP_CTRL_STICKYCMP    (1u << 4)
#define DAP_CTRL_STICKYERR    (1u << 5)
#define DAP_CTRL_READOK       (1u << 6)
#define DAP_CTRL_WDATAERR     (1u << 7)
#define DAP_CTRL_CDBGPWRUPREQ (1u << 28)
#define DAP_CTRL_CDBGPWRUPACK (1u << 29)
#define DAP_CTRL_CSYSPWRUPREQ (1u << 30)
#define DAP_CTRL_CSYSPWRUPACK (1u << 31)

/* Registers of a MEM-AP, by address. */
enum {
        MEM_AP_CSW = 0x00,
        MEM_AP_TAR = 0x04,
        MEM_AP_DRW = 0x0C,
        MEM_AP_BD0 = 0x10,
        MEM_AP_BD3 = 0x1C,
        MEM_AP_CFG = 0xF4,
        MEM_AP_BASE = 0xF8,
        MEM_AP_IDR = 0xFC,
};

typedef struct MemAp {
        const ChipAp *info;
        uint32_t csw;
        uint32_t tar;
} MemAp;

typedef struct Dap {
        Bus *bus;
        uint32_t ctrl;
        uint32_t select;
        uint32_t dlcr;
        uint32_t rdbuff;
        MemAp aps[CHIP_APS_MAX];
} Dap;

void dap_init(Dap *dap, Bus *bus);
void dap_power_on(Dap *dap);

/* Line reset: the sticky flags stay, the bank selection goes (B4.3.3). Delivers DPIDR. */
uint32_t dap_connect(Dap *dap);

/* The functions of target.h, for a port that answers. */
SwdAck dap_dp_read(Dap *dap, uint8_t address, uint32_t *ret);
SwdAck dap_dp_write(Dap *dap, uint8_t address, uint32_t value);
SwdAck dap_ap_read(Dap *dap, uint8_t ap, uint8_t address, uint32_t *ret);
SwdAck dap_ap_write(Dap *dap, uint8_t ap, uint8_t address, uint32_t value);
SwdAck dap_read_memory(Dap *dap, const TargetAccess *access, uint8_t *data, size_t size,
                       uint32_t *ret_fault);
SwdAck dap_write_memory(Dap *dap, const TargetAccess *access, const uint8_t *data, size_t size,
                        uint32_t *ret_fault);

/* For dap.c: registers of an access port, and what it leads to. -EFAULT: the access failed. */
void mem_ap_reset(MemAp *ap);
int mem_ap_read(MemAp *ap, Bus *bus, uint8_t address, uint32_t *ret);
int mem_ap_write(MemAp *ap, Bus *bus, uint8_t address, uint32_t value);
int mem_ap_read_block(MemAp *ap, Bus *bus, const TargetAccess *access, uint8_t *data, size_t size,
                      uint32_t *ret_fault);
int mem_ap_write_block(MemAp *ap, Bus *bus, const TargetAccess *access, const uint8_t *data,
                       size_t size, uint32_t *ret_fault);
