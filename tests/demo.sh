#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The main job on virtual probes: two are plugged in, OpenOCD squats on one, stlinkctl says so,
# st-flash waits its turn and gets it, and the chip on the other probe is identified. Needs no
# root rights and no hardware. It fails if any step does.
set -u -o pipefail
TOP_SRCDIR=${TOP_SRCDIR:-$(cd "$(dirname "$0")/.." && pwd)}
TOP_BUILDDIR=${TOP_BUILDDIR:-$TOP_SRCDIR/build}

exec 2>&1 # in one stream, so that the lines stand in the order in which they were written
if [ "${1-}" != --inside ]; then
        work=$(mktemp -d "${TMPDIR:-/tmp}/stlinkd-demo.XXXXXX") || exit 1
        trap 'rm -rf "$work"' EXIT
        export work TOP_SRCDIR TOP_BUILDDIR
        timeout 60 "$TOP_BUILDDIR/stlinksim" run \
                -p v2:serial=066DFF504955857567012345,target=f103 \
                -p v2-1:serial=0669FF373535503457062922,target=f411 \
                -- bash "$0" --inside
        exit
fi

# From here on we are inside the private world, where the two probes are.
firmware=$TOP_SRCDIR/tests/proof/firmware/counter-f103.bin
bold='' dim='' plain=''
[ ! -t 1 ] || { bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; }

step() {
        printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}

# show CMD...: print the command as one would type it, and run it.
show() {
        local word line=''
        for word in "$@"; do
                case $word in *[[:space:]]*) word="'$word'" ;; esac
                line+=" ${word#"$TOP_SRCDIR/"}"
        done
        printf '%s$%s%s\n' "$dim" "$line" "$plain"
        "$@"
}

stop() {
        printf '\nThe demo failed: %s\n' "$*" >&2
        [ ! -s "$work/stlinkd.log" ] || sed 's/^/  stlinkd | /' "$work/stlinkd.log" >&2
        exit 1
}

# wait_for SECONDS CMD...
wait_for() {
        local end=$((SECONDS + $1))
        shift
        until "$@" >/dev/null 2>&1; do
                [ $SECONDS -lt $end ] || return 1
                sleep 0.05
        done
}

stlinkctl() {
        "$TOP_BUILDDIR/stlinkctl" "$@"
}

state_of() {
        stlinkctl list --no-legend | grep "^$1" | grep -qw "$2"
}

# A system bus of our own, and stlinkd on it. Whoever started the demo may take leases.
start_stlinkd() {
        cat >"$work/bus.conf" <<-END
	<busconfig><type>system</type><listen>unix:path=$work/bus</listen>
	<auth>EXTERNAL</auth><policy context="default"><allow user="*"/><allow own="*"/>
	<allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>
	END
        dbus-daemon --nofork --nopidfile --config-file="$work/bus.conf" >"$work/bus.log" 2>&1 &
        export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/bus
        wait_for 10 test -S "$work/bus" || stop "the bus does not start"
        printf '%s\n' '[Daemon]' "RuntimeDirectory=$work/run" Gate=poll '[Access]' "Group=$(id -gn)" \
                >"$work/stlinkd.conf"
        STLINKD_CONFIG=$work/stlinkd.conf STLINKD_WORKER=$TOP_BUILDDIR/stlinkd-worker \
                "$TOP_BUILDDIR/stlinkd" >"$work/stlinkd.log" 2>&1 &
        stlinkd=$!
        wait_for 10 stlinkctl list || stop "stlinkd does not start"
}

started=$EPOCHREALTIME
step "Two virtual probes are plugged in; stlinkd handles them"
start_stlinkd
wait_for 10 state_of 066DFF50 free || stop "the first probe was not identified"
wait_for 10 state_of 0669FF37 free || stop "the second probe was not identified"
show stlinkctl list

step "OpenOCD, unmodified, takes the first one"
openocd -f interface/stlink.cfg -c 'hla_serial 066DFF504955857567012345' -f target/stm32f1x.cfg \
        -c init >"$work/openocd.log" 2>&1 &
openocd=$!
wait_for 10 state_of 066DFF50 claimed || stop "OpenOCD was not seen"
show stlinkctl status 066DFF50

step "st-flash waits its turn behind it"
show stlinkctl run --probe 066DFF50 --wait=30s --reason "flash the board" -- \
        st-flash --serial 066DFF504955857567012345 --reset write "$firmware" 0x08000000 &
run=$!
wait_for 10 bash -c "$(printf '%q ' "$TOP_BUILDDIR/stlinkctl") status | grep -q 'flash the board'" ||
        stop "the request is not in the queue"
sleep 0.5
printf '%s$ kill %s   # OpenOCD leaves%s\n' "$dim" "$openocd" "$plain"
kill "$openocd"
wait "$openocd" 2>/dev/null
wait "$run" || stop "st-flash did not succeed"

step "Meanwhile the other probe was free: what is on it?"
show stlinkctl connect 0669FF37 || stop "connect failed"

step "All is quiet again"
wait_for 10 state_of 066DFF50 free || stop "the first probe is not free again"
show stlinkctl
kill "$stlinkd"
wait "$stlinkd" || stop "stlinkd did not end cleanly"
printf '\nThe demo took %s s.\n' "$(awk -v a="$started" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')"
