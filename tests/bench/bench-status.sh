#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What it takes to ask which probes there are: wall time, USB transfers, target resets and system
# calls of stlinkctl status beside the peers, with two probes plugged in and the daemon running.
# The programs take turns, so that what else the machine does hits all of them alike.
# shellcheck source=bench.sh
. "$(dirname "$0")/bench.sh"

names=("one D-Bus ping" "stlinkctl status" "stlinkctl list" lsusb
        "st-info --probe" "openocd: init; exit" "pyocd-tool list")
# Those that take seconds run in every 10th round only.
slow_from=4 rounds=${BENCH_ROUNDS:-100}

# choose INDEX: which program to run next, as ${program[@]}.
choose() {
        case $1 in
        0) program=("$TOP_BUILDDIR/tests/bench/ping") ;;
        1) program=("$TOP_BUILDDIR/stlinkctl" status) ;;
        2) program=("$TOP_BUILDDIR/stlinkctl" list) ;;
        3) program=(lsusb) ;;
        4) program=(st-info --probe) ;;
        5) program=(openocd -f interface/stlink.cfg -f target/stm32f1x.cfg -c init -c exit) ;;
        6) program=(pyocd-tool list) ;;
        esac
}

take_turns() {
        local round i
        for ((round = 0; round < rounds; round++)); do
                for i in "${!names[@]}"; do
                        [ "$i" -lt "$slow_from" ] || [ $((round % 10)) -eq 0 ] || continue
                        choose "$i"
                        time_ms "${program[@]}" >>"$scratch/times.$i"
                done
        done
}

# What one run of the program does to the probes: "TRANSFERS RESETS".
traffic() {
        sim reset-counters
        "${program[@]}" >/dev/null 2>&1 </dev/null
        printf '%s %s\n' "$(total transfers)" "$(total target_resets)"
}

# The system calls of one run, those of its threads and children included.
calls() {
        command -v strace >/dev/null || {
                echo "-"
                return
        }
        strace -c -f -U calls,name -o "$scratch/calls" "${program[@]}" >/dev/null 2>&1 </dev/null
        awk '$2 == "total" { print $1 }' "$scratch/calls"
}

# The tenth percentile stands beside the median since it is what a busy machine distorts least: a
# question over D-Bus waits for three processes to be scheduled.
ask() {
        local i ping ping_quick time quick transfers resets
        take_turns
        ping=$(percentile 50 <"$scratch/times.0")
        ping_quick=$(percentile 10 <"$scratch/times.0")
        heading "Asking which probes there are (two are plugged in; $rounds rounds)"
        printf '  %-20s %10s %7s %10s %7s %10s %7s %7s\n' "" "median ms" "x ping" "10 % in ms" "x ping" \
                transfers resets syscalls
        for i in "${!names[@]}"; do
                choose "$i"
                time=$(percentile 50 <"$scratch/times.$i")
                quick=$(percentile 10 <"$scratch/times.$i")
                read -r transfers resets < <(traffic)
                printf '  %-20s %10s %7s %10s %7s %10s %7s %7s\n' "${names[i]}" \
                        "$time" "$(ratio "$time" "$ping")" "$quick" "$(ratio "$quick" "$ping_quick")" \
                        "$transfers" "$resets" "$(calls)"
        done
        heading "stlinkctl status, 1000 times"
        sim reset-counters
        for ((i = 0; i < 1000; i++)); do ctl status >/dev/null; done
        row "USB transfers" "$(total transfers)"
        row "target resets" "$(total target_resets)"
}

world_bench ask v2:target=f103 v2-1:target=f411
