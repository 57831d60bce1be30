# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What the benches share. They print figures and judge nothing: the machine is noisy, so what
# counts are ratios from one run and numbers of transfers, system calls and wake-ups.
# shellcheck source=../world/daemon.sh
. "$(dirname "${BASH_SOURCE[0]}")/../world/daemon.sh"

# median_ms N CMD...: run it N times, output dropped; prints the median wall time in ms.
median_ms() {
        local n=$1 i t
        shift
        for ((i = 0; i < n; i++)); do
                t=$EPOCHREALTIME
                "$@" >/dev/null 2>&1 </dev/null
                printf '%s %s\n' "$t" "$EPOCHREALTIME"
        done | awk '{ printf "%.3f\n", ($2 - $1) * 1000 }' | sort -n |
                awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# ratio A B: A / B with two decimals.
ratio() {
        awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f\n", a / b; else print "-" }'
}

# heading TEXT
heading() {
        printf '\n%s\n' "$1"
}

# row NAME VALUE [NOTE]
row() {
        printf '  %-44s %12s  %s\n' "$1" "$2" "${3-}"
}

# world_bench FUNCTION SPEC...: run a function of the calling script in a private world with those
# probes, the daemon running.
world_bench() {
        local function=$1
        shift
        enter_world "$@"
        # shellcheck disable=SC2119 # the defaults will do
        start_daemon
        wait_until 20 eval "! ctl list --no-legend | grep -q identifying"
        "$function"
        stop_daemon
        finish
}

# total COUNTER: the sum of one of the simulator's counters over all probes.
total() {
        sim counters | tr ' ' '\n' | awk -F= -v name="$1" '$1 == name { n += $2 } END { print n }'
}
