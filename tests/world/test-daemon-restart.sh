#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A daemon that is killed or restarted while leases are held: each is held still, with all that was
# known of it, those are gone whose holder went meanwhile, and nobody gets a probe twice.
# deadline: 600
# shellcheck source=daemon.sh
. "$(dirname "$0")/daemon.sh"
enter_world v2:mode=mass,serial=066DFF000000000000000001 v2:mode=mass,serial=066DFF000000000000000002
one=066DFF000000000000000001 two=066DFF000000000000000002
start_daemon
check_soon "the probes are identified" 10 is $one free
wait_until 10 is $two free

kill_daemon() {
        kill -KILL "$daemon_pid"
        wait "$daemon_pid" 2>/dev/null
}
leases() { ctl leases --json | sed '/"ends"/d'; }

# A lease of a process, with a limit, and one with a descriptor.
number=$(ctl lock $one --reason 'nightly test' --for 1h)
spawn first "$TOP_BUILDDIR/stlinkctl" run --probe $two --reason 'long run' -- sleep 300
first=$spawned
check_soon "leased" 10 is $two leased
fifos() { find "$scratch/run" -name 'lease-*' | wc -l; }
check_soon "one FIFO is made ahead" 10 eval '[ "$(fifos)" -eq 2 ]'
before=$(leases)
kill_daemon
run_daemon
check_equal "after a crash all is as it was" "$before" "$(leases)"
check_equal "but the FIFO that was nobody's" 1 "$(fifos)"
check_match "the limit goes on" 'in 59 min' "$(ctl leases)"
check_fails "both are held" ctl run --probe $one -- true
check_fails "both are held" ctl run --probe $two -- true
kill -TERM "$daemon_pid"
check "a daemon that is stopped" wait "$daemon_pid"
run_daemon
check_equal "leaves them too" "$before" "$(leases)"
kill -KILL "$first"
check_soon "what hangs on a descriptor ends with that" 10 is $two free
check "the other can be given back" ctl unlock $one
check_soon "and is" 10 is $one free
check "no number comes twice" test "$(ctl lock $one)" -gt "$number"
ctl unlock $one

# Holders that go while no daemon is there.
spawn sleeper sleep 300
sleeper=$spawned
ctl lock $one --pid "$sleeper" >/dev/null
spawn second "$TOP_BUILDDIR/stlinkctl" run --probe $two -- sleep 300
second=$spawned
check_soon "leased" 10 is $two leased
kill_daemon
kill -KILL "$sleeper" "$second"
wait "$sleeper" "$second" 2>/dev/null
run_daemon
check_soon "their leases are gone" 10 is $one free
check_soon "both" 10 is $two free
check_equal "without a trace" "" "$(find "$scratch/run" -name 'lease-*')"

# A queue, and a daemon that goes again and again. Who dies meanwhile loses his place, nobody else.
queue() { # NAME: wait for $one, then put NAME down
        spawn "$1" "$TOP_BUILDDIR/stlinkctl" run --wait --probe $one -- bash -c "echo $1 >>$scratch/order; sleep 0.2"
        wait_until 20 grep -q place "$scratch/$1.log" || fail "$1 waits" "$(<"$scratch/$1.log")"
}
waiting() { # N
        [ "$(ctl leases --json | grep -c '"state": *"waiting"')" = "$1" ]
}
spawn holder "$TOP_BUILDDIR/stlinkctl" run --probe $one -- sleep 300
holder=$spawned
check_soon "leased" 10 is $one leased
: >"$scratch/order"
queue one; first=$spawned
queue two; second=$spawned
queue three; third=$spawned
before=$(leases)
kill_daemon
sleep 0.5
run_daemon
check_equal "after a crash the queue is as it was" "$before" "$(leases)"
queue four; fourth=$spawned
kill_daemon
kill -KILL "$second"
wait "$second" 2>/dev/null
run_daemon
check_soon "who went meanwhile is out of it" 10 waiting 3
kill_daemon
kill -TERM "$holder"
sleep 0.3
run_daemon
check "the first goes on" wait "$first"
check "the third" wait "$third"
check "and who came last" wait "$fourth"
check_equal "in their order" "one three four" "$(paste -sd ' ' "$scratch/order")"
check_no_match "and hear nothing of it" 'stopped|lost' "$(cat "$scratch"/{one,three,four}.log)"
check_soon "the probe is free" 10 is $one free

# A state that makes no sense.
kill_daemon
printf 'stlinkd-state 2\nlast 99 .\nlease 1 fd\nlease 2 process exclusive held 1 0 0 0 0 0 0 0 %d 0\ta\tb\n\377\n' $$ \
        >"$scratch/run/state"
run_daemon
check_soon "nonsense makes no lease" 10 is $one free
kill_daemon
head -c 100000 /dev/urandom >"$scratch/run/state"
run_daemon
check_soon "neither does noise" 10 is $one free
check_match "it says so" 'Cannot read who held which lease' "$(<"$scratch/daemon.log")"
kill_daemon
printf 'stlinkd-state 99\nwhatever\n' >"$scratch/run/state"
run_daemon
check_soon "nor what a newer one wrote" 10 is $one free
check_match "it says that, too" 'newer stlinkd' "$(<"$scratch/daemon.log")"

# Cut off in the middle of the last line, the rest still counts.
number=$(ctl lock $one)
ctl lock $two >/dev/null
kill_daemon
truncate -s -20 "$scratch/run/state"
run_daemon
check_soon "of a file that was cut off the rest counts" 10 is $one leased
check_soon "what was cut off is lost" 10 is $two free
ctl unlock $one
wait_until 10 is $one free

# While somebody asks who is in his way.
number=$(ctl lock $one)
background quiet "$TOP_BUILDDIR/stlinkctl" run --wait --probe $one -- true
wait_until 20 eval 'ctl leases --json | grep -q waiting'
kill -STOP "$daemon_pid"
sleep 0.6
kill_daemon
run_daemon
check_soon "who waits is known as before" 20 eval 'ctl leases --json | grep -q waiting'
ctl unlock "$number"
ended "$job"
check_equal "and has his turn" 0 "$status"
wait_until 10 is $one free

# While run has a slow probe asked: its command does not meet what the worker leaves behind.
sim set 1 latency=400ms
background asking "$TOP_BUILDDIR/stlinkctl" run --probe $one -- touch "$scratch/began"
wait_until 20 eval '! no_worker'
kill_daemon
sim set 1 latency=0
sleep 0.5
check "a command waits for the answer" test ! -e "$scratch/began"
run_daemon
ended "$job"
check_equal "which the next daemon gives" 0 "$status"
check "then it begins" test -e "$scratch/began"
wait_until 10 is $one free

# At any moment of the story.
rounds=$((20 * ${TEST_SCALE:-1})) lost=0 doubled=0
for ((i = 0; i < rounds; i++)); do
        : >"$scratch/holds"
        for name in a b c; do
                spawn $name bash -c '
                        number=$("$0" lock --wait=20s "$1" --pid $$ 2>/dev/null) || exit 0
                        echo $$ >>"$2"
                        sleep 300' "$TOP_BUILDDIR/stlinkctl" $one "$scratch/holds"
                eval "$name=$spawned"
        done
        sleep "0.0$((RANDOM % 100))"
        kill_daemon
        run_daemon
        # shellcheck disable=SC2154 # by eval
        wait_until 10 eval "is $one leased || ! kill -0 $a $b $c" || [ ! -s "$scratch/holds" ] ||
                lost=$((lost + 1))
        [ "$(wc -l <"$scratch/holds")" -le 1 ] || doubled=$((doubled + 1))
        # shellcheck disable=SC2154 # by eval
        kill -KILL "$a" "$b" "$c" 2>/dev/null
        wait "$a" "$b" "$c" 2>/dev/null
        wait_until 10 is $one free || lost=$((lost + 1))
done
check_equal "killed at any moment, no lease is lost" 0 "$lost"
check_equal "nor doubled" 0 "$doubled"

# A probe that is being updated may be away for longer than others, also while the daemon is.
sed -i '$a[Probes]\nAwayTimeout=1s' "$scratch/stlinkd.conf"
spawn updater "$TOP_BUILDDIR/stlinkctl" run --for=firmware-update --probe $one -- sleep 300
updater=$spawned
check_soon "leased for an update" 10 is $one leased
kill_daemon
sim unplug 1
run_daemon
sleep 2
check_soon "the daemon is there" 10 is $two free
sim plug 1
check_soon "the updater still has it" 10 is $one leased
kill "$updater"
wait "$updater" 2>/dev/null
check_soon "free" 10 is $one free
stop_daemon
finish
