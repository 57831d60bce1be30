#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# stlinkctl with the real daemon, simulated probes and tools that none of us wrote.
# deadline: 240
if [ "${1-}" != --inside ]; then
        top=${TOP_BUILDDIR:-$(dirname "$0")/../../build}
        exec "$top/stlinksim" run -p v2:serial=066BFF564977886700000001,target=f103,port=1-1 \
                -p v2-1:serial=37FF71064E57343620530843,target=f411,port=1-2 -- bash "$0" --inside
fi
# shellcheck source=../ctl/fake.sh
. "${0%/*}/../ctl/fake.sh"
need dbus-daemon openocd st-flash st-info jq
first=066BFF564977886700000001 second=37FF71064E57343620530843

start_daemon() {
        printf '[Access]\nGroup=%s\n' "$(id -gn)" >"$scratch/stlinkd.conf"
        mkdir -p "$scratch/run"
        STLINKD_CONFIG=$scratch/stlinkd.conf STLINKD_WORKER=$TOP_BUILDDIR/stlinkd-worker \
                RUNTIME_DIRECTORY=$scratch/run spawn stlinkd "$TOP_BUILDDIR/stlinkd"
        daemon=$spawned
}

sim() {
        "$TOP_BUILDDIR/stlinksim" ctl "$@"
}

count() { # COUNTER PROBE
        sim --json counters "$2" | jq ".counters[0].$1"
}

state() { # PORT STATE: whether it is so
        [ "$("$TOP_BUILDDIR/stlinkctl" list --json | jq -r ".[] | select(.port == \"$1\") | .state")" = "$2" ]
}

squat() { # SERIAL: OpenOCD takes a probe and stays; its pid is $squatter
        spawn openocd openocd -f interface/stlink.cfg -c "adapter serial $1" \
                -c 'gdb_port disabled; tcl_port disabled; telnet_port disabled' \
                -f target/stm32f1x.cfg -c init
        squatter=$spawned
}

bus_start
start_daemon
check_soon "both probes are there and identified" 30 eval 'state 1-1 free && state 1-2 free'
ctl list
check_equal "list" "$first V2 V2J37S7 1-1 free -
$second V2-1 V2J45M31 1-2 free -" "$(tail -n +2 <<<"$out" | awk '{ print $1, $2, $3, $4, $5, $6 }')"
check_match "list has the nodes of the kernel's drivers" '^37FF.* /dev/ttyACM[0-9]+ +/dev/sd[a-z]$' "$out"

# Looking is not touching.
before=$(count transfers 1) before2=$(count transfers 2)
for _ in $(seq 30); do
        "$TOP_BUILDDIR/stlinkctl" >/dev/null || fail "status succeeds each time"
        "$TOP_BUILDDIR/stlinkctl" list >/dev/null || fail "list succeeds each time"
done
check_equal "60 looks cause no transfer" "$before $before2" "$(count transfers 1) $(count transfers 2)"
check_equal "and reset nothing" "0 0" "$(count target_resets 1) $(count target_resets 2)"

# Who is behind it?
sim reset-counters >/dev/null
ctl connect --json "$first"
check_equal "connect succeeds" 0 "$status"
check_equal "connect tells the chip" '"066BFF564977886700000001" "0x1ba01477" "Cortex-M3" 64 3280' \
        "$(jq -r '[.id, .dpidr, .core, .flash_kib, .target_millivolts] | map(tojson) | join(" ")' <<<"$out")"
ctl connect 1-2
check_match "connect names the chip" '^ +Target: STM32F411 ' "$out"
check_match "and its core" '^ +Core: Cortex-M4 r0p1$' "$out"
check_equal "connect says nothing on stderr" "" "$err"
check "a probe that is idle enters SWD by 4 commands at most ($(count swd_entered_at 2))" \
        test "$(count swd_entered_at 2)" -ge 1 -a "$(count swd_entered_at 2)" -le 4
check_equal "no target was reset or halted" "0 0 0 0" \
        "$(for p in 1 2; do count target_resets $p; count target_halts $p; done | tr '\n' ' ' | sed 's/ $//')"
check_soon "the probes are free again" 10 eval 'state 1-1 free && state 1-2 free'

sim set 2 condition=absent >/dev/null
ctl connect 1-2
check_equal "no target: exit code" 8 "$status"
check_match "no target: the probe is not to blame" '^stlinkctl: The probe is fine, its target does not answer: ' "$err"
sim set 2 condition=ok state=wedged >/dev/null
ctl connect 1-2
check_equal "a wedged probe: exit code" 7 "$status"
check_match "a wedged probe is to be plugged in again" 'Unplug' "$err"
sim set 2 state=ok latency=500ms >/dev/null
wait_until 20 eval '! state 1-2 leased'
background hasty "$TOP_BUILDDIR/stlinkctl" connect 1-2
hasty=$job
wait_until 20 state 1-2 leased
# A shell's background programs ignore the interrupt until they ask for it themselves.
wait_until 20 eval "kill -INT $hasty; lib_is_gone $hasty"
ended "$hasty"
check_equal "connect can be interrupted" 130 "$status"
check_soon "and gives the probe back" 20 state 1-2 free
sim set 2 latency=0 >/dev/null
sim unplug 2 >/dev/null
check_soon "unplugged" 30 eval '! state 1-2 free'
ctl connect 37FF
check_match "an unplugged probe is not found, or away" '^(3|7)$' "$status"
sim plug 2 >/dev/null
check_soon "plugged in again" 30 state 1-2 free

# A tool that never heard of us.
squat $first
check_soon "OpenOCD is seen" 20 state 1-1 claimed
ctl status 1-1
check_match "and named" "State: in use: openocd \(PID $squatter\) has claimed it$" "$out"
check_match "with the way to end it" "end that program:  kill $squatter$" "$out"
ctl run -p 1-1 true
check_equal "run does not wait unasked" 123 "$status"
check_match "run says who is in the way" openocd "$err"
ctl connect --wait=200ms 1-1
check_equal "connect waits for as long as it is told" 4 "$status"
head -c 3000 /dev/urandom >"$scratch/image"
background flash "$TOP_BUILDDIR/stlinkctl" run --wait=60s -p 1-1 -- \
        st-flash --serial $first write "$scratch/image" 0x8000000
flash=$job
check_soon "run --wait says whom it waits for" 20 grep -q "in use: openocd (PID $squatter)" "$scratch/flash.err"
ctl status 1-1
check_match "status shows the queue" "Waiting: stlinkctl \(PID $flash\) of .*, for: st-flash$" "$out"
kill -KILL "$squatter"
ended "$flash"
check_equal "it works when OpenOCD is gone" 0 "$status"
check_match "it says when its turn came" 'Got it after' "$(<"$scratch/flash.err")"
ctl run -p 1-1 -- st-flash --serial $first read "$scratch/back" 0x8000000 3000
check "what it wrote is there" cmp "$scratch/image" "$scratch/back"

# Many at once take turns.
for i in 1 2 3 4 5 6; do
        background "many$i" "$TOP_BUILDDIR/stlinkctl" run --wait -p 1-2 -- \
                sh -c "echo in >>$scratch/turns; st-info --serial $second --flash; echo out >>$scratch/turns"
        pids[i]=$job
done
failures=0
for i in 1 2 3 4 5 6; do
        ended "${pids[i]}"
        [ "$status" -eq 0 ] && [ -s "$scratch/many$i.out" ] || failures=$((failures + 1))
done
check_equal "six jobs on one probe succeed" 0 "$failures"
check_equal "one after the other" "in out in out in out in out in out in out" \
        "$(tr '\n' ' ' <"$scratch/turns" | sed 's/ $//')"

# Ends that nobody wishes for.
background lost "$TOP_BUILDDIR/stlinkctl" run -p 1-2 -- sh -c 'sleep 300'
lost=$job
check_soon "a lease is seen" 20 state 1-2 leased
ctl status 1-2
check_match "with its holder" "Lease: stlinkctl \(PID $lost\) of .*, for: sh$" "$out"
kill -KILL "$lost"
wait "$lost" 2>/dev/null
check_soon "a holder that is killed frees the probe" 20 state 1-2 free

background pulled "$TOP_BUILDDIR/stlinkctl" run -p 1-2 -- sh -c "until [ -e $scratch/go ]; do sleep 0.1; done; exit 6"
pulled=$job
wait_until 20 state 1-2 leased
sim unplug 2 >/dev/null
check_soon "a probe that is pulled out ends the lease" 30 \
        grep -q 'The lease is lost: the probe was unplugged' "$scratch/pulled.err"
touch "$scratch/go"
ended "$pulled"
check_equal "its command goes on" 6 "$status"
sim plug 2 >/dev/null
check_soon "the probe comes back" 30 state 1-2 free

spawn monitor "$TOP_BUILDDIR/stlinkctl" monitor
check_soon "monitor begins with what is there" 20 grep -q "$second  is there" "$scratch/monitor.log"
rm "$scratch/go"
background stopped "$TOP_BUILDDIR/stlinkctl" run -p 1-2 -- sh -c "echo began; until [ -e $scratch/go ]; do sleep 0.1; done; exit 6"
stopped=$job
check_soon "monitor tells it" 20 grep -q "$second  leased to stlinkctl (PID $stopped)" "$scratch/monitor.log"
wait_until 20 grep -q began "$scratch/stopped.out"
kill "$daemon"
ended "$daemon"
check_equal "the daemon ends well" 0 "$status"
check_soon "a daemon that stops ends the lease" 60 \
        grep -q 'The lease is lost: stlinkd has stopped' "$scratch/stopped.err"
touch "$scratch/go"
ended "$stopped"
check_equal "its command goes on, too" 6 "$status"
start_daemon
check_soon "monitor sees the daemon return" 20 grep -q 'stlinkd  *is running' "$scratch/monitor.log"
check_soon "and works again" 30 state 1-1 free
kill "$daemon"
ended "$daemon"
check_equal "the daemon ends well again" 0 "$status"
finish
