/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/macro.h"
#include "sim/target/dap.h"

/* A memory access port (ADIv5.2, chapter C2). */

#define CSW_SIZE_MASK      0x7u
#define CSW_INCREMENT_MASK 0x30u
#define CSW_INCREMENT      0x10u
#define CSW_PACKED         0x20u
#define CSW_DEVICE_ENABLED (1u << 6)
#define CSW_STORED         0xFF000F37u

/* As real AHB-APs read after reset (blackmagic-debug/blackmagic#507). */
#define CSW_RESET_M0 0x03000002u
#define CSW_RESET    0x23000002u

/* The increment works on the low 10 bits only (C2.2.2). */
#define WRAP_MASK 0x3FFu

void mem_ap_reset(MemAp *ap) {
        bool simple = ap->info && ap->info->idr == 0x04770031;
        ap->csw = simple ? CSW_RESET_M0 : CSW_RESET;
        ap->tar = 0;
}

static bool mem_ap_can_pack(const MemAp *ap) {
        return ap->info->idr != 0x04770031;
}

static unsigned mem_ap_width(const MemAp *ap) {
        return 1u << (ap->csw & CSW_SIZE_MASK);
}

/* The chip's debug bus shows at E00E0000 what the core has at 5C000000 (RM0433 §60.5.1). */
static int mem_ap_translate(const MemAp *ap, uint32_t *address) {
        switch (ap->info->bus) {
        case CHIP_AP_CORE:
                return 0;
        case CHIP_AP_SYSTEM:
                return *address - BUS_PPB_BASE < BUS_PPB_SIZE ? -EFAULT : 0;
        default:
                if (*address - 0xE00E0000u >= 0x20000)
                        return -EFAULT;
                *address = *address - 0xE00E0000u + 0x5C000000u;
                return 0;
        }
}

static int mem_ap_load(const MemAp *ap, Bus *bus, uint32_t address, unsigned width, uint32_t *ret) {
        int r = mem_ap_translate(ap, &address);
        if (r < 0)
                return r;
        return bus_read(bus, BUS_MASTER_DEBUG, address, width, ret);
}

static int mem_ap_store(const MemAp *ap, Bus *bus, uint32_t address, unsigned width,
                        uint32_t value) {
        int r = mem_ap_translate(ap, &address);
        if (r < 0)
                return r;
        return bus_write(bus, BUS_MASTER_DEBUG, address, width, value);
}

static void mem_ap_advance(MemAp *ap, unsigned step) {
        if (ap->csw & CSW_INCREMENT_MASK)
                ap->tar = (ap->tar & ~WRAP_MASK) | ((ap->tar + step) & WRAP_MASK);
}

/* How many accesses one transfer of DRW makes: packed ones fill up the word. */
static unsigned mem_ap_accesses(const MemAp *ap) {
        if ((ap->csw & CSW_INCREMENT_MASK) == CSW_PACKED)
                return 4 / mem_ap_width(ap);
        return 1;
}

/* Data travels on the byte lanes that belong to the address. */
static int mem_ap_read_drw(MemAp *ap, Bus *bus, uint32_t *ret) {
        unsigned width = mem_ap_width(ap), accesses = mem_ap_accesses(ap);
        uint32_t value = 0;

        for (unsigned i = 0; i < accesses; i++) {
                uint32_t part, address = ap->tar & ~(width - 1);
                int r = mem_ap_load(ap, bus, address, width, &part);
                if (r < 0)
                        return r;
                value |= part << 8 * (address & 3);
                mem_ap_advance(ap, width);
        }
        *ret = value;
        return 0;
}

static int mem_ap_write_drw(MemAp *ap, Bus *bus, uint32_t value) {
        unsigned width = mem_ap_width(ap), accesses = mem_ap_accesses(ap);

        for (unsigned i = 0; i < accesses; i++) {
                uint32_t address = ap->tar & ~(width - 1), part = value >> 8 * (address & 3);
                if (width < 4)
                        part &= (1u << 8 * width) - 1;
                int r = mem_ap_store(ap, bus, address, width, part);
                if (r < 0)
                        return r;
                mem_ap_advance(ap, width);
        }
        return 0;
}

static void mem_ap_write_csw(MemAp *ap, uint32_t value) {
        /* What is not implemented reads back as the nearest that is. */
        if ((value & CSW_SIZE_MASK) > 2)
                value = (value & ~CSW_SIZE_MASK) | 2;
        if ((value & CSW_INCREMENT_MASK) == CSW_INCREMENT_MASK)
                value &= ~CSW_INCREMENT_MASK;
        if ((value & CSW_INCREMENT_MASK) == CSW_PACKED && !mem_ap_can_pack(ap))
                value = (value & ~CSW_INCREMENT_MASK) | CSW_INCREMENT;
        ap->csw = value & CSW_STORED;
}

int mem_ap_read(MemAp *ap, Bus *bus, uint8_t address, uint32_t *ret) {
        switch (address) {
        case MEM_AP_CSW:
                *ret = ap->csw | CSW_DEVICE_ENABLED;
                return 0;
        case MEM_AP_TAR:
                *ret = ap->tar;
                return 0;
        case MEM_AP_DRW:
                return mem_ap_read_drw(ap, bus, ret);
        case MEM_AP_BD0 ... MEM_AP_BD3:
                return mem_ap_load(ap, bus, (ap->tar & ~0xFu) + (address - MEM_AP_BD0), 4, ret);
        case MEM_AP_BASE:
                *ret = ap->info->base;
                return 0;
        case MEM_AP_IDR:
                *ret = ap->info->idr;
                return 0;
        default:
                *ret = 0; /* CFG too: little endian, short addresses */
                return 0;
        }
}

int mem_ap_write(MemAp *ap, Bus *bus, uint8_t address, uint32_t value) {
        switch (address) {
        case MEM_AP_CSW:
                mem_ap_write_csw(ap, value);
                return 0;
        case MEM_AP_TAR:
                ap->tar = value;
                return 0;
        case MEM_AP_DRW:
                return mem_ap_write_drw(ap, bus, value);
        case MEM_AP_BD0 ... MEM_AP_BD3:
                return mem_ap_store(ap, bus, (ap->tar & ~0xFu) + (address - MEM_AP_BD0), 4, value);
        default:
                return 0;
        }
}

/* What a probe leaves in the registers when it is through. */
static void mem_ap_end_block(MemAp *ap, const TargetAccess *access, uint32_t address) {
        uint32_t size = access->width == 4 ? 2 : access->width == 2 ? 1 : 0;

        if (access->csw != 0)
                ap->csw = access->csw & CSW_STORED & ~0xFFu;
        ap->csw = (ap->csw & ~(CSW_SIZE_MASK | CSW_INCREMENT_MASK)) | size |
                  (access->increment ? CSW_INCREMENT : 0);
        ap->tar = address;
}

/* Memory without side effects is copied in one go, the rest goes access by access. */
static size_t mem_ap_copy_in(const MemAp *ap, Bus *bus, uint32_t address, uint8_t *data,
                             size_t size) {
        const uint8_t *span;
        size_t available;

        if (mem_ap_translate(ap, &address) < 0)
                return 0;
        span = bus_read_span(bus, BUS_MASTER_DEBUG, address, &available);
        if (!span)
                return 0;
        size = MIN(size, available);
        memcpy(data, span, size);
        return size;
}

static size_t mem_ap_copy_out(const MemAp *ap, Bus *bus, uint32_t address, const uint8_t *data,
                              size_t size) {
        uint8_t *span;
        size_t available;

        if (mem_ap_translate(ap, &address) < 0)
                return 0;
        span = bus_write_span(bus, address, &available);
        if (!span)
                return 0;
        size = MIN(size, available);
        memcpy(span, data, size);
        bus_changed(bus, address, (uint32_t) size);
        return size;
}

static uint32_t get_part(const uint8_t *data, unsigned width) {
        return width == 4 ? get_le32(data) : width == 2 ? get_le16(data) : *data;
}

static void put_part(uint8_t *data, unsigned width, uint32_t value) {
        if (width == 4)
                put_le32(data, value);
        else if (width == 2)
                put_le16(data, (uint16_t) value);
        else
                *data = (uint8_t) value;
}

int mem_ap_read_block(MemAp *ap, Bus *bus, const TargetAccess *access, uint8_t *data, size_t size,
                      uint32_t *ret_fault) {
        uint32_t address = access->address & ~(uint32_t) (access->width - 1);
        int r = 0;

        while (size >= access->width) {
                size_t done = access->increment ? mem_ap_copy_in(ap, bus, address, data, size) : 0;
                done -= done % access->width;
                if (done == 0) {
                        uint32_t value;
                        r = mem_ap_load(ap, bus, address, access->width, &value);
                        if (r < 0)
                                break;
                        put_part(data, access->width, value);
                        done = access->width;
                }
                address += access->increment ? (uint32_t) done : 0;
                data += done;
                size -= done;
        }
        if (r < 0)
                *ret_fault = address;
        mem_ap_end_block(ap, access, address);
        return r;
}

int mem_ap_write_block(MemAp *ap, Bus *bus, const TargetAccess *access, const uint8_t *data,
                       size_t size, uint32_t *ret_fault) {
        uint32_t address = access->address & ~(uint32_t) (access->width - 1);
        int r = 0;

        while (size >= access->width) {
                size_t done = access->increment ? mem_ap_copy_out(ap, bus, address, data, size) : 0;
                done -= done % access->width;
                if (done == 0) {
                        r = mem_ap_store(ap, bus, address, access->width,
                                         get_part(data, access->width));
                        if (r < 0)
                                break;
                        done = access->width;
                }
                address += access->increment ? (uint32_t) done : 0;
                data += done;
                size -= done;
        }
        if (r < 0)
                *ret_fault = address;
        mem_ap_end_block(ap, access, address);
        return r;
}
