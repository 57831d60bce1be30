# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What the benches in the private world share.
# shellcheck source=figures.sh
. "$(dirname "${BASH_SOURCE[0]}")/figures.sh"
# shellcheck source=../world/daemon.sh
. "$(dirname "${BASH_SOURCE[0]}")/../world/daemon.sh"

# time_ms CMD...: run it once, output dropped; prints the wall time.
time_ms() {
        local t=$EPOCHREALTIME
        "$@" >/dev/null 2>&1 </dev/null
        ms "$t" "$EPOCHREALTIME"
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
