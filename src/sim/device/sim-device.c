/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/device/sim-device.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim/device/device-internal.h"

#define FLASH_BASE UINT32_C(0x08000000)

static SimDevice *device_from_usb(UsbDevice *usb) {
        return container_of(usb, SimDevice, usb);
}

/* Show the product that the firmware's mode makes of it. */
static void device_show(SimDevice *device) {
        bool loader = firmware_get_mode(device->firmware) == FIRMWARE_MODE_LOADER;

        for (size_t i = 0; i < device->n_endpoints; i++)
                device->completed += device->endpoints[i].completed;
        device->product = loader ? device->spec.loader : device->spec.product;
        device->usb.speed = device->product->speed;
        device->usb.descriptors = device->descriptors;
        device->usb.descriptors_size =
                product_descriptors(device->product, device->serial.n > 0, device->descriptors);
        device_open_endpoints(device);
        device->configuration = 1; /* a kernel has done that before anybody looks */
}

static void device_flush(SimDevice *device, int status) {
        endpoint_flush(&device->control, status);
        for (size_t i = 0; i < device->n_endpoints; i++) {
                endpoint_flush(&device->endpoints[i], status);
                endpoint_clear(&device->endpoints[i]);
        }
}

static bool device_is_wedged(const SimDevice *device) {
        return device->spec.settings.state == SIM_STATE_WEDGED ||
               device->spec.settings.state == SIM_STATE_WEDGED_UNTIL_REPLUG;
}

static void device_detach(SimDevice *device) {
        SimSettings *settings = &device->spec.settings;

        device->leaving = false;
        if (!device->replug && device_is_wedged(device))
                settings->state = SIM_STATE_OK; /* without power it forgets what it hung in */
        if (!device->usb.attached)
                return;
        device->usb.attached = false;
        device_flush(device, -ESHUTDOWN);
        device_reset_functions(device);
        device->returns =
                device->replug ? usec_add(device->now, settings->reenumerate) : USEC_INFINITY;
        if (device->usb.host)
                device->usb.host->detached(&device->usb, device->usb.host_userdata);
}

static void device_attach(SimDevice *device) {
        device->returns = USEC_INFINITY;
        if (device->usb.attached)
                return;
        device_show(device);
        device_reset_functions(device);
        device->usb.attached = true;
        if (device->usb.host)
                device->usb.host->attached(&device->usb, device->usb.host_userdata);
}

void device_leave(SimDevice *device, bool replug) {
        device->leaving = true;
        device->replug = replug;
}

static bool device_move_control(SimDevice *device) {
        UsbTransfer *transfer = endpoint_first(&device->control, device->now);
        int r;

        if (!transfer)
                return false;
        r = device_control(device, transfer);
        transfer->actual = r < 0 ? 0 : (size_t) r;
        endpoint_complete(&device->control, transfer, r < 0 ? r : 0);
        return true;
}

/* Do what can be done now. Completing a transfer may bring the next one from within: the loop
 * sees it. */
static void device_pump(SimDevice *device) {
        bool progress = true;

        if (device->pumping)
                return;
        device->pumping = true;
        while (progress && device->usb.attached && !device->leaving) {
                progress = device_move_control(device);
                for (size_t i = 0;
                     i < device->n_endpoints && !device_is_wedged(device) && !device->leaving; i++)
                        progress |= device_move_packet(device, &device->endpoints[i]);
        }
        device->pumping = false;
}

/* Count down to what was to happen at this transfer; true when it happens. */
static bool count_down(uint64_t *count) {
        return *count > 0 && --*count == 0;
}

static void device_count_bulk(SimDevice *device, SimEndpoint *endpoint) {
        SimSettings *settings = &device->spec.settings;

        if (count_down(&settings->wedge_at))
                settings->state = SIM_STATE_WEDGED;
        if (count_down(&settings->stall_at))
                endpoint->halted = true;
        if (count_down(&settings->unplug_at))
                device_leave(device, /* replug= */ false);
}

/* How long a bulk transfer keeps the wire busy at the least: a frame of full speed has room for 19
 * packets of 64 bytes, a microframe of high speed for 13 of 512 (USB 2.0, tables 5-9 and 5-10). */
static Usec wire_time(const SimEndpoint *endpoint, size_t length) {
        size_t packets =
                MAX((length + endpoint->packet_size - 1) / endpoint->packet_size, (size_t) 1);

        return endpoint->packet_size > 64 ? packets * 125 / 13 : packets * 1000 / 19;
}

static Usec transfer_due(const SimDevice *device, const SimEndpoint *endpoint, size_t length) {
        Usec due = usec_add(device->now, device->spec.settings.latency);

        if (!device->spec.settings.real_wire || endpoint->type != USB_TRANSFER_BULK)
                return due;
        return usec_add(due, wire_time(endpoint, length));
}

static int device_submit(UsbDevice *usb, UsbTransfer *transfer) {
        SimDevice *device = device_from_usb(usb);
        SimEndpoint *endpoint = &device->control;

        if (!usb->attached)
                return -ENODEV;
        if (transfer->type != USB_TRANSFER_CONTROL)
                endpoint = device_endpoint(device, transfer->endpoint);
        if (!endpoint)
                return -ENOENT;
        if (transfer->length > 0 && !transfer->buffer)
                return -EINVAL;
        if (transfer->type == USB_TRANSFER_CONTROL)
                device->control_transfers++;
        else if (endpoint->type == USB_TRANSFER_BULK)
                device_count_bulk(device, endpoint);
        transfer->actual = 0;
        transfer->due = transfer_due(device, endpoint, transfer->length);
        list_append(&endpoint->transfers, &transfer->link);
        device_pump(device);
        return 0;
}

static int device_cancel(UsbDevice *usb, UsbTransfer *transfer) {
        SimDevice *device = device_from_usb(usb);
        SimEndpoint *endpoint = &device->control;

        if (transfer->type != USB_TRANSFER_CONTROL)
                endpoint = device_endpoint(device, transfer->endpoint);
        return endpoint ? endpoint_cancel(endpoint, transfer) : -EINVAL;
}

/* A port reset ends what was under way on the bus; the firmware keeps its mode. */
static void device_reset(UsbDevice *usb) {
        SimDevice *device = device_from_usb(usb);

        if (!usb->attached)
                return;
        device->resets++;
        device_flush(device, -ESHUTDOWN);
        device_reset_functions(device);
        if (device->spec.settings.state == SIM_STATE_WEDGED)
                device->spec.settings.state = SIM_STATE_OK;
}

static void device_clear_halt(UsbDevice *usb, uint8_t address) {
        SimDevice *device = device_from_usb(usb);
        SimEndpoint *endpoint = device_endpoint(device, address);

        if (!endpoint)
                return;
        endpoint->halted = false;
        device_pump(device);
}

static Usec endpoint_next_event(const SimEndpoint *endpoint, Usec now) {
        UsbTransfer *first = LIST_FIRST(&endpoint->transfers, UsbTransfer, link);

        return first && first->due > now ? first->due : USEC_INFINITY;
}

static Usec device_next_event(UsbDevice *usb) {
        SimDevice *device = device_from_usb(usb);
        Usec next = device->returns;

        if (device->leaving)
                return device->now;
        next = MIN(next, endpoint_next_event(&device->control, device->now));
        if (device_is_wedged(device))
                return next;
        for (size_t i = 0; i < device->n_endpoints; i++)
                next = MIN(next, endpoint_next_event(&device->endpoints[i], device->now));
        return next;
}

static void device_elapse(UsbDevice *usb, Usec now) {
        SimDevice *device = device_from_usb(usb);

        device->now = MAX(device->now, now);
        firmware_elapse(device->firmware, device->now);
        if (device->leaving)
                device_detach(device);
        if (!usb->attached && device->returns <= device->now)
                device_attach(device);
        device_pump(device);
}

static const UsbDeviceOps device_ops = {
        .submit = device_submit,
        .cancel = device_cancel,
        .reset = device_reset,
        .clear_halt = device_clear_halt,
        .next_event = device_next_event,
        .elapse = device_elapse,
};

static void encode_utf8(const SimSerial *serial, char *buffer) {
        for (size_t i = 0; i < serial->n; i++) {
                uint8_t unit = serial->units[i];

                if (unit >= 0x80)
                        *buffer++ = (char) (0xc0 | unit >> 6);
                *buffer++ = (char) (unit >= 0x80 ? 0x80 | (unit & 0x3f) : unit);
        }
        *buffer = '\0';
}

/* Bring settings into force after a change of any of them. */
static void device_apply(SimDevice *device) {
        const SimSettings *settings = &device->spec.settings;
        FirmwareTuning *tuning = firmware_tuning(device->firmware);

        target_set_condition(device->target, &settings->condition);
        tuning->instructions = settings->instructions;
        tuning->swo = settings->swo;
        tuning->busy = settings->state == SIM_STATE_BUSY;
        tuning->restart_on_exit = settings->restart_on_exit;
}

/* The probe's own unique ID is what a good serial spells. */
static void serial_to_uid(const SimSerial *serial, uint8_t uid[12]) {
        for (size_t i = 0; i < 12; i++) {
                char digits[3] = {};

                if (serial->n == 24) {
                        memcpy(digits, serial->units + 2 * i, 2);
                        uid[i] = (uint8_t) strtoul(digits, NULL, 16);
                } else if (i < serial->n) {
                        uid[i] = serial->units[i];
                }
        }
}

static int device_make_firmware(SimDevice *device) {
        const SimSpec *spec = &device->spec;
        FirmwareSetup setup = {
                .model = spec->model,
                .version = spec->version,
                .product_id = spec->product->product_id,
                .loader_product_id = spec->loader ? spec->loader->product_id : 0,
                .has_bridge = product_function(spec->product, FUNCTION_BRIDGE),
                .has_msd = product_function(spec->product, FUNCTION_MSD),
        };

        memcpy(setup.board_id, spec->board_id, sizeof(setup.board_id));
        serial_to_uid(&device->serial, setup.uid);
        return firmware_new(&setup, device->target, &device->firmware);
}

/* The disk of a Nucleo board, or the one of V1, which has never a medium in it (its name and
 * that it is empty are unverified). */
static void device_make_disk(SimDevice *device) {
        Disk *disk = &device->disk;
        bool v1 = device->spec.model == FIRMWARE_V1;

        disk->has_medium = !v1;
        (void) snprintf(disk->vendor, sizeof(disk->vendor), "%s", v1 ? "STM32" : "MBED");
        (void) snprintf(disk->product, sizeof(disk->product), "%s",
                        v1 ? "STLink" : "microcontroller");
        (void) snprintf(disk->label, sizeof(disk->label), "NODE_%.6s", device->spec.chip);
        for (char *c = disk->label; *c; c++)
                *c = (char) toupper((unsigned char) *c);
        (void) snprintf(disk->details, sizeof(disk->details),
                        "Version: %04X\r\nBuild: simulated\r\n",
                        firmware_version_word(&device->spec.version));
        (void) snprintf(disk->page, sizeof(disk->page),
                        "<html><head><meta http-equiv=\"refresh\" content=\"0; "
                        "url=http://mbed.org/device/?code=%.4s%s\"/></head></html>\r\n",
                        device->spec.board_id, device->serial_utf8);
}

/* How an earlier user left it. */
static int device_set_mode(SimDevice *device) {
        firmware_set_application(device->firmware, device->spec.has_application);
        firmware_power_on(device->firmware);
        if (device->spec.starts_in_loader)
                return firmware_set_mode(device->firmware, FIRMWARE_MODE_LOADER);
        if (device->spec.mode < 0)
                return 0;
        return firmware_set_mode(device->firmware, (FirmwareMode) device->spec.mode);
}

int sim_device_new(const SimSpec *spec, SimDevice **ret) {
        _cleanup_(sim_device_freep) SimDevice *device = calloc(1, sizeof(*device));
        int r;

        if (!device)
                return -ENOMEM;
        device->usb.ops = &device_ops;
        device->spec = *spec;
        device->spec.port = device->spec.flash = NULL;
        device->returns = USEC_INFINITY;
        endpoint_init(&device->control, 0, 64, USB_TRANSFER_CONTROL);
        spec_get_serial(spec, &device->serial);
        encode_utf8(&device->serial, device->serial_utf8);
        r = target_new(spec->chip, &device->target);
        if (r < 0)
                return r;
        r = device_make_firmware(device);
        if (r < 0)
                return r;
        device_make_disk(device);
        device_apply(device);
        firmware_tuning(device->firmware)->waits = spec->settings.waits;
        r = device_set_mode(device);
        if (r < 0)
                return r;
        device_attach(device);
        *ret = TAKE_PTR(device);
        return 0;
}

SimDevice *sim_device_free(SimDevice *device) {
        if (!device)
                return NULL;
        device_flush(device, -ESHUTDOWN);
        device_reset_functions(device);
        disk_clear(&device->disk);
        firmware_free(device->firmware);
        target_free(device->target);
        free(device);
        return NULL;
}

UsbDevice *sim_device_usb(SimDevice *device) {
        return &device->usb;
}

const char *sim_device_manufacturer(const SimDevice *device) {
        return product_string(device->product, 1);
}

const char *sim_device_product(const SimDevice *device) {
        return product_string(device->product, 2);
}

const char *sim_device_serial(const SimDevice *device) {
        return device->serial.n > 0 ? device->serial_utf8 : NULL;
}

const char *sim_device_interface_name(const SimDevice *device, unsigned interface) {
        return product_interface_name(device->product, interface);
}

/* A program may have set the target's read-out protection to another level since. */
static void device_keep_protection(SimDevice *device) {
        device->spec.settings.condition.rdp = target_get_condition(device->target)->rdp;
}

int sim_device_set(SimDevice *device, const char *key, const char *value, char **ret_error) {
        int r;

        device_keep_protection(device);
        r = spec_set(&device->spec, key, value, /* live= */ true, ret_error);
        if (r < 0)
                return r;
        device_apply(device);
        if (strcmp(key, "wait") == 0)
                firmware_tuning(device->firmware)->waits = device->spec.settings.waits;
        if (strcmp(key, "swo") == 0)
                firmware_print(device->firmware, device->spec.settings.swo);
        device_pump(device);
        return 0;
}

int sim_device_load(SimDevice *device, const uint8_t *data, size_t size) {
        int r = target_load(device->target, FLASH_BASE, data, size);

        if (r < 0)
                return r;
        target_set_nrst(device->target, /* low= */ true);
        target_set_nrst(device->target, /* low= */ false);
        return 0;
}

void sim_device_plug(SimDevice *device) {
        TargetCondition off;

        if (device->usb.attached)
                return;
        device_keep_protection(device);
        off = device->spec.settings.condition;
        off.unpowered = true;
        target_set_condition(device->target, &off);
        target_set_condition(device->target, &device->spec.settings.condition);
        firmware_power_on(device->firmware);
        device_attach(device);
}

void sim_device_unplug(SimDevice *device) {
        device->replug = false;
        device->returns = USEC_INFINITY;
        device_detach(device);
}

void sim_device_get_counters(const SimDevice *device, SimCounters *ret) {
        *ret = (SimCounters){
                .transfers = device->completed,
                .control_transfers = device->control_transfers,
                .commands = firmware_get_commands(device->firmware),
                .swd_entered_at = firmware_get_swd_entered_at(device->firmware),
                .identified_at = firmware_get_identified_at(device->firmware),
                .resets = device->resets,
                .target = *target_get_counters(device->target),
        };
        for (size_t i = 0; i < device->n_endpoints; i++)
                ret->transfers += device->endpoints[i].completed;
}

void sim_device_reset_counters(SimDevice *device) {
        device->completed = device->control_transfers = device->resets = 0;
        for (size_t i = 0; i < device->n_endpoints; i++)
                device->endpoints[i].completed = 0;
        firmware_reset_counters(device->firmware);
}
