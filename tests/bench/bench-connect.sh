#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# How many ST-LINK commands it takes to enter SWD and to know the chip, on probes that idle
# (mode 01): stlinkctl connect beside the peers. 0 in the second column: that tool did not ask
# for the device ID and the flash size.
# shellcheck source=bench.sh
. "$(dirname "$0")/bench.sh"

# peer PROBE NAME CMD...: one line of the table.
peer() {
        local probe=$1 name=$2
        shift 2
        sim reset-counters
        run "$@"
        printf '  %-10s %-30s %8s %10s %8s %8s %8s\n' "$probe" "$name" "$(counter 1 swd_entered_at)" \
                "$(counter 1 identified_at)" \
                "$(counter 1 commands)" "$(counter 1 target_resets)" "$(counter 1 target_halts)"
}

count_commands() {
        heading "ST-LINK commands on a $1 (until SWD was entered, until the chip was known, in all)"
        printf '  %-10s %-30s %8s %10s %8s %8s %8s\n' probe tool entered identified all resets halts
        ctl connect >/dev/null # leaves the boot loader, if it rests there
        peer "$1" "stlinkctl connect" ctl connect
        peer "$1" "st-info --probe --hot-plug" st-info --probe --hot-plug
        ctl connect >/dev/null # st-info leaves the probe in debug mode
        peer "$1" "openocd: init; exit" openocd -f interface/stlink.cfg \
                -f target/stm32f1x.cfg -c init -c exit
        peer "$1" "pyocd-tool status" pyocd-tool status
}

count_v2() {
        count_commands V2
}

world_bench count_v2 v2:target=f103
