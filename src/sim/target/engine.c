/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sim/target/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <unicorn/unicorn.h>

#include "sim/target/engine-registers.h"

/* Habits of Unicorn 2.0.1 that shape this file (all found by experiment and in its source):
 *  - With an instruction hook the program counter is exact at every instruction, and asking for
 *    a stop there takes effect before the instruction, except inside an IT block.
 *  - Asking for a stop from a memory access takes effect in the middle of the instruction, which
 *    is right for a fault; any other stop has to wait for the next instruction's hook.
 *  - A hook on every access changes the code that is generated, so adding or removing it makes
 *    all that was translated before useless.
 *  - WFI ends uc_emu_start() without an error; WFE and YIELD end it as invalid instructions.
 *  - Flushing the whole translation cache takes 100 ms, dropping a range of it microseconds.
 *    The flush must not happen while translated code runs.
 *  - UC_MODE_MCLASS means Cortex-M33; the other cores are chosen by their model instead.
 *  - A read-only mapping takes effect by uc_mem_protect() only. */

#define PAGE_MASK 0xFFFu

/* The areas of the map that are not memory (ARMv7-M, B3.1): one hook serves each. */
static const ChipRange device_areas[] = {
        { 0x40000000, 0x20000000 },
        { BUS_PPB_BASE, BUS_PPB_SIZE },
};

typedef struct EngineArea {
        Engine *engine;
        uint32_t base;
} EngineArea;

struct Engine {
        uc_engine *uc;
        Bus *bus;
        EngineArea areas[ELEMENTSOF(device_areas) + 1];

        uint32_t breakpoints[ENGINE_BREAKPOINTS_MAX];
        size_t n_breakpoints;

        EngineWatch watches[ENGINE_WATCHES_MAX];
        size_t n_watches;
        uc_hook watch_hook;

        /* Of the run in progress */
        bool running;
        bool stopping;
        bool requested;
        unsigned budget;
        uint32_t last; /* address of the instruction being executed */
        EngineResult result;

        /* What changed while code was running, to be dropped after it. */
        uint32_t stale_begin;
        uint32_t stale_end;
};

static void engine_stop(Engine *engine, EngineStop stop, uint32_t address) {
        if (engine->stopping)
                return;
        engine->stopping = true;
        engine->result.stop = stop;
        engine->result.address = address;
        (void) uc_emu_stop(engine->uc);
}

static bool engine_has_breakpoint(const Engine *engine, uint32_t address) {
        for (size_t i = 0; i < engine->n_breakpoints; i++)
                if (engine->breakpoints[i] == address)
                        return true;
        return false;
}

static void engine_on_instruction(uc_engine *uc, uint64_t address, uint32_t size, void *userdata) {
        Engine *engine = userdata;
        (void) uc, (void) size;

        if (engine->stopping)
                return;
        if (engine->requested) {
                engine_stop(engine, ENGINE_REQUEST, 0);
        } else if (engine->result.executed >= engine->budget) {
                engine_stop(engine, ENGINE_BUDGET, 0);
        } else if ((uint32_t) address - engine->stale_begin <
                   engine->stale_end - engine->stale_begin) {
                engine_stop(engine, ENGINE_REQUEST, 0);
        } else if (engine->n_breakpoints > 0 && engine_has_breakpoint(engine, (uint32_t) address)) {
                engine_stop(engine, ENGINE_BREAKPOINT, 0);
        } else {
                engine->result.executed++;
                engine->last = (uint32_t) address;
        }
}

static int engine_store(Engine *engine, uint32_t address, unsigned size, uint64_t value) {
        int r;

        if (size < 8)
                return bus_write(engine->bus, BUS_MASTER_CORE, address, size, (uint32_t) value);
        r = bus_write(engine->bus, BUS_MASTER_CORE, address, 4, (uint32_t) value);
        if (r < 0)
                return r;
        return bus_write(engine->bus, BUS_MASTER_CORE, address + 4, 4, (uint32_t) (value >> 32));
}

static int engine_load(Engine *engine, uint32_t address, unsigned size, uint64_t *ret) {
        uint32_t low, high = 0;
        int r;

        r = bus_read(engine->bus, BUS_MASTER_CORE, address, size < 8 ? size : 4, &low);
        if (r >= 0 && size == 8)
                r = bus_read(engine->bus, BUS_MASTER_CORE, address + 4, 4, &high);
        if (r < 0)
                return r;
        *ret = (uint64_t) high << 32 | low;
        return 0;
}

static uint64_t engine_on_device_read(uc_engine *uc, uint64_t offset, unsigned size,
                                      void *userdata) {
        const EngineArea *area = userdata;
        uint32_t address = area->base + (uint32_t) offset;
        uint64_t value = 0;
        (void) uc;

        if (!area->engine->stopping && engine_load(area->engine, address, size, &value) < 0)
                engine_stop(area->engine, ENGINE_READ_FAULT, address);
        return value;
}

static void engine_on_device_write(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value,
                                   void *userdata) {
        const EngineArea *area = userdata;
        uint32_t address = area->base + (uint32_t) offset;
        (void) uc;

        if (!area->engine->stopping && engine_store(area->engine, address, size, value) < 0)
                engine_stop(area->engine, ENGINE_WRITE_FAULT, address);
}

/* Accesses to what is not mapped, and stores to the flash. true: handled, go on. */
static bool engine_on_memory(uc_engine *uc, uc_mem_type type, uint64_t address, int size,
                             int64_t value, void *userdata) {
        Engine *engine = userdata;
        (void) uc;

        switch (type) {
        case UC_MEM_WRITE_PROT:
                if (engine->stopping || engine_store(engine, (uint32_t) address, (unsigned) size,
                                                     (uint64_t) value) == 0)
                        return true;
                engine_stop(engine, ENGINE_WRITE_FAULT, (uint32_t) address);
                return false;
        case UC_MEM_WRITE_UNMAPPED:
                engine_stop(engine, ENGINE_WRITE_FAULT, (uint32_t) address);
                return false;
        case UC_MEM_FETCH_UNMAPPED:
        case UC_MEM_FETCH_PROT:
                engine_stop(engine, ENGINE_FETCH_FAULT, (uint32_t) address);
                return false;
        default:
                engine_stop(engine, ENGINE_READ_FAULT, (uint32_t) address);
                return false;
        }
}

/* Numbers of QEMU's target/arm/cpu.h */
static void engine_on_exception(uc_engine *uc, uint32_t number, void *userdata) {
        static const EngineStop stops[] = {
                [2] = ENGINE_SVC,
                [3] = ENGINE_FETCH_FAULT, /* execute-never */
                [4] = ENGINE_UNALIGNED,
                [7] = ENGINE_BKPT,
                [8] = ENGINE_EXCEPTION_RETURN,
                [17] = ENGINE_NO_COPROCESSOR,
                [18] = ENGINE_NO_THUMB,
        };
        Engine *engine = userdata;
        EngineStop stop = number < ELEMENTSOF(stops) ? stops[number] : ENGINE_BUDGET;
        uint32_t pc = 0;

        (void) uc_reg_read(uc, UC_ARM_REG_PC, &pc);
        engine_stop(engine, stop == ENGINE_BUDGET ? ENGINE_UNDEFINED : stop, pc);
        /* Somebody else may have asked before; what counts is that this one does not go on. */
        (void) uc_emu_stop(uc);
}

static bool engine_watch_matches(const EngineWatch *watch, uc_mem_type type, uint32_t address,
                                 uint32_t size) {
        uint32_t first = watch->address & ~watch->mask, last = watch->address | watch->mask;

        if (type == UC_MEM_WRITE ? !watch->write : !watch->read)
                return false;
        return address <= last && address + (size - 1) >= first;
}

static void engine_on_access(uc_engine *uc, uc_mem_type type, uint64_t address, int size,
                             int64_t value, void *userdata) {
        Engine *engine = userdata;
        (void) uc, (void) value;

        for (size_t i = 0; i < engine->n_watches; i++) {
                if (engine->stopping || !engine_watch_matches(&engine->watches[i], type,
                                                              (uint32_t) address, (uint32_t) size))
                        continue;
                engine->result.watched |= 1u << i;
                engine->requested = true;
        }
}

static int engine_map_device(Engine *engine, EngineArea *area, ChipRange range) {
        *area = (EngineArea){ engine, range.base };
        if (uc_mmio_map(engine->uc, range.base, range.size, engine_on_device_read, area,
                        engine_on_device_write, area) != UC_ERR_OK)
                return -ENOMEM;
        return 0;
}

static int engine_map_memory(Engine *engine, const BusMemory *memory) {
        uint32_t permissions = UC_PROT_READ | UC_PROT_EXEC;
        size_t size = (memory->size + PAGE_MASK) & ~(size_t) PAGE_MASK;

        if (memory->kind == BUS_KIND_RAM)
                permissions |= UC_PROT_WRITE;
        if (uc_mem_map_ptr(engine->uc, memory->base, size, permissions, memory->data) !=
                    UC_ERR_OK ||
            uc_mem_protect(engine->uc, memory->base, size, permissions) != UC_ERR_OK)
                return -ENOMEM;
        return 0;
}

static int engine_map(Engine *engine) {
        const Bus *bus = engine->bus;
        ChipRange system = { bus->chip->system.base & ~PAGE_MASK,
                             (bus->chip->system.size + 0xFFFF) & ~0xFFFFu };
        int r;

        for (size_t i = 0; i < bus->n_memories; i++) {
                if (bus->memories[i].kind != BUS_KIND_RAM &&
                    bus->memories[i].kind != BUS_KIND_FLASH)
                        continue;
                r = engine_map_memory(engine, &bus->memories[i]);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < ELEMENTSOF(device_areas); i++) {
                r = engine_map_device(engine, &engine->areas[i], device_areas[i]);
                if (r < 0)
                        return r;
        }
        if (system.base + system.size > 0x20000000)
                system.size = 0x20000000 - system.base;
        return engine_map_device(engine, &engine->areas[ELEMENTSOF(device_areas)], system);
}

static int engine_hook(Engine *engine) {
        uc_hook hook;
        uc_engine *uc = engine->uc;

        if (uc_hook_add(uc, &hook, UC_HOOK_CODE, (void *) engine_on_instruction, engine, 1, 0) !=
                    UC_ERR_OK ||
            uc_hook_add(uc, &hook, UC_HOOK_INTR, (void *) engine_on_exception, engine, 1, 0) !=
                    UC_ERR_OK ||
            uc_hook_add(uc, &hook, UC_HOOK_MEM_UNMAPPED | UC_HOOK_MEM_PROT,
                        (void *) engine_on_memory, engine, 1, 0) != UC_ERR_OK)
                return -ENOMEM;
        /* No address ends a run: 0 would, and is a good one. */
        if (uc_ctl_exits_enable(uc) != UC_ERR_OK)
                return -ENOTSUP;
        return 0;
}

int engine_new(Bus *bus, Engine **ret) {
        static const int models[] = {
                [CORE_M0PLUS] = UC_CPU_ARM_CORTEX_M0,
                [CORE_M3] = UC_CPU_ARM_CORTEX_M3,
                [CORE_M4] = UC_CPU_ARM_CORTEX_M4,
                [CORE_M7] = UC_CPU_ARM_CORTEX_M7,
        };
        _cleanup_(engine_freep) Engine *engine = calloc(1, sizeof(*engine));
        int r;

        if (!engine)
                return -ENOMEM;
        engine->bus = bus;
        if (uc_open(UC_ARCH_ARM, UC_MODE_THUMB, &engine->uc) != UC_ERR_OK)
                return -ENOMEM;
        if (uc_ctl_set_cpu_model(engine->uc, models[bus->chip->core]) != UC_ERR_OK)
                return -ENOTSUP;
        r = engine_map(engine);
        if (r < 0)
                return r;
        r = engine_hook(engine);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(engine);
        return 0;
}

void engine_set_breakpoints(Engine *engine, const uint32_t *addresses, size_t n) {
        engine->n_breakpoints = MIN(n, (size_t) ENGINE_BREAKPOINTS_MAX);
        for (size_t i = 0; i < engine->n_breakpoints; i++)
                engine->breakpoints[i] = addresses[i];
}

static void engine_drop(Engine *engine, uint32_t begin, uint32_t end) {
        /* Unmapped addresses are no error here; nothing was translated from them. */
        (void) uc_ctl_remove_cache(engine->uc, (uint64_t) begin, (uint64_t) end);
}

static void engine_drop_all(Engine *engine) {
        for (size_t i = 0; i < engine->bus->n_memories; i++) {
                const BusMemory *memory = &engine->bus->memories[i];
                if (memory->kind == BUS_KIND_RAM || memory->kind == BUS_KIND_FLASH)
                        engine_drop(engine, memory->base, memory->base + memory->size);
        }
}

Engine *engine_free(Engine *engine) {
        if (!engine)
                return NULL;
        if (engine->uc) {
                /* What it remembers of pages that were written to it frees only so. */
                engine_drop_all(engine);
                (void) uc_close(engine->uc);
        }
        free(engine);
        return NULL;
}

int engine_set_watches(Engine *engine, const EngineWatch *watches, size_t n) {
        bool watching = engine->n_watches > 0;

        engine->n_watches = MIN(n, (size_t) ENGINE_WATCHES_MAX);
        for (size_t i = 0; i < engine->n_watches; i++)
                engine->watches[i] = watches[i];
        if (watching == (n > 0))
                return 0;
        engine_drop_all(engine);
        if (n == 0) {
                (void) uc_hook_del(engine->uc, engine->watch_hook);
                return 0;
        }
        if (uc_hook_add(engine->uc, &engine->watch_hook, UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE,
                        (void *) engine_on_access, engine, 1, 0) == UC_ERR_OK)
                return 0;
        engine->n_watches = 0;
        return -ENOMEM;
}

void engine_request_stop(Engine *engine) {
        engine->requested = engine->running;
}

unsigned engine_get_executed(const Engine *engine) {
        return engine->running ? engine->result.executed : 0;
}

void engine_changed(Engine *engine, uint32_t address, uint32_t size) {
        if (size == 0)
                return;
        if (!engine->running) {
                engine_drop(engine, address, address + size);
        } else if (engine->stale_begin == engine->stale_end) {
                engine->stale_begin = address;
                engine->stale_end = address + size;
        } else {
                engine->stale_begin = MIN(engine->stale_begin, address);
                engine->stale_end = MAX(engine->stale_end, address + size);
        }
}

static bool is_hint(uint16_t first, uint16_t second) {
        return first == 0xBF10 || first == 0xBF20 ||
               (first == 0xF3AF && (second == 0x8001 || second == 0x8002));
}

/* WFE and YIELD look like undefined instructions, but the program counter is after them. */
static bool engine_was_hint(const Engine *engine, uint32_t pc) {
        uint32_t first = 0, second = 0;

        if (pc == engine->last)
                return false;
        (void) bus_read(engine->bus, BUS_MASTER_CORE, engine->last, 2, &first);
        (void) bus_read(engine->bus, BUS_MASTER_CORE, engine->last + 2, 2, &second);
        return is_hint((uint16_t) first, (uint16_t) second);
}

/* Why it stopped, when no hook knows. */
static EngineStop engine_classify(const Engine *engine, uc_err error, const CoreRegisters *now) {
        if (error == UC_ERR_OK)
                return ENGINE_SLEEP;
        if (!(now->xpsr & XPSR_T))
                return ENGINE_NO_THUMB;
        if (engine_was_hint(engine, now->pc))
                return ENGINE_EVENT;
        return ENGINE_UNDEFINED;
}

EngineResult engine_run(Engine *engine, CoreRegisters *registers, unsigned budget) {
        uc_err error;

        engine->budget = budget;
        engine->result = (EngineResult){ .stop = ENGINE_NO_THUMB };
        if (!(registers->xpsr & XPSR_T))
                return engine->result;

        engine->stopping = engine->requested = false;
        engine->last = registers->pc;
        engine_put_registers(engine->uc, engine->bus->chip, registers);
        engine->running = true;
        error = uc_emu_start(engine->uc, registers->pc | 1, 0, 0, 0);
        engine->running = false;
        engine_get_registers(engine->uc, engine->bus->chip, registers);

        if (!engine->stopping)
                engine->result.stop = engine_classify(engine, error, registers);
        /* The program counter of a failed access is that of its instruction. */
        if (engine->result.stop == ENGINE_READ_FAULT || engine->result.stop == ENGINE_WRITE_FAULT)
                registers->pc = engine->last;
        if (engine->stale_begin != engine->stale_end)
                engine_drop(engine, engine->stale_begin, engine->stale_end);
        engine->stale_begin = engine->stale_end = 0;
        return engine->result;
}
