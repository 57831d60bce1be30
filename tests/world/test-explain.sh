#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What tools that none of us wrote print on a bad day is understood, and checked against the
# machine: the real output of OpenOCD, st-flash, st-info and pyOCD.
# deadline: 240
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
need jq openocd st-flash st-info
enter_world v2:port=1-1,serial=066DFF000000000000000001,target=f103
one=066DFF000000000000000001

# The tools, each doing the least that needs a target.
openocd_init() {
        openocd -f interface/stlink.cfg -f target/stm32f1x.cfg \
                -c 'gdb_port disabled; tcl_port disabled; telnet_port disabled' -c init -c exit
}
flash_read() { st-flash read "$scratch/read" 0x8000000 16; }
info_probe() { st-info --probe; }
pyocd_list() { pyocd-tool list; }
pyocd_reg() { pyocd-tool -t stm32f103rc halt; }
export -f openocd_init flash_read info_probe pyocd_list pyocd_reg
export scratch

# The cause that comes out on top is one of those, and as certain as that.
explained() { # day, tool, regular expression of causes, certainty
        local first
        timeout -s KILL 30 bash -c "$2" >"$scratch/said" 2>&1 </dev/null
        "$TOP_BUILDDIR/stlinkctl" explain --json - <"$scratch/said" >"$scratch/explain.json"
        first=$(jq -r '.causes[0] | "\(.cause) \(.certainty)"' "$scratch/explain.json")
        if [[ $first =~ ^($3)\ $4$ ]]; then ok "$1: $2 means $first"; else
                fail "$1: $2 means $3, $4" "it means $first
$(cat "$scratch/said")"
        fi
}
pyocd() { # day, tool, …: where it is installed
        if command -v pyocd-tool >/dev/null; then explained "$@"; else
                skip "$1: $2" "pyOCD is not installed"
        fi
}

sim set 1 condition=absent
explained "no target" openocd_init 'target-power|voltage-unmeasured' possible
explained "no target" flash_read target-power possible
explained "no target" info_probe 'target-silent|target-power' possible
pyocd "no target" pyocd_reg 'target-power|target-silent' possible
sim set 1 condition=ok rdp=2
explained "locked" openocd_init target-power possible
sim set 1 rdp=0

# Somebody has it.
spawn openocd openocd -f interface/stlink.cfg -f target/stm32f1x.cfg \
        -c 'gdb_port disabled; tcl_port 6666; telnet_port disabled' -c init
squatter=$spawned
wait_until 20 grep -q 'Listening on port 6666' "$scratch/openocd.log" || fail "OpenOCD holds the probe"
explained "held" openocd_init held seen
check_match "and by whom" "openocd \(PID $squatter\)" "$(jq -r '.causes[0].evidence' "$scratch/explain.json")"
explained "held" flash_read held seen
explained "held" info_probe held seen
pyocd "held" pyocd_reg held seen
couldnt_bind() {
        openocd -c 'adapter driver dummy' -c 'tcl_port 6666' -c 'gdb_port disabled' \
                -c 'telnet_port disabled'
}
export -f couldnt_bind
explained "its port" couldnt_bind tcp-port seen
check_match "and whose" "openocd \(PID $squatter\) listens on port 6666" \
        "$(jq -r '.causes[0].evidence' "$scratch/explain.json")"

# The same from stlinkd's eyes.
start_daemon
check_soon "stlinkd sees it" 20 is $one claimed
explained "held, says stlinkd" flash_read held seen
check_match "the way is to wait" '^stlinkctl run --wait' "$(jq -r '.causes[0].next' "$scratch/explain.json")"
kill "$squatter"
wait "$squatter" 2>/dev/null
check_soon "it is free again" 20 is $one free

stop_daemon

"$TOP_BUILDDIR/stlinksim" ctl unplug 1 >/dev/null
explained "unplugged" flash_read not-plugged seen
explained "unplugged" openocd_init not-plugged seen
pyocd "unplugged" pyocd_list not-plugged seen

run "$TOP_BUILDDIR/stlinkctl" explain "the moon is full"
check_equal "unknown words: exit code" 1 "$status"
check_match "unknown words are said to be unknown" '^None of these words is known' "$output"
run "$TOP_BUILDDIR/stlinkctl" explain </dev/null
check_equal "nothing to explain is unknown too" 1 "$status"
head -c 3000000 /dev/urandom >"$scratch/noise"
run bash -c '"$0" explain - <"$1"' "$TOP_BUILDDIR/stlinkctl" "$scratch/noise"
check_match "noise does no harm" '^[01]$' "$status"
finish
