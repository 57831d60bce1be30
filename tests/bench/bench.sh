# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What the benches share. They print figures and judge nothing: the machine is noisy, so what
# counts are ratios from one run and numbers of transfers, system calls and wake-ups.
# shellcheck source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

stlinksim=$TOP_BUILDDIR/stlinksim

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

# counter NAME [PROBE]: one of the simulator's counters (inside a world).
counter() {
        "$stlinksim" ctl counters "${2:-1}" | tr ' ' '\n' | sed -n "s/^$1=//p"
}

# world_bench FUNCTION SPEC... -- "$@": run a function of the calling script in a private world with
# those probes, a bus of its own and stlinkd on it. The script runs itself again inside.
world_bench() {
        local function=$1 specs=()
        shift
        while [ "$1" != -- ]; do
                specs+=(-p "$1")
                shift
        done
        shift
        if [ "${1-}" != --inside ]; then
                check "${0##*/} runs" true
                "$stlinksim" run "${specs[@]}" -- bash "$0" --inside || fail "${0##*/}"
                finish
        fi
        # shellcheck source=../world/session.sh
        . "$TOP_SRCDIR/tests/world/session.sh"
        session_start "$scratch" || {
                cat "$scratch/stlinkd.log"
                fail "stlinkd starts"
                finish
        }
        wait_until 10 eval "! stlinkctl list --no-legend | grep -q identifying"
        "$function"
        check "stlinkd ends cleanly" session_stop
        finish
}

stlinkctl() {
        "$TOP_BUILDDIR/stlinkctl" "$@"
}
