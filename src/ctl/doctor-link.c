/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "ctl/doctor.h"
#include "proto/session.h"
#include "usb/node.h"
#include "usb/transport-libusb.h"

#define DEBUG_INTERFACE    0
#define CLEANUP_TIMEOUT_MS 200

/* Round trips, and how long they may take together */
#define ROUNDS_MAX    64
#define ROUNDS_BUDGET USEC_PER_SEC

/* Reads of DPIDR that tell whether a clock is too fast for the wires */
#define READS 16

#define DHCSR            0xE000EDF0 /* ARMv7-M C1.6.2 */
#define DHCSR_S_RESET_ST (UINT32_C(1) << 25)
#define FLASH_START      0x08000000 /* of every STM32 */
#define RESET_TIME       (20 * USEC_PER_MSEC)

/* The clocks that are tried, in kHz; the last is for long wires and weak pull-ups. */
static const unsigned clocks[SWD_TRIES_MAX] = { 4000, 1000, 480, 100, 25 };

typedef struct Link {
        const LinkOptions *options;
        ProbeFindings *found;
        Transport *transport;
        Session session;
        int fd, own_fd;
        bool detached;  /* a kernel driver had the interface */
        bool reset_low; /* nRST is pulled */
        bool entered;
} Link;

/* --- one command -------------------------------------------------------------------------- */

static int link_ask(Link *link, const Command *command, uint8_t *reply, size_t *ret_size) {
        Step step = { .command = *command };

        return transport_perform(link->transport, &step, reply, ret_size);
}

/* A command that is answered with a status: 0 whatever that says, which is *ret_status. */
static int link_access(Link *link, const Command *command, uint8_t *ret_status,
                       uint32_t *ret_value) {
        SwdAccess access;
        int r;

        swd_access_init(&access, &link->session.info.firmware, command);
        r = transport_run_access(link->transport, &access);
        *ret_status = access.status;
        if (ret_value)
                *ret_value = access.value;
        return r == -EREMOTEIO ? 0 : r;
}

static bool is_ok(uint8_t status) {
        return status_class(status) == STATUS_CLASS_OK;
}

static int link_run(Link *link, SessionPlan plan) {
        session_begin(&link->session, plan);
        return transport_run_session(link->transport, &link->session);
}

/* --- opening ------------------------------------------------------------------------------ */

/* A kernel driver is in the way of a V1 only; it comes back afterwards. */
static int link_evict_driver(Link *link) {
        char driver[NODE_DRIVER_MAX];
        int r = node_get_driver(link->fd, DEBUG_INTERFACE, driver);

        if (r < 0 || strcmp(driver, "usbfs") == 0)
                return 0;
        r = node_detach(link->fd, DEBUG_INTERFACE);
        link->detached = r >= 0;
        return r;
}

static int link_open(Link *link, int fd) {
        UsbOptions usb = { .cancel_fd = link->options->cancel_fd };
        int r;

        link->fd = fd;
        r = link_evict_driver(link);
        if (r >= 0)
                r = transport_libusb_new(fd, &usb, &link->transport);
        if (r < 0)
                return r;
        session_init(&link->session,
                     &(SessionOptions){ .may_leave_loader = link->options->may_leave_loader });
        return 0;
}

/* Whatever happened: nRST is released, the probe idle, and no answer to us left in it. */
static void link_close(Link *link) {
        Command release = command_drive_nrst(NRST_HIGH), leave = command_exit_debug();
        uint8_t reply[TRANSPORT_REPLY_SIZE], status;
        size_t size;
        int error = link->found->error;

        if (link->transport && error != -ENODEV) {
                link->transport->ignore_cancel = true;
                if (error < 0)
                        link->transport->timeout_ms = CLEANUP_TIMEOUT_MS;
                if (error < 0 && transport_drain(link->transport) < 0)
                        link->entered = link->reset_low = false;
                if (link->reset_low)
                        (void) link_access(link, &release, &status, NULL);
                if (link->entered)
                        (void) link_ask(link, &leave, reply, &size);
        }
        link->transport = transport_free(link->transport);
        if (link->detached)
                (void) node_attach(link->fd, DEBUG_INTERFACE);
        link->own_fd = safe_close(link->own_fd);
        link->entered = link->reset_low = link->detached = false;
}

/* --- identity ----------------------------------------------------------------------------- */

static int link_identify(Link *link) {
        const ProbeInfo *info = &link->session.info;
        ProbeFindings *found = link->found;
        int r = link_run(link, SESSION_IDENTIFY);

        found->firmware = info->firmware;
        if (r < 0)
                return r;
        found->identified = true;
        found->can_measure_voltage = firmware_supports(&info->firmware, FIRMWARE_TARGET_VOLTAGE);
        found->millivolts = info->millivolts;
        found->was_in_debug = info->mode == PROBE_MODE_DEBUG;
        return 0;
}

static int link_come_back(Link *link) {
        Usec left = now_usec(CLOCK_MONOTONIC);
        int fd, r;

        link_close(link);
        r = link->options->reopen(link->options->userdata, &fd);
        if (r < 0) {
                link->found->loader = r == -ECANCELED ? LOADER_LEFT : LOADER_LOST;
                return r == -ECANCELED ? r : -ENODEV;
        }
        link->found->away = now_usec(CLOCK_MONOTONIC) - left;
        link->own_fd = fd;
        r = link_open(link, fd);
        if (r >= 0)
                r = link_identify(link);
        if (r >= 0 && link->session.mode == PROBE_MODE_LOADER) {
                link->found->loader = LOADER_STUCK;
                r = -EIO;
        }
        return r;
}

/* The session knows when a boot loader may be left, and how. */
static int link_leave_loader(Link *link) {
        ProbeFindings *found = link->found;
        int r = link_run(link, SESSION_ENTER_SWD);

        link->entered = link->session.entered;
        if (r == -EINPROGRESS || r == -EPERM || r == -EIO) {
                found->loader = r == -EINPROGRESS ? LOADER_UPDATE
                                : r == -EPERM     ? LOADER_RECENT
                                                  : LOADER_STUCK;
                return r;
        }
        if (link->session.info.left_loader)
                found->loader = LOADER_LEFT;
        if (r == -ENODEV && link->session.info.left_loader)
                return link_come_back(link);
        if (r < 0 && r != -EREMOTEIO)
                return r;
        if (link->entered)
                r = link_run(link, SESSION_LEAVE_SWD);
        else
                r = 0;
        link->entered = false;
        return r < 0 ? r : link_identify(link);
}

/* --- the way to the probe ----------------------------------------------------------------- */

static int compare_times(const void *a, const void *b) {
        Usec x = *(const Usec *) a, y = *(const Usec *) b;

        return x < y ? -1 : x > y;
}

static int link_measure_rounds(Link *link) {
        Command command = command_get_version();
        ProbeFindings *found = link->found;
        uint8_t first[COMMAND_SIZE] = {};
        Usec times[ROUNDS_MAX], began = now_usec(CLOCK_MONOTONIC);
        size_t n = 0;

        for (unsigned i = 0; i < ROUNDS_MAX; i++) {
                uint8_t reply[TRANSPORT_REPLY_SIZE];
                Usec start = now_usec(CLOCK_MONOTONIC);
                size_t size = 0;
                int r = link_ask(link, &command, reply, &size);

                found->rounds++;
                if (r == -ENODEV || r == -ECANCELED || r == -ETIMEDOUT || r == -ETIME)
                        return r;
                if (n == 0 && r >= 0 && size == command.in_size)
                        memcpy(first, reply, MIN(size, sizeof(first)));
                if (r < 0 || size != command.in_size ||
                    memcmp(first, reply, MIN(size, sizeof(first))) != 0) {
                        found->failed_rounds++;
                        r = transport_drain(link->transport);
                        if (r < 0)
                                return r;
                        continue;
                }
                times[n++] = now_usec(CLOCK_MONOTONIC) - start;
                if (now_usec(CLOCK_MONOTONIC) - began > ROUNDS_BUDGET)
                        break;
        }
        if (n == 0)
                return -EPROTO;
        qsort(times, n, sizeof(*times), compare_times);
        found->median = times[n / 2];
        found->p99 = times[(n - 1) * 99 / 100];
        found->worst = times[n - 1];
        return 0;
}

/* --- SWD ---------------------------------------------------------------------------------- */

/* The clock that came of it is *ret_khz, 0 when it cannot be set. */
static int link_set_clock(Link *link, unsigned khz, unsigned *ret_khz) {
        const Firmware *firmware = &link->session.info.firmware;
        uint8_t reply[TRANSPORT_REPLY_SIZE], status;
        SwdFrequencies frequencies;
        Command command;
        size_t size;
        int r;

        *ret_khz = 0;
        if (firmware_supports(firmware, FIRMWARE_SWD_KHZ)) {
                command = command_get_swd_khz();
                r = link_ask(link, &command, reply, &size);
                if (r >= 0)
                        r = decode_status(reply, size, &status);
                if (r < 0 || !is_ok(status))
                        return r;
                r = decode_swd_khz(reply, size, &status, &frequencies);
                if (r < 0)
                        return r;
                *ret_khz = swd_frequency(&frequencies, khz);
                command = command_set_swd_khz(*ret_khz);
        } else if (firmware_supports(firmware, FIRMWARE_SWD_DIVISOR))
                command = command_set_swd_divisor(swd_divisor(khz, ret_khz));
        else
                return 0;
        r = link_access(link, &command, &status, NULL);
        if (r >= 0 && !is_ok(status))
                *ret_khz = 0;
        return r;
}

static int link_enter(Link *link, uint8_t *ret_status) {
        Command command = command_enter_swd();
        int r;

        link->entered = true;
        r = link_access(link, &command, ret_status, NULL);
        if (r >= 0)
                link->session.mode = PROBE_MODE_DEBUG;
        return r;
}

static int link_leave(Link *link) {
        Command command = command_exit_debug();
        uint8_t reply[TRANSPORT_REPLY_SIZE];
        size_t size;
        int r = link_ask(link, &command, reply, &size);

        if (r >= 0)
                link->entered = false;
        return r;
}

static int link_read_dpidr(Link *link, SwdTry *try) {
        Command command = command_read_idcodes();
        uint32_t dpidr = 0;

        for (unsigned i = 0; i < READS; i++) {
                uint32_t value;
                uint8_t status;
                int r = link_access(link, &command, &status, &value);

                if (r < 0)
                        return r;
                try->reads++;
                if (!is_ok(status) || value == 0 || (dpidr != 0 && value != dpidr))
                        try->failures++;
                else
                        dpidr = value;
        }
        return 0;
}

/* One clock; SWD stays entered when all is well. */
static int link_try_swd(Link *link, unsigned khz, SwdTry *try) {
        int r = link_set_clock(link, khz, &try->khz);

        if (r >= 0)
                r = link_enter(link, &try->status);
        if (r >= 0 && is_ok(try->status))
                r = link_read_dpidr(link, try);
        if (r < 0)
                return r;
        link->found->answers = is_ok(try->status) && try->failures == 0;
        return link->found->answers ? 0 : link_leave(link);
}

static int link_find_swd(Link *link) {
        ProbeFindings *found = link->found;

        for (size_t i = 0; i < ELEMENTSOF(clocks) && !found->answers; i++) {
                SwdTry *try = &found->tries[found->n_tries];
                bool is_new = true;
                int r;

                *try = (SwdTry){};
                r = link_try_swd(link, clocks[i], try);
                for (size_t k = 0; k < found->n_tries; k++)
                        is_new &= found->tries[k].khz != try->khz;
                if (is_new || found->answers)
                        found->n_tries++;
                if (r < 0)
                        return r;
                if (try->khz == 0)
                        break;
        }
        return 0;
}

static int link_pull_reset(Link *link, bool low) {
        Command command = command_drive_nrst(low ? NRST_LOW : NRST_HIGH);
        uint8_t status;
        int r;

        link->reset_low = true; /* from the moment it is tried: the answer may get lost */
        r = link_access(link, &command, &status, NULL);
        if (r >= 0)
                link->reset_low = low;
        if (r >= 0)
                r = link->transport->ops->pause(link->transport, RESET_TIME);
        return r;
}

/* A target that does not answer may do so while its program does not run. */
static int link_try_under_reset(Link *link) {
        ProbeFindings *found = link->found;
        unsigned khz;
        int r;

        if (!firmware_supports(&link->session.info.firmware, FIRMWARE_NRST))
                return 0;
        r = link_set_clock(link, SWD_KHZ_DEFAULT, &khz);
        if (r >= 0)
                r = link_pull_reset(link, /* low= */ true);
        if (r >= 0)
                r = link_enter(link, &found->under_reset);
        if (r < 0)
                return r;
        found->tried_under_reset = true;
        if (is_ok(found->under_reset))
                found->nrst = LINE_WORKS;
        r = link_pull_reset(link, /* low= */ false);
        return r < 0 ? r : link_leave(link);
}

static int link_test_reset(Link *link) {
        Command command = command_read_word(DHCSR);
        uint32_t value = 0;
        uint8_t status;
        int r;

        if (!firmware_supports(&link->session.info.firmware, FIRMWARE_NRST))
                return 0;
        r = link_access(link, &command, &status, &value); /* reading clears the bit */
        if (r < 0 || !is_ok(status))
                return r;
        r = link_pull_reset(link, /* low= */ true);
        if (r >= 0)
                r = link_pull_reset(link, /* low= */ false);
        if (r >= 0)
                r = link_access(link, &command, &status, &value);
        if (r >= 0 && is_ok(status))
                link->found->nrst = value & DHCSR_S_RESET_ST ? LINE_WORKS : LINE_DEAD;
        return r;
}

static int link_read_protection(Link *link) {
        ProbeFindings *found = link->found;
        uint32_t address = chip_rdp_address(found->chip), value;
        Command command = command_read_word(address);
        uint8_t status;
        int r = 0;

        if (address == 0)
                return 0;
        r = link_access(link, &command, &status, &value);
        if (r >= 0 && is_ok(status))
                found->rdp = chip_rdp(found->chip, value);
        return r;
}

static int link_identify_target(Link *link) {
        Command command = command_read_word(FLASH_START);
        const ProbeTarget *target = &link->session.target;
        ProbeFindings *found = link->found;
        int r = link_run(link, SESSION_IDENTIFY_TARGET);

        if (r == -EREMOTEIO)
                return 0;
        if (r < 0)
                return r;
        found->dpidr = target->dpidr;
        found->cpuid = target->cpuid;
        found->idcode = target->idcode;
        found->chip = target->chip;
        found->flash_kib = target->flash_kib;
        if (!found->chip)
                return 0;
        found->read_flash = true;
        r = link_access(link, &command, &found->flash_status, NULL);
        return r < 0 ? r : link_read_protection(link);
}

static int link_examine_target(Link *link) {
        int r;

        if (link->session.mode == PROBE_MODE_DEBUG || link->session.mode == PROBE_MODE_SWIM) {
                Command command = link->session.mode == PROBE_MODE_SWIM ? command_swim_exit()
                                                                        : command_exit_debug();
                uint8_t reply[TRANSPORT_REPLY_SIZE];
                size_t size;

                r = link_ask(link, &command, reply, &size);
                if (r < 0)
                        return r;
        }
        r = link_find_swd(link);
        if (r < 0)
                return r;
        if (!link->found->answers)
                return link_try_under_reset(link);
        r = link_identify_target(link);
        if (r >= 0 && link->options->may_reset)
                r = link_test_reset(link);
        return r < 0 ? r : link_leave(link);
}

static int link_confirm_idle(Link *link) {
        Command command = command_get_mode();
        uint8_t reply[TRANSPORT_REPLY_SIZE];
        ProbeMode mode;
        size_t size;
        int r = link_ask(link, &command, reply, &size);

        if (r >= 0)
                r = decode_mode(reply, size, &mode, NULL);
        if (r >= 0)
                link->found->left_idle = mode == PROBE_MODE_MASS;
        return r;
}

static int link_examine(Link *link, int fd) {
        const Firmware *firmware = &link->session.info.firmware;
        int r = link_open(link, fd);

        if (r >= 0)
                r = link_identify(link);
        if (r >= 0 && link->found->loader != LOADER_OWN && link->session.mode == PROBE_MODE_LOADER)
                r = link_leave_loader(link);
        if (r >= 0)
                r = link_measure_rounds(link);
        if (r < 0 || link->session.mode == PROBE_MODE_LOADER)
                return r;
        if (firmware->jtag == 0)
                return -EOPNOTSUPP;
        r = link_examine_target(link);
        return r < 0 ? r : link_confirm_idle(link);
}

void doctor_examine(int fd, const LinkOptions *options, ProbeFindings *found) {
        LoaderFinding loader = found->loader;
        Link link = { .options = options, .found = found, .fd = fd, .own_fd = -EBADF };

        *found = (ProbeFindings){ .asked = true, .millivolts = -1, .loader = loader };
        found->error = link_examine(&link, fd);
        link_close(&link);
}
