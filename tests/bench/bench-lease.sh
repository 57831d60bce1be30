#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a lease costs: to take and give back, beside a ping of the same daemon in the same run; and
# to wait for, when many do: work of the daemon for each hand-over and waiter, and its memory.
# The runtime directory is on a tmpfs, as /run is.
[ ! -d /dev/shm ] || export TMPDIR=/dev/shm
# shellcheck source=bench.sh
. "$(dirname "$0")/bench.sh"
need strace

bench=$TOP_BUILDDIR/tests/bench/lease-bench

cpu_us() { awk '{ printf "%d\n", $1 / 1000 }' "/proc/$daemon_pid/schedstat"; }
memory_kib() { awk '$1 == "RssAnon:" { print $2 }' "/proc/$daemon_pid/status"; }
bus_cpu_us() { awk '{ printf "%d\n", $1 / 1000 }' "/proc/$bus_pid/schedstat"; }

tell() { # LINE: have it done by the crowd; what it answers is in $answer
        printf '%s\n' "$1" >&7
        read -r answer <&8
}

# crowd N: what N waiters cost.
crowd() {
        local n=$1 passes=20 memory cpu bus_cpu heard calls pid
        mkfifo "$scratch/to.$n" "$scratch/from.$n"
        spawn "crowd-$n" bash -c 'exec "$0" queue "$1" <"$2" >"$3"' "$bench" "$n" "$scratch/to.$n" "$scratch/from.$n"
        pid=$spawned
        exec 7>"$scratch/to.$n" 8<"$scratch/from.$n"
        read -r answer <&8
        memory=$(memory_kib)
        tell join
        memory=$(($(memory_kib) - memory))
        tell "pass 1"
        cpu=$(cpu_us) bus_cpu=$(bus_cpu_us)
        tell "pass $passes"
        cpu=$(($(cpu_us) - cpu)) bus_cpu=$(($(bus_cpu_us) - bus_cpu)) heard=$answer
        strace -c -U calls,name -o "$scratch/calls" -p "$daemon_pid" 2>/dev/null &
        calls=$!
        sleep 1
        tell "pass $passes"
        kill -INT "$calls"
        wait "$calls"
        calls=$(awk '$2 == "total" { print $1 }' "$scratch/calls")
        printf '  %-9s %14s %14s %14s %14s %14s\n' "$n" "$((memory * 1024 / n))" \
                "$(ratio "$cpu" $((passes * n)))" "$(ratio "$bus_cpu" $((passes * n)))" \
                "$(ratio "$calls" $((passes * n)))" "$(ratio "$heard" $((passes * n)))"
        tell end
        exec 7>&- 8<&-
        wait "$pid"
        wait_until 60 eval '! ctl leases --json | grep -q \"state\"'
}

measure() {
        local ping pair
        "$bench" pairs 50 >/dev/null # what is done once is done
        "$bench" pairs "${BENCH_ROUNDS:-1000}" >"$scratch/pairs"
        ping=$(cut -d ' ' -f 1 "$scratch/pairs" | percentile 50)
        pair=$(cut -d ' ' -f 2 "$scratch/pairs" | percentile 50)
        heading "Acquire and Release, beside a ping (medians of ${BENCH_ROUNDS:-1000})"
        row "ping in us" "$ping"
        row "Acquire and Release in us" "$pair"
        row "in pings" "$(ratio "$pair" "$ping")"
        heading "A queue: for each waiter, memory of the daemon in all, the rest in each hand-over"
        printf '  %-9s %14s %14s %14s %14s %14s\n' waiters "bytes" "us of stlinkd" "us of the bus" \
                "system calls" "signals heard"
        crowd 100
        crowd 1000
}

world_bench measure v2:target=f103
