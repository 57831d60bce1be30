#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The daemon, the worker, the tools, stlinkctl or the bus killed at any moment of the main story,
# and outputs that are closed: who is left says what happened and ends, and the next story works.
# deadline: 900
# shellcheck source=chaos.sh
. "$(dirname "$0")/chaos.sh"
enter_world v2-1:serial=066DFF000000000000000001,target=f103 v2-1:serial=066DFF000000000000000002
settings=('[Probes]' 'AwayTimeout=1s' 'JobTimeout=4s')
chaos_begin "${settings[@]}"
mapfile -d '' -t flash < <(flash_tool)
mapfile -d '' -t patient < <(flash_tool 50)
seed=${CHAOS_SEED:-$(scaled 1 $$)}
RANDOM=$seed
printf 'seed %s (CHAOS_SEED sets it)\n' "$seed"

# The main story, of which any part may be spoiled; $1 says by what.
story() {
        squat
        wait_until 5 eval "is $one claimed || ! alive"
        attempt "$1: status" '0|3|6' "$TOP_BUILDDIR/stlinkctl" status $one
        launch flash "$TOP_BUILDDIR/stlinkctl" run --wait=20s -p $one -- "${flash[@]}"
        wait_until 1 eval "grep -q Waiting $scratch/flash.err || lib_is_gone $job"
        leave TERM
        attempt "$1: connect" '0|3|4|6|7' "$TOP_BUILDDIR/stlinkctl" connect --wait=1s $two
        landed "$1: run" flash '0|99|120|122|123|125'
        "$TOP_BUILDDIR/stlinksim" ctl unplug 1 >/dev/null 2>&1
        "$TOP_BUILDDIR/stlinksim" ctl plug 1 >/dev/null 2>&1
}

# after MILLISECONDS CMD...: run it in the background then
after() {
        local ms=$1
        shift
        (
                sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
                "$@"
        ) 2>/dev/null &
        killer=$!
}

began=${EPOCHREALTIME/./}
story "a good day"
calm "a good day"
length=$(((${EPOCHREALTIME/./} - began) / 1000))
printf 'the story takes %s ms\n' $length

# The daemon, at moments spread over the story.
kills=$(scaled 8 "${TEST_SCALE-}")
for i in $(seq "$kills"); do
        signal=KILL
        [ $((i % 3)) -ne 0 ] || signal=TERM
        moment=$(((length * (i - 1) + RANDOM % length) / kills))
        label="daemon, SIG$signal at $moment ms"
        after "$moment" kill -$signal "$daemon_pid"
        story "$label"
        wait "$killer"
        wait_until 20 lib_is_gone "$daemon_pid" || fail "$label: it ends"
        chaos_killed=yes
        attempt "$label: list" 6 "$TOP_BUILDDIR/stlinkctl" list
        calm "$label"
done

# The daemon, when somebody waits for each of its answers.
stopped_daemon() { # codes of run's failures, CMD...
        local label="daemon killed before it answers: ${*:2:1}" codes=$1
        shift
        kill -STOP "$daemon_pid"
        launch asker "$@"
        sleep 0.2
        kill -KILL "$daemon_pid"
        chaos_killed=yes
        landed "$label" asker "$codes"
        calm "$label"
}
stopped_daemon 6 "$TOP_BUILDDIR/stlinkctl" list
stopped_daemon 6 "$TOP_BUILDDIR/stlinkctl" connect $one
stopped_daemon 125 "$TOP_BUILDDIR/stlinkctl" run -p $one -- true

for signal in KILL TERM; do
        launch holder "$TOP_BUILDDIR/stlinkctl" run -p $one -- sleep 300
        holder=$job
        wait_until 20 is $one leased
        launch waiter "$TOP_BUILDDIR/stlinkctl" run --wait -p $one -- true
        launch connecter "$TOP_BUILDDIR/stlinkctl" connect --wait $one
        wait_until 20 eval "grep -q Waiting $scratch/waiter.err && grep -q Waiting $scratch/connecter.err"
        kill -$signal "$daemon_pid"
        chaos_killed=yes
        landed "SIG$signal while others wait: run" waiter 125
        landed "SIG$signal while others wait: connect" connecter 6
        wait_until 60 grep -q 'goes on without it' "$scratch/holder.err" ||
                fail "SIG$signal: the holder is told" "$(cat "$scratch/holder.err")"
        kill "$holder"
        landed "SIG$signal: the holder's command" holder 143
        calm "SIG$signal while one holds and two wait"
done

# The worker, while it reads a slow probe, and while it opens one for a lease.
kill_worker() { # milliseconds
        local label="worker killed after $1 ms"
        pull "$label"
        sim set 1 latency=20ms
        sim plug 1
        wait_until 5 eval "workers || is $one free"
        sleep "0.$(printf %03d "$1")"
        # shellcheck disable=SC2046 # several
        kill -KILL $(workers) 2>/dev/null
        wait_until 30 eval "is $one free || is $one not-answering" || fail "$label: it is given up" "$(ctl status)"
        calm "$label"
}
for moment in $(scaled '0 30' "$(seq 0 5 150)"); do kill_worker "$moment"; done

# It dies while somebody traces it, who lets go of it later.
traced() {
        python3 - "$1" <<-'END'
	import ctypes, os, signal, sys, time
	pid = int(sys.argv[1])
	PTRACE_SEIZE = 0x4206
	if ctypes.CDLL(None).ptrace(PTRACE_SEIZE, pid, 0, 0) != 0:
	    sys.exit(77)
	os.kill(pid, signal.SIGKILL)
	time.sleep(0.5)
	END
}
pull "a traced worker"
sim set 1 latency=300ms
sim plug 1
wait_until 5 workers
if traced "$(workers | head -n 1)" 2>/dev/null; then
        calm "worker killed under a tracer"
else
        skip "worker killed under a tracer" "this process may not trace it"
        replug "a traced worker"
fi
for moment in $(scaled '0 20 60' "$(seq 0 5 200)"); do
        launch connecter "$TOP_BUILDDIR/stlinkctl" connect $one
        wait_until 1 workers
        sleep "0.$(printf %03d "$moment")"
        # shellcheck disable=SC2046
        kill -KILL $(workers) 2>/dev/null
        landed "connect without its worker" connecter '0|7'
        calm "worker of a lease killed after $moment ms"
done

# Who uses the probe. With stlinkctl its lease goes, whatever its command does.
for moment in $(scaled '20 200' "$(seq 0 20 400)"); do
        launch flash "$TOP_BUILDDIR/stlinkctl" run -p $one -- "${flash[@]}"
        flasher=$job
        sleep "0.$(printf %03d "$moment")"
        kill -KILL "$flasher" 2>/dev/null
        landed "stlinkctl run is killed" flash '0|137'
        wait_until 20 no_user_of "$scratch/image"
        calm "stlinkctl run killed after $moment ms"

        launch flash "$TOP_BUILDDIR/stlinkctl" run -p $one -- "${patient[@]}"
        sleep "0.$(printf %03d "$moment")"
        # By name: a leak checker's helper is its child too, without which it waits for ever.
        pkill -KILL -x -P "$job" 'sh|timeout|st-flash' 2>/dev/null
        landed "its command is killed" flash '0|137'
        calm "the command of run killed after $moment ms"

        launch connecter "$TOP_BUILDDIR/stlinkctl" connect $one
        sleep "0.$(printf %03d $((moment / 4)))"
        kill -KILL "$job" 2>/dev/null
        landed "connect is killed" connecter '0|137'
        calm "connect killed after $((moment / 4)) ms"

        squat
        sleep "0.$(printf %03d "$moment")"
        leave KILL
        calm "OpenOCD killed after $moment ms"
done

# Interrupted, and told to end, while it waits, wraps, or talks to the probe.
for signal in INT TERM HUP; do
        launch holder "$TOP_BUILDDIR/stlinkctl" run -p $one -- sleep 300
        holder=$job
        wait_until 20 is $one leased
        launch waiter env --default-signal=INT "$TOP_BUILDDIR/stlinkctl" run --wait -p $one -- true
        wait_until 20 grep -q Waiting "$scratch/waiter.err"
        kill -$signal "$job"
        landed "SIG$signal while waiting" waiter '129|130|143'
        kill -TERM "$holder"
        landed "the holder's command is ended" holder 143
        sim set 1 latency=100ms
        launch connecter env --default-signal=INT "$TOP_BUILDDIR/stlinkctl" connect $one
        sleep 0.5
        kill -$signal "$job"
        landed "SIG$signal while connecting" connecter '0|129|130|143'
        calm "SIG$signal"
done

# Nobody reads what is said.
for words in "status $one" list "connect $one"; do
        read -ra call <<<"$TOP_BUILDDIR/stlinkctl $words"
        attempt "$words, disk full" 1 sh -c '"$@" >/dev/full' sh "${call[@]}"
        attempt "$words, closed stdout" 1 sh -c '"$@" >&-' sh "${call[@]}"
        # Nothing can be said then; the status still tells.
        attempt "$words, all closed" 1 sh -c '("$@" <&- >&- 2>&-) || { echo "stlinkctl: failed" >&2; exit 1; }' \
                sh "${call[@]}"
done
launch monitor sh -c '"$0" monitor | head -n 1' "$TOP_BUILDDIR/stlinkctl"
sleep 0.3
replug "monitor"
landed "monitor whose reader has left" monitor '0|1'
calm "closed outputs"

# The bus, and another one in its place.
launch holder "$TOP_BUILDDIR/stlinkctl" run -p $one -- sleep 300
holder=$job
wait_until 20 is $one leased
launch patient "$TOP_BUILDDIR/stlinkctl" run --wait -p $one -- true
wait_until 20 grep -q Waiting "$scratch/patient.err"
kill -KILL "$bus_pid"
attempt "without a bus, list" 6 "$TOP_BUILDDIR/stlinkctl" list
rm -f "$scratch/bus"
start_bus
check_soon "the daemon is on the next bus" 60 on_bus
check_soon "the lease is as it was" 20 is $one leased
kill "$holder"
landed "the holder ends as ever" holder 143
landed "who waited has his turn" patient 0
calm "the bus killed"
stop_daemon
check_equal "no sanitizer complains at the end" "" "$(complaints)"
finish
