#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A probe that is pulled out, wedges or stalls with any one of the transfers of the main story,
# or that never was in order: each command says so and ends, and the daemon is as before.
# deadline: 900
# shellcheck source=chaos.sh
. "$(dirname "$0")/chaos.sh"
enter_world v2:serial=066DFF000000000000000001,target=f103 v2-1:serial=066DFF000000000000000002
chaos_begin '[Probes]' 'AwayTimeout=1s' 'JobTimeout=4s'

settled() {
        is "$one" gone || is "$one" free || is "$one" not-answering || is "$one" in-use
}

transfers() { # CMD...: how many transfers it takes on a good day
        sim reset-counters 1
        attempt "on a good day: $*" 0 "$@"
        counter 1 transfers
}

# From plug-in to identified.
pull "at first"
sim reset-counters 1
sim plug 1
check_soon "identified" 30 is $one free
n=$(counter 1 transfers)
check "identification takes a few transfers ($n)" test "$n" -ge 2
for fault in unplug wedge stall; do
        for i in $(seq 1 "$(if [ $fault = wedge ]; then scaled 2 1; else echo 1; fi)" "$n"); do
                pull "before $fault at transfer $i"
                sim set 1 $fault-at="$i"
                sim plug 1
                wait_until 60 settled || fail "$fault at transfer $i of identification: it ends" "$(ctl status)"
                calm "$fault at transfer $i of $n of identification"
        done
done

# connect. A V2 that was plugged in anew is told to leave its boot loader, which takes most.
replug "before connect"
n=$(transfers "$TOP_BUILDDIR/stlinkctl" connect $one)
check "connect takes some more ($n)" test "$n" -ge 10
try_connect() { # fault, transfer
        replug "before $1 at transfer $2"
        sim set 1 "$1-at=$2"
        attempt "connect, $1 at transfer $2" '0|3|7' "$TOP_BUILDDIR/stlinkctl" connect $one
        [ "$1" != unplug ] || check_equal "connect, unplugged at transfer $2" 3 "$status_of_attempt"
        calm "$1 at transfer $2 of $n of connect"
}
for i in $(seq 1 "$(scaled 5 1)" "$n"); do try_connect unplug "$i"; done
for i in $(seq 2 "$(scaled 15 1)" "$n"); do try_connect wedge "$i"; done
for i in $(seq 2 "$(scaled 11 1)" "$n"); do try_connect stall "$i"; done

# st-flash under a lease, and somebody waiting behind it.
mapfile -d '' -t flash < <(flash_tool)
mapfile -d '' -t patient < <(flash_tool 50)
n=$(transfers "$TOP_BUILDDIR/stlinkctl" run -p $one -- "${patient[@]}")
check "st-flash takes many ($n)" test "$n" -ge 50
try_flash() { # fault, transfer
        local label="$1 at transfer $2 of $n of st-flash"
        sim set 1 "$1-at=$2"
        launch flash "$TOP_BUILDDIR/stlinkctl" run -p $one -- "${flash[@]}"
        wait_until 20 eval "is $one leased || lib_is_gone $job"
        launch next "$TOP_BUILDDIR/stlinkctl" run --wait=30s -p $one -- true
        landed "$label" flash '0|99|120|122|123'
        landed "$label, the next" next '0|120|122|123'
        calm "$label"
}
for i in $(seq 1 $((n / $(scaled 4 120) + 1)) "$n"); do try_flash unplug "$i"; done
for i in $(seq 5 $((n / $(scaled 2 40) + 1)) "$n"); do try_flash wedge "$i"; done
for i in $(seq 9 $((n / $(scaled 2 60) + 1)) "$n"); do try_flash stall "$i"; done

# Never in order, from plug-in on or from then on.
for state in wedged $(scaled '' wedged-until-replug) stall short garbage busy; do
        pull "before the next"
        sim set 1 state="$state"
        sim plug 1
        wait_until 60 settled || fail "$state at plug-in: it is given up" "$(ctl status)"
        attempt "connect, $state at plug-in" '0|3|7' "$TOP_BUILDDIR/stlinkctl" connect $one
        calm "$state at plug-in"
        sim set 1 state="$state"
        attempt "connect, $state after plug-in" 7 "$TOP_BUILDDIR/stlinkctl" connect $one
        calm "$state after plug-in"
done

# It leaves its boot loader for good, or takes its time.
for time in 0 $(scaled '' '100ms 2s') never; do
        pull "before the next"
        sim set 1 leave-loader=reenumerate reenumerate="$time"
        sim plug 1
        wait_until 30 is $one free
        attempt "connect, re-enumeration $time" '0|3' "$TOP_BUILDDIR/stlinkctl" connect $one
        sim set 1 leave-loader=stay
        calm "re-enumeration takes $time"
done
stop_daemon
check_equal "no sanitizer complains at the end" "" "$(complaints)"
finish
