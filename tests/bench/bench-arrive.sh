#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# From udev's uevent to a probe that is known with all there is to know, on this machine as it
# is: bench-plug.sh has the real kernel and udevd too, but under emulation.
# shellcheck source=bench.sh
. "$(dirname "$0")/bench.sh"

times=${BENCH_PLUGS:-20}

arrive() {
        local i
        spawn watch "$TOP_BUILDDIR/tests/bench/plug-watch"
        wait_until 10 grep -q ready "$scratch/watch.log" ||
                fail "the watch is set" "$(cat "$scratch/watch.log")"
        for ((i = 1; i <= times; i++)); do
                sim unplug 1
                wait_until 20 eval '! ctl list --no-legend | grep -q .'
                sim reset-counters
                sim plug 1
                wait_until 20 eval 'ctl list --no-legend | grep -q " free "'
                printf '%s %s\n' "$(counter 1 commands)" "$(counter 1 transfers)" >>"$scratch/traffic"
        done
        awk '$1 == "udev" { u = $2 } $1 == "added" { printf "%.2f\n", ($2 - u) / 1000 }' \
                "$scratch/watch.log" >"$scratch/times"
        check_equal "each of $times plug-ins was announced" "$times" "$(wc -l <"$scratch/times")"
        heading "A V2-1 is plugged in, $times times (private world)"
        printf '  %-44s %9s %9s\n' "" median worst
        spread "udev's uevent to InterfacesAdded, ms" 1 "$scratch/times"
        spread "ST-LINK commands" 1 "$scratch/traffic"
        spread "USB transfers" 2 "$scratch/traffic"
}

world_bench arrive v2-1
