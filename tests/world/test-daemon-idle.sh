#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the daemon costs when nothing happens, and what many probes cost it.
# deadline: 240
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
specs=()
for i in $(seq 20); do specs+=("v2-1:serial=066DFF0000000000000000$((i + 10))"); done
enter_world "${specs[@]}"

all_are() {
        [ "$(ctl list --no-legend | grep -cE " $1 ")" -eq "$2" ]
}
switches() {
        awk '/voluntary_ctxt_switches/ { n += $2 } END { print n }' "/proc/$daemon_pid/status"
}

start_daemon '[Probes]' 'JobsMax=3'
check_soon "20 probes at once are identified" 60 all_are free 20
check "never more than 3 workers at a time were needed" no_worker

sleep 1
before=$(switches)
sleep 3
check_equal "no wake-up in 3 s" "$before" "$(switches)"

for i in $(seq 20); do sim unplug "$i"; done
check_soon "all unplugged" 20 all_are free 0
pids=()
for i in $(seq 20); do
        "$TOP_BUILDDIR/stlinksim" ctl plug "$i" >/dev/null &
        pids+=($!)
done
wait "${pids[@]}"
check_soon "all plugged in at once" 60 all_are free 20

if grep -q asan "/proc/$daemon_pid/maps"; then
        skip "memory" "built with AddressSanitizer"
else
        rss=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$daemon_pid/status")
        check "at most 8 MiB with 20 probes ($rss KiB)" test "$rss" -le 8192
fi
stop_daemon
finish
