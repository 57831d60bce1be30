/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sim/target/engine-registers.h"

/* Unicorn lets special registers be written and read only as the code in its current mode might:
 * unprivileged code gets nothing, and a handler cannot choose its stack. So the mode is set up
 * step by step, through xPSR, which it does not guard. */

#define EXCEPTION_ANY   2u
#define CONTROL_MASK    7u
#define PRIVILEGED_MAIN 0u

static void put(uc_engine *uc, int id, uint32_t value) {
        (void) uc_reg_write(uc, id, &value);
}

static uint32_t get(uc_engine *uc, int id) {
        uint32_t value = 0;
        (void) uc_reg_read(uc, id, &value);
        return value;
}

/* Thread mode, privileged, on the main stack. */
static void enter_neutral(uc_engine *uc) {
        put(uc, UC_ARM_REG_XPSR, XPSR_T | EXCEPTION_ANY);
        put(uc, UC_ARM_REG_CONTROL, PRIVILEGED_MAIN);
        put(uc, UC_ARM_REG_XPSR, XPSR_T);
        put(uc, UC_ARM_REG_CONTROL, PRIVILEGED_MAIN);
}

static void put_floats(uc_engine *uc, const CoreRegisters *registers) {
        for (int i = 0; i < 32; i++)
                put(uc, UC_ARM_REG_S0 + i, registers->s[i]);
        put(uc, UC_ARM_REG_FPSCR, registers->fpscr);
}

void engine_put_registers(uc_engine *uc, const Chip *chip, const CoreRegisters *registers) {
        enter_neutral(uc);
        put(uc, UC_ARM_REG_MSP, registers->msp);
        put(uc, UC_ARM_REG_PSP, registers->psp);
        put(uc, UC_ARM_REG_PRIMASK, registers->primask);
        put(uc, UC_ARM_REG_BASEPRI, registers->basepri);
        put(uc, UC_ARM_REG_FAULTMASK, registers->faultmask);
        put(uc, UC_ARM_REG_CONTROL, registers->control & CONTROL_MASK);

        for (int i = 0; i < 13; i++)
                put(uc, UC_ARM_REG_R0 + i, registers->r[i]);
        put(uc, UC_ARM_REG_LR, registers->lr);
        if (chip_has_fpu(chip))
                put_floats(uc, registers);

        put(uc, UC_ARM_REG_XPSR_NZCVQG, registers->xpsr);
        /* Says nothing new, but makes Unicorn look at the mode again. */
        put(uc, UC_ARM_REG_APSR_NZCV, registers->xpsr);
}

void engine_get_registers(uc_engine *uc, const Chip *chip, CoreRegisters *ret) {
        for (int i = 0; i < 13; i++)
                ret->r[i] = get(uc, UC_ARM_REG_R0 + i);
        ret->lr = get(uc, UC_ARM_REG_LR);
        ret->pc = get(uc, UC_ARM_REG_PC);
        ret->xpsr = get(uc, UC_ARM_REG_XPSR);
        ret->control = (uint8_t) (get(uc, UC_ARM_REG_CONTROL) & CONTROL_MASK);

        /* A handler may read the rest, whatever the program may. */
        put(uc, UC_ARM_REG_XPSR, XPSR_T | EXCEPTION_ANY);
        ret->msp = get(uc, UC_ARM_REG_MSP);
        ret->psp = get(uc, UC_ARM_REG_PSP);
        ret->primask = (uint8_t) get(uc, UC_ARM_REG_PRIMASK);
        ret->basepri = (uint8_t) get(uc, UC_ARM_REG_BASEPRI);
        ret->faultmask = (uint8_t) get(uc, UC_ARM_REG_FAULTMASK);

        if (!chip_has_fpu(chip))
                return;
        for (int i = 0; i < 32; i++)
                ret->s[i] = get(uc, UC_ARM_REG_S0 + i);
        ret->fpscr = get(uc, UC_ARM_REG_FPSCR);
}
