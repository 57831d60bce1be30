#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each version of probe has each bad day that stlinksim knows, and stlinkctl doctor says what it
# is: with stlinkd and without, and never the wrong thing. At the end the confusion matrix.
# TEST_SCALE tries all of it; else V1, V2-1 and V3PWR have only some of the days.
# deadline: 1500
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
need jq setpriv
enter_world v2:port=1-1,serial=066DFF000000000000000001,target=f103 \
        v3:port=1-2,serial=066DFF000000000000000002,target=f411 \
        v2-1:port=1-3,serial=066DFF000000000000000003,target=g071 \
        v3pwr:port=1-4,serial=066DFF000000000000000004,target=h743 \
        v1:port=1-5,target=f103
models=(- v2 v3 v2-1 v3pwr v1)
declare -A seen=() # "day|verdict" → how often
days=() verdicts=(healthy)

note() { # day, verdict
        [[ " ${days[*]} " == *" $1 "* ]] || days+=("$1")
        [[ " ${verdicts[*]} " == *" $2 "* ]] || verdicts+=("$2")
        seen["$1|$2"]=$((${seen["$1|$2"]:-0} + 1))
}

# Run doctor; $verdict and $code are what it says.
ask() { # OPTION...
        code=0
        timeout -s KILL 60 "${as[@]}" "$stlinkctl" doctor --json "$@" >"$scratch/doctor.json" \
                2>"$scratch/doctor.err" </dev/null || code=$?
        verdict=$(jq -r .verdict "$scratch/doctor.json")
        verdict=${verdict:-none}
}
stlinkctl=$TOP_BUILDDIR/stlinkctl as=()

expect() { # label, day, expected verdict, OPTION...
        local label=$1 day=$2 expected=$3
        shift 3
        for _ in 1 2 3; do # a machine that is busy may make a good link look poor
                ask "$@"
                if [ "$verdict" != poor-link ] || [ "$expected" = poor-link ]; then break; fi
        done
        note "$day" "$verdict"
        if [ "$verdict" = "$expected" ] && [ "$code" = "$(jq .exit_code "$scratch/doctor.json")" ]; then
                ok "$label: $day is $expected"
        else
                fail "$label: $day is $expected" "it says $verdict and ends with $code
$(cat "$scratch/doctor.err"; jq -r '.text, (.checks[] | .level + " " + .check + ": " + .text)' \
                        "$scratch/doctor.json")"
        fi
}

# Days that can come and go: their name, what is set, the verdict, and that of a V1, which measures
# no voltage and has no nRST.
live_days='
healthy condition=ok healthy healthy
no-target condition=absent no-power silent
unpowered condition=unpowered no-power silent
asleep condition=asleep needs-reset silent
remapped condition=remapped needs-reset silent
asleep-no-nrst condition=asleep,nrst=unwired silent silent
rdp1 rdp=1 read-protected read-protected
rdp2 rdp=2 silent silent
no-nrst nrst=unwired reset-line healthy
stall state=stall garbled garbled
short-reply state=short garbled garbled
garbage state=garbage garbled garbled
busy state=busy wedged wedged
slow latency=60ms poor-link poor-link
unplugged unplug-at=9 unplugged unplugged
unplugged-late unplug-at=140 unplugged unplugged
wedged state=wedged wedged wedged
wedged-for-good state=wedged-until-replug wedged wedged
'
some_days=' healthy asleep rdp1 no-nrst stall wedged unplugged '

free_again() { # probe
        [ -z "${daemon_pid-}" ] || wait_until 30 eval "[ \"\$(state_of 1-$1)\" = free ]"
}

state_of() { # port
        "$stlinkctl" list --json | jq -r --arg port "$1" '.[] | select(.port == $port) | .state'
}

have_day() { # probe, label, name, settings, verdict
        local settings
        IFS=, read -ra settings <<<"$4"
        sim set "$1" "${settings[@]}"
        expect "$2" "$3" "$5" --probe "1-$1" --reset
        sim set "$1" condition=ok rdp=0 nrst=wired state=ok latency=0 unplug-at=0
        case $3 in
        wedged* | unplugged*)
                "$TOP_BUILDDIR/stlinksim" ctl unplug "$1" >/dev/null 2>&1
                sim plug "$1"
                ;;
        esac
        free_again "$1" || fail "$2: after $3 the probe is free again"
}

all_days() { # label, PROBE...
        local label=$1 probe name settings verdict of_v1
        shift
        for probe in "$@"; do
                while read -r name settings verdict of_v1; do
                        [ -n "$name" ] || continue
                        if [ -z "${TEST_SCALE-}" ] && [[ $some_days != *" $name "* ]] &&
                                { [ "$probe" -gt 2 ] || [ "$label" != alone ]; }; then
                                continue
                        fi
                        [ "${models[probe]}" != v1 ] || verdict=$of_v1
                        have_day "$probe" "$label ${models[probe]}" "$name" "$settings" "$verdict"
                done <<<"$live_days"
        done
}

# Without stlinkd.
all_days alone 1 2 3 4 5
before=$(counter 1 target_resets)
expect "alone v2" healthy healthy --probe 1-1
check_equal "a target that answers is not reset unasked" "$before" "$(counter 1 target_resets)"
check_equal "nor halted" 0 "$(counter 1 target_halts)"
ask
check_equal "with several probes one has to be named" 3 "$code"
check_match "and they are listed" 'at port 1-4$' "$(cat "$scratch/doctor.err")"
ask --probe 9-9
check_equal "a name that fits none" 3 "$code"

node_of() { # probe
        "$stlinkctl" doctor --json --probe "1-$1" |
                jq -r '.checks[] | select(.check == "node") | .node'
}

# Somebody has it.
# shellcheck disable=SC2217 # it is there to have the node open
sleep 300 <"$(node_of 2)" &
squatter=$!
lib_pids+=("$squatter")
wait_until 20 eval '[ "$(ps -o comm= $squatter)" = sleep ]'
expect "alone v3" held held --probe 1-2
check_match "the holder is named" "sleep \(PID $squatter\)" "$(jq -r .text "$scratch/doctor.json")"
kill "$squatter"
wait "$squatter" 2>/dev/null

# The node is closed to whoever asks; root is somebody else for that.
node=$(node_of 1)
chmod 711 "$scratch"
cp "$TOP_BUILDDIR/stlinkctl" "$scratch/stlinkctl"
[ "$(id -u)" -ne 0 ] || as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
chmod 0600 "$node"
[ "$(id -u)" -eq 0 ] || chmod 0000 "$node"
if "${as[@]}" "$scratch/stlinkctl" --version >/dev/null 2>&1; then
        stlinkctl=$scratch/stlinkctl expect "alone v2" no-permission no-permission --probe 1-1
else
        skip "no permission" "no second user can be had in this world"
fi
as=()
chmod 0664 "$node"

# Days that a probe is born with.
born() { # day, verdict, SPEC
        code=0
        "$TOP_BUILDDIR/stlinksim" run -p "$3" -- "$stlinkctl" doctor --json \
                >"$scratch/doctor.json" 2>"$scratch/doctor.err" </dev/null || code=$?
        verdict=$(jq -r .verdict "$scratch/doctor.json")
        note "$1" "${verdict:-none}"
        check_equal "$3: $1" "$2" "$verdict"
}
inside=$STLINKSIM_CONTROL
unset STLINKSIM_CONTROL
born loader loader v2:firmware=none
born loader loader v3-loader
born loader loader v3pwr-loader
born old-firmware old-firmware v2:firmware=V2J20S4,target=f103
born old-firmware old-firmware v2-1:firmware=V2J24M12,target=f411
born old-firmware old-firmware v3:firmware=V3J2M1,target=f411
born slow-to-return healthy v2:leave-loader=reenumerate,reenumerate=2s
born never-returns lost v2:leave-loader=reenumerate,reenumerate=never
born left-in-debug healthy v2-1:mode=debug,target=f411
born resting healthy v2-1-loader
born clone healthy v2:serial=clone,target=f103
export STLINKSIM_CONTROL=$inside

# With stlinkd, under a lease.
start_daemon
for probe in 1 2 3 4 5; do
        wait_until 30 free_again $probe || fail "stlinkd finds probe $probe"
done
all_days stlinkd 1 2 3 4 5
"$stlinkctl" run -p 1-2 -- sleep 300 &
squatter=$!
lib_pids+=("$squatter")
wait_until 20 eval '[ "$(state_of 1-2)" = leased ]'
expect "stlinkd v3" held held --probe 1-2
kill "$squatter"
wait "$squatter" 2>/dev/null
free_again 2

check_match "doctor works under a lease of its caller" '"verdict": *"healthy"' \
        "$("$stlinkctl" run -p 1-2 -- "$stlinkctl" doctor --json -p 1-2)"
free_again 2

# The report is a page of its own.
"$stlinkctl" doctor -p 1-1 --report "$scratch/report.html" >/dev/null
check_match "the report has the verdict" 'verdict <code>healthy</code>' "$(cat "$scratch/report.html")"
check_no_match "and fetches nothing" '(src|href)=|<script|url\(' "$(cat "$scratch/report.html")"
check_fails "a report that cannot be written" "$stlinkctl" doctor -p 1-1 --report /nonexistent/report.html

printf '%-16s' ''
printf ' %14s' "${verdicts[@]}"
printf '\n'
for day in "${days[@]}"; do
        printf '%-16s' "$day"
        for verdict in "${verdicts[@]}"; do printf ' %14s' "${seen["$day|$verdict"]:-.}"; done
        printf '\n'
done
stop_daemon
finish
