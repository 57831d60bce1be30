/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/ids.h"

static const char *const probe_model_table[_PROBE_MODEL_MAX] = {
        [PROBE_MODEL_UNKNOWN] = "unknown", [PROBE_MODEL_V1] = "V1", [PROBE_MODEL_V2] = "V2",
        [PROBE_MODEL_V2_1] = "V2-1",       [PROBE_MODEL_V3] = "V3", [PROBE_MODEL_V3PWR] = "V3PWR",
};

DEFINE_STRING_TABLE(probe_model, ProbeModel)

static const char *const probe_mode_table[_PROBE_MODE_MAX] = {
        [PROBE_MODE_UNKNOWN] = "unknown", [PROBE_MODE_LOADER] = "loader",
        [PROBE_MODE_MASS] = "mass",       [PROBE_MODE_DEBUG] = "debug",
        [PROBE_MODE_SWIM] = "swim",
};

DEFINE_STRING_TABLE(probe_mode, ProbeMode)

/* By the number of the bit that stands for the part */
static const char *const part_names[] = { "debug", "vcp", "msd", "bridge" };

static const ProbeProduct products[] = {
#include "core/ids-table.inc"
};

const char *probe_part_to_string(unsigned part) {
        for (size_t i = 0; i < ELEMENTSOF(part_names); i++)
                if (part == 1u << i)
                        return part_names[i];
        return NULL;
}

unsigned probe_part_from_string(const char *name) {
        for (size_t i = 0; name && i < ELEMENTSOF(part_names); i++)
                if (strcmp(part_names[i], name) == 0)
                        return 1u << i;
        return 0;
}

ProbeMode probe_mode_from_wire(uint8_t byte) {
        /* stlink-protocol §6: 04 is a name in OpenOCD's source and was never seen. */
        static const ProbeMode modes[] = { PROBE_MODE_LOADER, PROBE_MODE_MASS, PROBE_MODE_DEBUG,
                                           PROBE_MODE_SWIM };

        return byte < ELEMENTSOF(modes) ? modes[byte] : PROBE_MODE_UNKNOWN;
}

const ProbeProduct *probe_product_find(uint16_t vendor_id, uint16_t product_id) {
        if (vendor_id != STLINK_VENDOR_ID)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(products); i++)
                if (products[i].product_id == product_id)
                        return &products[i];
        return NULL;
}

const ProbeProduct *probe_product_at(size_t index) {
        return index < ELEMENTSOF(products) ? &products[index] : NULL;
}

/* V2's ID, which the boot loader of V2-1 has too (stlink-protocol, section 1.1). */
#define PRODUCT_V2 0x3748

bool product_is_loader_of(uint16_t application, uint16_t product_id) {
        const ProbeProduct *before = probe_product_find(STLINK_VENDOR_ID, application);
        const ProbeProduct *now = probe_product_find(STLINK_VENDOR_ID, product_id);

        if (!before || !now || before->loader || application == product_id)
                return false;
        return now->loader || (product_id == PRODUCT_V2 && before->model == PROBE_MODEL_V2_1);
}
