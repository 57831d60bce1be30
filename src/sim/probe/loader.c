/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/probe/loader.h"

#include <stdlib.h>
#include <string.h>

#include "sim/probe/firmware-internal.h"

/* bState and bStatus (USB DFU 1.1, §6.1.2) */
enum {
        STATE_IDLE = 2,
        STATE_BUSY = 4,
        STATE_DNLOAD_IDLE = 5,
        STATE_ERROR = 10,
};
enum {
        DFU_OK = 0x00,
        DFU_ERR_TARGET = 0x01, /* bad address (stlink-protocol §9.2) */
        DFU_ERR_WRITE = 0x03,
        DFU_ERR_UNKNOWN = 0x0e,
};

/* Payloads of block 0 (stlink-protocol §9.2) */
enum {
        FLASH_SET_ADDRESS = 0x21,
        FLASH_ERASE_PAGE = 0x41,
        FLASH_ERASE_SECTOR = 0x42,
        FLASH_WRITE_NOW = 0x51,
};

#define FLASH_BASE UINT32_C(0x08000000)
#define PAGE_SIZE  1024
#define KIB        UINT32_C(1024)

/* Made up, of the order of the real ones, in ms. */
#define ERASE_TIME 40
#define WRITE_TIME 25

/* stlink-protocol §9.4; V3PWR's chip is unknown, so it is taken for a V3. */
static const LoaderGeometry geometries[] = {
        [FIRMWARE_V1] = { 64, 0x4000, false, false },
        [FIRMWARE_V2] = { 64, 0x4000, false, false },
        [FIRMWARE_V2_1] = { 128, 0x4000, false, false },
        [FIRMWARE_V3] = { 512, 0x20000, true, true },
        [FIRMWARE_V3PWR] = { 512, 0x20000, true, true },
};

/* Ends of the sectors of an STM32F723 (RM0431 §3.3) */
static const uint32_t sector_ends[] = { 16 * KIB,  32 * KIB,  48 * KIB,  64 * KIB,
                                        128 * KIB, 256 * KIB, 384 * KIB, 512 * KIB };

void loader_start(Firmware *firmware) {
        Loader *loader = &firmware->loader;

        loader->geometry = &geometries[firmware->setup.model];
        loader->status = DFU_OK;
        loader->state = STATE_IDLE;
        loader->address = loader->geometry->application;
        loader->announced = false;
}

/* The flash comes into being with its first change: few probes are ever updated. */
static bool loader_has_flash(Firmware *firmware) {
        Loader *loader = &firmware->loader;
        size_t size = loader->geometry->flash_kib * KIB;

        if (loader->flash)
                return true;
        loader->flash = malloc(size);
        if (!loader->flash)
                return false;
        memset(loader->flash, 0xff, size);
        if (firmware->has_application)
                memset(loader->flash + loader->geometry->application, 0x5a,
                       size - loader->geometry->application);
        return true;
}

/* An offset in the application's flash for size bytes at address; false if outside. */
static bool loader_offset(const Loader *loader, uint32_t address, size_t size, size_t *ret) {
        size_t end = loader->geometry->flash_kib * KIB;
        size_t offset = address - FLASH_BASE;

        if (address < FLASH_BASE || offset < loader->geometry->application || offset > end ||
            size > end - offset)
                return false;
        *ret = offset;
        return true;
}

static uint8_t loader_erase(Firmware *firmware, size_t start, size_t end) {
        Loader *loader = &firmware->loader;

        if (start < loader->geometry->application || end > loader->geometry->flash_kib * KIB)
                return DFU_ERR_TARGET;
        memset(loader->flash + start, 0xff, end - start);
        loader->poll_timeout = ERASE_TIME;
        return DFU_OK;
}

static uint8_t loader_erase_page(Firmware *firmware, uint32_t address) {
        Loader *loader = &firmware->loader;
        size_t offset;

        if (loader->geometry->sectors || !loader_offset(loader, address, 1, &offset))
                return DFU_ERR_TARGET;
        offset -= offset % PAGE_SIZE;
        return loader_erase(firmware, offset, offset + PAGE_SIZE);
}

static uint8_t loader_erase_sector(Firmware *firmware, uint32_t number) {
        if (!firmware->loader.geometry->sectors || number >= ELEMENTSOF(sector_ends))
                return DFU_ERR_TARGET;
        return loader_erase(firmware, number ? sector_ends[number - 1] : 0, sector_ends[number]);
}

static uint8_t loader_operate(Firmware *firmware, const uint8_t *data) {
        Loader *loader = &firmware->loader;
        uint32_t argument = get_le32(data + 1);
        size_t offset;

        switch (data[0]) {
        case FLASH_SET_ADDRESS:
                if (!loader_offset(loader, argument, 1, &offset))
                        return DFU_ERR_TARGET;
                loader->address = argument;
                return DFU_OK;
        case FLASH_ERASE_PAGE:
                return loader_erase_page(firmware, argument);
        case FLASH_ERASE_SECTOR:
                return loader_erase_sector(firmware, argument);
        case FLASH_WRITE_NOW:
                /* Data is written as it comes, so nothing is left to write. */
                return DFU_OK;
        default:
                return DFU_ERR_UNKNOWN;
        }
}

/* The F103 refuses to program half-words that are not blank (PM0075 §2.3.3). */
static uint8_t loader_program(Firmware *firmware, const uint8_t *data, size_t size) {
        Loader *loader = &firmware->loader;
        size_t offset;

        if (!loader_offset(loader, loader->address, size, &offset))
                return DFU_ERR_TARGET;
        for (size_t i = 0; i < size; i++) {
                uint8_t *byte = &loader->flash[offset + i];

                if (!loader->geometry->overwrites && *byte != 0xff && *byte != data[i])
                        return DFU_ERR_WRITE;
                *byte &= data[i];
        }
        loader->poll_timeout = WRITE_TIME;
        return DFU_OK;
}

static void loader_finish(Firmware *firmware, uint8_t status) {
        Loader *loader = &firmware->loader;

        loader->status = status;
        loader->state = status == DFU_OK ? STATE_BUSY : STATE_ERROR;
        loader->announced = false;
        loader->busy_until = usec_add(firmware->now, loader->poll_timeout * USEC_PER_MSEC);
        if (loader->flash)
                firmware->has_application =
                        get_le32(loader->flash + loader->geometry->application) != UINT32_MAX;
}

static void loader_receive(Firmware *firmware, const uint8_t *data, size_t size) {
        uint16_t block = command_u16(firmware->command, 2);
        uint8_t status = DFU_ERR_UNKNOWN;

        firmware->loader.poll_timeout = 0;
        if (size > LOADER_BUFFER_SIZE || size < command_u16(firmware->command, 6) ||
            !loader_has_flash(firmware))
                status = DFU_ERR_UNKNOWN;
        else if (block > 0)
                status = loader_program(firmware, data, size);
        else if (size == 5)
                status = loader_operate(firmware, data);
        loader_finish(firmware, status);
}

/* The first question after an operation is always answered "busy": flashers expect it. */
static void loader_get_status(Firmware *firmware) {
        Loader *loader = &firmware->loader;
        uint8_t *data = answer_data(firmware, 6);

        if (loader->state == STATE_BUSY && loader->announced && firmware->now >= loader->busy_until)
                loader->state = STATE_DNLOAD_IDLE;
        data[0] = loader->status;
        if (loader->state == STATE_BUSY) {
                data[1] = (uint8_t) loader->poll_timeout;
                loader->announced = true;
        }
        data[4] = loader->state;
}

/* 'M': STM8 and STM32; 'B': STM32 with VCP; 'E', 'F': V3 without and with bridge
 * (stlink-protocol §9.4) */
static uint8_t loader_type(const FirmwareSetup *setup) {
        switch (setup->model) {
        case FIRMWARE_V1:
        case FIRMWARE_V2:
                return 'M';
        case FIRMWARE_V2_1:
                return 'B';
        default:
                return setup->has_bridge ? 'F' : 'E';
        }
}

static void loader_signature(Firmware *firmware) {
        uint8_t *data = answer_data(firmware, 20);

        memset(data, 0xff, 8);
        put_le16(data, (uint16_t) firmware->loader.geometry->flash_kib);
        data[4] = loader_type(&firmware->setup);
        memcpy(data + 8, firmware->setup.uid, sizeof(firmware->setup.uid));
}

/* An unwritten configuration area; a plain V2's boot loader does not know the command. */
static void loader_configuration(Firmware *firmware, const uint8_t *command) {
        if (firmware->setup.model == FIRMWARE_V2)
                return answer_nothing(firmware);
        memset(answer_data(firmware, MIN(command_u16(command, 2), LOADER_CONFIG_SIZE)), 0xff,
               MIN(command_u16(command, 2), LOADER_CONFIG_SIZE));
}

/* The application starts, if there is one. V2 keeps its product ID, and stays on the bus as
 * tools expect; the others come back as another device. */
static void loader_exit(Firmware *firmware) {
        bool stays = firmware->setup.model == FIRMWARE_V2 && !firmware->tuning.restart_on_exit;

        answer_nothing(firmware);
        if (!firmware->has_application)
                return;
        if (!stays)
                return answer_restart(firmware, FIRMWARE_MODE_MASS);
        firmware->mode = FIRMWARE_MODE_MASS;
}

void firmware_loader(Firmware *firmware, const uint8_t *command) {
        answer_nothing(firmware);
        switch (command[1]) {
        case 0x01:
                return answer_receive(firmware, command_u16(command, 6), loader_receive);
        case 0x03:
                return loader_get_status(firmware);
        case 0x07:
                return loader_exit(firmware);
        case 0x08:
                return loader_signature(firmware);
        case 0x09:
                return loader_configuration(firmware, command);
        case 0x0a:
                /* Hardware version in the top bits (unverified), no flags. */
                answer_data(firmware, 16)[3] = (uint8_t) (firmware->setup.version.hardware << 4);
                return;
        default:
                return;
        }
}
