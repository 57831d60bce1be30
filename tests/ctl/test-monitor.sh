#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# stlinkctl monitor: one line per change, at once, from the state at the start on and through a
# restart of the daemon; it ends with its reader.
# deadline: 120
# shellcheck source=fake.sh
. "${0%/*}/fake.sh"
need dbus-daemon

says() { # REGEX: the monitor has printed such a line, whole
        grep -qE -- "^[0-9:]{8}  $1\$" "$scratch/monitor.log"
}

# together LINE...: as tell, and the monitors find all signals there at once; the bus has passed
# them on when it passes an answer on.
together() {
        kill -STOP "$monitor" "$json"
        tell "$@"
        ctl list
        kill -CONT "$monitor" "$json"
}

id=066EFF303435554157102345
fake_start
probe a $id 1-1.2 V2-1 ''
spawn monitor "$TOP_BUILDDIR/stlinkctl" monitor
monitor=$spawned
check_soon "what is there is told first, into a file, too" 20 \
        says "$id  is there: ST-LINK V2-1 at port 1-1.2, free"
spawn json "$TOP_BUILDDIR/stlinkctl" monitor --json
json=$spawned
wait_until 20 test -s "$scratch/json.log"

tell 'probe a' 'set Firmware V2J45M31' 'changed Firmware'
check_soon "firmware" 20 says "$id  firmware V2J45M31"
tell 'dict Holders Pid=5 Command=openocd Claimed=1' 'changed Holders' 'set State claimed' 'changed State'
check_soon "a claim" 20 says "$id  in use: openocd \(PID 5\) has claimed it"
tell 'clear Holders' 'set State free' 'changed Holders State'
check_soon "and its end" 20 says "$id  free"
together 'lease 1' 'set Probe /io/github/stlinkd1/probe/a' 'set State held' 'set Command stlinkctl' \
        'set Pid 7' 'probe a' 'list Leases /io/github/stlinkd1/lease/1' 'set State leased' \
        'changed Leases State' 'lease 1' 'added'
check_soon "a lease, in whatever order the signals come" 20 says "$id  leased to stlinkctl \(PID 7\)"
tell 'lease 2' 'set Probe /io/github/stlinkd1/probe/a' 'set State waiting' added 'probe a' \
        'list Leases /io/github/stlinkd1/lease/1 /io/github/stlinkd1/lease/2' 'changed Leases'
check_soon "somebody waits" 20 says "$id  1 waiting for it"
together 'lease 1' removed 'lease 2' removed 'probe a' 'clear Leases' 'set State free' \
        'set PortPath 2-4' 'changed Leases State PortPath'
check_soon "another port" 20 says "$id  moved to port 2-4"
tell 'set TargetVoltage 3300' 'changed TargetVoltage'
tell 'removed'
check_soon "unplugged" 20 says "$id  unplugged"
probe b 37FF71064E57343620530843 1-1.3 V2 V2J37S7
tell 'added'
check_soon "plugged in" 20 says '37FF71064E57343620530843  plugged in: ST-LINK V2 at port 1-1.3, free'
fake_stop
check_soon "the daemon stops" 20 says 'stlinkd +has stopped; waiting for it to come back'
fake_start
check_soon "and is back" 20 says 'stlinkd +is running'
probe c $id 1-1.2 V3 V3J15M7
tell 'added'
check_soon "and heard again" 20 says "$id  plugged in: ST-LINK V3 at port 1-1.2, free"
check_no_match "what belongs together makes one line" 'somebody' "$(<"$scratch/monitor.log")"
check_equal "nothing is told twice" "" "$(uniq -d "$scratch/monitor.log")"
check_no_match "a probe is not unplugged when the daemon stops" '37FF.*unplugged' \
        "$(<"$scratch/monitor.log")"
check_no_match "a voltage is not worth a line" '3300|3.30' "$(<"$scratch/monitor.log")"
in_json() {
        grep -cE '^\{"time":"[0-9TZ:-]+","probe":("[0-9A-F]+"|null),"event":"[a-z-]+","state":("[a-z-]+"|null),"text":"[^"]+"\}$' "$scratch/json.log"
}
check_soon "JSON tells the same, a line each" 20 \
        eval '[ "$(in_json)" = "$(wc -l <"$scratch/monitor.log")" ]'
check_match "events have names" '"event":"removed","state":null,"text":"unplugged"' \
        "$(<"$scratch/json.log")"

# Its reader leaves while nothing happens.
"$TOP_BUILDDIR/stlinkctl" monitor 2>"$scratch/err" > >(head -n 1 >"$scratch/out") &
pipe=$!
lib_pids+=("$pipe")
check_soon "it ends with its reader, at once" 20 lib_is_gone $pipe
check_equal "and silently" "" "$(<"$scratch/err")"

kill -INT $monitor
kill -TERM $monitor
check_soon "a signal ends it" 20 lib_is_gone $monitor

spawn last "$TOP_BUILDDIR/stlinkctl" monitor
last=$spawned
wait_until 20 grep -q 'is there' "$scratch/last.log"
kill "${lib_pids[0]}"
status=0
wait "$last" || status=$?
check_equal "a bus that goes away ends it with a code of its own" 6 "$status"
check_match "and a message" 'stlinkd does not answer' "$(<"$scratch/last.log")"
finish
