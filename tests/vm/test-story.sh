#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The story of tests/demo.sh on a real kernel: the installed service, the system bus, and a user
# of group stlink at the command line. Who is seen by whom is in test-service.sh.
# deadline: 300
# shellcheck source=guest.sh
. "$(dirname "$0")/guest.sh"

one=066DFF504955857567012345 two=0669FF373535503457062922
firmware=/run/labuser/counter.bin # where he may read it
looks=100 # the thousand is in tests/bench/bench-plug.sh: software emulation takes its time

node_of() { # SERIAL
        local path
        for path in $(sysfs_of_probes); do
                [ "$(<"$path/serial")" = "$1" ] || continue
                printf '/dev/bus/usb/%03d/%03d\n' "$(<"$path/busnum")" "$(<"$path/devnum")"
        done
}
has_open() { # PID NODE
        local fd
        for fd in "/proc/$1/fd/"*; do
                [ "$fd" -ef "$2" ] && return
        done
        return 1
}
# What a user who leaves stlinkctl monitor running has seen by now, without a fork.
has_seen() { # TEXT
        [[ $(<"$scratch/monitor.log") == *"$1"* ]]
}
# What he saw last, after so many characters, was not that pid any more.
has_moved_on() { # CHARACTERS PID
        local log
        log=$(<"$scratch/monitor.log")
        [ ${#log} -gt "$1" ] && [[ ${log##*$'\n'} != *"PID $2)"* ]]
}
is() { # SERIAL STATE
        stlinkctl list --no-legend | grep "^$1" | grep -q " $2 "
}
# took NAME CMD...: how long until it succeeds; without wait_until, whose sleeps would count.
took() {
        local name=$1 started=$EPOCHREALTIME end=$((SECONDS + 20))
        shift
        until "$@" 2>/dev/null; do
                [ $SECONDS -lt $end ] || break
        done
        if [ $SECONDS -lt $end ]; then ok "$name ($(((${EPOCHREALTIME/./} - ${started/./}) / 1000)) ms)"; else
                fail "$name" "not within 20 s"
        fi
}
counter() { # PROBE NAME
        sim counters "$1" | tr ' ' '\n' | sed -n "s/^$2=//p"
}

cp "$TOP_SRCDIR/tests/proof/firmware/counter-f103.bin" "$firmware"
systemctl stop stlinkd
probes "v2:target=f103,serial=$one" "v2-1:target=f411,serial=$two"
check_soon "two probes start the daemon, which identifies them" 60 identified 2
node=$(node_of $one)

spawn monitor as_user labuser stlinkctl monitor
wait_until 20 has_seen "$one" || fail "monitor tells of the probes" "$(cat "$scratch/monitor.log")"
spawn openocd openocd -c 'gdb_port disabled; tcl_port disabled; telnet_port disabled' \
        -f interface/stlink.cfg -c "adapter serial $one" -f target/stm32f1x.cfg -c init
squatter=$spawned
check_soon "OpenOCD, unmodified, takes the first one" 60 has_open "$squatter" "$node"
took "it is named in time" has_seen "PID $squatter"
check_soon "its claim is told from an open" 20 is $one claimed

chgrp stlink "$node" # as many a lab does by a rule: st-flash opens the node itself
chmod 660 "$node"
spawn run as_user labuser stlinkctl run --probe $one --wait=60s --reason "flash the board" -- \
        st-flash --serial $one --reset write "$firmware" 0x08000000
job=$spawned
check_soon "st-flash is queued behind it" 30 eval 'stlinkctl status | grep -q "flash the board"'
check "and does not touch the probe" kill -0 "$job"
before=$(<"$scratch/monitor.log")
kill -KILL "$squatter"
took "killed, OpenOCD is gone in time" has_moved_on ${#before} "$squatter"
wait "$job"
check_equal "st-flash had its turn, and succeeded" 0 $?
check_match "it says so itself" 'Flash written and verified' "$(cat "$scratch/run.log")"
check_soon "all is quiet again" 20 is $one free

node=$(node_of $two)
chown root:root "$node"
chmod 600 "$node"
check_fails "a user who may not open the node" as_user labuser dd if="$node" of=/dev/null count=1
run as_user labuser stlinkctl connect $two
check_equal "works through his lease" 0 "$status"
check_match "and is told what is on it" 'STM32F411|0x?431' "$output"

sim reset-counters >/dev/null
for ((i = 0; i < looks; i++)); do stlinkctl status >/dev/null || break; done
check_equal "$looks times status" $looks $i
for i in 1 2; do
        check_equal "no transfer on probe $i" 0 "$(counter $i transfers)"
        check_equal "no reset of its target" 0 "$(counter $i target_resets)"
done
finish
