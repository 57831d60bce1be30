#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What it takes to ask which probes there are: wall time, USB transfers and target resets of
# stlinkctl status beside the peers, with two probes plugged in and the daemon running.
# shellcheck source=bench.sh
. "$(dirname "$0")/bench.sh"

# peer NAME RUNS CMD...: one line of the table.
peer() {
        local name=$1 runs=$2 ms
        shift 2
        sim reset-counters
        ms=$(median_ms "$runs" "$@")
        printf '  %-28s %9.1f %8s %11s %8s\n' "$name" "$ms" "$(ratio "$ms" "$ping")" \
                "$(ratio "$(total transfers)" "$runs")" \
                "$(ratio "$(total target_resets)" "$runs")"
}

ask() {
        ping=$(median_ms 200 "$TOP_BUILDDIR/tests/bench/ping")
        heading "Asking which probes there are (two are plugged in)"
        printf '  %-28s %9s %8s %11s %8s\n' "" "median ms" "x ping" "transfers" "resets"
        peer "one D-Bus ping" 200 "$TOP_BUILDDIR/tests/bench/ping"
        peer "stlinkctl status" 200 ctl status
        peer "stlinkctl list" 200 ctl list
        peer "lsusb" 50 lsusb
        peer "st-info --probe" 10 st-info --probe
        peer "openocd: init; exit" 10 openocd -f interface/stlink.cfg -f target/stm32f1x.cfg \
                -c init -c exit
        peer "pyocd-tool list" 5 pyocd-tool list
        heading "stlinkctl status, 1000 times"
        sim reset-counters
        median_ms 1000 ctl status >/dev/null
        row "USB transfers" "$(total transfers)"
        row "target resets" "$(total target_resets)"
}

world_bench ask v2:target=f103 v2-1:target=f411
