/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/macro.h"
#include "sim-monkey.h"

/* Whatever a host does to a simulated probe, the simulator lives, and a re-plug makes all good.
 * The first byte chooses the probe, the rest is what the host does. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const specs[] = {
        "v1",
        "v2",
        "v2:mode=debug",
        "v2-1:mode=debug,target=f103",
        "v2-1-loader",
        "v3:mode=debug",
        "v3-loader",
        "v3:pid=3753",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Monkey monkey = { .next = monkey_next_byte };

        if (size == 0)
                return 0;
        monkey.data = data + 1;
        monkey.size = size - 1;
        (void) monkey_play(&monkey, specs[data[0] % ELEMENTSOF(specs)], 1000);
        return 0;
}
