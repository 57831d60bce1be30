#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the daemon costs while nothing happens: memory, and wake-ups in a minute (context switches
# of its only thread, told by the kernel).
# shellcheck source=bench.sh
. "$(dirname "$0")/bench.sh"

seconds=${BENCH_IDLE_SECONDS:-60}

idle() {
        local before
        heading "stlinkd with 2 probes, idle for $seconds s"
        sleep 3 # let the start be over
        before=$(wakeups "$daemon_pid")
        sleep "$seconds"
        row "wake-ups" $(($(wakeups "$daemon_pid") - before))
        row "resident memory" "$(memory "$daemon_pid" VmRSS) KiB" "of it anonymous: $(memory "$daemon_pid" RssAnon) KiB"
        row "threads" "$(awk '$1 == "Threads:" { print $2 }' "/proc/$daemon_pid/status")"
}

world_bench idle v2:target=f103 v2-1:target=f411
