/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>

#include "base/macro.h"
#include "proto/session.h"
#include "proto/status.h"

typedef enum Phase {
        PHASE_VERSION,
        PHASE_MODE,
        PHASE_VERSION_EX,
        PHASE_VOLTAGE,
        PHASE_LOADER_STATE,
        PHASE_LEAVE_LOADER,
        PHASE_QUERY_LOADER,
        PHASE_ENTER_LOADER,
        PHASE_LEAVE_DEBUG,
        PHASE_LEAVE_SWIM,
        PHASE_DIVISOR,
        PHASE_GET_KHZ,
        PHASE_SET_KHZ,
        PHASE_NRST_LOW,
        PHASE_ENTER,
        PHASE_DPIDR,
        PHASE_CPUID,
        PHASE_IDCODE,
        PHASE_FLASH_SIZE,
        PHASE_DONE,
        _PHASE_MAX,
} Phase;

#define CPUID_ADDRESS 0xE000ED00 /* ARMv7-M B3.2.3 */

/* From here on command FB says all that F1 does (stlink-protocol §5), so that only who wants the
 * mode as well has to know which of the two there is. */
#define GENERATION_WITH_VERSION_EX 3

/* One kind of step. feed returns the next phase or a negative errno. */
typedef struct PhaseHandler {
        Command (*make)(const Session *session);
        int (*feed)(Session *session, const uint8_t *reply, size_t size);
        bool access;   /* carried through by an SwdAccess; feed gets no reply but the access */
        bool tolerant; /* with access: feed wants to know of a failure too (session->status) */
} PhaseHandler;

static const PhaseHandler handlers[_PHASE_MAX];

static bool session_succeeded(const Session *session) {
        return status_class(session->status) == STATUS_CLASS_OK;
}

void session_init(Session *session, const SessionOptions *options) {
        *session = (Session){ .options = *options, .phase = PHASE_DONE };
        session->info.millivolts = -1;
        if (session->options.swd_khz == 0)
                session->options.swd_khz = SWD_KHZ_DEFAULT;
}

void session_begin(Session *session, SessionPlan plan) {
        static const Phase first[_SESSION_PLAN_MAX] = {
                [SESSION_IDENTIFY] = PHASE_VERSION,      [SESSION_ENTER_SWD] = PHASE_VERSION,
                [SESSION_IDENTIFY_TARGET] = PHASE_DPIDR, [SESSION_MEASURE_VOLTAGE] = PHASE_VOLTAGE,
                [SESSION_LEAVE_SWD] = PHASE_LEAVE_DEBUG, [SESSION_LEAVE_MODE] = PHASE_VERSION,
                [SESSION_ENTER_LOADER] = PHASE_VERSION,
        };

        assert((unsigned) plan < _SESSION_PLAN_MAX);
        session->plan = plan;
        session->phase = first[plan];
        session->error = 0;
        session->status = STATUS_NONE;
        session->in_access = false;
        session->candidate = 0;
        if (plan == SESSION_ENTER_SWD &&
            session->options.generation >= GENERATION_WITH_VERSION_EX) {
                session->info.firmware.major = session->options.generation;
                session->phase = PHASE_MODE;
        }
        if (plan == SESSION_IDENTIFY_TARGET) {
                session->target = (ProbeTarget){ .status = STATUS_OK };
                /* A target that was caught at its reset is known as early as possible. */
                if (session->options.under_reset)
                        session->phase = PHASE_CPUID;
        }
        if (plan == SESSION_MEASURE_VOLTAGE &&
            !firmware_supports(&session->info.firmware, FIRMWARE_TARGET_VOLTAGE)) {
                session->phase = PHASE_DONE;
                session->error = -EOPNOTSUPP;
        }
}

static void session_fail(Session *session, int error) {
        session->phase = PHASE_DONE;
        session->error = step_error(error);
}

/* An answer that makes no sense at the very start is most likely one that a program before us
 * did not fetch, and silence comes from a probe that took our command for the data such a
 * program had still owed. Once, clear the pipes and start over. */
static bool session_resync(Session *session, int error) {
        if (session->resynced || (session->phase != PHASE_VERSION && session->phase != PHASE_MODE))
                return false;
        if (error != -EPROTO && error != -EPIPE && error != -EOVERFLOW && error != -ETIME)
                return false;
        session->resynced = true;
        session->drain = true;
        session->phase = PHASE_VERSION;
        return true;
}

int session_next(Session *session, Step *ret) {
        const PhaseHandler *handler;

        if (session->phase == PHASE_DONE)
                return session->error;

        handler = &handlers[session->phase];
        if (session->in_access)
                return swd_access_next(&session->access, ret);
        if (handler->access) {
                Command command = handler->make(session);

                swd_access_init(&session->access, &session->info.firmware, &command);
                session->in_access = true;
                return swd_access_next(&session->access, ret);
        }
        *ret = (Step){ .command = handler->make(session), .drain = session->drain };
        return 1;
}

static void session_advance(Session *session, int next) {
        if (next < 0)
                session_fail(session, next);
        else
                session->phase = (unsigned) next;
}

/* After each answer within an access: is it through? */
static void session_feed_access(Session *session) {
        const PhaseHandler *handler = &handlers[session->phase];
        Step ignored;
        int r = swd_access_next(&session->access, &ignored);

        if (r > 0)
                return;
        session->in_access = false;
        session->status = session->access.status;
        if (r == 0 || (r == -EREMOTEIO && handler->tolerant))
                session_advance(session, handler->feed(session, NULL, 0));
        else
                session_fail(session, r);
}

void session_feed(Session *session, int error, const uint8_t *reply, size_t size) {
        int next;

        assert(session->phase != PHASE_DONE);
        session->info.commands++;
        session->drain = false;
        /* Whether it was done is not known when its answer is lost; it is undone all the same. */
        if (session->phase == PHASE_ENTER)
                session->entered = true;
        if (session->phase == PHASE_NRST_LOW)
                session->nrst_low = true;
        if (session->in_access) {
                swd_access_feed(&session->access, error, reply, size);
                return session_feed_access(session);
        }

        next = error < 0 ? error : handlers[session->phase].feed(session, reply, size);
        if (next < 0 && session_resync(session, next))
                return;
        session_advance(session, next);
}

static Command make_version(_unused_ const Session *session) {
        return command_get_version();
}

static int feed_version(Session *session, const uint8_t *reply, size_t size) {
        int r = decode_version(reply, size, &session->info.firmware);

        return r < 0 ? r : PHASE_MODE;
}

/* nRST is low before SWD is entered, so that no program of the target's can be in the way
 * (stlink-protocol §7.5). */
static int session_clock_is_set(const Session *session) {
        return session->options.under_reset ? PHASE_NRST_LOW : PHASE_ENTER;
}

/* The mode and the complete version are known: on to what the plan is about. */
static int session_enter_swd(Session *session) {
        const Firmware *firmware = &session->info.firmware;

        if (firmware->jtag == 0)
                return -EOPNOTSUPP;
        if (session->options.under_reset && !firmware_supports(firmware, FIRMWARE_NRST))
                return -EOPNOTSUPP;
        if (session->mode == PROBE_MODE_DEBUG)
                return PHASE_LEAVE_DEBUG;
        if (session->mode == PROBE_MODE_SWIM)
                return PHASE_LEAVE_SWIM;
        if (firmware_supports(firmware, FIRMWARE_SWD_KHZ))
                return PHASE_GET_KHZ;
        if (firmware_supports(firmware, FIRMWARE_SWD_DIVISOR))
                return PHASE_DIVISOR;
        return session_clock_is_set(session);
}

static int session_leave_mode(const Session *session) {
        if (session->mode == PROBE_MODE_DEBUG)
                return PHASE_LEAVE_DEBUG;
        if (session->mode == PROBE_MODE_SWIM)
                return PHASE_LEAVE_SWIM;
        return session->plan == SESSION_ENTER_LOADER ? PHASE_QUERY_LOADER : PHASE_DONE;
}

static int session_after_version(Session *session) {
        if (session->plan == SESSION_ENTER_SWD)
                return session_enter_swd(session);
        if (session->plan == SESSION_LEAVE_MODE || session->plan == SESSION_ENTER_LOADER)
                return session_leave_mode(session);
        if (firmware_supports(&session->info.firmware, FIRMWARE_TARGET_VOLTAGE))
                return PHASE_VOLTAGE;
        return PHASE_DONE;
}

static Command make_mode(_unused_ const Session *session) {
        return command_get_mode();
}

static int session_in_loader(const Session *session) {
        if (session->plan == SESSION_IDENTIFY || session->plan == SESSION_ENTER_LOADER)
                return PHASE_DONE;
        if (session->info.left_loader)
                return -EIO;
        return session->options.may_leave_loader ? PHASE_LOADER_STATE : -EPERM;
}

static int feed_mode(Session *session, const uint8_t *reply, size_t size) {
        int r = decode_mode(reply, size, &session->mode, NULL);

        if (r < 0)
                return r;
        if (session->info.mode == PROBE_MODE_UNKNOWN)
                session->info.mode = session->mode;
        if (session->mode == PROBE_MODE_LOADER)
                return session_in_loader(session);
        if (firmware_supports(&session->info.firmware, FIRMWARE_VERSION_EX))
                return PHASE_VERSION_EX;
        return session_after_version(session);
}

static Command make_version_ex(_unused_ const Session *session) {
        return command_get_version_ex();
}

static int feed_version_ex(Session *session, const uint8_t *reply, size_t size) {
        int r = decode_version_ex(reply, size, &session->info.firmware);

        /* The product ID may have told us wrong. */
        if (r < 0 && session->options.generation > 0) {
                session->options.generation = 0;
                return PHASE_VERSION;
        }
        return r < 0 ? r : session_after_version(session);
}

static Command make_voltage(_unused_ const Session *session) {
        return command_get_voltage();
}

static int feed_voltage(Session *session, const uint8_t *reply, size_t size) {
        int r = decode_voltage(reply, size, &session->info.millivolts);

        return r < 0 && r != -ENODATA ? r : PHASE_DONE;
}

static Command make_loader_state(_unused_ const Session *session) {
        return command_loader_get_state();
}

static int feed_loader_state(_unused_ Session *session, const uint8_t *reply, size_t size) {
        bool idle;
        int r = decode_loader_state(reply, size, &idle);

        if (r < 0)
                return r;
        return idle ? PHASE_LEAVE_LOADER : -EINPROGRESS;
}

static Command make_leave_loader(_unused_ const Session *session) {
        return command_loader_exit();
}

static int feed_leave_loader(Session *session, _unused_ const uint8_t *reply,
                             _unused_ size_t size) {
        session->info.left_loader = true;
        session->resynced = false;
        return PHASE_VERSION;
}

static Command make_leave_debug(_unused_ const Session *session) {
        return command_exit_debug();
}

static Command make_leave_swim(_unused_ const Session *session) {
        return command_swim_exit();
}

static int feed_leave(Session *session, _unused_ const uint8_t *reply, _unused_ size_t size) {
        session->mode = PROBE_MODE_MASS;
        session->entered = false;
        return session->plan == SESSION_LEAVE_SWD ? PHASE_DONE : session_after_version(session);
}

static Command make_query_loader(_unused_ const Session *session) {
        return command_loader_query();
}

static int feed_query_loader(_unused_ Session *session, _unused_ const uint8_t *reply,
                             _unused_ size_t size) {
        return PHASE_ENTER_LOADER;
}

static Command make_enter_loader(_unused_ const Session *session) {
        return command_loader_enter();
}

static int feed_enter_loader(_unused_ Session *session, _unused_ const uint8_t *reply,
                             _unused_ size_t size) {
        return PHASE_DONE;
}

static Command make_divisor(const Session *session) {
        unsigned ignored;

        return command_set_swd_divisor(swd_divisor(session->options.swd_khz, &ignored));
}

static int feed_divisor(Session *session, _unused_ const uint8_t *reply, _unused_ size_t size) {
        /* A clone that cannot set its clock may still do what is asked of it. */
        if (session_succeeded(session))
                (void) swd_divisor(session->options.swd_khz, &session->info.swd_khz);
        return session_clock_is_set(session);
}

static Command make_get_khz(_unused_ const Session *session) {
        return command_get_swd_khz();
}

static int feed_get_khz(Session *session, const uint8_t *reply, size_t size) {
        SwdFrequencies frequencies;
        int r = decode_swd_khz(reply, size, &session->status, &frequencies);

        if (r < 0)
                return r;
        if (!session_succeeded(session))
                return session_clock_is_set(session);
        session->info.swd_khz = swd_frequency(&frequencies, session->options.swd_khz);
        if (session->info.swd_khz == 0 || session->info.swd_khz == frequencies.current)
                return session_clock_is_set(session);
        return PHASE_SET_KHZ;
}

static Command make_set_khz(const Session *session) {
        return command_set_swd_khz(session->info.swd_khz);
}

static int feed_set_khz(Session *session, _unused_ const uint8_t *reply, _unused_ size_t size) {
        /* The answer's word is the clock in force, which the probe may have rounded. */
        session->info.swd_khz = session_succeeded(session) ? session->access.value : 0;
        return session_clock_is_set(session);
}

static Command make_nrst_low(_unused_ const Session *session) {
        return command_drive_nrst(NRST_LOW);
}

static int feed_nrst_low(_unused_ Session *session, _unused_ const uint8_t *reply,
                         _unused_ size_t size) {
        return PHASE_ENTER;
}

static Command make_enter(_unused_ const Session *session) {
        return command_enter_swd();
}

static int feed_enter(Session *session, _unused_ const uint8_t *reply, _unused_ size_t size) {
        session->mode = PROBE_MODE_DEBUG;
        return PHASE_DONE;
}

static Command make_dpidr(_unused_ const Session *session) {
        return command_read_idcodes();
}

static int feed_dpidr(Session *session, _unused_ const uint8_t *reply, _unused_ size_t size) {
        session->target.dpidr = session->access.value;
        return session->options.under_reset ? PHASE_DONE : PHASE_CPUID;
}

/* The chip is known as far as it can be. */
static int session_identified(const Session *session) {
        return session->options.under_reset ? PHASE_DPIDR : PHASE_DONE;
}

static Command make_cpuid(_unused_ const Session *session) {
        return command_read_word(CPUID_ADDRESS);
}

static uint32_t session_idcode_address(const Session *session) {
        return chip_idcode_address(session->target.cpuid, session->target.dpidr,
                                   session->candidate);
}

static int feed_cpuid(Session *session, _unused_ const uint8_t *reply, _unused_ size_t size) {
        if (session_succeeded(session))
                session->target.cpuid = session->access.value;
        else
                session->target.status = session->status;
        return session_idcode_address(session) ? PHASE_IDCODE : session_identified(session);
}

static Command make_idcode(const Session *session) {
        return command_read_word(session_idcode_address(session));
}

static int feed_idcode(Session *session, _unused_ const uint8_t *reply, _unused_ size_t size) {
        ProbeTarget *target = &session->target;

        if (session_succeeded(session) && session->access.value != 0) {
                target->idcode = session->access.value;
                target->chip = chip_find(target->idcode);
                target->status = STATUS_OK;
                return target->chip ? PHASE_FLASH_SIZE : session_identified(session);
        }
        if (!session_succeeded(session))
                target->status = session->status;
        session->candidate++;
        return session_idcode_address(session) ? PHASE_IDCODE : session_identified(session);
}

static Command make_flash_size(const Session *session) {
        /* The command reads aligned words only. */
        return command_read_word(session->target.chip->flash_size & ~UINT32_C(3));
}

static int feed_flash_size(Session *session, _unused_ const uint8_t *reply, _unused_ size_t size) {
        ProbeTarget *target = &session->target;
        uint32_t word = session->access.value;

        if (!session_succeeded(session)) {
                target->status = session->status;
                return session_identified(session);
        }
        if (target->chip->flash_size & 2)
                word >>= 16;
        target->flash_kib = chip_flash_kib(target->chip, (uint16_t) word);
        return session_identified(session);
}

static const PhaseHandler handlers[_PHASE_MAX] = {
        [PHASE_VERSION] = { make_version, feed_version },
        [PHASE_MODE] = { make_mode, feed_mode },
        [PHASE_VERSION_EX] = { make_version_ex, feed_version_ex },
        [PHASE_VOLTAGE] = { make_voltage, feed_voltage },
        [PHASE_LOADER_STATE] = { make_loader_state, feed_loader_state },
        [PHASE_LEAVE_LOADER] = { make_leave_loader, feed_leave_loader },
        [PHASE_QUERY_LOADER] = { make_query_loader, feed_query_loader, .access = true },
        [PHASE_ENTER_LOADER] = { make_enter_loader, feed_enter_loader },
        [PHASE_LEAVE_DEBUG] = { make_leave_debug, feed_leave },
        [PHASE_LEAVE_SWIM] = { make_leave_swim, feed_leave },
        [PHASE_DIVISOR] = { make_divisor, feed_divisor, .access = true, .tolerant = true },
        [PHASE_GET_KHZ] = { make_get_khz, feed_get_khz },
        [PHASE_SET_KHZ] = { make_set_khz, feed_set_khz, .access = true, .tolerant = true },
        [PHASE_NRST_LOW] = { make_nrst_low, feed_nrst_low, .access = true, .tolerant = true },
        [PHASE_ENTER] = { make_enter, feed_enter, .access = true },
        [PHASE_DPIDR] = { make_dpidr, feed_dpidr, .access = true },
        [PHASE_CPUID] = { make_cpuid, feed_cpuid, .access = true, .tolerant = true },
        [PHASE_IDCODE] = { make_idcode, feed_idcode, .access = true, .tolerant = true },
        [PHASE_FLASH_SIZE] = { make_flash_size, feed_flash_size, .access = true, .tolerant = true },
};
