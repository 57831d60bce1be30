#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the daemon costs while nothing happens: memory, and wake-ups in a minute (context switches
# of its only thread, told by the kernel).
# shellcheck source=bench.sh
. "$(dirname "$0")/bench.sh"

seconds=${BENCH_IDLE_SECONDS:-60}

wakeups() {
        awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$daemon_pid/status"
}

memory() {
        awk -v key="$1:" '$1 == key { print $2 }' "/proc/$daemon_pid/status"
}

idle() {
        local before
        heading "stlinkd with 2 probes, idle for $seconds s"
        sleep 3 # let the start be over
        before=$(wakeups)
        sleep "$seconds"
        row "wake-ups" $(($(wakeups) - before))
        row "resident memory" "$(memory VmRSS) KiB" "of it anonymous: $(memory RssAnon) KiB"
        row "threads" "$(awk '$1 == "Threads:" { print $2 }' "/proc/$daemon_pid/status")"
}

world_bench idle v2:target=f103 v2-1:target=f411
