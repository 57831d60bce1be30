#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A probe that is pulled out, wedges or stalls with any one of the transfers of a read, of a
# connect under reset, or of the way into its boot loader and back: each command says so and ends,
# and the daemon is as before. The same over all transfers and models, without a daemon and so in
# seconds, and that the target is left running: tests/unit/test-target-link.c.
# deadline: 900
# shellcheck source=chaos.sh
. "$(dirname "$0")/chaos.sh"
enter_world v2-1:serial=066DFF000000000000000001,target=f103 v2:serial=066DFF000000000000000002
chaos_begin '[Probes]' 'AwayTimeout=1s' 'JobTimeout=4s'
progress="$progress|Switching, "
program=$TOP_BUILDDIR/stlinkctl

good_day() { # CMD...: how many transfers it takes
        sim reset-counters 1
        attempt "on a good day: $*" 0 "$@"
        counter 1 transfers
}

# break_it FAULT STEP CODES CMD...: at every STEPth transfer of n. What was unplugged with the last
# one may have said all there is to say.
break_it() {
        local fault=$1 step=$2 codes=$3 what i
        shift 3
        what=${*: -1}
        for i in $(seq "$((1 + RANDOM % step))" "$step" "$n"); do
                replug "before $fault at transfer $i"
                sim set 1 "$fault-at=$i"
                attempt "$what, $fault at transfer $i" "$codes" "$@"
                calm "$fault at transfer $i of $n of $what"
        done
}

memory=("$program" read -p "$one" -o "$scratch/out" 0x08000000 30K)
n=$(good_day "${memory[@]}")
check "a read takes some transfers ($n)" test "$n" -ge 25
break_it unplug "$(scaled 13 1)" 3 "${memory[@]}"
break_it wedge "$(scaled 23 1)" '0|7' "${memory[@]}"
break_it stall "$(scaled 17 1)" '0|7|8' "${memory[@]}"

caught=("$program" connect --mode=under-reset "$one")
n=$(good_day "${caught[@]}")
check "connect under reset takes some ($n)" test "$n" -ge 30
break_it unplug "$(scaled 19 1)" 3 "${caught[@]}"
break_it wedge "$(scaled 29 1)" '0|7' "${caught[@]}"
break_it stall "$(scaled 17 1)" '0|7|8' "${caught[@]}"

there_and_back=(bash -c "'$program' mode $one loader && '$program' mode $one idle" 'mode loader, mode idle')
n=$(good_day "${there_and_back[@]}")
check "there and back takes some ($n)" test "$n" -ge 8
break_it unplug "$(scaled 5 1)" '0|3' "${there_and_back[@]}"
break_it wedge "$(scaled 11 1)" '0|1|7' "${there_and_back[@]}"
break_it stall "$(scaled 9 1)" '0|1|7' "${there_and_back[@]}"
for time in never $(scaled '' 2s); do
        sim set 1 reenumerate="$time"
        attempt "there and back, away for $time" '0|3' "${there_and_back[@]}"
        calm "away for $time"
done
stop_daemon
check_equal "no sanitizer complains at the end" "" "$(complaints)"
finish
