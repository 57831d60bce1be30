#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The probe is pulled out, wedges or stalls at any one transfer of stlinkctl doctor, or doctor
# itself is ended at any moment: it comes to a verdict in time, and probe and daemon are as before.
# TEST_SCALE tries each transfer, else some of them.
# deadline: 900
# shellcheck source=chaos.sh
. "$(dirname "$0")/chaos.sh"
need jq
enter_world v2:serial=066DFF000000000000000001,target=f103 v2-1:serial=066DFF000000000000000002
chaos_begin '[Probes]' 'AwayTimeout=1s' 'JobTimeout=4s'

doctor() { # OPTION...: its exit status is $code, its verdict $verdict
        code=0
        timeout -s KILL $chaos_deadline "$TOP_BUILDDIR/stlinkctl" doctor --json -p $one "$@" \
                >"$scratch/doctor.json" 2>"$scratch/doctor.err" </dev/null || code=$?
        verdict=$(jq -r .verdict "$scratch/doctor.json" 2>/dev/null)
}

try_doctor() { # fault, transfer, codes
        local label="doctor, $1 at transfer $2 of $n"
        sim set 1 "$1-at=$2"
        doctor --reset
        if [[ $code =~ ^($3)$ ]] && [ -n "$verdict" ]; then :; else
                fail "$label: it comes to a verdict" "status $code, $verdict
$(cat "$scratch/doctor.err" "$scratch/doctor.json")"
        fi
        check_equal "$label: nothing else is said" "" "$(cat "$scratch/doctor.err")"
        calm "$label"
}

# On a machine that is busy a good link may look poor. The counters are those of the last try.
undisturbed() { # OPTION...
        for _ in 1 2 3; do
                sim reset-counters 1
                doctor "$@"
                [ "$verdict" = poor-link ] || return
        done
}

# The end of a doctor that was launched: a verdict is no failure, so nothing is said about it.
doctor_landed() { # label, codes
        local status=0
        if ! wait_until $chaos_deadline lib_is_gone "$job"; then
                fail "$1: it does not hang"
                kill -KILL "$job"
        fi
        wait "$job" 2>/dev/null || status=$?
        check_match "$1: ends with $2" "^($2)$" "$status"
        check_equal "$1: says nothing else" "" "$(cat "$scratch/doctor.err")"
}

# A V2 that was plugged in anew has its boot loader to leave first.
replug "before doctor"
undisturbed --reset
check_equal "doctor on a good day" healthy "$verdict"
n=$(counter 1 transfers)
check "doctor takes many transfers ($n)" test "$n" -ge 100
calm "after a good day"

# Unplugged while it leaves its boot loader, it is missed.
for i in $(seq 1 "$(scaled 23 1)" "$n"); do
        replug "before unplug"
        try_doctor unplug "$i" '23|25'
done
for i in $(seq 2 "$(scaled 41 1)" "$n"); do
        replug "before wedge"
        try_doctor wedge "$i" '0|7|22'
done
for i in $(seq 2 "$(scaled 29 1)" "$n"); do
        replug "before stall"
        try_doctor stall "$i" '0|7|21|22'
done

# The same with a target that has to be reset: nRST is released whatever happens.
sim set 1 condition=asleep
undisturbed
check_equal "a target that sleeps" needs-reset "$verdict"
n=$(counter 1 transfers)
for i in $(seq $((n - 12)) "$n"); do
        sim set 1 condition=asleep
        sim set 1 "stall-at=$i"
        doctor
        check_match "doctor of a target that sleeps, stall at transfer $i of $n" '^(21|22|28)$' "$code"
        # Were nRST still pulled, it would answer.
        attempt "and nRST is released" 8 "$TOP_BUILDDIR/stlinkctl" connect $one
        sim set 1 condition=ok
        calm "doctor of a target that sleeps, stall at transfer $i of $n"
done

# Ended by whoever is impatient.
for delay in 0.05 0.3 1; do
        sim set 1 latency=10ms
        launch doctor "$TOP_BUILDDIR/stlinkctl" doctor -p $one
        sleep $delay
        kill -INT "$job" 2>/dev/null
        doctor_landed "doctor, interrupted after $delay s" '0|22|130'
        sim set 1 latency=0
        calm "doctor, interrupted after $delay s"
        launch doctor "$TOP_BUILDDIR/stlinkctl" doctor -p $one
        sleep $delay
        kill -KILL "$job" 2>/dev/null
        doctor_landed "doctor, killed after $delay s" '0|22|137'
        calm "doctor, killed after $delay s"
done

# The daemon goes meanwhile.
sim set 1 latency=10ms
launch doctor "$TOP_BUILDDIR/stlinkctl" doctor -p $one
wait_until 20 is $one leased
kill -KILL "$daemon_pid"
chaos_killed=yes
doctor_landed "doctor, without the daemon half way" '0|22'
sim set 1 latency=0
calm "doctor, without the daemon half way"
stop_daemon
check_equal "no sanitizer complains at the end" "" "$(complaints)"
finish
