#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A daemon that is killed or restarted while leases are held: each is held still, with all that was
# known of it, those are gone whose holder went meanwhile, and nobody gets a probe twice.
# deadline: 300
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
before=$(leases)
kill_daemon
run_daemon
check_equal "after a crash all is as it was" "$before" "$(leases)"
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
        wait_until 10 is $one leased || [ ! -s "$scratch/holds" ] || lost=$((lost + 1))
        [ "$(wc -l <"$scratch/holds")" -le 1 ] || doubled=$((doubled + 1))
        # shellcheck disable=SC2154 # by eval
        kill -KILL "$a" "$b" "$c" 2>/dev/null
        wait "$a" "$b" "$c" 2>/dev/null
        wait_until 10 is $one free || lost=$((lost + 1))
done
check_equal "killed at any moment, no lease is lost" 0 "$lost"
check_equal "nor doubled" 0 "$doubled"
stop_daemon
finish
