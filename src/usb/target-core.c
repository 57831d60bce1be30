/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "base/bytes.h"
#include "base/string-table.h"
#include "proto/swd.h"
#include "usb/target-link.h"

/* ARMv7-M C1.6 and B3.2, and the same in ARMv6-M and ARMv8-M */
#define DHCSR 0xE000EDF0
#define DEMCR 0xE000EDFC
#define AIRCR 0xE000ED0C
#define FPB   0xE0002000 /* FP_CTRL, FP_REMAP, then the comparators */

#define DHCSR_KEY        0xA05F0000
#define DHCSR_C_DEBUGEN  (1u << 0)
#define DHCSR_C_HALT     (1u << 1)
#define DHCSR_C_STEP     (1u << 2)
#define DHCSR_C_MASKINTS (1u << 3)
#define DHCSR_S_HALT     (1u << 17)
#define DHCSR_S_SLEEP    (1u << 18)
#define DHCSR_S_LOCKUP   (1u << 19)
#define DHCSR_S_RESET_ST (1u << 25) /* since it was read last */
#define DHCSR_CONTROL    (DHCSR_C_DEBUGEN | DHCSR_C_HALT | DHCSR_C_MASKINTS)

#define DEMCR_VC_CORERESET (1u << 0)
#define AIRCR_SYSRESETREQ  0x05FA0004
#define FP_CTRL_ENABLE     (1u << 0)
#define FP_COMP_ENABLE     (1u << 0)
#define FP_COMPARATORS     8 /* at most on the cores we know, literals aside */

#define AP_IDR 0xFC /* ADIv5.2 C2.5 */

#define CORE_TIMEOUT (500 * USEC_PER_MSEC)
#define CORE_PAUSE   USEC_PER_MSEC

static const char *const core_state_table[] = {
        [CORE_RUNNING] = "running",     [CORE_HALTED] = "halted",     [CORE_SLEEPING] = "sleeping",
        [CORE_LOCKED_UP] = "locked-up", [CORE_IN_RESET] = "in-reset",
};

const char *core_state_to_string(CoreState state) {
        return (size_t) state < ELEMENTSOF(core_state_table) ? core_state_table[state] : NULL;
}

static CoreState core_state_from_dhcsr(uint32_t dhcsr) {
        if (dhcsr & DHCSR_S_LOCKUP)
                return CORE_LOCKED_UP;
        if (dhcsr & DHCSR_S_HALT)
                return CORE_HALTED;
        return dhcsr & DHCSR_S_SLEEP ? CORE_SLEEPING : CORE_RUNNING;
}

/* An error that no further access would be free of. */
static bool is_fatal(int r) {
        return r < 0 && r != -EREMOTEIO && r != -EOPNOTSUPP;
}

static int read_ap_idr(TargetLink *link, uint32_t *ret) {
        const Firmware *firmware = &probe_session_info(link->session)->firmware;
        Command command = command_read_dap(link->ap, AP_IDR);
        SwdAccess access;
        int r;

        if (!firmware_supports(firmware, FIRMWARE_DAP_REGISTERS))
                return -EOPNOTSUPP;
        swd_access_init(&access, firmware, &command);
        r = probe_session_access(link->session, &access);
        if (r >= 0)
                *ret = access.value;
        return r;
}

int target_link_examine(TargetLink *link, const ProbeTarget *target, TargetDetails *ret) {
        TargetDetails details = {};
        uint32_t address = target->chip ? chip_rdp_address(target->chip) : 0, value;
        int r = read_ap_idr(link, &details.ap_idr);

        if (!is_fatal(r) && target->cpuid != 0) {
                r = target_link_read_word(link, DHCSR, &details.dhcsr);
                if (r >= 0)
                        details.core = core_state_from_dhcsr(details.dhcsr);
                details.debugged = r >= 0 && details.dhcsr & DHCSR_C_DEBUGEN;
        }
        if (!is_fatal(r) && address != 0) {
                r = target_link_read_word(link, address, &value);
                if (r >= 0)
                        details.rdp = chip_rdp(target->chip, value);
        }
        if (is_fatal(r))
                return r;
        *ret = details;
        return 0;
}

/* Every change of the core begins here: what it was found as is not forgotten. */
static int change_dhcsr(TargetLink *link, uint32_t control) {
        int r;

        if (!link->dhcsr_changed) {
                r = target_link_read_word(link, DHCSR, &link->dhcsr);
                if (r < 0)
                        return r;
                link->dhcsr_changed = true;
        }
        return target_link_write_word(link, DHCSR, DHCSR_KEY | control);
}

static int change_demcr(TargetLink *link, uint32_t set) {
        int r;

        if (!link->demcr_changed) {
                r = target_link_read_word(link, DEMCR, &link->demcr);
                if (r < 0)
                        return r;
                link->demcr_changed = true;
        }
        return target_link_write_word(link, DEMCR, link->demcr | set);
}

/* Until all bits in mask have been seen; they may be such that are cleared by reading. Others
 * that were seen meanwhile are in *ret_seen. */
static int await_dhcsr(TargetLink *link, uint32_t mask, uint32_t *ret_seen) {
        Usec deadline = usec_add(now_usec(CLOCK_MONOTONIC), CORE_TIMEOUT);
        uint32_t seen = 0;

        for (;;) {
                uint32_t value = 0;
                int r = target_link_read_word(link, DHCSR, &value);

                seen |= value;
                *ret_seen = seen;
                if (r >= 0 && (value & mask) == mask)
                        return 0;
                /* Right after a reset it may refuse, for a moment. */
                if (is_fatal(r))
                        return r;
                if (now_usec(CLOCK_MONOTONIC) >= deadline)
                        return r < 0 ? r : -ETIME;
                r = probe_session_pause(link->session, CORE_PAUSE);
                if (r < 0)
                        return r;
        }
}

/* Vector catch must not stay: the next reset would stop there too. */
static int forget_reset(TargetLink *link) {
        int r;

        if (!link->demcr_changed)
                return 0;
        r = target_link_write_word(link, DEMCR, link->demcr & ~DEMCR_VC_CORERESET);
        if (r >= 0)
                link->demcr_changed = false;
        return r;
}

int target_link_halt(TargetLink *link) {
        uint32_t seen;
        int r = forget_reset(link);

        if (r >= 0)
                r = change_dhcsr(link, DHCSR_C_DEBUGEN | DHCSR_C_HALT);
        return r < 0 ? r : await_dhcsr(link, DHCSR_S_HALT, &seen);
}

static int count_breakpoints(TargetLink *link, unsigned *ret) {
        uint8_t unit[4 * (2 + FP_COMPARATORS)];
        unsigned n = 0;
        int r = target_link_read(link, FPB, unit, sizeof(unit));

        if (r < 0)
                return r;
        if (get_le32(unit) & FP_CTRL_ENABLE)
                for (size_t i = 2; i < sizeof(unit) / 4; i++)
                        n += get_le32(unit + 4 * i) & FP_COMP_ENABLE;
        *ret = n;
        return 0;
}

static int step(TargetLink *link) {
        uint32_t seen;
        int r = change_dhcsr(link, DHCSR_C_DEBUGEN | DHCSR_C_HALT | DHCSR_C_MASKINTS);

        /* C_MASKINTS must not change together with C_HALT (ARMv7-M C1.6.2). */
        if (r >= 0)
                r = change_dhcsr(link, DHCSR_C_DEBUGEN | DHCSR_C_STEP | DHCSR_C_MASKINTS);
        if (r >= 0)
                r = await_dhcsr(link, DHCSR_S_HALT, &seen);
        if (r >= 0)
                r = change_dhcsr(link, DHCSR_C_DEBUGEN | DHCSR_C_HALT);
        return r == -ETIME ? 0 : r; /* it has gone to sleep, or is in a fault: just let it run */
}

int target_link_resume(TargetLink *link, unsigned *ret_breakpoints) {
        uint32_t dhcsr;
        int r;

        *ret_breakpoints = 0;
        r = forget_reset(link);
        if (r >= 0)
                r = target_link_read_word(link, DHCSR, &dhcsr);
        if (r >= 0)
                r = count_breakpoints(link, ret_breakpoints);
        if (r >= 0 && dhcsr & DHCSR_S_HALT && *ret_breakpoints > 0)
                r = step(link);
        if (r >= 0)
                r = change_dhcsr(link, *ret_breakpoints > 0 ? DHCSR_C_DEBUGEN : 0);
        return r;
}

/* nRST first, as people expect of a probe; where that ends nowhere the core resets its system. */
static int pull_reset(TargetLink *link, ResetLine *ret) {
        uint32_t seen = 0;
        int r = probe_session_drive_nrst(link->session, /* low= */ true);

        if (r >= 0)
                r = probe_session_pause(link->session, NRST_TIME);
        if (r >= 0)
                r = probe_session_drive_nrst(link->session, /* low= */ false);
        if (r >= 0)
                r = await_dhcsr(link, 0, &seen);
        if (is_fatal(r))
                return r;
        *ret = r >= 0 && seen & DHCSR_S_RESET_ST ? RESET_NRST : RESET_NONE;
        return 0;
}

static int request_reset(TargetLink *link, ResetLine *ret) {
        uint32_t seen = 0;
        int r = target_link_write_word(link, AIRCR, AIRCR_SYSRESETREQ);

        /* The reset may come before the answer to the write does. */
        if (is_fatal(r))
                return r;
        r = await_dhcsr(link, DHCSR_S_RESET_ST, &seen);
        if (r < 0 && r != -ETIME)
                return r;
        *ret = seen & DHCSR_S_RESET_ST ? RESET_SYSTEM : RESET_NONE;
        return 0;
}

static int stop_at_reset(TargetLink *link) {
        int r = change_dhcsr(link, DHCSR_C_DEBUGEN);

        return r < 0 ? r : change_demcr(link, DEMCR_VC_CORERESET);
}

static int stopped_at_reset(TargetLink *link) {
        uint32_t seen;
        int r = await_dhcsr(link, DHCSR_S_HALT, &seen);

        return r < 0 ? r : forget_reset(link);
}

int target_link_reset(TargetLink *link, bool halt, ResetLine *ret) {
        uint32_t ignored;
        int r = halt ? stop_at_reset(link) : 0;

        *ret = RESET_NONE;
        /* What was seen before does not count. */
        if (r >= 0)
                r = target_link_read_word(link, DHCSR, &ignored);
        if (r >= 0)
                r = pull_reset(link, ret);
        if (r >= 0 && *ret == RESET_NONE)
                r = request_reset(link, ret);
        if (r >= 0 && halt && *ret != RESET_NONE)
                r = stopped_at_reset(link);
        return r;
}

int target_link_catch_reset(TargetLink *link, ResetLine *ret) {
        uint32_t seen = 0;
        int r;

        /* Nothing of what was there before a reset is worth keeping, nor could it be read. */
        link->dhcsr_changed = link->demcr_changed = true;
        link->dhcsr = link->demcr = 0;
        *ret = RESET_NONE;
        r = target_link_write_word(link, DHCSR, DHCSR_KEY | DHCSR_C_DEBUGEN);
        if (r >= 0)
                r = target_link_write_word(link, DEMCR, DEMCR_VC_CORERESET);
        if (r >= 0)
                r = probe_session_drive_nrst(link->session, /* low= */ false);
        /* Without C_HALT nothing but the end of a reset can have stopped it. */
        if (r >= 0)
                r = await_dhcsr(link, DHCSR_S_HALT, &seen);
        if (r >= 0)
                *ret = RESET_NRST;
        if (r != -ETIME)
                return r;
        r = request_reset(link, ret);
        return r < 0 ? r : target_link_halt(link);
}

void target_link_commit(TargetLink *link) {
        link->dhcsr_changed = link->demcr_changed = false;
}

static void restore(TargetLink *link) {
        if (link->demcr_changed)
                (void) target_link_write_word(link, DEMCR, link->demcr & ~DEMCR_VC_CORERESET);
        if (link->dhcsr_changed)
                (void) target_link_write_word(link, DHCSR,
                                              DHCSR_KEY | (link->dhcsr & DHCSR_CONTROL));
        target_link_commit(link);
}

void target_link_done(TargetLink *link) {
        Command close = command_close_ap(link->ap);
        SwdAccess access;

        if (!link->session || (!link->ap_open && !link->dhcsr_changed && !link->demcr_changed))
                return;
        if (!probe_session_begin_clean_up(link->session))
                return;
        restore(link);
        if (!link->ap_open)
                return;
        /* Before V2J29 its status means nothing (stlink-protocol §3.2). */
        swd_access_init(&access, &probe_session_info(link->session)->firmware, &close);
        (void) probe_session_access(link->session, &access);
        link->ap_open = false;
}
